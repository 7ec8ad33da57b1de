// SPDX-License-Identifier: BSD-3-Clause
/* The common core of low-rank changes (Core Space, arXiv 2509.17786): with U the left singular vectors of all parts'
 * left factors side by side, and V the right ones of all right factors one below the other, each part's change is
 * U M_k Vt with M_k = Ut D_k V, small and nothing lost. What a mix does element by element it does to the M_k, and U M Vt
 * is an adapter again. Signs of singular vectors do not matter; where singular values are equal the vectors are
 * arbitrary, and so is the merge. */
#ifndef PR_POLICY_CORE_SPACE_H
#define PR_POLICY_CORE_SPACE_H

#include "policy/mix.h"

/* Runs change, a mix's, on the cores. Errors: PR_ERR_NUMERIC (singular vectors that are not found), PR_ERR_MEMORY, those
 * of change. The caller frees the factors, also after an error. */
pr_status_t pr_core_space_factors(pr_status_t (*change)(const json_t *options, const pr_mix_map_t *m, float *w,
                                                        pr_error_t *err),
                                  const json_t *options, const pr_mix_map_t *m, pr_mix_factors_t *out, pr_error_t *err);
/* Do the options say space = "core"? */
bool pr_core_space_chosen(const json_t *options);
/* For a mix's `kind`: dense, or in the core an adapter. */
pr_mix_kind_t pr_core_space_kind(const json_t *options);

#endif
