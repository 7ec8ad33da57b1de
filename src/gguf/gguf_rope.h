// SPDX-License-Identifier: BSD-3-Clause
/* Rotary positions of a GGUF file. */
#ifndef PR_GGUF_GGUF_ROPE_H
#define PR_GGUF_GGUF_ROPE_H

#include "gguf/gguf_model.h"

/* Fills theta, linear and what llama3 says. Errors: PR_ERR_UNSUPPORTED (a scaling that config.json cannot say). */
pr_status_t pr_gguf_rope_read(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err);
/* rope_scaling of config.json; null for none. New reference. */
json_t *pr_gguf_rope_config(const pr_gguf_model_t *m);
/* The number of the fewest digits that is the same in float, which is how files store it: 1e-05 for 9.99999975e-06. A
 * number that is no float stays. */
double pr_gguf_decimal(double x);

#endif
