// SPDX-License-Identifier: BSD-3-Clause
#include "policy/regmean.h"

#include "base/mem.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The experts with a weight, and the adapter being made of them. */
typedef struct merge {
    const pr_team_t *team;
    const pr_dense_t *dense;
    const pr_model_config_t *c;
    int n;
    const pr_adapter_t **expert;
    const pr_grams_t **grams;
    double *w; // of sum 1
    pr_adapter_t *out;
} merge_t;

static pr_status_t take_experts(merge_t *m, int n, const pr_adapter_t *const *expert, const double *w,
                                const pr_grams_t *const *grams, pr_error_t *err)
{
    double largest = 0, sum = 0;
    for (int k = 0; k < n; k++) {
        if (!isfinite(w[k]) || w[k] < 0)
            return pr_fail(err, PR_ERR_CONFIG, "weight %d is %g, expected a finite number >= 0", k, w[k]);
        largest = fmax(largest, w[k]);
    }
    for (int k = 0; k < n; k++) {
        if (w[k] == 0)
            continue;
        m->expert[m->n] = expert[k];
        m->grams[m->n] = grams[k];
        m->w[m->n] = w[k] / largest; // so that the sum cannot overflow
        sum += m->w[m->n++];
    }
    for (int k = 0; k < m->n; k++)
        m->w[k] /= sum;
    return PR_OK;
}

// Ranks of expert k, or of all (-1), in a group of a layer.
static int group_rank(const merge_t *m, int layer, int group, int k)
{
    int r = 0;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[group][i] >= 0; i++)
        r += pr_adapter_at(k < 0 ? m->out : m->expert[k], layer, (pr_slot_t)pr_group_slot[group][i])->r;
    return r;
}

// a [r,width]: expert k's A of the group's maps, one below the other, times w_k.
static void put_in(const merge_t *m, int layer, int group, int k, int width, double *a)
{
    assert(a);
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[group][i] >= 0; i++) {
        const pr_lora_t *l = pr_adapter_at(m->expert[k], layer, (pr_slot_t)pr_group_slot[group][i]);
        size_t n = (size_t)l->r * (size_t)width;
        for (size_t j = 0; j < n; j++)
            a[j] = m->w[k] * (double)l->a[j];
        a += n;
    }
}

// The rows of a [sum r,width] to their places in the merged adapter, whose ranks stand map by map.
static bool take_out(const merge_t *m, int layer, int group, int width, const double *a)
{
    int done[PR_GROUP_SLOTS] = {0};
    bool finite = true;
    for (int k = 0; k < m->n; k++)
        for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[group][i] >= 0; i++) {
            pr_slot_t slot = (pr_slot_t)pr_group_slot[group][i];
            const pr_lora_t *from = pr_adapter_at(m->expert[k], layer, slot);
            float *to = pr_adapter_at(m->out, layer, slot)->a;
            size_t n = (size_t)from->r * (size_t)width;
            for (size_t j = 0; j < n; j++) {
                to[(size_t)done[i] * (size_t)width + j] = (float)a[j];
                finite = finite && isfinite((float)a[j]);
            }
            done[i] += from->r;
            a += n;
        }
    return finite;
}

// sum w_k G_k, factorised. Collective on the team.
static pr_status_t factor_sum(const merge_t *m, int layer, int group, pr_spd_t *sum, pr_error_t *err)
{
    double rcond;
    m->dense->clear(m->dense, sum);
    for (int k = 0; k < m->n; k++) {
        const pr_spd_t *g = pr_grams_matrix(m->grams[k], layer, (pr_group_t)group);
        assert(g);
        m->dense->add_matrix(m->dense, sum, m->w[k], g);
    }
    PR_TRY(m->dense->factor(m->dense, sum, &rcond, err));
    if (!(rcond > DBL_EPSILON))
        return pr_fail(err, PR_ERR_NUMERIC, "the matrix is singular to working precision (1/condition %.1e)", rcond);
    return PR_OK;
}

static pr_status_t solve_group(const merge_t *m, int layer, int group, pr_spd_t *sum, double *a, double *b,
                               pr_error_t *err)
{
    int width = pr_gram_width(m->c, (pr_group_t)group);
    double *to = b;
    for (int k = 0; k < m->n; k++) {
        int r = group_rank(m, layer, group, k);
        if (r == 0)
            continue;
        put_in(m, layer, group, k, width, a);
        const pr_spd_t *g = pr_grams_matrix(m->grams[k], layer, (pr_group_t)group);
        PR_TRY(m->dense->multiply(m->dense, g, r, a, to, err));
        to += (size_t)r * (size_t)width;
    }
    PR_TRY(factor_sum(m, layer, group, sum, err));
    PR_TRY(m->dense->solve(m->dense, sum, group_rank(m, layer, group, -1), b, err));
    if (!take_out(m, layer, group, width, b))
        return pr_fail(err, PR_ERR_NUMERIC, "the merged matrix is not finite");
    return PR_OK;
}

// Says of which maps a numeric error speaks, and what would help.
static pr_status_t in_map(const merge_t *m, int layer, int group, pr_status_t status, pr_error_t *err)
{
    char module[128] = "", found[512];
    int out, in;
    if (status != PR_ERR_NUMERIC || !err)
        return status;
    for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[group][i] >= 0 && !module[0]; i++)
        if (pr_slot_shape(m->c, (pr_slot_t)pr_group_slot[group][i], &out, &in))
            pr_slot_module(m->c, layer, (pr_slot_t)pr_group_slot[group][i], module, sizeof module);
    snprintf(found, sizeof found, "%.*s", (int)sizeof found - 1, err->text);
    return pr_fail(err, status, "regmean: inputs of %s: %s; expected more prompts or a larger ridge", module, found);
}

static pr_status_t merge_group(const merge_t *m, int layer, int group, pr_spd_t **sum, pr_error_t *err)
{
    const pr_team_t *t = m->team;
    int width = pr_gram_width(m->c, (pr_group_t)group);
    size_t n = (size_t)group_rank(m, layer, group, -1) * (size_t)width;
    if (n == 0)
        return PR_OK;
    if (!*sum)
        PR_TRY(m->dense->create(m->dense, width, sum, err));
    double *a = pr_alloc_matrix(n, sizeof *a), *b = pr_alloc_matrix(n, sizeof *b);
    pr_status_t status = a && b ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory to merge adapters (%zu numbers)", n);
    status = t->agree(t, status, err);
    if (status == PR_OK)
        status = in_map(m, layer, group, solve_group(m, layer, group, *sum, a, b, err), err);
    free(a);
    free(b);
    return status;
}

static pr_status_t merge_all(const merge_t *m, pr_error_t *err)
{
    pr_spd_t *sum[PR_N_GROUP] = {0}; // of each width one that all layers use
    pr_status_t status = PR_OK;
    for (int l = 0; l < m->c->n_layer; l++)
        for (int g = 0; g < PR_N_GROUP; g++)
            PR_GO(merge_group(m, l, g, &sum[g], err));
done:
    for (int g = 0; g < PR_N_GROUP; g++)
        m->dense->destroy(m->dense, &sum[g]);
    return status;
}

pr_status_t pr_regmean(const pr_team_t *team, const pr_model_config_t *c, int n, const pr_adapter_t *const *expert,
                       const double *w, const pr_grams_t *const *grams, pr_adapter_t **out, pr_error_t *err)
{
    merge_t m = {.team = team, .dense = team->dense, .c = c};
    double *ones = pr_alloc((size_t)n, sizeof *ones);
    pr_status_t status;
    m.expert = pr_alloc((size_t)n, sizeof *m.expert);
    m.grams = pr_alloc((size_t)n, sizeof *m.grams);
    m.w = pr_alloc((size_t)n, sizeof *m.w);
    PR_GO(take_experts(&m, n, expert, w, grams, err));
    for (int k = 0; k < m.n; k++)
        ones[k] = 1;
    if (m.n == 0) // then all of ones are 0, and so is the sum's B
        status = pr_adapter_concat(expert, ones, n, c, &m.out, err);
    else
        status = pr_adapter_concat(m.expert, ones, m.n, c, &m.out, err);
    PR_GO(team->agree(team, status, err));
    if (m.n > 1)
        PR_GO(merge_all(&m, err));
    *out = m.out;
    m.out = NULL;
done:
    pr_adapter_free(&m.out);
    free(m.expert);
    free(m.grams);
    free(m.w);
    free(ones);
    return status;
}
