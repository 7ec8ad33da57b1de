// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "model/adapter_parts.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* The adapters that take part, with what each one's B is multiplied by beside its own scale. */
typedef struct {
    const pr_adapter_t *const *adapter;
    const double *w;
    int n;
    bool all_zero; // then the first one takes part, with B = 0, so that there is something to write
} sum_t;

static bool takes_part(const sum_t *s, int k)
{
    return s->w[k] != 0 || (s->all_zero && k == 0);
}

static pr_status_t set_ranks(const sum_t *s, pr_adapter_t *a, pr_error_t *err)
{
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++) {
        int64_t r = 0;
        for (int k = 0; k < s->n; k++)
            r += takes_part(s, k) ? s->adapter[k]->lora[i].r : 0;
        if (r > PR_MAX_LORA_RANK)
            return pr_fail(err, PR_ERR_CONFIG, "the concatenated adapter: found rank %lld, expected at most %d",
                           (long long)r, PR_MAX_LORA_RANK);
        if (r > 0)
            pr_lora_set(&a->lora[i], (int)r, (double)r, false);
    }
    return PR_OK;
}

// The ranks of part `from` go to rows `first`... of A [r,in] and columns `first`... of B [out,r].
static void put(pr_lora_t *to, const pr_lora_t *from, int first, double w, int out, int in)
{
    size_t row = (size_t)in;
    memcpy(to->a + (size_t)first * row, from->a, (size_t)from->r * row * sizeof *to->a);
    for (int o = 0; o < out; o++)
        for (int j = 0; j < from->r; j++)
            to->b[(size_t)o * (size_t)to->r + (size_t)(first + j)] =
                (float)(w * (double)from->scale * (double)from->b[(size_t)o * (size_t)from->r + (size_t)j]);
}

static void fill(const sum_t *s, const pr_model_config_t *c, pr_adapter_t *a)
{
    int out, in;
    for (int i = 0; i < a->n_layer; i++)
        for (int slot = 0; slot < PR_N_SLOT; slot++) {
            pr_lora_t *to = pr_adapter_at(a, i, (pr_slot_t)slot);
            int first = 0;
            if (to->r == 0 || !pr_slot_shape(c, (pr_slot_t)slot, &out, &in))
                continue;
            for (int k = 0; k < s->n; k++) {
                const pr_lora_t *from = pr_adapter_at(s->adapter[k], i, (pr_slot_t)slot);
                if (!takes_part(s, k) || from->r == 0)
                    continue;
                put(to, from, first, s->w[k], out, in);
                first += from->r;
            }
        }
}

pr_status_t pr_adapter_concat(const pr_adapter_t *const *adapters, const double *w, int n, const pr_model_config_t *c,
                              pr_adapter_t **out, pr_error_t *err)
{
    assert(n >= 1);
    sum_t s = {adapters, w, n, true};
    for (int k = 0; k < n; k++) {
        assert(adapters[k]->n_layer == c->n_layer);
        if (!isfinite(w[k]))
            return pr_fail(err, PR_ERR_CONFIG, "weight of adapter %d: found %g, expected a finite number", k, w[k]);
        s.all_zero = s.all_zero && w[k] == 0;
    }
    pr_adapter_t *a = pr_adapter_empty(c);
    pr_status_t status = set_ranks(&s, a, err);
    if (status == PR_OK)
        status = pr_adapter_allocate(a, c, err);
    if (status != PR_OK) {
        pr_adapter_free(&a);
        return status;
    }
    fill(&s, c, a);
    *out = a;
    return PR_OK;
}
