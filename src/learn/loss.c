#include "learn/loss.h"

#include <math.h>

double pr_k3(double lp, double ref)
{
    // expm1 keeps the small differences of an almost unchanged policy.
    return expm1(ref - lp) - (ref - lp);
}

double pr_token_loss(const pr_token_loss_t *l, double lp, double ref, double *grad)
{
    *grad = l->weight * (-l->advantage - l->kl * expm1(ref - lp) + l->entropy * (lp + 1));
    return l->weight * (-l->advantage * lp + l->kl * pr_k3(lp, ref) + l->entropy * lp);
}
