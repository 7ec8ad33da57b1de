// SPDX-License-Identifier: BSD-3-Clause
/* A policy of a sweep, to be used outside of its jobs: a point's, as its evaluation was told it, by what the journal
 * says; or that of any weights.
 *
 *   pr_taken_t t;
 *   pr_take(config, &(pr_take_wish_t){.point = "0a97"}, &t, err);
 *   ... t.spec, t.part[i].dir, pr_taken_adapter(config, &t, &model, &adapter, err) ...
 *   pr_taken_clear(&t); */
#ifndef PR_SWEEPS_TAKE_H
#define PR_SWEEPS_TAKE_H

#include "config/config.h"
#include "model/adapter.h"
#include "policy/merge.h"
#include "policy/spec.h"

#define PR_TAKE_BASE "base" // the search of the rows of the base model and of the experts alone

/* What is asked for. Texts and numbers are borrowed. */
typedef struct pr_take_wish {
    const char *point;         // an id of cells.csv, or what only one of them begins with; NULL: by weights
    int n_weights;             // of them, one per objective
    int n_rows;                // rows of them, one per block of layers; 0 counts as 1
    const double *weights;     // [n_rows,n_weights]; below 0 only with a mix
    const char *search;        // by weights: of this search alone; NULL: of whichever it is
    const pr_mix_t *mix;       // by weights: of the experts under this mix; NULL: as a search of the sweep has it
    const json_t *mix_options; // of it; NULL: as the configuration says
    int64_t seed;              // of the experts; below 0: the first of the sweep's
} pr_take_wish_t;

/* One adapter of a policy: the directory that holds it, and what people call it. */
typedef struct pr_taken_part {
    char *dir, *name;
} pr_taken_part_t;

typedef struct pr_taken {
    char point[PR_HASH_HEX]; // the point that it is; "": weights that are none
    char *search;            // that evaluated it, or would; "" where a mix was asked for
    const char *method;      // of that search; NULL: not known
    int64_t seed;            // of the experts
    pr_policy_spec_t spec;   // its parts by their content
    pr_taken_part_t part[PR_MAX_PARTS];
    json_t *about; // what is known of it: pr_taken_about
} pr_taken_t;

/* Every adapter is compared with what its job wrote, by the journal. Of weights that are no point the nearest one is
 * told (base/log.h). The caller clears *out, also after an error. Errors: PR_ERR_NOT_FOUND (no such point; an adapter
 * that is not there), PR_ERR_USAGE (several points, or several searches that make different policies of the weights;
 * weights that do not fit), PR_ERR_FORMAT (a table or an adapter that is not what was written). */
pr_status_t pr_take(const pr_config_t *c, const pr_take_wish_t *wish, pr_taken_t *out, pr_error_t *err);
/* Of several points, out [n], each to be cleared, also after an error: the journal and the table are read once. Errors:
 * those of pr_take. */
pr_status_t pr_take_points(const pr_config_t *c, size_t n, const char *const *wanted, pr_taken_t *out, pr_error_t *err);
void pr_taken_clear(pr_taken_t *t);

/* What becomes of its parts: one adapter, exactly, by its mix, or as one part of weight 1 is alone; other weights of the
 * model's maps; or they are run. */
pr_mix_kind_t pr_taken_kind(const pr_taken_t *t);
bool pr_taken_is_one_adapter(const pr_taken_t *t);
/* That adapter, of at least one part: parts summed by concatenating their ranks, or what the mix merges them into, which
 * may load the model and the training prompts. Caller frees. Errors: those of reading and merging. */
pr_status_t pr_taken_adapter(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model,
                             pr_adapter_t **out, pr_error_t *err);
/* What a mix that merges makes of its parts; model must outlive it. Caller frees. Errors: as above. */
pr_status_t pr_taken_merged(const pr_config_t *c, const pr_taken_t *t, const pr_model_config_t *model,
                            pr_merged_t **out, pr_error_t *err);

/* Where it comes from, in the order in which people read it: {"sweep", "point", "search", "seed", "method", "mix",
 * "mix_options", "parts": [{"name", "coefficient", "job" or "adapter"}], "weights", "mean", "se": {objective: number},
 * "prompts", "base_model", "base_model_hash", "evaluated_by", "taken_by": versions}; what is not known is left out.
 * Borrowed. */
const json_t *pr_taken_about(const pr_taken_t *t);

#endif
