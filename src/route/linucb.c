// SPDX-License-Identifier: BSD-3-Clause
#include "route/linucb.h"
#include "base/mem.h"
#include "parallel/inverse.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

static double *inverse_of(const pr_linucb_t *l, int arm)
{
    return l->inverse + (ptrdiff_t)arm * l->p * l->p;
}

static double *sum_of(const pr_linucb_t *l, int arm, int k)
{
    return l->sum + ((ptrdiff_t)arm * l->k + k) * l->p;
}

pr_linucb_t *pr_linucb_new(int arms, int k, int p, double ridge, double c)
{
    pr_linucb_t *l = pr_alloc(1, sizeof *l);
    *l = (pr_linucb_t){.arms = arms, .k = k, .p = p, .c = c};
    l->inverse = pr_alloc((size_t)arms * (size_t)p * (size_t)p, sizeof(double));
    l->sum = pr_alloc((size_t)arms * (size_t)k * (size_t)p, sizeof(double));
    for (int a = 0; a < arms; a++)
        pr_inverse_begin(p, ridge, inverse_of(l, a));
    return l;
}

void pr_linucb_free(pr_linucb_t **l)
{
    if (!*l)
        return;
    free((*l)->inverse);
    free((*l)->sum);
    free(*l);
    *l = NULL;
}

static double dot(int n, const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* theta_ak . z = sum_ak . y, with y = inv(A_a) z. */
int pr_linucb_choose(const pr_linucb_t *l, const double *w, const double *z)
{
    int best = 0;
    double most = -INFINITY, *y = pr_alloc((size_t)l->p, sizeof *y);
    for (int a = 0; a < l->arms; a++) {
        double square = pr_inverse_times(l->p, inverse_of(l, a), z, y), value = 0;
        for (int k = 0; k < l->k; k++)
            value += w[k] * dot(l->p, sum_of(l, a, k), y);
        value += l->c * sqrt(fmax(square, 0));
        if (value > most) {
            most = value;
            best = a;
        }
    }
    free(y);
    return best;
}

void pr_linucb_learn(pr_linucb_t *l, int arm, const double *z, const double *r)
{
    double *y = pr_alloc((size_t)l->p, sizeof *y);
    pr_inverse_add(l->p, inverse_of(l, arm), z, y);
    for (int k = 0; k < l->k; k++)
        for (int i = 0; i < l->p; i++)
            sum_of(l, arm, k)[i] += r[k] * z[i];
    free(y);
}

void pr_linucb_theta(const pr_linucb_t *l, int arm, int k, double *theta)
{
    pr_inverse_times(l->p, inverse_of(l, arm), sum_of(l, arm, k), theta);
}
