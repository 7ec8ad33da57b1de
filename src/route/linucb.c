// SPDX-License-Identifier: BSD-3-Clause
#include "route/linucb.h"
#include "base/mem.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

pr_linucb_t *pr_linucb_new(int arms, int k, int p, double ridge, double c)
{
    pr_linucb_t *l = pr_alloc(1, sizeof *l);
    size_t square = (size_t)p * (size_t)p, each = (size_t)k * (size_t)p;
    *l = (pr_linucb_t){.arms = arms, .k = k, .p = p, .c = c};
    l->inverse = pr_alloc((size_t)arms * square, sizeof(double));
    l->sum = pr_alloc((size_t)arms * each, sizeof(double));
    l->theta = pr_alloc((size_t)arms * each, sizeof(double));
    for (int a = 0; a < arms; a++)
        for (int i = 0; i < p; i++)
            l->inverse[(size_t)a * square + (size_t)i * (size_t)(p + 1)] = 1 / ridge;
    return l;
}

void pr_linucb_free(pr_linucb_t **l)
{
    if (!*l)
        return;
    free((*l)->inverse);
    free((*l)->sum);
    free((*l)->theta);
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

int pr_linucb_choose(const pr_linucb_t *l, const double *w, const double *z)
{
    int best = 0, p = l->p;
    double most = -INFINITY;
    for (int a = 0; a < l->arms; a++) {
        const double *inverse = l->inverse + (ptrdiff_t)a * p * p;
        double square = 0, value = 0;
        for (int i = 0; i < p; i++)
            square += z[i] * dot(p, inverse + (ptrdiff_t)i * p, z);
        for (int k = 0; k < l->k; k++)
            value += w[k] * dot(p, l->theta + ((ptrdiff_t)a * l->k + k) * p, z);
        value += l->c * sqrt(fmax(square, 0));
        if (value > most) {
            most = value;
            best = a;
        }
    }
    return best;
}

/* The inverse by Sherman and Morrison. */
void pr_linucb_learn(pr_linucb_t *l, int arm, const double *z, const double *r)
{
    int p = l->p;
    double *inverse = l->inverse + (ptrdiff_t)arm * p * p, *u = pr_alloc((size_t)p, sizeof *u);
    for (int i = 0; i < p; i++)
        u[i] = dot(p, inverse + (ptrdiff_t)i * p, z);
    double scale = 1 / (1 + dot(p, u, z));
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            inverse[(ptrdiff_t)i * p + j] -= scale * u[i] * u[j];
    for (int k = 0; k < l->k; k++) {
        double *sum = l->sum + ((ptrdiff_t)arm * l->k + k) * p, *theta = l->theta + ((ptrdiff_t)arm * l->k + k) * p;
        for (int i = 0; i < p; i++)
            sum[i] += r[k] * z[i];
        for (int i = 0; i < p; i++)
            theta[i] = dot(p, inverse + (ptrdiff_t)i * p, sum);
    }
    free(u);
}
