// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/points_file.h"
#include "points.h"

#include <unistd.h>

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

static pr_status_t load_table(const char *text, const char *columns, const char *by, pr_points_t *p, pr_error_t *err)
{
    char path[] = "/tmp/pr-points-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    pr_status_t status = pr_points_load_named(path, columns, by, p, err);
    unlink(path);
    return status;
}

static const char sweep[] = "\xef\xbb\xbfsearch,seed,w_kind,w_short,kind,short,se_kind,note\r\n"
                            "states,1,1,0,0.5,-1,,\"a, \"\"b\"\"\"\r\n"
                            "params,1,0,1,0.25,-2,0.1,\r\n\n"
                            "\"states\",2,0,1,0.125,-3,0.1,x\n"
                            "states,1,0,1,1,-4,0.1,\"\"\n"
                            "base,1,0,0,9,9,,\nbase (other),1,0,0,9,9,,";

START_TEST(tables_with_names)
{
    pr_points_t p;
    pr_error_t err;
    ck_assert_msg(load_table(sweep, NULL, NULL, &p, &err) == PR_OK, "%s", err.text);
    ck_assert(p.m == 2 && p.n == 4 && p.n_sets == 1 && p.left_out == 2);
    ck_assert_str_eq(p.column[0], "kind");
    ck_assert_str_eq(p.column[1], "short");
    ck_assert_ptr_null(p.set_name);
    ck_assert(same_point(p.values, (const double[]){0.5, -1, 0.25, -2, 0.125, -3, 1, -4}, 8));
    ck_assert_uint_eq(p.rows[2].line, 5);
    ck_assert(strncmp(p.text + p.rows[3].offset, "states,1,0,1,1,-4,0.1,\"\"", p.rows[3].len) == 0);
    ck_assert(strncmp(p.text + p.heading.offset, "search,seed,w_kind", 18) == 0 && p.heading.len == 50);
    double *signs = NULL;
    ck_assert_int_eq(pr_points_directions("short", 2, p.column, &signs, &err), PR_OK);
    ck_assert(signs[0] == -1 && signs[1] == 1);
    free(signs);
    ck_assert_int_eq(pr_points_directions("short,shor", 2, p.column, &signs, &err), PR_ERR_USAGE);
    pr_points_free(&p);

    ck_assert_msg(load_table(sweep, "short,seed", "search,seed", &p, &err) == PR_OK, "%s", err.text);
    ck_assert(p.m == 2 && p.n == 4 && p.n_sets == 3);
    ck_assert_mem_eq(p.start, ((const size_t[]){0, 2, 3, 4}), 4 * sizeof(size_t));
    ck_assert_str_eq(p.set_name[0], "search=states seed=1");
    ck_assert_str_eq(p.set_name[1], "search=params seed=1");
    ck_assert_str_eq(p.set_name[2], "search=states seed=2");
    ck_assert(same_point(p.values, (const double[]){-1, 1, -4, 1, -2, 1, -3, 2}, 8));
    ck_assert_uint_eq(p.rows[1].line, 6);
    pr_points_unite(&p);
    ck_assert(p.n_sets == 1 && p.start[1] == 4 && !p.set_name);
    pr_points_free(&p);

    // Blocks of layers have weights of their own; a file without names is read as ever.
    ck_assert_int_eq(load_table("a,b,w_b.0,w_b.1\n1,2,3,4\n", NULL, NULL, &p, &err), PR_OK);
    ck_assert(p.m == 1 && p.values[0] == 2);
    pr_points_free(&p);
    ck_assert_int_eq(load_table("1,2\n\n3,4\n", NULL, NULL, &p, &err), PR_OK);
    ck_assert(p.m == 2 && p.n_sets == 2 && !p.column);
    pr_points_free(&p);
}
END_TEST

START_TEST(bad_tables)
{
    static const struct {
        const char *text, *columns, *by;
        pr_status_t status;
        const char *expected;
    } bad[] = {
        {"a,b\n1,2\n", NULL, NULL, PR_ERR_FORMAT,
         ":1: found 'a', expected numbers, or the names of columns: --columns"},
        {"a,b\n1,2\n", "a,c", NULL, PR_ERR_USAGE, "has no column 'c'"},
        {"a,b\n1,2\n", "a,a", NULL, PR_ERR_USAGE, "found 'a' twice"},
        {"a,b\n1,2\n", "a,", NULL, PR_ERR_USAGE, "has no column ''"},
        {"a,b\n1,2\n", "a", "search", PR_ERR_USAGE, "--by: "},
        {"1,2\n", "a", NULL, PR_ERR_USAGE, "--columns: found a, but"},
        {"1,2\n", NULL, "a", PR_ERR_USAGE, "has no names"},
        {"a,b\n1,2,3\n", "a", NULL, PR_ERR_FORMAT, ":2: 3 columns, expected 2 as in line 1"},
        {"a,b\n1,2\n,2\n", "a", NULL, PR_ERR_FORMAT, ":3: column a: found '', expected a number"},
        {"a,b\n1,2\nnan,2\n", "a", NULL, PR_ERR_FORMAT, ":3: column a: found 'nan'"},
        {"a,b\n\"1\n\",2\n", "a", NULL, PR_ERR_FORMAT, ":2: a quoted field goes over the line's end"},
        {"a,b\n\"1\"0,2\n", "a", NULL, PR_ERR_FORMAT, ":2: field 1: found '0' after its quotes"},
        {"a,b\n", "a", NULL, PR_ERR_FORMAT, "no points"},
        {"search,a\nbase,1\n", "a", NULL, PR_ERR_FORMAT, "no points"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_points_t p;
        pr_error_t err;
        ck_assert_int_eq(load_table(bad[i].text, bad[i].columns, bad[i].by, &p, &err), bad[i].status);
        ck_assert_msg(strstr(err.text, bad[i].expected) != NULL, "'%s' lacks '%s'", err.text, bad[i].expected);
    }
}
END_TEST

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
    ck_assert_int_eq(pr_points_directions("1,3", 3, NULL, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){1, -1, 1}, 3));
    double to[3];
    pr_points_orient((const double[]){5, 6, 7}, 1, 3, signs, to);
    ck_assert(same_point(to, (const double[]){5, -6, 7}, 3));
    free(signs);
    ck_assert_int_eq(pr_points_directions("all", 2, NULL, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){1, 1}, 2));
    free(signs);
    ck_assert_int_eq(pr_points_directions("none", 2, NULL, &signs, &err), PR_OK);
    ck_assert(same_point(signs, (const double[]){-1, -1}, 2));
    free(signs);
    static const char *const bad[] = {"0", "4", "1.5", "-1", "", "x", "1,", "inf", "1e99"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(pr_points_directions(bad[i], 3, NULL, &signs, &err), PR_ERR_USAGE);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("points_file");
    tcase_add_test(t, separators_comments_and_sets);
    tcase_add_test(t, infinite_and_extreme_numbers);
    tcase_add_test(t, bad_files_name_the_line);
    tcase_add_test(t, tables_with_names);
    tcase_add_test(t, bad_tables);
    tcase_add_test(t, mutated_files);
    tcase_add_test(t, missing_files_and_directories);
    tcase_add_test(t, directions);
    return run_case(t, "points_file");
}
