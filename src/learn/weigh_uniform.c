// SPDX-License-Identifier: BSD-3-Clause
/* What a rule has to beat: equal weights, and one objective after the other (both are baselines in DynaOpt, Min et al.
 * 2024, arXiv 2403.13578). */
#include "learn/weigh_internal.h"

static void uniform_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    (void)state;
    pr_vector_fill(in->k, 1.0 / in->k, lambda);
}

static const pr_option_t uniform_options[] = {{0}};

const pr_weigher_t pr_weigher_uniform = {
    .name = "uniform",
    .formula = "lambda = 1 / (number of objectives)",
    .help = "Equal weights whatever the preference: one training, the baseline of the rules that find weights "
            "themselves.",
    .options = uniform_options,
    .own = true,
    .weigh = uniform_weigh};

static void round_robin_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    (void)state;
    pr_vector_fill(in->k, 0, lambda);
    lambda[in->step / pr_option_int(in->options, "turn") % in->k] = 1;
}

static const pr_option_t round_robin_options[] = {
    {.key = "turn",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = 1e6,
     .help = "steps of one objective before the next; for one round, as in DynaOpt's baseline, the steps of the "
             "training over the number of objectives"},
    {0}};

const pr_weigher_t pr_weigher_round_robin = {
    .name = "round_robin",
    .formula = "lambda = 1 for objective (step / turn) modulo their number, 0 for the others",
    .help = "One objective after the other. Long turns forget what the turns before learned, and the last one "
            "decides.",
    .options = round_robin_options,
    .own = true,
    .weigh = round_robin_weigh};
