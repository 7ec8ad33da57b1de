/* Every component of tokenizer.json against the Rust library: test_tokenizer_cases.json holds changes to the fixtures'
 * tokenizers, and texts, ids and decoded texts that the library gave for the changed ones. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tokenizer.h"

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
    json_t *root = load_json("unit/model/", "test_tokenizer_cases"), *one, *c;
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

int main(void)
{
    Suite *suite = suite_create("tokenizer forms");
    TCase *tc = tcase_create("forms");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, agrees_with_the_reference);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
