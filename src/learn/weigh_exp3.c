// SPDX-License-Identifier: BSD-3-Clause
/* DynaOpt (Min et al. 2024, arXiv 2403.13578): Exp3 (Auer, Cesa-Bianchi, Freund and Schapire 2002) over the arms of
 * learn/weigh_bandit.h. Arm a is drawn with p_a = (1 - gamma) u_a / sum u + gamma / (K + 1), and once it is paid,
 * u_a *= exp(gamma payment / ((K + 1) p_a)).
 *
 * exp3 has the authors' payment, the mean gain itself: with gains of some hundredths its chances stay nearly even for
 * hundreds of validations. exp3_scaled has what their code defines and does not use, the gain's place between the 20 % and
 * the 80 % quantile of those before it.
 *
 * State: the bandit's, and log u. */
#include "learn/weigh_bandit.h"

static size_t state_numbers(int k, const json_t *options)
{
    return pr_bandit_numbers(k, options, (size_t)k + 1);
}

static int draw(const pr_weigh_in_t *in, int n, const double *p)
{
    double left = pr_rng_uniform(in->key, (uint64_t)in->step, 0, 0, 0);
    for (int i = 0; i < n - 1; i++) {
        left -= p[i];
        if (left <= 0)
            return i;
    }
    return n - 1;
}

static void weigh(const pr_weigh_in_t *in, double *state, double *lambda, bool scaled)
{
    pr_bandit_t b = pr_bandit_at(in, state);
    double gain[PR_MAX_OBJECTIVES], p[PR_MAX_ARMS], payment;
    double gamma = pr_option_real(in->options, "gamma");
    bool paid;
    if (pr_bandit_hears(b, in, gain, &paid, &payment)) {
        if (paid)
            pr_exp3_pay(b.arms, b.rest, gamma, (int)*b.arm, scaled ? pr_bandit_scaled(b, payment) : payment);
        pr_exp3_chances(b.arms, b.rest, gamma, p);
        pr_bandit_play(b, in, draw(in, b.arms, p));
    }
    pr_bandit_lambda(b, lambda);
}

static void plain_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    weigh(in, state, lambda, false);
}

static void scaled_weigh(const pr_weigh_in_t *in, double *state, double *lambda)
{
    weigh(in, state, lambda, true);
}

static const pr_option_t options[] = {PR_BANDIT_OPTIONS, {0}};

const pr_weigher_t pr_weigher_exp3 = {
    .name = "exp3",
    .formula = "Exp3 over K + 1 arms, one per objective to raise its weight and one to leave all; paid the mean gain "
               "on the validation prompts",
    .help = "DynaOpt (Min et al. 2024), with the authors' constants. For weights without a preference. It barely "
            "learns: with gains of a few hundredths the chances stay nearly even for a hundred validations, and "
            "the weights are a random walk.",
    .options = options,
    .own = true,
    .validation = true,
    .state = state_numbers,
    .begin = pr_bandit_begin,
    .weigh = plain_weigh};

const pr_weigher_t pr_weigher_exp3_scaled = {
    .name = "exp3_scaled",
    .formula = "exp3, paid by where the gain lies between the 20 % and the 80 % quantile of the last 100",
    .help = "DynaOpt with gains brought to 0 to 1, as its code prepares and does not do. Learns within a hundred "
            "validations, whatever the scores' units. Late in training, when nothing gains, it ranks noise.",
    .options = options,
    .own = true,
    .validation = true,
    .state = state_numbers,
    .begin = pr_bandit_begin,
    .weigh = scaled_weigh};
