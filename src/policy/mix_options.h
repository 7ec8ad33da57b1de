// SPDX-License-Identifier: BSD-3-Clause
/* Options that several mixes have, as rows of their tables. */
#ifndef PR_POLICY_MIX_OPTIONS_H
#define PR_POLICY_MIX_OPTIONS_H

#include "policy/mix.h"
#include "policy/spec.h"

#include <limits.h>

enum { PR_MIX_MOST_LAMBDA = 100 };

#define PR_MIX_BLOCKS                                                                                                  \
    {                                                                                                                  \
        .key = "blocks", .kind = PR_OPT_INT, .dflt = "1", .min = 1, .max = PR_MAX_BLOCKS,                              \
        .incidental = true, /* the coefficients say it */                                                              \
            .help = "Blocks of layers with weights of their own: a point then has a row of weights per block, which "  \
                    "a search chooses (auto, random, list)."                                                           \
    }
#define PR_MIX_DENSITY                                                                                                 \
    {                                                                                                                  \
        .key = "density", .kind = PR_OPT_REAL, .dflt = "1.0", .min = 0, .max = 1,                                      \
        .help = "The share of each part's elements that is kept; 1: all, 0: none, which is the base model."            \
    }
#define PR_MIX_LAMBDA                                                                                                  \
    {                                                                                                                  \
        .key = "lambda", .kind = PR_OPT_REAL, .dflt = "1.0", .min = -PR_MIX_MOST_LAMBDA, .max = PR_MIX_MOST_LAMBDA,    \
        .help = "What the merged change is multiplied by, last."                                                       \
    }
#define PR_MIX_NORMALIZE(otherwise)                                                                                    \
    {                                                                                                                  \
        .key = "normalize", .kind = PR_OPT_BOOL, .dflt = otherwise,                                                    \
        .help = "Divide by the sum of the weights of those that are added. Not with negative weights."                 \
    }
#define PR_MIX_SEED                                                                                                    \
    {                                                                                                                  \
        .key = "seed", .kind = PR_OPT_INT, .dflt = "0", .min = 0, .max = INT_MAX,                                      \
        .help = "Of the random choice, which depends on it, the adapter's content, the tensor's name and the element " \
                "alone: all weights share it."                                                                         \
    }
#define PR_MIX_RESCALE                                                                                                 \
    {                                                                                                                  \
        .key = "rescale", .kind = PR_OPT_BOOL, .dflt = "true",                                                         \
        .help = "Divide what is kept by its chance of being kept, so that the mean over seeds is the whole."           \
    }
#define PR_MIX_EPSILON                                                                                                 \
    {                                                                                                                  \
        .key = "epsilon", .kind = PR_OPT_REAL, .dflt = "", .min = 0, .max = 0.5,                                       \
        .help = "The chance rises from density - epsilon for the smallest element of a row to density + epsilon for "  \
                "the largest. Default: 0.15, or as much as fits."                                                      \
    }
#define PR_MIX_GAMMA                                                                                                   \
    {                                                                                                                  \
        .key = "gamma", .kind = PR_OPT_REAL, .dflt = "0.01", .min = 0, .max = 1,                                       \
        .help = "The share of the largest elements that is left out, as far as density leaves room."                   \
    }
#define PR_MIX_SPACE_CORE                                                                                              \
    {                                                                                                                  \
        .key = "space", .kind = PR_OPT_STRING, .dflt = "\"deltas\"", .choices = "deltas|core",                         \
        .help = "deltas: what adapters add to a weight, element by element; core: the small matrices that hold the "   \
                "same in the parts' common singular vectors, whose merge is one adapter again."                        \
    }
#define PR_MIX_SPACE_WEIGHTS                                                                                           \
    {                                                                                                                  \
        .key = "space", .kind = PR_OPT_STRING, .dflt = "\"deltas\"", .choices = "deltas|weights",                      \
        .help = "deltas: between what adapters add to a weight, which is one adapter; weights: between the whole "     \
                "weights."                                                                                             \
    }

/* For a mix's `blocks`, of a table with PR_MIX_BLOCKS. */
static inline int pr_mix_option_blocks(const json_t *options)
{
    return pr_option_int(options, "blocks");
}
/* For a mix's `kind`: always dense. */
static inline pr_mix_kind_t pr_mix_kind_dense(const json_t *options)
{
    (void)options;
    return PR_MIX_DENSE;
}

#endif
