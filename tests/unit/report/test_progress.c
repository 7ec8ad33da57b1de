// SPDX-License-Identifier: BSD-3-Clause
#include "report/progress.h"
#include "report/text.h"

#include "report_files.h"

#include <math.h>

static const pr_progress_t full = {.phase = "fine-tuning",
                                   .jobs_done = 2,
                                   .jobs_total = 3,
                                   .step = 31,
                                   .step_total = 40,
                                   .running = 1,
                                   .workers = 4,
                                   .failed = 1,
                                   .job = {{"reflection", 31, 40, 0.8714, 0.03}},
                                   .n_jobs = 1,
                                   .reward = 0.8714,
                                   .tokens_per_second = 5234,
                                   .seconds_elapsed = 65,
                                   .seconds_left = 12,
                                   .seconds_left_least = 12,
                                   .last_event_age = 0.4};

/* Columns of a line in which no character is wider than one. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

START_TEST(the_line)
{
    char out[512];
    int used = pr_progress_line(&full, 120, out, sizeof out);
    ck_assert_str_eq(out,
                     "fine-tuning 2/3  reflection 31/40 r=0.87 kl=0.03  1 running  5.2k tok/s  12s left  1 failed");
    ck_assert_int_eq(used, columns_of(out));
    pr_progress_t unknown = PR_PROGRESS_UNKNOWN;
    unknown.phase = "starting";
    pr_progress_line(&unknown, 120, out, sizeof out);
    ck_assert_str_eq(out, "starting");
}
END_TEST

/* Every expert by its name, with numbers of its own: there is no mean over different objectives. */
START_TEST(a_line_of_several)
{
    char out[512];
    pr_progress_t p = full;
    p.n_jobs = 3;
    p.failed = 0;
    p.running = 3;
    p.job[1] = (pr_progress_job_t){"empathy", 4, 40, -0.26, NAN};
    p.job[2] = (pr_progress_job_t){"brevity", 1, 40, NAN, NAN};
    p.evaluated = 4;
    p.jobs_most = 54;
    p.seconds_left_least = 190;
    p.seconds_left = 600;
    p.reward = NAN;
    pr_progress_line(&p, 160, out, sizeof out);
    ck_assert_str_eq(
        out, "fine-tuning 2/3  reflection 31/40 r=0.87 kl=0.03  · empathy 4/40 r=-0.26  · brevity 1/40  points 4/54  "
             "3 running  5.2k tok/s  3m 10s to 10m 00s left");
    pr_progress_line(&p, 80, out, sizeof out); // the last named go first
    ck_assert_str_eq(out, "fine-tuning 2/3  reflection 31/40 r=0.87 kl=0.03  3m 10s to 10m 00s left");
    p.n_jobs = 40; // more than there is room for
    for (int i = 0; i < PR_PROGRESS_JOBS; i++)
        p.job[i] = (pr_progress_job_t){"x", 1, 2, NAN, NAN};
    pr_progress_line(&p, 200, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "· x 1/2  · 34 more  points 4/54"));
    p.evaluates = true;
    p.phase = "evaluating";
    p.jobs_done = 4;
    p.jobs_total = 9; // asked for so far
    p.n_jobs = 0;
    pr_progress_line(&p, 200, out, sizeof out);
    ck_assert_str_eq(out, "evaluating 4/54  3 running  5.2k tok/s  3m 10s to 10m 00s left");
}
END_TEST

START_TEST(the_least_important_parts_go_first)
{
    char out[512];
    pr_progress_line(&full, 84, out, sizeof out);
    ck_assert_str_eq(out, "fine-tuning 2/3  reflection 31/40 r=0.87 kl=0.03  5.2k tok/s  12s left  1 failed");
    pr_progress_line(&full, 72, out, sizeof out);
    ck_assert_str_eq(out, "fine-tuning 2/3  reflection 31/40 r=0.87 kl=0.03  12s left  1 failed");
    pr_progress_line(&full, 27, out, sizeof out);
    ck_assert_str_eq(out, "fine-tuning 2/3  1 failed");
    pr_progress_line(&full, 10, out, sizeof out);
    ck_assert_str_eq(out, "fine-tuni\xE2\x80\xA6");
}
END_TEST

START_TEST(no_width_is_exceeded)
{
    char out[512];
    pr_progress_t p = full;
    p.phase = "\x1b[2J\nphase \xff of \xC3\xA9";
    for (int columns = 0; columns < 130; columns++) {
        int used = pr_progress_line(&p, columns, out, sizeof out);
        ck_assert_int_le(used, columns);
        ck_assert_int_eq(used, columns_of(out));
        ck_assert(valid_utf8(out, strlen(out)));
        ck_assert_ptr_null(strpbrk(out, "\x1b\n\r"));
    }
    for (size_t size = 1; size < 100; size++) {
        memset(out, 'x', sizeof out);
        pr_progress_line(&p, 120, out, size);
        ck_assert_uint_lt(strnlen(out, sizeof out), size);
        ck_assert(valid_utf8(out, strlen(out)));
        ck_assert_int_eq(out[size], 'x');
    }
}
END_TEST

START_TEST(rates)
{
    static const struct {
        double rate;
        const char *text;
    } cases[] = {{0, "0.0"},     {9.94, "9.9"}, {9.96, "10"},     {873.2, "873"},   {999.6, "1.0k"},
                 {5234, "5.2k"}, {9960, "10k"}, {123456, "123k"}, {999600, "1.0M"}, {1.26e6, "1.3M"},
                 {NAN, "?"},     {-1, "?"},     {INFINITY, "?"}};
    char out[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_progress_rate(cases[i].rate, out, sizeof out);
        ck_assert_str_eq(out, cases[i].text);
    }
}
END_TEST

START_TEST(the_text)
{
    char *text = pr_progress_text(&full);
    ck_assert_str_eq(text, "phase       fine-tuning\n"
                           "jobs        2/3 done, 1 running, 1 failed\n"
                           "training    reflection 31/40 r=0.87 kl=0.03\n"
                           "workers     4\n"
                           "speed       5.2k tok/s\n"
                           "elapsed     1m 05s\n"
                           "left        12s\n"
                           "last event  0s ago\n");
    free(text);
    pr_progress_t ended = full; // the state says that it has, and nothing runs
    ended.phase = "ended";
    text = pr_progress_text(&ended);
    ck_assert_ptr_null(strstr(text, "phase"));
    ck_assert_ptr_null(strstr(text, "running"));
    ck_assert_ptr_null(strstr(text, "tok/s"));
    ck_assert_ptr_nonnull(strstr(text, "\ntook        1m 05s\n"));
    free(text);
}
END_TEST

START_TEST(the_json)
{
    json_t *value = pr_progress_json(&full);
    ck_assert_uint_eq(json_object_size(value), 17);
    ck_assert_str_eq(json_string_value(json_object_get(value, "phase")), "fine-tuning");
    ck_assert_int_eq(json_integer_value(json_object_get(value, "jobs_total")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(value, "failed")), 1);
    ck_assert_double_eq(json_real_value(json_object_get(value, "reward")), 0.8714);
    ck_assert_double_eq(json_real_value(json_object_get(value, "last_event_age")), 0.4);
    json_decref(value);
    pr_progress_t unknown = PR_PROGRESS_UNKNOWN;
    unknown.phase = "\xff";
    unknown.jobs_total = -1;
    value = pr_progress_json(&unknown);
    ck_assert_str_eq(json_string_value(json_object_get(value, "phase")), "\xEF\xBF\xBD");
    ck_assert(json_is_null(json_object_get(value, "reward")));
    ck_assert(json_is_null(json_object_get(value, "seconds_left")));
    ck_assert(json_is_null(json_object_get(value, "jobs_total")));
    json_decref(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *tcase = tcase_create("progress");
    tcase_add_test(tcase, the_line);
    tcase_add_test(tcase, a_line_of_several);
    tcase_add_test(tcase, the_least_important_parts_go_first);
    tcase_add_test(tcase, no_width_is_exceeded);
    tcase_add_test(tcase, rates);
    tcase_add_test(tcase, the_text);
    tcase_add_test(tcase, the_json);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
