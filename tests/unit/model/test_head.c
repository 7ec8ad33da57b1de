// SPDX-License-Identifier: BSD-3-Clause
/* The head, the vocabulary's kernels and the choice of a token, against sums in double and against their
 * definitions. */
#include "model/kernels.h"
#include "unit/model/tiny_model.h"

static double noise(uint64_t i, uint64_t j)
{
    return pr_rng_normal(&tiny_key, i, j, 0, 5);
}

// log sum exp(x / t) in double.
static double reference_lse(int v, const float *x, double t)
{
    double m = -INFINITY, s = 0;
    for (int i = 0; i < v; i++)
        m = fmax(m, (double)x[i] / t);
    for (int i = 0; i < v; i++)
        s += exp((double)x[i] / t - m);
    return m + log(s);
}

START_TEST(test_log_softmax)
{
    const int sizes[] = {1, 2, 15, 16, 17, 1000, 1025, 151936};
    const double scales[] = {0.01, 1, 30};
    for (int s = 0; s < 8; s++)
        for (int k = 0; k < 3; k++) {
            int v = sizes[s];
            float *x = pr_alloc((size_t)v, sizeof *x), *y = pr_alloc((size_t)v, sizeof *y);
            for (int i = 0; i < v; i++)
                x[i] = y[i] = (float)(scales[k] * noise((uint64_t)i, (uint64_t)s) + 50);
            pr_log_softmax(1, v, y);
            double lse = reference_lse(v, x, 1);
            for (int i = 0; i < v; i++) {
                double expected = (double)x[i] - lse;
                ck_assert_double_eq_tol((double)y[i], expected, 1e-6 * fmax(fabs(expected), 1));
            }
            free(x);
            free(y);
        }
}
END_TEST

/* exp over its range: the polynomial's relative error. */
START_TEST(test_exp)
{
    double worst = 0, sums[400];
    enum { N = 90001 };
    float *x = pr_alloc(N + 3, sizeof *x), *e = pr_alloc(N + 3, sizeof *e);
    for (int i = 0; i < N; i++)
        x[i] = e[i] = -86.5f + (float)i * (86.5f / (N - 1));
    x[N] = e[N] = -1000, x[N + 1] = e[N + 1] = -INFINITY, x[N + 2] = e[N + 2] = NAN;
    pr_k_exp_chunks(N + 3, 0, 1, e, sums);
    for (int i = 0; i < N; i++)
        worst = fmax(worst, fabs((double)e[i] / exp((double)x[i]) - 1));
    ck_assert_msg(worst < 2e-7, "relative error %g", worst);
    ck_assert(e[N] >= 0 && e[N] < 1e-37f && e[N + 1] >= 0 && e[N + 1] < 1e-37f);
    ck_assert(isnan(e[N + 2]));
    free(x);
    free(e);
}
END_TEST

START_TEST(test_activations)
{
    enum { N = 2003 };
    float *x = pr_alloc(N, sizeof *x), *up = pr_alloc(N, sizeof *up), *h = pr_alloc(N, sizeof *h);
    float *dh = pr_alloc(N, sizeof *dh), *dg = pr_alloc(N, sizeof *dg), *du = pr_alloc(N, sizeof *du);
    for (int i = 0; i < N; i++) {
        x[i] = -10 + 20.0f * (float)i / (N - 1);
        up[i] = (float)noise((uint64_t)i, 3);
        dh[i] = (float)noise((uint64_t)i, 4);
    }
    for (int act = PR_ACT_SILU; act <= PR_ACT_RELU; act++)
        for (int glu = 0; glu < 2; glu++) {
            pr_k_activate((pr_act_t)act, N, glu ? x : NULL, glu ? up : x, h);
            pr_k_activate_backward((pr_act_t)act, N, glu ? x : NULL, glu ? up : x, dh, glu ? dg : NULL, du);
            for (int i = 0; i < N; i++) {
                double z = (double)x[i], u = glu ? (double)up[i] : 1, f, df;
                double inner = sqrt(2 / M_PI) * (z + 0.044715 * z * z * z), t = tanh(inner), s = 1 / (1 + exp(-z));
                if (act == PR_ACT_SILU)
                    f = z * s, df = s * (1 + z * (1 - s));
                else if (act == PR_ACT_GELU)
                    f = z * 0.5 * erfc(-z * M_SQRT1_2),
                    df = f / (z != 0 ? z : 1) + z * exp(-z * z / 2) / sqrt(2 * M_PI);
                else if (act == PR_ACT_GELU_NEW)
                    f = 0.5 * z * (1 + t),
                    df = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * z * z);
                else
                    f = z > 0 ? z : 0, df = z > 0;
                if (act == PR_ACT_GELU && z == 0)
                    df = 0.5;
                ck_assert_double_eq_tol((double)h[i], f * u, 3e-6);
                ck_assert_double_eq_tol((double)(glu ? dg[i] : du[i]), (double)dh[i] * df * u, 1e-5);
                if (glu)
                    ck_assert_double_eq_tol((double)du[i], (double)dh[i] * f, 1e-5);
            }
        }
    float *each[] = {x, up, h, dh, dg, du};
    for (int i = 0; i < 6; i++)
        free(each[i]);
}
END_TEST

typedef struct head_case {
    pr_model_t *m;
    int n, d, v;
    float *h;
    int32_t *target;
} head_case_t;

static head_case_t head_case(int n)
{
    head_case_t c = {.m = tiny_model(TINY_LLAMA, 21), .n = n};
    c.d = c.m->config.d_model;
    c.v = c.m->config.vocab;
    c.h = pr_alloc((size_t)(n * c.d), sizeof *c.h);
    c.target = pr_alloc((size_t)n, sizeof *c.target);
    for (int i = 0; i < n * c.d; i++)
        c.h[i] = (float)(2 * noise((uint64_t)i, 9));
    for (int i = 0; i < n; i++)
        c.target[i] = (int32_t)(i * 7 % c.v);
    return c;
}

static void head_case_free(head_case_t *c)
{
    free(c->h);
    free(c->target);
    pr_model_free(&c->m);
}

/* More rows than a block, any temperature: log-probabilities and entropies. */
START_TEST(test_logp)
{
    head_case_t c = head_case(700);
    float *logp = pr_alloc(700, sizeof *logp), *entropy = pr_alloc(700, sizeof *entropy);
    float *logits = pr_alloc((size_t)(700 * c.v), sizeof *logits);
    pr_head_logits(c.m, pr_linalg_local(), c.n, c.h, logits);
    for (double t = 0.5; t < 3; t *= 2) {
        TINY_OK(pr_head_logp(c.m, pr_linalg_local(), c.n, c.h, c.target, t, logp, entropy, err));
        for (int i = 0; i < c.n; i++) {
            const float *x = logits + i * c.v;
            double lse = reference_lse(c.v, x, t), h = 0;
            for (int j = 0; j < c.v; j++)
                h -= exp((double)x[j] / t - lse) * ((double)x[j] / t - lse);
            ck_assert_double_eq_tol((double)logp[i], (double)x[c.target[i]] / t - lse, 2e-5);
            ck_assert_double_eq_tol((double)entropy[i], h, 1e-5);
        }
    }
    free(logp);
    free(entropy);
    free(logits);
    head_case_free(&c);
}
END_TEST

START_TEST(test_head_errors)
{
    head_case_t c = head_case(3);
    float logp[3];
    pr_error_t e = {0};
    check_error("temperature", pr_head_logp(c.m, pr_linalg_local(), 3, c.h, c.target, 0, logp, NULL, &e), PR_ERR_CONFIG,
                e.text, "temperature|0");
    c.target[2] = 61;
    check_error("token", pr_head_logp(c.m, pr_linalg_local(), 3, c.h, c.target, 1, logp, NULL, &e), PR_ERR_FORMAT,
                e.text, "token id 61|61");
    head_case_free(&c);
}
END_TEST

typedef struct token_p {
    int id;
    double p;
} token_p_t;

static int by_probability(const void *a, const void *b)
{
    const token_p_t *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p) - (x->p > y->p) : x->id - y->id;
}

/* q [v]: what is drawn from, in double: softmax(x / t), of the nucleus alone when top_p < 1; must < 0, or a token that
 * the nucleus is made large enough for. */
static void distribution(int v, const float *x, double temperature, double top_p, int must, double *q)
{
    token_p_t *t = pr_alloc((size_t)v, sizeof *t);
    double lse = reference_lse(v, x, temperature), mass = 0;
    bool in = must < 0;
    for (int i = 0; i < v; i++)
        t[i] = (token_p_t){i, exp((double)x[i] / temperature - lse)};
    qsort(t, (size_t)v, sizeof *t, by_probability);
    for (int i = 0; i < v; i++) {
        bool kept = top_p == 1 || mass < top_p || !in;
        q[t[i].id] = kept ? t[i].p : 0;
        mass += q[t[i].id];
        in = in || t[i].id == must;
    }
    for (int i = 0; i < v; i++)
        q[i] /= mass;
    free(t);
}

typedef struct head_grad {
    bool entropy; // has a part in the loss
    float logp[500], h[500], g[500], g_entropy[500];
} head_grad_t;

static void some_gradient(void *self, int first, int n, const float *logp, const float *entropy, float *g,
                          float *g_entropy)
{
    head_grad_t *kept = self;
    for (int i = 0; i < n; i++) {
        ck_assert(logp[i] <= 0 && entropy[i] >= 0 && g_entropy[i] == 0);
        g[i] = kept->g[first + i] = (float)cos(first + i);
        if (kept->entropy)
            g_entropy[i] = (float)sin(3 * (first + i));
        kept->g_entropy[first + i] = g_entropy[i];
        kept->logp[first + i] = logp[i];
        kept->h[first + i] = entropy[i];
    }
}

typedef struct head_sums {
    head_grad_t g;
    double *dh, *dw; // [n,d], [v,d]
} head_sums_t;

// log q, the entropy of q and the derivatives by states and weights, from their definitions.
static void expect_row(const head_case_t *c, const pr_sampling_t *s, int i, const float *x, head_sums_t *e)
{
    double q[61], h = 0;
    distribution(c->v, x, s->temperature, s->top_p, c->target[i], q);
    for (int j = 0; j < c->v; j++)
        h -= q[j] > 0 ? q[j] * log(q[j]) : 0;
    ck_assert_double_eq_tol((double)e->g.logp[i], log(q[c->target[i]]), 2e-5);
    ck_assert_double_eq_tol((double)e->g.h[i], h, 1e-5);
    for (int j = 0; j < c->v; j++) {
        double dl = (double)e->g.g[i] * ((j == c->target[i]) - q[j]);
        if (q[j] > 0)
            dl -= (double)e->g.g_entropy[i] * q[j] * (log(q[j]) + h);
        for (int k = 0; k < c->d; k++) {
            e->dh[i * c->d + k] += dl / s->temperature * (double)c->m->head.data[j * c->d + k];
            e->dw[j * c->d + k] += dl / s->temperature * (double)c->h[i * c->d + k];
        }
    }
}

/* dlogits = 1/T [ g (onehot - q) - g_entropy q (log q + entropy) ], by hand, at temperatures and nuclei. */
START_TEST(test_head_backward)
{
    static const pr_sampling_t cases[] = {{false, 0.7, 1}, {false, 1, 0.8}, {false, 1.6, 0.5}, {false, 0.5, 1e-6}};
    head_case_t c = head_case(500);
    size_t nd = (size_t)(c.n * c.d), vd = (size_t)(c.v * c.d);
    float *dh = pr_alloc(nd, sizeof *dh), *dw = pr_alloc(vd, sizeof *dw), *dh2 = pr_alloc(nd, sizeof *dh2);
    float *logits = pr_alloc((size_t)(c.n * c.v), sizeof *logits);
    head_sums_t e = {.g.entropy = _i % 2, .dh = pr_alloc(nd, sizeof *e.dh), .dw = pr_alloc(vd, sizeof *e.dw)};
    const pr_sampling_t *s = &cases[_i / 2];
    TINY_OK(pr_head_backward(c.m, pr_linalg_local(), c.n, c.h, c.target, s, some_gradient, &e.g, dh, dw, err));
    pr_head_logits(c.m, pr_linalg_local(), c.n, c.h, logits);
    for (int i = 0; i < c.n; i++)
        expect_row(&c, s, i, logits + i * c.v, &e);
    for (size_t i = 0; i < nd; i++)
        ck_assert_double_eq_tol((double)dh[i], e.dh[i], 3e-5);
    for (size_t i = 0; i < vd; i++)
        ck_assert_double_eq_tol((double)dw[i], e.dw[i], 3e-4);
    TINY_OK(pr_head_backward(c.m, pr_linalg_local(), c.n, c.h, c.target, s, some_gradient, &e.g, dh2, NULL, err));
    ck_assert(memcmp(dh, dh2, nd * sizeof *dh) == 0);
    free(e.dh);
    free(e.dw);
    free(dh);
    free(dh2);
    free(dw);
    free(logits);
    head_case_free(&c);
}
END_TEST

/* ---- the next token ---- */

START_TEST(test_greedy)
{
    float x[40], logp;
    pr_sampling_t s = {.greedy = true};
    for (int first = 0; first < 40; first++) {
        for (int i = 0; i < 40; i++)
            x[i] = i >= first && i % 3 == first % 3 ? 2.5f : (float)noise((uint64_t)i, 1) - 3;
        double lse = reference_lse(40, x, 1);
        ck_assert_int_eq(pr_choose_token(&s, 40, x, 0.3, &logp), first);
        ck_assert_double_eq_tol((double)logp, 2.5 - lse, 1e-5);
    }
}
END_TEST

/* Over a fine grid of u, every token comes as often as its probability says: all of them, or the nucleus's. */
static void frequencies(int v, double scale, double temperature, double top_p)
{
    enum { N = 20000 };
    float *x = pr_alloc((size_t)v, sizeof *x), *copy = pr_alloc((size_t)v, sizeof *copy), logp;
    double *share = pr_alloc((size_t)v, sizeof *share), *expected = pr_alloc((size_t)v, sizeof *expected);
    for (int i = 0; i < v; i++)
        x[i] = (float)(scale * noise((uint64_t)i, 8));
    distribution(v, x, temperature, top_p, -1, expected);
    pr_sampling_t s = {.temperature = temperature, .top_p = top_p};
    for (int k = 0; k < N; k++) {
        memcpy(copy, x, (size_t)v * sizeof *x);
        int id = pr_choose_token(&s, v, copy, (k + 0.5) / N, &logp);
        ck_assert(id >= 0 && id < v);
        share[id] += 1.0 / N;
        ck_assert_double_eq_tol((double)logp, log(expected[id]), 2e-5);
    }
    for (int i = 0; i < v; i++) // a token's interval of u may gain or lose one grid point at each end
        ck_assert_msg(fabs(share[i] - expected[i]) < 2.5 / N, "v %d T %g p %g token %d: %g, expected %g", v,
                      temperature, top_p, i, share[i], expected[i]);
    free(x);
    free(copy);
    free(share);
    free(expected);
}

START_TEST(test_sampling)
{
    frequencies(40, 1, 1, 1);
    frequencies(700, 2, 0.7, 1);
    frequencies(1, 1, 1, 1);
}
END_TEST

START_TEST(test_top_p)
{
    frequencies(40, 1, 1, 0.5);
    frequencies(700, 2, 0.7, 0.9);
    frequencies(300, 0.1, 1.3, 0.99);
    frequencies(40, 3, 1, 1e-6); // the most probable only
}
END_TEST

/* The nucleus is that of the definition, ties by id; a token that has to be in it stretches it, what is no number
 * stays. */
START_TEST(test_nucleus)
{
    enum { V = 700 };
    float x[V];
    bool keep[V];
    double q[V];
    pr_sampling_t s = {.temperature = 0.9, .top_p = 0.6};
    for (int i = 0; i < V; i++)
        x[i] = (float)noise((uint64_t)(i / 2), 8); // in pairs of equal ones
    for (int must = -1; must < V; must += 50) {
        distribution(V, x, s.temperature, s.top_p, must, q);
        int first = 0;
        while (q[first] == 0)
            first++;
        pr_nucleus_keep(&s, V, x, must < 0 ? first : must, keep);
        for (int i = 0; i < V; i++)
            ck_assert_int_eq(keep[i], q[i] > 0);
    }
    x[77] = NAN;
    pr_nucleus_keep(&s, V, x, 3, keep);
    ck_assert(keep[77] && keep[3]);
}
END_TEST

/* A token that is not finite cannot pass for a choice. */
START_TEST(test_not_a_number)
{
    float x[300], logp;
    for (int kind = 0; kind < 4; kind++) {
        pr_sampling_t s = {.greedy = kind == 0, .temperature = 1, .top_p = kind == 1 ? 0.9 : 1};
        for (int i = 0; i < 300; i++)
            x[i] = kind == 3 || i == 150 ? NAN : 0.01f * (float)i;
        pr_choose_token(&s, 300, x, 0.5, &logp);
        ck_assert(!isfinite(logp));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("head");
    TCase *t = tcase_create("head");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_log_softmax);
    tcase_add_test(t, test_exp);
    tcase_add_test(t, test_activations);
    tcase_add_test(t, test_logp);
    tcase_add_test(t, test_head_errors);
    tcase_add_loop_test(t, test_head_backward, 0, 8);
    tcase_add_test(t, test_greedy);
    tcase_add_test(t, test_sampling);
    tcase_add_test(t, test_top_p);
    tcase_add_test(t, test_nucleus);
    tcase_add_test(t, test_not_a_number);
    suite_add_tcase(s, t);
    return run_suite(s);
}
