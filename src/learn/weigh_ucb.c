// SPDX-License-Identifier: BSD-3-Clause
/* Two more bandits over the arms of learn/weigh_bandit.h, which choose by an upper bound of what an arm pays.
 *
 * ucb1: UCB1 (Auer, Cesa-Bianchi and Fischer 2002), mean payment + c sqrt(ln t / n) of an arm played n of t times.
 *
 * linucb: LinUCB with an arm each its own line (Li, Chu, Langford and Schapire 2010), on the context of C-DynaOpt (Min et
 * al. 2024, arXiv 2403.13578), which takes Vowpal Wabbit: the weights, the last gains and 1. Their cost is 1 less the gain
 * of the first objective alone, which can only learn to raise that one; here an arm is paid the mean gain. Gains are in
 * units of their root mean square so far, so that the context is of one size whatever the scores' units.
 *
 * Both are paid as exp3_scaled unless `scaled` is false: bounds of the order of 1 need payments of the order of 1.
 *
 * State: the bandit's; ucb1: plays and sum of payments of each arm; linucb: the context in play, squares of gains and how
 * many, then an arm's inverse matrix and vector. */
#include "learn/weigh_bandit.h"
#include "parallel/inverse.h"

#include <math.h>
#include <string.h>

static double payment_of(pr_bandit_t b, const pr_weigh_in_t *in, double payment)
{
    return pr_option_bool(in->options, "scaled") ? pr_bandit_scaled(b, payment) : payment;
}

#define UCB_OPTIONS(c_help)                                                                                            \
    PR_BANDIT_OPTIONS, {.key = "c", .kind = PR_OPT_REAL, .dflt = "1", .min = 0, .max = 1e6, .help = c_help},           \
    {                                                                                                                  \
        .key = "scaled", .kind = PR_OPT_BOOL, .dflt = "true",                                                          \
        .help = "payments are brought to 0 to 1 by the quantiles of those before, as in exp3_scaled"                   \
    }

/* ---- UCB1 ---- */

static size_t ucb1_state(int k, const json_t *options)
{
    return pr_bandit_numbers(k, options, 2 * ((size_t)k + 1));
}

static int ucb1_choose(int arms, const double *plays, const double *sum, double c)
{
    double t = pr_vector_sum(arms, plays), most = -INFINITY;
    int best = 0;
    for (int a = 0; a < arms; a++) {
        double bound = plays[a] > 0 ? sum[a] / plays[a] + c * sqrt(log(t) / plays[a]) : INFINITY;
        if (bound > most) {
            most = bound;
            best = a;
        }
    }
    return best;
}

static void ucb1_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    pr_bandit_t b = pr_bandit_at(in, state);
    double gain[PR_MAX_OBJECTIVES], payment, *plays = b.rest, *sum = plays + b.arms;
    bool paid;
    if (pr_bandit_hears(b, in, gain, &paid, &payment)) {
        if (paid) {
            plays[(int)*b.arm] += 1;
            sum[(int)*b.arm] += payment_of(b, in, payment);
        }
        pr_bandit_play(b, in, ucb1_choose(b.arms, plays, sum, pr_option_real(in->options, "c")));
    }
    pr_bandit_lambda(b, lambda);
}

static const pr_option_t ucb1_options[] = {UCB_OPTIONS("how much an arm is worth that was played little"), {0}};

const pr_weigher_t pr_weigher_ucb1 = {
    .name = "ucb1",
    .formula = "the arms of exp3, chosen by mean payment + c sqrt(ln t / n), n times played of t",
    .help = "UCB1 (Auer et al. 2002) in DynaOpt's frame. Draws nothing by chance and learns faster than exp3 "
            "where arms always pay alike. What pays changes as the training goes on, and it forgets nothing.",
    .options = ucb1_options,
    .own = true,
    .validation = true,
    .state = ucb1_state,
    .begin = pr_bandit_begin,
    .weigh = ucb1_weigh};

/* ---- LinUCB ---- */

enum { MAX_CONTEXT = 2 * PR_MAX_OBJECTIVES + 1 };

typedef struct lin {
    int d;
    double *context; // [d] in which the arm in play was chosen
    double *squares; // [k] sums of squared gains, and [1] how many
    double *arm;     // each [d,d] inverse, [d] vector
} lin_t;

static size_t lin_state(int k, const json_t *options)
{
    size_t d = 2 * (size_t)k + 1;
    return pr_bandit_numbers(k, options, d + (size_t)k + 1 + ((size_t)k + 1) * (d * d + d));
}

static lin_t lin_at(pr_bandit_t b)
{
    lin_t l = {.d = 2 * b.k + 1, .context = b.rest};
    l.squares = l.context + l.d;
    l.arm = l.squares + b.k + 1;
    return l;
}

static double *inverse_of(lin_t l, int arm)
{
    return l.arm + (ptrdiff_t)arm * (l.d * l.d + l.d);
}

static double *vector_of(lin_t l, int arm)
{
    return inverse_of(l, arm) + (ptrdiff_t)l.d * l.d;
}

static void lin_begin(const pr_weigh_in_t *in, double *state)
{
    pr_bandit_begin(in, state);
    pr_bandit_t b = pr_bandit_at(in, state);
    lin_t l = lin_at(b);
    for (int a = 0; a < b.arms; a++)
        pr_inverse_begin(l.d, pr_option_real(in->options, "ridge"), inverse_of(l, a));
}

static void lin_learn(lin_t l, int arm, double payment)
{
    double y[MAX_CONTEXT], *vector = vector_of(l, arm);
    pr_inverse_add(l.d, inverse_of(l, arm), l.context, y);
    for (int i = 0; i < l.d; i++)
        vector[i] += payment * l.context[i];
}

static int lin_choose(lin_t l, int arms, double c)
{
    double most = -INFINITY;
    int best = 0;
    for (int a = 0; a < arms; a++) {
        double y[MAX_CONTEXT], mean = 0, spread = pr_inverse_times(l.d, inverse_of(l, a), l.context, y);
        for (int i = 0; i < l.d; i++)
            mean += y[i] * vector_of(l, a)[i];
        double bound = mean + c * sqrt(fmax(spread, 0));
        if (bound > most) {
            most = bound;
            best = a;
        }
    }
    return best;
}

static void lin_context(pr_bandit_t b, lin_t l, const double *gain, bool first)
{
    pr_bandit_lambda(b, l.context);
    if (!first) // which has nothing to gain from
        l.squares[b.k] += 1;
    for (int i = 0; i < b.k; i++) {
        l.squares[i] += gain[i] * gain[i];
        double size = l.squares[b.k] > 0 ? sqrt(l.squares[i] / l.squares[b.k]) : 0;
        l.context[b.k + i] = size > 0 ? gain[i] / size : 0;
    }
    l.context[2 * b.k] = 1;
}

static void linucb_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    pr_bandit_t b = pr_bandit_at(in, state);
    lin_t l = lin_at(b);
    double gain[PR_MAX_OBJECTIVES], payment;
    bool first = !(b.n[0] > 0), paid;
    if (pr_bandit_hears(b, in, gain, &paid, &payment)) {
        if (paid)
            lin_learn(l, (int)*b.arm, payment_of(b, in, payment));
        lin_context(b, l, gain, first);
        pr_bandit_play(b, in, lin_choose(l, b.arms, pr_option_real(in->options, "c")));
    }
    pr_bandit_lambda(b, lambda);
}

static const pr_option_t linucb_options[] = {
    UCB_OPTIONS("how much an arm is worth of which little is known in such a context"),
    {.key = "ridge", .kind = PR_OPT_REAL, .dflt = "1", .min = 1e-6, .max = 1e6, .help = "pulls the lines towards 0"},
    {0}};

const pr_weigher_t pr_weigher_linucb = {
    .name = "linucb",
    .formula = "the arms of exp3, chosen by theta_a x + c sqrt(x' A_a^-1 x), x the weights, the last gains and 1; "
               "theta_a the ridge fit of what arm a paid",
    .help = "C-DynaOpt (Min et al. 2024) with LinUCB, paid the mean gain where its code pays the first "
            "objective's. Where what pays depends on where the training stands. It has 2 K + 1 numbers to learn "
            "per arm, from one validation each.",
    .options = linucb_options,
    .own = true,
    .validation = true,
    .state = lin_state,
    .begin = lin_begin,
    .weigh = linucb_weigh};
