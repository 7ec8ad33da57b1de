// SPDX-License-Identifier: BSD-3-Clause
#include "base/rng.h"
#include "report/text.h"

#include "report_files.h"

#include <math.h>
#include <stdint.h>

static const char *number(double x)
{
    static char text[64];
    pr_buf_t b = {0};
    pr_text_number(&b, x);
    snprintf(text, sizeof text, "%s", b.data);
    pr_buf_free(&b);
    return text;
}

START_TEST(numbers_are_short)
{
    ck_assert_str_eq(number(0.1), "0.1");
    ck_assert_str_eq(number(1.0 / 3), "0.3333333333333333");
    ck_assert_str_eq(number(0.1 + 0.2), "0.30000000000000004");
    ck_assert_str_eq(number(0), "0");
    ck_assert_str_eq(number(-0.0), "-0");
    ck_assert_str_eq(number(1e300), "1e+300");
    ck_assert_str_eq(number(5e-324), "4.94065645841247e-324");
    ck_assert_str_eq(number(NAN), "nan");
    ck_assert_str_eq(number(-NAN), "nan");
    ck_assert_str_eq(number(INFINITY), "inf");
    ck_assert_str_eq(number(-INFINITY), "-inf");
}
END_TEST

START_TEST(numbers_read_back)
{
    pr_rng_key_t key = pr_rng_key(1, "numbers", "");
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t bits = pr_rng_u64(&key, i, 0, 0, 0);
        double x, back, shorter;
        memcpy(&x, &bits, sizeof x);
        if (i % 2)
            x = pr_rng_uniform(&key, i, 1, 0, 0);
        if (!isfinite(x))
            continue;
        const char *text = number(x);
        back = strtod(text, NULL);
        if (memcmp(&back, &x, sizeof x) != 0)
            ck_abort_msg("%s is not %.17g", text, x);
        char fewer[40];
        snprintf(fewer, sizeof fewer, "%.16g", x);
        shorter = strtod(fewer, NULL);
        if (shorter == x && !strchr(text, 'e') && strlen(text) > strlen(fewer))
            ck_abort_msg("%s could be %s", text, fewer);
    }
}
END_TEST

static void expect_utf8(const char *bytes, size_t len, const char *expected)
{
    pr_buf_t b = {0};
    pr_text_utf8(&b, bytes, len);
    ck_assert_str_eq(b.data, expected);
    pr_buf_free(&b);
}

#define R "\xEF\xBF\xBD"

START_TEST(ill_formed_bytes_are_replaced)
{
    // The example of Unicode's chapter 3, table 3-8, and its neighbours.
    expect_utf8("a\xF1\x80\x80\xE1\x80\xC2"
                "b\x80"
                "c\x80\xBF"
                "d",
                13, "a" R R R "b" R "c" R R "d");
    expect_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
                "A",
                9, R R R R R R R R "A");
    expect_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF"
                "A",
                9, R R R R R R R R "A");
    expect_utf8("\xF4\x91\x92\x93\xFF"
                "A\x80\xBF"
                "B",
                9, R R R R R "A" R R "B");
    expect_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                "A",
                9, R R R R "A");
    expect_utf8("\xF4\x8F\xBF\xBF\xE2\x82\xAC", 7, "\xF4\x8F\xBF\xBF\xE2\x82\xAC");
    expect_utf8("\xE2\x82\xAC", 2, R);
}
END_TEST

START_TEST(any_bytes_become_valid_utf8)
{
    // All sequences of three bytes from those at which something changes, then random ones.
    static const unsigned char edge[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                         0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    enum { n = sizeof edge };
    pr_rng_key_t key = pr_rng_key(1, "bytes", "");
    for (uint64_t i = 0; i < (uint64_t)n * n * n * n; i++) {
        char bytes[4] = {(char)edge[i % n], (char)edge[i / n % n], (char)edge[i / n / n % n],
                         (char)edge[i / n / n / n]};
        if (i % 2)
            bytes[3] = (char)pr_rng_u64(&key, i, 0, 0, 0);
        pr_buf_t b = {0};
        pr_text_utf8(&b, bytes, 4);
        bool same = b.len == 4 && memcmp(b.data, bytes, 4) == 0;
        if (!valid_utf8(b.data, b.len) || same != valid_utf8(bytes, 4))
            ck_abort_msg("case %llu", (unsigned long long)i);
        pr_buf_free(&b);
    }
}
END_TEST

static void expect_csv(const char *text, const char *expected)
{
    pr_buf_t b = {0};
    pr_text_csv(&b, text);
    ck_assert_str_eq(b.data ? b.data : "", expected);
    pr_buf_free(&b);
}

START_TEST(csv_fields)
{
    expect_csv("", "");
    expect_csv("plain text", "plain text");
    expect_csv("a,b", "\"a,b\"");
    expect_csv("say \"x\"", "\"say \"\"x\"\"\"");
    expect_csv("two\nlines", "\"two\nlines\"");
    expect_csv("two\r\nlines", "\"two\r\nlines\"");
    expect_csv("=1+1", "'=1+1");
    expect_csv("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
    expect_csv("+1", "'+1");
    expect_csv("-1", "'-1");
    expect_csv("@SUM(A1)", "'@SUM(A1)");
    expect_csv("  =1", "'  =1");
    expect_csv("\t=1", "'\t=1");
    expect_csv("\r=1", "\"'\r=1\"");
    expect_csv("\xEF\xBC\x9D"
               "1",
               "'\xEF\xBC\x9D"
               "1");
    expect_csv("a=b", "a=b");
    expect_csv("a\x1b[31mb", "a" R "[31mb");
    expect_csv("a\xC2\x9B"
               "b\x7f",
               "a" R "b" R);
    expect_csv("\xC2\xA0\xC3\xA9", "\xC2\xA0\xC3\xA9");
    expect_csv("\xff", R);
}
END_TEST

START_TEST(json_text)
{
    json_t *value = json_pack("{s:[f,f,i,b,n], s:{}, s:[], s:s%}", "z", 0.1, 1.0, 7, 1, "o", "a", "t",
                              "\"\\\n\0\xc3\xa9", (size_t)6);
    ck_assert_ptr_nonnull(value);
    pr_buf_t b = {0};
    pr_text_json(&b, value, 0);
    ck_assert_str_eq(b.data, "{\"z\":[0.1,1.0,7,true,null],\"o\":{},\"a\":[],\"t\":\"\\\"\\\\\\n\\u0000\xc3\xa9\"}");
    b.len = 0;
    pr_text_json(&b, value, 2);
    ck_assert_ptr_nonnull(strstr(b.data, "{\n  \"z\": [\n    0.1,\n"));
    json_t *back = json_loads(b.data, JSON_ALLOW_NUL, NULL);
    ck_assert(json_equal(back, value));
    json_decref(back);
    json_decref(value);
    pr_buf_free(&b);
    json_t *none = pr_json_real(NAN);
    ck_assert(json_is_null(none));
    json_decref(none);
}
END_TEST

static void expect_cut(const char *text, int columns, const char *expected, int used)
{
    pr_buf_t b = {0};
    int found = pr_text_cut(&b, text, columns);
    ck_assert_str_eq(b.data, expected);
    ck_assert_int_eq(found, used);
    pr_buf_free(&b);
}

START_TEST(text_is_cut_by_display_width)
{
    expect_cut("hello", 5, "hello", 5);
    expect_cut("hello", 4, "hel\xE2\x80\xA6", 4);
    expect_cut("hello", 1, "\xE2\x80\xA6", 1);
    expect_cut("hello", 0, "", 0);
    expect_cut("", 9, "", 0);
    expect_cut(" a \t\r\n b  ", 3, "a b", 3);
    expect_cut("日本語", 6, "日本語", 6);
    expect_cut("日本語", 5, "日本\xE2\x80\xA6", 5);
    expect_cut("日本語", 4, "日\xE2\x80\xA6", 3);
    expect_cut("e\xCC\x81t\xC3\xA9", 3, "e\xCC\x81t\xC3\xA9", 3);
    expect_cut("e\xCC\x81t\xC3\xA9s", 3, "e\xCC\x81t\xE2\x80\xA6", 3);
    ck_assert_int_eq(pr_text_width("± 日e\xCC\x81"), 5);
}
END_TEST

START_TEST(nothing_in_a_text_moves_the_cursor)
{
    expect_cut("a\x1b[2J\x07"
               "b",
               40, "a" R "[2J" R "b", 7);
    expect_cut("a\xC2\x9B"
               "31m",
               40, "a" R "31m", 5);
    expect_cut("a\xE2\x80\xAE"
               "b",
               40, "a" R "b", 3); // right-to-left override
    expect_cut("a\xE2\x80\xA8"
               "b",
               40, "a b", 3); // line separator
    expect_cut("a\xC2\xAD"
               "b",
               40, "ab", 2); // soft hyphen
    expect_cut("\xff\xfe", 40, R R, 2);
    char marks[2001] = "a";
    for (size_t i = 1; i + 2 < sizeof marks; i += 2)
        memcpy(marks + i, "\xCC\x81", 3);
    pr_buf_t b = {0};
    ck_assert_int_le(pr_text_cut(&b, marks, 10), 2);
    ck_assert_uint_le(b.len, 1 + 4 * 2 + 3);
    pr_buf_free(&b);
}
END_TEST

START_TEST(random_bytes_on_a_terminal)
{
    pr_rng_key_t key = pr_rng_key(1, "terminal", "");
    for (uint64_t i = 0; i < 20000; i++) {
        char text[33] = "";
        int columns = (int)(i % 40);
        for (uint64_t k = 0; k < 32; k++)
            text[k] = (char)(1 + pr_rng_below(&key, 255, i, k, 0, 0));
        pr_buf_t b = {0};
        int used = pr_text_cut(&b, text, columns);
        ck_assert_int_le(used, columns);
        ck_assert(valid_utf8(b.data, b.len));
        ck_assert_int_eq(pr_text_width(b.data), used);
        for (size_t k = 0; k < b.len; k++)
            if ((unsigned char)b.data[k] < 32 || b.data[k] == 127)
                ck_abort_msg("control character in case %llu", (unsigned long long)i);
        pr_buf_free(&b);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, numbers_are_short);
    tcase_add_test(tcase, numbers_read_back);
    tcase_add_test(tcase, ill_formed_bytes_are_replaced);
    tcase_add_test(tcase, any_bytes_become_valid_utf8);
    tcase_add_test(tcase, csv_fields);
    tcase_add_test(tcase, json_text);
    tcase_add_test(tcase, text_is_cut_by_display_width);
    tcase_add_test(tcase, nothing_in_a_text_moves_the_cursor);
    tcase_add_test(tcase, random_bytes_on_a_terminal);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
