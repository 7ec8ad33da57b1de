// SPDX-License-Identifier: BSD-3-Clause
/* Of inputs.c and inputs_jobs.c. */
#ifndef PR_SWEEPS_INPUTS_INTERNAL_H
#define PR_SWEEPS_INPUTS_INTERNAL_H

#include "sweeps/inputs.h"

/* The texts that end a response, a JSON array. New reference. */
json_t *pr_inputs_stop(const pr_config_t *c);

#endif
