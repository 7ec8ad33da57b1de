// SPDX-License-Identifier: BSD-3-Clause
/* The objective linear_head against hidden states taken one text at a time. */
#include "model/linear_head.h"
#include "model/transformer.h"
#include "unit/objective/support.h"

#include <stdio.h>

typedef struct base {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer;
    pr_objective_env_t env;
    pr_linear_head_t head;
    char dir[64], file[96];
} base_t;

static void must(pr_status_t status, const pr_error_t *err)
{
    ck_assert_msg(status == PR_OK, "%s", err->text);
}

static void open_base(base_t *b, json_t *metadata)
{
    pr_error_t err;
    char *dir = source_file("tests/fixtures/llama"), *tokenizer = source_file("tests/fixtures/llama/tokenizer.json");
    must(pr_model_load(dir, &b->model, &err), &err);
    must(pr_tokenizer_load(tokenizer, &b->tokenizer, &err), &err);
    snprintf(b->dir, sizeof b->dir, "/tmp/pr-linear-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->dir));
    snprintf(b->file, sizeof b->file, "%s/head.safetensors", b->dir);
    b->env = (pr_objective_env_t){b->dir, b->model, b->tokenizer, pr_linalg_local()};
    int d = b->model->config.d_model;
    b->head = (pr_linear_head_t){.d = d, .weight = pr_alloc((size_t)d, sizeof(float)), .bias = 0.25f};
    for (int i = 0; i < d; i++)
        b->head.weight[i] = (float)sin(i * 1.3) * 0.3f;
    b->head.metadata = metadata;
    must(pr_linear_head_write(b->file, &b->head, &err), &err);
    free(dir);
    free(tokenizer);
}

static void close_base(base_t *b)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    ck_assert_int_eq(system(command), 0);
    pr_model_free(&b->model);
    pr_tokenizer_free(&b->tokenizer);
    free(b->head.weight);
    json_decref(b->head.metadata);
}

/* w.h + b of one text's last n_last tokens (0: all) by the definition. */
static double by_hand(const base_t *b, const char *text, bool special, size_t n_last)
{
    int32_t *id;
    size_t n;
    pr_error_t err;
    pr_run_t *run;
    must(pr_tokenizer_encode(b->tokenizer, text, strlen(text), special, &id, &n, &err), &err);
    size_t skip = n_last && n > n_last ? n - n_last : 0, d = (size_t)b->head.d;
    int start[2] = {0, (int)(n - skip)};
    pr_batch_t batch = {.n_seq = 1, .seq_start = start, .token = id + skip};
    float *h = pr_alloc((n - skip) * d, sizeof *h);
    must(pr_run_new(b->model, pr_linalg_local(), false, &run, &err), &err);
    must(pr_forward(run, &batch, h, &err), &err);
    double sum = (double)b->head.bias;
    for (size_t j = 0; j < d; j++)
        sum += (double)h[(n - skip - 1) * d + j] * (double)b->head.weight[j];
    pr_run_free(&run);
    free(h);
    free(id);
    return sum;
}

static const char *const prompts[] = {"I feel tired", "She said that", "No", "Why not"};
static const char *const responses[] = {" and sad.", " she would be here soon, with all of them.", "!", " indeed"};

static void check_scores(const base_t *b, const char *options, const char *before, const char *between, bool special,
                         size_t n_last, bool sigmoid)
{
    pr_objective_t *o = NULL;
    pr_error_t err;
    pr_sample_t s[4];
    double found[4];
    must(try_open("linear_head", options, &b->env, &o, &err), &err);
    for (int i = 0; i < 4; i++)
        s[i] = (pr_sample_t){.prompt = prompts[i], .response = responses[i], .response_len = strlen(responses[i])};
    must(pr_objective_score(o, s, 4, found, &err), &err);
    ck_assert_double_eq(o->lo, sigmoid ? 0 : -INFINITY);
    for (int i = 0; i < 4; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s%s%s%s", before, prompts[i], between, responses[i]);
        double x = by_hand(b, text, special, n_last), expected = sigmoid ? 1 / (1 + exp(-x)) : x;
        ck_assert_msg(fabs(found[i] - expected) < 1e-5, "%s: %d: %g, expected %g", options, i, found[i], expected);
        ck_assert(i == 0 || fabs(found[i] - found[i - 1]) > 1e-4); // or little would be seen
    }
    pr_objective_close(&o);
}

START_TEST(scores)
{
    base_t b;
    open_base(&b, NULL);
    check_scores(&b, "{'head': 'head.safetensors'}", "", "", true, 0, false);
    check_scores(&b, "{'head': 'head.safetensors', 'batch_tokens': 1}", "", "", true, 0, false);
    check_scores(&b, "{'head': 'head.safetensors', 'transform': 'sigmoid'}", "", "", true, 0, true);
    check_scores(&b, "{'head': 'head.safetensors', 'template': 'Q: {prompt} A:{response}'}", "Q: ", " A:", true, 0,
                 false);
    check_scores(&b, "{'head': 'head.safetensors', 'special_tokens': false, 'max_tokens': 3}", "", "", false, 3, false);
    close_base(&b);
}
END_TEST

/* A head scores as its file says that it was fitted; options that say otherwise are refused. */
START_TEST(settings_of_the_file)
{
    base_t b;
    pr_error_t err;
    pr_objective_t *o = NULL;
    open_base(&b, json_pack("{s:s, s:s, s:s, s:s, s:s}", "template", "Q: {prompt} A:{response}", "max_tokens", "3",
                            "truncate", "start", "special_tokens", "false", "trim", "true"));
    ck_assert_int_eq(try_open("linear_head", "{'head': 'head.safetensors', 'trim': false}", &b.env, &o, &err),
                     PR_ERR_CONFIG);
    check_scores(&b, "{'head': 'head.safetensors'}", "Q: ", " A:", false, 3, false);
    check_scores(&b, "{'head': 'head.safetensors', 'max_tokens': 3}", "Q: ", " A:", false, 3, false);
    ck_assert_int_eq(try_open("linear_head", "{'head': 'head.safetensors', 'max_tokens': 4}", &b.env, &o, &err),
                     PR_ERR_CONFIG);
    ck_assert_msg(strstr(err.text, "max_tokens: found \"4\", but ") && strstr(err.text, "fitted with \"3\""), "%s",
                  err.text);
    json_object_set_new(b.head.metadata, "max_tokens", json_string("3x"));
    must(pr_linear_head_write(b.file, &b.head, &err), &err);
    ck_assert_int_eq(try_open("linear_head", "{'head': 'head.safetensors'}", &b.env, &o, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "max_tokens: found \"3x\""));
    json_object_set_new(b.head.metadata, "max_tokens", json_string("3"));
    json_object_set_new(b.head.metadata, "truncate", json_string("middle"));
    must(pr_linear_head_write(b.file, &b.head, &err), &err);
    ck_assert_int_eq(try_open("linear_head", "{'head': 'head.safetensors'}", &b.env, &o, &err), PR_ERR_FORMAT);
    close_base(&b);
}
END_TEST

/* A head of labels predicts the label, one of pairs gives log-odds: what is done to its number must go with that. */
START_TEST(transforms_go_with_what_was_fitted)
{
    static const char *const kinds[] = {"labels", "pairs"}, *const transforms[] = {"clip", "sigmoid"};
    base_t b;
    pr_error_t err;
    open_base(&b, json_object());
    for (int in_about = 0; in_about < 2; in_about++)
        for (int k = 0; k < 2; k++)
            for (int t = 0; t < 2; t++) {
                pr_objective_t *o = NULL;
                char about[40], options[80];
                snprintf(about, sizeof about, "{\"kind\":\"%s\"}", kinds[k]);
                json_object_clear(b.head.metadata);
                json_object_set_new(b.head.metadata, in_about ? "about" : "kind",
                                    json_string(in_about ? about : kinds[k]));
                must(pr_linear_head_write(b.file, &b.head, &err), &err);
                snprintf(options, sizeof options, "{'head': 'head.safetensors', 'transform': '%s'}", transforms[t]);
                pr_status_t status = try_open("linear_head", options, &b.env, &o, &err);
                ck_assert_int_eq(status, k == t ? PR_OK : PR_ERR_CONFIG);
                if (k != t) {
                    ck_assert_msg(strstr(err.text, kinds[k]) && strstr(err.text, transforms[t]), "%s", err.text);
                    continue;
                }
                ck_assert(o->lo == 0 && o->hi == 1);
                pr_objective_close(&o);
            }
    json_t *sigmoid = options_of("{'transform': 'sigmoid', 'data': 'x'}");
    ck_assert_int_eq(pr_objective_check_fit("it", "linear_head", sigmoid, true, &err), PR_OK);
    ck_assert_int_eq(pr_objective_check_fit("it", "linear_head", sigmoid, false, &err), PR_ERR_CONFIG);
    ck_assert_int_eq(pr_objective_check_fit("it", "brevity", sigmoid, false, &err), PR_OK);
    json_decref(sigmoid);
    close_base(&b);
}
END_TEST

START_TEST(clip)
{
    base_t b;
    pr_error_t err;
    pr_objective_t *o = NULL;
    static const float bias[] = {1e4F, -1e4F};
    pr_sample_t s = {.prompt = prompts[0], .response = responses[0], .response_len = strlen(responses[0])};
    open_base(&b, json_object());
    for (int i = 0; i < 2; i++) {
        double score;
        b.head.bias = bias[i];
        must(pr_linear_head_write(b.file, &b.head, &err), &err);
        must(try_open("linear_head", "{'head': 'head.safetensors', 'transform': 'clip'}", &b.env, &o, &err), &err);
        must(pr_objective_score(o, &s, 1, &score, &err), &err);
        ck_assert_double_eq(score, i == 0 ? 1 : 0);
        pr_objective_close(&o);
    }
    close_base(&b);
}
END_TEST

/* One that is to be fitted scores once it has been given its head, and each time as the last it was given. */
START_TEST(given_later)
{
    base_t b;
    pr_error_t err;
    pr_objective_t *o = NULL;
    pr_sample_t s = {.prompt = prompts[0], .response = responses[0], .response_len = strlen(responses[0])};
    double found, second;
    char text[64], data[96];
    open_base(&b, NULL);
    snprintf(data, sizeof data, "%s/data.jsonl", b.dir);
    must(pr_file_write(data, "x", 1, &err), &err);
    must(try_open("linear_head", "{'data': 'data.jsonl'}", &b.env, &o, &err), &err);
    ck_assert_int_eq(pr_objective_score(o, &s, 1, &found, &err), PR_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "not been fitted yet"));
    ck_assert_int_eq(pr_objective_attach(o, "/nowhere", &err), PR_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "objective 'it'"));
    must(pr_objective_attach(o, b.file, &err), &err);
    must(pr_objective_score(o, &s, 1, &found, &err), &err);
    snprintf(text, sizeof text, "%s%s", prompts[0], responses[0]);
    ck_assert_double_eq_tol(found, by_hand(&b, text, true, 0), 1e-5);
    b.head.bias += 1;
    must(pr_linear_head_write(b.file, &b.head, &err), &err);
    must(pr_objective_attach(o, b.file, &err), &err);
    must(pr_objective_score(o, &s, 1, &second, &err), &err);
    ck_assert_double_eq_tol(second, found + 1, 1e-6);
    pr_objective_close(&o);
    close_base(&b);
}
END_TEST

START_TEST(bad_options)
{
    static const struct {
        const char *options, *text;
    } bad[] = {
        {"{}", "found neither of the options 'head' and 'data'"},
        {"{'head': 'head.safetensors', 'data': 'head.safetensors'}", "found both of the options"},
        {"{'head': 'nowhere'}", "nowhere"},
        {"{'data': 'nowhere'}", "nowhere"},
        {"{'head': 'head.safetensors', 'template': '{prompt}'}", "no {response}"},
        {"{'data': 'head.safetensors', 'template': 'x'}", "no {response}"},
        {"{'data': 'head.safetensors', 'ridge': -1}", "ridge: found the integer -1, expected a number 0 to 1e12"},
        {"{'data': 'head.safetensors', 'holdout': 1}", "holdout: found the integer 1, expected a number 0 to 0.9"},
        {"{'head': 'head.safetensors', 'transform': 'softmax'}",
         "transform: found the string \"softmax\", expected one of none | sigmoid | clip"},
        {"{'head': 'wide.safetensors'}", "the model's hidden states have"},
    };
    base_t b;
    pr_error_t err;
    open_base(&b, NULL);
    char wide[96];
    float *w = pr_alloc((size_t)b.head.d + 1, sizeof *w);
    pr_linear_head_t other = {.d = b.head.d + 1, .weight = w};
    snprintf(wide, sizeof wide, "%s/wide.safetensors", b.dir);
    must(pr_linear_head_write(wide, &other, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_objective_t *o = NULL;
        ck_assert_msg(try_open("linear_head", bad[i].options, &b.env, &o, &err) != PR_OK, "%s", bad[i].options);
        ck_assert_msg(strstr(err.text, bad[i].text), "%s: %s", bad[i].options, err.text);
    }
    free(w);
    close_base(&b);
}
END_TEST

/* The identity follows the content of the data and the fit's options. */
START_TEST(identity)
{
    static const char *const differ[] = {"{'data': 'd.jsonl'}", "{'data': 'e.jsonl'}",
                                         "{'data': 'd.jsonl', 'ridge': 0.5}", "{'data': 'd.jsonl', 'holdout': 0}",
                                         "{'data': 'd.jsonl', 'template': 'x{response}'}"};
    enum { N = sizeof differ / sizeof *differ };
    base_t b;
    pr_error_t err;
    char hash[N][33], path[96];
    json_t *id;
    open_base(&b, NULL);
    for (int i = 0; i < 3; i++) {
        static const char *const name[] = {"d", "e", "f"};
        snprintf(path, sizeof path, "%s/%s.jsonl", b.dir, name[i]);
        must(pr_file_write(path, i == 1 ? "two" : "one", 3, &err), &err);
    }
    for (size_t i = 0; i < N; i++) {
        json_t *o = options_of(differ[i]);
        must(pr_objective_identity("linear_head", o, b.dir, &id, &err), &err);
        pr_json_hash(id, hash[i]);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(hash[i], hash[j]);
        ck_assert(pr_objective_needs_fit("linear_head", o));
        json_decref(id);
        json_decref(o);
    }
    json_t *o = options_of("{'data': 'f.jsonl'}"); // the same content by another name
    must(pr_objective_identity("linear_head", o, b.dir, &id, &err), &err);
    pr_json_hash(id, hash[1]);
    ck_assert_str_eq(hash[0], hash[1]);
    json_decref(id);
    json_decref(o);
    o = options_of("{'head': 'head.safetensors'}");
    ck_assert(!pr_objective_needs_fit("linear_head", o) && !pr_objective_needs_fit("brevity", o));
    ck_assert_str_eq(pr_objective_head_file("linear_head", o), "head.safetensors");
    ck_assert_ptr_null(pr_objective_head_file("brevity", o));
    ck_assert_ptr_null(pr_objective_head_file("linear_head", NULL));
    ck_assert_ptr_null(pr_objective_head_file("no such type", o));
    json_decref(o);
    close_base(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("linear_head");
    TCase *t = tcase_create("linear_head");
    tcase_add_test(t, scores);
    tcase_add_test(t, settings_of_the_file);
    tcase_add_test(t, given_later);
    tcase_add_test(t, transforms_go_with_what_was_fitted);
    tcase_add_test(t, clip);
    tcase_add_test(t, bad_options);
    tcase_add_test(t, identity);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
