// SPDX-License-Identifier: BSD-3-Clause
/* The fit of a reward head on the small model: its features, its file, and the job of a sweep. */
#include "base/log.h"
#include "jobs/env.h"
#include "reward/data.h"
#include "reward/fit.h"
#include "reward/head.h"
#include "store/layout.h"
#include "sweeps/inputs.h"
#include "unit/jobs/reward_texts.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { N = 60 };

static char dir[64], pairs[96], labels[96], model_dir[512];

static void must(pr_status_t status, const pr_error_t *err)
{
    ck_assert_msg(status == PR_OK, "%s", err->text);
}

static void setup(void)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_error_t err;
    snprintf(dir, sizeof dir, "%s/pr-fit-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(model_dir, sizeof model_dir, "%s/sweeps/counsel/model", root ? root : ".");
    snprintf(pairs, sizeof pairs, "%s/pairs.jsonl", dir);
    snprintf(labels, sizeof labels, "%s/labels.jsonl", dir);
    must(reward_texts(pairs, true, 0, N, &err), &err);
    must(reward_texts(labels, false, 0, N, &err), &err);
    pr_log_set_level(PR_LOG_ERROR);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- the fit ---- */

typedef struct kit {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer;
    pr_fit_input_t in;
} kit_t;

static kit_t kit_open(const char *data)
{
    static char template[] = "{prompt}{response}";
    kit_t k = {0};
    pr_error_t err;
    char *path = pr_path_join(model_dir, "tokenizer.json");
    must(pr_model_load(model_dir, &k.model, &err), &err);
    must(pr_tokenizer_load(path, &k.tokenizer, &err), &err);
    free(path);
    k.in = (pr_fit_input_t){.team = pr_team_local(),
                            .data = data,
                            .model_hash = "m",
                            .text = {template, true, true, 0, 0},
                            .ridge = 0.5,
                            .holdout = 0.25,
                            .batch_tokens = 300};
    k.in.model = k.model;
    k.in.tokenizer = k.tokenizer;
    return k;
}

static void kit_close(kit_t *k)
{
    pr_model_free(&k->model);
    pr_tokenizer_free(&k->tokenizer);
}

/* The state of one text at its last token, by the definition. */
static void state_of(const kit_t *k, const char *prompt, const char *response, double *out)
{
    int32_t *id;
    size_t n, d = (size_t)k->model->config.d_model;
    pr_error_t err;
    pr_run_t *run;
    char text[512];
    snprintf(text, sizeof text, "%s%s", prompt, response);
    must(pr_tokenizer_encode(k->tokenizer, text, strlen(text), true, &id, &n, &err), &err);
    int start[2] = {0, (int)n};
    pr_batch_t b = {.n_seq = 1, .seq_start = start, .token = id};
    float *h = pr_alloc(n * d, sizeof *h);
    must(pr_run_new(k->model, pr_linalg_local(), false, &run, &err), &err);
    must(pr_forward(run, &b, h, &err), &err);
    for (size_t j = 0; j < d; j++)
        out[j] = (double)h[(n - 1) * d + j];
    pr_run_free(&run);
    free(h);
    free(id);
}

/* Rows that are all there, in one batch. */
typedef struct rows {
    int n;
    size_t d;
    double *x, *y;
} rows_t;

static pr_status_t rows_batch(void *self, int batch, double *x, int *first, int *n, pr_error_t *err)
{
    const rows_t *r = self;
    (void)batch, (void)err;
    *first = 0;
    *n = r->n;
    memcpy(x, r->x, (size_t)r->n * r->d * sizeof *x);
    return PR_OK;
}

/* The features of the samples that are (not) held out. */
static rows_t rows_of(const kit_t *k, const pr_reward_data_t *data, bool held_out)
{
    rows_t r = {.d = (size_t)k->model->config.d_model};
    r.x = pr_alloc((size_t)data->n * r.d, sizeof *r.x);
    r.y = pr_alloc((size_t)data->n, sizeof *r.y);
    double *other = pr_alloc(r.d, sizeof *other);
    for (int i = 0; i < data->n; i++) {
        const pr_reward_item_t *item = &data->item[i];
        if (pr_reward_data_held_out(data, i, k->in.holdout) != held_out)
            continue;
        double *row = r.x + (size_t)r.n * r.d;
        state_of(k, item->prompt, item->text, row);
        if (item->rejected)
            state_of(k, item->prompt, item->rejected, other);
        for (size_t j = 0; j < r.d && item->rejected; j++)
            row[j] -= other[j];
        r.y[r.n++] = item->label;
    }
    free(other);
    return r;
}

static void rows_clear(rows_t *r)
{
    free(r->x);
    free(r->y);
}

static double figure(const pr_fit_output_t *o, const char *key)
{
    const json_t *v = json_object_get(o->figures, key);
    ck_assert_msg(json_is_number(v), "%s is missing", key);
    return json_number_value(v);
}

static void compare_weights(const pr_linear_head_t *head, const double *w, double b)
{
    double worst = fabs((double)head->bias - b), scale = fabs(b);
    for (int j = 0; j < head->d; j++) {
        worst = fmax(worst, fabs((double)head->weight[j] - w[j]));
        scale = fmax(scale, fabs(w[j]));
    }
    ck_assert_msg(worst < 1e-4 * scale, "off by %g of %g", worst, scale);
}

/* Features, samples and figures are those of texts taken one by one. */
static void check_fit(const char *file, bool of_pairs)
{
    kit_t k = kit_open(file);
    pr_reward_data_t *data;
    pr_fit_output_t out;
    pr_fit_stats_t stats;
    pr_fit_figures_t held;
    pr_error_t err;
    must(pr_reward_data_load(file, &data, &err), &err);
    rows_t fit = rows_of(&k, data, false), rest = rows_of(&k, data, true);
    pr_features_t x = {(int)fit.d, 1, fit.n, rows_batch, &fit}, z = {(int)fit.d, 1, rest.n, rows_batch, &rest};
    double *w = pr_alloc(fit.d, sizeof *w), b = 0;
    ck_assert(rest.n > 5 && rest.n < N / 2 && fit.n + rest.n == N);
    must(pr_fit_reward(&k.in, &out, &err), &err);
    if (of_pairs)
        must(pr_fit_pairs(pr_team_local(), &x, NULL, k.in.ridge, w, &stats, &err), &err);
    else
        must(pr_fit_labels(pr_team_local(), &x, fit.y, k.in.ridge, w, &b, &stats, &err), &err);
    compare_weights(out.head, w, b);
    if (of_pairs)
        must(pr_check_pairs(pr_team_local(), &z, NULL, w, &held, &err), &err);
    else
        must(pr_check_labels(pr_team_local(), &z, rest.y, true, w, b, &held, &err), &err);
    ck_assert_double_eq(figure(&out, "samples"), N);
    ck_assert_double_eq(figure(&out, "fitted"), fit.n);
    ck_assert_double_eq(figure(&out, "held_out"), rest.n);
    ck_assert_double_eq_tol(figure(&out, "train_loss"), stats.loss, 1e-5);
    ck_assert_double_eq_tol(figure(&out, "held_out_accuracy"), held.accuracy, 1e-12);
    ck_assert_double_gt(held.accuracy, 0.65);
    if (of_pairs) {
        ck_assert_double_eq_tol(figure(&out, "held_out_loss"), held.loss, 1e-5);
        ck_assert_float_eq(out.head->bias, 0);
    } else {
        ck_assert_double_eq_tol(figure(&out, "held_out_rmse"), held.rmse, 1e-5);
        ck_assert_double_eq_tol(figure(&out, "held_out_r2"), held.r2, 1e-4);
    }
    const char *about = json_string_value(json_object_get(out.head->metadata, "about"));
    ck_assert(strstr(about, "\"model\":\"m\"") && strstr(about, "\"data\":\""));
    pr_fit_output_clear(&out);
    ck_assert_ptr_null(out.head);
    rows_clear(&fit);
    rows_clear(&rest);
    pr_reward_data_free(&data);
    free(w);
    kit_close(&k);
}

START_TEST(fits_pairs)
{
    check_fit(pairs, true);
}
END_TEST

START_TEST(fits_labels)
{
    check_fit(labels, false);
}
END_TEST

/* Batches of any size give the same head but for rounding; without a held-out part there is nothing to tell. */
START_TEST(batches_and_no_holdout)
{
    kit_t k = kit_open(pairs);
    pr_fit_output_t one, many;
    pr_error_t err;
    k.in.holdout = 0;
    k.in.batch_tokens = 1;
    must(pr_fit_reward(&k.in, &one, &err), &err);
    k.in.batch_tokens = 100000;
    must(pr_fit_reward(&k.in, &many, &err), &err);
    ck_assert_double_eq(figure(&one, "fitted"), N);
    ck_assert(json_is_null(json_object_get(one.figures, "held_out_accuracy")));
    ck_assert_int_eq(one.tokens, many.tokens);
    ck_assert_int_gt(one.tokens, 2 * N * 10); // each sequence once, as differences are kept
    ck_assert_int_lt(one.tokens, 2 * N * 60);
    double *w = pr_alloc((size_t)one.head->d, sizeof *w);
    for (int j = 0; j < one.head->d; j++)
        w[j] = (double)one.head->weight[j];
    compare_weights(many.head, w, 0);
    free(w);
    pr_fit_output_clear(&one);
    pr_fit_output_clear(&many);
    kit_close(&k);
}
END_TEST

START_TEST(what_cannot_be_fitted)
{
    kit_t k = kit_open(pairs);
    pr_fit_output_t out;
    pr_error_t err;
    k.in.ridge = 0; // fewer pairs than features
    ck_assert_int_eq(pr_fit_reward(&k.in, &out, &err), PR_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "set ridge to "));
    ck_assert_ptr_null(out.head);
    k.in.ridge = 1;
    k.in.data = "/nowhere/data.jsonl";
    ck_assert_int_eq(pr_fit_reward(&k.in, &out, &err), PR_ERR_NOT_FOUND);
    char one[96];
    snprintf(one, sizeof one, "%s/one.jsonl", dir);
    must(reward_texts(one, true, 3, 1, &err), &err);
    k.in.data = one;
    k.in.holdout = 0.999999;
    ck_assert_int_eq(pr_fit_reward(&k.in, &out, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "all of them held out"));
    kit_close(&k);
}
END_TEST

/* ---- the job ---- */

static pr_config_t *config(const char *results, const char *options)
{
    pr_buf_t b = {0};
    pr_error_t err;
    pr_config_t *c = NULL;
    char path[96];
    snprintf(path, sizeof path, "%s/sweep.cfg", dir);
    pr_buf_printf(&b, "name = \"fit\"; results = \"%s/%s\"; model = \"%s\";\n", dir, results, model_dir);
    pr_buf_printf(&b, "prompts = { train = \"%s/../prompts-train.jsonl\"; eval = \"%s/../prompts-eval.jsonl\"; };\n",
                  model_dir, model_dir);
    pr_buf_printf(&b,
                  "objectives = ( { name = \"brevity\"; }, { name = \"kind\"; type = \"linear_head\"; %s } );\n"
                  "finetune = { steps = 1; prompts_per_step = 2; samples = 2; max_new_tokens = 6; lora = { r = 2; }; "
                  "};\nevaluate = { prompts = 4; max_new_tokens = 6; };\nsearch = { type = \"grid\"; divisions = 1; };",
                  options);
    ck_assert_msg(pr_config_parse(b.data, path, NULL, 0, &c, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&b);
    char *checkpoints = pr_results_path(c->results, PR_FOLDER_CHECKPOINTS);
    must(pr_mkdirs(checkpoints, &err), &err);
    free(checkpoints);
    return c;
}

/* The message of inputs, whose reference it takes, as that of how; made is borrowed. */
static json_t *message_of(json_t *inputs, json_t *how, const char *label, const json_t *made)
{
    char id[PR_HASH_HEX];
    pr_json_hash(inputs, id);
    json_t *message = pr_job_message(id, label, inputs, how, made);
    json_decref(inputs);
    json_decref(how);
    return message;
}

static json_t *fit_job(const pr_inputs_t *in)
{
    return message_of(pr_inputs_fit(in, 1), pr_inputs_how_fit(in, 1), "kind-head", NULL);
}

/* Of the objective whose head is fitted. head: that the message says was left; NULL: it says nothing. */
static json_t *train_job(const pr_inputs_t *in, const char *head)
{
    pr_training_wish_t wish = {.w = {0, 1}};
    json_t *made = json_object();
    if (head)
        json_object_set_new(made, in->head[1], json_string(head));
    json_t *message = message_of(pr_inputs_train(in, &in->config->finetune, &wish, 1),
                                 pr_inputs_how_train(in, &in->config->finetune), "kind-s1", made);
    json_decref(made);
    return message;
}

/* The same training by inputs that do not say who fits the head. */
static json_t *headless_job(const pr_inputs_t *in)
{
    json_t *job = train_job(in, NULL), *inputs = json_deep_copy(json_object_get(job, "inputs")),
           *how = json_deep_copy(json_object_get(job, "how"));
    ck_assert_int_eq(json_object_del(json_array_get(json_object_get(inputs, "reward"), 0), "head"), 0);
    ck_assert_int_eq(json_object_del(json_array_get(json_object_get(how, "report"), 1), "head"), 0);
    json_decref(job);
    return message_of(inputs, how, "kind-s1", NULL);
}

static bool at_once(void *self)
{
    (void)self;
    return true;
}

/* kinds one after the other on one environment, as a worker does them. */
static pr_status_t run(pr_job_env_t *env, const json_t *message, bool (*cancel)(void *), json_t **result,
                       pr_error_t *err)
{
    pr_job_hooks_t hooks = {cancel, NULL, NULL};
    *result = NULL;
    return pr_job_run(env, message, &hooks, result, err);
}

static void ignore(void *self, const char *event, const json_t *fields)
{
    (void)self, (void)event, (void)fields;
}

/* A training that cannot be done, for that reason. */
static void cannot(pr_job_env_t *env, json_t *message, pr_status_t want, const char *text)
{
    pr_job_hooks_t hooks = {NULL, ignore, NULL};
    json_t *result = NULL;
    pr_error_t err;
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), want);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' has no '%s'", err.text, text);
    json_decref(message);
}

START_TEST(the_job)
{
    pr_config_t *c = config("job", "data = \"pairs.jsonl\"; ridge = 0.1;");
    pr_inputs_t in;
    pr_error_t err;
    must(pr_inputs_read(c, &in, &err), &err);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    json_t *fit = fit_job(&in), *result, *again;
    pr_job_hooks_t hooks = {NULL, ignore, NULL};
    const char *id = json_string_value(json_object_get(fit, "id"));
    char *path = pr_artifact_path(c->results, PR_ARTIFACT_HEAD, id), hash[PR_HASH_HEX];
    pr_linear_head_t *head;
    ck_assert_str_eq(id, in.head[1]); // as other jobs name it
    // Cancelled, it leaves nothing behind.
    ck_assert_int_eq(run(env, fit, at_once, &result, &err), PR_ERR_INTERRUPTED);
    ck_assert(!pr_file_exists(path));
    // Nothing can be scored without a head.
    cannot(env, headless_job(&in), PR_ERR_CONFIG, "names no head for objective 'kind'");
    cannot(env, train_job(&in, NULL), PR_ERR_CONFIG, in.head[1]);
    must(run(env, fit, NULL, &result, &err), &err);
    must(pr_hash_file(path, hash, &err), &err);
    ck_assert_str_eq(json_string_value(json_object_get(result, "artifact")), hash);
    ck_assert_double_gt(json_number_value(json_object_get(json_object_get(result, "fit"), "held_out_accuracy")), 0.5);
    ck_assert_int_gt(json_integer_value(json_object_get(result, "tokens")), 1000);
    must(pr_linear_head_read(path, &head, &err), &err);
    ck_assert_str_eq(json_string_value(json_object_get(head->metadata, "template")), "{prompt}{response}");
    ck_assert_str_eq(json_string_value(json_object_get(head->metadata, "max_tokens")), "0");
    pr_linear_head_free(&head);
    // The same inputs make the same bytes.
    must(run(env, fit, NULL, &again, &err), &err);
    ck_assert_str_eq(json_string_value(json_object_get(again, "artifact")), hash);
    json_decref(again);
    // And others can be done with it.
    json_t *train = train_job(&in, hash);
    must(pr_job_run(env, train, &hooks, &again, &err), &err);
    json_decref(again);
    json_decref(train);
    // By no other.
    cannot(env, train_job(&in, "0123"), PR_ERR_FORMAT, path);
    // How it is done names the objective of its inputs, and none that would have another head.
    json_object_set_new(json_object_get(fit, "how"), "objective", json_string(in.objective_hash[0]));
    ck_assert_int_eq(run(env, fit, NULL, &again, &err), PR_ERR_CONFIG);
    json_object_del(json_object_get(fit, "how"), "objective");
    ck_assert_int_eq(run(env, fit, NULL, &again, &err), PR_ERR_CONFIG);
    json_decref(result);
    json_decref(fit);
    free(path);
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* What a head depends on is in its job's identity, with the content of the data and not their name; what only scoring
 * depends on is not, so that objectives share one fit. */
START_TEST(identity)
{
    static const struct {
        const char *options;
        bool same;
    } cases[] = {{"data = \"pairs.jsonl\"; ridge = 0.1;", true},
                 {"data = \"pairs.jsonl\"; ridge = 0.1; transform = \"sigmoid\";", true},
                 {"data = \"copy.jsonl\"; ridge = 0.1;", true},
                 {"data = \"labels.jsonl\"; ridge = 0.1;", false},
                 {"data = \"pairs.jsonl\"; ridge = 0.2;", false},
                 {"data = \"pairs.jsonl\"; ridge = 0.1; holdout = 0.25;", false}};
    char path[96], first[PR_HASH_HEX] = "";
    pr_error_t err;
    snprintf(path, sizeof path, "%s/copy.jsonl", dir);
    must(reward_texts(path, true, 0, N, &err), &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_config_t *c = config("identity", cases[i].options);
        pr_inputs_t in;
        must(pr_inputs_read(c, &in, &err), &err);
        if (i == 0)
            snprintf(first, sizeof first, "%s", in.head[1]);
        ck_assert_uint_eq(strlen(in.head[1]), PR_HASH_HEX - 1);
        ck_assert_msg((strcmp(in.head[1], first) == 0) == cases[i].same, "%s", cases[i].options);
        pr_inputs_clear(&in);
        pr_config_free(&c);
    }
}
END_TEST

/* Data that are no good are found before the first job. */
START_TEST(bad_data_are_found_early)
{
    char path[96];
    pr_error_t err;
    snprintf(path, sizeof path, "%s/bad.jsonl", dir);
    must(pr_file_write(path, "{\"text\": \"a\", \"label\": 1}\nnonsense\n", 35, &err), &err);
    pr_config_t *c = config("bad", "data = \"bad.jsonl\";");
    pr_inputs_t in;
    must(pr_inputs_read(c, &in, &err), &err);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "bad.jsonl:2"));
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fit_reward");
    TCase *t = tcase_create("fit_reward");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, fits_pairs);
    tcase_add_test(t, fits_labels);
    tcase_add_test(t, batches_and_no_holdout);
    tcase_add_test(t, what_cannot_be_fitted);
    tcase_add_test(t, the_job);
    tcase_add_test(t, identity);
    tcase_add_test(t, bad_data_are_found_early);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
