// SPDX-License-Identifier: BSD-3-Clause
/* Exact points: text, comparison, quantising, sets; and the list strategy's files. */
#include "unit/sweeps/search_sim.h"

#include <unistd.h>

static pr_status_t parse(const char *text, int k, pr_point_t *out, pr_error_t *err)
{
    return pr_point_parse_span(text, text + strlen(text), k, out, err);
}

static void check_parse(const char *text, int k, const char *expected)
{
    pr_point_t p;
    pr_error_t err = {0};
    char out[256];
    ck_assert_msg(parse(text, k, &p, &err) == PR_OK, "'%s': %s", text, err.text);
    pr_point_text(&p, k, out, sizeof out);
    ck_assert_str_eq(out, expected);
}

START_TEST(text_is_exact)
{
    check_parse("1/4,1/2,1/4", 3, "1/4,1/2,1/4");
    check_parse(" 0.25 0.5\t0.25\r\n", 3, "1/4,1/2,1/4");
    check_parse("0.1, 0.2, 0.7", 3, "1/10,1/5,7/10");
    check_parse("2/4 , 3/6", 2, "1/2,1/2");
    check_parse("1e-3,0.999", 2, "1/1000,999/1000");
    check_parse("+.5 5E-1", 2, "1/2,1/2");
    check_parse("1.000000000000000000000 0", 2, "1,0");
    check_parse("1", 1, "1");
    check_parse("0 0", 2, "0,0");
    check_parse("0e999 1e0", 2, "0,1");
    check_parse("12 3 5", 3, "12,3,5");
    check_parse("1/4611686018427387847 1", 2, "1/4611686018427387847,1");
}
END_TEST

START_TEST(bad_text_is_refused)
{
    static const char *const BAD[] = {"",
                                      ",",
                                      "1",
                                      "1,2,3",
                                      "1,,2",
                                      "1,2,",
                                      "a,b",
                                      "nan 1",
                                      "inf 1",
                                      "-1 2",
                                      "1/0 1",
                                      "1/ 1",
                                      "/2 1",
                                      "1.5/2 1",
                                      "1e 1",
                                      "0x1 1",
                                      "1;2",
                                      "1/2/3 1",
                                      ". 1",
                                      "1 1e99999999999",
                                      "1e1000 1",
                                      "1e30 1",
                                      "99999999999999999999/0 1",
                                      "1.788507764234052722e 0.5",
                                      "1.788507764234052722e-01x 0.5",
                                      "-1.788507764234052722e-01 0.5",
                                      "-0.1 1",
                                      "-0x 1",
                                      "- 1",
                                      "1,\xff"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        pr_point_t p = {.den = 77};
        pr_error_t err = {0};
        ck_assert_msg(parse(BAD[i], 2, &p, &err) == PR_ERR_FORMAT, "'%s' was accepted", BAD[i]);
        ck_assert(p.den == 77 && err.text[0] != 0);
    }
}
END_TEST

// What numpy.savetxt ('%.18e'), repr() and '%.17g' write of doubles: the same doubles again.
START_TEST(doubles_come_back)
{
    static const char *const formats[] = {"%.18e", "%.17g", "%.25f", "%.16e"};
    pr_rng_key_t key = pr_rng_key(6, "doubles", "");
    for (uint64_t i = 0; i < 3000; i++) {
        double x[3], w[3], sum = 0;
        char text[200];
        for (uint64_t j = 0; j < 3; j++)
            sum += x[j] = -log(pr_rng_uniform(&key, i, j, 0, 0)) * (i % 5 == 0 && j == 0 ? 1e-3 : 1);
        for (int j = 0; j < 3; j++)
            x[j] /= sum;
        const char *f = formats[i % 4];
        size_t n = 0;
        for (int j = 0; j < 3; j++) {
            n += (size_t)snprintf(text + n, sizeof text - n, f, x[j]);
            n += (size_t)snprintf(text + n, sizeof text - n, " ");
        }
        pr_point_t p;
        pr_error_t err = {0};
        ck_assert_msg(parse(text, 3, &p, &err) == PR_OK, "'%s': %s", text, err.text);
        pr_point_weights(&p, 3, w);
        for (int j = 0; j < 3; j++)
            ck_assert_msg(fabs(w[j] - x[j]) <= 0x1p-60 + 0x1p-52 * x[j], "'%s': %.17g", text, w[j]);
        ck_assert(pr_point_normalise(&p, 3));
        pr_point_weights(&p, 3, w);
        for (int j = 0; j < 3; j++)
            ck_assert_msg(fabs(w[j] - x[j]) <= 4e-16, "'%s': %.17g", text, w[j]);
    }
    check_parse("0.50000000000000000000000001 0.25000000000000000000000000001", 2, "1/2,1/4");
    check_parse("1.5e-400 1.00000000000000000000001", 2, "0,1");
    check_parse("1e-99 1", 2, "0,1");
    check_parse("99999999999999999999/199999999999999999998 1e-30", 2, "1/2,0");
    check_parse("-0.000000000000000000e+00 -0 1.0", 3, "0,0,1");
}
END_TEST

START_TEST(order_is_by_value)
{
    pr_point_t p[40];
    int n = 0;
    for (int den = 1; den <= 7; den++)
        for (int num = 0; num <= den; num++) {
            p[n] = (pr_point_t){.den = den, .num = {num, den - num}};
            pr_point_reduce(&p[n++], 2);
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double a = (double)p[i].num[0] / (double)p[i].den, b = (double)p[j].num[0] / (double)p[j].den;
            ck_assert_int_eq(pr_point_compare(&p[i], &p[j], 2), (a > b) - (a < b));
        }
    /* A difference that doubles cannot tell. */
    pr_point_t a = {.den = INT64_C(1) << 61, .num = {(INT64_C(1) << 60) + 1}}, b = {.den = 2, .num = {1}};
    ck_assert_int_eq(pr_point_compare(&a, &b, 1), 1);
}
END_TEST

START_TEST(quantised_weights_sum_to_one)
{
    pr_rng_key_t key = pr_rng_key(3, "quantise", "");
    for (uint64_t i = 0; i < 3000; i++) {
        int k = 1 + (int)(i % 16);
        double w[PR_MAX_OBJECTIVES], v[PR_MAX_OBJECTIVES], sum = 0;
        for (int j = 0; j < k; j++)
            sum += w[j] = pow(pr_rng_uniform(&key, i, (uint64_t)j, 0, 0), (double)(i % 7));
        int64_t total = 0;
        pr_point_t p;
        for (int j = 0; j < k; j++)
            w[j] /= sum;
        pr_point_quantise(w, k, &p);
        pr_point_weights(&p, k, v);
        for (int j = 0; j < k; j++) {
            total += p.num[j];
            ck_assert_double_le(fabs(v[j] - w[j]), 2e-9);
        }
        ck_assert_int_eq(total, p.den);
    }
}
END_TEST

START_TEST(sets_find_what_was_added)
{
    pr_pointset_t set = {.d = 3};
    for (int64_t i = 0; i < 20000; i++) {
        pr_point_t p = {.den = 10007, .num = {i % 10007, (i * i) % 10007, 1}};
        bool is_new = false;
        pr_point_reduce(&p, 3);
        size_t before = set.n, id = pr_pointset_add(&set, &p, &is_new);
        ck_assert(is_new == (i < 10007) && set.n == before + is_new);
        ck_assert_int_eq((int64_t)id, i % 10007);
        ck_assert_uint_eq(pr_pointset_find(&set, &p), id);
    }
    pr_point_t absent = {.den = 3, .num = {1, 1, 1}};
    ck_assert_uint_eq(pr_pointset_find(&set, &absent), PR_NO_POINT);
    pr_pointset_free(&set);
}
END_TEST

static char list_path[] = "/tmp/test_search_list_XXXXXX";

static pr_status_t run_list(const char *text, size_t len, int k, const char *domain, pr_requests_t *q, pr_error_t *err)
{
    FILE *f = fopen(list_path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
    sim_t s = sim_new(k, "list", domain);
    s.spec.file = list_path;
    s.search.spec = &s.spec;
    return pr_search_next(&s.search, NULL, 0, q, err);
}

static void make_list_file(void)
{
    int fd = mkstemp(list_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_list_file(void)
{
    unlink(list_path);
    memcpy(strrchr(list_path, '_') + 1, "XXXXXX", 6);
}

START_TEST(list_of_points)
{
    static const char TEXT[] = "# corners\n1 0 0\r\n0,1,0\n\n  \t\n1 1 2 # proportions\n0.25 0.25 0.5\n1/3 1/3 1/3";
    pr_requests_t q = {0};
    pr_error_t err = {0};
    ck_assert_msg(run_list(TEXT, sizeof TEXT - 1, 3, "simplex", &q, &err) == PR_OK, "%s", err.text);
    static const char *const EXPECTED[] = {"0,1,0", "1/4,1/4,1/2", "1/3,1/3,1/3", "1,0,0"};
    ck_assert_uint_eq(q.n, 4);
    for (size_t i = 0; i < q.n; i++) {
        char out[100];
        pr_point_text(&SIM_REQUEST(&q, i)->point, 3, out, sizeof out);
        ck_assert_str_eq(out, EXPECTED[i]);
    }
    pr_requests_free(&q);
    static const char NUMPY[] =
        "\xEF\xBB\xBF# a b\n1.788507764234052722e-01 8.211492235765947278e-01\n"
        "0.0012345678901234567 0.9987654321098765433\n"; // savetxt, with a byte order mark; repr
    ck_assert_msg(run_list(NUMPY, sizeof NUMPY - 1, 2, "simplex", &q, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_eq(q.n, 2);
    pr_requests_free(&q);
    ck_assert(run_list("0 0.5\n1 1\n", 10, 2, "cube", &q, &err) == PR_OK);
    ck_assert_uint_eq(q.n, 2);
    pr_requests_free(&q);
}
END_TEST

START_TEST(bad_lists_name_the_line)
{
    static const struct {
        const char *text, *domain, *at, *says;
    } BAD[] = {
        {"1 0\n# x\n1 2 3\n", "simplex", ":3:", "found 3 weights, expected 2"},
        {"1 0\n1 x\n", "simplex", ":2:", "found 'x'"},
        {"0 0\n", "simplex", ":1:", "sum"},
        {"1 -1\n", "simplex", ":1:", "'-1'"},
        {"1 nan", "cube", ":1:", "'nan'"},
        {"0.5 1\n0.5 1.5\n", "cube", ":2:", "found 1.5"},
        {"# nothing\n\n", "cube", "", "no points"},
        {"", "cube", "", "no points"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        pr_requests_t q = {0};
        pr_error_t err = {0};
        ck_assert_int_eq(run_list(BAD[i].text, strlen(BAD[i].text), 2, BAD[i].domain, &q, &err), PR_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, list_path) && strstr(err.text, BAD[i].at) && strstr(err.text, BAD[i].says),
                      "%zu: %s", i, err.text);
    }
    pr_requests_t q = {0};
    pr_error_t err = {0};
    ck_assert_int_eq(run_list("1 0\n\0 1\n", 8, 2, "simplex", &q, &err), PR_ERR_FORMAT);
}
END_TEST

START_TEST(missing_list_is_an_error)
{
    sim_t s = sim_new(2, "list", "simplex");
    pr_requests_t q = {0};
    pr_error_t err = {0};
    s.search.spec = &s.spec;
    ck_assert_int_eq(pr_search_next(&s.search, NULL, 0, &q, &err), PR_ERR_CONFIG);
    s.spec.file = (char *)"/nonexistent/points.txt";
    ck_assert_int_eq(pr_search_next(&s.search, NULL, 0, &q, &err), PR_ERR_NOT_FOUND);
}
END_TEST

START_TEST(mutated_lists_never_break)
{
    static const char SEED[] = "1/3 1/3 1/3\n0.25,0.25,0.5 # x\n1e-2 2 3\n";
    pr_rng_key_t key = pr_rng_key(5, "mutate", "");
    for (uint64_t i = 0; i < 4000; i++) {
        char text[sizeof SEED];
        memcpy(text, SEED, sizeof SEED);
        static const char BYTES[] = "0123456789/.,eE+-# \n\t\r\0\xff";
        for (uint64_t m = 0; m < 1 + i % 6; m++)
            text[pr_rng_below(&key, sizeof SEED - 1, i, m, 0, 0)] =
                BYTES[pr_rng_below(&key, sizeof BYTES - 1, i, m, 1, 0)];
        const char *at = text, *end = text + sizeof SEED - 1;
        while (at < end) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            pr_point_t p;
            pr_error_t err = {0};
            stop = stop ? stop : end;
            if (pr_point_parse_span(at, stop, 3, &p, &err) == PR_OK) {
                ck_assert(p.den > 0 && p.num[0] >= 0 && p.num[1] >= 0 && p.num[2] >= 0);
                pr_point_normalise(&p, 3);
            } else {
                ck_assert(err.text[0] != 0);
            }
            at = stop + 1;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search points");
    TCase *t = tcase_create("points"), *list = tcase_create("list");
    tcase_add_test(t, text_is_exact);
    tcase_add_test(t, bad_text_is_refused);
    tcase_add_test(t, doubles_come_back);
    tcase_add_test(t, order_is_by_value);
    tcase_add_test(t, quantised_weights_sum_to_one);
    tcase_add_test(t, sets_find_what_was_added);
    tcase_add_test(t, mutated_lists_never_break);
    tcase_add_checked_fixture(list, make_list_file, remove_list_file);
    tcase_add_test(list, list_of_points);
    tcase_add_test(list, bad_lists_name_the_line);
    tcase_add_test(list, missing_list_is_an_error);
    suite_add_tcase(suite, t);
    suite_add_tcase(suite, list);
    return sim_main(suite);
}
