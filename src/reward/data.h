// SPDX-License-Identifier: BSD-3-Clause
/* What reward heads are fitted on: JSON lines, all of one kind; other members and blank lines are passed over.
 *
 *   labels   {"text": TEXT, "label": NUMBER}  or  {"prompt": TEXT, "response": TEXT, "label": NUMBER}; a label may also
 *            be true or false, which is 1 or 0
 *   pairs    {"prompt": TEXT, "chosen": TEXT, "rejected": TEXT, "margin": NUMBER}; a prompt may be left out, and so may
 * the margin by which the chosen one is to lead: 0 then */
#ifndef PR_REWARD_DATA_H
#define PR_REWARD_DATA_H

#include "base/error.h"
#include "base/json.h"
#include "model/config.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>

typedef struct pr_reward_item {
    char *prompt;   // NULL: the text is all there is
    char *text;     // the text, the response, or the chosen response
    char *rejected; // of a pair
    double label;   // or a pair's margin
} pr_reward_item_t;

typedef struct pr_reward_data {
    bool pairs;
    bool binary; // every label is 0 or 1
    int n;
    pr_reward_item_t *item;
} pr_reward_data_t;

/* There is at least one sample in the result. Caller frees. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (file:line: found,
 * expected). */
pr_status_t pr_reward_data_load(const char *path, pr_reward_data_t **out, pr_error_t *err);
void pr_reward_data_free(pr_reward_data_t **data);

/* Is sample i kept from the fit, to measure it by? A function of the sample's prompt (of the text where there is none)
 * and of the share alone, so that it depends on no order, and that samples of one prompt stay together. Local. */
bool pr_reward_data_held_out(const pr_reward_data_t *data, int i, double share);

/* Has the model embeddings for all tokens of the texts that a head will be fitted on, made with the settings of the
 * options (objective/templated.h)? PR_ERR_FORMAT names file, sample and token. */
pr_status_t pr_reward_data_check_tokens(const pr_reward_data_t *data, const char *file, const json_t *options,
                                        const pr_tokenizer_t *t, const pr_model_config_t *model, pr_error_t *err);

#endif
