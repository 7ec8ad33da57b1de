// SPDX-License-Identifier: BSD-3-Clause
#include "policy/decode_chunk.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- a flow that is built piece by piece ---- */

typedef struct builder {
    int k; // adapters
    pr_flow_t f;
    int *expert_start, *expert, *expert_stream;
    int32_t *expert_token;
    int *item_start, *item_stream, *source;
    int32_t *item_token;
    const double **w;
} builder_t;

// Room for n_expert expert sequences of rows_expert rows and n_item items of rows_item rows.
static void builder_new(builder_t *b, int k, size_t n_expert, size_t rows_expert, size_t n_item, size_t rows_item)
{
    *b = (builder_t){.k = k};
    b->expert_start = pr_alloc(n_expert + 1, sizeof(int));
    b->expert = pr_alloc(n_expert, sizeof(int));
    b->expert_stream = pr_alloc(n_expert, sizeof(int));
    b->expert_token = pr_alloc(rows_expert, sizeof(int32_t));
    b->item_start = pr_alloc(n_item + 1, sizeof(int));
    b->item_stream = pr_alloc(n_item, sizeof(int));
    b->source = pr_alloc(n_item * (size_t)k, sizeof(int));
    b->item_token = pr_alloc(rows_item, sizeof(int32_t));
    b->w = pr_alloc(n_item, sizeof *b->w);
    b->f.expert_seq = (pr_strand_t){.start = b->expert_start, .token = b->expert_token, .stream = b->expert_stream};
    b->f.item = (pr_strand_t){.start = b->item_start, .token = b->item_token, .stream = b->item_stream};
    b->f.expert = b->expert;
    b->f.source = b->source;
    b->f.w = b->w;
}

static void builder_free(builder_t *b)
{
    free(b->expert_start);
    free(b->expert);
    free(b->expert_stream);
    free(b->expert_token);
    free(b->item_start);
    free(b->item_stream);
    free(b->source);
    free(b->item_token);
    free(b->w);
}

static void builder_reset(builder_t *b)
{
    b->f.expert_seq.n = 0;
    b->f.item.n = 0;
}

// The sequences' tokens are a prompt and new ones after it.
typedef struct text {
    const int32_t *prompt, *more;
    int n_prompt, n_more;
} text_t;

static int append_text(int32_t *to, const text_t *t)
{
    memcpy(to, t->prompt, (size_t)t->n_prompt * sizeof *to);
    if (t->n_more)
        memcpy(to + t->n_prompt, t->more, (size_t)t->n_more * sizeof *to);
    return t->n_prompt + t->n_more;
}

static int add_expert(builder_t *b, int expert, int stream, const text_t *t)
{
    int i = b->f.expert_seq.n++;
    b->expert[i] = expert;
    b->expert_stream[i] = stream;
    b->expert_start[i + 1] = b->expert_start[i] + append_text(b->expert_token + b->expert_start[i], t);
    return i;
}

// The caller fills source.
static int add_item(builder_t *b, const double *w, int stream, const text_t *t)
{
    int i = b->f.item.n++;
    b->w[i] = w;
    b->item_stream[i] = stream;
    b->item_start[i + 1] = b->item_start[i] + append_text(b->item_token + b->item_start[i], t);
    return i;
}

/* ---- what a chunk knows ---- */

typedef struct chunk {
    pr_decode_t *d;
    pr_sequence_t *s;
    int n, k, split, n_layer;
    int max_len;                  // longest sequence there may be
    pr_kv_t *expert_kv, *item_kv; // streams of sequences; NULL where there are no layers
    int *expert_stream;           // [n,K] or -1
    int *pair;                    // [n] which (point, prompt) a sequence starts from
    int *live, n_live;            // sequences at work
} chunk_t;

static const double *weights(const pr_decode_t *d, int point)
{
    return d->w ? d->w + (size_t)point * (size_t)d->p->n_expert : NULL;
}

static text_t prompt_text(const pr_decode_t *d, int prompt)
{
    int first = d->prompt_start[prompt];
    return (text_t){.prompt = d->prompt_ids + first, .n_prompt = d->prompt_start[prompt + 1] - first};
}

// The columns stop together, whichever of them is asked to.
static pr_status_t check_cancelled(const pr_decode_t *d, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    if (d->o->cancel && d->o->cancel(d->o->self))
        status = pr_fail(err, PR_ERR_INTERRUPTED, "decoding was interrupted");
    return d->p->la->agree(d->p->la, status, err);
}

static pr_status_t new_cache(const pr_decode_t *d, int first, int last, int streams, int max_len, pr_kv_t **out,
                             pr_error_t *err)
{
    return d->p->la->agree(d->p->la, pr_kv_new(d->p->model, first, last, streams, max_len, out, err), err);
}

static void keep_live(chunk_t *c)
{
    int n = 0;
    for (int i = 0; i < c->n_live; i++)
        if (!c->s[c->live[i]].done)
            c->live[n++] = c->live[i];
    c->n_live = n;
}

static void chunk_init(chunk_t *c, pr_decode_t *d, pr_sequence_t *s, int n)
{
    *c = (chunk_t){.d = d, .s = s, .n = n, .n_live = n, .k = d->p->n_expert};
    c->split = pr_engine_split(d->engine);
    c->n_layer = d->p->model->config.n_layer;
    c->live = pr_alloc((size_t)n, sizeof *c->live);
    for (int i = 0; i < n; i++) {
        int len = prompt_text(d, s[i].prompt).n_prompt + s[i].limit;
        c->max_len = len > c->max_len ? len : c->max_len;
        c->live[i] = i;
    }
}

static void chunk_free(chunk_t *c)
{
    pr_kv_free(&c->expert_kv);
    pr_kv_free(&c->item_kv);
    free(c->expert_stream);
    free(c->pair);
    free(c->live);
}

// Logits of a step: row i belongs to live[first + i].
typedef struct step {
    chunk_t *c;
    const int *live;
} step_t;

static pr_status_t choose_step(void *self, int first, int n, float *logits, pr_error_t *err)
{
    const step_t *t = self;
    size_t v = (size_t)t->c->d->p->model->config.vocab;
    for (int i = 0; i < n; i++)
        PR_TRY(pr_decode_token(t->c->d, &t->c->s[t->live[first + i]], logits + (size_t)i * v, err));
    return PR_OK;
}

/* The live sequences live[0..n-1] as a flow: text[i] is what is run of each. Experts one after the other, so that each
 * one's rows lie together. */
static void build_step(chunk_t *c, const int *live, int n, const text_t *text, builder_t *b)
{
    builder_reset(b);
    for (int i = 0; i < n; i++) {
        const pr_sequence_t *s = &c->s[live[i]];
        int item = add_item(b, weights(c->d, s->point), live[i], &text[i]);
        for (int k = 0; k < c->k; k++)
            b->source[item * c->k + k] = -1;
    }
    for (int k = 0; c->split > 0 && k < c->k; k++)
        for (int i = 0; i < n; i++)
            if (b->w[i][k] != 0)
                b->source[i * c->k + k] =
                    add_expert(b, k, c->expert_stream ? c->expert_stream[live[i] * c->k + k] : -1, &text[i]);
}

/* ---- prefill ---- */

// What is shared in a chunk: prompts per expert, prompts per point.
typedef struct prefill {
    chunk_t *c;
    int n_prompt, *prompt;           // those that occur
    int n_pair, *pair_prompt;        // (point, prompt) pairs: index into prompt[]
    int *pair_point, *first, *count; // their sequences are s[first .. first+count-1]
    int *expert_stream;              // [n_prompt,K] stream of the prompts' cache; -1: not needed
    int n_expert_stream;
    pr_kv_t *expert_kv, *pair_kv;
    int max_prompt;
    const int *order; // pairs of the group, in the order of the flow's items
} prefill_t;

static void find_pairs(prefill_t *p)
{
    chunk_t *c = p->c;
    size_t n = (size_t)c->n;
    int *index = pr_alloc((size_t)c->d->n_prompt, sizeof *index);
    p->prompt = pr_alloc(n, sizeof(int));
    p->pair_prompt = pr_alloc(n, sizeof(int));
    p->pair_point = pr_alloc(n, sizeof(int));
    p->first = pr_alloc(n, sizeof(int));
    p->count = pr_alloc(n, sizeof(int));
    for (int i = 0; i < c->n; i++) {
        const pr_sequence_t *s = &c->s[i];
        if (i == 0 || s->point != s[-1].point || s->prompt != s[-1].prompt) {
            if (index[s->prompt] == 0) {
                p->prompt[p->n_prompt] = s->prompt;
                index[s->prompt] = ++p->n_prompt;
            }
            p->pair_prompt[p->n_pair] = index[s->prompt] - 1;
            p->pair_point[p->n_pair] = s->point;
            p->first[p->n_pair++] = i;
        }
        p->count[p->n_pair - 1]++;
    }
    for (int i = 0; i < p->n_prompt; i++) {
        int len = prompt_text(c->d, p->prompt[i]).n_prompt;
        p->max_prompt = len > p->max_prompt ? len : p->max_prompt;
    }
    free(index);
}

// A stream of the prompts' cache for each (prompt, expert) that some point of the chunk uses with that prompt.
static void assign_expert_streams(prefill_t *p)
{
    int k = p->c->k;
    p->expert_stream = pr_alloc((size_t)p->n_prompt * (size_t)k, sizeof(int));
    for (int i = 0; i < p->n_prompt * k; i++)
        p->expert_stream[i] = -1;
    for (int i = 0; p->c->split > 0 && i < p->n_pair; i++)
        for (int j = 0; j < k; j++) {
            int *stream = &p->expert_stream[p->pair_prompt[i] * k + j];
            if (weights(p->c->d, p->pair_point[i])[j] != 0 && *stream < 0)
                *stream = p->n_expert_stream++;
        }
}

static void prefill_free(prefill_t *p)
{
    pr_kv_free(&p->expert_kv);
    pr_kv_free(&p->pair_kv);
    free(p->prompt);
    free(p->pair_prompt);
    free(p->pair_point);
    free(p->first);
    free(p->count);
    free(p->expert_stream);
}

// First tokens: row i of the group's logits is of pair order[i]; each of its sequences draws from it.
static pr_status_t choose_first(void *self, int first, int n, float *logits, pr_error_t *err)
{
    const prefill_t *p = self;
    size_t v = (size_t)p->c->d->p->model->config.vocab;
    float *row = pr_alloc_matrix(v, sizeof *row);
    pr_status_t status = row ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for %zu logits", v);
    for (int i = 0; i < n && status == PR_OK; i++) {
        int pair = p->order[first + i];
        for (int j = 0; j < p->count[pair] && status == PR_OK; j++) {
            memcpy(row, logits + (size_t)i * v, v * sizeof *row);
            status = pr_decode_token(p->c->d, &p->c->s[p->first[pair] + j], row, err);
        }
    }
    free(row);
    return status;
}

// Prompts first..last-1 of prompt[] and all pairs on them.
static void build_prefill(const prefill_t *p, int first, int last, builder_t *b, int *order)
{
    chunk_t *c = p->c;
    int k = c->k, n = 0, *at = pr_alloc((size_t)(last - first) * (size_t)k, sizeof *at);
    builder_reset(b);
    for (int j = 0; j < k; j++)
        for (int i = first; i < last; i++) {
            text_t t = prompt_text(c->d, p->prompt[i]);
            int stream = p->expert_stream[i * k + j];
            at[(i - first) * k + j] = stream < 0 ? -1 : add_expert(b, j, stream, &t);
        }
    for (int i = 0; i < p->n_pair; i++) {
        int prompt = p->pair_prompt[i];
        if (prompt < first || prompt >= last)
            continue;
        text_t t = prompt_text(c->d, p->prompt[prompt]);
        order[n++] = i;
        int item = add_item(b, weights(c->d, p->pair_point[i]), i, &t);
        if (k)
            memcpy(b->source + (size_t)item * (size_t)k, at + (size_t)(prompt - first) * (size_t)k,
                   (size_t)k * sizeof(int));
    }
    free(at);
}

// How often a prompt's rows are run: by its experts, and by its points where layers lie after the split.
static int rows_of_prompt(const prefill_t *p, int prompt, int *experts, int *items)
{
    int len = prompt_text(p->c->d, p->prompt[prompt]).n_prompt;
    *experts = *items = 0;
    for (int j = 0; j < p->c->k; j++)
        *experts += p->expert_stream[prompt * p->c->k + j] >= 0;
    for (int i = 0; i < p->n_pair; i++)
        *items += p->pair_prompt[i] == prompt;
    return len * (*experts + (p->c->split < p->c->n_layer ? *items : 0));
}

static pr_status_t prefill_group(prefill_t *p, int first, int last, pr_error_t *err)
{
    size_t n_expert = 0, n_item = 0, rows_expert = 0, rows_item = 0;
    for (int i = first; i < last; i++) {
        int experts, items;
        p->c->d->out->prefilled += rows_of_prompt(p, i, &experts, &items);
        size_t len = (size_t)prompt_text(p->c->d, p->prompt[i]).n_prompt;
        n_expert += (size_t)experts;
        n_item += (size_t)items;
        rows_expert += len * (size_t)experts;
        rows_item += len * (size_t)items;
    }
    builder_t b;
    int *order = pr_alloc(n_item, sizeof *order);
    builder_new(&b, p->c->k, n_expert, rows_expert, n_item, rows_item);
    b.f.expert_seq.kv = p->expert_kv;
    b.f.item.kv = p->pair_kv;
    build_prefill(p, first, last, &b, order);
    p->order = order;
    pr_status_t status = pr_flow_run(p->c->d->engine, &b.f, choose_first, p, err);
    builder_free(&b);
    free(order);
    return status;
}

static pr_status_t prefill_all(prefill_t *p, pr_error_t *err)
{
    for (int first = 0, last; first < p->n_prompt; first = last) {
        int experts, items, rows = rows_of_prompt(p, first, &experts, &items);
        for (last = first + 1; last < p->n_prompt; last++) {
            rows += rows_of_prompt(p, last, &experts, &items);
            if (rows > PR_GROUP_ROWS)
                break;
        }
        PR_TRY(check_cancelled(p->c->d, err));
        PR_TRY(prefill_group(p, first, last, err));
    }
    return PR_OK;
}

// Caches of the sequences that go on, filled with their prompts' keys and values.
static pr_status_t spread(prefill_t *p, pr_error_t *err)
{
    chunk_t *c = p->c;
    int k = c->k, streams = 0;
    c->expert_stream = pr_alloc((size_t)c->n * (size_t)k, sizeof(int));
    for (int i = 0; c->split > 0 && i < c->n; i++)
        for (int j = 0; j < k; j++)
            c->expert_stream[i * k + j] = weights(c->d, c->s[i].point)[j] != 0 && !c->s[i].done ? streams++ : -1;
    if (c->split > 0)
        PR_TRY(new_cache(c->d, 0, c->split, streams, c->max_len, &c->expert_kv, err));
    if (c->split < c->n_layer)
        PR_TRY(new_cache(c->d, c->split, c->n_layer, c->n, c->max_len, &c->item_kv, err));
    for (int pair = 0; pair < p->n_pair; pair++)
        for (int i = p->first[pair]; i < p->first[pair] + p->count[pair]; i++) {
            for (int j = 0; c->split > 0 && j < k; j++)
                if (c->expert_stream[i * k + j] >= 0)
                    pr_kv_copy_between(c->expert_kv, c->expert_stream[i * k + j], p->expert_kv,
                                       p->expert_stream[p->pair_prompt[pair] * k + j]);
            if (c->item_kv && !c->s[i].done)
                pr_kv_copy_between(c->item_kv, i, p->pair_kv, pair);
        }
    return PR_OK;
}

static pr_status_t prefill(chunk_t *c, pr_error_t *err)
{
    prefill_t p = {.c = c};
    pr_status_t status = PR_OK;
    find_pairs(&p);
    assign_expert_streams(&p);
    if (c->split > 0)
        PR_GO(new_cache(c->d, 0, c->split, p.n_expert_stream, p.max_prompt, &p.expert_kv, err));
    if (c->split < c->n_layer)
        PR_GO(new_cache(c->d, c->split, c->n_layer, p.n_pair, p.max_prompt, &p.pair_kv, err));
    PR_GO(prefill_all(&p, err));
    PR_GO(spread(&p, err));
done:
    prefill_free(&p);
    return status;
}

/* ---- the steps after it ---- */

static pr_status_t decode_step(chunk_t *c, builder_t *b, text_t *text, pr_error_t *err)
{
    PR_TRY(check_cancelled(c->d, err));
    for (int i = 0; i < c->n_live; i++) {
        const pr_sequence_t *s = &c->s[c->live[i]];
        text[i] = (text_t){.prompt = s->ids + s->n - 1, .n_prompt = 1};
    }
    step_t t = {c, c->live};
    build_step(c, c->live, c->n_live, text, b);
    PR_TRY(pr_flow_run(c->d->engine, &b->f, choose_step, &t, err));
    keep_live(c);
    return PR_OK;
}

pr_status_t pr_chunk_with_cache(pr_decode_t *d, pr_sequence_t *s, int n, pr_error_t *err)
{
    chunk_t c;
    builder_t b;
    pr_status_t status = PR_OK;
    chunk_init(&c, d, s, n);
    size_t items = (size_t)n, experts = items * (size_t)c.k;
    builder_new(&b, c.k, experts, experts, items, items);
    text_t *text = pr_alloc(items, sizeof *text);
    PR_GO(prefill(&c, err));
    keep_live(&c);
    b.f.expert_seq.kv = c.expert_kv;
    b.f.item.kv = c.item_kv;
    while (c.n_live > 0)
        PR_GO(decode_step(&c, &b, text, err));
done:
    builder_free(&b);
    free(text);
    chunk_free(&c);
    return status;
}

// Whole sequences again, in groups that keep the rows of a pass bounded.
static pr_status_t step_without_cache(chunk_t *c, pr_error_t *err)
{
    text_t *text = pr_alloc((size_t)c->n_live, sizeof *text);
    pr_status_t status = PR_OK;
    for (int first = 0, last; first < c->n_live && status == PR_OK; first = last) {
        size_t rows = 0;
        for (last = first; last < c->n_live && (last == first || rows < PR_GROUP_ROWS); last++) {
            const pr_sequence_t *s = &c->s[c->live[last]];
            text_t *t = &text[last - first];
            *t = prompt_text(c->d, s->prompt);
            t->more = s->ids;
            t->n_more = s->n;
            rows += (size_t)(t->n_prompt + t->n_more);
        }
        builder_t b;
        size_t items = (size_t)(last - first), k = (size_t)c->k;
        builder_new(&b, c->k, items * k, rows * k, items, rows);
        build_step(c, c->live + first, last - first, text, &b);
        step_t t = {c, c->live + first};
        status = pr_flow_run(c->d->engine, &b.f, choose_step, &t, err);
        builder_free(&b);
    }
    free(text);
    return status;
}

pr_status_t pr_chunk_without_cache(pr_decode_t *d, pr_sequence_t *s, int n, pr_error_t *err)
{
    chunk_t c;
    pr_status_t status = PR_OK;
    chunk_init(&c, d, s, n);
    while (c.n_live > 0) {
        PR_GO(check_cancelled(d, err));
        PR_GO(step_without_cache(&c, err));
        keep_live(&c);
    }
done:
    chunk_free(&c);
    return status;
}
