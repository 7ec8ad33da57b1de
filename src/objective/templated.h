// SPDX-License-Identifier: BSD-3-Clause
/* From texts to the token sequences that a head scores at their last token: a template of prompt and response, cut to a
 * length. What fits a head and what scores with it must do it alike, so that a head's file says how. */
#ifndef PR_OBJECTIVE_TEMPLATED_H
#define PR_OBJECTIVE_TEMPLATED_H

#include "base/json.h"
#include "objective/packed.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>

typedef struct pr_templated {
    char *template;    // {prompt} and {response} stand for the sample's
    bool special;      // the tokenizer adds what its template says
    bool keep_end;     // a too long text loses its start
    bool trim;         // the response loses the white space at its ends
    size_t max_tokens; // at least 1; pr_templated_fit bounds it
} pr_templated_t;

/* Cuts max_tokens (0: no limit) to the model's longest sequence. */
void pr_templated_fit(pr_templated_t *t, const pr_model_config_t *c);
/* Adds the sequence of a prompt and a response [response_len]; with a NULL prompt the response is the whole text,
 * without a template. Padding at its end is left out; a text without any token becomes a single end-of-text token.
 * Errors: those of the tokenizer. */
pr_status_t pr_templated_add(const pr_templated_t *t, const pr_tokenizer_t *tokenizer, const pr_model_config_t *c,
                             const char *prompt, const char *response, size_t response_len, pr_packed_t *out,
                             pr_error_t *err);

/* PR_ERR_FORMAT, naming the token, when the sequence of a prompt and a response (as above) has one that the model has
 * no embedding of. Nothing is read where the tokenizer has no more tokens than the model. */
pr_status_t pr_templated_check(const pr_templated_t *t, const pr_tokenizer_t *tokenizer, const pr_model_config_t *c,
                               const char *prompt, const char *response, size_t response_len, pr_error_t *err);

/* Has a template the response in it, and no placeholder ("{word}") but {prompt} and {response}? Errors: PR_ERR_CONFIG. */
pr_status_t pr_templated_check_template(const char *template, pr_error_t *err);
/* The settings "template", "max_tokens", "truncate", "special_tokens" and "trim" of resolved options (a key may be
 * absent), else of a head's metadata (texts; may be NULL), else their defaults. A setting that both have and that
 * differs is an error. The template is allocated; cleared with pr_templated_clear. where: a head's file, for messages.
 * Errors: PR_ERR_CONFIG, PR_ERR_FORMAT (a file's setting that makes no sense). */
pr_status_t pr_templated_read(const json_t *options, const json_t *metadata, const char *where, pr_templated_t *out,
                              pr_error_t *err);
/* The settings as a head's metadata. New reference. */
json_t *pr_templated_metadata(const pr_templated_t *t);
void pr_templated_clear(pr_templated_t *t);

#endif
