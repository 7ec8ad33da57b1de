// SPDX-License-Identifier: BSD-3-Clause
/* The policy of a family at a preference, as adapters with coefficients. */
#include "base/mem.h"
#include "family/family.h"
#include "model/adapter_parts.h"

#include <stdlib.h>
#include <string.h>

/* Is the core of every map its base at w? */
static bool is_base(const pr_family_t *f, const pr_model_config_t *c, const double *w)
{
    bool same = true;
    for (int i = 0; i < c->n_layer * PR_N_SLOT && same; i++) {
        size_t r = (size_t)f->factors->lora[i].r, n = f->core->diagonal ? r : r * r;
        double *core = pr_alloc(n, sizeof *core);
        if (r > 0)
            f->core->at(&f->map[i].map, f->data + f->map[i].first, w, core);
        for (size_t j = 0; j < n && same; j++) {
            size_t row = f->core->diagonal ? j : j / r, col = f->core->diagonal ? j : j % r;
            same = core[j] == (row == col ? pr_core_base(&f->map[i].map, (int)row, w) : 0);
        }
        free(core);
    }
    return same;
}

/* The ranks of one block (b = k: those that are shared) as an adapter; NULL where it has none. */
static pr_status_t block_adapter(const pr_family_t *f, const pr_model_config_t *c, int b, pr_adapter_t **out,
                                 pr_error_t *err)
{
    int rows, cols;
    bool any = false;
    pr_adapter_t *a = pr_adapter_empty(c);
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_family_map_t *m = &f->map[i];
        int r = m->map.first[b + 1] - m->map.first[b];
        if (r == 0)
            continue;
        pr_lora_set(&a->lora[i], r, (double)m->scale[b] * r, false);
        a->lora[i].scale = m->scale[b];
        any = true;
    }
    pr_status_t status = any ? pr_adapter_allocate(a, c, err) : PR_OK;
    if (!any || status != PR_OK) {
        pr_adapter_free(&a);
        *out = NULL;
        return status;
    }
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        const pr_lora_t *from = &f->factors->lora[i];
        pr_lora_t *to = &a->lora[i];
        int first = f->map[i].map.first[b];
        if (to->r == 0 || !pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &rows, &cols))
            continue;
        memcpy(to->a, from->a + (size_t)first * (size_t)cols, (size_t)to->r * (size_t)cols * sizeof *to->a);
        for (int o = 0; o < rows; o++)
            memcpy(to->b + (size_t)o * (size_t)to->r, from->b + (size_t)o * (size_t)from->r + first,
                   (size_t)to->r * sizeof *to->b);
    }
    *out = a;
    return PR_OK;
}

pr_status_t pr_family_parts(const pr_family_t *f, const pr_model_config_t *c, const double *w,
                            pr_adapter_t *part[PR_MAX_OBJECTIVES + 1], double coefficient[PR_MAX_OBJECTIVES + 1],
                            int *n, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    *n = 0;
    if (!is_base(f, c, w)) {
        PR_TRY(pr_family_instance(f, c, &part[0], err));
        pr_family_set(f, c, w, part[0]);
        coefficient[(*n)++] = 1;
        return PR_OK;
    }
    for (int b = 0; b <= f->k; b++) {
        pr_adapter_t *a = NULL;
        if (b < f->k && w[b] == 0)
            continue;
        PR_GO(block_adapter(f, c, b, &a, err));
        if (!a)
            continue;
        part[*n] = a;
        coefficient[(*n)++] = b < f->k ? w[b] : 1;
    }
    return PR_OK;
done:
    for (int i = 0; i < *n; i++)
        pr_adapter_free(&part[i]);
    *n = 0;
    return status;
}

pr_status_t pr_family_told(const json_t *condition, int k, double *w, pr_error_t *err)
{
    bool fits = json_array_size(condition) == (size_t)k;
    for (int i = 0; i < k && fits; i++) {
        const json_t *x = json_array_get(condition, (size_t)i);
        fits = json_is_number(x);
        w[i] = fits ? json_number_value(x) : 0;
    }
    return fits ? PR_OK
                : pr_fail(err, PR_ERR_CONFIG,
                          "the preference of a policy: expected a list of %d numbers, one per objective", k);
}
