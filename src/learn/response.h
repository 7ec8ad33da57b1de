// SPDX-License-Identifier: BSD-3-Clause
/* From generated tokens to the response that is scored: what was written before the first stop text or end-of-text
 * token, byte for byte, and the tokens that make it. What is cut from the text is not counted.
 *
 *   pr_stops_init(&stops, tokenizer, n, texts, err);       // refuses a text that this tokenizer cannot write
 *   after each token: if (pr_stops_hit(&stops, ids, n)) ...
 *   pr_response_read(&stops, continues, ids, n, &r, err);  // r.text [r.len], r.n tokens
 *   pr_response_clear(&r); pr_stops_clear(&stops);
 *
 * A text has a length, as a model may write U+0000 into it. */
#ifndef PR_LEARN_RESPONSE_H
#define PR_LEARN_RESPONSE_H

#include "model/config.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One text that ends a response. It is looked for in what the tokens say without special tokens; where it is or holds
 * the text of a special token ("<|im_end|>", "<|im_end|>\n"), in what they say with them. */
typedef struct pr_stop {
    const char *text; // borrowed
    size_t len;
    bool special;
} pr_stop_t;

typedef struct pr_stops {
    const pr_tokenizer_t *tokenizer; // borrowed
    int n;
    pr_stop_t *stop;
    bool any_special; // of stop
    int tail; // tokens that can hold the longest one: its bytes (a token has at least one) and some of a cut character
} pr_stops_t;

/* The texts that end a response: own [n], then those of the model's generation_config.json. *total of them, each
 * borrowed; the caller frees the list. */
const char **pr_stop_texts(const pr_model_config_t *m, int n, const char *const *own, int *total);

/* text [n]: borrowed until pr_stops_clear; none empty. Errors: PR_ERR_CONFIG (a text that the tokenizer cannot write,
 * so that it would never be found). After an error there is nothing to clear. */
pr_status_t pr_stops_init(pr_stops_t *s, const pr_tokenizer_t *tokenizer, int n, const char *const *text,
                          pr_error_t *err);
void pr_stops_clear(pr_stops_t *s);
/* Does the last of ids [n] complete a stop text? Asked after each token, so only the tail is decoded. */
bool pr_stops_hit(const pr_stops_t *s, const int32_t *ids, int n);

typedef struct pr_response {
    char *text; // [len] bytes of UTF-8, and a NUL after them
    size_t len;
    int n; // the first n ids make the text; a token that a stop text begins in counts when something of it is left
} pr_response_t;

/* Does what is generated after prompt [n] continue a text, or begin one (after nothing but special tokens)? */
bool pr_response_continues(const pr_tokenizer_t *t, const int32_t *prompt, int n);
/* The response in ids [n], which are without the end-of-text token: decoded without special tokens and cut before the
 * first stop text. continues: pr_response_continues of the prompt. Caller clears. Errors: those of decoding. */
pr_status_t pr_response_read(const pr_stops_t *s, bool continues, const int32_t *ids, int n, pr_response_t *out,
                             pr_error_t *err);
void pr_response_clear(pr_response_t *r);

#endif
