// SPDX-License-Identifier: BSD-3-Clause
/* RAM and RAM+, as mergekit has them (for the sparse changes of reinforcement learning): an element that one expert alone
 * changes stays that expert's, one that several change is their mean. RAM+ makes an expert's own elements larger,
 * the more of its elements it shares. Weights only say who takes part. */
#ifndef PR_POLICY_RAM_H
#define PR_POLICY_RAM_H

#include "policy/mix.h"

#define PR_MIX_RAM_EPSILON                                                                                             \
    {                                                                                                                  \
        .key = "epsilon", .kind = PR_OPT_REAL, .dflt = "", .min = 0, .max = 1e6,                                       \
        .help = "An element whose change is not larger is not changed. Default: 0.001 times the root mean square of "  \
                "the part's change of the tensor."                                                                     \
    }

/* own: 1 + r min(shared / alone, alpha) times a part's own elements; r = 0: they stay. Errors: PR_ERR_MEMORY. */
pr_status_t pr_ram_change(const json_t *options, double r, double alpha, const pr_mix_map_t *m, float *w,
                          pr_error_t *err);
/* For a mix's `mergekit`: NULL without an epsilon, as its threshold is no share of the tensor's size. New reference. */
json_t *pr_ram_mergekit(const char *method, const json_t *options);

#endif
