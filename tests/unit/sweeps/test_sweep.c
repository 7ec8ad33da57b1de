// SPDX-License-Identifier: BSD-3-Clause
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

/* Experts first, then the base model and the experts alone, then the points in canonical order; every job once. */
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
                                         "states (0,0,0)",
                                         "states (0,0,1)",
                                         "states (0,1,0)",
                                         "states (1,0,0)",
                                         "states (0,1/2,1/2)",
                                         "states (1/2,0,1/2)",
                                         "states (1/2,1/2,0)"};
    ck_assert_uint_eq(json_array_size(p.log), sizeof labels / sizeof *labels);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        ck_assert_str_eq(json_string_value(json_array_get(p.log, i)), labels[i]);
    ck_assert_int_eq(play_count("order", "cells.csv", "\n"), 1 + 6 + 4);
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
    ck_assert(play_take(&p, &next)); // the base model needs none
    ck_assert_int_eq(position(&p, "states (0,0,0)"), 3);
    ck_assert(!play_take(&p, &next)); // no expert is there
    ck_assert_int_eq(next, PR_NEXT_WAIT);
    ck_assert_int_eq(play_end_job(&p, 3, &err), PR_OK);
    ck_assert(!play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 1, &err), PR_OK); // the expert of b
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(position(&p, "states (0,1,0)"), 4);
    ck_assert(!play_take(&p, &next)); // the other corners lack theirs
    ck_assert_int_eq(next, PR_NEXT_WAIT);
    ck_assert_int_eq(play_end_job(&p, 2, &err), PR_OK); // the point; nothing comes free by it
    ck_assert(!play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK); // the expert of a
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(position(&p, "states (1,0,0)"), 5);
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

static bool first_sample(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)spec;
    *why = attempt == 1 ? PR_ERR_FIRST_SAMPLE : PR_OK;
    return *why != PR_OK;
}

static bool first_sample_of_b(const json_t *spec, int attempt, pr_status_t *why)
{
    bool b = strcmp(json_string_value(json_object_get(spec, "label")), "states (0,1,0)") == 0;
    *why = b && attempt == 1 ? PR_ERR_FIRST_SAMPLE : PR_OK;
    return *why != PR_OK;
}

/* An objective that fails on its first sample is not tried again while none has scored any; once they have, it is a matter
 * of that rank. */
START_TEST(first_samples)
{
    for (int late = 0; late < 2; late++) {
        pr_config_t *c =
            play_config(late ? "first-late" : "first", "retries = 3; search = { type = \"grid\"; divisions = 1; };");
        play_t p = {.workers = 1, .fails = late ? first_sample_of_b : first_sample};
        pr_status_t end;
        pr_error_t err;
        const char *results = late ? "first-late" : "first";
        play_all(&p, c, &end, &err);
        ck_assert_int_eq(end, late ? PR_OK : PR_ERR_INCOMPLETE);
        ck_assert_int_eq(play_count(results, "journal.jsonl", "\"retry\":true"), late);
        ck_assert_int_gt(play_count(results, "journal.jsonl", "\"reason\":\"first-sample\""), 0);
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
    ck_assert_int_eq(p.trains, 2);
    ck_assert_int_eq(p.evaluates, 3 + 1); // (1,0,0), (1/2,0,1/2), (0,0,1), the base model
    ck_assert_int_eq(play_count("expert-fails", "cells.csv", "\nstates,"), 3);
    ck_assert_int_eq(play_count("expert-fails", "cells.csv", "\nbase,"), 3); // all but the expert of b
    ck_assert_int_eq(play_count("expert-fails", "metrics.json", "\"numeric\""), 1);
    play_close(&p);
    // The same sweep again, with the cause gone, does what is missing and no more.
    play_t q = {.workers = 2};
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(q.trains, 1);
    ck_assert_int_eq(q.evaluates, 3);
    play_close(&q);
    pr_config_free(&c);
    play_simple("expert-works", "retries = 1; search = { type = \"grid\"; divisions = 2; };");
    play_same("expert-works", "expert-fails", "cells.csv");
}
END_TEST

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
    ck_assert_int_eq(p.evaluates, 15 + 1); // the experts alone are points of both
    ck_assert_int_eq(play_count("shared", "cells.csv", "\n"), 31 + 4);
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
            if (commas != 15) // ...,prompts,new_tokens,cut,front,point,job
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
    ck_assert_int_eq(p.trains, 6);
    ck_assert_int_eq(p.evaluates, 12 + 1);
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nbase,4,"), 4); // the base model once
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nbase,9,"), 3);
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nstates,4,"), 6);
    ck_assert_int_eq(play_count("seeds", "cells.csv", "\nstates,9,"), 6);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* Objectives that are the same in all but name share a training, which both names lead to, and none waits for ever. */
START_TEST(equal_objectives)
{
    pr_config_t *c = play_config("equal", "objectives = ( { name = \"x\"; type = \"brevity\"; }, { name = \"y\"; type "
                                          "= \"brevity\"; } ); search = { type = \"grid\"; divisions = 2; };");
    play_t p = {.workers = 4};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_int_eq(p.trains, 1);
    ck_assert_int_eq(p.evaluates, 2 + 1); // at the corners the policy is the same
    char hash[2][PR_HASH_HEX];
    for (int k = 0; k < 2; k++) {
        char *dir = pr_sweep_expert_dir(c, pr_sweep_dir(p.sweep), k, 1);
        ck_assert_ptr_nonnull(strstr(dir, k ? "experts/y-s1" : "experts/x-s1"));
        ck_assert_msg(pr_adapter_hash(dir, hash[k], &err) == PR_OK, "%s", err.text);
        free(dir);
    }
    ck_assert_str_eq(hash[0], hash[1]);
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
    ck_assert_int_eq(p.trains, 0);
    ck_assert_int_eq(p.evaluates, 5 + 1);
    ck_assert_int_eq(play_count("given", "cells.csv", "\nbase,"), 3); // nothing depends on the seed
    play_close(&p);
    // Another adapter for y: the point that does not weigh y stays as it is.
    play_adapter(path, "another b");
    play_t q = {.workers = 4};
    ck_assert_int_eq(play_open(&q, c, &err), PR_ERR_CONFIG);
    ck_assert_msg(strstr(err.text, "objectives.y.adapter: its content → another"), "%s", err.text);
    play_close(&q);
    q = (play_t){.workers = 4, .replace = true};
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

/* A record that a search of fidelities needs is made again when it has gone. */
START_TEST(a_lost_record)
{
    static const char more[] = "search = { type = \"grid\"; divisions = 2; fidelity = [3, 12]; };";
    char command[160];
    play_simple("lost", more);
    play_simple("kept", more);
    snprintf(command, sizeof command, "rm $(ls %s/lost/evaluations/* | head -n 2)", play_dir);
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

/* Of cells.csv: means and the mark of the front of each row of a search. */
static size_t read_front(const char *results, double *mean, bool *front, size_t max)
{
    char *text = play_read(results, "cells.csv"), *save = NULL;
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *inner = NULL;
        int i = 0;
        if (strncmp(line, "search,", 7) == 0 || strncmp(line, "base,", 5) == 0)
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

/* The reference point of metrics.json in an objective. */
static double reference_of(const char *results, const char *objective)
{
    char *text = play_read(results, "metrics.json");
    json_t *m = NULL;
    pr_error_t err;
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "metrics", &m, &err), PR_OK);
    double volume = json_number_value(json_object_get(json_object_get(m, "all"), "hypervolume")),
           reference = json_number_value(json_object_get(json_object_get(m, "reference_point"), objective));
    ck_assert(isfinite(volume) && volume > 0);
    json_decref(m);
    free(text);
    return reference;
}

/* A sweep in which b declares no range. */
static void run_without_range(const char *results, const char *more)
{
    double lo[PR_MAX_OBJECTIVES] = {0, -INFINITY, 0}, hi[PR_MAX_OBJECTIVES] = {1, INFINITY, 1};
    pr_config_t *c = play_config(results, more);
    play_t p = {.config = c, .workers = 1, .log = json_array(), .attempts = json_object()};
    pr_error_t err;
    ck_assert_int_eq(pr_inputs_read(c, &p.inputs, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_open(c, &p.inputs, 1, lo, hi, NULL, false, &p.sweep, &err), PR_OK);
    play_run(&p);
    ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    play_close(&p);
    pr_config_free(&c);
}

/* Where an objective declares no worst value, hypervolumes are measured from what 5 % of the base model's responses stay
 * below; without a base model, from the worst mean that was found. */
START_TEST(infinite_ranges)
{
    char more[256];
    double mean[30], least = INFINITY, w[3] = {0}, score[PLAY_PROMPTS];
    bool front[10];
    run_without_range("infinite", edges);
    for (int i = 0; i < PLAY_PROMPTS; i++) {
        score[i] = play_score(w, 3, 1, i);
        for (int j = i; j > 0 && score[j] < score[j - 1]; j--) {
            double swap = score[j];
            score[j] = score[j - 1];
            score[j - 1] = swap;
        }
    }
    double at = 0.05 * (PLAY_PROMPTS - 1), low = score[0] + at * (score[1] - score[0]); // at < 1
    ck_assert_double_eq(reference_of("infinite", "a"), 0);
    ck_assert_double_eq_tol(reference_of("infinite", "b"), low, 1e-15);
    ck_assert_int_eq(play_count("infinite", "journal.jsonl", "\"event\":\"base\""), 1);
    snprintf(more, sizeof more, "base = false; %s", edges);
    run_without_range("infinite-alone", more);
    size_t n = read_front("infinite-alone", mean, front, 10);
    for (size_t i = 0; i < n; i++)
        least = fmin(least, mean[3 * i + 1]);
    ck_assert_double_eq(reference_of("infinite-alone", "b"), least);
    ck_assert_int_eq(play_count("infinite-alone", "cells.csv", "\nbase,"), 0);
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

int main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *t = tcase_create("sweep");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, order_of_jobs);
    tcase_add_test(t, points_overlap_with_experts);
    tcase_add_test(t, retries_are_bounded);
    tcase_add_test(t, first_samples);
    tcase_add_test(t, an_expert_that_fails);
    tcase_add_test(t, a_point_that_fails);
    tcase_add_test(t, the_environment_fails);
    tcase_add_test(t, shared_points);
    tcase_add_test(t, searches_side_by_side);
    tcase_add_test(t, several_seeds);
    tcase_add_test(t, equal_objectives);
    tcase_add_test(t, given_adapters);
    tcase_add_test(t, fidelities_are_joined);
    tcase_add_test(t, a_lost_record);
    tcase_add_test(t, points_for_the_global_front);
    tcase_add_test(t, front_and_minimised_objectives);
    tcase_add_test(t, infinite_ranges);
    tcase_add_test(t, nonsense_from_a_worker);
    tcase_add_test(t, hopeless_tries_are_not_made);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
