// SPDX-License-Identifier: BSD-3-Clause
/* Cores: what a preference w does between the factors of a family of adapters, dW(w) = B S M(w) A (family.h). A core is one
 * file core_NAME.c and one word of PR_CORE_LIST; it is pure, and knows one linear map at a time.
 *
 * The ranks of a map stand in blocks, one per objective, and behind them those that all preferences share. What every
 * core begins as, or is for good, is the base: w_k on the ranks of block k, 1 on those that are shared. */
#ifndef PR_FAMILY_CORE_H
#define PR_FAMILY_CORE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/rng.h"
#include "option/option.h"

#include <stdbool.h>
#include <stddef.h>

/* One linear map as a core sees it. */
typedef struct pr_core_map {
    int k;                            // objectives
    int first[PR_MAX_OBJECTIVES + 2]; // first rank of each block, then of what is shared; last: ranks in all
    const json_t *options;            // the core's own, resolved
} pr_core_map_t;

static inline int pr_core_ranks(const pr_core_map_t *m)
{
    return m->first[m->k + 1];
}
/* What the base has on rank j, of 1, w_1 .. w_K: 0 where it is shared, else 1 + its block. */
int pr_core_term(const pr_core_map_t *m, int j);
/* Its value. */
double pr_core_base(const pr_core_map_t *m, int j, const double *w);

typedef struct pr_core {
    const char *name;
    const char *formula;        // one line
    const char *help;           // one sentence or two: whose it is, when to take it, when it fails
    const pr_option_t *options; // ends with a NULL key
    bool diagonal;              // M is: at() and pull() have its R numbers; else all [R,R]
    bool alike;                 // blocks of a new family begin with the same A, which is an expert's; else each its own
    /* Of a new family whose adapters would have r ranks: in each objective's block, and shared; module: the map's name.
     * NULL: r, all shared. */
    void (*ranks)(int r, const char *module, const json_t *options, int *block, int *shared);
    /* What B's entries are drawn with, as a standard deviation; NULL: B begins as 0, as an adapter's. */
    double (*spread)(const json_t *options);
    /* Numbers of its own per map; NULL: none, it is the base. */
    size_t (*numbers)(const pr_core_map_t *m);
    /* What they begin as. made: of experts, so that M(w) is the base, which every core can be; else of a new family, whose B
     * is 0 or whose M is. map: which of the model's maps, for the counters of random numbers. */
    void (*begin)(const pr_core_map_t *m, const pr_rng_key_t *key, uint64_t map, bool made, float *core);
    /* M(w). */
    void (*at)(const pr_core_map_t *m, const float *core, const double *w, double *out);
    /* dcore += what d, the derivative by M(w), says of the numbers. */
    void (*pull)(const pr_core_map_t *m, const float *core, const double *w, const double *d, float *dcore);
} pr_core_t;

/* The option of cores that begin a new family at random. */
#define PR_CORE_SPREAD(least, most, text)                                                                              \
    {                                                                                                                  \
        .key = "spread", .kind = PR_OPT_REAL, .dflt = "1.0", .min = least, .max = most, .help = text                   \
    }

/* Every core's word, in the order of help. */
#define PR_CORE_LIST(X) X(blocks) X(panacea) X(diagonal) X(mlp) X(full)
#define PR_CORE_DECLARE(name) extern const pr_core_t pr_core_##name;
PR_CORE_LIST(PR_CORE_DECLARE)
#undef PR_CORE_DECLARE

const pr_core_t *const *pr_cores(size_t *n);
/* The core of a value, its name or {"type": name, options}, with its options resolved, a new reference. Errors:
 * PR_ERR_CONFIG, naming the nearest. */
pr_status_t pr_core_resolve(const json_t *value, const pr_core_t **core, json_t **options, pr_error_t *err);

#endif
