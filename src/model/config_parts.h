// SPDX-License-Identifier: BSD-3-Clause
/* Within the reader of config.json: its parts and what they share. */
#ifndef PR_MODEL_CONFIG_PARTS_H
#define PR_MODEL_CONFIG_PARTS_H

#include "base/json.h"
#include "model/config.h"

typedef struct pr_config_source {
    const json_t *root;
    const char *path; // for messages
} pr_config_source_t;

/* An integer within [1, max]; dflt when the key is missing or null, and 0 as default says that it must be there. */
pr_status_t pr_config_size(const pr_config_source_t *s, const char *key, int dflt, int max, int *out, pr_error_t *err);
/* pr_json_unsupported with the source's path. */
pr_status_t pr_config_unsupported(const pr_config_source_t *s, const char *key, const json_t *value,
                                  const char *expected, pr_error_t *err);
/* rope_theta, rope_scaling (transformers 4) and rope_parameters (transformers 5). */
pr_status_t pr_config_read_rope(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err);
/* sliding_window, use_sliding_window, max_window_layers, layer_types. */
pr_status_t pr_config_read_window(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err);
/* bos, pad, end-of-text tokens; generation may be NULL. */
pr_status_t pr_config_read_tokens(const pr_config_source_t *s, const pr_config_source_t *generation,
                                  pr_model_config_t *c, pr_error_t *err);

#endif
