// SPDX-License-Identifier: BSD-3-Clause
/* Every component of tokenizer.json against the Rust library: test_tokenizer_cases.json holds changes to the fixtures'
 * tokenizers, and texts, ids and decoded texts that the library gave for the changed ones. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tokenizer/tokenizer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *load_json(const char *format, const char *name)
{
    pr_error_t err;
    json_t *value;
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t path = {0};
    pr_buf_printf(&path, "%s/tests/", root ? root : ".");
    pr_buf_puts(&path, format);
    pr_buf_puts(&path, name);
    pr_buf_puts(&path, ".json");
    ck_assert_msg(pr_json_load(path.data, 0, &value, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&path);
    return value;
}

static void patch_merges(json_t *model, const json_t *patch)
{
    json_t *merges = json_object_get(model, "merges");
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(patch, "merges_before"), i, v)
    {
        json_array_insert(merges, i, v);
    }
    json_array_extend(merges, json_object_get(patch, "merges_behind"));
    for (i = 0; json_object_get(patch, "merges_as_text") && i < json_array_size(merges); i++) {
        v = json_array_get(merges, i);
        json_array_set_new(
            merges, i,
            json_sprintf("%s %s", json_string_value(json_array_get(v, 0)), json_string_value(json_array_get(v, 1))));
    }
}

static json_t *patched(const char *base, const json_t *patch)
{
    pr_buf_t name = {0};
    pr_buf_printf(&name, "%s/tokenizer", base);
    json_t *root = load_json("fixtures/tokenizer-", name.data), *model = json_object_get(root, "model"), *v;
    pr_buf_free(&name);
    static const char *const parts[] = {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if ((v = json_object_get(patch, parts[i])))
            json_object_set(root, parts[i], v);
    if ((v = json_object_get(patch, "model")))
        json_object_update(model, v);
    if ((v = json_object_get(patch, "vocab_add")))
        json_object_update(json_object_get(model, "vocab"), v);
    patch_merges(model, patch);
    return root;
}

static pr_tokenizer_t *open_patched(const json_t *one)
{
    pr_error_t err;
    pr_tokenizer_t *t = NULL;
    char path[] = "/tmp/test_tokenizer_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    json_t *root = patched(json_string_value(json_object_get(one, "base")), json_object_get(one, "patch"));
    ck_assert_int_eq(json_dumpfd(root, fd, JSON_COMPACT), 0);
    close(fd);
    json_decref(root);
    pr_status_t status = pr_tokenizer_load(path, &t, &err);
    unlink(path);
    ck_assert_msg(status == PR_OK, "%s: %s", json_string_value(json_object_get(one, "name")), err.text);
    return t;
}

static void check_case(const pr_tokenizer_t *t, const char *name, const json_t *text, const json_t *expected,
                       const json_t *decoded)
{
    pr_error_t err;
    int32_t *ids;
    size_t n, len;
    char *back;
    pr_status_t status =
        pr_tokenizer_encode(t, json_string_value(text), json_string_length(text), true, &ids, &n, &err);
    ck_assert_msg(status == PR_OK, "%s: %s", name, err.text);
    ck_assert_msg(n == json_array_size(expected), "%s: \"%s\": %zu ids, expected %zu", name, json_string_value(text), n,
                  json_array_size(expected));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(ids[i] == json_integer_value(json_array_get(expected, i)), "%s: \"%s\": id %zu is %d", name,
                      json_string_value(text), i, ids[i]);
    ck_assert(pr_tokenizer_decode(t, ids, n, true, &back, &len, &err) == PR_OK);
    ck_assert_msg(len == json_string_length(decoded) && memcmp(back, json_string_value(decoded), len) == 0,
                  "%s: found \"%s\", expected \"%s\"", name, back, json_string_value(decoded));
    free(back);
    free(ids);
}

START_TEST(agrees_with_the_reference)
{
    json_t *root = load_json("unit/tokenizer/", "test_tokenizer_cases"), *one, *c;
    const json_t *tokenizers = json_object_get(root, "tokenizers");
    size_t i, k;
    ck_assert_uint_ge(json_array_size(tokenizers), 50);
    json_array_foreach(tokenizers, i, one)
    {
        pr_tokenizer_t *t = open_patched(one);
        ck_assert_uint_ge(json_array_size(json_object_get(one, "cases")), 20);
        json_array_foreach(json_object_get(one, "cases"), k, c)
        {
            check_case(t, json_string_value(json_object_get(one, "name")), json_array_get(c, 0), json_array_get(c, 1),
                       json_array_get(c, 2));
        }
        pr_tokenizer_free(&t);
    }
    json_decref(root);
}
END_TEST

// Tokens with U+0000 in every place that a token may have, and one without any character, as the library has them.
static const char with_nul[] =
    "{\"added_tokens\":[{\"id\":9,\"content\":\"<\\u0000>\",\"single_word\":false,\"lstrip\":false,\"rstrip"
    "\":false,\"normalized\":false,\"special\":true},{\"id\":10,\"content\":\"[\\u0000x\",\"single_word\":false"
    ",\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":false}],\"normalizer\":null,\"pre_to"
    "kenizer\":null,\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<"
    "\\u0000>\",\"type_i"
    "d\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id"
    "\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}],\"special_tokens\":{\"<\\u0000>\":{\"id\":\"<\\u0000>\","
    "\"ids\":[9],\"tokens"
    "\":[\"<\\u0000>\"]}}},\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_to"
    "ken\":\"?\\u0000\",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false"
    ",\"byte_fallback\":false,\"ignore_merges\":false,\"vocab\":{\"\":0,\"\\u0000\":1,\"a\":2,\"b\":3,\"a\\u0000\":4,"
    "\"a\\u0000b\":5,\"\\u0000\\u0000\":6,\"?\\u0000\":7,\" \":8},\"merges"
    "\":[[\"a\",\"\\u0000\"],[\"a\\u0000\",\"b\"],[\"\\u0000\",\"\\u0000\"]]}}";

static const struct {
    const char *text;
    size_t len;
    int32_t ids[6];
    size_t n;
    const char *decoded; // all of them
    size_t decoded_len;
} nul_cases[] = {{"a\0b", 3, {9, 5}, 2, "<\0>a\0b", 6},
                 {"\0\0a", 3, {9, 6, 2}, 3, "<\0>\0\0a", 6},
                 {"a\0\0b z", 6, {9, 4, 1, 3, 8, 7}, 6, "<\0>a\0\0b ?\0", 10},
                 {"<\0>a\0b[\0xa", 10, {9, 9, 5, 10, 2}, 5, "<\0><\0>a\0b[\0xa", 13}};

START_TEST(tokens_with_nul)
{
    char path[] = "/tmp/test_tokenizer_XXXXXX";
    pr_error_t err = {0};
    pr_tokenizer_t *t = NULL;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(pr_file_write(path, with_nul, sizeof with_nul - 1, &err), PR_OK);
    ck_assert_msg(pr_tokenizer_load(path, &t, &err) == PR_OK, "%s", err.text);
    unlink(path);
    ck_assert_int_eq(pr_tokenizer_size(t), 11);
    for (size_t i = 0; i < sizeof nul_cases / sizeof *nul_cases; i++) {
        int32_t *ids;
        size_t n, len;
        char *text;
        ck_assert_int_eq(pr_tokenizer_encode(t, nul_cases[i].text, nul_cases[i].len, true, &ids, &n, &err), PR_OK);
        ck_assert_uint_ge(n, nul_cases[i].n);
        ck_assert_mem_eq(ids, nul_cases[i].ids, nul_cases[i].n * sizeof *ids);
        ck_assert_int_eq(pr_tokenizer_decode(t, ids, nul_cases[i].n, false, &text, &len, &err), PR_OK);
        ck_assert_uint_eq(len, nul_cases[i].decoded_len);
        ck_assert_mem_eq(text, nul_cases[i].decoded, len);
        free(text);
        free(ids);
    }
    pr_tokenizer_free(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer forms");
    TCase *tc = tcase_create("forms");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, tokens_with_nul);
    tcase_add_test(tc, agrees_with_the_reference);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
