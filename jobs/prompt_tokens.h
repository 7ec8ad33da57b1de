/* Prompts as a model reads them. What is wrong with one is found here, by plan and by every rank before its first job,
 * and is told of the file and the prompt. */
#ifndef PR_JOBS_PROMPT_TOKENS_H
#define PR_JOBS_PROMPT_TOKENS_H

#include "base/json.h"
#include "learn/reward_data.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

/* One file's prompts; set up with the first four. */
typedef struct pr_prompt_reader {
    const pr_tokenizer_t *tokenizer;
    const pr_model_config_t *model;
    const char *file;
    int new_tokens; // that must fit after a prompt
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

/* Has the model embeddings for all tokens of the texts that a head will be fitted on, made with the settings of the
 * options (objective/templated.h)? PR_ERR_FORMAT names file, sample and token. */
pr_status_t pr_reward_data_check_tokens(const pr_reward_data_t *data, const char *file, const json_t *options,
                                        const pr_tokenizer_t *t, const pr_model_config_t *model, pr_error_t *err);

#endif
