// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/points_file.h"
#include "points.h"

static pr_points_t parsed(const char *text)
{
    pr_points_t p;
    pr_error_t err;
    pr_status_t status = pr_points_parse("t", text, strlen(text), &p, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    return p;
}

START_TEST(separators_comments_and_sets)
{
    pr_points_t p =
        parsed("\xef\xbb\xbf# header\n\n\n 1 2\r\n3,4 # note\n\t5 , 6\t\r\n\n# between\n7\t8e0\n\n\n-1,+2.5\n#\n9 9");
    ck_assert_int_eq(p.m, 2);
    ck_assert_uint_eq(p.n, 6);
    ck_assert_uint_eq(p.n_sets, 4);
    const size_t start[] = {0, 3, 4, 5, 6};
    ck_assert_mem_eq(p.start, start, sizeof start);
    ck_assert(same_point(p.values, (const double[]){1, 2, 3, 4, 5, 6, 7, 8, -1, 2.5, 9, 9}, 12));
    ck_assert_uint_eq(p.rows[0].line, 4);
    ck_assert_uint_eq(p.rows[5].line, 14);
    ck_assert_uint_eq(p.rows[0].len, 4);
    ck_assert(strncmp(p.text + p.rows[0].offset, " 1 2", 4) == 0);
    ck_assert(strncmp(p.text + p.rows[1].offset, "3,4 # note", p.rows[1].len) == 0);
    pr_points_unite(&p);
    ck_assert_uint_eq(p.n_sets, 1);
    ck_assert_uint_eq(p.start[1], 6);
    pr_points_free(&p);
}
END_TEST

START_TEST(infinite_and_extreme_numbers)
{
    pr_points_t p = parsed("inf -inf\n1e-400 1.7976931348623157e308\n0x1p3 -0\n");
    ck_assert(isinf(p.values[0]) && p.values[1] < 0 && isinf(p.values[1]));
    ck_assert_double_eq(p.values[2], 0);
    ck_assert_double_eq(p.values[4], 8);
    pr_points_free(&p);
}
END_TEST

static void assert_refused(const char *text, size_t len, const char *expected)
{
    pr_points_t p;
    pr_error_t err;
    ck_assert_int_eq(pr_points_parse("t", text, len, &p, &err), PR_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, expected) != NULL, "'%s' lacks '%s'", err.text, expected);
}

START_TEST(bad_files_name_the_line)
{
    static const char *const bad[][2] = {
        {"1 2\n\n3 nan\n", "t:3: found 'nan': a point cannot hold a NaN"},
        {"1 2\n3 NAN(7)\n", "t:2: found 'NAN(7)'"},
        {"1 2\n3 -nan\n", "t:2: "},
        {"# c\n1 2\n1 2 3\n", "t:3: 3 columns, expected 2 as in line 2"},
        {"1 2\n\n1\n", "t:3: 1 columns, expected 2 as in line 1"},
        {"x,y\n1,2\n", "t:1: found 'x', expected a number"},
        {"1 2x\n", "t:1: found '2x', expected a number"},
        {"1,,2\n", "t:1: an empty field"},
        {",1\n", "t:1: an empty field"},
        {"1,2,\n", "t:1: nothing after the last comma"},
        {"1 2\n3 1e999\n", "t:2: '1e999' is too large"},
        {"1 ; 2\n", "t:1: found ';'"},
        {"", "no points"},
        {"\n# nothing\n\r\n", "no points"},
        {",\n", "t:1: an empty field"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(bad[i][0], strlen(bad[i][0]), bad[i][1]);
    assert_refused("1 2\n3 \0\n", 8, "t:2: ");
    char longest[1000];
    memset(longest, '1', sizeof longest);
    assert_refused(longest, sizeof longest, "1000 characters long");
}
END_TEST

/* Any prefix and any one changed byte of a good file is read or refused, never worse. */
START_TEST(mutated_files)
{
    const char good[] = "# points\n1.5 2e3,-4\n\n0x1p-3 inf 3 # c\r\n7,8,9\n";
    pr_points_t p;
    for (size_t len = 0; len < sizeof good; len++)
        if (pr_points_parse("t", good, len, &p, NULL) == PR_OK)
            pr_points_free(&p);
    for (size_t at = 0; at + 1 < sizeof good; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            if (pr_points_parse("t", text, sizeof good - 1, &p, NULL) == PR_OK) {
                ck_assert(p.n >= 1 && p.start[p.n_sets] == p.n);
                pr_points_free(&p);
            }
        }
}
END_TEST

START_TEST(missing_files_and_directories)
{
    pr_points_t p;
    pr_error_t err;
    ck_assert_int_eq(pr_points_load("/nonexistent/points", &p, &err), PR_ERR_NOT_FOUND);
    ck_assert_int_ne(pr_points_load("/", &p, &err), PR_OK);
}
END_TEST

START_TEST(directions)
{
    double *signs = NULL;
    pr_error_t err;
    ck_assert_int_eq(pr_points_directions("1,3", 3, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){1, -1, 1}, 3));
    double to[3];
    pr_points_orient((const double[]){5, 6, 7}, 1, 3, signs, to);
    ck_assert(same_point(to, (const double[]){5, -6, 7}, 3));
    free(signs);
    ck_assert_int_eq(pr_points_directions("all", 2, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){1, 1}, 2));
    free(signs);
    ck_assert_int_eq(pr_points_directions("none", 2, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){-1, -1}, 2));
    free(signs);
    static const char *const bad[] = {"0", "4", "1.5", "-1", "", "x", "1,", "inf", "1e99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(pr_points_directions(bad[i], 3, &signs, &err), PR_ERR_USAGE);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("points_file");
    tcase_add_test(t, separators_comments_and_sets);
    tcase_add_test(t, infinite_and_extreme_numbers);
    tcase_add_test(t, bad_files_name_the_line);
    tcase_add_test(t, mutated_files);
    tcase_add_test(t, missing_files_and_directories);
    tcase_add_test(t, directions);
    return run_case(t, "points_file");
}
