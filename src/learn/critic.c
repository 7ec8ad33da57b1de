// SPDX-License-Identifier: BSD-3-Clause
#include "learn/critic.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pr_status_t pr_critic_init(pr_critic_t *c, int d, int k, double beta1, double beta2, double eps, double weight_decay,
                           pr_error_t *err)
{
    *c = (pr_critic_t){.d = d, .k = k, .n = (size_t)d + (size_t)k + 1};
    c->weight = pr_alloc(c->n, sizeof *c->weight);
    c->gradient = pr_alloc(c->n, sizeof *c->gradient);
    return pr_adamw_init(&c->adamw, c->n, beta1, beta2, eps, weight_decay, err);
}

void pr_critic_clear(pr_critic_t *c)
{
    free(c->weight);
    free(c->gradient);
    pr_adamw_clear(&c->adamw);
    *c = (pr_critic_t){0};
}

void pr_critic_values(const pr_critic_t *c, const pr_linalg_t *la, int n, int first, int own, const float *h,
                      const double *preference, float *value)
{
    double rest = (double)c->weight[c->d + c->k];
    for (int j = 0; preference && j < c->k; j++)
        rest += (double)c->weight[c->d + j] * preference[j];
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int j = 0; j < own; j++)
            sum += (double)c->weight[first + j] * (double)h[(size_t)i * (size_t)own + (size_t)j];
        value[i] = (float)sum;
    }
    la->sum(la, value, (size_t)n);
    for (int i = 0; i < n; i++)
        value[i] = (float)((double)value[i] + rest);
}

void pr_critic_backward(pr_critic_t *c, const pr_linalg_t *la, int n, int first, int own, const float *h,
                        const double *preference, const float *dvalue, float *dh)
{
    double all = 0;
    for (int i = 0; i < n; i++) {
        const float *from = h + (size_t)i * (size_t)own;
        float *to = dh + (size_t)i * (size_t)own;
        all += (double)dvalue[i];
        for (int j = 0; j < own; j++) {
            c->gradient[first + j] += dvalue[i] * from[j];
            to[j] += dvalue[i] * c->weight[first + j];
        }
    }
    if (la->col > 0)
        return;
    c->gradient[c->d + c->k] += (float)all;
    for (int j = 0; preference && j < c->k; j++)
        c->gradient[c->d + j] += (float)(all * preference[j]);
}

double pr_clipped_policy(const pr_clipped_t *c, size_t token, double lp, double *grad, bool *clipped)
{
    double a = c->advantage[token], ratio = exp(lp - c->old_logp[token]),
           held = fmin(fmax(ratio, 1 - c->clip), 1 + c->clip);
    *clipped = held * a < ratio * a;
    *grad = *clipped ? 0 : -ratio * a;
    return *clipped ? -held * a : -ratio * a;
}

double pr_clipped_value(const pr_clipped_t *c, size_t token, double value, double *grad)
{
    double old = c->old_value[token], goal = c->goal[token], e = value - goal, width = c->value_clip,
           held = width > 0 ? fmin(fmax(value, old - width), old + width) - goal : e;
    if (held * held > e * e) { // where it is held, another value changes nothing
        *grad = 0;
        return c->value_weight / 2 * held * held;
    }
    *grad = c->value_weight * e;
    return c->value_weight / 2 * e * e;
}

void pr_advantage_estimates(int n_seq, const size_t *start, const double *reward, const double *value, double gamma,
                            double lambda, double *advantage, double *goal)
{
    for (int i = 0; i < n_seq; i++) {
        double after = 0, next = 0;
        for (size_t t = start[i + 1]; t-- > start[i];) {
            after = reward[t] + gamma * next - value[t] + gamma * lambda * after;
            next = value[t];
            advantage[t] = after;
            goal[t] = after + value[t];
        }
    }
}

void pr_whiten(size_t n, double *v)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += v[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    double std = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    for (size_t i = 0; i < n; i++)
        v[i] = (v[i] - mean) / (std + 1e-8);
}
