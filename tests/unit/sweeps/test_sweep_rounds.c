// SPDX-License-Identifier: BSD-3-Clause
/* Rounds of searches in the journal: which are read, which are asked for again, and what is said of a search's end. */
#include "store/journal.h"
#include "sweeps/search/search_internal.h"
#include "unit/sweeps/sweep_play.h"

/* ---- a strategy that would not decide the same twice ---- */

static int calls;       // of a strategy
static int64_t machine; // whose rounding decides

/* The corners, then one point a round: which, the machine says too. What there is it takes as it is. */
static pr_status_t own_run(pr_replay_t *r, pr_error_t *err)
{
    (void)err;
    calls++;
    size_t n = r->index.points.n;
    for (size_t i = 0; i < n; i++) {
        pr_point_t known = pr_pointset_at(&r->index.points, i);
        pr_replay_add(r, &known, r->index.obs[r->index.first[i] - 1].level);
    }
    for (int i = 0; i < r->k; i++) {
        pr_point_t p = {.den = 1};
        p.num[i] = 1;
        pr_replay_add(r, &p, 0);
    }
    if (!pr_replay_settle(r))
        return PR_OK;
    int level = 0;
    for (size_t i = 0; i < r->points.n; i++)
        level = r->level[i] > level ? r->level[i] : level;
    if (level >= r->spec->levels) {
        snprintf(r->why, sizeof r->why, "its %d rounds are done", r->spec->levels);
        return PR_OK;
    }
    if (pr_replay_room(r) == 0)
        return PR_OK;
    int64_t turn = level + 1 + 100 * machine;
    pr_point_t p = {.den = 1009, .num = {turn, 2 * turn, 1009 - 3 * turn}};
    pr_point_reduce(&p, r->k);
    pr_replay_add(r, &p, level + 1);
    pr_replay_settle(r);
    return PR_OK;
}

static pr_status_t own_check(const pr_search_t *s, pr_error_t *err)
{
    (void)s;
    (void)err;
    return PR_OK;
}

static int own_forecast(const pr_search_t *s, int64_t *counts, int max)
{
    (void)max;
    return pr_search_flat(s->spec, 20, counts);
}

static const pr_search_strategy_t going_on = {.name = "going on",
                                              .help = "",
                                              .keys = "",
                                              .goes_on = true,
                                              .check = own_check,
                                              .run = own_run,
                                              .forecast = own_forecast};
static const pr_search_strategy_t anew = {
    .name = "anew", .help = "", .keys = "", .check = own_check, .run = own_run, .forecast = own_forecast};

static void setup(void)
{
    pr_error_t err;
    play_setup();
    ck_assert_int_eq(pr_search_add(&going_on, &err), PR_OK);
    ck_assert_int_eq(pr_search_add(&anew, &err), PR_OK);
    ck_assert_int_eq(pr_search_add(&anew, &err), PR_ERR_CONFIG);
}

/* more: keys of the search. */
static pr_config_t *config_of(const char *results, const char *type, const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "search = { type = \"ols\"; levels = 50; %s };", more);
    pr_config_t *c = play_config(results, text);
    free(c->search[0].type);
    c->search[0].type = pr_strdup(type);
    return c;
}

typedef struct outcome {
    int calls, evaluates;
    size_t asked;
    char why[160];
    int64_t left;
} outcome_t;

/* Runs a sweep, to its end when stop_after is 0, else as if it were killed then. */
static outcome_t run_with(const char *results, const char *type, const char *more, int stop_after,
                          bool (*fails)(const json_t *, int, pr_status_t *))
{
    pr_config_t *c = config_of(results, type, more);
    play_t p = {.workers = 1, .stop_after = stop_after, .fails = fails, .replace = true};
    pr_error_t err;
    calls = 0;
    ck_assert_msg(play_open(&p, c, &err) == PR_OK, "%s", err.text);
    play_run(&p);
    if (!stop_after) {
        ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
        ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), fails ? PR_ERR_INCOMPLETE : PR_OK);
    }
    outcome_t o = {calls, p.evaluates, p.sweep->track[0].n_asked, "", p.sweep->track[0].left};
    snprintf(o.why, sizeof o.why, "%s", p.sweep->track[0].why);
    play_close(&p);
    pr_config_free(&c);
    return o;
}

static outcome_t run(const char *results, const char *type, const char *more)
{
    return run_with(results, type, more, 0, NULL);
}

/* [{"search", ...}] as `status` has it. New reference. */
static json_t *status_of(const char *results, const char *state)
{
    char dir[256];
    pr_progress_t progress;
    json_t *details = NULL;
    pr_error_t err;
    snprintf(dir, sizeof dir, "%s/%s", play_dir, results);
    ck_assert_msg(pr_sweep_status(dir, 2e9, &progress, &details, &err) == PR_OK, "%s", err.text);
    ck_assert_str_eq(json_string_value(json_object_get(details, "state")), state);
    json_t *searches = json_incref(json_object_get(details, "searches"));
    json_decref(details);
    return searches;
}

/* Its only search. left: -1: null. */
static void status_is(const char *results, const char *state, int asked, const char *why, int left)
{
    json_t *searches = status_of(results, state), *one = json_array_get(searches, 0);
    json_t *expected = json_pack("{s:s, s:i, s:i, s:s?, s:o}", "search", "states", "seed", 1, "asked", asked, "ended",
                                 why, "budget_left", left < 0 ? json_null() : json_integer(left));
    char *found = pr_json_text(searches, 0);
    ck_assert_uint_eq(json_array_size(searches), 1);
    ck_assert_msg(json_equal(one, expected), "%s", found);
    free(found);
    json_decref(expected);
    json_decref(searches);
}

/* What the last "points" line that says so has read. */
static int rounds_read(const char *results)
{
    char *journal = play_read(results, "journal.jsonl");
    int n = 0;
    for (const char *at = journal; (at = strstr(at, "\"read_rounds\":")); at++)
        n = atoi(at + strlen("\"read_rounds\":"));
    free(journal);
    return n;
}

/* ---- going on ---- */

/* Killed after any job and started again, a sweep asks for what the journal has not, and ends with the same tables. */
START_TEST(rounds_are_read)
{
    const char *type = _i ? "anew" : "going on";
    char whole[32], cut[32];
    snprintf(whole, sizeof whole, "read%d-whole", _i);
    outcome_t all = run(whole, type, "budget = 12;"), o;
    ck_assert_int_eq(all.calls, 11); // the corners, nine points, the end
    ck_assert_uint_eq(all.asked, 12);
    ck_assert_str_eq(all.why, "the budget of 12 points is used");
    ck_assert_int_eq(all.left, 0);
    int jobs = play_count(whole, "journal.jsonl", "\"job_done\"");
    for (int n = 1; n < jobs; n++) {
        snprintf(cut, sizeof cut, "read%d-cut%d", _i, n);
        run_with(cut, type, "budget = 12;", n, NULL);
        int had = play_count(cut, "journal.jsonl", "\"asked\":");
        status_is(cut, "stopped", had + 2, NULL, -1);
        o = run(cut, type, "budget = 12;");
        ck_assert_int_eq(o.calls, all.calls - had);
        ck_assert_int_eq(rounds_read(cut), had);
        ck_assert_str_eq(o.why, all.why);
        play_same(whole, cut, "cells.csv");
        play_same(whole, cut, "front.csv");
        status_is(cut, "finished", 12, "the budget of 12 points is used", 0);
    }
    o = run(whole, type, "budget = 12;"); // nothing is asked to know the end
    ck_assert_int_eq(o.calls, 0);
    ck_assert_int_eq(o.evaluates, 0);
    ck_assert_str_eq(o.why, all.why);
    ck_assert_int_eq(o.left, 0);
    status_is(whole, "finished", 12, "the budget of 12 points is used", 0);
    char *metrics = play_read(whole, "metrics.json");
    ck_assert_ptr_nonnull(strstr(metrics, "\"ended\": \"the budget of 12 points is used\""));
    ck_assert_ptr_nonnull(strstr(metrics, "\"budget_left\": 0"));
    free(metrics);
}
END_TEST

/* On a machine that rounds otherwise, what was asked for stays, and the rest follows from it. */
START_TEST(another_machine)
{
    run_with("machine", "going on", "budget = 12;", 10, NULL);
    int had = play_count("machine", "journal.jsonl", "\"asked\":");
    ck_assert_int_gt(had, 2);
    machine = 1;
    outcome_t o = run("machine", "going on", "budget = 12;");
    machine = 0;
    ck_assert_int_eq(o.calls, 11 - had);
    ck_assert_uint_eq(o.asked, 12);
    char *cells = play_read("machine", "cells.csv");
    int lines = 0;
    for (const char *at = cells; (at = strchr(at, '\n')); at++)
        lines++;
    ck_assert_int_eq(lines, 1 + 12 + 4);           // the points, the base model, three experts
    ck_assert_ptr_nonnull(strstr(cells, "0.002")); // 2/1009 ...
    free(cells);
}
END_TEST

/* ---- stopped while points are chosen ---- */

typedef struct asked {
    long calls, last; // says stop from the last on; 0: never
} asked_t;

static bool stop_from(void *self)
{
    asked_t *a = self;
    return ++a->calls >= a->last && a->last > 0;
}

/* Runs the default search's sweep, or what is left of it; returns what pr_sweep_end says. */
static pr_status_t run_auto(const char *results, asked_t *a)
{
    pr_config_t *c = play_config(results, "search = { budget = 12; };");
    play_t p = {.workers = 2, .hooks = {.stopping = stop_from, .self = a}};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    play_close(&p);
    pr_config_free(&c);
    return end;
}

/* Wherever a choice of points is stopped, when the sweep is opened or when a job has ended: nothing of it is in the
 * journal, the sweep says that it was interrupted, and goes on to the same tables. */
START_TEST(stopped_while_choosing)
{
    asked_t a = {0};
    ck_assert_int_eq(run_auto("unstopped", &a), PR_OK);
    long asks = a.calls;
    ck_assert_int_gt(asks, 1000);
    for (int i = 0; i < 8; i++) {
        char results[32];
        snprintf(results, sizeof results, "stopped%d", i);
        a = (asked_t){0, 1 + asks * i / 12};
        ck_assert_int_eq(run_auto(results, &a), PR_ERR_INTERRUPTED);
        int had = play_count(results, "journal.jsonl", "\"asked\":");
        json_decref(status_of(results, "interrupted"));
        a = (asked_t){0, 1}; // at once, as it is opened
        ck_assert_int_eq(run_auto(results, &a), PR_ERR_INTERRUPTED);
        ck_assert_int_eq(play_count(results, "journal.jsonl", "\"asked\":"), had);
        a = (asked_t){0};
        ck_assert_int_eq(run_auto(results, &a), PR_OK);
        play_same("unstopped", results, "cells.csv");
        play_same("unstopped", results, "front.csv");
    }
}
END_TEST

/* ---- other settings ---- */

START_TEST(another_budget)
{
    run("raised", "going on", "budget = 12;");
    machine = 1; // what would be decided anew would show
    outcome_t o = run("raised", "going on", "budget = 20;");
    machine = 0;
    ck_assert_int_eq(o.calls, 9);
    ck_assert_int_eq(o.evaluates, 8);
    ck_assert_uint_eq(o.asked, 20);
    ck_assert_int_eq(rounds_read("raised"), 10);
    status_is("raised", "finished", 20, "the budget of 20 points is used", 0);
    o = run("raised", "going on", "budget = 5;"); // what was asked for stays
    ck_assert_int_eq(o.calls, 1);
    ck_assert_int_eq(o.evaluates, 0);
    ck_assert_uint_eq(o.asked, 20);
    ck_assert_str_eq(o.why, "the budget of 5 points is used");
    ck_assert_int_eq(o.left, 0);
    o = run("raised", "going on", ""); // and none at all
    ck_assert_str_eq(o.why, "its 50 rounds are done");
    ck_assert_int_eq(o.left, -1);
    status_is("raised", "finished", 53, "its 50 rounds are done", -1);

    run("anew", "anew", "budget = 12;"); // where decisions may hang on it, a search is asked from the beginning
    o = run("anew", "anew", "budget = 20;");
    ck_assert_int_eq(o.calls, 19);
    ck_assert_int_eq(o.evaluates, 8);
    ck_assert_uint_eq(o.asked, 20);
}
END_TEST

/* Calls of a whole sweep of 12 points after it was done with other keys. */
static int calls_after(const char *results, const char *type, const char *more, const char *set)
{
    pr_config_t *c = config_of(results, type, more), *other = NULL;
    pr_error_t err;
    free(c->search[0].type);
    c->search[0].type = pr_strdup("ols"); // as the configuration knows no strategy of ours
    char *text = pr_config_dump(c);
    ck_assert_msg(pr_config_parse(text, "/sweep.cfg", &set, set ? 1 : 0, &other, &err) == PR_OK, "%s", err.text);
    free(text);
    free(other->search[0].type);
    other->search[0].type = pr_strdup(type);
    play_t p = {.workers = 2, .replace = true};
    pr_status_t end;
    calls = 0;
    play_all(&p, other, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    play_close(&p);
    pr_config_free(&c);
    pr_config_free(&other);
    return calls;
}

START_TEST(another_search)
{
    static const struct {
        const char *set;
        int calls;
    } changes[] = {
        {NULL, 0},
        {"retries=7", 0},
        {"search.[0].name=\"other\"", 0},
        {"evaluate.streams=5", 0},
        {"seed=4", 11},
        {"search.[0].min_gain=0.5", 11},
        {"search.[0].levels=49", 11},
        {"reference=[0.0, 0.0, -1.0]", 11},
        {"evaluate.max_new_tokens=7", 10}, // the corners are what they are; what follows from them is another matter
        {"finetune.steps=3", 10},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char results[32];
        snprintf(results, sizeof results, "other%zu", i);
        run(results, "going on", "budget = 12;");
        int n = calls_after(results, "going on", "budget = 12;", changes[i].set);
        ck_assert_msg(n == changes[i].calls, "%s: asked %d times, expected %d", changes[i].set, n, changes[i].calls);
    }
}
END_TEST

/* ---- points that are given up ---- */

static bool fail_third(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    bool third = strcmp(json_string_value(json_object_get(spec, "label")), "states (3/1009,6/1009,1000/1009)") == 0;
    *why = third ? PR_ERR_TIMEOUT : PR_OK;
    return third;
}

/* One that was given up has a result later: what followed from its having none is decided anew, unless rounds stand. */
START_TEST(given_up)
{
    outcome_t o = run_with("stands", "going on", "budget = 12;", 0, fail_third);
    ck_assert_uint_eq(o.asked, 12);
    o = run_with("stands", "going on", "budget = 12;", 0, fail_third);
    ck_assert_int_eq(o.calls, 0);
    o = run("stands", "going on", "budget = 12;");
    ck_assert_int_eq(o.calls, 1); // whether that is the end
    ck_assert_int_eq(o.evaluates, 1);
    ck_assert_uint_eq(o.asked, 12);

    run_with("again", "anew", "budget = 12;", 0, fail_third);
    o = run("again", "anew", "budget = 12;");
    ck_assert_int_eq(o.calls, 7); // after the corners and three points
    ck_assert_int_eq(o.evaluates, 1);
    ck_assert_uint_eq(o.asked, 12);
    run("never", "anew", "budget = 12;");
    play_same("never", "again", "cells.csv");
}
END_TEST

/* ---- journals of others ---- */

typedef struct copy {
    pr_journal_t *to;
    const char *asked; // in place of every round but the first; NULL: lines have none
    int rounds;
} copy_t;

static pr_status_t copy_line(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    copy_t *copy = self;
    json_t *mine = json_copy((json_t *)(uintptr_t)line);
    static const char *const own[] = {"t", "event", "crc"};
    for (size_t i = 0; i < 3; i++)
        json_object_del(mine, own[i]);
    if (json_object_get(mine, "asked") && copy->rounds++ > 0 && copy->asked)
        json_object_set_new(mine, "asked", json_string(copy->asked));
    if (!copy->asked) {
        json_object_del(mine, "asked");
        json_object_del(mine, "basis");
    }
    pr_status_t status =
        !copy->asked && strcmp(event, "search_end") == 0 ? PR_OK : pr_journal_append(copy->to, event, mine, false, err);
    json_decref(mine);
    return status;
}

static void copy_journal(const char *results, const char *asked)
{
    char from[256], to[256];
    copy_t copy = {.asked = asked};
    pr_error_t err;
    snprintf(from, sizeof from, "%s/%s/before.jsonl", play_dir, results);
    snprintf(to, sizeof to, "%s/%s/journal.jsonl", play_dir, results);
    shell("mv %s %s", to, from);
    ck_assert_int_eq(pr_journal_open(to, &copy.to, &err), PR_OK);
    ck_assert_int_eq(pr_journal_read(from, copy_line, &copy, NULL, &err), PR_OK);
    pr_journal_close(&copy.to);
}

/* A journal without points, as the version before wrote it, or with points that are none: the search is asked. */
START_TEST(without_points)
{
    static const char *const asked[] = {NULL,
                                        "",
                                        "x",
                                        "1 12 101 1 2",
                                        "1 12 101 1 2 98 ",
                                        "1 12 101 1 2 98;",
                                        "1 12 101 1 2 98 3",
                                        "1 12 0 1 2 98",
                                        "1 12 101 1 2 102",
                                        "1 12 101 -1 2 98",
                                        "1 13 101 1 2 98",
                                        "1 0 101 1 2 98",
                                        "99999999999 12 101 1 2 98",
                                        "1 12 99999999999999999999 1 2 98",
                                        "1 12 101 1 2 98;1 12 101 1 2"};
    run("points-whole", "anew", "budget = 12;");
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        char results[32];
        snprintf(results, sizeof results, "points%zu", i);
        shell("cp -r %s/points-whole %s/%s", play_dir, play_dir, results);
        copy_journal(results, asked[i]);
        outcome_t o = run(results, "anew", "budget = 12;");
        // The first round is as it was, and the end, which follows from the same.
        ck_assert_msg(o.calls == (asked[i] ? 9 : 11), "%s: asked %d times", asked[i], o.calls);
        ck_assert_int_eq(o.evaluates, 0);
        play_same("points-whole", results, "cells.csv");
    }
}
END_TEST

/* ---- the end ---- */

START_TEST(reasons)
{
    static const struct {
        int budget;
        double core_hours;
        int64_t points;
        double core_seconds;
        const char *why;
        int64_t left;
    } cases[] = {{0, 0, 15, 1e9, "all its points are evaluated", -1},
                 {24, 0, 24, 0, "the budget of 24 points is used", 0},
                 {24, 0, 30, 0, "the budget of 24 points is used", 0},
                 {1, 0, 1, 0, "the budget of 1 point is used", 0},
                 {24, 0, 15, 0, "all its points are evaluated", 9},
                 {0, 1, 10, 3600, "the core hours are used", -1},
                 {24, 1, 10, 4000, "the core hours are used", 14},
                 {0, 1, 10, 3500, "what is left of the core hours is less than a point takes", -1},
                 {0, 1, 10, 3000, "all its points are evaluated", -1},
                 {0, 1, 0, 0, "all its points are evaluated", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_search_spec_t spec = {.budget = cases[i].budget, .budget_core_hours = cases[i].core_hours};
        pr_requests_t r = {0};
        pr_search_end(&spec, cases[i].points, cases[i].core_seconds, &r);
        ck_assert_str_eq(r.why, cases[i].why);
        ck_assert_int_eq(r.left, cases[i].left);
    }
}
END_TEST

/* A search that asks once leaves no points in the journal, but its end. */
START_TEST(asked_once)
{
    static const char grid[] = "search = { type = \"grid\"; divisions = 3; budget = 15; };";
    play_simple("once", grid);
    ck_assert_int_eq(play_count("once", "journal.jsonl", "\"asked\":"), 0);
    status_is("once", "finished", 10, "all its points are evaluated", 5);
    play_simple("once", grid);
    status_is("once", "finished", 10, "all its points are evaluated", 5);
}
END_TEST

/* Every search over every set of experts has its own end. */
START_TEST(several)
{
    play_simple("several", "seeds = [1, 2]; aggregate = (\"states\", \"params\"); search = { type = \"hierarchical\"; "
                           "levels = 1; budget = 8; };");
    json_t *searches = status_of("several", "finished"), *one;
    size_t i;
    ck_assert_uint_eq(json_array_size(searches), 4);
    json_array_foreach(searches, i, one)
    {
        ck_assert_str_eq(json_string_value(json_object_get(one, "search")), i < 2 ? "states" : "params");
        ck_assert_int_eq(json_integer_value(json_object_get(one, "seed")), 1 + (int)i % 2);
        ck_assert_int_eq(json_integer_value(json_object_get(one, "asked")), 6);
        ck_assert_int_eq(json_integer_value(json_object_get(one, "budget_left")), 2);
        ck_assert_str_eq(json_string_value(json_object_get(one, "ended")), "all its points are evaluated");
    }
    json_decref(searches);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep_rounds");
    TCase *t = tcase_create("rounds");
    tcase_add_unchecked_fixture(t, setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, rounds_are_read, 0, 2);
    tcase_add_test(t, another_machine);
    tcase_add_test(t, stopped_while_choosing);
    tcase_add_test(t, another_budget);
    tcase_add_test(t, another_search);
    tcase_add_test(t, given_up);
    tcase_add_test(t, without_points);
    tcase_add_test(t, reasons);
    tcase_add_test(t, asked_once);
    tcase_add_test(t, several);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
