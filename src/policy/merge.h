// SPDX-License-Identifier: BSD-3-Clause
/* What a mix that merges makes of a policy's parts: one adapter, run as `params` with weight 1, or a change of the
 * model's maps that is no adapter (model/delta.h), made map by map for who runs or writes it.
 *
 *   pr_merged_t *merged;
 *   PR_TRY(pr_merge(mix, options, &parts, &merged, err));
 *   if (pr_merged_adapter(merged)) ... else pr_model_with_delta(m, la, pr_merged_delta(merged), &changed, err);
 *   pr_merged_free(&merged);
 *
 * The order of the parts changes nothing, and a part of weight 0 is as if it were not there. A part alone is itself, to
 * the last digit, where the mix says so. Every rank of a team makes the same, whole. */
#ifndef PR_POLICY_MERGE_H
#define PR_POLICY_MERGE_H

#include "model/delta.h"
#include "policy/mix.h"

typedef struct pr_merged pr_merged_t;

/* mix does not run its parts, with these options, which are resolved (borrowed, as the parts' adapters are, until the
 * result is freed). Collective on the parts' team. Errors: those of pr_mix_check, of merge and factors. */
pr_status_t pr_merge(const pr_mix_t *mix, const json_t *options, const pr_mix_parts_t *parts, pr_merged_t **out,
                     pr_error_t *err);
/* Borrowed; NULL where it is none. */
const pr_adapter_t *pr_merged_adapter(const pr_merged_t *m);
/* The adapter, which is the caller's from here on. */
pr_adapter_t *pr_merged_take_adapter(pr_merged_t *m);
/* Borrowed; NULL where it is an adapter. */
const pr_delta_t *pr_merged_delta(const pr_merged_t *m);
/* Frees these adapters [n] with it. */
void pr_merged_own(pr_merged_t *m, pr_adapter_t **adapter, int n);
void pr_merged_free(pr_merged_t **m);
/* The hash of what an adapter does: its ranks, scales and numbers. */
void pr_merge_identity(const pr_adapter_t *a, char out[PR_HASH_HEX]);

#endif
