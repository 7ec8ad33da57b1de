// SPDX-License-Identifier: BSD-3-Clause
/* Families of adapters: what they are at a preference, what they are made of, gradients against finite differences, files.
 */
#include "family/family.h"
#include "unit/model/model_files.h"

#include <math.h>

enum { K = 3 };
static pr_model_config_t config;
static const char *const cores[] = {
    "\"blocks\"",
    "{\"type\": \"blocks\", \"shared\": 2, \"maps\": [\"q_proj\", \"v_proj\"]}",
    "\"panacea\"",
    "\"diagonal\"",
    "{\"type\": \"mlp\", \"hidden\": 5}",
    "\"full\"",
};
enum { N_CORES = sizeof cores / sizeof *cores };
static const double some[K] = {0.5, 0.2, 0.3};

static json_t *value_of(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_ptr_nonnull(v);
    return v;
}

static pr_adapter_options_t options(int r)
{
    static const char *const targets[] = {"q_proj", "v_proj", "down_proj"};
    return (pr_adapter_options_t){r, 12, false, targets, 3};
}

static pr_rng_key_t key(const char *what)
{
    return pr_rng_key(5, what, "");
}

static pr_family_t *new_family(const char *core)
{
    pr_family_t *f = NULL;
    pr_error_t err;
    json_t *v = value_of(core);
    pr_adapter_options_t o = options(4);
    pr_rng_key_t k = key("family");
    ck_assert_msg(pr_family_new(&config, K, v, &o, &k, &f, &err) == PR_OK, "%s", err.text);
    json_decref(v);
    return f;
}

static void shake(float *x, size_t n, const char *what, double by)
{
    pr_rng_key_t k = key(what);
    for (size_t i = 0; i < n; i++)
        x[i] += (float)(by * pr_rng_normal(&k, i, 0, 0, 0));
}

static pr_adapter_t *some_adapter(int r, const char *what)
{
    pr_adapter_t *a = NULL;
    pr_adapter_options_t o = options(r);
    pr_rng_key_t k = key(what);
    o.alpha = 3 * r + 1;
    ck_assert_int_eq(pr_adapter_new(&config, &o, &k, &a, NULL), PR_OK);
    shake(a->data, a->n_data, what, 0.3);
    return a;
}

static pr_family_t *made_of(const char *core, pr_adapter_t *expert[K])
{
    pr_family_t *f = NULL;
    pr_error_t err;
    json_t *v = value_of(core);
    pr_rng_key_t k = key("family");
    for (int i = 0; i < K; i++)
        expert[i] = some_adapter(2 + i, (const char *[]){"a", "b", "c"}[i]);
    ck_assert_msg(pr_family_of(&config, v, (const pr_adapter_t *const *)expert, K, &k, &f, &err) == PR_OK, "%s",
                  err.text);
    json_decref(v);
    return f;
}

static void free_all(pr_adapter_t **a, int n)
{
    for (int i = 0; i < n; i++)
        pr_adapter_free(&a[i]);
}

/* dW [out,in] += c times what an adapter does to a map. */
static void add_change(const pr_adapter_t *a, int i, int out, int in, double c, double *w)
{
    const pr_lora_t *l = &a->lora[i];
    for (int o = 0; o < out; o++)
        for (int x = 0; x < in; x++)
            for (int j = 0; j < l->r; j++)
                w[o * in + x] += c * (double)l->scale * (double)l->b[o * l->r + j] * (double)l->a[j * in + x];
}

/* The largest difference between two sums of adapters, in any map. */
static double difference(pr_adapter_t *const *a, const double *ca, int na, pr_adapter_t *const *b, const double *cb,
                         int nb)
{
    double most = 0;
    for (int i = 0; i < config.n_layer * PR_N_SLOT; i++) {
        int out, in;
        if (!pr_slot_shape(&config, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        double *w = pr_alloc((size_t)out * (size_t)in, sizeof *w);
        for (int k = 0; k < na; k++)
            add_change(a[k], i, out, in, ca[k], w);
        for (int k = 0; k < nb; k++)
            add_change(b[k], i, out, in, -cb[k], w);
        for (int x = 0; x < out * in; x++)
            most = fmax(most, fabs(w[x]));
        free(w);
    }
    return most;
}

static pr_adapter_t *at(const pr_family_t *f, const double *w)
{
    pr_adapter_t *a = NULL;
    ck_assert_int_eq(pr_family_instance(f, &config, &a, NULL), PR_OK);
    pr_family_set(f, &config, w, a);
    return a;
}

/* ---- ---- */

START_TEST(begins_as_the_base_model)
{
    pr_family_t *f = new_family(cores[_i]);
    pr_adapter_t *a = at(f, some);
    ck_assert_double_eq(difference(&a, (double[]){1}, 1, NULL, NULL, 0), 0);
    ck_assert_uint_ge(f->n, f->factors->n_data);
    pr_adapter_free(&a);
    pr_family_free(&f);
}
END_TEST

/* Each block begins with the A of a plain adapter, so that at a corner it trains as an expert does. */
START_TEST(blocks_begin_as_experts)
{
    pr_family_t *f = new_family(cores[0]);
    pr_adapter_options_t o = options(4);
    pr_rng_key_t k = key("family");
    pr_adapter_t *plain = NULL;
    ck_assert_int_eq(pr_adapter_new(&config, &o, &k, &plain, NULL), PR_OK);
    for (int i = 0; i < config.n_layer * PR_N_SLOT; i++) {
        int out, in;
        const pr_lora_t *l = &f->factors->lora[i];
        ck_assert_int_eq(l->r, K * plain->lora[i].r);
        if (l->r == 0 || !pr_slot_shape(&config, (pr_slot_t)(i % PR_N_SLOT), &out, &in))
            continue;
        for (int b = 0; b < K; b++)
            ck_assert_mem_eq(l->a + b * 4 * in, plain->lora[i].a, (size_t)(4 * in) * sizeof *l->a);
    }
    pr_adapter_free(&plain);
    pr_family_free(&f);
}
END_TEST

/* Made of experts it is their weighted sum for every core, and its parts are they themselves. */
START_TEST(made_of_experts)
{
    static const double w[][K] = {{0.5, 0.2, 0.3}, {1, 0, 0}, {0, 0.25, 0.75}, {0, 0, 0}, {1, 1, 0.5}};
    pr_adapter_t *expert[K], *part[PR_MAX_OBJECTIVES + 1];
    double c[PR_MAX_OBJECTIVES + 1];
    pr_family_t *f = made_of(cores[_i], expert);
    for (int x = 0; x < 5; x++) {
        int n = -1, used = 0;
        pr_adapter_t *a = at(f, w[x]);
        ck_assert_double_lt(difference(&a, (double[]){1}, 1, expert, w[x], K), 1e-6);
        pr_adapter_free(&a);
        ck_assert_int_eq(pr_family_parts(f, &config, w[x], part, c, &n, NULL), PR_OK);
        for (int k = 0; k < K; k++) {
            if (w[x][k] == 0)
                continue;
            ck_assert_int_lt(used, n);
            ck_assert_double_eq(c[used], w[x][k]);
            ck_assert_int_eq(pr_adapter_check_alike(expert[k], part[used], &config, NULL), PR_OK);
            ck_assert_mem_eq(part[used]->data, expert[k]->data, expert[k]->n_data * sizeof *expert[k]->data);
            used++;
        }
        ck_assert_int_eq(used, n);
        free_all(part, n);
    }
    pr_family_free(&f);
    free_all(expert, K);
}
END_TEST

/* Once trained, the parts are what an instance is. */
START_TEST(parts_are_the_instance)
{
    pr_adapter_t *part[PR_MAX_OBJECTIVES + 1];
    double c[PR_MAX_OBJECTIVES + 1];
    int n;
    pr_family_t *f = new_family(cores[_i]);
    shake(f->data, f->n, "shake", 0.2);
    pr_adapter_t *a = at(f, some);
    ck_assert_int_eq(pr_family_parts(f, &config, some, part, c, &n, NULL), PR_OK);
    ck_assert_int_eq(n, _i == 0 ? K : _i == 1 ? K + 1 : 1);
    ck_assert_double_lt(difference(&a, (double[]){1}, 1, part, c, n), 1e-5);
    ck_assert_double_gt(difference(&a, (double[]){1}, 1, NULL, NULL, 0), 0.1);
    free_all(part, n);
    pr_adapter_free(&a);
    pr_family_free(&f);
}
END_TEST

/* sum of G_i times the numbers of the adapter at w. */
static double against(const pr_family_t *f, const double *w, const float *g)
{
    pr_adapter_t *a = at(f, w);
    double sum = 0;
    for (size_t i = 0; i < a->n_data; i++)
        sum += (double)g[i] * (double)a->data[i];
    pr_adapter_free(&a);
    return sum;
}

/* The derivative of G . adapter(w) by some of all numbers, those of the cores among them. */
START_TEST(pulls_are_derivatives)
{
    enum { TRIED = 60 };
    pr_adapter_t *expert[K] = {NULL};
    bool made = _i >= N_CORES;
    pr_family_t *f = made ? made_of(cores[_i - N_CORES], expert) : new_family(cores[_i]);
    shake(f->data, f->n, "shake", 0.3);
    pr_adapter_t *a = at(f, some);
    float *g = pr_alloc(a->n_data, sizeof *g), *grad = pr_alloc(f->n, sizeof *grad);
    shake(g, a->n_data, "gradient", 1);
    pr_family_pull(f, &config, some, a, g, grad);
    size_t core = f->n - f->factors->n_data;
    for (size_t t = 0; t < 2 * TRIED; t++) {
        size_t n = t < TRIED ? f->factors->n_data : core, i = (t < TRIED ? 0 : f->factors->n_data);
        if (n == 0)
            continue;
        i += t * 7919 % n;
        float keep = f->data[i];
        f->data[i] = keep + 0.25F;
        double up = against(f, some, g);
        f->data[i] = keep - 0.25F;
        double down = against(f, some, g), found = (up - down) / 0.5;
        f->data[i] = keep;
        // tanh is the only part that is not linear in one number
        ck_assert_msg(fabs(found - (double)grad[i]) < 2e-2 * (1 + fabs(found)), "core %d, number %zu: %g, pulled %g",
                      _i, i, found, (double)grad[i]);
    }
    free(g);
    free(grad);
    pr_adapter_free(&a);
    pr_family_free(&f);
    if (made)
        free_all(expert, K);
}
END_TEST

/* Permuting the objectives permutes nothing but w: what is made of experts in another order is the same at w in that
 * order. */
START_TEST(order_of_objectives)
{
    static const double turned[K] = {0.3, 0.5, 0.2};
    pr_adapter_t *expert[K];
    json_t *v = value_of(cores[_i]);
    pr_rng_key_t k = key("family");
    pr_family_t *f = made_of(cores[_i], expert), *g = NULL;
    const pr_adapter_t *other[K] = {expert[2], expert[0], expert[1]};
    ck_assert_int_eq(pr_family_of(&config, v, other, K, &k, &g, NULL), PR_OK);
    pr_adapter_t *a = at(f, some), *b = at(g, turned);
    ck_assert_double_lt(difference(&a, (double[]){1}, 1, &b, (double[]){1}, 1), 1e-6);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
    pr_family_free(&f);
    pr_family_free(&g);
    free_all(expert, K);
    json_decref(v);
}
END_TEST

START_TEST(shape_without_numbers)
{
    for (int experts = 0; experts < 2; experts++) {
        pr_adapter_t *shape = NULL, *all[K], *one = some_adapter(4, "a");
        pr_family_t *f = NULL;
        size_t n = 0;
        json_t *v = value_of(cores[_i]);
        pr_adapter_options_t o = options(4);
        pr_rng_key_t k = key("family");
        for (int i = 0; i < K; i++)
            all[i] = one;
        ck_assert_int_eq(pr_family_shape(&config, K, v, &o, experts, &shape, &n, NULL), PR_OK);
        if (experts)
            ck_assert_int_eq(pr_family_of(&config, v, (const pr_adapter_t *const *)all, K, &k, &f, NULL), PR_OK);
        else
            f = new_family(cores[_i]);
        ck_assert_uint_eq(n, f->n);
        ck_assert_uint_eq(shape->n_data, f->factors->n_data);
        for (int i = 0; i < config.n_layer * PR_N_SLOT; i++)
            ck_assert_int_eq(shape->lora[i].r, f->factors->lora[i].r);
        pr_family_free(&f);
        pr_adapter_free(&shape);
        pr_adapter_free(&one);
        json_decref(v);
    }
}
END_TEST

/* ---- files ---- */

START_TEST(written_and_read)
{
    char dir[] = "/tmp/pr-family-XXXXXX";
    pr_adapter_t *expert[K] = {NULL};
    bool made = _i >= N_CORES;
    pr_error_t err;
    pr_family_t *f = made ? made_of(cores[_i - N_CORES], expert) : new_family(cores[_i]), *g = NULL;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert(!pr_family_there(dir));
    shake(f->data, f->n, "shake", 0.3);
    ck_assert_int_eq(pr_family_write(dir, f, &config, NULL), PR_OK);
    ck_assert(pr_family_there(dir));
    ck_assert_msg(pr_family_read(dir, &config, &g, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(g->k, K);
    ck_assert_ptr_eq(g->core, f->core);
    ck_assert(json_equal(g->options, f->options));
    ck_assert_uint_eq(g->n, f->n);
    ck_assert_mem_eq(g->data, f->data, f->n * sizeof *f->data);
    for (int i = 0; i < config.n_layer * PR_N_SLOT; i++) {
        ck_assert_mem_eq(g->map[i].map.first, f->map[i].map.first, sizeof f->map[i].map.first);
        for (int b = 0; b <= K && f->factors->lora[i].r; b++)
            ck_assert(g->map[i].scale[b] == f->map[i].scale[b]);
    }
    pr_family_free(&g);
    pr_family_free(&f);
    if (made)
        free_all(expert, K);
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* One change to family.json, or to the other file, and what is said of it. */
START_TEST(damaged_files)
{
    static const struct {
        const char *edit, *says;
    } wrong[] = {
        {"s/\"format\": 1/\"format\": 2/", "format 2"},
        {"s/\"objectives\": 3/\"objectives\": 4/", "expected lists"},
        {"s/\"objectives\": 3/\"objectives\": 99/", "99 objectives"},
        {"s/\"type\": \"full\"/\"type\": \"fool\"/", "unknown core"},
        {"s/layers.0.self_attn.q_proj/layers.77.self_attn.q_proj/", "of which this model has"},
        {"0,/ 4$/s// 5/", "not of the shape"},
        {"0,/[0-9]/s//x/", "family.json"},
    };
    char dir[] = "/tmp/pr-family-XXXXXX", command[600];
    pr_error_t err;
    pr_family_t *f = new_family("\"full\""), *g = NULL;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(pr_family_write(dir, f, &config, NULL), PR_OK);
        snprintf(command, sizeof command, "sed -i '%s' %s/family.json", wrong[i].edit, dir);
        ck_assert_int_eq(system(command), 0);
        ck_assert_msg(pr_family_read(dir, &config, &g, &err) != PR_OK, "%s", wrong[i].edit);
        ck_assert_msg(strstr(err.text, wrong[i].says), "%s: %s", wrong[i].edit, err.text);
    }
    ck_assert_int_eq(pr_family_write(dir, f, &config, NULL), PR_OK);
    snprintf(command, sizeof command, "rm %s/family.safetensors", dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(pr_family_read(dir, &config, &g, &err), PR_ERR_NOT_FOUND);
    pr_family_free(&f);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(told)
{
    double w[K];
    pr_error_t err;
    json_t *good = value_of("[0.5, 0, 1]"), *few = value_of("[0.5, 0.5]"), *odd = value_of("[0.5, \"x\", 1]");
    ck_assert_int_eq(pr_family_told(good, K, w, &err), PR_OK);
    ck_assert(w[0] == 0.5 && w[1] == 0 && w[2] == 1);
    ck_assert_int_eq(pr_family_told(few, K, w, &err), PR_ERR_CONFIG);
    ck_assert_int_eq(pr_family_told(odd, K, w, &err), PR_ERR_CONFIG);
    ck_assert_int_eq(pr_family_told(NULL, K, w, &err), PR_ERR_CONFIG);
    json_decref(good);
    json_decref(few);
    json_decref(odd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("family");
    TCase *t = tcase_create("all");
    char path[512];
    fixture_path(path, "llama");
    if (pr_model_config_read(path, &config, NULL) != PR_OK)
        return EXIT_FAILURE;
    tcase_add_loop_test(t, begins_as_the_base_model, 0, N_CORES);
    tcase_add_test(t, blocks_begin_as_experts);
    tcase_add_loop_test(t, made_of_experts, 0, N_CORES);
    tcase_add_loop_test(t, parts_are_the_instance, 0, N_CORES);
    tcase_add_loop_test(t, pulls_are_derivatives, 0, 2 * N_CORES);
    tcase_add_loop_test(t, order_of_objectives, 0, N_CORES);
    tcase_add_loop_test(t, shape_without_numbers, 0, N_CORES);
    tcase_add_loop_test(t, written_and_read, 0, 2 * N_CORES);
    tcase_add_test(t, damaged_files);
    tcase_add_test(t, told);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    pr_model_config_clear(&config);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
