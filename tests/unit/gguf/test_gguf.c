// SPDX-License-Identifier: BSD-3-Clause
/* The reader of GGUF files on files made here: what is in them, and that every damage ends in an error. */
#include "base/file.h"
#include "base/mem.h"
#include "gguf/gguf.h"
#include "gguf/gguf_model.h"
#include "gguf/gguf_rope.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- making files ---- */

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64 };

static void word(pr_buf_t *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        pr_buf_add(b, &(char){(char)(unsigned char)(x >> (8 * i))}, 1);
}

static void text(pr_buf_t *b, const char *s)
{
    word(b, strlen(s), 8);
    pr_buf_puts(b, s);
}

static void key(pr_buf_t *b, const char *name, int kind, uint64_t x, int bytes)
{
    text(b, name);
    word(b, (uint64_t)kind, 4);
    word(b, x, bytes);
}

static void tensor(pr_buf_t *b, const char *name, int64_t in, int64_t out, int type, uint64_t offset)
{
    text(b, name);
    word(b, out ? 2 : 1, 4);
    word(b, (uint64_t)in, 8);
    if (out)
        word(b, (uint64_t)out, 8);
    word(b, (uint64_t)type, 4);
    word(b, offset, 8);
}

static void head(pr_buf_t *b, uint64_t tensors, uint64_t keys)
{
    pr_buf_puts(b, "GGUF");
    word(b, 3, 4);
    word(b, tensors, 8);
    word(b, keys, 8);
}

/* Keys of every kind, and two tensors. */
static pr_buf_t sample(void)
{
    pr_buf_t b = {0};
    head(&b, 2, 12);
    key(&b, "a.u8", U8, 200, 1);
    key(&b, "a.i8", I8, 0xfb, 1);
    key(&b, "a.i16", I16, 0xfed4, 2);
    key(&b, "a.u32", U32, 4000000000u, 4);
    key(&b, "a.i64", I64, (uint64_t)-7, 8);
    key(&b, "a.u64", U64, (uint64_t)1 << 63, 8);
    key(&b, "a.f32", F32, 0x3727c5ac, 4); // 1e-5
    key(&b, "a.bool", BOOL, 1, 1);
    text(&b, "a.text");
    word(&b, TEXT, 4);
    text(&b, "caf\xc3\xa9");
    text(&b, "a.texts");
    word(&b, ARRAY, 4);
    word(&b, TEXT, 4);
    word(&b, 2, 8);
    text(&b, "x");
    text(&b, "");
    text(&b, "a.ints");
    word(&b, ARRAY, 4);
    word(&b, I32, 4);
    word(&b, 3, 8);
    for (int i = -1; i < 2; i++)
        word(&b, (uint32_t)i, 4);
    text(&b, "a.nested");
    word(&b, ARRAY, 4);
    word(&b, ARRAY, 4);
    word(&b, 1, 8);
    word(&b, U8, 4);
    word(&b, 2, 8);
    word(&b, 0x0201, 2);
    tensor(&b, "second", 3, 2, 0, 32);
    tensor(&b, "first", 2, 0, 0, 0);
    while (b.len % 32)
        word(&b, 0, 1);
    for (uint32_t i = 0; i < 14; i++)
        word(&b, i < 2 || i >= 8 ? 0x3f800000 + (i << 16) : 0, 4);
    return b;
}

static pr_status_t open_bytes(const void *bytes, size_t len, pr_gguf_t **g, pr_error_t *err)
{
    char path[] = "/tmp/test_gguf_XXXXXX";
    int fd = mkstemp(path);
    ck_assert(fd >= 0);
    ck_assert_int_eq(pr_fd_write(fd, bytes, len), 0);
    close(fd);
    pr_status_t status = pr_gguf_open(path, g, err);
    unlink(path); // what is mapped stays
    return status;
}

/* ---- reading ---- */

START_TEST(keys_of_every_kind)
{
    pr_buf_t b = sample();
    pr_gguf_t *g;
    pr_error_t err;
    ck_assert_msg(open_bytes(b.data, b.len, &g, &err) == PR_OK, "%s", err.text);
    static const struct {
        const char *key;
        int64_t value;
    } ints[] = {{"a.u8", 200}, {"a.i8", -5}, {"a.i16", -300}, {"a.u32", 4000000000}, {"a.i64", -7}};
    int64_t x = 42;
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        ck_assert(pr_gguf_int(g, ints[i].key, INT64_MIN, INT64_MAX, &x, &err) == PR_OK);
        ck_assert_int_eq(x, ints[i].value);
    }
    ck_assert(pr_gguf_int(g, "a.u64", 0, INT64_MAX, &x, &err) == PR_ERR_FORMAT);
    ck_assert(pr_gguf_int(g, "a.u8", 0, 199, &x, &err) == PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "key 'a.u8': found 200, expected 0 to 199"));
    double real = 0;
    ck_assert(pr_gguf_real(g, "a.f32", &real, &err) == PR_OK);
    ck_assert(real == (double)1e-5f && pr_gguf_decimal(real) == 1e-5);
    bool on = false;
    ck_assert(pr_gguf_bool(g, "a.bool", &on, &err) == PR_OK && on);
    const char *s = NULL;
    ck_assert(pr_gguf_string(g, "a.text", &s, &err) == PR_OK);
    ck_assert_str_eq(s, "caf\xc3\xa9");
    ck_assert(pr_gguf_string(g, "a.texts", &s, &err) == PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "key 'a.texts': found an array"));
    x = 42;
    ck_assert(pr_gguf_int(g, "a.none", 0, 1, &x, &err) == PR_OK && x == 42);
    ck_assert(!pr_gguf_has(g, "a.none") && pr_gguf_require(g, "a.none", &err) == PR_ERR_FORMAT);
    pr_gguf_text_t *texts;
    int64_t *numbers;
    size_t n;
    ck_assert(pr_gguf_texts(g, "a.texts", &texts, &n, &err) == PR_OK && n == 2);
    ck_assert(texts[0].len == 1 && texts[0].data[0] == 'x' && texts[1].len == 0);
    ck_assert(pr_gguf_ints(g, "a.ints", -1, 1, &numbers, &n, &err) == PR_OK && n == 3);
    ck_assert(numbers[0] == -1 && numbers[2] == 1);
    free(numbers);
    ck_assert(pr_gguf_ints(g, "a.ints", 0, 1, &numbers, &n, &err) == PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "key 'a.ints'[0]: found -1"));
    free(texts);
    pr_gguf_close(&g);
    pr_buf_free(&b);
}
END_TEST

START_TEST(tensors_rows_first)
{
    pr_buf_t b = sample();
    pr_gguf_t *g;
    pr_error_t err;
    ck_assert(open_bytes(b.data, b.len, &g, &err) == PR_OK);
    ck_assert_uint_eq(pr_gguf_count(g), 2);
    const pr_gguf_tensor_t *t = pr_gguf_find(g, "second");
    ck_assert(t && t->n_dim == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->bytes == 24);
    float row[6];
    t->type->to_float(t->data, 6, row);
    ck_assert(row[0] == 1.0625f);
    ck_assert_ptr_null(pr_gguf_find(g, "third"));
    pr_gguf_close(&g);
    pr_buf_free(&b);
}
END_TEST

/* ---- damage ---- */

START_TEST(what_is_cut_is_refused)
{
    pr_buf_t b = sample();
    pr_gguf_t *g;
    pr_error_t err;
    for (size_t len = 0; len < b.len; len++) {
        ck_assert_msg(open_bytes(b.data, len, &g, &err) == PR_ERR_FORMAT, "%zu bytes", len);
        ck_assert_msg(strstr(err.text, "ends after") != NULL, "%zu bytes: %s", len, err.text);
    }
    pr_buf_free(&b);
}
END_TEST

START_TEST(no_byte_is_believed)
{
    pr_buf_t b = sample();
    for (size_t at = 0; at < b.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            pr_gguf_t *g = NULL;
            pr_error_t err = {.text = ""};
            b.data[at] ^= (char)(1 << bit);
            pr_status_t status = open_bytes(b.data, b.len, &g, &err);
            ck_assert(status == PR_OK || status == PR_ERR_FORMAT || status == PR_ERR_UNSUPPORTED);
            ck_assert_int_eq(status == PR_OK, err.text[0] == 0);
            pr_gguf_close(&g);
            b.data[at] ^= (char)(1 << bit);
        }
    pr_buf_free(&b);
}
END_TEST

static void refused(const pr_buf_t *b, const char *words)
{
    pr_gguf_t *g;
    pr_error_t err;
    ck_assert_msg(open_bytes(b->data, b->len, &g, &err) != PR_OK, "%s", words);
    ck_assert_msg(strstr(err.text, words) != NULL, "found '%s', expected '%s'", err.text, words);
}

static void one_tensor(int64_t in, int64_t out, int type, uint64_t offset, const char *words)
{
    pr_buf_t b = {0};
    head(&b, 1, 0);
    tensor(&b, "x", in, out, type, offset);
    while (b.len < 4096)
        word(&b, 0, 1);
    refused(&b, words);
    pr_buf_free(&b);
}

START_TEST(tensors_that_cannot_be)
{
    one_tensor(32, 1, 9999, 0, "tensor 'x': type: found 9999");
    one_tensor(256, 1, 10, 0, "tensor 'x': type: found Q2_K, expected F32");
    one_tensor(33, 1, 2, 0, "tensor 'x': found rows of 33, expected a multiple of 32 for Q4_0");
    one_tensor(32, 0, 0, 16, "offset: found 16, expected a multiple of 32");
    one_tensor(1, 0, 0, UINT64_MAX - 31, "but the file ends after");
    one_tensor(INT64_MAX, 2, 0, 0, "product below 2^63");
    one_tensor(1024, 1024, 0, 0, "found 4194304 bytes at offset 0, but the file ends after");
    pr_buf_t b = {0};
    head(&b, 2, 0);
    tensor(&b, "x", 1, 0, 0, 0);
    tensor(&b, "x", 1, 0, 0, 0);
    while (b.len < 4096)
        word(&b, 0, 1);
    refused(&b, "tensor 'x': found twice");
    pr_buf_free(&b);
}
END_TEST

START_TEST(keys_that_cannot_be)
{
    pr_buf_t b = {0};
    head(&b, 0, 2);
    key(&b, "k", U8, 1, 1);
    key(&b, "k", U8, 1, 1);
    refused(&b, "key 'k': found twice");
    b.len = 0;
    head(&b, 0, 1);
    key(&b, "general.alignment", U32, 48, 4);
    refused(&b, "general.alignment': found 48, expected a power of two");
    b.len = 0;
    head(&b, 0, 1);
    text(&b, "deep");
    for (int i = 0; i < 20; i++) {
        word(&b, ARRAY, 4);
        if (i > 0)
            word(&b, 1, 8);
    }
    word(&b, U8, 4);
    word(&b, 0, 8);
    refused(&b, "arrays within each other");
    b.len = 0;
    head(&b, 0, 1);
    key(&b, "k", 13, 0, 8);
    refused(&b, "kind of value 13");
    pr_buf_free(&b);
}
END_TEST

/* ---- models ---- */

START_TEST(rows_of_heads_are_put_back)
{
    pr_gguf_tensor_t t = {.shape = {12, 5}, .n_dim = 2};
    pr_gguf_weight_t w = {.tensor = &t, .heads = 2};
    static const int64_t expected[] = {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11};
    for (int64_t r = 0; r < 12; r++)
        ck_assert_int_eq(pr_gguf_weight_row(&w, r), expected[r]);
    w.heads = 0;
    ck_assert_int_eq(pr_gguf_weight_row(&w, 7), 7);
}
END_TEST

START_TEST(decimals)
{
    ck_assert(pr_gguf_decimal((double)0.1f) == 0.1);
    ck_assert(pr_gguf_decimal((double)1e-6f) == 1e-6);
    ck_assert(pr_gguf_decimal(500000) == 500000);
    ck_assert(pr_gguf_decimal(0.1) == 0.1); // no float, so it stays
    ck_assert(pr_gguf_decimal((double)16777215.0f) == 16777215);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gguf");
    TCase *c = tcase_create("files");
    tcase_add_test(c, keys_of_every_kind);
    tcase_add_test(c, tensors_rows_first);
    tcase_add_test(c, what_is_cut_is_refused);
    tcase_add_test(c, no_byte_is_believed);
    tcase_add_test(c, tensors_that_cannot_be);
    tcase_add_test(c, keys_that_cannot_be);
    tcase_add_test(c, rows_of_heads_are_put_back);
    tcase_add_test(c, decimals);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
