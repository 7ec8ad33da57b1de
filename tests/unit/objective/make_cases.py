#!/usr/bin/env python3
"""Writes cases-extra.json: seeded random prompts and responses, scored by the counselling sweep's Python objectives, and
random texts with Python's lower case. Unicode: case pairs of all kinds, final sigma, white space, broken words."""
import importlib.util, json, os, random, unicodedata
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
cases = []
for _ in range(600):
    p, r = prompt(), text()
    cases.append({"prompt": p, "response": r, "reflection": ref.reflection(p, r), "empathy": ref.empathy(p, r), "brevity": ref.brevity(p, r)})
lower = [[s, s.lower()] for s in (characters() for _ in range(400)) if all(unicodedata.category(c) != "Cs" for c in s)]
json.dump({"cases": cases, "lower": lower}, open(os.path.join(here, "cases-extra.json"), "w"), ensure_ascii=True, separators=(",", ":"), indent=0)
print(len(cases), len(lower), sum(c["empathy"] > 0 for c in cases), sum(c["reflection"] > 0 for c in cases))
