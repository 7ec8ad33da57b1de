// SPDX-License-Identifier: BSD-3-Clause
/* The base model and the experts alone: rows beside the searches' points, what they share with them, what is told of
 * them, and the scale that objectives without a range take from them. */
#include "unit/sweeps/sweep_play.h"

static const char grid[] = "search = { type = \"grid\"; divisions = 1; budget = 3; };";
static const char *const tables[] = {"cells.csv", "front.csv", "front.json", "samples.jsonl"};
enum { TABLES = 4 };

static json_t *read_json(const char *results, const char *name)
{
    char *text = play_read(results, name);
    json_t *v = NULL;
    pr_error_t err;
    ck_assert_msg(pr_json_parse(text, strlen(text), name, &v, &err) == PR_OK, "%s", err.text);
    free(text);
    return v;
}

static json_t *metric(const char *results, const char *key)
{
    json_t *m = read_json(results, "metrics.json"), *v = json_incref(json_object_get(m, key));
    json_decref(m);
    return v;
}

/* Runs p to its end, whose state is returned. */
static pr_status_t run(play_t *p, const char *results, const char *more)
{
    pr_config_t *c = play_config(results, more);
    pr_status_t end;
    pr_error_t err;
    play_all(p, c, &end, &err);
    play_close(p);
    pr_config_free(&c);
    return end;
}

/* ---- rows ---- */

/* An evaluation of the search's own corners is that of the experts alone: one job more than without, beside a budget
 * that is used up; and no row of them is on the front, whatever its values. */
START_TEST(rows_beside_the_points)
{
    play_t p = {.workers = 2}, q = {.workers = 2};
    char without[256];
    snprintf(without, sizeof without, "base = false; %s", grid);
    ck_assert_int_eq(run(&p, "with", grid), PR_OK);
    ck_assert_int_eq(run(&q, "without", without), PR_OK);
    ck_assert_int_eq(p.evaluates, 4);
    ck_assert_int_eq(q.evaluates, 3);
    ck_assert_int_eq(play_count("with", "cells.csv", "\nstates,"), 3);
    ck_assert_int_eq(play_count("with", "cells.csv", "\nbase,1,0,0,0,0,"), 1);
    ck_assert_int_eq(play_count("with", "cells.csv", "\nbase,1,0,1,0,0,"), 1);
    ck_assert_int_eq(play_count("with", "cells.csv", "\nbase,1,0,0,1,0,"), 1);
    ck_assert_int_eq(play_count("with", "cells.csv", "\nbase,1,0,0,0,1,"), 1);
    ck_assert_int_eq(play_count("without", "cells.csv", "\nbase,"), 0);
    play_same("with", "without", "front.csv");
    ck_assert_int_eq(play_count("with", "samples.jsonl", "\n"), 3 * (3 + 4)); // front_samples each
    ck_assert_int_eq(play_count("with", "samples.jsonl", "\"search\":\"base\""), 3 * 4);
    json_t *front = read_json("with", "front.json"), *points = json_object_get(front, "points"),
           *base = json_object_get(front, "base");
    ck_assert(json_array_size(points) == 3 && json_array_size(base) == 4);
    for (size_t i = 0; i < 3; i++) // the model is the first of them
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(base, i + 1), "job")),
                         json_string_value(json_object_get(json_array_get(points, i), "job")));
    json_decref(front);
    static const char *const same[] = {"all", "searches", "indicators", "reference_point"};
    for (size_t i = 0; i < 4; i++) {
        json_t *x = metric("with", same[i]), *y = metric("without", same[i]);
        ck_assert_msg(json_equal(x, y), "%s", same[i]);
        json_decref(x);
        json_decref(y);
    }
    json_t *b = metric("with", "base"), *none = metric("without", "base");
    ck_assert(none == NULL && json_array_size(json_object_get(b, "experts")) == 3);
    ck_assert(json_is_object(json_object_get(json_object_get(b, "model"), "mean")));
    ck_assert_uint_eq(json_array_size(json_object_get(b, "warnings")), 0);
    json_decref(b);
}
END_TEST

/* The table on a terminal has them below the points, however many of those are shown. */
START_TEST(rows_of_the_table)
{
    pr_config_t *c = play_config("table", grid);
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    char *table = pr_sweep_front_table(p.sweep, 200, 1), *more = strstr(table, "… and 2 more: paretorank front ");
    ck_assert_msg(more && strstr(table, "\n1  states ") && strstr(table, "\n1  states ") < more, "%s", table);
    ck_assert_msg(strstr(more, "\n   base ") && strstr(more, "0.000 0.000 0.000"), "%s", table);
    ck_assert_ptr_null(strstr(more, "states "));
    free(table);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* Experts of other settings are another set, and named; `single` has none, and its base model is a point of the cube. */
START_TEST(sets_of_experts)
{
    play_t p = {.workers = 2}, q = {.workers = 2}, r = {.workers = 2};
    ck_assert_int_eq(
        run(&p, "sets",
            "policies = ( { name = \"soup\"; mix = \"params\"; }, { name = \"same\"; mix = \"probs\"; }, { "
            "name = \"small\"; mix = \"params\"; train = { lora = { r = 2; }; }; } ); search = { type = "
            "\"grid\"; divisions = 2; }; seeds = [1, 2];"),
        PR_OK);
    ck_assert_int_eq(p.evaluates, 3 * 2 * 6 + 1);
    ck_assert_int_eq(play_count("sets", "cells.csv", "\nbase,1,"), 4);
    ck_assert_int_eq(play_count("sets", "cells.csv", "\nbase,2,"), 3);
    ck_assert_int_eq(play_count("sets", "cells.csv", "\nbase (small),1,"), 3);
    ck_assert_int_eq(play_count("sets", "cells.csv", "\nbase (small),2,"), 3);
    json_t *b = metric("sets", "base");
    ck_assert_uint_eq(json_array_size(json_object_get(b, "experts")), 12);
    json_decref(b);
    static const char single[] = "policies = ( { name = \"ls\"; method = \"single\"; } ); ";
    char more[256];
    snprintf(more, sizeof more, "%s%s", single, grid);
    ck_assert_int_eq(run(&q, "single", more), PR_OK);
    ck_assert_int_eq(q.evaluates, 3 + 1);
    ck_assert_int_eq(play_count("single", "cells.csv", "\nbase,"), 1);
    snprintf(more, sizeof more, "%ssearch = { type = \"grid\"; divisions = 1; domain = \"cube\"; };", single);
    ck_assert_int_eq(run(&r, "cube", more), PR_OK);
    ck_assert_int_eq(r.evaluates, 8);
}
END_TEST

/* A training that fails takes the points with it that are trainings of their own, also those that are experts alone. */
static bool fail_b(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "b-s1") == 0 ? PR_ERR_NUMERIC : PR_OK;
    return *why != PR_OK;
}

START_TEST(an_expert_that_is_a_point)
{
    play_t p = {.workers = 2, .fails = fail_b};
    ck_assert_int_eq(run(&p, "given-up",
                         "retries = 0; policies = ( { name = \"ls\"; method = \"single\"; }, { name = \"soup\"; mix = "
                         "\"params\"; } ); search = { type = \"hierarchical\"; levels = 1; select = \"front\"; };"),
                     PR_ERR_INCOMPLETE);
    ck_assert_int_eq(play_count("given-up", "cells.csv", "\nls,1,0,"), 2);
    ck_assert_int_gt(play_count("given-up", "cells.csv", "\nls,1,1,"), 0); // it went on to the second level
}
END_TEST

/* An evaluation that is no search's point says nothing to the ranks' archives. */
START_TEST(ranks_keep_the_searches_points)
{
    pr_config_t *c = play_config("archives", "search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 1};
    pr_error_t err;
    pr_next_t next;
    pr_sweep_points_t points;
    double value[PR_MAX_OBJECTIVES];
    int64_t id;
    int evaluations = 0, kept = 0;
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    while (play_take(&p, &next)) {
        const json_t *message = p.running[0];
        json_t *result = json_pack("{s:[f,f,f]}", "mean", 1.0, 2.0, 3.0);
        bool evaluates = strcmp(json_string_value(json_object_get(message, "kind")), "evaluate") == 0;
        bool model = strcmp(json_string_value(json_object_get(message, "label")), "states (0,0,0)") == 0;
        evaluations += evaluates;
        if (evaluates) {
            ck_assert_int_eq(pr_sweep_job_value(message, result, value, &id), !model);
            kept += !model;
        }
        json_decref(result);
        ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    }
    ck_assert(evaluations == 7 && kept == 6);
    pr_sweep_points(p.sweep, false, &points);
    ck_assert_uint_eq(points.n, 6);
    pr_sweep_points_clear(&points);
    pr_sweep_points(p.sweep, true, &points);
    ck_assert_uint_eq(points.n, 0);
    pr_sweep_points_clear(&points);
    play_close(&p);
    pr_config_free(&c);
    // Experts that are no points of a search are in no archive either.
    c = play_config("later", "search = { type = \"list\"; file = \"later.txt\"; };");
    play_file(play_dir, "later.txt", "1 1 1\n");
    play_t q = {.workers = 1};
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    play_run(&q);
    ck_assert_int_eq(q.evaluates, 5);
    pr_sweep_points(q.sweep, false, &points);
    ck_assert_uint_eq(points.n, 1);
    pr_sweep_points_clear(&points);
    play_close(&q);
    pr_config_free(&c);
}
END_TEST

/* Results of a version, or a configuration, without these rows get them. */
START_TEST(older_results)
{
    play_t p = {.workers = 2}, q = {.workers = 2}, r = {.workers = 2}, whole = {.workers = 2};
    char without[256];
    snprintf(without, sizeof without, "base = false; %s", grid);
    ck_assert_int_eq(run(&p, "older", without), PR_OK);
    ck_assert_int_eq(run(&q, "older", grid), PR_OK);
    ck_assert(q.trains == 0 && q.evaluates == 1);
    ck_assert_int_eq(run(&whole, "newer", grid), PR_OK);
    for (int i = 0; i < TABLES; i++)
        play_same("older", "newer", tables[i]);
    ck_assert_int_eq(run(&r, "older", grid), PR_OK);
    ck_assert_int_eq(r.given, 0);
}
END_TEST

/* ---- warnings ---- */

static json_t *warnings_of(const char *results)
{
    json_t *b = metric(results, "base"), *w = json_incref(json_object_get(b, "warnings"));
    json_decref(b);
    return w;
}

static void expect_warning(const json_t *warnings, size_t i, const char *text)
{
    const char *found = json_string_value(json_array_get(warnings, i));
    ck_assert_msg(found && strcmp(found, text) == 0, "warning %zu: found \"%s\", expected \"%s\"", i,
                  found ? found : "none", text);
}

/* Noise that is a prompt's, and so no part of paired differences; the base model is best in everything, and the expert
 * of b is better in c than that of c. */
static double all_in_vain(const double *w, int k_n, int k, int prompt)
{
    double noise = 0.01 * (prompt % 4), sum = 0;
    for (int i = 0; i < k_n; i++)
        sum += w[i];
    return noise + (sum == 0 ? 0.875 : k == 2 ? 0.25 * w[1] + 0.125 : 0.5 * w[k] + 0.001 * (prompt % 2));
}

START_TEST(what_is_warned_of)
{
    play_t p = {.workers = 2, .score = all_in_vain};
    pr_progress_t at;
    pr_error_t err;
    json_t *details;
    ck_assert_int_eq(run(&p, "vain", grid), PR_OK);
    json_t *w = warnings_of("vain");
    ck_assert_uint_eq(json_array_size(w), 5);
    expect_warning(
        w, 0,
        "the base model is on the front: a 0.89 ± 0.0034, b 0.89 ± 0.0034, c 0.89 ± 0.0034; of the front's 2 "
        "points none is better in an objective without being worse in another");
    expect_warning(w, 1,
                   "the expert of a (seed 1) is worse in its own objective than the base model: 0.5155 against 0.89, "
                   "worse by 0.3745 ± 0.00015");
    expect_warning(w, 2,
                   "the expert of b (seed 1) is worse in its own objective than the base model: 0.5155 against 0.89, "
                   "worse by 0.3745 ± 0.00015");
    expect_warning(
        w, 3,
        "the expert of c (seed 1) is worse in its own objective than the base model: 0.14 against 0.89, worse "
        "by 0.75 ± 0");
    expect_warning(w, 4,
                   "the expert of c (seed 1) is worse in its own objective than the expert of b: 0.14 against 0.39, "
                   "worse by 0.25 ± 0");
    char path[128];
    snprintf(path, sizeof path, "%s/vain", play_dir);
    ck_assert_int_eq(pr_sweep_status(path, 0, &at, &details, &err), PR_OK);
    ck_assert(json_equal(json_object_get(details, "warnings"), w));
    json_decref(details);
    json_decref(w);
    // The front is the searches' all the same.
    ck_assert_int_eq(play_count("vain", "front.csv", "\n"), 1 + 2);
    ck_assert_int_eq(play_count("vain", "front.csv", "base"), 0);
    // Without the prompts' scores what was found stays.
    shell("rm -r %s/vain/evaluations", play_dir);
    play_t q = {.workers = 2, .score = all_in_vain};
    json_t *before = metric("vain", "base");
    ck_assert_int_eq(run(&q, "vain", grid), PR_OK);
    json_t *after = metric("vain", "base");
    ck_assert(q.given == 0 && json_equal(before, after));
    json_decref(before);
    json_decref(after);
}
END_TEST

/* A difference within its own error is none; one objective is to be minimised. */
static double as_good(const double *w, int k_n, int k, int prompt)
{
    double sum = 0;
    for (int i = 0; i < k_n; i++)
        sum += w[i];
    if (sum == 0)
        return 0.5;
    return 0.5 + (k == 1 ? -0.25 : 0.25) * w[k] - (prompt % 2 ? 0.02 : -0.021) * w[(k + 1) % k_n];
}

START_TEST(what_is_not)
{
    play_t p = {.workers = 2, .score = as_good};
    ck_assert_int_eq(run(&p, "good",
                         "objectives = ( { name = \"a\"; type = \"brevity\"; }, { name = \"b\"; type = \"reflection\"; "
                         "minimize = true; }, { name = \"c\"; type = \"distinct\"; } ); search = { type = \"grid\"; "
                         "divisions = 1; };"),
                     PR_OK);
    json_t *w = warnings_of("good");
    ck_assert_msg(json_array_size(w) == 0, "%s", json_string_value(json_array_get(w, 0)));
    json_decref(w);
}
END_TEST

/* ---- the scale ---- */

static const double wide_lo[] = {0, -INFINITY, 0}, wide_hi[] = {1, INFINITY, INFINITY};
static const char deep[] = "search = { type = \"hierarchical\"; levels = 3; select = \"front\"; beam = 2; };";

/* A search waits for what it is measured by, and takes the same decisions whenever that comes. */
START_TEST(a_scale_that_comes_late)
{
    pr_config_t *c = play_config("late", deep);
    play_t first = {.workers = 1, .lo = wide_lo, .hi = wide_hi}, p = {.workers = 8, .lo = wide_lo, .hi = wide_hi};
    pr_error_t err;
    pr_next_t next;
    ck_assert_int_eq(run(&first, "scaled", deep), PR_OK);
    ck_assert_int_gt(first.evaluates, 10);
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert(play_take(&p, &next));
    ck_assert(play_take(&p, &next)); // the base model, which ends last
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert(play_take(&p, &next));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(play_end_job(&p, 1, &err), PR_OK);
    ck_assert(!play_take(&p, &next) && next == PR_NEXT_WAIT && p.evaluates == 3);
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    play_run(&p);
    ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    play_close(&p);
    pr_config_free(&c);
    for (int i = 0; i < TABLES; i++)
        play_same("scaled", "late", tables[i]);
    // Utilities are of values on a scale; what the first search is measured from is the base model's.
    json_t *list = metric("scaled", "indicators"), *reference = metric("scaled", "reference_point");
    ck_assert_double_eq(json_number_value(json_object_get(reference, "a")), 0);
    ck_assert_double_eq(json_number_value(json_object_get(reference, "c")), 0);
    ck_assert_double_gt(json_number_value(json_object_get(reference, "b")), 0);
    ck_assert_double_lt(json_number_value(json_object_get(reference, "b")), 0.1);
    json_decref(list);
    json_decref(reference);
}
END_TEST

/* Killed anywhere, the sweep goes on to the same; and a finished one needs no scores of the base model's prompts. */
START_TEST(a_scale_is_kept)
{
    play_t whole = {.workers = 1, .lo = wide_lo, .hi = wide_hi};
    ck_assert_int_eq(run(&whole, "kept", deep), PR_OK);
    char *journal = play_read("kept", "journal.jsonl"), path[128];
    pr_error_t err;
    shell("cp -r %s/kept %s/cut", play_dir, play_dir);
    snprintf(path, sizeof path, "%s/cut/journal.jsonl", play_dir);
    for (char *at = strchr(journal, '\n') + 1; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        play_t p = {.workers = 3, .shuffle = 1, .lo = wide_lo, .hi = wide_hi};
        ck_assert_int_eq(pr_file_write(path, journal, (size_t)(at - journal), &err), PR_OK);
        ck_assert_int_eq(run(&p, "cut", deep), PR_OK);
        for (int i = 0; i < TABLES; i++)
            play_same("kept", "cut", tables[i]);
    }
    free(journal);
    shell("rm -r %s/kept/evaluations", play_dir);
    play_t again = {.workers = 1, .lo = wide_lo, .hi = wide_hi};
    ck_assert_int_eq(run(&again, "kept", deep), PR_OK);
    ck_assert_int_eq(again.given, 0);
    for (int i = 0; i < TABLES; i++)
        play_same("kept", "cut", tables[i]);
}
END_TEST

static bool fail_model(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "states (0,0,0)") == 0 ? PR_ERR_SCORER : PR_OK;
    return *why != PR_OK;
}

/* A base model that cannot be evaluated holds nothing up. */
START_TEST(no_base_model)
{
    play_t p = {.workers = 2, .fails = fail_model, .lo = wide_lo, .hi = wide_hi};
    ck_assert_int_eq(run(&p, "no-model", deep), PR_ERR_INCOMPLETE);
    ck_assert_int_gt(p.evaluates, 10);
    ck_assert_int_eq(play_count("no-model", "cells.csv", "\nbase,"), 3);
    json_t *b = metric("no-model", "base");
    ck_assert(json_is_null(json_object_get(b, "model")));
    json_decref(b);
}
END_TEST

/* With fidelities the rows are of all prompts, in the ranges that the search has. */
START_TEST(ranges_of_prompts)
{
    play_t p = {.workers = 2, .lo = wide_lo, .hi = wide_hi};
    ck_assert_int_eq(run(&p, "ranges", "search = { type = \"grid\"; divisions = 1; fidelity = [3, 7]; };"), PR_OK);
    ck_assert_int_eq(p.evaluates, 3 * 4); // prompts 1 to 3, 4 to 7, the rest: of the base model and three experts
    ck_assert_int_eq(play_count("ranges", "cells.csv", ",12,84,"), 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base rows");
    TCase *t = tcase_create("base");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, rows_beside_the_points);
    tcase_add_test(t, rows_of_the_table);
    tcase_add_test(t, sets_of_experts);
    tcase_add_test(t, an_expert_that_is_a_point);
    tcase_add_test(t, ranks_keep_the_searches_points);
    tcase_add_test(t, older_results);
    tcase_add_test(t, what_is_warned_of);
    tcase_add_test(t, what_is_not);
    tcase_add_test(t, a_scale_that_comes_late);
    tcase_add_test(t, a_scale_is_kept);
    tcase_add_test(t, no_base_model);
    tcase_add_test(t, ranges_of_prompts);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
