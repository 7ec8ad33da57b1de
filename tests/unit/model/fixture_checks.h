// SPDX-License-Identifier: BSD-3-Clause
/* The engine against PyTorch: logits, hidden states, losses and every gradient of a fixture, on whatever provider
 * fixture_la is. With a provider that splits features every column runs the checks, on its part of the model. */
#ifndef PR_TEST_FIXTURE_CHECKS_H
#define PR_TEST_FIXTURE_CHECKS_H

#include "model/head.h"
#include "model/transformer.h"
#include "unit/model/fixture_files.h"

typedef struct setup {
    fixture_t f;
    pr_run_t *run;
    pr_batch_t b;
    int rows, d, v;
    float *h;
} setup_t;

static inline setup_t setup(const char *dir, bool save)
{
    setup_t s = {.f = fixture_open(dir, false)};
    s.rows = s.f.n_seq * s.f.len;
    s.d = s.f.m->part.d.n;
    s.v = s.f.m->config.vocab;
    s.h = pr_alloc((size_t)s.rows * (size_t)s.d, sizeof(float));
    s.b = (pr_batch_t){.n_seq = s.f.n_seq, .seq_start = s.f.seq_start, .token = s.f.ids};
    FIXTURE_OK(pr_run_new(s.f.m, fixture_la, save, &s.run, err));
    return s;
}

static inline void teardown(setup_t *s)
{
    pr_run_free(&s->run);
    free(s->h);
    fixture_close_all(&s->f);
}

// The hidden states with the features of all columns.
static inline float *all_features(const setup_t *s)
{
    const pr_model_config_t *c = &s->f.m->config;
    float *full = pr_alloc((size_t)s->rows * (size_t)c->d_model, sizeof *full);
    int *bounds = pr_alloc((size_t)fixture_la->cols + 1, sizeof *bounds);
    pr_part_bounds(c, fixture_la->cols, PR_SPACE_D, bounds);
    fixture_la->gather(fixture_la, s->rows, s->h, s->d, bounds, full);
    free(bounds);
    return full;
}

static inline void close_logits(setup_t *s, const char *name)
{
    size_t n = (size_t)s->rows * (size_t)s->v;
    float *logits = pr_alloc(n, sizeof *logits);
    pr_head_logits(s->f.m, fixture_la, s->rows, s->h, logits);
    fixture_close_tensor(&s->f, fixture_find(&s->f, "%s", name), n, logits, 1e-4);
    free(logits);
}

// What of the response positions enters a loss: rows are those that predict a token with index >= start.
typedef struct target {
    setup_t *s;
    int start; // first predicted position
    int *row;
    int32_t *token;
    int n;
    float *h;
} target_t;

static inline target_t targets(setup_t *s, int start)
{
    target_t t = {.s = s, .start = start};
    int per = s->f.len - start;
    t.n = s->f.n_seq * per;
    t.row = pr_alloc((size_t)t.n, sizeof *t.row);
    t.token = pr_alloc((size_t)t.n, sizeof *t.token);
    t.h = pr_alloc((size_t)t.n * (size_t)s->d, sizeof *t.h);
    for (int i = 0; i < t.n; i++) {
        t.row[i] = i / per * s->f.len + start - 1 + i % per;
        t.token[i] = s->f.ids[t.row[i] + 1];
    }
    return t;
}

static inline void targets_free(target_t *t)
{
    free(t->row);
    free(t->token);
    free(t->h);
}

static inline void gather(const target_t *t)
{
    for (int i = 0; i < t->n; i++)
        memcpy(t->h + (size_t)i * (size_t)t->s->d, t->s->h + (size_t)t->row[i] * (size_t)t->s->d,
               (size_t)t->s->d * sizeof(float));
}

typedef void (*loss_fn)(const target_t *t, int row, float logp, double *loss, float *g, const float *more);
typedef struct loss {
    const target_t *t;
    loss_fn f;
    const float *more;
    double sum;
    float *logp; // [n] or NULL
} loss_t;

static inline void loss_grad(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                             float *g_entropy)
{
    loss_t *l = self;
    (void)entropy, (void)g_entropy;
    for (int i = 0; i < n; i++) {
        l->f(l->t, first + i, logp[i], &l->sum, &g[i], l->more);
        if (l->logp)
            l->logp[first + i] = logp[i];
    }
}

static inline void cross_entropy(const target_t *t, int row, float logp, double *loss, float *g, const float *more)
{
    (void)row, (void)more;
    *loss -= (double)logp / t->n;
    *g = -1.0f / (float)t->n;
}

// more: [n_seq] advantages
static inline void reinforce(const target_t *t, int row, float logp, double *loss, float *g, const float *more)
{
    int n_seq = t->s->f.n_seq, per = t->n / n_seq;
    *g = -more[row / per] / (float)n_seq;
    *loss += (double)*g * (double)logp;
}

// more: [n_seq] advantages, [1] beta, [n] log-probabilities of the reference
static inline void grpo(const target_t *t, int row, float logp, double *loss, float *g, const float *more)
{
    int n_seq = t->s->f.n_seq, per = t->n / n_seq;
    double a = more[row / per], beta = more[n_seq], r = (double)more[n_seq + 1 + row] - (double)logp;
    *loss += (-a + beta * (exp(r) - r - 1)) / t->n;
    *g = (float)((-a + beta * (1 - exp(r))) / t->n);
}

// Loss of the batch and its gradients; dw: the head's, or NULL.
static inline double run_loss(setup_t *s, const target_t *t, loss_fn f, const float *more, const pr_grads_t *g,
                              float *dw, float *logp)
{
    loss_t loss = {t, f, more, 0, logp};
    const pr_sampling_t plain = {.temperature = 1, .top_p = 1};
    size_t d = (size_t)s->d;
    float *dt = pr_alloc((size_t)t->n * d, sizeof *dt), *dh = pr_alloc((size_t)s->rows * d, sizeof *dh);
    FIXTURE_OK(pr_forward(s->run, &s->b, s->h, err));
    gather(t);
    FIXTURE_OK(pr_head_backward(s->f.m, fixture_la, t->n, t->h, t->token, &plain, loss_grad, &loss, dt, dw, err));
    for (int i = 0; i < t->n; i++)
        memcpy(dh + (size_t)t->row[i] * d, dt + (size_t)i * d, d * sizeof *dh);
    FIXTURE_OK(pr_backward(s->run, &s->b, dh, g, err));
    if (g->adapter >= 0)
        fixture_la->sum(fixture_la, g->adapter_grad, s->b.adapter[g->adapter]->n_data);
    free(dt);
    free(dh);
    return loss.sum;
}

static inline void check_forward(const char *dir)
{
    setup_t s = setup(dir, false);
    FIXTURE_OK(pr_forward(s.run, &s.b, s.h, err));
    float *hidden = all_features(&s);
    fixture_close_tensor(&s.f, fixture_find(&s.f, "hidden_last"), (size_t)s.rows * (size_t)s.f.m->config.d_model,
                         hidden, 1e-4);
    free(hidden);
    close_logits(&s, "logits");
    teardown(&s);
}

// Every tensor of the model, its gradient and AdamW's moments.
typedef struct trainee {
    pr_model_tensor_t *t;
    size_t n;
    float **grad, **m, **v;
    float *head;
} trainee_t;

static inline trainee_t trainee(pr_model_t *m)
{
    trainee_t k = {0};
    FIXTURE_OK(pr_model_make_writable(m, err));
    k.t = pr_model_tensors(m, &k.n);
    k.grad = pr_alloc(k.n, sizeof *k.grad);
    k.m = pr_alloc(k.n, sizeof *k.m);
    k.v = pr_alloc(k.n, sizeof *k.v);
    for (size_t i = 0; i < k.n; i++) {
        k.grad[i] = pr_alloc(k.t[i].n, sizeof(float));
        k.m[i] = pr_alloc(k.t[i].n, sizeof(float));
        k.v[i] = pr_alloc(k.t[i].n, sizeof(float));
        if (k.t[i].data == m->head.data)
            k.head = k.grad[i];
    }
    ck_assert_ptr_nonnull(k.head);
    return k;
}

static inline void trainee_free(trainee_t *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->grad[i]);
        free(k->m[i]);
        free(k->v[i]);
    }
    free(k->grad);
    free(k->m);
    free(k->v);
    free(k->t);
}

static inline void adamw(trainee_t *k, int step)
{
    const double lr = 1e-3, b1 = 0.9, b2 = 0.95, eps = 1e-8, decay = 0.1;
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = 0; j < k->t[i].n; j++) {
            double g = k->grad[i][j], m = b1 * k->m[i][j] + (1 - b1) * g, v = b2 * k->v[i][j] + (1 - b2) * g * g;
            double x = k->t[i].data[j] * (1 - lr * decay);
            x -= lr * (m / (1 - pow(b1, step))) / (sqrt(v / (1 - pow(b2, step))) + eps);
            k->m[i][j] = (float)m;
            k->v[i][j] = (float)v;
            k->t[i].data[j] = (float)x;
            k->grad[i][j] = 0;
        }
}

// The gradient of a Hugging Face tensor over all columns, put back into every copy of it; is it compared?
static inline size_t join_gradient(const setup_t *s, const trainee_t *k, size_t i, bool compare)
{
    pr_model_tensor_t t;
    FIXTURE_OK(pr_model_export(s->f.m, fixture_la, i, (const float *const *)k->grad, PR_EXPORT_GRADIENTS, &t, err));
    if (compare)
        fixture_close_tensor(&s->f, fixture_find(&s->f, "grad.%s", t.name), t.n, t.data, 1e-3);
    pr_model_import(s->f.m, i, t.data, k->grad);
    free(t.data);
    return compare;
}

static inline void check_full_gradients(const char *dir)
{
    setup_t s = setup(dir, true);
    trainee_t k = trainee(s.f.m);
    target_t t = targets(&s, 1);
    pr_grads_t g = {.adapter = -1, .weight_grad = k.grad};
    json_t *losses = json_object_get(s.f.json, "adamw_losses");
    ck_assert_uint_ge(json_array_size(losses), 2);
    size_t compared = 0;
    for (size_t step = 0; step < json_array_size(losses); step++) {
        float loss = (float)run_loss(&s, &t, cross_entropy, NULL, &g, k.head, NULL);
        float expected = (float)json_real_value(json_array_get(losses, step));
        fixture_close(s.f.dir, "loss of an AdamW step", 1, &loss, &expected, 1e-4);
        for (size_t i = 0; i < pr_model_export_count(s.f.m); i++)
            compared += join_gradient(&s, &k, i, step == 0);
        if (step == 0)
            fixture_close_tensor(&s.f, fixture_find(&s.f, "loss"), 1, &loss, 1e-4);
        adamw(&k, (int)step + 1);
    }
    ck_assert_uint_eq(compared, pr_model_export_count(s.f.m));
    targets_free(&t);
    trainee_free(&k);
    teardown(&s);
}

static inline void check_adapter_logits(const char *dir)
{
    setup_t s = setup(dir, false);
    pr_adapter_t *adapters[16] = {0};
    float mix[64] = {0};
    char name[128];
    int n = fixture_adapters(&s.f, adapters, 16);
    ck_assert_int_gt(n, 0);
    s.b.n_adapter = n;
    s.b.adapter = (const pr_adapter_t *const *)adapters;
    s.b.mix = mix;
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < s.f.n_seq * n; i++)
            mix[i] = i % n == k;
        FIXTURE_OK(pr_forward(s.run, &s.b, s.h, err));
        snprintf(name, sizeof name, "%s.logits",
                 json_string_value(json_array_get(json_object_get(s.f.json, "objectives"), (size_t)k)));
        close_logits(&s, name);
    }
    for (int k = 0; k < n; k++)
        pr_adapter_free(&adapters[k]);
    teardown(&s);
}

// The gradients of the first adapter, which is index `which` of the batch.
static inline void close_adapter_gradients(const setup_t *s, const pr_adapter_t *a, const float *grad,
                                           const char *prefix)
{
    const pr_model_config_t *c = &s->f.m->config;
    int compared = 0;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        char module[128];
        int out, in;
        const pr_lora_t *l = &a->lora[i];
        if (l->r == 0)
            continue;
        ck_assert(pr_slot_shape(c, (pr_slot_t)(i % PR_N_SLOT), &out, &in));
        pr_slot_module(c, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
        fixture_close_tensor(&s->f, fixture_find(&s->f, "%s.base_model.model.%s.lora_A.default.weight", prefix, module),
                             (size_t)(l->r * in), grad + (l->a - a->data), 1e-3);
        fixture_close_tensor(&s->f, fixture_find(&s->f, "%s.base_model.model.%s.lora_B.default.weight", prefix, module),
                             (size_t)(l->r * out), grad + (l->b - a->data), 1e-3);
        compared++;
    }
    ck_assert_int_gt(compared, 0);
}

typedef struct lora_setup {
    setup_t s;
    pr_adapter_t *adapters[16];
    int n;
    float mix[64];
    float *grad;
} lora_setup_t;

static inline void lora_setup(lora_setup_t *l, const char *dir)
{
    l->s = setup(dir, true);
    l->n = fixture_adapters(&l->s.f, l->adapters, 16);
    l->s.b.n_adapter = l->n;
    l->s.b.adapter = (const pr_adapter_t *const *)l->adapters;
    l->s.b.mix = l->mix;
    for (int i = 0; i < l->s.f.n_seq; i++)
        l->mix[i * l->n] = 1.0f;
    l->grad = pr_alloc(l->adapters[0]->n_data, sizeof *l->grad);
}

static inline void lora_teardown(lora_setup_t *l)
{
    free(l->grad);
    for (int k = 0; k < l->n; k++)
        pr_adapter_free(&l->adapters[k]);
    teardown(&l->s);
}

static inline void check_adapter_gradients(const char *dir)
{
    lora_setup_t l = {0};
    lora_setup(&l, dir);
    target_t t = targets(&l.s, 1);
    char prefix[64];
    pr_grads_t g = {.adapter = 0, .adapter_grad = l.grad};
    run_loss(&l.s, &t, cross_entropy, NULL, &g, NULL, NULL);
    snprintf(prefix, sizeof prefix, "%s.grad",
             json_string_value(json_array_get(json_object_get(l.s.f.json, "objectives"), 0)));
    close_adapter_gradients(&l.s, l.adapters[0], l.grad, prefix);
    targets_free(&t);
    lora_teardown(&l);
}

static inline void check_policy_gradients(const char *dir)
{
    lora_setup_t l = {0};
    lora_setup(&l, dir);
    fixture_t *f = &l.s.f;
    target_t t = targets(&l.s, (int)json_integer_value(json_object_get(f->json, "pg.start")));
    size_t n = (size_t)t.n, n_seq = (size_t)f->n_seq;
    float *more = pr_alloc(n_seq + 1 + n, sizeof *more), *logp = pr_alloc(n, sizeof *logp);
    float *advantage = fixture_floats(f, fixture_find(f, "pg.advantage"), n_seq);
    pr_grads_t g = {.adapter = 0, .adapter_grad = l.grad};
    memcpy(more, advantage, n_seq * sizeof *more);
    more[n_seq] = (float)json_real_value(json_object_get(f->json, "pg.beta"));

    float loss = (float)run_loss(&l.s, &t, reinforce, more, &g, NULL, logp);
    float expected = (float)json_real_value(json_object_get(f->json, "pg.loss_reinforce"));
    fixture_close(f->dir, "pg.loss_reinforce", 1, &loss, &expected, 1e-4);
    fixture_close_tensor(f, fixture_find(f, "pg.logp"), n, logp, 1e-4);
    close_adapter_gradients(&l.s, l.adapters[0], l.grad, "pg.reinforce.grad");

    // the reference is the base model: the same batch with no adapter
    pr_batch_t base = l.s.b;
    base.n_adapter = 0;
    FIXTURE_OK(pr_forward(l.s.run, &base, l.s.h, err));
    gather(&t);
    FIXTURE_OK(pr_head_logp(f->m, fixture_la, t.n, t.h, t.token, 1.0, more + n_seq + 1, NULL, err));
    fixture_close_tensor(f, fixture_find(f, "pg.ref_logp"), n, more + n_seq + 1, 1e-4);

    memset(l.grad, 0, l.adapters[0]->n_data * sizeof *l.grad);
    loss = (float)run_loss(&l.s, &t, grpo, more, &g, NULL, NULL);
    expected = (float)json_real_value(json_object_get(f->json, "pg.loss_grpo"));
    fixture_close(f->dir, "pg.loss_grpo", 1, &loss, &expected, 1e-4);
    close_adapter_gradients(&l.s, l.adapters[0], l.grad, "pg.grpo.grad");
    free(more);
    free(logp);
    free(advantage);
    targets_free(&t);
    lora_teardown(&l);
}

static inline void check_reward_scores(const char *dir)
{
    fixture_t f = fixture_open(dir, true);
    json_t *ids = json_object_get(f.json, "ids"), *scores = json_object_get(f.json, "scores");
    int d = f.m->part.d.n, n_label = f.m->config.n_label;
    pr_run_t *run = NULL;
    ck_assert_int_gt(n_label, 0);
    FIXTURE_OK(pr_run_new(f.m, fixture_la, false, &run, err));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int n;
        int32_t *token = fixture_int_list(json_array_get(ids, i), &n);
        int seq_start[2] = {0, n};
        pr_batch_t b = {.n_seq = 1, .seq_start = seq_start, .token = token};
        float *h = pr_alloc((size_t)n * (size_t)d, sizeof *h), found[64], expected[64];
        FIXTURE_OK(pr_forward(run, &b, h, err));
        pr_head_scores(f.m, fixture_la, 1, h + (size_t)(n - 1) * (size_t)d, found);
        json_t *row = json_array_get(scores, i);
        ck_assert_uint_eq(json_array_size(row), (size_t)n_label);
        for (int l = 0; l < n_label; l++)
            expected[l] = (float)json_real_value(json_array_get(row, (size_t)l));
        fixture_close(f.dir, "scores", (size_t)n_label, found, expected, 1e-4);
        free(h);
        free(token);
    }
    pr_run_free(&run);
    fixture_close_all(&f);
}

#endif
