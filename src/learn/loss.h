/* Policy-gradient losses on the log-probabilities of sampled tokens, and their derivatives.
 *
 * Tokens t of responses i, log-probabilities lp (policy), ref (reference), advantage A_i, token weights c_t that sum
 * what the normalisation says ("token": c = 1/number of tokens; "sequence": c = 1/number of responses):
 *
 *   loss = sum_t c_t [ -A_i lp_t  +  beta k3_t ],     k3 = exp(ref - lp) - (ref - lp) - 1
 *
 * (REINFORCE, Williams 1992; k3: Schulman 2020, "Approximating KL divergence"; as the GRPO paper uses it.) On-policy,
 * the gradient of the clipped ratio objectives at ratio 1 is the same as REINFORCE's. The entropy bonus is the
 * estimator of -E[log p]: its gradient is that of weight * sum_t c_t lp_t * (lp_t + 1), the score-function form, with
 * lp_t + 1 constant. */
#ifndef PR_LEARN_LOSS_H
#define PR_LEARN_LOSS_H

typedef struct pr_token_loss {
    double advantage; // of the token's response
    double weight;    // c_t
    double kl;        // beta
    double entropy;   // weight of the entropy bonus
} pr_token_loss_t;

/* k3 of one token, >= 0. */
double pr_k3(double lp, double ref);
/* The token's share of the loss, and its derivative by lp into *grad. */
double pr_token_loss(const pr_token_loss_t *l, double lp, double ref, double *grad);

#endif
