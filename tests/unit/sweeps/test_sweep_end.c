// SPDX-License-Identifier: BSD-3-Clause
/* The end of a sweep: it stops when it is told to, wherever it is, keeps what it has, and computes nothing twice. */
#include "sweep_play.h"

#include "report/text.h"

static const char *const MORE =
    "seeds = [1, 2]; search = ( { name = \"a\"; type = \"grid\"; divisions = 3; }, { name = \"b\"; type = \"grid\"; "
    "divisions = 2; aggregate = \"params\"; } );";

typedef struct asked {
    long calls, last; // stops at the last; 0: never
    int ticks;
    const pr_sweep_t *sweep;
    bool indicators, tables; // phases that were seen
} asked_t;

static bool stop_at(void *self)
{
    asked_t *a = self;
    return ++a->calls >= a->last && a->last > 0;
}

static void tick(void *self)
{
    asked_t *a = self;
    pr_progress_t p;
    pr_sweep_progress(a->sweep, &p);
    a->ticks++;
    a->tables |= strcmp(p.phase, "writing tables") == 0;
    a->indicators |= strcmp(p.phase, "indicators") == 0;
    ck_assert_int_le(p.jobs_done, p.jobs_total);
}

/* Runs the whole sweep, or what is left of it, with an end that is stopped at call `last`. */
static pr_status_t run_end(const char *results, long last, asked_t *a)
{
    pr_config_t *c = play_config(results, MORE);
    play_t p = {.workers = 2};
    pr_error_t err;
    ck_assert_msg(play_open(&p, c, &err) == PR_OK, "%s", err.text);
    play_run(&p);
    *a = (asked_t){.last = last, .sweep = p.sweep};
    p.sweep->hooks = (pr_sweep_hooks_t){stop_at, tick, a};
    ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
    json_t *indicators = pr_sweep_indicators(p.sweep);
    pr_status_t end = pr_sweep_end(p.sweep, false, &err);
    ck_assert_uint_eq(json_array_size(indicators), end == PR_OK ? 2 : 0);
    json_decref(indicators);
    play_close(&p);
    pr_config_free(&c);
    return end;
}

static json_t *metric(const char *results, const char *key)
{
    char *text = play_read(results, "metrics.json");
    json_t *m = NULL;
    pr_error_t err;
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "metrics", &m, &err), PR_OK);
    json_t *v = json_incref(json_object_get(m, key));
    json_decref(m);
    free(text);
    return v;
}

static void same_metric(const char *a, const char *b, const char *key)
{
    json_t *x = metric(a, key), *y = metric(b, key);
    ck_assert_msg(x && json_equal(x, y), "%s differs in %s and %s", key, a, b);
    json_decref(x);
    json_decref(y);
}

static void state_is(const char *results, const char *expected)
{
    char path[128];
    pr_progress_t p;
    json_t *details = NULL;
    pr_error_t err;
    snprintf(path, sizeof path, "%s/%s", play_dir, results);
    ck_assert_int_eq(pr_sweep_status(path, 0, &p, &details, &err), PR_OK);
    ck_assert_str_eq(json_string_value(json_object_get(details, "state")), expected);
    json_decref(details);
}

static bool has_metrics(const char *results)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s/metrics.json", play_dir, results);
    return pr_file_exists(path);
}

START_TEST(stops_anywhere_and_goes_on)
{
    asked_t a;
    ck_assert_int_eq(run_end("whole", 0, &a), PR_OK);
    ck_assert(a.tables && a.indicators);
    ck_assert_int_eq(a.ticks, a.calls);
    ck_assert_int_gt(a.calls, 4000); // once a resample, two searches of two sets of experts
    long all = a.calls;
    const long places[] = {1, 2, 3, 10, 700, 2500, all - 3, all};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char results[32];
        snprintf(results, sizeof results, "stopped%zu", i);
        ck_assert_int_eq(run_end(results, places[i], &a), PR_ERR_INTERRUPTED);
        ck_assert(!has_metrics(results)); // all jobs are done: it is a later run's to write
        state_is(results, "interrupted");
        ck_assert_int_eq(run_end(results, 0, &a), PR_OK);
        ck_assert_int_le(a.calls, all);
        state_is(results, "finished");
        same_metric("whole", results, "all");
        same_metric("whole", results, "searches");
        same_metric("whole", results, "indicators");
        play_same("whole", results, "cells.csv");
    }
}
END_TEST

START_TEST(nothing_is_computed_twice)
{
    asked_t a;
    ck_assert_int_eq(run_end("twice", 0, &a), PR_OK);
    json_t *before = metric("twice", "indicators");
    ck_assert_int_eq(run_end("twice", 0, &a), PR_OK);
    ck_assert_int_lt(a.calls, 20);
    json_t *after = metric("twice", "indicators");
    ck_assert(json_equal(before, after));
    json_decref(after);
    // What is stopped while everything is kept leaves everything.
    ck_assert_int_eq(run_end("twice", 1, &a), PR_ERR_INTERRUPTED);
    after = metric("twice", "indicators");
    ck_assert(json_equal(before, after));
    json_decref(after);
    json_decref(before);
}
END_TEST

/* A digit that was changed is not believed, nor a file that is none. */
START_TEST(what_was_damaged_is_computed_again)
{
    asked_t a;
    ck_assert_int_eq(run_end("damaged", 0, &a), PR_OK);
    json_t *before = metric("damaged", "indicators");
    for (int i = 0; i < 3; i++) {
        char *text = play_read("damaged", "indicators.json");
        char *digit = strstr(text, "\"volume\":") + strlen("\"volume\":0.");
        *digit = *digit == '5' ? '6' : '5';
        text[i == 1 ? 100 : i == 2 ? 0 : strlen(text)] = '\0';
        play_file(play_dir, "damaged/indicators.json", text);
        free(text);
        ck_assert_int_eq(run_end("damaged", 0, &a), PR_OK);
        ck_assert_int_gt(a.calls, 4000);
        json_t *after = metric("damaged", "indicators");
        ck_assert(json_equal(before, after));
        json_decref(after);
    }
    json_decref(before);
}
END_TEST

/* Everything that an indicator says is there, and the interval holds the mean. */
START_TEST(what_metrics_say)
{
    asked_t a;
    ck_assert_int_eq(run_end("says", 0, &a), PR_OK);
    json_t *list = metric("says", "indicators"), *all = metric("says", "all");
    ck_assert_str_eq(json_string_value(json_object_get(all, "method")), "exact");
    ck_assert_double_eq(json_number_value(json_object_get(all, "error")), 0);
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_array_get(list, i), *h = json_object_get(v, "hypervolume");
        double mean = json_number_value(json_object_get(h, "mean")), low = json_number_value(json_object_get(h, "low")),
               high = json_number_value(json_object_get(h, "high"));
        ck_assert(low < mean && mean < high);
        ck_assert_int_eq(json_integer_value(json_object_get(h, "resamples")), 1000);
        ck_assert_str_eq(json_string_value(json_object_get(h, "resampled")), "exact");
        ck_assert_double_eq(json_number_value(json_object_get(v, "points")), i == 0 ? 10 : 6);
        ck_assert(json_is_number(json_object_get(v, "igd_plus")));
        ck_assert_int_eq(json_is_object(json_object_get(v, "more_than_first")), i == 1);
        json_t *over = json_pack("[s]", "prompts"); // of two seeds an interval says nothing of others
        ck_assert(json_equal(json_object_get(h, "over"), over));
        json_decref(over);
    }
    const json_t *more = json_object_get(json_array_get(list, 1), "more_than_first");
    ck_assert(json_is_number(json_object_get(more, "mean")) && json_is_null(json_object_get(more, "low")) &&
              json_is_null(json_object_get(more, "high")) && json_is_null(json_object_get(more, "over")));
    ck_assert_int_eq(json_integer_value(json_object_get(more, "seeds")), 2);
    char *table = pr_sweep_search_table(list, 200);
    ck_assert_msg(strstr(table, "hypervolume (95% over prompts)") && strstr(table, "hypervolume more than a\n") &&
                      strstr(table, "b: 2 seeds, so no interval of the difference (from 3 on)"),
                  "%s", table);
    // The first search is not more than itself: after its expected utility its row has ended.
    char utility[32], *row = strstr(table, "\na ");
    snprintf(utility, sizeof utility, "%.4f",
             json_number_value(json_object_get(json_array_get(list, 0), "expected_utility")));
    ck_assert_msg(row && (row = strstr(row, utility)) && row[strlen(utility)] == '\n', "%s", table);
    free(table);
    json_decref(list);
    json_decref(all);
}
END_TEST

/* From three seeds on, intervals are over prompts and seeds, and a difference has one; with one, nothing tells how many
 * seeds it would need. Own and joint fronts are counted. No line is wider than it may be, and no number is broken. */
START_TEST(intervals_of_seeds)
{
    static const char *const seeds[] = {"seeds = [1];", "seeds = [1, 2, 3];"};
    char results[16], more[512], both[64];
    for (int i = 0; i < 2; i++) {
        snprintf(results, sizeof results, "seeds%d", i);
        snprintf(more, sizeof more, "%s%s", seeds[i], strchr(MORE, ';') + 1);
        play_simple(results, more);
        json_t *list = metric(results, "indicators"), *b = json_array_get(list, 1),
               *d = json_object_get(b, "more_than_first"), *h = json_object_get(b, "hypervolume");
        double mean = json_number_value(json_object_get(d, "mean"));
        ck_assert_uint_eq(json_array_size(json_object_get(h, "over")), i ? 2 : 1);
        ck_assert_int_eq(json_is_number(json_object_get(d, "low")), i);
        ck_assert_int_eq(json_is_number(json_object_get(d, "deviation")), i);
        ck_assert(!i || (json_number_value(json_object_get(d, "low")) <= mean &&
                         mean <= json_number_value(json_object_get(d, "high"))));
        ck_assert_int_le(json_integer_value(json_object_get(b, "joint_front")),
                         json_integer_value(json_object_get(b, "front")));
        snprintf(both, sizeof both, "%+.4f", mean);
        for (int columns = 40; columns < 160; columns++) {
            char *table = pr_sweep_search_table(list, columns), *save = NULL;
            ck_assert_msg(strstr(table, both) != NULL, "%d: %s", columns, table);
            ck_assert(strstr(table, "joint front"));
            ck_assert_int_eq(strstr(table, "one seed does not") != NULL || strstr(table, "so no interval") != NULL, !i);
            for (char *line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                ck_assert_msg(pr_text_width(line) <= columns, "%d: %s", columns, line);
            free(table);
        }
        json_decref(list);
    }
}
END_TEST

/* A reference point that nothing is better than, and one that is this sweep's own, are said. */
START_TEST(reference_points)
{
    static const double lo[PR_MAX_OBJECTIVES] = {0, -INFINITY, 0}, hi[PR_MAX_OBJECTIVES] = {1, INFINITY, 1};
    play_simple("best", "reference = [1.0, 1.0, 1.0]; search = { type = \"grid\"; divisions = 2; };");
    json_t *list = metric("best", "indicators"), *from = metric("best", "reference_from");
    char *table = pr_sweep_search_table(list, 60);
    ck_assert_ptr_nonnull(strstr(table, "a hypervolume of 0: no point is better"));
    ck_assert_str_eq(json_string_value(json_object_get(from, "b")), "configured");
    free(table);
    json_decref(list);
    json_decref(from);
    pr_config_t *c = play_config("unbounded", "search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 1, .lo = lo, .hi = hi};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    char *text = pr_sweep_reference_text(p.sweep);
    ck_assert_ptr_nonnull(strstr(text, "the reference point of b is from this sweep's own results"));
    free(text);
    play_close(&p);
    pr_config_free(&c);
    from = metric("unbounded", "reference_from");
    ck_assert_str_eq(json_string_value(json_object_get(from, "a")), "declared");
    ck_assert_str_eq(json_string_value(json_object_get(from, "b")), "base model");
    json_decref(from);
}
END_TEST

/* The front of the points so far is there while the sweep runs, the same as at the end would be, and gone after it. */
START_TEST(front_so_far)
{
    pr_config_t *c = play_config("far", MORE);
    play_t p = {.workers = 1, .stop_after = 6 + 7 + 3}; // experts, the base model and experts alone, points
    pr_error_t err;
    pr_status_t end;
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    char *path = pr_results_path(c->results, "front-so-far.json"), *front = pr_results_path(c->results, "front.json");
    pr_sweep_show_so_far(p.sweep);
    ck_assert(!pr_file_exists(path)); // there is no point
    play_run(&p);
    p.sweep->shown = 0;
    pr_sweep_show_so_far(p.sweep);
    json_t *now = NULL;
    ck_assert_msg(pr_json_load(path, 0, &now, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_ge(json_array_size(json_object_get(now, "points")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(now, "base")), 7);
    json_decref(now);
    ck_assert(!pr_file_exists(front));
    play_close(&p); // killed
    play_t q = {.workers = 1};
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert(!pr_file_exists(path) && pr_file_exists(front));
    play_close(&q);
    free(path);
    free(front);
    pr_config_free(&c);
}
END_TEST

/* Of one prompt there is neither a standard error nor an interval. */
START_TEST(one_prompt)
{
    pr_config_t *c = play_config("one", "evaluate = { prompts = 1; }; search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    char *table = pr_sweep_front_table(p.sweep, 200, 0);
    ck_assert(strstr(table, " ± –") && !strstr(table, "± 0"));
    free(table);
    play_close(&p);
    ck_assert_int_eq(play_count("one", "cells.csv", ",,,"), 6 + 4);
    ck_assert_int_eq(play_count("one", "front.json", "\"c\": null"), play_count("one", "front.json", "\"job\""));
    ck_assert_int_eq(play_count("one", "metrics.json", "\"low\""), 0);
    char *cells = play_read("one", "cells.csv");
    play_t again = {.workers = 1}; // from the journal
    play_all(&again, c, &end, &err);
    ck_assert_int_eq(again.given, 0);
    char *after = play_read("one", "cells.csv");
    ck_assert_str_eq(cells, after);
    free(cells);
    free(after);
    play_close(&again);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep end");
    TCase *t = tcase_create("end");
    tcase_add_checked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, stops_anywhere_and_goes_on);
    tcase_add_test(t, nothing_is_computed_twice);
    tcase_add_test(t, what_was_damaged_is_computed_again);
    tcase_add_test(t, what_metrics_say);
    tcase_add_test(t, intervals_of_seeds);
    tcase_add_test(t, reference_points);
    tcase_add_test(t, front_so_far);
    tcase_add_test(t, one_prompt);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
