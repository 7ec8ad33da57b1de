// SPDX-License-Identifier: BSD-3-Clause
/* A sweep over several starts: what other shells are told of it, what it cost, what of a finished one stays; and its
 * tables. */
#include "unit/sweeps/sweep_play.h"

static const char edges[] =
    "search = { type = \"hierarchical\"; domain = \"simplex\"; levels = 1; select = \"all\"; };";

/* ---- for other shells ---- */

static json_t *status_of(const char *results, pr_progress_t *p)
{
    char path[128];
    json_t *details = NULL;
    pr_error_t err;
    snprintf(path, sizeof path, "%s/%s", play_dir, results);
    ck_assert_msg(pr_sweep_status(path, 2e9, p, &details, &err) == PR_OK, "%s", err.text);
    return details;
}

static void check_state(const char *results, const char *state, pr_progress_t *p)
{
    json_t *d = status_of(results, p);
    ck_assert_str_eq(json_string_value(json_object_get(d, "state")), state);
    ck_assert_str_eq(json_string_value(json_object_get(d, "name")), "play");
    json_decref(d);
}

START_TEST(status_follows)
{
    pr_config_t *c = play_config("status", "retries = 0; search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 3};
    pr_error_t err;
    pr_next_t next;
    pr_progress_t at;
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert(play_take(&p, &next));
    check_state("status", "running", &at);
    ck_assert_str_eq(at.phase, "fine-tuning");
    ck_assert(at.jobs_done == 0 && at.jobs_total == 3 && at.running == 3 && at.workers == 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    ck_assert(play_take(&p, &next) && play_take(&p, &next));
    check_state("status", "running", &at);
    ck_assert_str_eq(at.phase, "evaluating");
    ck_assert(at.jobs_done == 0 && at.jobs_total == 7 && at.running == 2);
    p.fails = fail_point;
    play_run(&p);
    check_state("status", "running", &at);
    ck_assert(at.jobs_done == 6 && at.jobs_total == 7 && at.running == 0 && at.failed == 1);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_ERR_INCOMPLETE);
    json_t *d = status_of("status", &at);
    ck_assert_str_eq(json_string_value(json_object_get(d, "state")), "incomplete");
    ck_assert_uint_eq(json_array_size(json_object_get(d, "failures")), 1);
    json_decref(d);
    play_close(&p);
    play_t q = {.workers = 1, .stop_after = 0};
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    check_state("status", "running", &at);
    ck_assert(at.jobs_done == 6 && at.jobs_total == 7 && at.failed == 0);
    play_close(&q); // without an end, as when it is killed
    check_state("status", "stopped", &at);
    ck_assert_int_eq(at.running, 0);
    pr_config_free(&c);
}
END_TEST

/* ---- what it cost ---- */

/* The columns rank, host, seconds, tokens, attempts, status of the row of costs.csv with that kind and label. */
static void check_cost(const char *results, const char *row, const char *expected)
{
    char *text = play_read(results, "costs.csv"), *at = strstr(text, row);
    ck_assert_msg(at != NULL, "no %s in %s", row, text);
    at += strlen(row);
    at[strcspn(at, "\n")] = 0;
    ck_assert_str_eq(at, expected);
    free(text);
}

/* The time left is of all phases and known from the first step on, as a range while evaluations are guessed. */
START_TEST(time_left)
{
    pr_config_t *c = play_config("left", "search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 1};
    pr_error_t err;
    pr_next_t next;
    pr_progress_t at;
    pr_who_t who = {1, "node1"};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    char *text = pr_sweep_started_text(p.sweep, 1, 1, 1, 1), *teams = pr_sweep_started_text(p.sweep, 5, 2, 2, 1);
    ck_assert_str_eq(text, "started: 3 experts to train, at most 6 points; 1 rank");
    ck_assert_str_eq(
        teams, "started: 3 experts to train, at most 6 points; 5 ranks: 1 schedules, the others as 2 teams of 2 x 1");
    free(text);
    free(teams);
    ck_assert(play_take(&p, &next));
    check_state("left", "running", &at);
    ck_assert(isnan(at.seconds_left) && isnan(at.seconds_left_least) && at.n_jobs == 0);
    json_t *step = json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f}", "job", play_id(p.running[0]), "step", 1, "steps", 4,
                             "tokens", 100, "seconds", 2.0, "climbed", 0.5, "kl", 0.25);
    ck_assert_int_eq(pr_sweep_event(p.sweep, &who, "step", step, &err), PR_OK);
    json_decref(step);
    check_state("left", "running", &at);
    // 3 steps and two trainings of 4; 7 evaluations of 480 tokens at most, at 50 tokens/s or 16 times that.
    ck_assert_double_eq_tol(at.seconds_left, 22 + 7 * 9.6, 1e-9);
    ck_assert_double_eq_tol(at.seconds_left_least, 22 + 7 * 9.6 / 16, 1e-9);
    ck_assert(at.n_jobs == 1 && at.jobs_most == 7 && strcmp(at.job[0].name, "a") == 0);
    ck_assert(at.job[0].step == 1 && at.job[0].steps == 4 && at.job[0].reward == 0.5 && at.job[0].kl == 0.25);
    play_run(&p);
    check_state("left", "running", &at);
    ck_assert_double_eq(at.seconds_left, 0);
    text = pr_sweep_started_text(p.sweep, 3, 2, 1, 1);
    ck_assert_str_eq(text, "started: nothing is left to do; 3 ranks: 1 schedules, 2 work");
    free(text);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

static bool fail_first(const json_t *spec, int attempt, pr_status_t *why)
{
    *why =
        attempt == 1 && strcmp(json_string_value(json_object_get(spec, "label")), "a-s1") == 0 ? PR_ERR_NUMERIC : PR_OK;
    return *why != PR_OK;
}

static void tell_step(play_t *p, const char *id, int step, int tokens)
{
    pr_error_t err;
    pr_who_t who = {1, "node1"};
    json_t *e = json_pack("{s:s, s:i, s:i, s:i, s:i, s:[i,i,i]}", "job", id, "objective", 1, "step", step, "steps", 4,
                          "tokens", tokens, "reward", 0, 0, 0);
    ck_assert_int_eq(pr_sweep_event(p->sweep, &who, "step", e, &err), PR_OK);
    json_decref(e);
}

/* Seconds, tokens, attempts, rank and host of all attempts of all runs, as a sweep that was stopped and killed has
 * them; the play's jobs take 0.5 s and 100 tokens, its failures 0.125 s and 3 tokens. */
START_TEST(costs_over_interruptions)
{
    static const char one[] = "retries = 1; search = { type = \"grid\"; divisions = 1; };";
    pr_config_t *c = play_config("costs", one);
    pr_error_t err;
    pr_next_t next;
    pr_status_t end;
    play_t p = {.workers = 1, .fails = fail_first}, q = {.workers = 1}, r = {.workers = 1}, again = {.workers = 1};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK); // a fails, with 3 tokens
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK); // a again
    ck_assert(play_take(&p, &next));                    // b: killed after its second step
    char b[PR_HASH_HEX];
    snprintf(b, sizeof b, "%s", json_string_value(json_object_get(p.running[0], "id")));
    tell_step(&p, b, 1, 11);
    tell_step(&p, b, 2, 22);
    play_close(&p); // no end
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    ck_assert(play_take(&q, &next)); // b goes on at its first step, from a checkpoint
    tell_step(&q, b, 2, 23);
    tell_step(&q, b, 3, 33);
    pr_who_t who = {7, "node7"};
    json_t *cost = json_pack("{s:o}", "seconds", pr_json_real(2.5));
    ck_assert_int_eq(pr_sweep_finished(q.sweep, b, &who, PR_ERR_INTERRUPTED, "stopped", cost, &err), PR_OK);
    json_decref(cost);
    ck_assert_int_eq(pr_sweep_write(q.sweep, NULL, 0, &err), PR_OK);
    check_cost("costs", "train,a-s1,", "1,node1,0.625,103,2,ok");
    check_cost("costs", "train,c-s1,", ",,,0,0,waiting");
    ck_assert_int_eq(pr_sweep_end(q.sweep, true, &err), PR_ERR_INTERRUPTED);
    json_decref(q.running[0]);
    q.n_running = 0;
    play_close(&q);
    play_all(&r, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    play_close(&r);
    // Killed (next to nothing by the clock), stopped after 2.5 s, done in 0.5 s; step 2 was done twice: 22 for nothing.
    char *text = play_read("costs", "costs.csv"), *row = strstr(text, "train,b-s1,");
    int rank, tokens, attempts;
    char host[32], state[8];
    double seconds;
    ck_assert_int_eq(
        sscanf(row, "train,b-s1,%d,%31[^,],%lf,%d,%d,%7s", &rank, host, &seconds, &tokens, &attempts, state), 6);
    ck_assert(rank == 1 && strcmp(host, "node1") == 0 && tokens == 122 && attempts == 3 && strcmp(state, "ok") == 0);
    ck_assert_msg(seconds >= 3 && seconds < 3.5, "%g", seconds);
    free(text);
    check_cost("costs", "train,a-s1,", "1,node1,0.625,103,2,ok");
    check_cost("costs", "evaluate,\"states/0,0,1\",", "1,node1,0.25,84,1,ok");
    // And the same in a run that has nothing to do.
    char *before = play_read("costs", "costs.csv");
    play_all(&again, c, &end, &err);
    ck_assert(end == PR_OK && again.ended == 0);
    play_close(&again);
    char *after = play_read("costs", "costs.csv"), *metrics = play_read("costs", "metrics.json");
    ck_assert_str_eq(before, after);
    json_t *m = NULL;
    ck_assert_int_eq(pr_json_parse(metrics, strlen(metrics), "metrics", &m, &err), PR_OK);
    const json_t *costs = json_object_get(m, "costs");
    ck_assert_int_eq(json_integer_value(json_object_get(costs, "train_tokens")), 103 + 122 + 100);
    ck_assert_int_eq(json_integer_value(json_object_get(costs, "evaluate_tokens")), 4 * 84);
    double tuned = json_number_value(json_object_get(costs, "train_seconds"));
    ck_assert_msg(tuned >= 4.125 && tuned < 4.625, "%g", tuned);
    ck_assert_double_eq(json_number_value(json_object_get(costs, "evaluate_seconds")), 1);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(m, "hosts"), 0)), "node1");
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(m, "hosts"), 1)), "node7");
    json_decref(m);
    free(metrics);
    free(before);
    free(after);
    pr_config_free(&c);
}
END_TEST

/* ---- what was finished stays ---- */

static const char *const tables[] = {"cells.csv", "front.csv", "front.json", "samples.jsonl"};

/* Runs a sweep once more; it ends well, with the same tables; returns how many jobs that took. */
static int once_more(const char *results, const char *reference, const char *more)
{
    pr_config_t *c = play_config(results, more);
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    int did = p.ended;
    play_close(&p);
    pr_config_free(&c);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        play_same(reference, results, tables[i]);
    return did;
}

/* Without its records a finished sweep keeps its samples; where those are damaged too, the points of the front, the base
 * model and the experts, and no others, are evaluated again. */
START_TEST(lost_records_of_a_finished_sweep)
{
    static const char grid[] = "search = { type = \"grid\"; divisions = 3; };";
    play_simple("stays-whole", grid);
    shell("cd %s && cp -r stays-whole stays && rm -r stays/evaluations", play_dir);
    int on_front = play_count("stays-whole", "front.csv", "\n") - 1;
    ck_assert_int_gt(on_front, 3);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 0);
    shell("echo x >> %s/stays/samples.jsonl", play_dir);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), on_front + 1); // the experts are on the front
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 0);
    // One that is damaged, and one that is another job's.
    shell("cd %s/stays && rm samples.jsonl && cd evaluations && set -- *.seg && cp $1 $2 && printf x | "
          "dd of=$3 bs=1 seek=60 conv=notrunc status=none",
          play_dir);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 2);
    // More samples than were kept are had from the points again.
    shell("rm %s/stays/evaluations/*", play_dir);
    pr_config_t *c = play_config("stays", "front_samples = 4; search = { type = \"grid\"; divisions = 3; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.evaluates, on_front + 1);
    ck_assert_int_eq(play_count("stays", "samples.jsonl", "\n"), 4 * (on_front + 4));
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

static bool fail_evaluations(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "kind")), "evaluate") == 0 ? PR_ERR_SCORER : PR_OK;
    return *why != PR_OK;
}

/* A point that cannot be evaluated again keeps its result, and a run that is stopped leaves the tables as they were. */
START_TEST(nothing_is_replaced_by_less)
{
    static const char grid[] = "retries = 0; search = { type = \"grid\"; divisions = 2; };",
                      race[] = "retries = 0; search = { type = \"grid\"; divisions = 2; fidelity = [3, 12]; };";
    pr_error_t err;
    pr_status_t end;
    play_simple("less-whole", grid);
    shell("cd %s && cp -r less-whole less && rm -r less/evaluations less/samples.jsonl", play_dir);
    pr_config_t *c = play_config("less", grid);
    play_t p = {.workers = 2, .fails = fail_evaluations};
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    for (size_t i = 0; i < 3; i++)
        play_same("less-whole", "less", tables[i]);
    play_close(&p);
    pr_config_free(&c);
    ck_assert_int_gt(once_more("less", "less-whole", grid), 0);
    // With fidelity, lost records take points back before the end: a run that is stopped then leaves the tables.
    play_simple("race-whole", race);
    shell("cd %s && cp -r race-whole race && rm -r race/evaluations", play_dir);
    c = play_config("race", race);
    play_t q = {.workers = 2, .stop_after = 2};
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    play_run(&q);
    ck_assert_int_eq(pr_sweep_write(q.sweep, NULL, 0, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_end(q.sweep, true, &err), PR_ERR_INTERRUPTED);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        play_same("race-whole", "race", tables[i]);
    play_close(&q);
    pr_config_free(&c);
    ck_assert_int_gt(once_more("race", "race-whole", race), 0);
}
END_TEST

/* The journal knows what a table is: a digit that changed is found, and the next run writes it again. */
START_TEST(changed_tables_are_found)
{
    static const char grid[] = "search = { type = \"grid\"; divisions = 2; };";
    char path[128];
    bool known;
    pr_error_t err;
    play_simple("digit-whole", grid);
    shell("cp -r %s/digit-whole %s/digit", play_dir, play_dir);
    snprintf(path, sizeof path, "%s/digit", play_dir);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        ck_assert_int_eq(pr_sweep_check_table(path, tables[i], &known, &err), PR_OK);
        ck_assert(known);
        shell("sed -i '0,/0/s/0/1/' %s/%s", path, tables[i]);
        ck_assert_int_eq(pr_sweep_check_table(path, tables[i], &known, &err), PR_ERR_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "not what the sweep wrote"));
    }
    ck_assert_int_eq(once_more("digit", "digit-whole", grid), 0);
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        ck_assert_int_eq(pr_sweep_check_table(path, tables[i], &known, &err), PR_OK);
    shell(": > %s/journal.jsonl", path);
    ck_assert_int_eq(pr_sweep_check_table(path, "cells.csv", &known, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "journal.jsonl: empty"));
}
END_TEST

/* ---- other shells, after interruptions ---- */

/* A search that asks in steps: its line of points counts the job that ended just before it, and no more. */
START_TEST(status_counts_what_there_is)
{
    pr_config_t *c = play_config("counts", "search = { type = \"hierarchical\"; levels = 2; select = \"all\"; };");
    pr_progress_t at;
    pr_error_t err;
    pr_next_t next;
    play_t p = {.workers = 3}, q = {.workers = 1};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    while (play_take(&p, &next) || p.n_running > 0)
        if (p.n_running > 0) {
            ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
            json_t *d = status_of("counts", &at);
            ck_assert_msg(at.jobs_done <= at.jobs_total, "%ld of %ld", at.jobs_done, at.jobs_total);
            ck_assert_int_eq(at.jobs_done, strcmp(at.phase, "evaluating") == 0 ? p.evaluates : p.trains);
            json_decref(d);
        }
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    play_close(&p);
    json_t *d = status_of("counts", &at);
    ck_assert(at.jobs_done == at.jobs_total && at.jobs_done == p.evaluates + 3);
    ck_assert_ptr_null(json_object_get(d, "killed"));
    ck_assert(isfinite(at.tokens_per_second) && at.tokens_per_second > 0);
    json_decref(d);
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    ck_assert(!play_take(&q, &next));
    ck_assert_int_eq(pr_sweep_end(q.sweep, false, &err), PR_OK);
    play_close(&q);
    d = status_of("counts", &at);
    ck_assert(at.jobs_done == at.jobs_total && at.jobs_done == p.evaluates + 3);
    ck_assert(isnan(at.tokens_per_second)); // it did nothing
    ck_assert_int_eq(json_integer_value(json_object_get(d, "starts")), 2);
    json_decref(d);
    pr_config_free(&c);
}
END_TEST

/* Of a run that was killed the jobs without an end are named, with where they ran. */
START_TEST(a_killed_run_is_told)
{
    pr_config_t *c = play_config("killed", edges);
    pr_progress_t at;
    pr_error_t err;
    pr_next_t next;
    play_t p = {.workers = 2};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    ck_assert(play_take(&p, &next) && play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    play_close(&p);
    json_t *d = status_of("killed", &at), *killed = json_object_get(d, "killed");
    ck_assert_str_eq(json_string_value(json_object_get(d, "state")), "stopped");
    ck_assert_double_gt(json_number_value(json_object_get(killed, "last_line_age")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(killed, "without_end")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(killed, "names")), "b-s1 (rank 1 on node1)");
    json_decref(d);
    pr_config_free(&c);
}
END_TEST

/* Every column that cells.csv has, and no other, is refused as an objective's name. */
START_TEST(names_of_columns)
{
    play_simple("columns", edges);
    char *text = play_read("columns", "cells.csv"), *save = NULL;
    int fixed = 0;
    text[strcspn(text, "\n")] = 0;
    for (char *name = strtok_r(text, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        char more[512];
        pr_config_t *c = NULL;
        pr_error_t err;
        bool own = strchr("abc", name[strlen(name) - 1]) && (!name[1] || name[strlen(name) - 2] == '_');
        snprintf(more, sizeof more,
                 "name = \"x\"; model = \"m\"; prompts = { train = \"t\"; eval = \"e\"; }; objectives = ( { name = "
                 "\"%s\"; type = \"brevity\"; }, { name = \"%s\"; } );",
                 name, own ? name + strlen(name) - 1 : "other");
        if (own && !name[1])
            continue; // the mean, which has the objective's own name
        ck_assert_msg(pr_config_parse(more, "x.cfg", NULL, 0, &c, &err) == PR_ERR_CONFIG, "%s is taken", name);
        ck_assert_msg(strstr(err.text, "column") != NULL, "%s", err.text);
        fixed += !own;
    }
    ck_assert_int_ge(fixed, 8);
    free(text);
}
END_TEST

START_TEST(counts_have_all_their_digits)
{
    json_t *v = json_pack("[{s:s, s:i, s:o, s:o, s:{s:i}}, {s:s, s:i, s:o, s:o, s:{s:i}}]", "search", "states", "seeds",
                          1, "points", pr_json_real(1234567), "front", pr_json_real(123456), "hypervolume", "mean", 1,
                          "search", "params", "seeds", 2, "points", pr_json_real(10000), "front", pr_json_real(2.5),
                          "hypervolume", "mean", 1);
    char *text = pr_sweep_search_table(v, 200);
    ck_assert_ptr_nonnull(strstr(text, "1      1234567  123456     "));
    ck_assert_ptr_nonnull(strstr(text, "2      10000    2.5        "));
    ck_assert_ptr_null(strstr(text, "e+"));
    free(text);
    json_decref(v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep starts");
    TCase *t = tcase_create("sweep starts");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, status_follows);
    tcase_add_test(t, time_left);
    tcase_add_test(t, costs_over_interruptions);
    tcase_add_test(t, lost_records_of_a_finished_sweep);
    tcase_add_test(t, nothing_is_replaced_by_less);
    tcase_add_test(t, changed_tables_are_found);
    tcase_add_test(t, status_counts_what_there_is);
    tcase_add_test(t, a_killed_run_is_told);
    tcase_add_test(t, names_of_columns);
    tcase_add_test(t, counts_have_all_their_digits);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
