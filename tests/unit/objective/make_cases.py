#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes cases-extra.json: seeded random prompts and responses, scored by the counselling sweep's Python objectives, and
random texts with Python's lower case and with their sentences. Unicode: case pairs of all kinds, final sigma, white
space, broken words. Sentences are UAX 29's, rule by rule over the character properties of the package uniseg (whose own
segmentation lacks a part of SB8), with an ellipsis for the full stops that it stands for, joined where a piece has no letter."""
from uniseg.sentencebreak import sentence_break
import importlib.util, json, os, random, re, unicodedata
here = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("o", os.path.join(here, "../../../sweeps/counsel/reference/objectives.py"))
ref = importlib.util.module_from_spec(spec); spec.loader.exec_module(ref)
rnd = random.Random(20240607)
SPACES = [" ", "  ", "\n", "\t", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"]
NOT_SPACES = ["\u200b", "\ufeff", "\u180e", "\u2060", "-", "_", "/", "\u2019"]
WORDS = ["I", "my", "mother", "MOTHER", "nervous", "nervousness", "İstanbul", "thinKing", "\u212aind", "ΟΔΟΣ", "ΣΑΣ'Σ", "don't", "'quoted'", "naïve", "café", "teacher's", "accident", "sorry",
         "SORRY", "Sorry", "hard for you", "Hard For You", "I can hear", "makes sense", "Not Alone", "painful", "paİnful", "underſtand", "understand", "thank you for telling", "anyone would feel",
         "That", "feel", "afraid", "x", "ab", "abc", "abcd", "abcdefg", "abcdefgh", "''", "123", "a1b2", "…", "日本", "ß", "ẞ", "ŁÓDŹ", "Ⅷ", "🙂", "Client:", "\nCounselor:", "Counselor:", "thanK you"]
ENDS = [".", "!", "?", "...", "?!", "", ",", ";", ".\"", "。", "! ?", " .", "."]
def text():
    out = ""
    for _ in range(rnd.choice([0, 0, 1, 2, 3, 5, 8, 13, 34])):
        out += rnd.choice(WORDS) + rnd.choice(ENDS if rnd.random() < .4 else [""]) + rnd.choice(SPACES + NOT_SPACES if rnd.random() < .25 else [" "])
    return out if rnd.random() < .5 else rnd.choice(SPACES) + out
def prompt():
    kind = rnd.random()
    if kind < .6: return "Client: " + text() + "\nCounselor:"
    if kind < .8: return "Client: " + text() + "\nCounselor: " + text() + "\nClient: " + text() + "\nCounselor:"
    return text()
def characters():
    pools = ["ΣσςaAΑά'.\u0301\u00ad\u02b0: 1-", "".join(chr(c) for c in range(0x80, 0x600)), "".join(chr(c) for c in range(0x1e00, 0x2200)), "İIıiKÅÅǅǄßẞﬀ\U00010400\U0001e900Ⅷⓐ"]
    return "".join(rnd.choice(rnd.choice(pools)) for _ in range(rnd.randrange(1, 24)))
def uax29(s):
    # One letter a character: c CR, l LF, p Sep, x Extend or Format, s Sp, w Lower, u Upper, o OLetter, n Numeric, a ATerm,
    # t STerm, k SContinue, e Close, - Other.
    short = {"CR": "c", "LF": "l", "Sep": "p", "Extend": "x", "Format": "x", "Sp": "s", "Lower": "w", "Upper": "u", "OLetter": "o", "Numeric": "n", "ATerm": "a", "STerm": "t", "SContinue": "k", "Close": "e"}
    props = ["a" if c == "\u2026" else short.get(sentence_break(c).value, "-") for c in s]
    kept = []  # SB5: (index, property) without Extend and Format behind something that is no line's end
    for i, p in enumerate(props):
        if p != "x" or not kept or kept[-1][1] in "clp": kept.append((i, "-" if p == "x" else p))
    text = "".join(p for _, p in kept)
    start, pieces = 0, []
    for j in range(1, len(kept)):
        before, after = text[:j], text[j:]
        if before[-1] == "c" and after[0] == "l": cut = False  # SB3
        elif before[-1] in "clp": cut = True  # SB4
        elif before[-1] == "a" and after[0] == "n": cut = False  # SB6
        elif re.search("[uw]a$", before) and after[0] == "u": cut = False  # SB7
        elif re.search("ae*s*$", before) and re.match("[^ouwclpat]*w", after): cut = False  # SB8
        elif re.search("[at]e*s*$", before) and after[0] in "kat": cut = False  # SB8a
        elif re.search("[at]e*$", before) and after[0] in "esclp": cut = False  # SB9
        elif re.search("[at]e*s*$", before) and after[0] in "sclp": cut = False  # SB10
        else: cut = bool(re.search("[at]e*s*[clp]?$", before))  # SB11, SB998
        if cut:
            pieces.append(s[start:kept[j][0]])
            start = kept[j][0]
    return pieces + ([s[start:]] if s[start:] else [])
def sentences(s):
    out, line = [], True  # (text, has a letter)
    for piece in uax29(s):
        letters = any(unicodedata.category(c)[0] == "L" for c in piece)
        if out and not (out[-1][1] and (letters or line)): out[-1] = (out[-1][0] + piece, out[-1][1] or letters)
        else: out.append((piece, letters))
        line = piece[-1] in "\n\r\x85\u2028\u2029"
    if len(out) > 1 and not out[-1][1]: out[-2:] = [(out[-2][0] + out[-1][0], True)]
    return [p.strip() for p, _ in out if p.strip()]
def empathy(r):
    s = sentences(r)
    return sum(any(p in x.lower() for p in ref.EMPATHY) for x in s) / len(s) if s else 0.0
cases = []
for _ in range(600):
    p, r = prompt(), text().replace("…;", "…,")  # a semicolon there continues a sentence since Unicode 15.1 only
    cases.append({"prompt": p, "response": r, "reflection": ref.reflection(p, r), "empathy": empathy(r), "brevity": ref.brevity(p, r)})
lower = [[s, s.lower()] for s in (characters() for _ in range(400)) if all(unicodedata.category(c) != "Cs" for c in s)]
json.dump({"cases": cases, "lower": lower}, open(os.path.join(here, "cases-extra.json"), "w"), ensure_ascii=True, separators=(",", ":"), indent=0)
print(len(cases), len(lower), sum(c["empathy"] > 0 for c in cases), sum(c["reflection"] > 0 for c in cases))
