// SPDX-License-Identifier: BSD-3-Clause
/* Mixes that leave out elements of the parts' changes before they are added: of each part by its own magnitudes or by
 * chance, then the weighted sum, of all that is left or of what has the elected sign.
 *
 *   x_k = w_k kept(D_k);  y = sum x_k, or over those k whose x_k has the sign of the sum;  lambda y, or lambda y / q
 *
 * with q the sum of w_k over those added (1 where it is 0). What is kept, and what it is multiplied by, does not depend
 * on the weights: points of a sweep share it. Of d n elements a whole number is kept, rounded down, and at least one by
 * `ties`. */
#ifndef PR_POLICY_PRUNE_H
#define PR_POLICY_PRUNE_H

#include "policy/core_space.h"
#include "policy/mix.h"

typedef enum {
    PR_PRUNE_SMALL,  // the largest are kept (Yadav et al. 2023, TIES)
    PR_PRUNE_CHANCE, // each with the same chance (Yu et al. 2024, DARE)
    PR_PRUNE_RANKED, // larger ones of a row with a larger chance (Deep et al. 2024, DELLA)
    PR_PRUNE_ENDS    // the smallest and a few of the largest go (Davari and Belilovsky 2024, Model Breadcrumbs)
} pr_prune_kind_t;

typedef struct pr_prune {
    pr_prune_kind_t kind;
    bool elect, normalize, rescale;
    double density, epsilon, gamma, lambda;
    uint64_t seed;
} pr_prune_t;

/* Of a mix's resolved options. */
pr_prune_t pr_prune_read(pr_prune_kind_t kind, bool elect, const json_t *options);
/* Errors: PR_ERR_CONFIG (epsilon beside density; a negative weight with normalize). */
pr_status_t pr_prune_check(const pr_prune_t *p, int n, const double *w, pr_error_t *err);
/* A part alone at density 1 is itself, times *scale. */
bool pr_prune_alone(const pr_prune_t *p, double w, double *scale);
/* Where one part alone has an element it stays whole, however small its weight, until that is 0. */
bool pr_prune_jumps(const pr_prune_t *p);
/* w [rows,cols] += the merged change. Errors: PR_ERR_MEMORY. */
pr_status_t pr_prune_change(const pr_prune_t *p, const pr_mix_map_t *m, float *w, pr_error_t *err);

/* For a mix's `mergekit`, where mergekit has a method of this name that keeps the same: density, and gamma where the
 * options have it. New reference. */
json_t *pr_prune_mergekit(const char *method, const json_t *options);

/* The functions of a pr_mix_t of that kind. */
#define PR_PRUNE_FUNCTIONS(name, kind_of, elects)                                                                      \
    static pr_status_t name##_check(const json_t *o, int n, const double *w, pr_error_t *err)                          \
    {                                                                                                                  \
        pr_prune_t p = pr_prune_read(kind_of, elects, o);                                                              \
        return pr_prune_check(&p, n, w, err);                                                                          \
    }                                                                                                                  \
    static bool name##_alone(const json_t *o, double w, double *scale)                                                 \
    {                                                                                                                  \
        pr_prune_t p = pr_prune_read(kind_of, elects, o);                                                              \
        return pr_prune_alone(&p, w, scale);                                                                           \
    }                                                                                                                  \
    static bool name##_jumps(const json_t *o)                                                                          \
    {                                                                                                                  \
        pr_prune_t p = pr_prune_read(kind_of, elects, o);                                                              \
        return pr_prune_jumps(&p);                                                                                     \
    }                                                                                                                  \
    static pr_status_t name##_change(const json_t *o, const pr_mix_map_t *m, float *w, pr_error_t *err)                \
    {                                                                                                                  \
        pr_prune_t p = pr_prune_read(kind_of, elects, o);                                                              \
        return pr_prune_change(&p, m, w, err);                                                                         \
    }

#endif
