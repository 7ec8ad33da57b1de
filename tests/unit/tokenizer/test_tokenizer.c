// SPDX-License-Identifier: BSD-3-Clause
/* The five tokenizers of the fixtures against the Rust library's answers, and the API's promises. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tokenizer/tokenizer.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"gpt2", "llama2", "llama3", "qwen2", "smollm"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static char *fixture(const char *kind, const char *name)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t path = {0};
    pr_buf_printf(&path, "%s/tests/fixtures/tokenizer-%s/%s", root ? root : ".", kind, name);
    return path.data;
}

static pr_tokenizer_t *open_fixture(const char *kind)
{
    pr_error_t err;
    pr_tokenizer_t *t = NULL;
    char *path = fixture(kind, "tokenizer.json");
    ck_assert_msg(pr_tokenizer_load(path, &t, &err) == PR_OK, "%s", err.text);
    free(path);
    return t;
}

static void check_ids(const pr_tokenizer_t *t, const char *text, size_t len, bool special, const json_t *expected)
{
    pr_error_t err;
    int32_t *ids;
    size_t n;
    ck_assert_msg(pr_tokenizer_encode(t, text, len, special, &ids, &n, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(n == json_array_size(expected), "\"%s\": %zu ids, expected %zu", text, n, json_array_size(expected));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(ids[i] == json_integer_value(json_array_get(expected, i)), "\"%s\": id %zu", text, i);
    free(ids);
}

static void check_decoded(const pr_tokenizer_t *t, const json_t *expected_ids, const json_t *expected)
{
    pr_error_t err;
    size_t n = json_array_size(expected_ids), len;
    int32_t *ids = pr_alloc(n, sizeof *ids);
    char *text;
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(expected_ids, i));
    ck_assert(pr_tokenizer_decode(t, ids, n, true, &text, &len, &err) == PR_OK);
    ck_assert_uint_eq(len, json_string_length(expected));
    ck_assert_mem_eq(text, json_string_value(expected), len + 1);
    free(text);
    free(ids);
}

START_TEST(agrees_with_the_reference)
{
    pr_error_t err;
    json_t *cases, *one;
    size_t i;
    pr_tokenizer_t *t = open_fixture(kinds[_i]);
    char *path = fixture(kinds[_i], "expected.json");
    ck_assert_msg(pr_json_load(path, 0, &cases, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_ge(json_array_size(cases), 19);
    json_array_foreach(cases, i, one)
    {
        const json_t *text = json_object_get(one, "text"), *ids = json_object_get(one, "ids");
        check_ids(t, json_string_value(text), json_string_length(text), true, ids);
        check_ids(t, json_string_value(text), json_string_length(text), false, json_object_get(one, "ids_no_special"));
        check_decoded(t, ids, json_object_get(one, "decoded"));
    }
    json_decref(cases);
    free(path);
    pr_tokenizer_free(&t);
    ck_assert_ptr_null(t);
}
END_TEST

/* Any text comes back from its ids, where the vocabulary has every byte. */
START_TEST(decoding_gives_the_text_back)
{
    pr_error_t err;
    pr_tokenizer_t *t = open_fixture(kinds[_i]);
    const char text[] = "It's 12345 caf\xC3\xA9s \xE6\x97\xA5\xE6\x9C\xAC\0\n\t \xF0\x9F\x99\x82  end ";
    int32_t *ids;
    size_t n, len;
    char *back;
    ck_assert(pr_tokenizer_encode(t, text, sizeof text - 1, true, &ids, &n, &err) == PR_OK);
    ck_assert(pr_tokenizer_decode(t, ids, n, strcmp(kinds[_i], "llama2") != 0, &back, &len, &err) == PR_OK);
    if (strcmp(kinds[_i], "llama2") == 0) {
        ck_assert_uint_eq(len, sizeof text - 1 + 4); // <s> and the space that its template leaves
        ck_assert_mem_eq(back, "<s> ", 4);
        ck_assert_mem_eq(back + 4, text, sizeof text);
    } else {
        ck_assert_uint_eq(len, sizeof text - 1);
        ck_assert_mem_eq(back, text, sizeof text);
    }
    free(back);
    free(ids);
    pr_tokenizer_free(&t);
}
END_TEST

START_TEST(looks_up_tokens)
{
    pr_tokenizer_t *t = open_fixture("llama2");
    ck_assert_int_eq(pr_tokenizer_size(t), 620);
    ck_assert_int_eq(pr_tokenizer_id(t, "</s>"), 2);
    ck_assert_int_eq(pr_tokenizer_id(t, "<0x0A>"), 13);
    ck_assert_int_eq(pr_tokenizer_id(t, "no such token"), -1);
    ck_assert(pr_tokenizer_is_special(t, 2));
    ck_assert(!pr_tokenizer_is_special(t, 500));
    ck_assert(!pr_tokenizer_is_special(t, -1));
    ck_assert(!pr_tokenizer_is_special(t, 620));
    pr_tokenizer_free(&t);
    pr_tokenizer_free(&t);
}
END_TEST

static void check_same(const pr_tokenizer_t *t, const char *a, size_t a_len, const char *b)
{
    int32_t *x, *y;
    size_t n, m;
    ck_assert(pr_tokenizer_encode(t, a, a_len, true, &x, &n, NULL) == PR_OK);
    ck_assert(pr_tokenizer_encode(t, b, strlen(b), true, &y, &m, NULL) == PR_OK);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n * sizeof *x);
    free(x);
    free(y);
}

/* One U+FFFD for each maximal part that is not UTF-8. */
START_TEST(replaces_invalid_bytes)
{
    pr_tokenizer_t *t = open_fixture(kinds[_i]);
    check_same(t,
               "a\xFF"
               "b",
               3,
               "a\xEF\xBF\xBD"
               "b");
    check_same(t, "\xE6\x97", 2, "\xEF\xBF\xBD");
    check_same(t, "\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    check_same(t, "\xC0\xAF.", 3, "\xEF\xBF\xBD\xEF\xBF\xBD.");
    check_same(t, "\xF0\x9F\x99 ", 4, "\xEF\xBF\xBD ");
    check_same(t, "\xF4\x90\x80\x80", 4, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    pr_tokenizer_free(&t);
}
END_TEST

START_TEST(skips_unknown_ids)
{
    pr_tokenizer_t *t = open_fixture("gpt2");
    const int32_t ids[] = {-1, 36, 600, INT32_MAX, INT32_MIN, 37};
    char *text;
    size_t len;
    ck_assert(pr_tokenizer_decode(t, ids, 6, false, &text, &len, NULL) == PR_OK);
    ck_assert_str_eq(text, "CD");
    ck_assert_uint_eq(len, 2);
    free(text);
    ck_assert(pr_tokenizer_decode(t, ids, 0, false, &text, &len, NULL) == PR_OK);
    ck_assert_str_eq(text, "");
    free(text);
    pr_tokenizer_free(&t);
}
END_TEST

/* Texts that would take minutes if a piece's time were quadratic in its length. */
START_TEST(long_pieces_take_linear_time)
{
    enum { N = 1 << 20 };
    pr_tokenizer_t *t = open_fixture(kinds[_i]);
    static const char *const units[] = {"x", "the", " ", "\xCC\x81", "ab1!", "\xE2\x96\x81"};
    char *text = pr_alloc(N, 1);
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
        size_t unit = strlen(units[k]), len = 0, n, back_len;
        int32_t *ids;
        char *back;
        for (; len + unit <= N; len += unit)
            memcpy(text + len, units[k], unit);
        ck_assert(pr_tokenizer_encode(t, text, len, false, &ids, &n, NULL) == PR_OK);
        ck_assert(pr_tokenizer_decode(t, ids, n, false, &back, &back_len, NULL) == PR_OK);
        bool marks = strcmp(kinds[_i], "llama2") == 0 && k == 5; // these become spaces
        ck_assert(marks || (back_len == len && memcmp(back, text, len) == 0));
        free(back);
        free(ids);
    }
    free(text);
    pr_tokenizer_free(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *tc = tcase_create("fixtures");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_the_reference, 0, KINDS);
    tcase_add_loop_test(tc, decoding_gives_the_text_back, 0, KINDS);
    tcase_add_test(tc, looks_up_tokens);
    tcase_add_loop_test(tc, replaces_invalid_bytes, 0, KINDS);
    tcase_add_test(tc, skips_unknown_ids);
    tcase_add_loop_test(tc, long_pieces_take_linear_time, 0, KINDS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
