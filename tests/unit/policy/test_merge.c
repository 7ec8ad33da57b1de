// SPDX-License-Identifier: BSD-3-Clause
/* Mixes that merge map by map: on small matrices against the formulas written out, and on small models by the rules that
 * hold of all of them. */
#include "policy/ready.h"
#include "unit/model/tiny_model.h"

#include "base/mem.h"
#include "policy/pick.h"

enum { K = 3, ROWS = 37, COLS = 21, N = ROWS * COLS };

/* ---- one map, whole ---- */

typedef struct matrices {
    float *x[K]; // [ROWS,COLS]
    float *identity;
    pr_mix_part_t part[K];
    pr_mix_map_t m;
    double w[K];
} matrices_t;

/* Normal numbers, some zero, and some magnitudes that are equal. */
static void make(matrices_t *t, const double *w)
{
    static const char *const hashes[K] = {"aa", "bb", "cc"};
    *t = (matrices_t){.identity = pr_alloc((size_t)COLS * COLS, sizeof(float))};
    for (int i = 0; i < COLS; i++)
        t->identity[i * COLS + i] = 1;
    for (int k = 0; k < K; k++) {
        t->x[k] = pr_alloc(N, sizeof(float));
        for (int i = 0; i < N; i++)
            t->x[k][i] = i % 11 == 5   ? 0
                         : i % 7 == k  ? (i % 2 ? 0.25f : -0.25f)
                         : i % 13 == 2 ? -0.0f
                                       : (float)pr_rng_normal(&tiny_key, 5, (uint64_t)k, (uint64_t)i, 0);
        t->part[k] = (pr_mix_part_t){.w = w[k], .r = COLS, .left = t->x[k], .right = t->identity};
        memcpy(t->part[k].hash, hashes[k], 3);
        t->w[k] = w[k];
    }
    t->m = (pr_mix_map_t){.name = "map.weight", .rows = ROWS, .cols = COLS, .n = K, .part = t->part};
}

static void unmake(matrices_t *t)
{
    for (int k = 0; k < K; k++)
        free(t->x[k]);
    free(t->identity);
}

/* The merged change; the caller frees. */
static float *merged(const char *text, const pr_mix_map_t *m)
{
    const pr_mix_t *mix;
    json_t *o;
    float *w = pr_alloc((size_t)m->rows * (size_t)m->cols, sizeof *w);
    TINY_OK(pr_mix_parse(text, &mix, &o, err));
    if (pr_mix_kind(mix, o) == PR_MIX_DENSE) {
        TINY_OK(mix->change(o, m, w, err));
    } else {
        pr_mix_factors_t f;
        TINY_OK(mix->factors(o, m, &f, err));
        for (int i = 0; i < m->rows; i++)
            for (int t = 0; t < f.r; t++)
                for (int j = 0; j < m->cols; j++)
                    w[i * m->cols + j] += f.left[i * f.r + t] * f.right[t * m->cols + j];
        free(f.left);
        free(f.right);
    }
    json_decref(o);
    return w;
}

static void close_to(const char *what, const float *found, const double *expected, int n, double tolerance)
{
    double off = 0, whole = 0;
    for (int i = 0; i < n; i++) {
        off += pow((double)found[i] - expected[i], 2);
        whole += pow(expected[i], 2);
    }
    ck_assert_msg(sqrt(off) <= tolerance * (sqrt(whole) + 1e-30), "%s: off by %g of %g", what, sqrt(off), sqrt(whole));
}

/* ---- by the formulas ---- */

static const float *sorting;
static int by_size(const void *a, const void *b)
{
    int i = *(const int *)a, j = *(const int *)b;
    float x = fabsf(sorting[i]), y = fabsf(sorting[j]);
    return x != y ? (x < y) - (x > y) : (i > j) - (i < j);
}

/* The `first` largest are left out, the `kept` after them stay. */
static void keep(const float *x, int first, int kept, double *out)
{
    int order[N];
    for (int i = 0; i < N; i++)
        order[i] = i;
    sorting = x;
    qsort(order, N, sizeof *order, by_size);
    for (int i = 0; i < N; i++)
        out[order[i]] = i >= first && i < first + kept ? (double)x[order[i]] : 0;
}

static void combine(double x[K][N], const double *w, bool elect, bool normalize, double lambda, double *out)
{
    for (int i = 0; i < N; i++) {
        double sum = 0, y = 0, q = 0;
        for (int k = 0; k < K; k++)
            sum += w[k] * x[k][i];
        for (int k = 0; k < K; k++) {
            double v = w[k] * x[k][i];
            if (elect && !(sum >= 0 ? v > 0 : v < 0))
                continue;
            y += v;
            q += w[k];
        }
        out[i] = lambda * (normalize && q != 0 ? y / q : y);
    }
}

START_TEST(formulas)
{
    static const double simplex[] = {0.5, 0.3, 0.2}, sign[] = {1, -0.4, 0.3};
    static const struct {
        const char *mix;
        const double *w;
        double density, gamma, lambda;
        bool elect, normalize;
    } cases[] = {{"ties; density=0.5", simplex, 0.5, 0, 1, true, true},
                 {"ties; density=0.001; lambda=1.5", simplex, 0.001, 0, 1.5, true, true}, // one element each
                 {"ties; density=0.3; normalize=false", sign, 0.3, 0, 1, true, false},
                 {"ties", simplex, 1, 0, 1, true, true},
                 {"breadcrumbs; density=0.6; gamma=0.1", simplex, 0.6, 0.1, 1, false, false},
                 {"breadcrumbs; density=0.95; gamma=0.2; normalize=true", simplex, 0.95, 0.2, 1, false, true},
                 {"breadcrumbs_ties; density=0.6; gamma=0.1; lambda=-2", sign, 0.6, 0.1, -2, true, false},
                 {"dare_linear", sign, 1, 0, 1, false, false},
                 {"dare_ties; rescale=false", simplex, 1, 0, 1, true, false},
                 {"della", simplex, 1, 0, 1, true, true}};
    static double kept[K][N], expected[N];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        matrices_t t;
        make(&t, cases[c].w);
        int n = (int)(cases[c].density * N), large = (int)(cases[c].gamma * N);
        n = n > 0 ? n : 1;
        large = large < N - n ? large : N - n;
        for (int k = 0; k < K; k++)
            keep(t.x[k], large, n, kept[k]);
        combine(kept, t.w, cases[c].elect, cases[c].normalize, cases[c].lambda, expected);
        float *found = merged(cases[c].mix, &t.m);
        close_to(cases[c].mix, found, expected, N, 1e-6);
        free(found);
        unmake(&t);
    }
}
END_TEST

static void given_numbers(void *self, int row, int n, float *out)
{
    memcpy(out, (const float *)self + row * COLS, (size_t)(n * COLS) * sizeof *out);
}

/* Equal magnitudes: the lower index first; all, and none. */
START_TEST(picks)
{
    float *x = pr_alloc(N, sizeof *x);
    const uint64_t count[] = {0, 1, 100, 333, N - 1, N};
    pr_pick_t pick[6];
    double *expected = pr_alloc(N, sizeof *expected);
    for (int i = 0; i < N; i++)
        x[i] = (float)(i * 7 % 5); // 1/5 of each of 0 to 4
    ck_assert(pr_pick_find(ROWS, COLS, given_numbers, x, 6, count, pick));
    for (int c = 0; c < 6; c++) {
        uint64_t taken = 0;
        sorting = x;
        int order[N];
        for (int i = 0; i < N; i++)
            order[i] = i;
        qsort(order, N, sizeof *order, by_size);
        memset(expected, 0, N * sizeof *expected);
        for (uint64_t i = 0; i < count[c]; i++)
            expected[order[i]] = 1;
        for (int i = 0; i < N; i++) {
            bool takes;
            pr_pick_takes(&pick[c], 1, &x[i], &takes);
            ck_assert_msg(takes == (expected[i] != 0), "%d of %d: element %d", (int)count[c], N, i);
            taken += takes;
        }
        ck_assert_uint_eq(taken, count[c]);
    }
    free(x);
    free(expected);
}
END_TEST

/* A share of the elements stays, the same for all weights, others with another seed, adapter or tensor; over seeds the mean
 * is the whole; and larger ones of a row stay sooner in DELLA. */
START_TEST(chances)
{
    enum { SEEDS = 400 };
    static const char *const mixes[] = {"dare_linear; density=0.4", "della_linear; density=0.4; epsilon=0.3"};
    static const double alone[] = {1, 0, 0}, less[] = {0.25, 0, 0};
    matrices_t t, u;
    char text[128];
    make(&t, alone);
    make(&u, less);
    t.m.n = u.m.n = 1;
    for (int i = 0; i < N; i++) // nothing that is 0 anyway, rows with a known order
        t.x[0][i] = u.x[0][i] = (float)(1 + i * 8 % COLS);
    for (int c = 0; c < 2; c++) {
        double sum[N] = {0}, kept = 0, low = 0, high = 0;
        int same = 0;
        float *first = NULL;
        for (int seed = 0; seed < SEEDS; seed++) {
            snprintf(text, sizeof text, "%s; seed=%d", mixes[c], seed);
            float *a = merged(text, &t.m), *b = merged(text, &u.m);
            for (int i = 0; i < N; i++) {
                ck_assert_msg((a[i] != 0) == (b[i] != 0), "%s: the weight changes what is kept", text);
                ck_assert(fabsf(b[i] - 0.25f * a[i]) <= 1e-6f * fabsf(a[i]));
                sum[i] += (double)a[i] / SEEDS;
                kept += a[i] != 0;
                low += a[i] != 0 && t.x[0][i] <= 5;
                high += a[i] != 0 && t.x[0][i] > COLS - 5;
                same += first && (a[i] != 0) == (first[i] != 0);
            }
            free(b);
            if (first)
                free(a);
            else
                first = a;
        }
        ck_assert_msg(fabs(kept / SEEDS / N - 0.4) < 0.005, "%s: %g are kept", mixes[c], kept / SEEDS / N);
        ck_assert_msg(fabs((double)same / (SEEDS - 1) / N - (c ? 0.58 : 0.52)) < 0.02, "%s: seeds share %g", mixes[c],
                      (double)same / (SEEDS - 1) / N);
        ck_assert_msg(c ? low < 0.4 * high : fabs(low / high - 1) < 0.05, "%s: %g %g", mixes[c], low, high);
        double off = 0, whole = 0;
        for (int i = 0; i < N; i++) {
            off += sum[i] - (double)t.x[0][i];
            whole += (double)t.x[0][i];
        }
        ck_assert_msg(fabs(off / whole) < 0.01, "%s: the mean is off by %g", mixes[c], off / whole);
        for (int i = 0; i < 2; i++) { // another tensor, another adapter
            int differ = 0;
            t.m.name = i == 0 ? "other.weight" : "map.weight";
            memcpy(t.part[0].hash, i == 0 ? "aa" : "ab", 3);
            snprintf(text, sizeof text, "%s; seed=0", mixes[c]);
            float *a = merged(text, &t.m);
            for (int j = 0; j < N; j++)
                differ += (a[j] != 0) != (first[j] != 0);
            ck_assert_msg(differ > N / 4, "%s: %d", mixes[c], differ);
            free(a);
        }
        t.m.name = "map.weight";
        memcpy(t.part[0].hash, "aa", 3);
        free(first);
    }
    unmake(&t);
    unmake(&u);
}
END_TEST

/* ---- means on the sphere ---- */

/* Part k is one number at place k of its own, and nothing else. */
static void make_axes(matrices_t *t, const double *w, const double *length)
{
    make(t, w);
    for (int k = 0; k < K; k++) {
        memset(t->x[k], 0, N * sizeof(float));
        t->x[k][k * (COLS + 1)] = (float)length[k];
    }
}

START_TEST(spheres)
{
    static const double equal[] = {2, 2, 2}, ones[] = {1, 1, 1}, two[] = {0.75, 0.25, 0}, lengths[] = {3, 3, 1};
    static double expected[N];
    matrices_t t;
    for (int c = 0; c < 2; c++) { // at right angles: the middle of the octant
        make_axes(&t, equal, ones);
        memset(expected, 0, sizeof expected);
        for (int k = 0; k < K; k++)
            expected[k * (COLS + 1)] = 1 / sqrt(3);
        float *found = merged(c ? "karcher" : "multislerp", &t.m);
        close_to(c ? "karcher" : "multislerp", found, expected, N, 1e-6);
        free(found);
        unmake(&t);
    }
    // Along a quarter of a circle, at t = 1/4; of the Karcher mean of two that is the same direction, as long as the mean.
    for (int c = 0; c < 2; c++) {
        make_axes(&t, two, lengths);
        t.m.n = 2;
        memset(expected, 0, sizeof expected);
        expected[0] = 3 * cos(M_PI / 8);
        expected[COLS + 1] = 3 * sin(M_PI / 8);
        float *found = merged(c ? "karcher; max_iter=100; tol=1e-9" : "nuslerp", &t.m);
        close_to(c ? "karcher" : "nuslerp", found, expected, N, 1e-6);
        free(found);
        unmake(&t);
    }
    make_axes(&t, two, lengths); // opposite: nothing between them
    t.m.n = 2;
    memcpy(t.x[1], t.x[0], N * sizeof(float));
    t.x[1][0] = -t.x[0][0];
    t.part[0].w = t.part[1].w = 1;
    const pr_mix_t *mix;
    json_t *o;
    pr_mix_factors_t f;
    pr_error_t e = {0};
    TINY_OK(pr_mix_parse("multislerp", &mix, &o, err));
    check_error("cancel", mix->factors(o, &t.m, &f, &e), PR_ERR_NUMERIC, e.text, "map.weight|cancel");
    json_decref(o);
    unmake(&t);
}
END_TEST

/* nuslerp of every row, and of every column, is that of the rows as maps of their own. */
START_TEST(vectors)
{
    static const double w[] = {0.6, 0.4, 0};
    static double expected[N];
    matrices_t t;
    make(&t, w);
    t.m.n = 2;
    for (int by_column = 0; by_column < 2; by_column++) {
        int n = by_column ? COLS : ROWS, len = by_column ? ROWS : COLS, step = by_column ? COLS : 1;
        for (int v = 0; v < n; v++) {
            double aa = 0, ab = 0, bb = 0;
            const float *x = t.x[0] + v * (by_column ? 1 : COLS), *y = t.x[1] + v * (by_column ? 1 : COLS);
            for (int i = 0; i < len; i++) {
                aa += (double)x[i * step] * (double)x[i * step];
                ab += (double)x[i * step] * (double)y[i * step];
                bb += (double)y[i * step] * (double)y[i * step];
            }
            double angle = acos(ab / sqrt(aa * bb));
            for (int i = 0; i < len; i++)
                expected[v * (by_column ? 1 : COLS) + i * step] =
                    (sin(0.6 * angle) * (double)x[i * step] + sin(0.4 * angle) * (double)y[i * step]) / sin(angle);
        }
        const char *text =
            by_column ? "nuslerp; nuslerp_flatten=false; nuslerp_row_wise=true" : "nuslerp; nuslerp_flatten=false";
        float *found = merged(text, &t.m);
        close_to(text, found, expected, N, 1e-5);
        free(found);
    }
    unmake(&t);
}
END_TEST

/* ---- points that have no weights ---- */

START_TEST(unweighted)
{
    static const double w[] = {1, 2, 3};
    static double expected[N];
    matrices_t t;
    make(&t, w);
    int alone[K] = {0}, shared[K] = {0};
    for (int i = 0; i < N; i++) {
        int n = 0, last = 0;
        for (int k = 0; k < K; k++)
            if (fabsf(t.x[k][i]) > 0.5f)
                n++, last = k;
        alone[last] += n == 1;
        for (int k = 0; k < K; k++)
            shared[k] += n > 1 && fabsf(t.x[k][i]) > 0.5f;
    }
    for (int plus = 0; plus < 2; plus++) {
        for (int i = 0; i < N; i++) {
            double sum = 0;
            int n = 0, last = 0;
            for (int k = 0; k < K; k++)
                if (fabsf(t.x[k][i]) > 0.5f) {
                    sum += (double)t.x[k][i];
                    n++;
                    last = k;
                }
            double more = plus ? 1 + 0.3 * fmin((double)shared[last] / alone[last], 0.8) : 1;
            expected[i] = n == 0 ? 0 : n == 1 ? more * sum : sum / n;
        }
        const char *text = plus ? "ramplus_tl; epsilon=0.5; r=0.3; alpha=0.8" : "ram; epsilon=0.5";
        float *found = merged(text, &t.m);
        close_to(text, found, expected, N, 1e-6);
        free(found);
    }
    // Of SCE all elements, by the mean squares.
    double square[K] = {0};
    for (int k = 0; k < K; k++)
        for (int i = 0; i < N; i++)
            square[k] += (double)t.x[k][i] * (double)t.x[k][i];
    for (int i = 0; i < N; i++) {
        double sum = 0, y = 0, q = 0;
        for (int k = 0; k < K; k++)
            sum += (double)t.x[k][i];
        for (int k = 0; k < K; k++)
            if (sum >= 0 ? t.x[k][i] > 0 : t.x[k][i] < 0) {
                y += square[k] * (double)t.x[k][i];
                q += square[k];
            }
        expected[i] = q > 0 ? y / q : 0;
    }
    float *found = merged("sce", &t.m), *half = merged("sce; select_topk=0.5", &t.m);
    close_to("sce", found, expected, N, 1e-6);
    int kept = 0;
    for (int i = 0; i < N; i++)
        kept += half[i] != 0;
    ck_assert_msg(kept > N * 2 / 5 && kept <= N / 2, "%d of %d", kept, N);
    free(found);
    free(half);
    unmake(&t);
}
END_TEST

/* ---- small models ---- */

typedef struct setup {
    pr_model_t *m;
    pr_adapter_t *a[K];
} setup_t;

static void setup(setup_t *s, const char *config)
{
    *s = (setup_t){.m = tiny_model(config, 41)};
    for (int k = 0; k < K; k++)
        s->a[k] = tiny_adapter(s->m, 2 + k, (uint64_t)k);
}

static void teardown(setup_t *s)
{
    for (int k = 0; k < K; k++)
        pr_adapter_free(&s->a[k]);
    pr_model_free(&s->m);
}

static const int32_t ids[] = {5, 9, 2, 40, 17, 3, 8};
enum { TOKENS = sizeof ids / sizeof *ids };

/* Logits of the policy of adapters `order`, w [n,blocks]; the caller frees. */
static float *says(const setup_t *s, const char *text, int n, const int *order, const double *w)
{
    const pr_mix_t *mix;
    json_t *o;
    pr_ready_t r;
    const pr_adapter_t *adapter[K];
    int start[] = {0, TOKENS}, v = s->m->config.vocab;
    float *out = pr_alloc((size_t)(TOKENS * v), sizeof *out);
    TINY_OK(pr_mix_parse(text, &mix, &o, err));
    for (int k = 0; k < n; k++)
        adapter[k] = s->a[order[k]];
    pr_mix_parts_t parts = {.team = pr_team_local(),
                            .model = &s->m->config,
                            .n = n,
                            .adapter = adapter,
                            .w = w,
                            .blocks = pr_mix_blocks(mix, o)};
    TINY_OK(pr_ready_make(s->m, pr_linalg_local(), mix, o, &parts, &r, err));
    TINY_OK(pr_policy_logits(&r.policy, 1, start, ids, r.w, true, out, err));
    pr_ready_clear(&r);
    json_decref(o);
    return out;
}

static const int plain[] = {0, 1, 2}, turned[] = {2, 0, 1};

static double apart(const setup_t *s, const float *a, const float *b)
{
    double off = 0, whole = 0;
    for (int i = 0; i < TOKENS * s->m->config.vocab; i++) {
        off += pow((double)(a[i] - b[i]), 2);
        whole += pow((double)b[i], 2);
    }
    return sqrt(off / whole);
}

/* Compares and frees a; tolerance 0: byte for byte. */
static void is(const setup_t *s, const char *what, float *a, const float *b, double tolerance)
{
    size_t n = (size_t)(TOKENS * s->m->config.vocab);
    if (tolerance == 0)
        ck_assert_msg(memcmp(a, b, n * sizeof *a) == 0, "%s: other bytes, off by %g", what, apart(s, a, b));
    else
        ck_assert_msg(apart(s, a, b) < tolerance, "%s: off by %g", what, apart(s, a, b));
    free(a);
}

static const char *const all[] = {"linear",
                                  "params; lambda=0.7; normalize=true",
                                  "params; rank=3",
                                  "ties; density=0.4",
                                  "ties; density=0.4; space=core",
                                  "dare_linear; density=0.6; seed=3",
                                  "dare_linear; density=0.6; seed=3; space=core",
                                  "dare_ties; density=0.6; seed=3",
                                  "della; density=0.6",
                                  "della_linear; density=0.6",
                                  "breadcrumbs; density=0.5",
                                  "breadcrumbs_ties; density=0.5",
                                  "multislerp",
                                  "multislerp; space=weights",
                                  "karcher",
                                  "karcher; space=weights",
                                  "sce; select_topk=0.5",
                                  "sce; select_topk=0.5; space=core",
                                  "ram",
                                  "ramplus_tl"};

/* An expert alone, an absent one, the order, equal blocks. */
static void rules_of(const setup_t *s, const char *text)
{
    static const double w[] = {0.5, 0.3, 0.2}, two[] = {0.5, 0, 0.2}, there[] = {0.5, 0.2},
                        rows[] = {0.5, 0.5, 0.3, 0.3, 0.2, 0.2};
    static const double back[] = {0.2, 0.5, 0.3};
    static const int others[] = {0, 2};
    char with[128];
    float *expected = says(s, text, 3, plain, w);
    bool merges = !strstr(text, "linear") || strstr(text, "_linear"); // what is run adds parts in their order
    merges = merges && (!strstr(text, "params") || strstr(text, "rank"));
    is(s, text, says(s, text, 3, turned, back), expected, merges ? 0 : 1e-5);
    snprintf(with, sizeof with, "%s; blocks=2", text);
    is(s, with, says(s, with, 3, plain, rows), expected, merges ? 0 : 1e-5);
    free(expected);
    expected = says(s, text, 2, others, there);
    is(s, text, says(s, text, 3, plain, two), expected, 0);
    free(expected);
}

START_TEST(rules)
{
    static const char *const configs[] = {TINY_QWEN3, TINY_GPT2};
    static const char *const whole[] = {"linear",           "ties",
                                        "ties; space=core", "dare_linear",
                                        "dare_ties",        "della",
                                        "della_linear",     "breadcrumbs; gamma=0",
                                        "breadcrumbs",      "breadcrumbs_ties",
                                        "multislerp",       "karcher",
                                        "nuslerp",          "sce"};
    static const char *const none[] = {
        "ties; density=0",         "dare_linear; density=0", "dare_ties; density=0",        "della; density=0",
        "della_linear; density=0", "breadcrumbs; density=0", "ties; density=0; space=core", "sce; select_topk=0"};
    static const double second[] = {0, 1, 0}, w[] = {0.5, 0.3, 0.2}, zero[] = {0, 0, 0};
    for (size_t c = 0; c < sizeof configs / sizeof *configs; c++) {
        setup_t s;
        setup(&s, configs[c]);
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            rules_of(&s, all[i]);
        float *expert = says(&s, "params", 3, plain, second), *base = says(&s, "params", 3, plain, zero);
        for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
            is(&s, whole[i], says(&s, whole[i], 3, plain, second), expert, 0);
        for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
            is(&s, none[i], says(&s, none[i], 3, plain, w), base, 1e-7);
            is(&s, none[i], says(&s, none[i], 3, plain, zero), base, 1e-7);
        }
        // What drops nothing is the weighted sum, dense, in the core and as it is run.
        float *sum = says(&s, "params", 3, plain, w);
        is(&s, "dense sum", says(&s, "dare_linear", 3, plain, w), sum, 1e-5);
        is(&s, "sum in the core", says(&s, "dare_linear; space=core", 3, plain, w), sum, 1e-5);
        is(&s, "all ranks", says(&s, "params; rank=9", 3, plain, w), sum, 1e-5);
        float *core = says(&s, "ties; density=0.4; space=core", 3, plain, w);
        ck_assert(apart(&s, core, sum) > 1e-2);
        free(core);
        free(sum);
        free(expert);
        free(base);
        teardown(&s);
    }
}
END_TEST

/* ---- fewer ranks ---- */

/* The nearest adapter of a dense change, and of an adapter, are the same, and lose the same. */
START_TEST(truncated)
{
    static const char *const configs[] = {TINY_QWEN3, TINY_GPT2};
    static const double w[] = {0.5, 0.3, 0.2};
    for (size_t c = 0; c < sizeof configs / sizeof *configs; c++) {
        setup_t s;
        const pr_mix_t *mix;
        json_t *o;
        pr_merged_t *m = NULL;
        setup(&s, configs[c]);
        size_t n = (size_t)s.m->config.n_layer * PR_N_SLOT;
        pr_rank_loss_t *dense = pr_alloc(n, sizeof *dense), *low = pr_alloc(n, sizeof *low);
        TINY_OK(pr_mix_parse("dare_linear", &mix, &o, err));
        pr_mix_parts_t parts = {.team = pr_team_local(),
                                .model = &s.m->config,
                                .n = K,
                                .adapter = (const pr_adapter_t *const *)s.a,
                                .w = w};
        TINY_OK(pr_merge(mix, o, &parts, &m, err));
        ck_assert_ptr_null(pr_merged_adapter(m));
        for (int rank = 2; rank <= 9; rank += 7) { // 9 is all of them
            pr_adapter_t *a = NULL, *b = NULL;
            TINY_OK(pr_delta_truncate(pr_merged_delta(m), &s.m->config, rank, dense, &a, err));
            TINY_OK(pr_adapter_concat(parts.adapter, w, K, &s.m->config, &b, err));
            TINY_OK(pr_adapter_truncate(&b, &s.m->config, rank, low, err));
            ck_assert_int_eq(pr_adapter_rank(a), rank);
            ck_assert_int_eq(pr_adapter_rank(b), rank);
            for (size_t i = 0; i < n; i++) {
                ck_assert_msg(fabs(dense[i].whole - low[i].whole) <= 1e-5 * low[i].whole, "%zu: %g %g", i,
                              dense[i].whole, low[i].whole);
                ck_assert_msg(fabs(dense[i].lost - low[i].lost) <= 1e-5 * low[i].whole, "%zu: %g %g", i, dense[i].lost,
                              low[i].lost);
                ck_assert(rank == 9 || low[i].whole == 0 || low[i].lost > 0.01 * low[i].whole);
            }
            const double one = 1;
            setup_t of_dense = {.m = s.m, .a = {a}}, of_low = {.m = s.m, .a = {b}};
            float *expected = says(&of_low, "params", 1, plain, &one);
            is(&s, "truncated", says(&of_dense, "params", 1, plain, &one), expected, 1e-4);
            free(expected);
            pr_adapter_free(&a);
            pr_adapter_free(&b);
        }
        pr_merged_free(&m);
        json_decref(o);
        free(dense);
        free(low);
        teardown(&s);
    }
}
END_TEST

/* ---- what is refused ---- */

START_TEST(refusals)
{
    static const double w[] = {0.5, 0.3, 0.2}, sign[] = {1, -0.5, -0.5};
    static const struct {
        const char *mix;
        const double *w; // NULL: the text is refused
        const char *words;
    } cases[] = {{"ties; densty=0.5", NULL, "densty|density"},
                 {"ties; density=1.5", NULL, "density|1.5|0 to 1"},
                 {"ties; space=cor", NULL, "space|core"},
                 {"della; density=0.9; epsilon=0.15", NULL, "epsilon|0.15|0.1"},
                 {"multislerp; space=weights; normalize_weights=false", NULL, "normalize_weights|weights"},
                 {"nuslerp; space=weights; nuslerp_flatten=false", NULL, "nuslerp_flatten|deltas"},
                 {"slerp", NULL, "left out|nuslerp"},
                 {"model_stock", NULL, "left out|base model"},
                 {"nearswap", NULL, "left out"},
                 {"arcee_fusion", NULL, "left out"},
                 {"passthrough", NULL, "left out|layers"},
                 {"params; rank=0", NULL, "rank"},
                 {"nuslerp", w, "nuslerp|two"},
                 {"linear", sign, "sum"},
                 {"ties", sign, "normalize|-0.5"},
                 {"params; normalize=true", sign, "normalize|-0.5"},
                 {"dare_ties; normalize=true", sign, "normalize|-0.5"},
                 {"multislerp", sign, "multislerp|-0.5"},
                 {"karcher", sign, "karcher|-0.5"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pr_mix_t *mix;
        json_t *o = NULL;
        pr_error_t e = {0};
        pr_status_t status = pr_mix_parse(cases[i].mix, &mix, &o, &e);
        if (cases[i].w) {
            ck_assert_msg(status == PR_OK, "%s: %s", cases[i].mix, e.text);
            status = pr_mix_check(mix, o, K, 1, cases[i].w, &e);
            json_decref(o);
        }
        check_error(cases[i].mix, status, strstr(cases[i].words, "left out") ? PR_ERR_UNSUPPORTED : PR_ERR_CONFIG,
                    e.text, cases[i].words);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("merge");
    TCase *t = tcase_create("merge");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, formulas);
    tcase_add_test(t, picks);
    tcase_add_test(t, chances);
    tcase_add_test(t, spheres);
    tcase_add_test(t, vectors);
    tcase_add_test(t, unweighted);
    tcase_add_test(t, rules);
    tcase_add_test(t, truncated);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return run_suite(s);
}
