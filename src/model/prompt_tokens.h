// SPDX-License-Identifier: BSD-3-Clause
/* Prompts as a model reads them. What is wrong with one is found here, by plan and by every rank before its first job,
 * and is told of the file and the prompt. */
#ifndef PR_MODEL_PROMPT_TOKENS_H
#define PR_MODEL_PROMPT_TOKENS_H

#include "base/json.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

/* One file's prompts; set up with the first six. */
typedef struct pr_prompt_reader {
    const pr_tokenizer_t *tokenizer;
    const pr_model_config_t *model;
    const char *file;
    int new_tokens; // that must fit after a prompt
    int n;          // all prompts of the file, for the largest number that would fit
    const char *const *text;
    bool chat; // texts bring their special tokens, of which the tokenizer adds none
    /* Prompts that begin with the token that the tokenizer puts before every text itself: how many, and the first of
     * them, counted from 1. */
    int n_doubled, first_doubled;
} pr_prompt_reader_t;

/* Tokens of the i-th prompt (from 0); id may be NULL. Caller frees *ids. Errors: those of the tokenizer, PR_ERR_FORMAT
 * (no token, too many, one that the model has no embedding of). */
pr_status_t pr_prompt_tokens(pr_prompt_reader_t *r, int i, const char *id, const char *text, int32_t **ids, size_t *n,
                             pr_error_t *err);
/* A warning of the prompts whose first token is there twice, where there are any. */
void pr_prompt_tell(const pr_prompt_reader_t *r);

#endif
