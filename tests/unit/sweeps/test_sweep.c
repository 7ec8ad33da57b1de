/* A sweep's state with made-up results: what runs when, what is shared, what becomes of failures, what is written. */
#include "unit/sweeps/sweep_play.h"

static const char edges[] =
    "search = { type = \"hierarchical\"; domain = \"simplex\"; levels = 1; select = \"all\"; };";

static int position(const play_t *p, const char *label)
{
    size_t i;
    json_t *v;
    json_array_foreach(p->log, i, v)
    {
        if (strcmp(json_string_value(v), label) == 0)
            return (int)i;
    }
    return -1;
}

/* Experts first, then the points in canonical order; every job once. */
START_TEST(order_of_jobs)
{
    pr_config_t *c = play_config("order", edges);
    play_t p = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    static const char *const labels[] = {"a-s1",
                                         "b-s1",
                                         "c-s1",
                                         "states (0,0,1)",
                                         "states (0,1,0)",
                                         "states (1,0,0)",
                                         "states (0,1/2,1/2)",
                                         "states (1/2,0,1/2)",
                                         "states (1/2,1/2,0)"};
    ck_assert_uint_eq(json_array_size(p.log), sizeof labels / sizeof *labels);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        ck_assert_str_eq(json_string_value(json_array_get(p.log, i)), labels[i]);
    ck_assert_int_eq(play_count("order", "cells.csv", "\n"), 7);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* A point starts when the experts that it weighs are there, whatever the others do. */
START_TEST(points_overlap_with_experts)
{
    pr_config_t *c = play_config("overlap", edges);
    play_t p = {.workers = 3};
    pr_error_t err;
    pr_next_t next;
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    for (int i = 0; i < 3; i++)
        ck_assert(play_take(&p, &next));
    ck_assert(!play_take(&p, &next)); // no expert is there
    ck_assert_int_eq(next, PR_NEXT_WAIT);
    ck_assert_int_eq(play_end_job(&p, 1, &err), PR_OK); // the expert of b
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(position(&p, "states (0,1,0)"), 3);
    ck_assert(!play_take(&p, &next)); // the other corners lack theirs
    ck_assert_int_eq(next, PR_NEXT_WAIT);
    ck_assert_int_eq(play_end_job(&p, 2, &err), PR_OK); // the point; nothing comes free by it
    ck_assert(!play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK); // the expert of a
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(position(&p, "states (1,0,0)"), 4);
    play_run(&p);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

static bool fail_twice(const json_t *spec, int attempt, pr_status_t *why)
{
    bool it = strcmp(json_string_value(json_object_get(spec, "label")), "states (0,1,0)") == 0 ||
              strcmp(json_string_value(json_object_get(spec, "label")), "b-s1") == 0;
    *why = it && attempt <= 2 ? PR_ERR_SCORER : PR_OK;
    return *why != PR_OK;
}

START_TEST(retries_are_bounded)
{
    pr_status_t end;
    pr_error_t err;
    for (int retries = 0; retries <= 2; retries++) {
        char more[256], results[32];
        snprintf(results, sizeof results, "retry%d", retries);
        snprintf(more, sizeof more, "retries = %d; %s", retries, edges);
        pr_config_t *c = play_config(results, more);
        play_t p = {.workers = 2, .fails = fail_twice};
        play_all(&p, c, &end, &err);
        ck_assert_int_eq(end, retries == 2 ? PR_OK : PR_ERR_INCOMPLETE);
        json_t *tried = json_object();
        size_t i;
        json_t *v;
        int of_b = 0;
        json_array_foreach(p.log, i, v) of_b += strcmp(json_string_value(v), "b-s1") == 0;
        ck_assert_int_eq(of_b, retries < 2 ? retries + 1 : 3);
        ck_assert_int_eq(play_count(results, "journal.jsonl", "\"reason\":\"scorer\""), retries == 2 ? 4 : retries + 1);
        json_decref(tried);
        play_close(&p);
        pr_config_free(&c);
    }
}
END_TEST

static bool fail_expert_b(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "b-s1") == 0 ? PR_ERR_NUMERIC : PR_OK;
    return *why != PR_OK;
}

/* Without the expert of b the points that do not weigh it are evaluated, and the end says what is missing and why. */
START_TEST(an_expert_that_fails)
{
    pr_config_t *c = play_config("expert-fails", "retries = 1; search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 2, .fails = fail_expert_b};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    ck_assert_ptr_nonnull(strstr(err.text, "b-s1"));
    ck_assert_ptr_nonnull(strstr(err.text, "made to fail"));
    ck_assert_int_eq(p.finetunes, 2);
    ck_assert_int_eq(p.evaluates, 3); // (1,0,0), (1/2,0,1/2), (0,0,1)
    ck_assert_int_eq(play_count("expert-fails", "cells.csv", "\n"), 4);
    ck_assert_int_eq(play_count("expert-fails", "metrics.json", "\"numeric\""), 1);
    play_close(&p);
    // The same sweep again, with the cause gone, does what is missing and no more.
    play_t q = {.workers = 2};
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(q.finetunes, 1);
    ck_assert_int_eq(q.evaluates, 3);
    play_close(&q);
    pr_config_free(&c);
    play_simple("expert-works", "retries = 1; search = { type = \"grid\"; divisions = 2; };");
    play_same("expert-works", "expert-fails", "cells.csv");
}
END_TEST

static bool fail_point(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "states (0,1,0)") == 0 ? PR_ERR_TIMEOUT : PR_OK;
    return *why != PR_OK;
}

/* A point that is given up does not hold its search up: the other cells are refined. */
START_TEST(a_point_that_fails)
{
    static const char deep[] = "retries = 0; search = { type = \"hierarchical\"; domain = \"simplex\"; levels = 3; "
                               "select = \"front\"; };";
    pr_config_t *c = play_config("point-fails", deep);
    play_t p = {.workers = 3, .fails = fail_point};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    ck_assert_ptr_nonnull(strstr(err.text, "1 job given up, 1 point without a result"));
    ck_assert_int_gt(p.evaluates, 8);
    ck_assert_int_eq(play_count("point-fails", "cells.csv", "\nstates,1,0,0,1,0,"), 0);
    play_close(&p);
    play_t q = {.workers = 3};
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    play_close(&q);
    pr_config_free(&c);
    play_simple("point-works", deep);
    play_same("point-works", "point-fails", "cells.csv");
    play_same("point-works", "point-fails", "front.csv");
}
END_TEST

static bool fail_all(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)spec, (void)attempt;
    *why = PR_ERR_IO;
    return true;
}

/* When all fail for want of disk, that is what the whole ends with. */
START_TEST(the_environment_fails)
{
    pr_config_t *c = play_config("no-disk", edges);
    play_t p = {.workers = 3, .fails = fail_all};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_IO);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* ---- several searches ---- */

static const char both[] = "aggregate = ( \"states\", \"params\" ); search = { type = \"hierarchical\"; domain = "
                           "\"simplex\"; levels = 3; select = \"front\"; budget = 20; };";

/* Two searches that want the same points of the same policy have them evaluated once. */
START_TEST(shared_points)
{
    pr_config_t *c =
        play_config("shared", "search = ( { name = \"grid\"; type = \"grid\"; divisions = 4; }, { name = "
                              "\"tree\"; type = \"hierarchical\"; domain = \"simplex\"; levels = 2; select "
                              "= \"all\"; } );");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.evaluates, 15);
    ck_assert_int_eq(play_count("shared", "cells.csv", "\n"), 31);
    ck_assert_int_eq(play_count("shared", "cells.csv", "\ngrid,"), 15);
    ck_assert_int_eq(play_count("shared", "cells.csv", "\ntree,"), 15);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* The rows of one search in cells.csv, without the mark of the front, which all searches make together. */
static char *rows_of(const char *results, const char *search, int seed)
{
    char *text = play_read(results, "cells.csv"), head[64], *save = NULL;
    pr_buf_t b = {0};
    snprintf(head, sizeof head, "%s,%d,", search, seed);
    pr_buf_puts(&b, "");
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, head, strlen(head)) != 0)
            continue;
        int commas = 0;
        for (char *at = line; *at; at++) {
            commas += *at == ',';
            if (commas != 15) // ...,prompts,tokens,cut,front,point,job
                pr_buf_add(&b, at, 1);
        }
        pr_buf_puts(&b, "\n");
    }
    free(text);
    return b.data;
}

/* Side by side each search takes exactly the decisions that it takes alone, in whatever order jobs end. */
START_TEST(searches_side_by_side)
{
    char *alone[2];
    static const char *const names[] = {"states", "params"};
    for (int i = 0; i < 2; i++) {
        char more[512];
        snprintf(
            more, sizeof more,
            "search = { name = \"%s\"; aggregate = \"%s\"; type = \"hierarchical\"; domain = \"simplex\"; levels = "
            "3; select = \"front\"; budget = 20; };",
            names[i], names[i]);
        play_simple(names[i], more);
        alone[i] = rows_of(names[i], names[i], 1);
        ck_assert_uint_gt(strlen(alone[i]), 500);
    }
    for (uint64_t order = 0; order < 4; order++) {
        char results[32];
        pr_status_t end;
        pr_error_t err;
        snprintf(results, sizeof results, "side%d", (int)order);
        pr_config_t *c = play_config(results, both);
        play_t p = {.workers = 1 + (int)order * 3, .shuffle = order};
        play_all(&p, c, &end, &err);
        ck_assert_int_eq(end, PR_OK);
        play_close(&p);
        pr_config_free(&c);
        for (int i = 0; i < 2; i++) {
            char *rows = rows_of(results, names[i], 1);
            ck_assert_str_eq(rows, alone[i]);
            free(rows);
        }
        play_same("side0", results, "cells.csv");
        play_same("side0", results, "front.csv");
        play_same("side0", results, "front.json");
        play_same("side0", results, "samples.jsonl");
    }
    free(alone[0]);
    free(alone[1]);
}
END_TEST

START_TEST(several_seeds)
{
    pr_config_t *c = play_config("seeds", "seeds = [4, 9]; search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.finetunes, 6);
    ck_assert_int_eq(p.evaluates, 12);
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nstates,4,"), 6);
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nstates,9,"), 6);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* Objectives that are the same in all but name get experts of their own, and none waits for ever. */
START_TEST(equal_objectives)
{
    pr_config_t *c = play_config("equal", "objectives = ( { name = \"x\"; type = \"brevity\"; }, { name = \"y\"; type "
                                          "= \"brevity\"; } ); search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 4};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.finetunes, 2);
    ck_assert_int_eq(p.evaluates, 3);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* With adapters given there is nothing to fine-tune, and seeds of experts make no difference. */
START_TEST(given_adapters)
{
    char more[1024], path[128];
    play_adapter((snprintf(path, sizeof path, "%s/given-a", play_dir), path), "a");
    play_adapter((snprintf(path, sizeof path, "%s/given-b", play_dir), path), "b");
    snprintf(more, sizeof more,
             "objectives = ( { name = \"x\"; type = \"brevity\"; adapter = \"given-a\"; }, { name = \"y\"; type = "
             "\"reflection\"; adapter = \"given-b\"; } ); search = { type = \"grid\"; divisions = 4; }; seeds = [1, "
             "2];");
    pr_config_t *c = play_config("given", more);
    play_t p = {.workers = 4};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.finetunes, 0);
    ck_assert_int_eq(p.evaluates, 5);
    play_close(&p);
    // Another adapter for y: the point that does not weigh y stays as it is.
    play_adapter(path, "another b");
    play_t q = {.workers = 4};
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(q.evaluates, 4);
    play_close(&q);
    pr_config_free(&c);
}
END_TEST

/* ---- values ---- */

/* The fields of the row of cells.csv that begins so. */
static int fields_of(const char *results, const char *begins, double *out, int max)
{
    char *text = play_read(results, "cells.csv"), *at = strstr(text, begins), *save = NULL;
    int n = 0;
    ck_assert_msg(at != NULL, "no row %s in %s", begins, text);
    at[strcspn(at, "\n")] = 0;
    for (char *field = strtok_r(at, ",", &save); field && n < max; field = strtok_r(NULL, ",", &save))
        out[n++] = atof(field);
    free(text);
    return n;
}

/* Ranges of prompts are joined to what one evaluation of all of them would give. */
START_TEST(fidelities_are_joined)
{
    pr_config_t *c = play_config("joined", "search = { type = \"grid\"; divisions = 2; fidelity = [3, 7]; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    double row[16], w[] = {0.5, 0.5, 0};
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    play_close(&p);
    pr_config_free(&c);
    // search,seed,level,w x3,mean x3,se x3,prompts,...
    ck_assert_int_ge(fields_of("joined", "states,1,0,0.5,0.5,0,", row, 13), 13);
    int n = (int)row[12];
    ck_assert(n == 3 || n == 7);
    for (int k = 0; k < 3; k++) {
        double x[PLAY_PROMPTS], mean, se;
        for (int i = 0; i < n; i++)
            x[i] = play_score(w, 3, k, i);
        play_moments(x, n, 1, &mean, &se);
        ck_assert_double_eq_tol(row[6 + k], mean, 1e-14);
        ck_assert_double_eq_tol(row[9 + k], se, 1e-14);
    }
    ck_assert_int_ge(play_count("joined", "cells.csv", ",7,49,"), 1); // some went on to 7 prompts
}
END_TEST

/* A checkpoint that a search of fidelities needs is made again when it has gone. */
START_TEST(a_lost_checkpoint)
{
    static const char more[] = "search = { type = \"grid\"; divisions = 2; fidelity = [3, 12]; };";
    char command[160];
    play_simple("lost", more);
    play_simple("kept", more);
    snprintf(command, sizeof command, "rm $(ls %s/lost/checkpoints/evaluate-* | head -n 2)", play_dir);
    ck_assert_int_eq(system(command), 0);
    pr_config_t *c = play_config("lost", more);
    play_t p = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.evaluates, 2);
    play_close(&p);
    pr_config_free(&c);
    play_same("lost", "kept", "cells.csv");
}
END_TEST

/* In a sweep where one search has fidelities and another has not, no point is lost to the front. */
START_TEST(points_for_the_global_front)
{
    pr_config_t *c = play_config("mixed", "search = ( { name = \"cheap\"; type = \"grid\"; divisions = 2; fidelity = "
                                          "[3]; }, { name = \"full\"; type = \"grid\"; divisions = 3; } );");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    pr_sweep_points_t all, elsewhere;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    pr_sweep_points(p.sweep, false, &all);
    pr_sweep_points(p.sweep, true, &elsewhere);
    ck_assert_uint_eq(all.n, 16);
    ck_assert_uint_eq(elsewhere.n, 16); // workers cannot know which are whole
    pr_sweep_points_clear(&all);
    pr_sweep_points_clear(&elsewhere);
    play_close(&p);
    pr_config_free(&c);
    c = play_config("plain", "search = { type = \"grid\"; divisions = 3; };");
    play_t q = {.workers = 2};
    play_all(&q, c, &end, &err);
    pr_sweep_points(q.sweep, true, &elsewhere);
    ck_assert_uint_eq(elsewhere.n, 0); // workers have them all
    pr_sweep_points_clear(&elsewhere);
    play_close(&q);
    play_t r = {.workers = 2}; // and of an earlier run none
    play_all(&r, c, &end, &err);
    pr_sweep_points(r.sweep, true, &elsewhere);
    ck_assert_uint_eq(elsewhere.n, 10);
    pr_sweep_points_clear(&elsewhere);
    play_close(&r);
    pr_config_free(&c);
}
END_TEST

/* Of cells.csv: means and the mark of the front of each row. */
static size_t read_front(const char *results, double *mean, bool *front, size_t max)
{
    char *text = play_read(results, "cells.csv"), *save = NULL;
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *inner = NULL;
        int i = 0;
        if (strncmp(line, "search,", 7) == 0)
            continue;
        ck_assert(n < max);
        for (char *field = strtok_r(line, ",", &inner); field; field = strtok_r(NULL, ",", &inner), i++) {
            if (i >= 6 && i < 9)
                mean[n * 3 + (size_t)i - 6] = atof(field);
            if (i == 14)
                front[n] = strcmp(field, "1") == 0 || strcmp(field, "true") == 0;
        }
        n++;
    }
    free(text);
    return n;
}

/* The mark of the front is the definition's, with some objectives to be minimised. */
static void check_front(const char *results, const double *sign)
{
    double mean[300];
    bool front[100];
    size_t n = read_front(results, mean, front, 100), marked = 0;
    for (size_t i = 0; i < n; i++) {
        bool dominated = false;
        for (size_t j = 0; j < n; j++) {
            bool as_good = true, better = false;
            for (size_t k = 0; k < 3; k++) {
                double d = sign[k] * (mean[j * 3 + k] - mean[i * 3 + k]);
                as_good = as_good && d >= 0;
                better = better || d > 0;
            }
            dominated = dominated || (as_good && better);
        }
        ck_assert_int_eq(front[i], !dominated);
        marked += front[i];
    }
    ck_assert_uint_gt(marked, 0);
    ck_assert_uint_lt(marked, n);
}

START_TEST(front_and_minimised_objectives)
{
    static const char objectives[] = "objectives = ( { name = \"a\"; type = \"brevity\"; }, { name = \"b\"; type = "
                                     "\"reflection\"; minimize = true; }, { name = \"c\"; type = \"distinct\"; } ); "
                                     "search = { type = \"grid\"; divisions = 5; };";
    static const double sign[] = {1, -1, 1};
    play_simple("minimised", objectives);
    check_front("minimised", sign);
    // Whoever gives the front, the marks are the same.
    pr_config_t *c = play_config("minimised", objectives);
    play_t p = {.workers = 1};
    pr_error_t err;
    pr_sweep_points_t all;
    char *before = play_read("minimised", "cells.csv");
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    pr_sweep_points(p.sweep, false, &all);
    ck_assert_int_eq(all.k, 3);
    ck_assert_uint_eq(all.n, 21);
    double *front = pr_alloc(all.n * 3, sizeof *front);
    size_t n_front = 0;
    for (size_t i = 0; i < all.n; i++) {
        bool dominated = false;
        for (size_t j = 0; j < all.n; j++) {
            const double *x = all.value + 3 * j, *y = all.value + 3 * i;
            bool as_good = x[0] >= y[0] && x[1] >= y[1] && x[2] >= y[2];
            dominated = dominated || (as_good && (x[0] > y[0] || x[1] > y[1] || x[2] > y[2]));
        }
        if (!dominated)
            memcpy(front + 3 * n_front++, all.value + 3 * i, 3 * sizeof *front);
    }
    ck_assert_int_eq(pr_sweep_write(p.sweep, front, n_front, &err), PR_OK);
    char *after = play_read("minimised", "cells.csv");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    free(front);
    pr_sweep_points_clear(&all);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* Where an objective declares no worst value, hypervolumes are measured from the worst that was found. */
START_TEST(infinite_ranges)
{
    double lo[PR_MAX_OBJECTIVES] = {0, -INFINITY, 0}, hi[PR_MAX_OBJECTIVES] = {1, INFINITY, 1};
    pr_config_t *c = play_config("infinite", edges);
    play_t p = {.config = c, .workers = 1, .log = json_array(), .attempts = json_object()};
    pr_error_t err;
    ck_assert_int_eq(pr_sweep_open(c, 1, lo, hi, &p.sweep, &err), PR_OK);
    play_run(&p);
    ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    double mean[30], least = INFINITY;
    bool front[10];
    size_t n = read_front("infinite", mean, front, 10);
    for (size_t i = 0; i < n; i++)
        least = fmin(least, mean[3 * i + 1]);
    char *text = play_read("infinite", "metrics.json");
    json_t *m = NULL;
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "metrics", &m, &err), PR_OK);
    const json_t *reference = json_object_get(m, "reference_point");
    ck_assert_double_eq(json_number_value(json_object_get(reference, "a")), 0);
    ck_assert_double_eq(json_number_value(json_object_get(reference, "b")), least);
    double volume = json_number_value(json_object_get(json_object_get(m, "all"), "hypervolume"));
    ck_assert(isfinite(volume) && volume > 0);
    json_decref(m);
    free(text);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* An answer that is no result of its kind is a failure, not a zero. */
START_TEST(nonsense_from_a_worker)
{
    pr_config_t *c = play_config("nonsense", "retries = 0; search = { type = \"grid\"; divisions = 1; };");
    play_t p = {.workers = 1};
    pr_error_t err;
    pr_next_t next;
    pr_who_t who = {1, "node1"};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    json_t *result = json_pack("{s:[f,f,f], s:[f,f]}", "mean", 0.1, 0.2, 0.3, "se", 0.1, 0.2);
    const char *id = json_string_value(json_object_get(p.running[0], "id"));
    ck_assert_int_eq(pr_sweep_finished(p.sweep, id, &who, PR_OK, "", result, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_finished(p.sweep, id, &who, PR_OK, "", result, &err), PR_OK); // twice changes nothing
    ck_assert_int_eq(pr_sweep_finished(p.sweep, "0123", &who, PR_OK, "", result, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_commit(p.sweep, &err), PR_OK);
    ck_assert_int_eq(play_count("nonsense", "journal.jsonl", "\"job_failed\""), 1);
    ck_assert_int_eq(play_count("nonsense", "journal.jsonl", "\"job_done\""), 0);
    json_decref(result);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

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
    ck_assert(at.jobs_done == 0 && at.jobs_total == 6 && at.running == 2);
    p.fails = fail_point;
    play_run(&p);
    check_state("status", "running", &at);
    ck_assert(at.jobs_done == 5 && at.jobs_total == 6 && at.running == 0 && at.failed == 1);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_ERR_INCOMPLETE);
    json_t *d = status_of("status", &at);
    ck_assert_str_eq(json_string_value(json_object_get(d, "state")), "incomplete");
    ck_assert_uint_eq(json_array_size(json_object_get(d, "failures")), 1);
    json_decref(d);
    play_close(&p);
    play_t q = {.workers = 1, .stop_after = 0};
    ck_assert_int_eq(play_open(&q, c, &err), PR_OK);
    check_state("status", "running", &at);
    ck_assert(at.jobs_done == 5 && at.jobs_total == 6 && at.failed == 0);
    play_close(&q); // without an end, as when it is killed
    check_state("status", "stopped", &at);
    ck_assert_int_eq(at.running, 0);
    pr_config_free(&c);
}
END_TEST

/* ---- the same failure twice, faults of the configuration ---- */

static int tries_of(const play_t *p, const char *label)
{
    size_t i;
    json_t *v;
    int n = 0;
    json_array_foreach(p->log, i, v) n += strcmp(json_string_value(v), label) == 0;
    return n;
}

static bool fail_b_config(const json_t *spec, int attempt, pr_status_t *why)
{
    bool failed = fail_expert_b(spec, attempt, why);
    *why = failed ? PR_ERR_CONFIG : PR_OK;
    return failed;
}

START_TEST(hopeless_tries_are_not_made)
{
    static const struct {
        bool same_words;
        bool (*fails)(const json_t *, int, pr_status_t *);
        int tries;
    } cases[] = {{false, fail_expert_b, 5}, {true, fail_expert_b, 2}, {false, fail_b_config, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char results[32];
        pr_status_t end;
        pr_error_t err;
        snprintf(results, sizeof results, "hopeless%zu", i);
        pr_config_t *c = play_config(results, "retries = 4; search = { type = \"grid\"; divisions = 1; };");
        play_t p = {.workers = 2, .fails = cases[i].fails, .same_words = cases[i].same_words};
        play_all(&p, c, &end, &err);
        ck_assert_int_eq(end, cases[i].fails == fail_b_config ? PR_ERR_CONFIG : PR_ERR_INCOMPLETE);
        ck_assert_int_eq(tries_of(&p, "b-s1"), cases[i].tries);
        play_close(&p);
        pr_config_free(&c);
    }
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
    check_cost("costs", "finetune,a/s1,", "1,node1,0.625,103,2,ok");
    check_cost("costs", "finetune,c/s1,", ",,,0,0,waiting");
    ck_assert_int_eq(pr_sweep_end(q.sweep, true, &err), PR_ERR_INTERRUPTED);
    json_decref(q.running[0]);
    q.n_running = 0;
    play_close(&q);
    play_all(&r, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    play_close(&r);
    // Killed (next to nothing by the clock), stopped after 2.5 s, done in 0.5 s; step 2 was done twice: 22 for nothing.
    char *text = play_read("costs", "costs.csv"), *row = strstr(text, "finetune,b/s1,");
    int rank, tokens, attempts;
    char host[32], state[8];
    double seconds;
    ck_assert_int_eq(
        sscanf(row, "finetune,b/s1,%d,%31[^,],%lf,%d,%d,%7s", &rank, host, &seconds, &tokens, &attempts, state), 6);
    ck_assert(rank == 1 && strcmp(host, "node1") == 0 && tokens == 122 && attempts == 3 && strcmp(state, "ok") == 0);
    ck_assert_msg(seconds >= 3 && seconds < 3.5, "%g", seconds);
    free(text);
    check_cost("costs", "finetune,a/s1,", "1,node1,0.625,103,2,ok");
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
    ck_assert_int_eq(json_integer_value(json_object_get(costs, "finetune_tokens")), 103 + 122 + 100);
    ck_assert_int_eq(json_integer_value(json_object_get(costs, "evaluate_tokens")), 3 * 84);
    double tuned = json_number_value(json_object_get(costs, "finetune_seconds"));
    ck_assert_msg(tuned >= 4.125 && tuned < 4.625, "%g", tuned);
    ck_assert_double_eq(json_number_value(json_object_get(costs, "evaluate_seconds")), 0.75);
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

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_int_eq(system(command), 0);
}

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

/* Without its checkpoints a finished sweep keeps its samples; where those are damaged too, the points of the front, and
 * no others, are evaluated again. */
START_TEST(lost_checkpoints_of_a_finished_sweep)
{
    static const char grid[] = "search = { type = \"grid\"; divisions = 3; };";
    play_simple("stays-whole", grid);
    shell("cd %s && cp -r stays-whole stays && rm -r stays/checkpoints", play_dir);
    int on_front = play_count("stays-whole", "front.csv", "\n") - 1;
    ck_assert_int_gt(on_front, 3);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 0);
    shell("echo x >> %s/stays/samples.jsonl", play_dir);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), on_front);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 0);
    // One that is damaged, and one that is another job's.
    shell("cd %s/stays && rm samples.jsonl && cd checkpoints && set -- evaluate-* && cp $1 $2 && echo x >> $3",
          play_dir);
    ck_assert_int_eq(once_more("stays", "stays-whole", grid), 2);
    // More samples than were kept are had from the points again.
    shell("rm %s/stays/checkpoints/*", play_dir);
    pr_config_t *c = play_config("stays", "front_samples = 4; search = { type = \"grid\"; divisions = 3; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.evaluates, on_front);
    ck_assert_int_eq(play_count("stays", "samples.jsonl", "\n"), 4 * on_front);
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
    shell("cd %s && cp -r less-whole less && rm -r less/checkpoints less/samples.jsonl", play_dir);
    pr_config_t *c = play_config("less", grid);
    play_t p = {.workers = 2, .fails = fail_evaluations};
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    for (size_t i = 0; i < 3; i++)
        play_same("less-whole", "less", tables[i]);
    play_close(&p);
    pr_config_free(&c);
    ck_assert_int_gt(once_more("less", "less-whole", grid), 0);
    // With fidelity, lost checkpoints take points back before the end: a run that is stopped then leaves the tables.
    play_simple("race-whole", race);
    shell("cd %s && cp -r race-whole race && rm -r race/checkpoints", play_dir);
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
            ck_assert_int_eq(at.jobs_done, strcmp(at.phase, "evaluating") == 0 ? p.evaluates : p.finetunes);
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
    char *text = pr_sweep_search_table(v);
    ck_assert_ptr_nonnull(strstr(text, "  1234567  123456  "));
    ck_assert_ptr_nonnull(strstr(text, "   10000    2.5  "));
    ck_assert_ptr_null(strstr(text, "e+"));
    free(text);
    json_decref(v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *t = tcase_create("sweep");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, order_of_jobs);
    tcase_add_test(t, points_overlap_with_experts);
    tcase_add_test(t, retries_are_bounded);
    tcase_add_test(t, an_expert_that_fails);
    tcase_add_test(t, a_point_that_fails);
    tcase_add_test(t, the_environment_fails);
    tcase_add_test(t, shared_points);
    tcase_add_test(t, searches_side_by_side);
    tcase_add_test(t, several_seeds);
    tcase_add_test(t, equal_objectives);
    tcase_add_test(t, given_adapters);
    tcase_add_test(t, fidelities_are_joined);
    tcase_add_test(t, a_lost_checkpoint);
    tcase_add_test(t, points_for_the_global_front);
    tcase_add_test(t, front_and_minimised_objectives);
    tcase_add_test(t, infinite_ranges);
    tcase_add_test(t, nonsense_from_a_worker);
    tcase_add_test(t, status_follows);
    tcase_add_test(t, hopeless_tries_are_not_made);
    tcase_add_test(t, costs_over_interruptions);
    tcase_add_test(t, lost_checkpoints_of_a_finished_sweep);
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
