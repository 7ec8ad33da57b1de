// SPDX-License-Identifier: BSD-3-Clause
/* Flesch 1948, "A new readability yardstick". */
#include "objective/type.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

static const pr_option_t options[] = {{0}};

static pr_status_t readability_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env,
                                    pr_error_t *err)
{
    (void)opt;
    (void)o;
    (void)env;
    (void)err;
    return PR_OK;
}

static void readability_close(pr_objective_t *o)
{
    (void)o;
}

// The base of a letter (o of ö), 'x' for what is none in a-z. An e with an accent is never silent: it becomes an a.
static char base_letter(int32_t cp)
{
    utf8proc_int32_t parts[16];
    int last = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(cp, parts, 16, UTF8PROC_DECOMPOSE, &last);
    if (n < 1 || n > 16 || parts[0] >= 128)
        return 'x';
    return n > 1 && parts[0] == 'e' ? 'a' : (char)parts[0];
}

static bool is_vowel(char c)
{
    return c && strchr("aeiouy", c);
}

// The word's base letters, at most size-1 of them; longer words are cut. Accents written apart are left out.
static size_t base_letters(pr_span_t word, char *out, size_t size)
{
    size_t n = 0;
    int32_t cp;
    for (size_t i = 0; i < word.len && n + 1 < size;) {
        i += pr_utf8_next(word.s + i, word.len - i, &cp);
        if (utf8proc_category(cp) != UTF8PROC_CATEGORY_MN && cp != '\'')
            out[n++] = base_letter(cp);
    }
    out[n] = 0;
    return n;
}

// Is the e of a last "e", "es" or "ed" silent? before: the letters in front of it.
static bool silent_e(const char *w, size_t n)
{
    char end = w[n - 1];
    size_t e = end == 'e' ? n - 1 : n - 2; // where the e is
    if (e < 2 || w[e] != 'e' || is_vowel(w[e - 1]))
        return false;
    if (end == 'e' || end == 's') {
        bool syllable = w[e - 1] == 'l' && !is_vowel(w[e - 2]);  // table, tables
        bool hissing = end == 's' && strchr("sxzcgh", w[e - 1]); // boxes, places, wishes
        return !syllable && !hissing;
    }
    return end == 'd' && w[e - 1] != 't' && w[e - 1] != 'd'; // wanted, needed
}

static size_t syllables(pr_span_t word)
{
    char w[64];
    size_t n = base_letters(word, w, sizeof w), count = 0;
    for (size_t i = 0; i < n; i++)
        count += is_vowel(w[i]) && (i == 0 || !is_vowel(w[i - 1]));
    if (n > 2 && count > 1 && silent_e(w, n))
        count--;
    return count ? count : 1;
}

static double score_one(const pr_sample_t *s)
{
    pr_spans_t words, sentences;
    pr_text_words(s->response, s->response_len, &words);
    pr_text_sentences(s->response, s->response_len, &sentences);
    double total = 0, score = 0;
    for (size_t i = 0; i < words.n; i++)
        total += (double)syllables(words.at[i]);
    if (words.n > 0 && sentences.n > 0) {
        double n = (double)words.n;
        score = (206.835 - 1.015 * n / (double)sentences.n - 84.6 * total / n) / 100;
    }
    pr_spans_free(&words);
    pr_spans_free(&sentences);
    return fmin(fmax(score, 0), 1);
}

static pr_status_t readability_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                     pr_error_t *err)
{
    (void)o;
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = score_one(&samples[i]);
    return PR_OK;
}

const pr_objective_type_t pr_objective_readability = {
    .name = "readability",
    .formula = "(206.835 - 1.015 words/sentences - 84.6 syllables/words) / 100, cut to 0..1",
    .range = "[0, 1]",
    .help = "Flesch reading ease of English, divided by 100. " PR_SENTENCES_HELP " "
            "Syllables of a word are its groups of the vowels a e i o u y (with accents too), less one for a silent e "
            "(without accent) "
            "in a last e, es or ed after a consonant (not in -le and -les after a consonant, -es after s x z c g h, "
            "-ed after t d), and at least one. A response without words scores 0.",
    .options = options,
    .open = readability_open,
    .score = readability_score,
    .close = readability_close,
};
