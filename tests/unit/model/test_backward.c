// SPDX-License-Identifier: BSD-3-Clause
/* Gradients against finite differences, for every kind of model, tensor by tensor; and the backward pass against
 * itself: blocks of rows, mixes, layers that need no gradient. */
#include "unit/model/tiny_model.h"

static const char *const configs[] = {TINY_GPT2, TINY_LLAMA, TINY_QWEN2, TINY_QWEN3, TINY_MISTRAL};
enum { N_CONFIG = sizeof configs / sizeof *configs };

typedef struct problem {
    pr_model_t *m;
    tiny_batch_t t;
    pr_run_t *run;
    int rows, d;
    int32_t *target;
    float *h, *dh;
} problem_t;

static void problem_new(problem_t *p, const char *config, int n, const int *len)
{
    *p = (problem_t){.m = tiny_model(config, 11)};
    tiny_sequences(&p->t, p->m, n, len);
    p->rows = p->t.start[n];
    p->d = p->m->config.d_model;
    p->target = pr_alloc((size_t)p->rows, sizeof *p->target);
    for (int i = 0; i < p->rows; i++)
        p->target[i] = (int32_t)((i * 13 + 3) % p->m->config.vocab);
    p->h = pr_alloc((size_t)p->rows * (size_t)p->d, sizeof(float));
    p->dh = pr_alloc((size_t)p->rows * (size_t)p->d, sizeof(float));
    TINY_OK(pr_run_new(p->m, pr_linalg_local(), true, &p->run, err));
}

static void problem_free(problem_t *p)
{
    pr_run_free(&p->run);
    free(p->t.token);
    free(p->target);
    free(p->h);
    free(p->dh);
    pr_model_free(&p->m);
}

// Any smooth function of the log-probabilities: sum of c_i logp_i + logp_i^2 / 20.
static double coefficient(int i)
{
    return sin(1.7 * i) / 4;
}

static double loss(problem_t *p)
{
    double sum = 0;
    float *logp = pr_alloc((size_t)p->rows, sizeof *logp);
    TINY_OK(pr_forward(p->run, &p->t.b, p->h, err));
    TINY_OK(pr_head_logp(p->m, pr_linalg_local(), p->rows, p->h, p->target, 0.8, logp, NULL, err));
    for (int i = 0; i < p->rows; i++)
        sum += coefficient(i) * (double)logp[i] + (double)logp[i] * (double)logp[i] / 20;
    free(logp);
    return sum;
}

static const pr_sampling_t sampling = {.temperature = 0.8, .top_p = 1};

static void loss_grad(void *self, int first, int n, const float *logp, const float *entropy, float *g, float *g_entropy)
{
    (void)self, (void)entropy, (void)g_entropy;
    for (int i = 0; i < n; i++)
        g[i] = (float)(coefficient(first + i) + (double)logp[i] / 10);
}

static void gradients(problem_t *p, const pr_grads_t *g, float *head)
{
    TINY_OK(pr_forward(p->run, &p->t.b, p->h, err));
    TINY_OK(pr_head_backward(p->m, pr_linalg_local(), p->rows, p->h, p->target, &sampling, loss_grad, NULL, p->dh, head,
                             err));
    TINY_OK(pr_backward(p->run, &p->t.b, p->dh, g, err));
}

/* The derivative along a random direction of +-1, by central differences, and by the gradient. The bound is what single
 * precision leaves of a difference. */
static void along_direction(problem_t *p, const char *name, float *x, size_t n, const float *grad, uint64_t seed)
{
    const double step = 2e-3;
    double by_gradient = 0, size = 0;
    float *saved = pr_alloc(n, sizeof *saved);
    memcpy(saved, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        double v = pr_rng_u64(&tiny_key, seed, i, 0, 1) & 1 ? 1 : -1;
        by_gradient += v * (double)grad[i];
        size += (double)grad[i] * (double)grad[i];
        x[i] = (float)((double)saved[i] + step * v);
    }
    double up = loss(p);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)saved[i] - step * ((double)x[i] > (double)saved[i] ? 1 : -1));
    double down = loss(p);
    memcpy(x, saved, n * sizeof *x);
    free(saved);
    double by_difference = (up - down) / (2 * step);
    ck_assert_msg(fabs(by_difference - by_gradient) <= 0.02 * sqrt(size) + 2e-3,
                  "%s: difference %.5f, gradient %.5f (norm %.5f)", name, by_difference, by_gradient, sqrt(size));
}

START_TEST(test_full)
{
    problem_t p;
    const int len[] = {7, 1, 12};
    problem_new(&p, configs[_i], 3, len);
    TINY_OK(pr_model_make_writable(p.m, err));
    size_t n, moving = 0;
    pr_model_tensor_t *t = pr_model_tensors(p.m, &n);
    float **grad = pr_alloc(n, sizeof *grad), *head = NULL;
    for (size_t i = 0; i < n; i++) {
        grad[i] = pr_alloc(t[i].n, sizeof(float));
        if (t[i].data == p.m->head.data)
            head = grad[i];
    }
    pr_grads_t g = {.adapter = -1, .weight_grad = grad};
    gradients(&p, &g, head);
    for (size_t i = 0; i < n; i++) {
        bool zero = true;
        for (size_t j = 0; j < t[i].n; j++)
            zero = zero && grad[i][j] == 0;
        moving += !zero;
        for (uint64_t k = 0; k < 3; k++)
            along_direction(&p, t[i].name, t[i].data, t[i].n, grad[i], 100 * i + k);
    }
    ck_assert_uint_eq(moving, n);
    for (size_t i = 0; i < n; i++)
        free(grad[i]);
    free(grad);
    free(t);
    problem_free(&p);
}
END_TEST

// Three adapters of different ranks, all rows of different mixes.
static void with_adapters(problem_t *p, pr_adapter_t *a[3], const float *mix)
{
    for (int k = 0; k < 3; k++)
        a[k] = tiny_adapter(p->m, 2 + k, (uint64_t)k);
    p->t.b.n_adapter = 3;
    p->t.b.adapter = (const pr_adapter_t *const *)a;
    p->t.b.mix = mix;
}

static void drop_adapters(pr_adapter_t *a[3])
{
    for (int k = 0; k < 3; k++)
        pr_adapter_free(&a[k]);
}

START_TEST(test_adapters)
{
    problem_t p;
    pr_adapter_t *a[3];
    const int len[] = {7, 5, 12, 3};
    const float mix[] = {0, 1, 0, 0.5f, 0.7f, 0.9f, 1, 0, 0, 0.4f, 0, 0.8f};
    problem_new(&p, configs[_i], 4, len);
    with_adapters(&p, a, mix);
    for (int k = 0; k < 3; k++) {
        float *grad = pr_alloc(a[k]->n_data, sizeof *grad);
        pr_grads_t g = {.adapter = k, .adapter_grad = grad};
        gradients(&p, &g, NULL);
        for (int i = 0; i < a[k]->n_layer * PR_N_SLOT; i++) {
            pr_lora_t *l = &a[k]->lora[i];
            int out, in;
            if (l->r == 0)
                continue;
            pr_slot_shape(&p.m->config, (pr_slot_t)(i % PR_N_SLOT), &out, &in);
            along_direction(&p, "A", l->a, (size_t)(l->r * in), grad + (l->a - a[k]->data), (uint64_t)i);
            along_direction(&p, "B", l->b, (size_t)(l->r * out), grad + (l->b - a[k]->data), (uint64_t)i);
        }
        free(grad);
    }
    drop_adapters(a);
    problem_free(&p);
}
END_TEST

/* Gradients of base weights and of an adapter in one pass, and each by itself. */
START_TEST(test_together)
{
    problem_t p;
    pr_adapter_t *a[3];
    const int len[] = {7, 5};
    const float mix[] = {0, 1, 0, 0.5f, 0.7f, 0.9f};
    size_t n;
    problem_new(&p, configs[_i], 2, len);
    with_adapters(&p, a, mix);
    pr_model_tensor_t *t = pr_model_tensors(p.m, &n);
    float **both = pr_alloc(n, sizeof *both), **alone = pr_alloc(n, sizeof *alone);
    float *grad = pr_alloc(2 * a[1]->n_data, sizeof *grad);
    for (size_t i = 0; i < n; i++) {
        both[i] = pr_alloc(t[i].n, sizeof(float));
        alone[i] = pr_alloc(t[i].n, sizeof(float));
    }
    pr_grads_t g[] = {{.adapter = 1, .adapter_grad = grad, .weight_grad = both},
                      {.adapter = 1, .adapter_grad = grad + a[1]->n_data},
                      {.adapter = -1, .weight_grad = alone}};
    for (int i = 0; i < 3; i++)
        gradients(&p, &g[i], NULL);
    ck_assert(memcmp(grad, grad + a[1]->n_data, a[1]->n_data * sizeof *grad) == 0);
    for (size_t i = 0; i < n; i++) {
        ck_assert(memcmp(both[i], alone[i], t[i].n * sizeof(float)) == 0);
        free(both[i]);
        free(alone[i]);
    }
    free(both);
    free(alone);
    free(grad);
    free(t);
    drop_adapters(a);
    problem_free(&p);
}
END_TEST

/* A batch of more rows than a block, with sequences longer than one, has the gradient of its halves. */
START_TEST(test_blocks)
{
    problem_t p;
    pr_adapter_t *a[3];
    const int len[] = {300, 40, 500};
    const float mix[] = {1, 0, 0, 1, 0, 0, 1, 0, 0};
    problem_new(&p, configs[_i], 3, len);
    with_adapters(&p, a, mix);
    size_t n = a[0]->n_data;
    float *whole = pr_alloc(n, sizeof *whole), *parts = pr_alloc(n, sizeof *parts);
    gradients(&p, &(pr_grads_t){.adapter = 0, .adapter_grad = whole}, NULL);
    for (int s = 0; s < 3; s++) {
        int start[2] = {0, len[s]};
        float *logp = pr_alloc((size_t)len[s], sizeof *logp);
        pr_batch_t b = p.t.b;
        b.n_seq = 1, b.seq_start = start, b.token = p.t.token + p.t.start[s];
        size_t first = (size_t)p.t.start[s] * (size_t)p.d;
        TINY_OK(pr_forward(p.run, &p.t.b, p.h, err)); // of all rows, so that the head's gradient is as before
        TINY_OK(pr_head_backward(p.m, pr_linalg_local(), p.rows, p.h, p.target, &sampling, loss_grad, NULL, p.dh, NULL,
                                 err));
        TINY_OK(pr_forward(p.run, &b, p.h, err));
        TINY_OK(pr_backward(p.run, &b, p.dh + first, &(pr_grads_t){.adapter = 0, .adapter_grad = parts}, err));
        free(logp);
    }
    tiny_close("in parts", n, parts, whole, 1e-4);
    free(whole);
    free(parts);
    drop_adapters(a);
    problem_free(&p);
}
END_TEST

/* An adapter of the upper layer only has the gradient that it has beside a lower one without effect. */
START_TEST(test_lowest_layer)
{
    problem_t p;
    pr_adapter_t *full = NULL, *upper = NULL;
    const int len[] = {9, 6};
    const float mix[] = {1, 1};
    problem_new(&p, configs[_i], 2, len);
    full = tiny_adapter(p.m, 3, 1);
    upper = tiny_adapter(p.m, 3, 1);
    float *g_full = pr_alloc(full->n_data, sizeof *g_full), *g_upper = pr_alloc(full->n_data, sizeof *g_upper);
    for (int s = 0; s < PR_N_SLOT; s++) {
        pr_lora_t *low = pr_adapter_at(full, 0, (pr_slot_t)s);
        int out, in;
        if (low->r == 0)
            continue;
        pr_slot_shape(&p.m->config, (pr_slot_t)s, &out, &in);
        memset(low->b, 0, (size_t)(out * low->r) * sizeof *low->b);
        pr_adapter_at(upper, 0, (pr_slot_t)s)->r = 0;
    }
    const pr_adapter_t *list[1] = {full};
    p.t.b.n_adapter = 1, p.t.b.adapter = list, p.t.b.mix = mix;
    gradients(&p, &(pr_grads_t){.adapter = 0, .adapter_grad = g_full}, NULL);
    list[0] = upper;
    gradients(&p, &(pr_grads_t){.adapter = 0, .adapter_grad = g_upper}, NULL);
    int compared = 0;
    for (int s = 0; s < PR_N_SLOT; s++) {
        pr_lora_t *l = pr_adapter_at(full, 1, (pr_slot_t)s);
        int out, in;
        if (l->r == 0)
            continue;
        pr_slot_shape(&p.m->config, (pr_slot_t)s, &out, &in);
        tiny_close("A", (size_t)(l->r * in), g_upper + (l->a - full->data), g_full + (l->a - full->data), 1e-5);
        tiny_close("B", (size_t)(l->r * out), g_upper + (l->b - full->data), g_full + (l->b - full->data), 1e-5);
        compared++;
    }
    ck_assert_int_gt(compared, 0);
    free(g_full);
    free(g_upper);
    pr_adapter_free(&full);
    pr_adapter_free(&upper);
    problem_free(&p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("backward");
    TCase *t = tcase_create("backward");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_full, 0, N_CONFIG);
    tcase_add_loop_test(t, test_adapters, 0, N_CONFIG);
    tcase_add_loop_test(t, test_together, 0, N_CONFIG);
    tcase_add_loop_test(t, test_blocks, 0, N_CONFIG);
    tcase_add_loop_test(t, test_lowest_layer, 0, N_CONFIG);
    suite_add_tcase(s, t);
    return run_suite(s);
}
