// SPDX-License-Identifier: BSD-3-Clause
/* The registry of mixes, and mixes that this file brings itself, from pr_mix_add to decoded tokens. */
#include "policy/policy.h"
#include "unit/model/tiny_model.h"

#include "base/mem.h"

enum { K = 3, N_PROMPT = 2, NEW = 6 };
static const int prompt_start[N_PROMPT + 1] = {0, 4, 7};
static const int32_t prompt_ids[] = {5, 9, 2, 40, 17, 3, 8};

/* ---- mixes of its own ---- */

/* log of the power mean of the parts' distributions: exponent 1 is `probs`. */
static const pr_option_t power_options[] = {
    {.key = "exponent", .kind = PR_OPT_REAL, .dflt = "1.0", .min = 0.1, .max = 10, .help = "Of the mean."}, {0}};

static pr_status_t power_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)err;
    plan->split = model->n_layer;
    plan->of_logits = plan->normalised = true;
    plan->number[0] = pr_option_real(o, "exponent");
    return PR_OK;
}

static void power_combine(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out)
{
    double e = plan->number[0];
    pr_log_softmax(r->n, r->width, r->x);
    for (int i = 0; i < r->width; i++) {
        double sum = 0;
        for (int j = 0; j < r->n; j++)
            sum += r->w[j] * exp(e * (double)r->x[j * r->width + i]);
        out[i] = (float)(log(sum) / e);
    }
}

static const pr_mix_t power = {.name = "test_power",
                               .formula = "(sum w_k p_k^e)^(1/e)",
                               .help = "Power mean.",
                               .options = power_options,
                               .plan = power_plan,
                               .combine = power_combine};

static const pr_option_t none[] = {{0}};

/* Hidden states, each times one more than its part's number; weights may be below 0. */
static pr_status_t numbered_plan(const json_t *o, const pr_model_config_t *model, pr_mix_plan_t *plan, pr_error_t *err)
{
    (void)o;
    (void)err;
    plan->split = model->n_layer;
    plan->signed_weights = true;
    return PR_OK;
}

static void numbered_combine(const pr_mix_plan_t *plan, const pr_mix_rows_t *r, float *out)
{
    (void)plan;
    for (int i = 0; i < r->width; i++) {
        double sum = 0;
        for (int j = 0; j < r->n; j++)
            sum += r->w[j] * (r->part[j] + 1) * (double)r->x[j * r->width + i];
        out[i] = (float)sum;
    }
}

static const pr_mix_t numbered = {.name = "test_numbered",
                                  .formula = "softmax(H sum k w_k h_k)",
                                  .help = "Weighted by number.",
                                  .options = none,
                                  .plan = numbered_plan,
                                  .combine = numbered_combine};

/* One adapter of the parts' sum: `params`, but merged. */
static pr_status_t sum_merge(const json_t *o, const pr_mix_parts_t *p, pr_adapter_t **out, pr_error_t *err)
{
    (void)o;
    ck_assert_ptr_null(p->grams);
    return pr_adapter_concat(p->adapter, p->w, p->n, p->model, out, err);
}

static void sum_memory(const json_t *o, int parts, pr_mix_memory_t *m)
{
    (void)o;
    m->merged = 2.0 / parts;
}

static const pr_mix_t sum = {.name = "test_sum",
                             .formula = "W = W0 + sum w_k s_k B_k A_k",
                             .help = "Merged.",
                             .options = none,
                             .one_adapter = true,
                             .merge = sum_merge,
                             .memory = sum_memory};

// As tests may run in one process.
static void know(const pr_mix_t *mix)
{
    const pr_mix_t *found;
    if (pr_mix_find(mix->name, &found, NULL) != PR_OK)
        TINY_OK(pr_mix_add(mix, err));
}

/* ---- what they run on ---- */

typedef struct setup {
    pr_model_t *m;
    pr_adapter_t *a[K];
    pr_policy_t p;
    json_t *options;
} setup_t;

static void setup(setup_t *s, const char *mix)
{
    *s = (setup_t){.m = tiny_model(TINY_QWEN3, 41)};
    for (int k = 0; k < K; k++)
        s->a[k] = tiny_adapter(s->m, 2 + k, (uint64_t)k);
    s->p = (pr_policy_t){
        .model = s->m, .la = pr_linalg_local(), .n_expert = K, .adapter = (const pr_adapter_t *const *)s->a};
    TINY_OK(pr_mix_parse(mix, &s->p.mix, &s->options, err));
    s->p.mix_options = s->options;
}

static void use(setup_t *s, const char *mix)
{
    json_decref(s->options);
    TINY_OK(pr_mix_parse(mix, &s->p.mix, &s->options, err));
    s->p.mix_options = s->options;
}

static void teardown(setup_t *s)
{
    for (int k = 0; k < K; k++)
        pr_adapter_free(&s->a[k]);
    json_decref(s->options);
    pr_model_free(&s->m);
}

// Log-probabilities behind every token of the first prompt. The caller frees.
static float *log_probs(const pr_policy_t *p, const double *w)
{
    int v = p->model->config.vocab, start[2] = {0, prompt_start[1]};
    float *out = pr_alloc((size_t)(start[1] * v), sizeof *out);
    TINY_OK(pr_policy_logits(p, 1, start, prompt_ids, w, true, out, err));
    pr_log_softmax(start[1], v, out);
    return out;
}

static void same(size_t n, const float *a, const float *b, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol((double)a[i], (double)b[i], tolerance);
}

static double distance(size_t n, const float *a, const float *b)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    return worst;
}

static size_t numbers(const setup_t *s)
{
    return (size_t)(prompt_start[1] * s->m->config.vocab);
}

/* Decoded greedily at two points, with and without a cache: every token is the likeliest of what pr_policy_logits says
 * of the tokens before it. */
static void decodes(const setup_t *s, const double *w)
{
    int v = s->m->config.vocab;
    for (int no_cache = 0; no_cache < 2; no_cache++) {
        pr_decoded_t d = {0};
        pr_decode_options_t o = {.sampling = {.greedy = true},
                                 .max_new_tokens = NEW,
                                 .ignore_eos = true,
                                 .no_cache = no_cache,
                                 .streams = 3};
        TINY_OK(pr_decode(&s->p, 2, w, N_PROMPT, prompt_start, prompt_ids, &o, &d, err));
        ck_assert_int_eq((int)d.generated, 2 * N_PROMPT * NEW);
        for (int seq = 0; seq < d.n_seq; seq++) {
            int prompt = seq % N_PROMPT, n = prompt_start[prompt + 1] - prompt_start[prompt], start[2] = {0, n + NEW};
            int32_t ids[16];
            float *logits = pr_alloc((size_t)(start[1] * v), sizeof *logits);
            memcpy(ids, prompt_ids + prompt_start[prompt], (size_t)n * sizeof *ids);
            memcpy(ids + n, d.ids + d.start[seq], NEW * sizeof *ids);
            TINY_OK(pr_policy_logits(&s->p, 1, start, ids, w + seq / N_PROMPT * s->p.n_expert, true, logits, err));
            for (int t = 0; t < NEW; t++) {
                const float *row = logits + (n + t - 1) * v;
                for (int i = 0; i < v; i++)
                    ck_assert(row[i] <= row[ids[n + t]] + 1e-5f);
            }
            free(logits);
        }
        pr_decoded_clear(&d);
    }
}

/* ---- checks ---- */

START_TEST(registry)
{
    size_t before, after;
    const pr_mix_t *found = NULL;
    pr_error_t e = {0};
    const pr_mix_t *const *all = pr_mix_all(&before);
    ck_assert_uint_ge(before, 5);
    for (size_t i = 0; i < before; i++) {
        ck_assert(all[i]->name && all[i]->formula && all[i]->help && all[i]->options);
        TINY_OK(pr_mix_find(all[i]->name, &found, err));
        ck_assert_ptr_eq(found, all[i]);
    }
    check_error("unknown", pr_mix_find("regmeen", &found, &e), PR_ERR_CONFIG, e.text,
                "regmeen|the nearest known one is 'regmean'");
    check_error("unknown", pr_mix_find("xyzxyzxyz", &found, &e), PR_ERR_CONFIG, e.text, "xyzxyzxyz|there are: states");
    check_error("not yet", pr_mix_find("test_power", &found, &e), PR_ERR_CONFIG, e.text, "test_power");
    TINY_OK(pr_mix_add(&power, err));
    TINY_OK(pr_mix_find("test_power", &found, err));
    ck_assert_ptr_eq(found, &power);
    pr_mix_all(&after);
    ck_assert_uint_eq(after, before + 1);
    check_error("twice", pr_mix_add(&power, &e), PR_ERR_CONFIG, e.text, "test_power|already");
    check_error("near", pr_mix_find("test_powr", &found, &e), PR_ERR_CONFIG, e.text,
                "the nearest known one is 'test_power'");
}
END_TEST

START_TEST(texts)
{
    const pr_mix_t *mix = NULL;
    json_t *o = NULL;
    pr_error_t e = {0};
    TINY_OK(pr_mix_parse(" states ; layer = 2;norm=before", &mix, &o, err));
    ck_assert_ptr_eq(mix, &pr_mix_states);
    ck_assert_int_eq(pr_option_int(o, "layer"), 2);
    ck_assert_str_eq(pr_option_string(o, "norm"), "before");
    json_decref(o);
    TINY_OK(pr_mix_parse("regmean; ridge=0.5", &mix, &o, err));
    ck_assert_double_eq(pr_option_real(o, "ridge"), 0.5);
    ck_assert_int_eq(pr_option_int(o, "prompts"), 64);
    json_decref(o);
    static const struct {
        const char *text, *words;
    } bad[] = {{"", "unknown mix ''"},
               {"state", "the nearest known one is 'states'"},
               {"states;", "states|found \"\", expected KEY=VALUE"},
               {"states; layer", "found \"layer\", expected KEY=VALUE"},
               {"states; layer=x", "states|layer|the string \"x\"|an integer"},
               {"states; layer=1; layer=2", "layer|twice"},
               {"states; norm=behind", "norm|behind|after|before"},
               {"states; ridge=1", "states|unknown key 'ridge'"},
               {"params; layer=1", "params|unknown key 'layer'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_error(bad[i].text, pr_mix_parse(bad[i].text, &mix, &o, &e), PR_ERR_CONFIG, e.text, bad[i].words);
    ck_assert(pr_option_find(pr_mix_states.options, "layer") && !pr_option_find(pr_mix_params.options, "layer"));
}
END_TEST

/* The power mean against its formula; its ends are mixes that there are. */
START_TEST(power_means)
{
    setup_t s;
    const double w[] = {0.5, 0.3, 0.2, 0, 0.6, 1.2};
    static const double exponents[] = {-20, -1, 0, 0.5, 1, 3};
    double total = 0;
    setup(&s, "power");
    size_t n = numbers(&s);
    float *each[K], *expected = pr_alloc(n, sizeof *expected);
    for (int k = 0; k < K; k++) {
        double one[K] = {0};
        one[k] = 1;
        total += w[k];
        each[k] = log_probs(&s.p, one); // one alone is itself
    }
    for (size_t x = 0; x < sizeof exponents / sizeof *exponents; x++) {
        char text[64];
        double e = exponents[x];
        snprintf(text, sizeof text, "power; exponent=%g", e);
        use(&s, text);
        float *found = log_probs(&s.p, w);
        for (size_t i = 0; i < n; i++) {
            double all = 0;
            for (int k = 0; k < K; k++)
                all += e == 0 ? w[k] / total * (double)each[k][i] : w[k] / total * exp(e * (double)each[k][i]);
            expected[i] = (float)(e == 0 ? all : log(all) / e);
        }
        pr_log_softmax(prompt_start[1], s.m->config.vocab, expected);
        same(n, found, expected, 1e-4);
        free(found);
    }
    use(&s, "probs");
    float *probs = log_probs(&s.p, w);
    use(&s, "power; exponent=1");
    float *mean = log_probs(&s.p, w);
    same(n, mean, probs, 1e-5);
    use(&s, "power; exponent=-3");
    decodes(&s, w);
    for (int k = 0; k < K; k++)
        free(each[k]);
    free(probs);
    free(mean);
    free(expected);
    teardown(&s);
}
END_TEST

START_TEST(of_logits)
{
    setup_t s;
    const double w[] = {0.5, 0.3, 0.2, 0, 0.6, 1.2};
    know(&power);
    setup(&s, "probs");
    size_t n = numbers(&s);
    float *probs = log_probs(&s.p, w), *each[K];
    use(&s, "test_power");
    float *mean = log_probs(&s.p, w);
    same(n, mean, probs, 1e-5);
    use(&s, "test_power; exponent=3");
    float *cubes = log_probs(&s.p, w), *expected = pr_alloc(n, sizeof *expected);
    ck_assert_double_gt(distance(n, cubes, probs), 1e-2);
    for (int k = 0; k < K; k++) {
        double one[K] = {0};
        one[k] = 1;
        each[k] = log_probs(&s.p, one); // one alone is itself
    }
    for (size_t i = 0; i < n; i++) {
        double sum3 = 0;
        for (int k = 0; k < K; k++)
            sum3 += w[k] * exp(3 * (double)each[k][i]);
        expected[i] = (float)(log(sum3) / 3);
    }
    pr_log_softmax(prompt_start[1], s.m->config.vocab, expected);
    same(n, cubes, expected, 1e-4);
    decodes(&s, w);
    const double zero[K] = {0};
    pr_error_t e = {0};
    check_error("zero", pr_policy_check(&s.p, 1, zero, &e), PR_ERR_CONFIG, e.text, "all weights are 0|test_power");
    for (int k = 0; k < K; k++)
        free(each[k]);
    free(probs);
    free(mean);
    free(cubes);
    free(expected);
    teardown(&s);
}
END_TEST

/* Parts keep their numbers where others have no weight, and weights their sign where the mix takes it. */
START_TEST(of_states)
{
    setup_t s;
    const double w[] = {0, 0.3, -0.2, 0.5, 0, 0.1}, plain[] = {0, 0.6, -0.6};
    pr_error_t e = {0};
    know(&numbered);
    setup(&s, "states");
    check_error("sign", pr_policy_check(&s.p, 1, plain, &e), PR_ERR_CONFIG, e.text, "weight 2|-0.6|>= 0");
    use(&s, "test_numbered");
    size_t n = numbers(&s);
    float *found = log_probs(&s.p, w), *expected = pr_alloc(n, sizeof *expected);
    use(&s, "logits"); // sum w_k log p_k of one part at a time, added up here
    for (int k = 0; k < K; k++) {
        double one[K] = {0};
        one[k] = 1;
        float *logp = log_probs(&s.p, one);
        for (size_t i = 0; i < n; i++)
            expected[i] += (float)plain[k] * logp[i];
        free(logp);
    }
    pr_log_softmax(prompt_start[1], s.m->config.vocab, expected);
    same(n, found, expected, 1e-4);
    use(&s, "test_numbered");
    decodes(&s, w);
    const double nan[K] = {0, NAN, 1};
    check_error("nan", pr_policy_check(&s.p, 1, nan, &e), PR_ERR_CONFIG, e.text, "weight 1|nan");
    free(found);
    free(expected);
    teardown(&s);
}
END_TEST

START_TEST(merged)
{
    setup_t s;
    const double w[] = {0.5, 0.3, 0.2}, one[] = {1, 1};
    pr_error_t e = {0};
    know(&sum);
    setup(&s, "params");
    size_t n = numbers(&s);
    float *expected = log_probs(&s.p, w);
    use(&s, "test_sum");
    ck_assert_int_eq(pr_policy_check(&s.p, 1, w, &e), PR_ERR_UNSUPPORTED);
    pr_mix_parts_t parts = {pr_team_local(), &s.m->config, K, s.p.adapter, w, NULL, 1};
    pr_adapter_t *a = NULL;
    TINY_OK(s.p.mix->merge(s.options, &parts, &a, err));
    const pr_adapter_t *only = a;
    s.p.adapter = &only;
    s.p.n_expert = 1;
    use(&s, "params");
    float *found = log_probs(&s.p, one);
    same(n, found, expected, 1e-5);
    decodes(&s, one);
    free(found);
    free(expected);
    pr_adapter_free(&a);
    teardown(&s);
}
END_TEST

static pr_mix_memory_t memory(const char *text, const pr_model_config_t *c)
{
    const pr_mix_t *mix;
    json_t *options;
    pr_mix_memory_t m;
    TINY_OK(pr_mix_parse(text, &mix, &options, err));
    TINY_OK(pr_mix_memory(mix, options, c, 4, &m, err));
    json_decref(options);
    return m;
}

START_TEST(takes_memory)
{
    pr_model_config_t c = {.n_layer = 2};
    static const struct {
        const char *mix;
        pr_mix_memory_t m;
    } cases[] = {{"params", {1, 4, 1, 0, false, false}},          {"logits", {4, 1, 1, 0, false, false}},
                 {"probs", {4, 1, 5, 0, false, false}},           {"states", {4, 1, 1, 0, false, false}},
                 {"states; layer=2", {4, 1, 1, 0, false, false}}, {"states; layer=1", {2.5, 4, 1, 0, false, false}},
                 {"states; layer=0", {1, 4, 1, 0, false, false}}, {"regmean", {1, 4, 1, 1, true, false}},
                 {"test_power", {4, 1, 5, 0, false, false}},      {"test_sum", {1, 4, 1, 0.5, false, false}}};
    know(&power);
    know(&sum);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_mix_memory_t m = memory(cases[i].mix, &c), x = cases[i].m;
        ck_assert_msg(m.streams == x.streams && m.stacked == x.stacked && m.logits == x.logits &&
                          m.merged == x.merged && m.grams == x.grams && m.dense == x.dense,
                      "%s: %g %d %d %g %d", cases[i].mix, m.streams, m.stacked, m.logits, m.merged, m.grams);
    }
    pr_mix_memory_t m;
    pr_error_t e = {0};
    json_t *deep = json_pack("{s:i}", "layer", 3);
    check_error("layer", pr_mix_memory(&pr_mix_states, deep, &c, 4, &m, &e), PR_ERR_CONFIG, e.text, "layer|3|2");
    json_decref(deep);
}
END_TEST

/* Who is one adapter and what merging needs, as export and others ask. */
START_TEST(properties)
{
    pr_mix_grams_t g;
    json_t *o = NULL;
    ck_assert(pr_mix_params.one_adapter && pr_mix_regmean.one_adapter);
    ck_assert(!pr_mix_states.one_adapter && !pr_mix_logits.one_adapter && !pr_mix_probs.one_adapter);
    TINY_OK(pr_options_resolve(pr_mix_regmean.options, NULL, NULL, &o, err));
    pr_mix_regmean.grams(o, &g);
    ck_assert_int_eq(g.prompts, 64);
    ck_assert(g.off_diagonal == 0.9 && g.ridge == 1e-6);
    json_decref(o);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mix");
    TCase *t = tcase_create("mix");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, registry);
    tcase_add_test(t, texts);
    tcase_add_test(t, of_logits);
    tcase_add_test(t, power_means);
    tcase_add_test(t, of_states);
    tcase_add_test(t, merged);
    tcase_add_test(t, takes_memory);
    tcase_add_test(t, properties);
    suite_add_tcase(s, t);
    return run_suite(s);
}
