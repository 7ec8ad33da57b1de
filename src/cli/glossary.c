// SPDX-License-Identifier: BSD-3-Clause
#include "cli/glossary.h"

#include <stddef.h>

const pr_indicator_help_t pr_indicator_helps[] = {
    {"hypervolume",
     "How much of the space between the reference point and the front is dominated. Larger is better; no front that is "
     "dominated by another has more. It depends on the reference point, so that only those of one reference point "
     "compare "
     "(Zitzler & Thiele 1998).",
     "volume of { x : reference <= x <= a for a point a of the set }, objectives turned so that larger is better"},
    {"on_front",
     "How probable it is that a point is non-dominated in its search, were the prompts others: the share of the "
     "resamples of "
     "the prompts in which it is.",
     "resamples in which it is on the front / resamples"},
    {"cardinality", "How many distinct points are non-dominated.", "|front|"},
    {"expected_utility",
     "What somebody gets on average who weighs the objectives linearly and takes the best point for these weights. "
     "Larger is "
     "better (EUM; Zintgraf et al. 2015).",
     "mean over weights w of max_a w.a"},
    {"maximum_utility_loss",
     "What such a person loses at most by choosing from this set and not from the reference front. Smaller is better "
     "(MUL; "
     "Zintgraf et al. 2015).",
     "max over weights w of (max_r w.r - max_a w.a), r of the reference front"},
    {"r2",
     "How far the set stays from the ideal point for somebody who looks at the worst weighted objective. Smaller is "
     "better "
     "(Hansen & Jaszkiewicz 1998).",
     "mean over weights w of min_a max_k w_k (ideal_k - a_k)"},
    {"epsilon_additive",
     "How much has to be added to every objective of the set for it to cover the reference front. Smaller is better, 0 "
     "covers "
     "it (Zitzler et al. 2003).",
     "max_r min_a max_k (r_k - a_k)"},
    {"epsilon_multiplicative", "The same as a factor; of objectives that have one sign (Zitzler et al. 2003).",
     "max_r min_a max_k r_k / a_k"},
    {"gd",
     "Generational distance: how far the set's points are from the reference front. Smaller is better; few points that "
     "are good "
     "suffice (Van Veldhuizen & Lamont 1998).",
     "(mean over a of min_r d(a, r)^p)^(1/p)"},
    {"igd",
     "Inverted generational distance: how far the reference front's points are from the set. Smaller is better (Coello "
     "Coello & "
     "Reyes Sierra 2004).",
     "(mean over r of min_a d(a, r)^p)^(1/p)"},
    {"gd_plus", "As gd, counting only what a point lacks (Ishibuchi et al. 2015).",
     "mean over a of min_r |max(r - a, 0)|"},
    {"igd_plus",
     "As igd, counting only what the set lacks, so that no set is better for being worse in an objective. Smaller is "
     "better "
     "(Ishibuchi et al. 2015).",
     "mean over r of min_a |max(r - a, 0)|"},
    {"average_hausdorff", "The larger of gd and igd. Smaller is better (Schuetze et al. 2012).", "max(gd, igd)"},
    {"spacing",
     "How evenly the front's points lie: the standard deviation of the distances to the nearest neighbour. Smaller is "
     "more even "
     "(Schott 1995).",
     "sqrt(sum_i (mean - d_i)^2 / (n - 1)), d_i the least L1 distance to another point"},
    {"sparsity",
     "How large the gaps along each objective are. Smaller is denser; a single point has 0 (Xu et al. 2020).",
     "sum_k sum_i (s_k(i) - s_k(i+1))^2 / (n - 1), s_k the values of objective k in order"},
    {"controllability",
     "Per objective: does turning its weight up turn it up? 1: always; 0: as often as not; -1: the wrong way round "
     "(Kendall's "
     "tau of weight and objective over the points of a search).",
     "(concordant - discordant pairs) / sqrt(pairs not tied in weight x pairs not tied in objective)"},
    {NULL, NULL, NULL},
};
