/* From generated tokens to the response that is scored: stop strings, the end-of-text tokens, trimming. */
#ifndef PR_LEARN_RESPONSE_H
#define PR_LEARN_RESPONSE_H

#include "model/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct pr_stops {
    const pr_tokenizer_t *tokenizer;
    int n;
    const char *const *text; // stop strings, none empty
    int tail; // tokens that can hold the longest one: its bytes (a token has at least one) and some of a cut character
} pr_stops_t;

void pr_stops_init(pr_stops_t *s, const pr_tokenizer_t *tokenizer, int n, const char *const *text);
/* Does the text of ids [n] end in, or its last token complete, a stop string? Asked after each token, so only the tail
 * is decoded. */
bool pr_stops_hit(const pr_stops_t *s, const int32_t *ids, int n);
/* The response's text: ids [n] decoded without special tokens, cut before the first stop string, white space at both
 * ends removed. Caller frees. Errors: those of decoding. */
pr_status_t pr_response_text(const pr_stops_t *s, const int32_t *ids, int n, char **text, pr_error_t *err);

#endif
