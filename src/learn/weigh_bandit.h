// SPDX-License-Identifier: BSD-3-Clause
/* Internal: DynaOpt's frame (Min et al. 2024, arXiv 2403.13578), in which a bandit moves the weights. It has an arm per
 * objective, which raises that objective's weight, and one more that leaves all as they are. After each validation the arm
 * in play is paid what the scores have gained over those before, on average over objectives, and the next is played.
 *
 * Playing arm k < K raises its weight as Exp3 would for a reward of 1: v_k *= exp(gamma / (K p_k)), p_k = (1 - gamma) v_k /
 * sum v + gamma / K; lambda = v / sum v. Validations with a number that is not finite are passed over. */
#ifndef PR_LEARN_WEIGH_BANDIT_H
#define PR_LEARN_WEIGH_BANDIT_H

#include "learn/weigh_internal.h"

enum { PR_MAX_ARMS = PR_MAX_OBJECTIVES + 1 };

#define PR_BANDIT_OPTIONS                                                                                              \
    {.key = "every", .kind = PR_OPT_INT, .dflt = "10", .min = 1, .max = 1e6, .help = "steps between validations"},     \
        {.key = "gamma",                                                                                               \
         .kind = PR_OPT_REAL,                                                                                          \
         .dflt = "0.07",                                                                                               \
         .min = 1e-6,                                                                                                  \
         .max = 1,                                                                                                     \
         .help = "Exp3's share of even chances, and how far a play moves a weight"},                                   \
    {                                                                                                                  \
        .key = "history", .kind = PR_OPT_INT, .dflt = "1", .min = 1, .max = 64,                                        \
        .help = "how many earlier validations a gain is measured from; the authors' last 200 scores are one of theirs" \
    }

typedef struct pr_bandit {
    int k, arms;
    double *raised;  // [k] log v
    double *arm;     // the arm in play, or -1
    double *n;       // validations in history, at most the option; and gains kept, at most PR_GAINS
    double *history; // [option,k] the oldest first
    double *gains;   // [PR_GAINS] of which quantiles are taken, the oldest first
    double *rest;    // the rule's own
} pr_bandit_t;
enum { PR_GAINS = 100 };

/* Numbers of state, `rest` of them the rule's own. */
size_t pr_bandit_numbers(int k, const json_t *options, size_t rest);
pr_bandit_t pr_bandit_at(const pr_weigh_in_t *in, double *state);
/* For begin(): equal weights, no arm in play. */
void pr_bandit_begin(const pr_weigh_in_t *in, double *state);
/* True when a validation has come in. gain [k]: what each objective has gained, 0 at first; *paid: whether an arm was in
 * play, and *payment its mean. */
bool pr_bandit_hears(pr_bandit_t b, const pr_weigh_in_t *in, double *gain, bool *paid, double *payment);
/* A payment in [0,1] by where it lies between the 20 % and the 80 % quantile of those before it; .5 for the first. */
double pr_bandit_scaled(pr_bandit_t b, double payment);
void pr_bandit_play(pr_bandit_t b, const pr_weigh_in_t *in, int arm);
void pr_bandit_lambda(pr_bandit_t b, double *lambda);

/* p [n] of Exp3 with log weights [n]: (1 - gamma) softmax + gamma / n. */
void pr_exp3_chances(int n, const double *logs, double gamma, double *p);
/* Pays arm `arm`: log weight += gamma payment / (n p_arm). The largest logarithm is 0 afterwards. */
void pr_exp3_pay(int n, double *logs, double gamma, int arm, double payment);

#endif
