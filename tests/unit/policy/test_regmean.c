// SPDX-License-Identifier: BSD-3-Clause
/* RegMean against its formula on full matrices, on every fixture, and what must hold of Gram matrices and merging. */
#include "policy/regmean.h"
#include "unit/model/fixture_files.h"

enum { K_MAX = 4, NEW_TOKENS = 10 };

static char models[FIXTURE_MAX][512];
static int n_models;

typedef struct setup {
    fixture_t f;
    const pr_model_config_t *c;
    int k;
    pr_adapter_t *adapter[K_MAX];
    const pr_adapter_t *const *expert;
    pr_grams_t *grams[K_MAX];
    bool *need;
    int *start;
    int32_t *ids;
    pr_gram_options_t o;
} setup_t;

static void prompts(setup_t *s)
{
    json_t *list = json_object_get(s->f.json, "prompt_ids");
    int n_prompt = (int)json_array_size(list);
    s->start = pr_alloc((size_t)n_prompt + 1, sizeof *s->start);
    for (int i = 0; i < n_prompt; i++) {
        int n;
        int32_t *one = fixture_int_list(json_array_get(list, (size_t)i), &n);
        s->ids = pr_realloc(s->ids, (size_t)(s->start[i] + n), sizeof *s->ids);
        memcpy(s->ids + s->start[i], one, (size_t)n * sizeof *one);
        s->start[i + 1] = s->start[i] + n;
        free(one);
    }
    s->o = (pr_gram_options_t){.n_prompt = n_prompt,
                               .prompt_start = s->start,
                               .prompt_ids = s->ids,
                               .max_new_tokens = NEW_TOKENS,
                               .off_diagonal = 0.9,
                               .ridge = 1e-6};
}

static void setup(setup_t *s, const char *dir)
{
    *s = (setup_t){.f = fixture_open(dir, false)};
    s->c = &s->f.m->config;
    s->k = fixture_adapters(&s->f, s->adapter, K_MAX);
    s->expert = (const pr_adapter_t *const *)s->adapter;
    s->need = pr_alloc((size_t)s->c->n_layer * PR_N_GROUP, sizeof *s->need);
    for (int k = 0; k < s->k; k++)
        pr_gram_groups(s->adapter[k], s->need);
    prompts(s);
    for (int k = 0; k < s->k; k++)
        FIXTURE_OK(pr_grams_new(s->f.m, pr_team_local(), s->adapter[k], s->need, &s->o, &s->grams[k], err));
}

static void teardown(setup_t *s)
{
    for (int k = 0; k < s->k; k++) {
        pr_grams_free(&s->grams[k]);
        pr_adapter_free(&s->adapter[k]);
    }
    free(s->need);
    free(s->start);
    free(s->ids);
    fixture_close_all(&s->f);
}

static pr_adapter_t *merge(const setup_t *s, const double *w, pr_grams_t *const *grams)
{
    pr_adapter_t *a = NULL;
    FIXTURE_OK(pr_regmean(pr_team_local(), s->c, s->k, s->expert, w, (const pr_grams_t *const *)grams, &a, err));
    return a;
}

static double *matrix_of(const pr_grams_t *g, int layer, pr_group_t group, int d)
{
    double *out = pr_alloc((size_t)d * (size_t)d, sizeof *out);
    const pr_spd_t *m = pr_grams_matrix(g, layer, group);
    ck_assert_ptr_nonnull(m);
    pr_dense_local()->get(pr_dense_local(), m, out);
    return out;
}

static void close_doubles(const char *what, size_t n, const double *found, const double *expected, double tolerance)
{
    double scale = 0;
    for (size_t i = 0; i < n; i++)
        scale = fmax(scale, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(found[i] - expected[i]) <= tolerance * scale, "%s: at %zu found %.9g, expected %.9g", what,
                      i, found[i], expected[i]);
}

/* ---- what the run's observer sees ---- */

/* Inputs of all maps of one pass, [layer][group] with rows one behind the other. */
typedef struct seen {
    int n_layer, *width;
    float **x;
    int *n;
} seen_t;

static void see(void *self, int layer, int group, int n, const float *x, int ldx)
{
    seen_t *s = self;
    int i = layer * PR_N_GROUP + group, width = s->width[group];
    s->x[i] = pr_realloc(s->x[i], (size_t)(s->n[i] + n) * (size_t)width, sizeof(float));
    for (int r = 0; r < n; r++)
        memcpy(s->x[i] + (size_t)(s->n[i] + r) * (size_t)width, x + (size_t)r * (size_t)ldx,
               (size_t)width * sizeof(float));
    s->n[i] += n;
}

static seen_t seen_new(const pr_model_config_t *c)
{
    seen_t s = {.n_layer = c->n_layer};
    s.width = pr_alloc(PR_N_GROUP, sizeof *s.width);
    s.x = pr_alloc((size_t)c->n_layer * PR_N_GROUP, sizeof *s.x);
    s.n = pr_alloc((size_t)c->n_layer * PR_N_GROUP, sizeof *s.n);
    int in[PR_N_GROUP] = {c->d_model, c->n_head * c->head_dim, c->d_model, c->d_ff};
    memcpy(s.width, in, sizeof in);
    return s;
}

static void seen_clear(seen_t *s)
{
    for (int i = 0; i < s->n_layer * PR_N_GROUP; i++)
        free(s->x[i]);
    free(s->x);
    free(s->n);
    free(s->width);
}

static double weight_at(const pr_weight_t *w, int out, int in)
{
    return (double)(w->transposed ? w->data[(size_t)in * (size_t)w->ld + (size_t)out]
                                  : w->data[(size_t)out * (size_t)w->ld + (size_t)in]);
}

// y [out] += W x + bias
static void add_product(const pr_layer_t *l, int slot, const float *x, double *y)
{
    for (int o = 0; o < l->w[slot].out; o++) {
        y[o] += l->bias[slot] ? (double)l->bias[slot][o] : 0;
        for (int i = 0; i < l->w[slot].in; i++)
            y[o] += weight_at(&l->w[slot], o, i) * (double)x[i];
    }
}

static void normalise(const pr_model_config_t *c, const float *w, const float *b, const double *x, double *y)
{
    double mean = 0, square = 0;
    for (int i = 0; i < c->d_model && c->arch == PR_ARCH_GPT2; i++)
        mean += x[i] / c->d_model;
    for (int i = 0; i < c->d_model; i++)
        square += (x[i] - mean) * (x[i] - mean) / c->d_model;
    for (int i = 0; i < c->d_model; i++)
        y[i] = (x[i] - mean) / sqrt(square + c->norm_eps) * (double)w[i] + (b ? (double)b[i] : 0);
}

// One row through a layer of the base model: the inputs seen must be the norms' outputs and explain what is added.
static void explain_row(const setup_t *s, const seen_t *seen, int layer, int row, const float *before,
                        const float *after)
{
    int d = s->c->d_model;
    const pr_layer_t *l = &s->f.m->layer[layer];
    const float *x[PR_N_GROUP];
    double *stream = pr_alloc((size_t)d, sizeof *stream), *h = pr_alloc((size_t)d, sizeof *h);
    double *found = pr_alloc((size_t)d, sizeof *found);
    for (int g = 0; g < PR_N_GROUP; g++)
        x[g] = seen->x[layer * PR_N_GROUP + g] + (size_t)row * (size_t)seen->width[g];
    for (int i = 0; i < d; i++)
        stream[i] = (double)before[i];
    for (int half = 0; half < 2; half++) {
        const float *read = x[half ? PR_GROUP_FF : PR_GROUP_QKV];
        normalise(s->c, half ? l->norm2_w : l->norm1_w, half ? l->norm2_b : l->norm1_b, stream, h);
        for (int i = 0; i < d; i++)
            found[i] = (double)read[i];
        close_doubles("input of a norm's maps", (size_t)d, found, h, 1e-4);
        add_product(l, half ? PR_SLOT_DOWN : PR_SLOT_O, x[half ? PR_GROUP_DOWN : PR_GROUP_O], stream);
    }
    for (int i = 0; i < d; i++)
        found[i] = (double)after[i];
    close_doubles("the residual stream", (size_t)d, found, stream, 1e-4);
    free(stream);
    free(h);
    free(found);
}

START_TEST(test_observer)
{
    setup_t s;
    pr_run_t *run = NULL;
    setup(&s, models[_i]);
    seen_t seen = seen_new(s.c);
    int rows = s.start[s.o.n_prompt], d = s.c->d_model;
    float *x = pr_alloc((size_t)rows * (size_t)d, sizeof *x), *before = pr_alloc((size_t)rows * (size_t)d, sizeof *x);
    pr_batch_t b = {.n_seq = s.o.n_prompt, .seq_start = s.start, .token = s.ids};
    FIXTURE_OK(pr_run_new(s.f.m, pr_linalg_local(), false, &run, err));
    pr_run_observe(run, see, &seen);
    FIXTURE_OK(pr_embed(run, &b, x, err));
    for (int l = 0; l < s.c->n_layer; l++) {
        memcpy(before, x, (size_t)rows * (size_t)d * sizeof *x);
        FIXTURE_OK(pr_layers(run, &b, l, l + 1, x, err));
        for (int g = 0; g < PR_N_GROUP; g++)
            ck_assert_int_eq(seen.n[l * PR_N_GROUP + g], rows);
        for (int r = 0; r < rows; r++)
            explain_row(&s, &seen, l, r, before + (size_t)r * (size_t)d, x + (size_t)r * (size_t)d);
    }
    pr_run_observe(run, NULL, NULL);
    FIXTURE_OK(pr_layers(run, &b, 0, 1, before, err));
    ck_assert_int_eq(seen.n[0], rows); // nobody was told
    pr_run_free(&run);
    seen_clear(&seen);
    free(x);
    free(before);
    teardown(&s);
}
END_TEST

/* ---- Gram matrices ---- */

// Everything that an expert's maps read in prompts and its own greedy responses, sequence by sequence.
static void see_expert(const setup_t *s, int k, seen_t *seen)
{
    const double one = 1;
    pr_run_t *run = NULL;
    pr_decoded_t d;
    pr_policy_t p = {s->f.m, pr_linalg_local(), 1, s->expert + k, &pr_mix_params, NULL};
    pr_decode_options_t o = {.sampling = {.greedy = true}, .max_new_tokens = NEW_TOKENS, .no_cache = true};
    FIXTURE_OK(pr_decode(&p, 1, &one, s->o.n_prompt, s->start, s->ids, &o, &d, err));
    FIXTURE_OK(pr_run_new(s->f.m, pr_linalg_local(), false, &run, err));
    pr_run_observe(run, see, seen);
    for (int i = 0; i < s->o.n_prompt; i++) {
        const float mix = 1;
        int head = s->start[i + 1] - s->start[i], tail = (int)(d.start[i + 1] - d.start[i]) - 1;
        int start[2] = {0, head + tail};
        int32_t *ids = pr_alloc((size_t)start[1], sizeof *ids);
        float *h = pr_alloc((size_t)start[1] * (size_t)s->c->d_model, sizeof *h);
        memcpy(ids, s->ids + s->start[i], (size_t)head * sizeof *ids);
        memcpy(ids + head, d.ids + d.start[i], (size_t)tail * sizeof *ids);
        pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = ids, .n_adapter = 1, .adapter = s->expert + k};
        b.mix = &mix;
        FIXTURE_OK(pr_forward(run, &b, h, err));
        free(ids);
        free(h);
    }
    pr_run_free(&run);
    pr_decoded_clear(&d);
}

static double *gram_by_definition(const setup_t *s, const seen_t *seen, int layer, int group)
{
    int d = seen->width[group], i = layer * PR_N_GROUP + group;
    double *g = pr_alloc((size_t)d * (size_t)d, sizeof *g), trace = 0;
    for (int r = 0; r < seen->n[i]; r++)
        for (int a = 0; a < d; a++)
            for (int b = 0; b < d; b++)
                g[a * d + b] += (double)seen->x[i][r * d + a] * (double)seen->x[i][r * d + b];
    for (int a = 0; a < d; a++)
        trace += g[a * d + a];
    for (int a = 0; a < d; a++)
        for (int b = 0; b < d; b++)
            g[a * d + b] = a == b ? g[a * d + b] + s->o.ridge * trace / d : s->o.off_diagonal * g[a * d + b];
    return g;
}

START_TEST(test_grams)
{
    setup_t s;
    setup(&s, models[_i]);
    pr_grams_t *other[1] = {NULL};
    s.o.ridge = 0.25; // large enough to be seen
    s.o.off_diagonal = 0.5;
    FIXTURE_OK(pr_grams_new(s.f.m, pr_team_local(), s.adapter[0], s.need, &s.o, other, err));
    seen_t seen = seen_new(s.c);
    see_expert(&s, 0, &seen);
    for (int l = 0; l < s.c->n_layer; l++)
        for (int g = 0; g < PR_N_GROUP; g++) {
            int d = seen.width[g];
            ck_assert_int_eq(pr_gram_width(s.c, (pr_group_t)g), d);
            double *found = matrix_of(other[0], l, (pr_group_t)g, d), *expected = gram_by_definition(&s, &seen, l, g);
            close_doubles("Gram matrix", (size_t)d * (size_t)d, found, expected, 1e-5);
            free(found);
            free(expected);
        }
    pr_grams_free(&other[0]);
    seen_clear(&seen);
    teardown(&s);
}
END_TEST

/* Only what is needed is kept, and that is the same to the bit. */
START_TEST(test_needed_groups)
{
    setup_t s;
    pr_grams_t *g = NULL;
    bool need[64] = {0};
    setup(&s, models[_i]);
    int d = pr_gram_width(s.c, PR_GROUP_DOWN), last = s.c->n_layer - 1;
    need[last * PR_N_GROUP + PR_GROUP_DOWN] = true;
    FIXTURE_OK(pr_grams_new(s.f.m, pr_team_local(), s.adapter[0], need, &s.o, &g, err));
    ck_assert(pr_grams_have(g, need));
    ck_assert(!pr_grams_have(g, s.need));
    ck_assert(pr_grams_have(s.grams[0], s.need));
    ck_assert_ptr_null(pr_grams_matrix(g, 0, PR_GROUP_QKV));
    double *few = matrix_of(g, last, PR_GROUP_DOWN, d), *all = matrix_of(s.grams[0], last, PR_GROUP_DOWN, d);
    ck_assert_mem_eq(few, all, (size_t)d * (size_t)d * sizeof *few);
    free(few);
    free(all);
    pr_grams_free(&g);
    teardown(&s);
}
END_TEST

/* The rows of a team work on disjoint prompts whose sum is all of them: here each row alone, so that nothing is
 * summed. */
START_TEST(test_rows_share_prompts)
{
    setup_t s;
    setup(&s, models[_i]);
    s.o.ridge = 0;
    s.o.off_diagonal = 1;
    int d = pr_gram_width(s.c, PR_GROUP_O), rows = s.o.n_prompt + 1; // the last row has nothing to do
    size_t n = (size_t)d * (size_t)d;
    pr_grams_t *whole = NULL;
    FIXTURE_OK(pr_grams_new(s.f.m, pr_team_local(), s.adapter[1], s.need, &s.o, &whole, err));
    double *expected = matrix_of(whole, 1, PR_GROUP_O, d), *found = pr_alloc(n, sizeof *found);
    for (int row = 0; row < rows; row++) {
        pr_team_t team = *pr_team_local();
        pr_grams_t *part = NULL;
        team.rows = rows;
        team.row = row;
        FIXTURE_OK(pr_grams_new(s.f.m, &team, s.adapter[1], s.need, &s.o, &part, err));
        double *one = matrix_of(part, 1, PR_GROUP_O, d), largest = 0;
        for (size_t i = 0; i < n; i++) {
            found[i] += one[i];
            largest = fmax(largest, fabs(one[i]));
        }
        ck_assert(row < s.o.n_prompt ? largest > 0 : largest == 0);
        free(one);
        pr_grams_free(&part);
    }
    close_doubles("sum over rows", n, found, expected, 1e-5);
    free(expected);
    free(found);
    pr_grams_free(&whole);
    teardown(&s);
}
END_TEST

/* ---- merging ---- */

// x [n,m] = inv(a [n,n]) x by elimination with pivots; a is destroyed.
static void solve(int n, int m, double *a, double *x)
{
    for (int c = 0; c < n; c++) {
        int p = c;
        for (int r = c; r < n; r++)
            p = fabs(a[r * n + c]) > fabs(a[p * n + c]) ? r : p;
        for (int j = 0; j < n + m; j++) {
            double *row = j < n ? a + c * n + j : x + c * m + j - n, *other = j < n ? a + p * n + j : x + p * m + j - n;
            double keep = *row;
            *row = *other;
            *other = keep;
        }
        for (int r = c + 1; r < n; r++) {
            double f = a[r * n + c] / a[c * n + c];
            for (int j = c; j < n; j++)
                a[r * n + j] -= f * a[c * n + j];
            for (int j = 0; j < m; j++)
                x[r * m + j] -= f * x[c * m + j];
        }
    }
    for (int r = n - 1; r >= 0; r--)
        for (int j = 0; j < m; j++) {
            for (int i = r + 1; i < n; i++)
                x[r * m + j] -= a[r * n + i] * x[i * m + j];
            x[r * m + j] /= a[r * n + r];
        }
}

// out [in,out] += scale * (the adapter's part of a map), the paper's orientation.
static void add_delta(const pr_lora_t *l, int n_out, int n_in, double scale, double *out)
{
    for (int i = 0; i < n_in; i++)
        for (int o = 0; o < n_out; o++)
            for (int r = 0; r < l->r; r++)
                out[i * n_out + o] +=
                    scale * (double)l->scale * (double)l->a[r * n_in + i] * (double)l->b[o * l->r + r];
}

// W - W0 of one map by the formula on full matrices.
static double *merged_by_definition(const setup_t *s, const double *w, int layer, int group, int slot)
{
    const pr_weight_t *base = &s->f.m->layer[layer].w[slot];
    int in = base->in, out = base->out;
    size_t n = (size_t)in * (size_t)out;
    double *sum = pr_alloc((size_t)in * (size_t)in, sizeof *sum), *right = pr_alloc(n, sizeof *right);
    for (int k = 0; k < s->k; k++) {
        double *g = matrix_of(s->grams[k], layer, (pr_group_t)group, in), *full = pr_alloc(n, sizeof *full);
        for (int i = 0; i < in; i++)
            for (int o = 0; o < out; o++)
                full[i * out + o] = weight_at(base, o, i);
        add_delta(pr_adapter_at(s->adapter[k], layer, (pr_slot_t)slot), out, in, 1, full);
        for (int a = 0; a < in; a++)
            for (int b = 0; b < in; b++) {
                sum[a * in + b] += w[k] * g[a * in + b];
                for (int o = 0; o < out; o++)
                    right[a * out + o] += w[k] * g[a * in + b] * full[b * out + o];
            }
        free(g);
        free(full);
    }
    solve(in, out, sum, right);
    for (int i = 0; i < in; i++)
        for (int o = 0; o < out; o++)
            right[i * out + o] -= weight_at(base, o, i);
    free(sum);
    return right;
}

static void check_merged(const setup_t *s, const double *w)
{
    pr_adapter_t *a = merge(s, w, s->grams);
    int out, in, checked = 0;
    for (int l = 0; l < s->c->n_layer; l++)
        for (int g = 0; g < PR_N_GROUP; g++)
            for (int i = 0; i < PR_GROUP_SLOTS && pr_group_slot[g][i] >= 0; i++) {
                pr_slot_t slot = (pr_slot_t)pr_group_slot[g][i];
                int rank = 0;
                if (!pr_slot_shape(s->c, slot, &out, &in))
                    continue;
                for (int k = 0; k < s->k; k++)
                    rank += w[k] > 0 ? pr_adapter_at(s->adapter[k], l, slot)->r : 0;
                ck_assert_int_eq(pr_adapter_at(a, l, slot)->r, rank);
                double *expected = merged_by_definition(s, w, l, g, (int)slot);
                double *found = pr_alloc((size_t)in * (size_t)out, sizeof *found);
                add_delta(pr_adapter_at(a, l, slot), out, in, 1, found);
                close_doubles(s->f.dir, (size_t)in * (size_t)out, found, expected, 2e-6);
                free(expected);
                free(found);
                checked++;
            }
    ck_assert_int_ge(checked, 4 * s->c->n_layer);
    pr_adapter_free(&a);
}

START_TEST(test_formula)
{
    setup_t s;
    setup(&s, models[_i]);
    ck_assert_int_eq(s.k, 3);
    check_merged(&s, (double[]){0.5, 0.3, 0.2});
    check_merged(&s, (double[]){0.4, 0, 3}); // the scale of w says nothing; an expert without weight has no part
    teardown(&s);
}
END_TEST

/* The Gram matrices matter: the merged adapter is not that of `params`. */
START_TEST(test_differs_from_params)
{
    setup_t s;
    const double w[] = {0.5, 0.3, 0.2}, ones[] = {1, 1, 1};
    double off = 0, scale = 0;
    pr_adapter_t *sum = NULL;
    setup(&s, models[_i]);
    pr_adapter_t *a = merge(&s, w, s.grams);
    FIXTURE_OK(pr_adapter_concat(s.expert, ones, s.k, s.c, &sum, err));
    const pr_lora_t *found = pr_adapter_at(a, 1, PR_SLOT_DOWN), *plain = pr_adapter_at(sum, 1, PR_SLOT_DOWN);
    int r0 = pr_adapter_at(s.adapter[0], 1, PR_SLOT_DOWN)->r * s.c->d_ff;
    for (int i = 0; i < r0; i++) {
        off = fmax(off, fabs((double)found->a[i] - 0.5 * (double)plain->a[i]));
        scale = fmax(scale, fabs(0.5 * (double)plain->a[i]));
    }
    ck_assert_msg(off > 0.02 * scale, "%s: off by %g of %g", s.f.dir, off, scale);
    pr_adapter_free(&a);
    pr_adapter_free(&sum);
    teardown(&s);
}
END_TEST

START_TEST(test_equal_grams_are_params)
{
    setup_t s;
    double w[] = {1, 0.5, 2.5}, normal[] = {0.25, 0.125, 0.625};
    pr_grams_t *same[K_MAX];
    pr_adapter_t *expected = NULL;
    setup(&s, models[_i]);
    for (int k = 0; k < s.k; k++)
        same[k] = s.grams[0];
    pr_adapter_t *found = merge(&s, w, same);
    FIXTURE_OK(pr_adapter_concat(s.expert, normal, s.k, s.c, &expected, err));
    for (int i = 0, out, in; i < s.c->n_layer * PR_N_SLOT; i++) {
        if (!pr_slot_shape(s.c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        size_t n = (size_t)out * (size_t)in;
        double *a = pr_alloc(n, sizeof *a), *b = pr_alloc(n, sizeof *b);
        add_delta(&found->lora[i], out, in, 1, a);
        add_delta(&expected->lora[i], out, in, 1, b);
        close_doubles("equal Gram matrices", n, a, b, 2e-6);
        free(a);
        free(b);
    }
    pr_adapter_free(&found);
    pr_adapter_free(&expected);
    teardown(&s);
}
END_TEST

/* One expert, whatever its weight, is itself to the bit of A, and needs no Gram matrix. */
START_TEST(test_one_expert)
{
    setup_t s;
    pr_grams_t *none[K_MAX] = {0};
    pr_adapter_t *expected = NULL;
    setup(&s, models[_i]);
    pr_adapter_t *found = merge(&s, (double[]){0, 0.3, 0}, none);
    FIXTURE_OK(pr_adapter_concat(s.expert, (double[]){0, 1, 0}, s.k, s.c, &expected, err));
    ck_assert_uint_eq(found->n_data, expected->n_data);
    ck_assert_mem_eq(found->data, expected->data, found->n_data * sizeof(float));
    pr_adapter_free(&found);
    pr_adapter_free(&expected);
    found = merge(&s, (double[]){0, 0, 0}, none); // the base model
    for (int i = 0, out, in; i < s.c->n_layer * PR_N_SLOT; i++)
        if (pr_slot_shape(s.c, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            for (int j = 0; j < out * found->lora[i].r; j++)
                ck_assert(found->lora[i].b[j] == 0);
    pr_adapter_free(&found);
    teardown(&s);
}
END_TEST

/* ---- what cannot be merged ---- */

START_TEST(test_singular)
{
    setup_t s;
    pr_error_t e;
    pr_adapter_t *a = NULL;
    pr_grams_t *bare[K_MAX] = {0};
    const double w[] = {0.5, 0.5, 0};
    setup(&s, models[_i]);
    s.o = (pr_gram_options_t){.n_prompt = 1, .prompt_start = s.start, .prompt_ids = s.ids, .max_new_tokens = 1};
    s.o.off_diagonal = 1; // two copies of one prompt's inputs: far fewer than the features of the MLP
    for (int k = 0; k < 2; k++)
        FIXTURE_OK(pr_grams_new(s.f.m, pr_team_local(), s.adapter[k], s.need, &s.o, &bare[k], err));
    ck_assert_int_eq(pr_regmean(pr_team_local(), s.c, s.k, s.expert, w, (const pr_grams_t *const *)bare, &a, &e),
                     PR_ERR_NUMERIC);
    ck_assert_ptr_null(a);
    ck_assert_ptr_nonnull(strstr(e.text, s.c->arch == PR_ARCH_GPT2 ? "transformer.h." : "model.layers."));
    ck_assert_ptr_nonnull(strstr(e.text, "expected more prompts or a larger ridge"));
    for (int k = 0; k < 2; k++)
        pr_grams_free(&bare[k]);
    s.o.ridge = 1e-3;
    for (int k = 0; k < 2; k++)
        FIXTURE_OK(pr_grams_new(s.f.m, pr_team_local(), s.adapter[k], s.need, &s.o, &bare[k], err));
    a = merge(&s, w, bare);
    pr_adapter_free(&a);
    for (int k = 0; k < 2; k++)
        pr_grams_free(&bare[k]);
    teardown(&s);
}
END_TEST

static bool no(void *self)
{
    ++*(int *)self;
    return *(int *)self >= 3;
}

START_TEST(test_refusals)
{
    setup_t s;
    pr_error_t e;
    pr_adapter_t *a = NULL;
    pr_grams_t *g = NULL;
    int calls = 0;
    setup(&s, models[0]);
    const pr_grams_t *const *grams = (const pr_grams_t *const *)s.grams;
    ck_assert_int_eq(pr_regmean(pr_team_local(), s.c, s.k, s.expert, (double[]){1, -1, 0}, grams, &a, &e),
                     PR_ERR_CONFIG);
    ck_assert_int_eq(pr_regmean(pr_team_local(), s.c, s.k, s.expert, (double[]){1, NAN, 0}, grams, &a, &e),
                     PR_ERR_CONFIG);
    ck_assert_ptr_null(a);
    s.o.cancel = no;
    s.o.self = &calls;
    ck_assert_int_eq(pr_grams_new(s.f.m, pr_team_local(), s.adapter[0], s.need, &s.o, &g, &e), PR_ERR_INTERRUPTED);
    ck_assert_ptr_null(g);
    ck_assert_int_eq(calls, 3);
    pr_policy_t p = {s.f.m, pr_linalg_local(), s.k, s.expert, &pr_mix_regmean, NULL};
    ck_assert_int_eq(pr_policy_check(&p, 1, (double[]){1, 1, 1}, &e), PR_ERR_UNSUPPORTED);
    teardown(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regmean");
    TCase *t = tcase_create("regmean");
    n_models = fixture_list(false, models);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_observer, 0, n_models);
    tcase_add_loop_test(t, test_grams, 0, n_models);
    tcase_add_loop_test(t, test_needed_groups, 0, n_models);
    tcase_add_loop_test(t, test_rows_share_prompts, 0, n_models);
    tcase_add_loop_test(t, test_formula, 0, n_models);
    tcase_add_loop_test(t, test_differs_from_params, 0, n_models);
    tcase_add_loop_test(t, test_equal_grams_are_params, 0, n_models);
    tcase_add_loop_test(t, test_one_expert, 0, n_models);
    tcase_add_loop_test(t, test_singular, 0, n_models);
    tcase_add_test(t, test_refusals);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
