// SPDX-License-Identifier: BSD-3-Clause
/* Every type that is read, against what the gguf package makes of the same blocks, bit by bit. */
#include "base/json.h"
#include "base/mem.h"
#include "gguf/gguf_types.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *blocks(void)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t path = {0};
    pr_error_t err;
    json_t *v = NULL;
    pr_buf_printf(&path, "%s/tests/fixtures/gguf/blocks.json", root ? root : ".");
    ck_assert_msg(pr_json_load(path.data, 0, &v, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&path);
    return v;
}

static unsigned char byte_at(const char *hex, size_t i)
{
    char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
    return (unsigned char)strtoul(two, NULL, 16);
}

/* Products are rounded one after the other in the reference, and may be fused here: half a bit of the largest term. */
static void check_values(const char *name, const float *got, const char *hex, size_t n)
{
    float largest = 0;
    float *want = pr_alloc(n, sizeof *want);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = 0;
        for (size_t b = 0; b < 4; b++)
            bits = bits << 8 | byte_at(hex, 4 * i + b);
        memcpy(&want[i], &bits, sizeof bits);
        largest = fmaxf(largest, isfinite(want[i]) ? fabsf(want[i]) : 0);
    }
    for (size_t i = 0; i < n; i++) {
        bool same = memcmp(&got[i], &want[i], sizeof *want) == 0;
        ck_assert_msg(same || fabsf(got[i] - want[i]) <= 1e-6f * largest, "%s: number %zu: %.9g, expected %.9g", name,
                      i, (double)got[i], (double)want[i]);
    }
    free(want);
}

START_TEST(as_the_package_reads_them)
{
    json_t *list = blocks(), *row;
    size_t i, types = 0;
    json_array_foreach(list, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "type"));
        const pr_gguf_type_t *t = pr_gguf_type((uint32_t)json_integer_value(json_object_get(row, "id")));
        size_t n = (size_t)json_integer_value(json_object_get(row, "blocks"));
        const char *data = json_string_value(json_object_get(row, "data"));
        ck_assert(t && strcmp(t->name, name) == 0 && t->block > 0);
        ck_assert_uint_eq(strlen(data), 2 * n * (size_t)t->bytes);
        unsigned char *in = pr_alloc(n * (size_t)t->bytes, 1);
        float *out = pr_alloc(n * (size_t)t->block, sizeof *out);
        for (size_t b = 0; b < n * (size_t)t->bytes; b++)
            in[b] = byte_at(data, b);
        t->to_float(in, n, out);
        check_values(name, out, json_string_value(json_object_get(row, "values")), n * (size_t)t->block);
        free(in);
        free(out);
        types++;
    }
    size_t read = 0;
    for (size_t k = 0; pr_gguf_type_at(k); k++)
        read += pr_gguf_type_at(k)->block > 0;
    ck_assert_uint_eq(types, read); // none is left out
    json_decref(list);
}
END_TEST

START_TEST(types_have_names_and_numbers_of_their_own)
{
    for (size_t i = 0; pr_gguf_type_at(i); i++) {
        const pr_gguf_type_t *t = pr_gguf_type_at(i);
        ck_assert_ptr_eq(pr_gguf_type(t->id), t);
        if (t->block > 0)
            ck_assert_msg(strstr(pr_gguf_types_read(), t->name) != NULL, "%s is not said", t->name);
    }
    ck_assert_ptr_null(pr_gguf_type(9999));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gguf_types");
    TCase *c = tcase_create("types");
    tcase_add_test(c, as_the_package_reads_them);
    tcase_add_test(c, types_have_names_and_numbers_of_their_own);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
