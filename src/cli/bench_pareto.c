// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench pareto: how fast the filter and the hypervolume are on this machine. */
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/point_verbs.h"
#include "pareto/dominance.h"
#include "pareto/hv_estimate.h"
#include "pareto/hypervolume.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    bool quick, json;
    const char *points;
} options_t;

static const pr_option_t args[] = {
    PR_ARG("--quick", BOOL, offsetof(options_t, quick), NULL, "Fewer runs of each (3 instead of 15)."),
    PR_ARG("--points", STRING, offsetof(options_t, points), "DIR",
           "Also write the points of each row to DIR (which exists), one file per row, so that another program can be "
           "timed on them."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print {\"rows\": [{\"task\", \"shape\", \"objectives\", \"points\", \"runs\", \"seconds\", \"result\"}, "
           "...]}."),
    {0},
};

const pr_command_t pr_command_bench_pareto = {
    .name = "bench pareto",
    .synopsis = "[--quick] [--points DIR] [--json]",
    .summary = "Measure the non-dominated filter and the hypervolume on random points: median seconds of several runs.",
    .help = "Points are minimised. 'cube': uniform in the unit cube; 'linear' and 'sphere': random points of the front "
            "where the coordinates, or their squares, sum to 1, so all are non-dominated. The reference is 1 in each "
            "objective. 'estimate': until its error is 0.2 % at most.",
    .args = args,
};

typedef enum { CUBE, LINEAR, SPHERE } shape_t;
static const char *const SHAPES[] = {"cube", "linear", "sphere"};

typedef enum { FILTER, HYPERVOLUME, ESTIMATE } task_t;
static const char *const TASKS[] = {"filter", "hypervolume", "estimate"};

typedef struct bench_row {
    task_t task;
    shape_t shape;
    size_t n, m;
    size_t runs;
    double seconds; // median
    double result;  // the hypervolume, or how many points were kept
} bench_row_t;

static double coordinate(const pr_rng_key_t *key, shape_t shape, size_t i, size_t k)
{
    double u = pr_rng_uniform(key, i, k, 0, 0);
    return shape == LINEAR ? -log(u) : shape == SPHERE ? fabs(pr_rng_normal(key, i, k, 0, 0)) : u;
}

/* points [n,m], to be minimised. Caller frees. */
static double *make_points(const bench_row_t *row)
{
    pr_rng_key_t key = pr_rng_key(1, "bench pareto", SHAPES[row->shape]);
    double *points = pr_alloc(row->n * row->m, sizeof *points);
    for (size_t i = 0; i < row->n; i++) {
        double *p = points + i * row->m;
        double norm = 0;
        for (size_t k = 0; k < row->m; k++) {
            p[k] = coordinate(&key, row->shape, i, k);
            norm += row->shape == SPHERE ? p[k] * p[k] : p[k];
        }
        for (size_t k = 0; k < row->m && row->shape != CUBE; k++)
            p[k] /= row->shape == SPHERE ? sqrt(norm) : norm;
    }
    return points;
}

static const double ESTIMATE_ERROR = 0.002;

static double run_once(const bench_row_t *row, const double *points, const double *reference, bool *kept)
{
    pr_hv_estimate_t e = {0};
    switch (row->task) {
    case FILTER:
        return (double)pr_nondominated(points, row->n, (int)row->m, false, kept);
    case HYPERVOLUME:
        return pr_hypervolume(points, row->n, (int)row->m, reference);
    default:
        pr_hv_estimate(points, row->n, (int)row->m, reference, ESTIMATE_ERROR, INFINITY, NULL, NULL, &e);
        return e.volume;
    }
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The library maximises, so the points are negated first, which is not timed. */
static void measure(bench_row_t *row, double *points)
{
    double *reference = pr_alloc(row->m, sizeof *reference);
    for (size_t k = 0; k < row->m; k++)
        reference[k] = -1;
    for (size_t i = 0; i < row->n * row->m; i++)
        points[i] = -points[i];
    bool *kept = pr_alloc(row->n, sizeof *kept);
    double *seconds = pr_alloc(row->runs, sizeof *seconds);
    run_once(row, points, reference, kept); // the first run pays for cold caches
    for (size_t r = 0; r < row->runs; r++) {
        double start = pr_time_monotonic();
        row->result = run_once(row, points, reference, kept);
        seconds[r] = pr_time_monotonic() - start;
    }
    qsort(seconds, row->runs, sizeof *seconds, by_value);
    row->seconds = seconds[row->runs / 2];
    free(seconds);
    free(kept);
    free(reference);
}

static pr_status_t write_points(const char *dir, const bench_row_t *row, const double *points, pr_error_t *err)
{
    char name[96];
    snprintf(name, sizeof name, "%s-%s-%zud-%zu.txt", TASKS[row->task], SHAPES[row->shape], row->m, row->n);
    char *path = pr_path_join(dir, name);
    pr_buf_t text = {0};
    for (size_t i = 0; i < row->n * row->m; i++)
        pr_buf_printf(&text, "%.17g%c", points[i], (i + 1) % row->m ? ' ' : '\n');
    pr_status_t status = pr_file_write(path, text.data, text.len, err);
    pr_buf_free(&text);
    free(path);
    return status;
}

static void print_row(const bench_row_t *row)
{
    char rate[40] = "";
    if (row->task == FILTER)
        snprintf(rate, sizeof rate, "%.0f points/s", (double)row->n / row->seconds);
    printf("%-12s %-7s %zu-D %7zu points %12.6f s  %-20s %s %.15g\n", TASKS[row->task], SHAPES[row->shape], row->m,
           row->n, row->seconds, rate, row->task == FILTER ? "kept" : "volume", row->result);
}

static json_t *json_of_row(const bench_row_t *row)
{
    return json_pack("{sssssIsIsIsoso}", "task", TASKS[row->task], "shape", SHAPES[row->shape], "objectives",
                     (json_int_t)row->m, "points", (json_int_t)row->n, "runs", (json_int_t)row->runs, "seconds",
                     pr_json_real(row->seconds), "result", pr_json_real(row->result));
}

int pr_bench_pareto(int argc, char **argv)
{
    static const bench_row_t ROWS[] = {
        {FILTER, CUBE, 100000, 3, 0, 0, 0},       {FILTER, LINEAR, 100000, 3, 0, 0, 0},
        {FILTER, CUBE, 10000, 6, 0, 0, 0},        {FILTER, LINEAR, 10000, 6, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 1000, 3, 0, 0, 0},  {HYPERVOLUME, SPHERE, 1000, 3, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 10000, 3, 0, 0, 0}, {HYPERVOLUME, SPHERE, 10000, 3, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 500, 4, 0, 0, 0},   {HYPERVOLUME, SPHERE, 500, 4, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 200, 5, 0, 0, 0},   {HYPERVOLUME, SPHERE, 200, 5, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 100, 8, 0, 0, 0},   {HYPERVOLUME, SPHERE, 100, 8, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 40, 12, 0, 0, 0},   {HYPERVOLUME, SPHERE, 40, 12, 0, 0, 0},
        {HYPERVOLUME, LINEAR, 25, 16, 0, 0, 0},   {HYPERVOLUME, SPHERE, 25, 16, 0, 0, 0},
        {ESTIMATE, LINEAR, 100, 8, 0, 0, 0},      {ESTIMATE, SPHERE, 330, 8, 0, 0, 0},
        {ESTIMATE, SPHERE, 330, 12, 0, 0, 0},     {ESTIMATE, SPHERE, 136, 16, 0, 0, 0},
    };
    options_t o = {0};
    int code = 0;
    if (!pr_cli_parse(&pr_command_bench_pareto, argc, argv, &o, &code))
        return code;
    pr_error_t err;
    pr_status_t status = PR_OK;
    json_t *rows = json_array();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS && status == PR_OK; i++) {
        bench_row_t row = ROWS[i];
        row.runs = o.quick ? 3 : 15;
        double *points = make_points(&row);
        if (o.points)
            status = write_points(o.points, &row, points, &err);
        measure(&row, points);
        free(points);
        json_array_append_new(rows, json_of_row(&row));
        if (!o.json)
            print_row(&row);
    }
    if (o.json && status == PR_OK)
        pr_point_print_json(json_pack("{sO}", "rows", rows));
    json_decref(rows);
    return status == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
