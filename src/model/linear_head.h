// SPDX-License-Identifier: BSD-3-Clause
/* A linear reward head on a base model's last hidden state: score = w.h + b, h the state after the final norm at the
 * text's last token. The file is safetensors:
 *
 *   weight [1,d], bias [1]   F32
 *   __metadata__             "template", "max_tokens", "truncate", "special_tokens", "trim": how a text is made of a
 *                            prompt and a response, as texts, and is needed to score as it was fitted; "kind": "labels"
 *                            or "pairs"; "about": JSON text, what it was fitted on and what came of it, for people */
#ifndef PR_MODEL_LINEAR_HEAD_H
#define PR_MODEL_LINEAR_HEAD_H

#include "base/error.h"
#include "base/json.h"

typedef struct pr_linear_head {
    int d;
    float *weight; // [d]
    float bias;
    json_t *metadata; // of the file
} pr_linear_head_t;

/* Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (another shape, numbers that are not finite). */
pr_status_t pr_linear_head_read(const char *path, pr_linear_head_t **out, pr_error_t *err);
/* Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_linear_head_write(const char *path, const pr_linear_head_t *head, pr_error_t *err);
void pr_linear_head_free(pr_linear_head_t **head);
/* w.h + b in double. */
double pr_linear_head_score(const pr_linear_head_t *head, const float *h);

#endif
