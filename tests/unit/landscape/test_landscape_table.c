// SPDX-License-Identifier: BSD-3-Clause
/* Tables of lattices: what is read, where a point lands, and what is refused. */
#include "base/mem.h"
#include "landscape/table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns in an order of their own, others among them, CRLF, comments, an empty line, rows in no order. */
static const char GOOD[] = "# a comment\r\n"
                           "seed,a,w_b,w_a,se_a,b,se_b\r\n"
                           "1,0.1,0,1,0.01,0.9,0.02\r\n"
                           "1,0.3,1,0,0.03,0.7,0.04\r\n"
                           "\n"
                           "# another\n"
                           "1,0.2,0.5,0.5,0.05,0.8,0.06";

static pr_status_t parse(const char *text, pr_landscape_table_t *out, pr_error_t *err)
{
    char *copy = pr_strdup(text);
    pr_status_t status = pr_landscape_table_parse("t.csv", copy, strlen(copy), out, err);
    free(copy);
    return status;
}

START_TEST(columns_go_by_name_and_rows_by_weights)
{
    pr_landscape_table_t t;
    pr_error_t err;
    ck_assert_msg(parse(GOOD, &t, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(t.k, 2);
    ck_assert_int_eq(t.m, 2);
    ck_assert_uint_eq(t.n, 3);
    ck_assert_str_eq(t.name[0], "b"); // in the order of the weights
    ck_assert_str_eq(t.name[1], "a");
    size_t row = pr_landscape_table_row(&t, (const int[]){1, 1});
    ck_assert_uint_eq(row, 1);
    ck_assert_double_eq(t.mean[2 * row], 0.8);
    ck_assert_double_eq(t.mean[2 * row + 1], 0.2);
    ck_assert_double_eq(t.se[2 * row], 0.06);
    ck_assert_double_eq(t.se[2 * row + 1], 0.05);
    ck_assert_double_eq(t.mean[2 * pr_landscape_table_row(&t, (const int[]){0, 2})], 0.9);
    ck_assert_double_eq(t.mean[2 * pr_landscape_table_row(&t, (const int[]){2, 0})], 0.7);
    pr_landscape_table_free(&t);
}
END_TEST

/* Every lattice point of k weights of sum left, in order; m: the whole sum. */
static void each(int k, int m, int *num, int j, int left, size_t *rank)
{
    pr_landscape_table_t t = {.k = k, .m = m};
    if (j == k - 1) {
        num[j] = left;
        ck_assert_uint_eq(pr_landscape_table_row(&t, num), (*rank)++);
        double w[PR_MAX_OBJECTIVES] = {0};
        int back[PR_MAX_OBJECTIVES] = {0};
        for (int i = 0; i < k; i++)
            w[i] = (double)num[i] / m;
        pr_landscape_snap(w, k, m, back);
        ck_assert_mem_eq(back, num, (size_t)k * sizeof *num);
        return;
    }
    for (num[j] = 0; num[j] <= left; num[j]++)
        each(k, m, num, j + 1, left - num[j], rank);
}

START_TEST(rows_are_in_order_and_lattice_points_stay)
{
    static const int cases[][3] = {{2, 7, 8}, {3, 32, 561}, {4, 6, 84}, {5, 5, 126}, {16, 2, 136}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int num[PR_MAX_OBJECTIVES] = {0};
        size_t rank = 0;
        each(cases[c][0], cases[c][1], num, 0, cases[c][1], &rank);
        ck_assert_uint_eq(rank, (size_t)cases[c][2]);
    }
}
END_TEST

START_TEST(snap_takes_the_largest_remainders)
{
    static const struct {
        double w[3];
        int m, num[3];
    } cases[] = {
        {{0.3, 0.3, 0.4}, 4, {1, 1, 2}},             // 1.2 1.2 1.6
        {{0.4, 0.35, 0.25}, 2, {1, 1, 0}},           // 0.8 0.7 0.5
        {{1 / 3.0, 1 / 3.0, 1 / 3.0}, 4, {2, 1, 1}}, // equal remainders: the first
        {{1 / 3.0, 1 / 3.0, 1 / 3.0}, 5, {2, 2, 1}},
        {{0.1, 0.1, 0.8}, 1, {0, 0, 1}},
        {{0.25 - 1e-11, 0.25, 0.5 + 1e-11}, 4, {1, 1, 2}}, // a hair below is on it
        {{0.0625 + 4e-11, 0.0625, 0.875 - 4e-11}, 8, {1, 0, 7}},
        {{0.0625, 0.0625 + 4e-11, 0.875 - 4e-11}, 8, {1, 0, 7}}, // equal within 1e-9
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int num[3] = {0};
        pr_landscape_snap(cases[c].w, 3, cases[c].m, num);
        ck_assert_msg(memcmp(num, cases[c].num, sizeof num) == 0, "case %zu: %d %d %d", c, num[0], num[1], num[2]);
    }
}
END_TEST

START_TEST(what_is_no_table_is_refused)
{
    static const char *const bad[][2] = {
        {"", "t.csv: found no line of names, expected w_NAME, NAME and se_NAME of each objective"},
        {"# x\n", "t.csv: found no line of names"},
        {"w_a,a,se_a\n1,1,0\n", "t.csv:1: found 1 weights (columns w_NAME), expected 2 to 16"},
        {"a,b\n1,1\n", "t.csv:1: found 0 weights"},
        {"#\nw_a,w_b,a,b,se_a\n", "t.csv:2: found no column 'se_b', expected w_NAME, NAME and se_NAME"},
        {"w_a,w_b,a,se_a,se_b\n", "t.csv:1: found no column 'b'"},
        {"w_a,w_b,a,b,a,se_a,se_b\n", "t.csv:1: found more than one column 'a'"},
        {"w_a,w_a,a,se_a\n", "t.csv:1: found more than one column 'w_a'"},
        {"w_a,w_b,a,b,se_a,se_b\n", "t.csv: found 0 rows, expected all points of a simplex lattice of 2 weights"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0\n", "t.csv:2: found 5 columns, expected 6 as in line 1"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0,0\n", "t.csv:2: found 7 columns, expected 6 as in line 1"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,x,1,0,0\n", "t.csv:2: a: found 'x', expected a number"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,,1,0,0\n", "t.csv:2: a: found '', expected a number"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,nan,0,0\n", "t.csv:2: b: found 'nan', expected a number"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,-1\n", "t.csv:2: se_b: found -1, expected 0 or more"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0\n1,0,0,1,0,0\n0.4,0.6,1,1,0,0\n",
         "t.csv:4: w_a: found 0.4, expected a multiple of 1/2 from 0 to 1, as there are 3 rows"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0\n1,0,0,1,0,0\n-1,2,1,1,0,0\n", "t.csv:4: w_a: found -1"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0\n1,1,0,1,0,0\n", "t.csv:3: found weights of sum 2, expected 1"},
        {"w_a,w_b,a,b,se_a,se_b\n0,1,0,1,0,0\n1,0,0,1,0,0\n0,1,0,1,0,0\n",
         "t.csv:4: found the weights of line 2 again, expected every lattice point once"},
        {"w_a,w_b,w_c,a,b,c,se_a,se_b,se_c\n0,0,1,0,0,1,0,0,0\n0,1,0,0,1,0,0,0,0\n1,0,0,0,1,0,0,0,0\n.5,.5,0,0,1,0,0,0,"
         "0\n",
         "t.csv: found 4 rows, expected all points of a simplex lattice of 3 weights, such as 3 or 6"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_landscape_table_t t;
        pr_error_t err = {.text = "nothing"};
        ck_assert_msg(parse(bad[i][0], &t, &err) == PR_ERR_FORMAT, "case %zu is taken", i);
        ck_assert_msg(strstr(err.text, bad[i][1]), "'%s' lacks '%s'", err.text, bad[i][1]);
    }
    pr_landscape_table_t t;
    pr_error_t err;
    ck_assert_int_eq(pr_landscape_table_read("/nowhere/t.csv", &t, &err), PR_ERR_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("landscape_table");
    TCase *tests = tcase_create("landscape_table");
    tcase_add_test(tests, columns_go_by_name_and_rows_by_weights);
    tcase_add_test(tests, rows_are_in_order_and_lattice_points_stay);
    tcase_add_test(tests, snap_takes_the_largest_remainders);
    tcase_add_test(tests, what_is_no_table_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
