// SPDX-License-Identifier: BSD-3-Clause
/* Decoding by a team: every row decodes its share of the prompts, and all get all of it. */
#include "base/mem.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

/* What a row found, as bytes: a head, then per sequence its length and how it ended, then all ids, then their
 * log-probabilities where these are wanted. */
typedef struct head {
    int64_t n_seq, n_id, n_logp, generated, prefilled;
} head_t;

typedef struct ending {
    int32_t n, finish;
} ending_t;

static void pack(const pr_decoded_t *d, pr_buf_t *b)
{
    size_t n_id = d->n_seq > 0 ? d->start[d->n_seq] : 0;
    size_t n_logp = d->logp ? n_id : 0;
    head_t h = {d->n_seq, (int64_t)n_id, (int64_t)n_logp, d->generated, d->prefilled};
    pr_buf_add(b, &h, sizeof h);
    for (int i = 0; i < d->n_seq; i++) {
        ending_t e = {(int32_t)(d->start[i + 1] - d->start[i]), (int32_t)d->finish[i]};
        pr_buf_add(b, &e, sizeof e);
    }
    if (n_id > 0)
        pr_buf_add(b, d->ids, n_id * sizeof *d->ids);
    if (n_logp > 0)
        pr_buf_add(b, d->logp, n_logp * sizeof *d->logp);
}

// Appends a row's sequences to those in out, which has room for n_seq.
static void unpack(const char *bytes, pr_decoded_t *out)
{
    head_t h;
    ending_t e;
    memcpy(&h, bytes, sizeof h);
    bytes += sizeof h;
    size_t at = out->start[out->n_seq], n_id = (size_t)h.n_id;
    for (int64_t i = 0; i < h.n_seq; i++, bytes += sizeof e) {
        memcpy(&e, bytes, sizeof e);
        out->finish[out->n_seq] = (pr_finish_t)e.finish;
        out->start[out->n_seq + 1] = out->start[out->n_seq] + (size_t)e.n;
        out->n_seq++;
    }
    out->ids = pr_realloc(out->ids, at + n_id, sizeof *out->ids);
    if (n_id > 0)
        memcpy(out->ids + at, bytes, n_id * sizeof *out->ids);
    if (h.n_logp > 0) {
        out->logp = pr_realloc(out->logp, at + n_id, sizeof *out->logp);
        memcpy(out->logp + at, bytes + n_id * sizeof *out->ids, n_id * sizeof *out->logp);
    }
    out->generated += h.generated;
    out->prefilled += h.prefilled;
}

static void join(const pr_team_t *t, const pr_decoded_t *mine, int n_seq, pr_decoded_t *out)
{
    pr_buf_t b = {0};
    void *all;
    size_t *offset = pr_alloc((size_t)t->rows + 1, sizeof *offset);
    pack(mine, &b);
    t->gather_rows(t, b.data, b.len, &all, offset);
    *out = (pr_decoded_t){.start = pr_alloc((size_t)n_seq + 1, sizeof *out->start),
                          .finish = pr_alloc((size_t)n_seq, sizeof *out->finish)};
    for (int r = 0; r < t->rows; r++)
        unpack((const char *)all + offset[r], out);
    pr_buf_free(&b);
    free(all);
    free(offset);
}

pr_status_t pr_decode_team(const pr_team_t *t, const pr_policy_t *p, const double *w, int n_prompt,
                           const int *prompt_start, const int32_t *prompt_ids, const pr_decode_options_t *o,
                           pr_decoded_t *out, pr_error_t *err)
{
    pr_decode_options_t mine = *o;
    pr_decoded_t d = {0};
    pr_status_t status = PR_OK;
    int first, count;
    if (t->rows == 1)
        return t->agree(t, pr_decode(p, o->paired ? n_prompt : 1, w, n_prompt, prompt_start, prompt_ids, o, out, err),
                        err);
    pr_share(n_prompt, t->rows, t->row, &first, &count);
    mine.prompt_id = o->prompt_id + first;
    if (o->paired)
        w += (size_t)first * (size_t)p->n_expert;
    if (count > 0)
        status = pr_decode(p, o->paired ? count : 1, w, count, prompt_start + first, prompt_ids, &mine, &d, err);
    status = t->agree(t, status, err);
    if (status == PR_OK)
        join(t, &d, n_prompt * (o->samples > 1 ? o->samples : 1), out);
    pr_decoded_clear(&d);
    return status;
}
