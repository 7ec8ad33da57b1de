// SPDX-License-Identifier: BSD-3-Clause
/* What the objectives see in a text: code points, lower case, words and sentences.
 *
 * Lower case, white space and the splitting rules are those of Python 3 (str.lower, str.isspace, re), so that scores
 * agree with objectives written in Python. Bytes that are not UTF-8 count as U+FFFD, one a byte. */
#ifndef PR_OBJECTIVE_TEXT_H
#define PR_OBJECTIVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at s [len > 0] into *cp and returns how many bytes it takes (>= 1). */
size_t pr_utf8_next(const char *s, size_t len, int32_t *cp);
/* Code points of a text. */
size_t pr_utf8_count(const char *s, size_t len);
/* A copy of s [len] in which every byte that is not UTF-8 is replaced by U+FFFD, [*out_len] bytes with a NUL after
 * them. Caller frees. */
char *pr_utf8_clean(const char *s, size_t len, size_t *out_len);
/* As Python's str.isspace for one character. */
bool pr_is_space(int32_t cp);
/* As Python's str.lower: full mapping, with the final sigma. NUL-terminated behind *out_len bytes; caller frees. */
char *pr_text_lower(const char *s, size_t len, size_t *out_len);

/* A piece of a text that somebody else owns. */
typedef struct pr_span {
    const char *s;
    size_t len;
} pr_span_t;

/* Pieces of one text, and that text where the list made it. Start from {0}; free with pr_spans_free. */
typedef struct pr_spans {
    pr_span_t *at;
    size_t n, cap;
    char *text;
} pr_spans_t;

void pr_spans_add(pr_spans_t *spans, const char *s, size_t len);
void pr_spans_free(pr_spans_t *spans);
/* Both ends without white space, as Python's str.strip. */
pr_span_t pr_text_strip(const char *s, size_t len);
/* The same where an objective's option `trim` is set, else all of s [len]. */
pr_span_t pr_text_trimmed(const char *s, size_t len, bool trim);
/* The maximal runs of [a-z'] in the lower-cased text: re.findall("[a-z']+", text.lower()). */
void pr_text_ascii_words(const char *s, size_t len, pr_spans_t *out);
/* The maximal runs of letters, marks, digits and apostrophes (' and U+2019, made ') of any script that hold a letter or
 * digit, in the lower-cased text, without the apostrophes at their ends. */
void pr_text_words(const char *s, size_t len, pr_spans_t *out);
/* The sentences of a text by Unicode's rule (UAX 29, as ICU has it): quotation marks and brackets that close after a
 * full stop belong to the sentence they close, the end of a line ends one, and a full stop before a small letter ends
 * none. A piece without a letter (emphasis marks, a face) belongs to the sentence before it, at the beginning of a line
 * ("1.") to the one after it. Pieces of s itself, without white space at their ends; none of a text of white space. */
#define PR_SENTENCES_HELP                                                                                              \
    "Sentences are Unicode's (UAX 29, as the ICU library has it): closing quotation marks and brackets belong to the " \
    "sentence, the end of a line ends one, a full stop before a small letter does not, an ellipsis is three full "     \
    "stops; a piece without a letter belongs to the sentence before it, at the beginning of a line to the one after "  \
    "it."
void pr_text_sentences(const char *s, size_t len, pr_spans_t *out);

/* Values by text: a hash table that copies its keys. Start from {0}; free with pr_dict_free. */
typedef struct pr_dict {
    struct pr_dict_slot *slot;
    size_t n, cap;
} pr_dict_t;

/* The value of a key, made with value 0 where there was none (*added says so; may be NULL). Valid until the next
 * call. */
double *pr_dict_put(pr_dict_t *d, const char *key, size_t len, bool *added);
/* NULL when the key is not there. */
const double *pr_dict_get(const pr_dict_t *d, const char *key, size_t len);
void pr_dict_free(pr_dict_t *d);

#endif
