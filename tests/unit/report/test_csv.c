// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"
#include "report/csv.h"
#include "report/table.h"
#include "report_files.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static pr_error_t err;

/* Every field in brackets, lines ended by their number. */
static pr_status_t collect(void *self, const pr_csv_line_t *line, pr_error_t *e)
{
    pr_buf_t *b = self;
    (void)e;
    for (int i = 0; i < line->n; i++)
        pr_buf_printf(b, "[%s=%s]", line->name[i], line->field[i]);
    pr_buf_printf(b, "%s ", strrchr(line->where, ':'));
    return PR_OK;
}

static void expect(const char *text, const char *want)
{
    pr_buf_t b = {0};
    ck_assert_int_eq(pr_file_write(path, text, strlen(text), &err), PR_OK);
    ck_assert_msg(pr_csv_read(path, collect, &b, &err) == PR_OK, "%s", err.text);
    ck_assert_str_eq(b.data ? b.data : "", want);
    pr_buf_free(&b);
}

START_TEST(lines)
{
    expect("a,b\n1,2\n", "[a=1][b=2]:2 ");
    expect("a,b\r\n1,2\r\n\"x,\"\"y\",'=3\n", "[a=1][b=2]:2 [a=x,\"y][b==3]:3 ");
    expect("a\n\"two\nlines\"\n'\n", "[a=two\nlines]:3 [a=']:4 ");
}
END_TEST

START_TEST(refused)
{
    static const char *const bad[][2] = {{"", "a line of names"},
                                         {"a,b\n1\n", ":2: found 1 fields, expected 2"},
                                         {"a\n\"x\n", ":2: found a quote that does not end"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_buf_t b = {0};
        ck_assert_int_eq(pr_file_write(path, bad[i][0], strlen(bad[i][0]), &err), PR_OK);
        ck_assert_int_eq(pr_csv_read(path, collect, &b, &err), PR_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, bad[i][1]), "%s", err.text);
        pr_buf_free(&b);
    }
}
END_TEST

static pr_status_t check_numbers(void *self, const pr_csv_line_t *line, pr_error_t *e)
{
    double x;
    (void)e;
    ck_assert(pr_csv_number(line, "w_", "kind", &x) && x == 1.0 / 3);
    ck_assert(pr_csv_number(line, "", "kind", &x) && x == 0.1);
    ck_assert(!pr_csv_number(line, "se_", "kind", &x) && isnan(x)); // of one prompt
    ck_assert(!pr_csv_number(line, "", "other", &x));
    ck_assert_str_eq(pr_csv_field(line, "search"), "-odd");
    ck_assert_str_eq(pr_csv_field(line, "point"), "p0");
    ck_assert_ptr_null(pr_csv_field(line, "nothing"));
    ++*(int *)self;
    return PR_OK;
}

START_TEST(what_a_sweep_writes)
{
    const double w = 1.0 / 3, mean = 0.1, se = NAN;
    const char *name = "kind";
    const pr_table_point_t p = {"p0", "-odd", 1, 0, &w, &mean, &se, 1, 5, 0, "j0", true, false, NULL, NULL, 0, NULL};
    const pr_table_t t = {.k = 1, .objective = &name, .point = &p, .n = 1};
    int n = 0;
    ck_assert_int_eq(pr_write_cells_csv(path, &t, &err), PR_OK);
    ck_assert_msg(pr_csv_read(path, check_numbers, &n, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(n, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("csv");
    TCase *tcase = tcase_create("csv");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, lines);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, what_a_sweep_writes);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
