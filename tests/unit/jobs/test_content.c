// SPDX-License-Identifier: BSD-3-Clause
/* What jobs name by hash: refused where a host has it otherwise, and the same whatever it is called. */
#include "unit/jobs/jobs_play.h"

static void put(const char *path, const char *text)
{
    pr_error_t err;
    ck_assert_msg(pr_file_write(path, text, strlen(text), &err) == PR_OK, "%s", err.text);
}

/* ---- the same on every host ---- */

/* A sweep whose model, adapters, word list and data of a head are copies that a test may change. */
static pr_config_t *copies(pr_inputs_t *in)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    char command[512];
    pr_error_t err;
    pr_config_t *c = config("plain", "");
    neutral_adapters(c);
    pr_config_free(&c);
    snprintf(command, sizeof command, "rm -rf '%s/model' && cp -r '%s/sweeps/counsel/model' '%s/model'", dir,
             root ? root : ".", dir);
    ck_assert_int_eq(system(command), 0);
    put(in_dir("words.txt"), "sorry 1\nsad 0.5\n");
    put(in_dir("data.jsonl"), "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n");
    c = config("copies", "model = \"model\"; objectives = ( { name = \"brevity\"; adapter = \"neutral0\"; }, { name = "
                         "\"words\"; type = \"lexicon\"; words = \"words.txt\"; adapter = \"neutral1\"; }, { name = "
                         "\"fitted\"; type = \"linear_head\"; data = \"data.jsonl\"; ridge = 1.0; } );");
    ck_assert_msg(pr_inputs_read(c, in, &err) == PR_OK, "%s", err.text);
    return c;
}

/* One bit of a file's middle becomes another, for as long as the check takes. */
static pr_status_t check_with_a_bit_of(const pr_content_t *c, const char *path, pr_error_t *err)
{
    char *bytes;
    size_t n;
    pr_error_t io;
    char before[PR_HASH_HEX], after[PR_HASH_HEX];
    pr_content_state(c, before);
    ck_assert_msg(pr_file_read(path, 0, &bytes, &n, &io) == PR_OK, "%s", io.text);
    bytes[n / 2] = (char)(bytes[n / 2] ^ 1);
    ck_assert_int_eq(pr_file_write(path, bytes, n, &io), PR_OK);
    pr_content_state(c, after);
    ck_assert_str_ne(before, after); // so that somebody looks
    pr_status_t status = pr_content_check(c, "node7", err);
    bytes[n / 2] = (char)(bytes[n / 2] ^ 1);
    ck_assert_int_eq(pr_file_write(path, bytes, n, &io), PR_OK);
    free(bytes);
    ck_assert_msg(pr_content_check(c, "node7", &io) == PR_OK, "%s", io.text);
    return status;
}

/* One line with what it is, the host, the hash expected, and another one. */
static void names_both(const pr_error_t *err, const char *what, const char *expected)
{
    ck_assert_ptr_null(strchr(err->text, '\n'));
    ck_assert_msg(strstr(err->text, what) && strstr(err->text, "node7"), "%s", err->text);
    ck_assert_msg(strstr(err->text, expected) != NULL, "%s: no %s", err->text, expected);
    int hashes = 0;
    for (const char *p = err->text; *p; p++) {
        size_t n = strspn(p, "0123456789abcdef");
        hashes += n == PR_HASH_HEX - 1 && strncmp(p, expected, n) != 0;
        p += n > 0 ? n - 1 : 0;
    }
    ck_assert_msg(hashes == 1, "%s: found %d other hashes", err->text, hashes);
}

START_TEST(what_was_changed_is_refused)
{
    static const char *const of_model[] = {"config.json", "generation_config.json", "tokenizer.json",
                                           "model.safetensors"};
    pr_inputs_t in;
    pr_error_t err;
    pr_config_t *c = copies(&in);
    char path[256];
    ck_assert_msg(pr_content_check(in.content, "node7", &err) == PR_OK, "%s", err.text);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/model/%s", dir, of_model[i]);
        ck_assert_int_eq(check_with_a_bit_of(in.content, path, &err), PR_ERR_FORMAT);
        names_both(&err, in_dir("model: the model"), in.model);
    }
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/neutral%d/adapter_model.safetensors", dir, k);
        ck_assert_int_eq(check_with_a_bit_of(in.content, path, &err), PR_ERR_FORMAT);
        snprintf(path, sizeof path, "%s/neutral%d: the adapter", dir, k);
        names_both(&err, path, in.adapter[k]);
    }
    ck_assert_int_eq(check_with_a_bit_of(in.content, in_dir("words.txt"), &err), PR_ERR_FORMAT);
    names_both(&err, "objective 'words'", in.objective_hash[1]);
    ck_assert_int_eq(check_with_a_bit_of(in.content, in_dir("data.jsonl"), &err), PR_ERR_FORMAT);
    names_both(&err, "objective 'fitted'", in.objective_hash[2]);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

START_TEST(what_is_missing_is_refused)
{
    static const char *const names[] = {"words.txt", "neutral1/adapter_config.json", "model/model.safetensors"};
    pr_inputs_t in;
    pr_error_t err;
    pr_config_t *c = copies(&in);
    for (size_t i = 0; i < 3; i++) {
        const char *path = in_dir(names[i]), *away = in_dir("away");
        ck_assert_int_eq(rename(path, away), 0);
        ck_assert_int_eq(pr_content_check(in.content, "node7", &err), PR_ERR_NOT_FOUND);
        ck_assert_ptr_null(strchr(err.text, '\n'));
        ck_assert_msg(strstr(err.text, i == 0 ? "words.txt" : i == 1 ? "neutral1" : "model") != NULL, "%s", err.text);
        ck_assert_msg(strstr(err.text, "node7") != NULL, "%s", err.text);
        ck_assert_int_eq(rename(away, path), 0);
    }
    ck_assert_int_eq(pr_content_check(in.content, "node7", &err), PR_OK);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* It travels whole: what arrives refuses the same, and gives jobs the same bytes. */
START_TEST(it_travels)
{
    pr_inputs_t in;
    pr_error_t err;
    pr_config_t *c = config("travels", "");
    pr_content_t *other = NULL;
    json_t *parsed = NULL, *message = train_job(c, 0, 1), *result[2] = {NULL, NULL};
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    char *text = pr_json_canonical(pr_content_json(in.content));
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "content", &parsed, &err), PR_OK);
    ck_assert_msg(pr_content_from_json(parsed, &other, &err) == PR_OK, "%s", err.text);
    json_decref(parsed);
    ck_assert(json_equal(pr_content_json(in.content), pr_content_json(other)));
    ck_assert_int_eq(pr_content_check(other, "node7", &err), PR_OK);
    for (int i = 0; i < 2; i++) {
        job_t j = {0};
        pr_job_hooks_t hooks = {cancelled, on_event, &j};
        pr_job_env_t *env = pr_job_env_new(i == 0 ? in.content : other, pr_team_local());
        ck_assert_msg(pr_job_run(env, message, &hooks, &result[i], &err) == PR_OK, "%s", err.text);
        ck_assert_int_eq(j.steps, 4);
        pr_job_env_free(&env);
        char *checkpoint = train_checkpoint(c, message);
        ck_assert_int_eq(unlink(checkpoint), 0);
        free(checkpoint);
    }
    ck_assert_str_eq(json_string_value(json_object_get(result[0], "artifact")),
                     json_string_value(json_object_get(result[1], "artifact")));
    json_t *bad = json_pack("{s:s, s:i}", "results", "r", "threads", 1);
    ck_assert_int_eq(pr_content_from_json(bad, &other, &err), PR_ERR_FORMAT);
    json_decref(bad);
    json_decref(result[0]);
    json_decref(result[1]);
    json_decref(message);
    pr_content_free(&other);
    free(text);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* ---- prompts ---- */

/* The identities of a training and an evaluation with those files of prompts. */
static void identities(const char *train, const char *eval, char out[2][PR_HASH_HEX])
{
    char more[1024];
    snprintf(more, sizeof more, "%s prompts = { train = \"%s\"; eval = \"%s\"; };", brought, train, eval);
    pr_config_t *c = config("prompts", more);
    json_t *job[] = {train_job(c, 0, 1), evaluate_job(c, 0.5, 0.5, 0, 2)};
    for (int i = 0; i < 2; i++) {
        snprintf(out[i], PR_HASH_HEX, "%s", id_of(job[i]));
        json_decref(job[i]);
    }
    pr_config_free(&c);
}

/* A list of prompts is its texts in their order: ids, the file's name and blank lines change nothing. */
START_TEST(prompts_are_their_texts)
{
    static const struct {
        const char *file, *text;
        bool same;
    } cases[] = {{"a.jsonl", "{\"prompt\": \"One\"}\n{\"prompt\": \"Two\"}\n", true},
                 {"b.jsonl", "{\"prompt\": \"One\"}\n{\"prompt\": \"Two\"}\n", true},
                 {"b.jsonl", "\n{\"id\": \"x\", \"prompt\": \"One\"}\n\n\n{\"prompt\":\"Two\", \"id\": 77}\n\n", true},
                 {"b.jsonl", "{\"prompt\": \"\\u004fne\", \"other\": [1]}\r\n{\"prompt\": \"Two\"}", true},
                 {"a.jsonl", "{\"prompt\": \"Two\"}\n{\"prompt\": \"One\"}\n", false},
                 {"a.jsonl", "{\"prompt\": \"One\"}\n{\"prompt\": \"Two \"}\n", false},
                 {"a.jsonl", "{\"prompt\": \"One\"}\n{\"prompt\": \"Two\"}\n{\"prompt\": \"Two\"}\n", false}};
    char first[2][PR_HASH_HEX], found[2][PR_HASH_HEX];
    pr_config_t *c = config("plain", "");
    neutral_adapters(c);
    pr_config_free(&c);
    put(in_dir("fixed.jsonl"), cases[0].text);
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        put(in_dir(cases[i].file), cases[i].text);
        identities(in_dir(cases[i].file), in_dir("fixed.jsonl"), i == 0 ? first : found);
        ck_assert_msg(i == 0 || (strcmp(found[0], first[0]) == 0) == cases[i].same, "train %d", i);
        ck_assert_msg(i == 0 || strcmp(found[1], first[1]) == 0, "train %d", i); // of no matter to evaluations
        identities(in_dir("fixed.jsonl"), in_dir(cases[i].file), found);
        ck_assert_msg((strcmp(found[1], first[1]) == 0) == cases[i].same, "eval %d", i);
        ck_assert_msg(strcmp(found[0], first[0]) == 0, "eval %d", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("content");
    TCase *t = tcase_create("content");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_was_changed_is_refused);
    tcase_add_test(t, what_is_missing_is_refused);
    tcase_add_test(t, it_travels);
    tcase_add_test(t, prompts_are_their_texts);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
