// SPDX-License-Identifier: BSD-3-Clause
// Fluency and reward models against values that PyTorch computed.
#include "model/safetensors.h"
#include "unit/objective/support.h"

enum { PROMPT = 8, LENGTH = 24 }; // of the fixtures' two sequences

typedef struct base {
    pr_model_t *model;
    pr_tokenizer_t *tokenizer;
    pr_safetensors_t *expected;
    pr_objective_env_t env;
    int32_t id[2][LENGTH];
    pr_sample_t sample[2];
} base_t;

static char *fixture(const char *name, const char *file)
{
    char path[200];
    snprintf(path, sizeof path, "tests/fixtures/%s%s%s", name, *file ? "/" : "", file);
    return source_file(path);
}

static void must(pr_status_t status, const pr_error_t *err)
{
    ck_assert_msg(status == PR_OK, "%s", err->text);
}

static void open_base(const char *name, base_t *b)
{
    pr_error_t err;
    char *dir = fixture(name, ""), *tokenizer = fixture(name, "tokenizer.json");
    char *expected = fixture(name, "expected.safetensors");
    must(pr_model_load(dir, &b->model, &err), &err);
    must(pr_tokenizer_load(tokenizer, &b->tokenizer, &err), &err);
    must(pr_safetensors_open(expected, &b->expected, &err), &err);
    b->env = (pr_objective_env_t){"", b->model, b->tokenizer, pr_linalg_local()};
    const pr_tensor_t *ids = pr_safetensors_find(b->expected, "input_ids");
    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < LENGTH; i++) {
            int64_t id;
            memcpy(&id, ids->data + (size_t)(s * LENGTH + i) * sizeof id, sizeof id);
            b->id[s][i] = (int32_t)id;
        }
        b->sample[s] = (pr_sample_t){"", "", b->id[s], b->id[s] + PROMPT, PROMPT, LENGTH - PROMPT, 0};
    }
    free(dir);
    free(tokenizer);
    free(expected);
}

static void close_base(base_t *b)
{
    pr_model_free(&b->model);
    pr_tokenizer_free(&b->tokenizer);
    pr_safetensors_close(&b->expected);
}

static pr_objective_t *open_in(const char *type, const char *options, const pr_objective_env_t *env)
{
    pr_objective_t *o = NULL;
    pr_error_t err;
    must(try_open(type, options, env, &o, &err), &err);
    return o;
}

static void scores_of(pr_objective_t *o, const pr_sample_t *s, size_t n, double *scores)
{
    pr_error_t err;
    must(pr_objective_score(o, s, n, scores, &err), &err);
}

/* ---- fluency ---- */
static const char *const models[] = {"gpt2", "llama", "qwen2", "smollm2"};

START_TEST(test_fluency_is_pytorchs)
{
    base_t b;
    float logp[2][LENGTH - PROMPT];
    double scores[2];
    pr_error_t err;
    open_base(models[_i], &b);
    const pr_tensor_t *t = pr_safetensors_find(b.expected, "pg.ref_logp");
    must(pr_tensor_to_float(t, 0, t->n, logp[0], &err), &err);
    pr_objective_t *o = open_in("fluency", "{}", &b.env);
    scores_of(o, b.sample, 2, scores);
    for (int s = 0; s < 2; s++) {
        double mean = 0;
        for (int i = 0; i < LENGTH - PROMPT; i++)
            mean += logp[s][i] / (LENGTH - PROMPT);
        ck_assert_msg(fabs(scores[s] / exp(mean) - 1) < 1e-4, "%g, expected %g", scores[s], exp(mean));
    }
    pr_objective_close(&o);
    close_base(&b);
}
END_TEST

// The same numbers alone, in batches of any size, and with neighbours that have nothing to score.
START_TEST(test_fluency_batches)
{
    base_t b;
    open_base("gpt2", &b);
    pr_objective_t *all = open_in("fluency", "{}", &b.env), *one = open_in("fluency", "{'batch_tokens': 1}", &b.env);
    pr_sample_t mixed[5] = {b.sample[1], b.sample[0], b.sample[1], b.sample[0], b.sample[1]};
    double together[5], apart[5], alone[2];
    mixed[0].n_response = 0;
    mixed[2].n_response = 1;
    mixed[3].n_prompt = 0;
    scores_of(all, mixed, 5, together);
    scores_of(one, mixed, 5, apart);
    scores_of(all, b.sample, 1, alone);
    scores_of(all, b.sample + 1, 1, alone + 1);
    for (int i = 0; i < 5; i++)
        ck_assert_double_eq_tol(together[i], apart[i], 1e-6);
    ck_assert_double_eq(together[0], 0);
    ck_assert_double_eq_tol(together[1], alone[0], 1e-6);
    ck_assert_double_eq_tol(together[4], alone[1], 1e-6);
    ck_assert_double_gt(together[2], 0);
    ck_assert_double_gt(together[3], 0);
    pr_objective_close(&all);
    pr_objective_close(&one);
    close_base(&b);
}
END_TEST

// More tokens than the model takes: what is left is the prompt's end and the response's start.
START_TEST(test_fluency_too_long)
{
    base_t b;
    open_base("gpt2", &b);
    enum { LONG = 300 };
    int32_t id[LONG];
    for (int i = 0; i < LONG; i++)
        id[i] = b.id[0][i % LENGTH];
    pr_objective_t *o = open_in("fluency", "{}", &b.env);
    int most = b.model->config.max_pos;
    pr_sample_t s[4] = {{"", "", id, id + 290, 290, 10, 0},
                        {"", "", id + 290 - (most - 10), id + 290, most - 10, 10, 0},
                        {"", "", id, id + 3, 3, 297, 0},
                        {"", "", id + 2, id + 3, 1, most - 1, 0}};
    double scores[4];
    scores_of(o, s, 4, scores);
    ck_assert_double_gt(scores[0], 0);
    ck_assert_double_eq_tol(scores[0], scores[1], 1e-7);
    ck_assert_double_eq_tol(scores[2], scores[3], 1e-7);
    pr_objective_close(&o);
    close_base(&b);
}
END_TEST

START_TEST(test_fluency_bad_ids)
{
    base_t b;
    pr_error_t err;
    double score;
    open_base("gpt2", &b);
    pr_objective_t *o = open_in("fluency", "{}", &b.env);
    b.id[0][PROMPT] = 600;
    ck_assert_int_ne(pr_objective_score(o, b.sample, 1, &score, &err), PR_OK);
    ck_assert_msg(strstr(err.text, "objective 'it' (fluency)") && strstr(err.text, "600"), "%s", err.text);
    pr_objective_close(&o);
    close_base(&b);
}
END_TEST

START_TEST(test_fluency_needs_a_model)
{
    pr_objective_env_t env = {.dir = ""};
    pr_objective_t *o = NULL;
    pr_error_t err;
    ck_assert_int_eq(try_open("fluency", "{}", &env, &o, &err), PR_ERR_CONFIG);
    ck_assert_msg(strstr(err.text, "needs the base model"), "%s", err.text);
}
END_TEST

/* ---- reward models ---- */
static const char *const rewards[] = {"reward-gpt2", "reward-llama"};

static size_t load_texts(const char *name, json_t **expected, pr_sample_t *s, double *want, size_t most)
{
    pr_error_t err;
    char *path = fixture(name, "expected.json");
    must(pr_json_load(path, 0, expected, &err), &err);
    free(path);
    const json_t *texts = json_object_get(*expected, "texts"), *scores = json_object_get(*expected, "scores");
    size_t n = json_array_size(texts);
    ck_assert(n >= 4 && n <= most);
    for (size_t i = 0; i < n; i++) {
        s[i] = (pr_sample_t){.prompt = "",
                             .response = json_string_value(json_array_get(texts, i)),
                             .response_len = json_string_length(json_array_get(texts, i))};
        want[i] = json_number_value(json_array_get(json_array_get(scores, i), 0));
    }
    return n;
}

START_TEST(test_reward_is_pytorchs)
{
    static const char *const options[] = {"", ", 'batch_tokens': 1", ", 'batch_tokens': 25", ", 'transform': 'sigmoid'",
                                          ", 'transform': 'softmax'"};
    pr_sample_t s[16];
    double want[16], scores[16];
    json_t *expected;
    char *dir = fixture("", ""), text[200];
    size_t n = load_texts(rewards[_i], &expected, s, want, 16);
    for (int k = 0; k < 5; k++) {
        snprintf(text, sizeof text, "{'model': '%s'%s}", rewards[_i], options[k]);
        pr_objective_t *o = open_objective("reward_model", text, dir);
        scores_of(o, s, n, scores);
        for (size_t i = 0; i < n; i++) {
            double x = k < 3 ? want[i] : k == 3 ? 1 / (1 + exp(-want[i])) : 1;
            ck_assert_msg(fabs(scores[i] - x) < 1e-4, "%s: %g, expected %g", text, scores[i], x);
        }
        pr_objective_close(&o);
    }
    json_decref(expected);
    free(dir);
}
END_TEST

// The fixture with a second label whose score is minus the first's.
static char *two_label_model(void)
{
    enum { MOST = 64 };
    pr_tensor_t tensor[MOST];
    pr_safetensors_t *st;
    pr_error_t err;
    float score[64];
    char *from = fixture("reward-gpt2", ""), *dir = pr_strdup("/tmp/paretorank-test-XXXXXX"), command[600];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cp '%s'/tokenizer.json '%s' && sed 's/\"LABEL_0\"$/\"GOOD\", \"1\": \"BAD\"/;s/\"LABEL_0\": 0/\"GOOD\": "
             "0, \"BAD\": 1/' '%s'/config.json > '%s'/config.json",
             from, dir, from, dir);
    ck_assert_int_eq(system(command), 0);
    must(pr_safetensors_open_model(from, &st, &err), &err);
    size_t n = pr_safetensors_count(st);
    ck_assert_uint_le(n, MOST);
    for (size_t i = 0; i < n; i++) {
        tensor[i] = *pr_safetensors_at(st, i);
        if (strcmp(tensor[i].name, "score.weight") != 0)
            continue;
        must(pr_tensor_to_float(&tensor[i], 0, 32, score, &err), &err);
        for (int j = 0; j < 32; j++)
            score[32 + j] = -score[j];
        tensor[i].shape[0] = 2;
        tensor[i].n = 64;
        tensor[i].bytes = sizeof score;
        tensor[i].data = (const unsigned char *)score;
    }
    char *path = pr_path_join(dir, "model.safetensors");
    must(pr_safetensors_write(path, tensor, n, &err), &err);
    pr_safetensors_close(&st);
    free(path);
    free(from);
    return dir;
}

static void remove_dir(char *dir)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
    free(dir);
}

START_TEST(test_reward_labels)
{
    static const char *const options[] = {"", ", 'label': 1", ", 'label': 1, 'transform': 'softmax'",
                                          ", 'label': 0, 'transform': 'softmax'",
                                          ", 'label': 1, 'transform': 'sigmoid'"};
    pr_sample_t s[16];
    double want[16], scores[16];
    json_t *expected;
    char *dir = two_label_model(), text[300];
    size_t n = load_texts("reward-gpt2", &expected, s, want, 16);
    for (int k = 0; k < 5; k++) {
        snprintf(text, sizeof text, "{'model': '%s'%s}", dir, options[k]);
        pr_objective_t *o = open_objective("reward_model", text, "");
        scores_of(o, s, n, scores);
        for (size_t i = 0; i < n; i++) {
            double x = want[i];
            double value[] = {x, -x, 1 / (1 + exp(2 * x)), 1 / (1 + exp(-2 * x)), 1 / (1 + exp(x))};
            ck_assert_msg(fabs(scores[i] - value[k]) < 1e-4, "%s: %g, expected %g", text, scores[i], value[k]);
        }
        ck_assert(k < 2 ? isinf(o->lo) && isinf(o->hi) : o->lo == 0 && o->hi == 1);
        pr_objective_close(&o);
    }
    json_t *o = json_pack("{s:s, s:i}", "model", dir, "label", 2), *resolved;
    ck_assert_int_eq(pr_objective_resolve("r", "reward_model", o, "", &resolved, NULL), PR_ERR_CONFIG);
    json_decref(o);
    json_decref(expected);
    remove_dir(dir);
}
END_TEST

// The score of (prompt, response) under a template is that of the text it makes.
static void check_template(const char *options, const char *prompt, const char *response, const char *text)
{
    char *dir = fixture("", "");
    pr_objective_t *plain = open_objective("reward_model", "{'model': 'reward-gpt2'}", dir);
    pr_objective_t *o = open_objective("reward_model", options, dir);
    double a = score_of(o, prompt, response), b = score_of(plain, text, "");
    ck_assert_msg(fabs(a - b) < 1e-6, "%s: %g, expected %g", options, a, b);
    pr_objective_close(&plain);
    pr_objective_close(&o);
    free(dir);
}

START_TEST(test_reward_template)
{
    check_template("{'model': 'reward-gpt2'}", "How", " are you?", "How are you?");
    check_template("{'model': 'reward-gpt2', 'template': 'Q: {prompt} A: {response}!'}", "why", "so", "Q: why A: so!");
    check_template("{'model': 'reward-gpt2', 'template': '{response}'}", "why", "so", "so");
    check_template("{'model': 'reward-gpt2', 'template': '{x-y}{response}{}{'}", "why", "{prompt}", "{x-y}{prompt}{}{");
    check_template("{'model': 'reward-gpt2'}", "Well said", "<|pad|><|pad|>", "Well said");
    check_template("{'model': 'reward-gpt2', 'template': '{response}'}", "", "", "<|endoftext|>");
}
END_TEST

// Words of one token each, more than the model takes: cut to its longest sequence, or to max_tokens, at the wanted end.
START_TEST(test_reward_truncation)
{
    char text[601] = "";
    for (int i = 0; i < 300; i++)
        strcat(text, i < 150 ? "!" : "?");
    check_template("{'model': 'reward-gpt2'}", "", text, text + 300 - 128);
    check_template("{'model': 'reward-gpt2', 'max_tokens': 999}", "", text, text + 300 - 128);
    check_template("{'model': 'reward-gpt2', 'max_tokens': 4}", "", text, "????");
    check_template("{'model': 'reward-gpt2', 'max_tokens': 4, 'truncate': 'end'}", "", text, "!!!!");
}
END_TEST

START_TEST(test_reward_properties)
{
    static const char *const responses[] = {"",      " ", "\xff\xfe", "a", "<|endoftext|>", "ΟΔΟΣ \xF0\x9F\x99\x82",
                                            "\n\n\n"};
    char *dir = fixture("", "");
    pr_objective_t *o = open_objective("reward_model", "{'model': 'reward-llama', 'transform': 'sigmoid'}", dir);
    pr_sample_t s[7];
    double together[7], again[7];
    for (int i = 0; i < 7; i++)
        s[i] = (pr_sample_t){.prompt = "", .response = responses[i], .response_len = strlen(responses[i])};
    scores_of(o, s, 7, together);
    scores_of(o, s, 7, again);
    for (int i = 0; i < 7; i++) {
        ck_assert_double_eq(together[i], again[i]);
        ck_assert_double_eq_tol(together[i], score_of(o, "", responses[i]), 1e-6);
    }
    pr_objective_close(&o);
    free(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("model objectives");
    TCase *t = tcase_create("fluency");
    tcase_add_loop_test(t, test_fluency_is_pytorchs, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(t, test_fluency_batches);
    tcase_add_test(t, test_fluency_too_long);
    tcase_add_test(t, test_fluency_bad_ids);
    tcase_add_test(t, test_fluency_needs_a_model);
    suite_add_tcase(s, t);
    TCase *r = tcase_create("reward");
    tcase_add_loop_test(r, test_reward_is_pytorchs, 0, (int)(sizeof rewards / sizeof *rewards));
    tcase_add_test(r, test_reward_labels);
    tcase_add_test(r, test_reward_template);
    tcase_add_test(r, test_reward_truncation);
    tcase_add_test(r, test_reward_properties);
    suite_add_tcase(s, r);
    return run_suite(s);
}
