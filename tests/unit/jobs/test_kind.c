// SPDX-License-Identifier: BSD-3-Clause
/* Kinds of jobs: a kind of the test's own is run as those of the program are, and says what memory it takes; inputs are
 * read back as they were packed, and what is missing in them is named. */
#include "unit/jobs/jobs_play.h"

#include "jobs/evaluate.h"
#include "jobs/fit_reward.h"
#include "jobs/train.h"
#include "sweeps/outline.h"

/* ---- a kind of the test's own ---- */

/* How long the prompt of a number is, in tokens, times a factor that says how. */
static pr_status_t measure(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                           pr_error_t *err)
{
    const pr_prompt_set_t *set;
    const char *prompts = json_string_value(json_object_get(job->inputs, "prompts")),
               *left = json_string_value(json_object_get(job->made, "another job"));
    int i = (int)json_integer_value(json_object_get(job->inputs, "prompt"));
    PR_TRY(pr_env_prompts(env, prompts, &set, err));
    if (i >= set->n)
        return pr_fail(err, PR_ERR_CONFIG, "%s (%s): found prompt %d of %d", job->label, job->id, i, set->n);
    json_t *told = json_pack("{s:i}", "prompt", i);
    hooks->event(hooks->self, "measured", told);
    json_decref(told);
    if (hooks->cancel(hooks->self))
        return pr_fail(err, PR_ERR_INTERRUPTED, "stopped");
    json_int_t factor = json_integer_value(json_object_get(job->how, "factor"));
    *result = json_pack("{s:I, s:s, s:I, s:f}", "length", (json_int_t)(set->start[i + 1] - set->start[i]) * factor,
                        "left", left ? left : "", "tokens", (json_int_t)0, "seconds", 0.0);
    return PR_OK;
}

static bool has_length(const json_t *result)
{
    return json_is_integer(json_object_get(result, "length"));
}

/* As it counts itself: a token takes 100 bytes, and its factor as many more to work with. */
static pr_status_t measure_memory(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes,
                                  pr_job_memory_t *out, pr_error_t *err)
{
    const pr_prompts_size_t *prompts;
    PR_TRY(pr_sizes_prompts(sizes, json_string_value(json_object_get(inputs, "prompts")), &prompts, err));
    out->kept = 100.0 * prompts->longest / sizes->cols;
    out->work = out->kept * json_number_value(json_object_get(how, "factor"));
    return PR_OK;
}

static const pr_job_kind_t measuring = {
    .name = "measure", .doing = "measuring", .run = measure, .memory = measure_memory, .is_result = has_length};

static int told;
static bool stop;

static void on_measured(void *self, const char *event, const json_t *fields)
{
    (void)self, (void)fields;
    told += strcmp(event, "measured") == 0;
}

static bool stopped(void *self)
{
    (void)self;
    return stop;
}

static json_t *measure_job(const char *prompts, int prompt)
{
    json_t *inputs = json_pack("{s:s, s:s, s:i}", "kind", "measure", "prompts", prompts, "prompt", prompt),
           *how = json_pack("{s:i}", "factor", 10), *made = json_pack("{s:s}", "another job", "its hash");
    char id[PR_HASH_HEX];
    pr_json_hash(inputs, id);
    json_t *message = pr_job_message(id, "third prompt", inputs, how, made);
    json_decref(inputs);
    json_decref(how);
    json_decref(made);
    return message;
}

START_TEST(a_kind_of_ones_own)
{
    pr_config_t *c = config("kind", "");
    pr_inputs_t in;
    pr_error_t err;
    size_t before, after;
    pr_job_hooks_t hooks = {stopped, on_measured, NULL};
    json_t *result = NULL;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    json_t *message = measure_job(in.eval, 2);
    // Not known yet; then it is, and its name is taken.
    ck_assert_ptr_null(pr_job_kind("measure"));
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), PR_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "measure"));
    pr_job_kinds(&before);
    ck_assert_int_eq(pr_job_kind_add(&measuring, &err), PR_OK);
    ck_assert_ptr_eq(pr_job_kind("measure"), &measuring);
    ck_assert_ptr_eq(pr_job_kinds(&after)[before], &measuring);
    ck_assert_uint_eq(after, before + 1);
    ck_assert_int_eq(pr_job_kind_add(&measuring, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "measure"));
    ck_assert_int_eq(pr_job_kind_add(&pr_job_train, &err), PR_ERR_CONFIG);
    // It is given what the message says, on an environment that has been loaded.
    ck_assert_msg(pr_job_run(env, message, &hooks, &result, &err) == PR_OK, "%s", err.text);
    const pr_prompt_set_t *set;
    ck_assert_int_eq(pr_env_prompts(env, in.eval, &set, &err), PR_OK);
    ck_assert(set->start[3] > set->start[2]);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "length")), 10 * (set->start[3] - set->start[2]));
    ck_assert_str_eq(json_string_value(json_object_get(result, "left")), "its hash");
    ck_assert_int_eq(told, 1);
    json_decref(result);
    result = NULL;
    // Its errors are the job's, and its inputs are held to their identity as all others'.
    json_t *past = measure_job(in.eval, 1000000);
    char expected[128];
    ck_assert_int_eq(pr_job_run(env, past, &hooks, &result, &err), PR_ERR_CONFIG);
    snprintf(expected, sizeof expected, "third prompt (%s): found prompt 1000000 of %d", id_of(past), set->n);
    ck_assert_str_eq(err.text, expected);
    stop = true;
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), PR_ERR_INTERRUPTED);
    json_object_set_new(json_object_get(message, "inputs"), "prompt", json_integer(3));
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(told, 2);
    ck_assert_ptr_null(result);
    json_decref(past);
    json_decref(message);
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* ---- memory ---- */

enum { TOKENS = 30, SAMPLES = 500, HELD_OUT = 50, MOST_KINDS = 8 };

typedef struct sum {
    pr_memory_t memory;
    pr_job_sizes_t *sizes;
    pr_prompts_size_t prompts[2];
    pr_samples_size_t samples;
    int jobs[MOST_KINDS]; // by kind
} sum_t;

/* The configuration's sizes on a team, of everything as of prompts of 30 tokens. */
static void sizes_of(const pr_inputs_t *in, const pr_model_config_t *m, pr_job_sizes_t *s, sum_t *sum)
{
    *sum = (sum_t){.sizes = s,
                   .prompts = {{.longest = TOKENS, .mean = TOKENS}, {.longest = TOKENS, .mean = TOKENS}},
                   .samples = {.pairs = true, .n = SAMPLES, .held_out = HELD_OUT}};
    memcpy(sum->prompts[0].hash, in->eval, PR_HASH_HEX);
    memcpy(sum->prompts[1].hash, in->train, PR_HASH_HEX);
    memcpy(sum->samples.objective, in->objective_hash[0], PR_HASH_HEX);
    *s = (pr_job_sizes_t){.model = m,
                          .content = in->content,
                          .rows = 1,
                          .cols = 1,
                          .prompts = sum->prompts,
                          .n_prompts = 2,
                          .samples = &sum->samples,
                          .n_samples = 1};
}

static pr_status_t add(void *self, const json_t *inputs, const json_t *how, pr_error_t *err)
{
    sum_t *s = self;
    int number = pr_job_kind_number(json_string_value(json_object_get(inputs, "kind")));
    ck_assert(number >= 0 && number < MOST_KINDS);
    s->jobs[number]++;
    return pr_memory_add(&s->memory, inputs, how, s->sizes, err);
}

static pr_status_t add_message(sum_t *s, const json_t *message, pr_error_t *err)
{
    return pr_memory_add(&s->memory, json_object_get(message, "inputs"), json_object_get(message, "how"), s->sizes,
                         err);
}

/* Beside a sweep's own jobs a kind that nobody else knows is counted by what it says. */
START_TEST(memory_of_a_kind_of_ones_own)
{
    pr_config_t *c = config("memory", "");
    pr_inputs_t in;
    pr_model_config_t m;
    pr_job_sizes_t sizes;
    sum_t s;
    pr_error_t err;
    ck_assert_msg(pr_inputs_sketch(c, &in, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    sizes_of(&in, &m, &sizes, &s);
    json_t *message = measure_job(in.eval, 2);
    ck_assert_int_eq(add_message(&s, message, &err), PR_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "measure"));
    ck_assert_int_eq(pr_job_kind_add(&measuring, &err), PR_OK);
    ck_assert_double_eq(pr_memory_most(&s.memory, true, true), 0);
    // What it keeps and what it works with; nothing of it where only evaluations run; the largest of several.
    ck_assert_int_eq(add_message(&s, message, &err), PR_OK);
    ck_assert_double_eq(pr_memory_most(&s.memory, true, true), 100 * TOKENS * (1 + 10));
    ck_assert_double_eq(pr_memory_most(&s.memory, true, false), 100 * TOKENS * (1 + 10));
    ck_assert_double_eq(pr_memory_most(&s.memory, false, true), 0);
    sizes.cols = 2;
    ck_assert_int_eq(add_message(&s, message, &err), PR_OK);
    ck_assert_double_eq(pr_memory_most(&s.memory, true, true), 100 * TOKENS * (1 + 10));
    sizes.cols = 1;
    // Those of the program take megabytes; one of it that takes more decides.
    ck_assert_msg(pr_sweep_outline(&in, 6, add, &s, &err) == PR_OK, "%s", err.text);
    double most = pr_memory_most(&s.memory, true, true);
    ck_assert_double_gt(most, 1 << 20);
    json_object_set_new(json_object_get(message, "how"), "factor", json_real(most));
    ck_assert_int_eq(add_message(&s, message, &err), PR_OK);
    ck_assert_double_eq(pr_memory_most(&s.memory, true, true), 100 * TOKENS * (1 + most));
    // Its errors are told.
    json_object_set_new(json_object_get(message, "inputs"), "prompts", json_string("nowhere"));
    ck_assert_int_eq(add_message(&s, message, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "nowhere"));
    json_decref(message);
    pr_sizes_clear(&sizes);
    pr_model_config_clear(&m);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* The sum over a sweep's outline on a team; jobs [MOST_KINDS] of each kind. */
static double most_of(const char *name, const char *more, int rows, int cols, bool makes, bool evaluates, int *jobs)
{
    pr_config_t *c = config(name, more);
    pr_inputs_t in;
    pr_model_config_t m;
    pr_job_sizes_t sizes;
    sum_t s;
    pr_error_t err;
    ck_assert_msg(pr_inputs_sketch(c, &in, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    sizes_of(&in, &m, &sizes, &s);
    sizes.rows = rows;
    sizes.cols = cols;
    ck_assert_msg(pr_sweep_outline(&in, 6, add, &s, &err) == PR_OK, "%s", err.text);
    memcpy(jobs, s.jobs, sizeof s.jobs);
    double most = pr_memory_most(&s.memory, makes, evaluates);
    pr_sizes_clear(&sizes);
    pr_model_config_clear(&m);
    pr_inputs_clear(&in);
    pr_config_free(&c);
    return most;
}

#define MIX(name) "aggregate = \"" name "\";"
#define LARGE "finetune = { prompts_per_step = 64; samples = 4; max_new_tokens = 40; "
#define SINGLE "policies = ( { name = \"one\"; method = \"single\"; } );"

/* Each kind counts by its own inputs and the team that it is done by. */
START_TEST(memory_of_the_programs_kinds)
{
    const pr_job_kind_t *fit = &pr_job_fit_reward, *train = &pr_job_train, *evaluation = &pr_job_evaluate;
    int jobs[MOST_KINDS];
    ck_assert(fit->memory && train->memory && evaluation->memory);
    double tune = most_of("m", MIX("params"), 1, 1, true, false, jobs);
    ck_assert(jobs[pr_job_kind_number("train")] == 2 && jobs[pr_job_kind_number("evaluate")] == 1 &&
              jobs[pr_job_kind_number("fit_reward")] == 0);
    double evaluate = most_of("m", MIX("params"), 1, 1, false, true, jobs);
    ck_assert_double_eq(most_of("m", MIX("params"), 1, 1, true, true, jobs), fmax(tune, evaluate));
    // More to learn from at a time, a larger adapter and no reference cost and spare; a team shares.
    double large = most_of("m", LARGE "};", 1, 1, true, false, jobs);
    ck_assert_double_gt(large, tune);
    ck_assert_double_gt(most_of("m", LARGE "lora = { r = 64; }; };", 1, 1, true, false, jobs), large);
    ck_assert_double_lt(most_of("m", LARGE "kl = 0.0; };", 1, 1, true, false, jobs), large);
    ck_assert_double_lt(most_of("m", LARGE "};", 4, 1, true, false, jobs), large);
    ck_assert_double_lt(most_of("m", LARGE "};", 1, 2, true, false, jobs), large);
    // Two parts at once, one after the other, or merged by what is measured of them.
    ck_assert_double_gt(most_of("m", MIX("states"), 1, 1, false, true, jobs), evaluate);
    ck_assert_double_gt(most_of("m", MIX("regmean"), 1, 1, false, true, jobs), evaluate + 8.0 * 6 * 2 * 192 * 192);
    // Of one training a point, one adapter.
    ck_assert_double_lt(most_of("m", SINGLE, 1, 1, false, true, jobs), evaluate);
    ck_assert(jobs[pr_job_kind_number("train")] == 1 && jobs[pr_job_kind_number("evaluate")] == 1);
}
END_TEST

/* Of the samples that the objective's hash stands for, as wide as the model. */
START_TEST(memory_of_a_fit)
{
    const pr_model_config_t m = {.d_model = 64};
    pr_samples_size_t samples = {.objective = "its hash", .pairs = true, .n = SAMPLES, .held_out = HELD_OUT};
    pr_job_sizes_t sizes = {.model = &m, .rows = 1, .cols = 1, .samples = &samples, .n_samples = 1};
    json_t *fit = json_object(), *how = json_pack("{s:s}", "objective", "its hash"),
           *other = json_pack("{s:s}", "objective", "another");
    pr_fit_inputs_t in = {.type = "linear_head", .fit = fit};
    json_t *inputs = pr_fit_inputs_pack(&in);
    pr_memory_t pairs = {.kept = {0}}, labels = pairs;
    pr_error_t err;
    ck_assert_int_eq(pr_memory_add(&pairs, inputs, how, &sizes, &err), PR_OK);
    samples.pairs = false;
    ck_assert_int_eq(pr_memory_add(&labels, inputs, how, &sizes, &err), PR_OK);
    double least = 8 * 64 * 64 + 2048 * 12 * 64;
    ck_assert_double_eq(pr_memory_most(&labels, true, false), least);
    ck_assert_double_eq(pr_memory_most(&pairs, true, false), least + 4.0 * (SAMPLES - HELD_OUT) * 64);
    ck_assert_int_eq(pr_memory_add(&pairs, inputs, other, &sizes, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "another"));
    json_decref(inputs);
    json_decref(fit);
    json_decref(how);
    json_decref(other);
}
END_TEST

/* A sketch names all that it would read, which need not be there, and its jobs are those of the sweep but for their
 * hashes. */
START_TEST(sketches_read_nothing)
{
    pr_config_t *c = config("sketch", "objectives = ( { name = \"brevity\"; adapter = \"nowhere\"; }, { name = "
                                      "\"distinct\"; n = 2; } ); model = \"nothing\"; prompts = { train = "
                                      "\"no.jsonl\"; eval = \"none.jsonl\"; };");
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_int_eq(pr_inputs_read(c, &in, &err), PR_ERR_NOT_FOUND);
    pr_inputs_clear(&in);
    ck_assert_msg(pr_inputs_sketch(c, &in, &err) == PR_OK, "%s", err.text);
    ck_assert(in.model[0] && in.train[0] && in.eval[0] && in.adapter[0][0] && !in.adapter[1][0]);
    ck_assert_str_ne(in.train, in.eval);
    ck_assert_ptr_nonnull(pr_content_value(in.content, in.task));
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

START_TEST(kinds_of_the_program)
{
    size_t n;
    const pr_job_kind_t *const *all = pr_job_kinds(&n);
    int evaluating = 0;
    for (size_t i = 0; i < n; i++) {
        ck_assert_ptr_eq(pr_job_kind(all[i]->name), all[i]);
        ck_assert(all[i]->doing[0] && all[i]->run);
        evaluating += all[i]->evaluates;
    }
    ck_assert_int_eq(evaluating, 1);
    ck_assert(pr_job_kind_evaluating()->evaluates);
    ck_assert_ptr_null(pr_job_kind("finetune"));
    ck_assert_ptr_null(pr_job_kind(NULL));
    json_t *empty = json_object();
    ck_assert(!pr_job_train.is_result(empty) && !pr_job_evaluate.is_result(empty) &&
              !pr_job_fit_reward.is_result(empty));
    json_decref(empty);
}
END_TEST

/* ---- inputs ---- */

typedef struct parsed {
    pr_status_t (*parse)(const json_t *value, void *out, pr_error_t *err);
    json_t *(*pack)(const void *in);
} parsed_t;

static pr_status_t parse_train(const json_t *v, void *out, pr_error_t *err)
{
    return pr_train_parse(v, out, err);
}

static json_t *pack_train(const void *in)
{
    return pr_train_pack(in);
}

static pr_status_t parse_how(const json_t *v, void *out, pr_error_t *err)
{
    return pr_train_how_parse(v, out, err);
}

static json_t *pack_how(const void *in)
{
    return pr_train_how_pack(in);
}

static pr_status_t parse_evaluate(const json_t *v, void *out, pr_error_t *err)
{
    return pr_evaluate_parse(v, out, err);
}

static json_t *pack_evaluate(const void *in)
{
    return pr_evaluate_pack(in);
}

static pr_status_t parse_task(const json_t *v, void *out, pr_error_t *err)
{
    return pr_evaluation_task_parse(v, out, err);
}

static json_t *pack_task(const void *in)
{
    return pr_evaluation_task_pack(in);
}

static pr_status_t parse_fit(const json_t *v, void *out, pr_error_t *err)
{
    return pr_fit_inputs_parse(v, out, err);
}

static json_t *pack_fit(const void *in)
{
    return pr_fit_inputs_pack(in);
}

/* What is a text or a number is missed, and named; hashes and values may be missing. */
static void check_keys(const parsed_t *p, json_t *value, json_t *object)
{
    union {
        pr_train_inputs_t train;
        pr_train_how_t how;
        pr_evaluate_inputs_t evaluate;
        pr_evaluation_task_t task;
        pr_fit_inputs_t fit;
    } out;
    json_t *names = json_deep_copy(object), *v;
    const char *key;
    pr_error_t err;
    int needed = 0;
    memset(&out, 0, sizeof out);
    ck_assert_msg(p->parse(value, &out, &err) == PR_OK, "%s", err.text);
    json_t *again = p->pack(&out);
    ck_assert(json_equal(value, again));
    json_decref(again);
    json_object_foreach(names, key, v)
    {
        char named[64];
        if ((!json_is_number(v) && !json_is_boolean(v)) || strcmp(key, "format") == 0)
            continue;
        json_t *kept = json_incref(json_object_get(object, key));
        snprintf(named, sizeof named, "key '%s': found nothing", key);
        json_object_del(object, key);
        ck_assert_int_eq(p->parse(value, &out, &err), PR_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, named) != NULL, "'%s' has no '%s'", err.text, named);
        json_object_set_new(object, key, json_string("x"));
        ck_assert_int_eq(p->parse(value, &out, &err), PR_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, "found a string") != NULL, "%s", err.text);
        json_object_set_new(object, key, kept);
        needed++;
    }
    ck_assert_int_gt(needed, 0);
    json_decref(names);
}

/* Another weighting rule makes another training; fixed weights said by name are what they are without, and so is any rule of
 * one objective alone. */
START_TEST(rules_are_inputs)
{
    pr_config_t *c = config("combine", brought);
    pr_inputs_t in;
    pr_error_t err;
    neutral_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_training_wish_t both = {.w = {0.25, 0.75}}, one = {.w = {1}};
    pr_finetune_config_t other = c->finetune;
    json_t *combine = json_string("product"), *weigh = json_pack("{s:s, s:f}", "type", "stch", "mu", 0.1),
           *v[5] = {pr_inputs_train(&in, &c->finetune, &both, 3), NULL};
    other.combine = combine;
    v[1] = pr_inputs_train(&in, &other, &both, 3);
    other.combine = c->finetune.combine;
    other.weigh = weigh;
    v[2] = pr_inputs_train(&in, &other, &both, 3);
    v[3] = pr_inputs_train(&in, &other, &one, 3);
    v[4] = pr_inputs_train(&in, &c->finetune, &one, 3);
    ck_assert(!json_equal(v[0], v[1]));
    ck_assert(!json_equal(v[0], v[2]));
    ck_assert(!json_equal(v[1], v[2]));
    ck_assert(json_equal(v[3], v[4]));
    ck_assert_ptr_null(json_object_get(json_object_get(v[0], "train"), "weigh"));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(v[0], "train"), "combine")), "linear");
    for (int i = 0; i < 5; i++)
        json_decref(v[i]);
    json_decref(combine);
    json_decref(weigh);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

START_TEST(inputs_are_read_back)
{
    static const parsed_t train = {parse_train, pack_train}, how = {parse_how, pack_how},
                          evaluation = {parse_evaluate, pack_evaluate}, task = {parse_task, pack_task},
                          fit = {parse_fit, pack_fit};
    pr_config_t *c = config("back", brought);
    pr_inputs_t in;
    pr_error_t err;
    neutral_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_training_wish_t wish = {.w = {0.25, 0.75}};
    json_t *v = pr_inputs_train(&in, &c->finetune, &wish, 3);
    check_keys(&train, v, v);
    check_keys(&train, v, json_object_get(v, "train"));
    check_keys(&train, v, json_array_get(json_object_get(v, "reward"), 1));
    ck_assert_int_eq(pr_job_train.steps(v), 4);
    json_decref(v);
    v = pr_inputs_how_train(&in, &c->finetune);
    check_keys(&how, v, v);
    json_decref(v);
    v = evaluate_inputs(&in, 0.5, 0.5, 1, 3);
    check_keys(&evaluation, v, v);
    json_decref(v);
    v = json_deep_copy(pr_content_value(in.content, in.task));
    check_keys(&task, v, v);
    json_decref(v);
    json_t *options = json_pack("{s:f, s:s}", "ridge", 0.5, "transform", "sigmoid"),
           *identity = json_pack("{s:O}", "options", options), *part = pr_fit_part(identity);
    ck_assert_uint_eq(json_object_size(part), 1);
    pr_fit_inputs_t f = {.type = "linear_head", .fit = part};
    snprintf(f.model, sizeof f.model, "%s", in.model);
    v = pr_fit_inputs_pack(&f);
    pr_fit_inputs_t g = {.type = NULL};
    ck_assert_int_eq(fit.parse(v, &g, &err), PR_OK);
    ck_assert_str_eq(g.type, "linear_head");
    json_t *again = fit.pack(&g);
    ck_assert(json_equal(v, again));
    json_decref(again);
    json_object_del(v, "type");
    ck_assert_int_eq(fit.parse(v, &g, &err), PR_ERR_FORMAT);
    json_decref(v);
    json_decref(part);
    json_decref(identity);
    json_decref(options);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kind");
    TCase *t = tcase_create("kind");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_kind_of_ones_own);
    tcase_add_test(t, memory_of_a_kind_of_ones_own);
    tcase_add_test(t, memory_of_the_programs_kinds);
    tcase_add_test(t, memory_of_a_fit);
    tcase_add_test(t, sketches_read_nothing);
    tcase_add_test(t, kinds_of_the_program);
    tcase_add_test(t, rules_are_inputs);
    tcase_add_test(t, inputs_are_read_back);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
