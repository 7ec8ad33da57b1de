// SPDX-License-Identifier: BSD-3-Clause
#include "model/part.h"
#include "parallel/team.h"

#include <assert.h>

static int block_of(int n, int cols)
{
    return (n + cols - 1) / cols;
}

// Block `col` of n things, cut at the end.
static pr_range_t block_range(int n, int cols, int col)
{
    int block = block_of(n, cols), first = col * block < n ? col * block : n;
    return (pr_range_t){first, n - first < block ? n - first : block};
}

static void heads_of(const pr_model_config_t *c, int cols, int col, pr_range_t *head, pr_range_t *kv)
{
    int group = c->n_head / c->n_kv_head;
    pr_share(c->n_head, cols, col, &head->first, &head->n);
    kv->first = head->first / group;
    kv->n = head->n > 0 ? (head->first + head->n - 1) / group + 1 - kv->first : 0;
}

pr_part_t pr_part(const pr_model_config_t *c, int cols, int col)
{
    pr_part_t p = {.cols = cols, .col = col};
    p.d = block_range(c->d_model, cols, col);
    p.ff = block_range(c->d_ff, cols, col);
    p.vocab = block_range(c->vocab, cols, col);
    p.d_block = block_of(c->d_model, cols);
    p.ff_block = block_of(c->d_ff, cols);
    p.vocab_block = block_of(c->vocab, cols);
    for (int i = 0; i < cols; i++) {
        pr_range_t head, kv;
        heads_of(c, cols, i, &head, &kv);
        int q = head.n * c->head_dim, qkv = q + 2 * kv.n * c->head_dim;
        p.q_block = q > p.q_block ? q : p.q_block;
        p.qkv_block = qkv > p.qkv_block ? qkv : p.qkv_block;
    }
    heads_of(c, cols, col, &p.head, &p.kv_head);
    return p;
}

pr_status_t pr_part_check(const pr_model_config_t *c, int cols, pr_error_t *err)
{
    if (cols < 1 || cols > c->n_head)
        return pr_fail(err, PR_ERR_CONFIG, "team of %d columns: the model has %d query heads, expected 1 to %d columns",
                       cols, c->n_head, c->n_head);
    return PR_OK;
}

void pr_part_bounds(const pr_model_config_t *c, int cols, pr_space_t space, int *first)
{
    first[0] = 0;
    for (int col = 0; col < cols; col++) {
        pr_part_t p = pr_part(c, cols, col);
        int n = space == PR_SPACE_D    ? p.d.n
                : space == PR_SPACE_FF ? p.ff.n
                : space == PR_SPACE_Q  ? p.head.n * c->head_dim
                                       : p.vocab.n;
        first[col + 1] = first[col] + n;
    }
}

static pr_range_t times(pr_range_t r, int size)
{
    return (pr_range_t){r.first * size, r.n * size};
}

pr_range_t pr_part_slot_in(const pr_model_config_t *c, const pr_part_t *p, pr_slot_t slot)
{
    if (slot == PR_SLOT_O)
        return times(p->head, c->head_dim);
    return slot == PR_SLOT_DOWN ? p->ff : p->d;
}

int pr_part_slot_out(const pr_model_config_t *c, const pr_part_t *p, pr_slot_t slot, pr_range_t out[3])
{
    int hd = c->head_dim, q = c->n_head * hd, kv = c->n_kv_head * hd;
    switch (slot) {
    case PR_SLOT_QKV:
        out[0] = times(p->head, hd);
        out[1] = out[2] = times(p->kv_head, hd);
        out[1].first += q;
        out[2].first += q + kv;
        return 3;
    case PR_SLOT_Q:
        out[0] = times(p->head, hd);
        return 1;
    case PR_SLOT_K:
    case PR_SLOT_V:
        out[0] = times(p->kv_head, hd);
        return 1;
    case PR_SLOT_GATE:
    case PR_SLOT_UP:
        out[0] = p->ff;
        return 1;
    default:
        assert(slot == PR_SLOT_O || slot == PR_SLOT_DOWN);
        out[0] = p->d;
        return 1;
    }
}
