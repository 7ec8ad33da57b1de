// SPDX-License-Identifier: BSD-3-Clause
/* paretorank nondominated: the rows of a file of points that no other row dominates. */
#include "base/mem.h"
#include "cli/point_verbs.h"
#include "pareto/dominance.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    const char *file, *columns, *by, *maximize;
    bool rank, keep_duplicates, as_union, json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("FILE", STRING, offsetof(options_t, file), "FILE", "Points; '-' is standard input."),
    PR_ARG_DEFAULT("--maximize", STRING, offsetof(options_t, maximize), "LIST", "none", PR_MAXIMIZE_HELP),
    PR_ARG("--rank", BOOL, offsetof(options_t, rank), NULL,
           "Print every row, before it the number of its front (0: non-dominated) and a tab."),
    PR_ARG("--keep-duplicates", BOOL, offsetof(options_t, keep_duplicates), NULL,
           "Of equal rows print all, not only the first."),
    PR_POINT_ARGS(options_t),
    PR_ARG("--union", BOOL, offsetof(options_t, as_union), NULL, "Treat the sets of FILE as one."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print {\"sets\": [{\"points\": N, \"kept\": K, \"rows\": [{\"line\": L, \"values\": [...]}, ...]}, ...]}; "
           "with --rank every row, with its \"rank\". Of a table with names also \"columns\", and with --by a set's "
           "\"name\"."),
    {0},
};

const pr_command_t pr_command_nondominated = {
    .name = "nondominated",
    .synopsis = "FILE [--columns NAMES] [--by NAMES] [--maximize LIST] [--rank] [--keep-duplicates] [--union] [--json]",
    .summary = "Print the non-dominated rows of each set of points as they are written, in their order.",
    .help = "Of a table with names its heading is printed too, so that what is printed is such a "
            "table.\n" PR_POINT_FILE_HELP,
    .args = args,
};

/* What was found for the rows [first, first + n) of one set. */
typedef struct verdicts {
    size_t first, n, kept;
    bool *keep;
    uint32_t *rank; // NULL unless asked for
} verdicts_t;

static verdicts_t judge(const options_t *o, const double *oriented, int m, size_t first, size_t n)
{
    verdicts_t v = {.first = first, .n = n, .keep = pr_alloc(n, sizeof *v.keep)};
    const double *rows = oriented + first * (size_t)m;
    v.kept = pr_nondominated(rows, n, m, o->keep_duplicates, v.keep);
    if (o->rank) {
        v.rank = pr_alloc(n, sizeof *v.rank);
        pr_nondominated_rank(rows, n, m, v.rank);
    }
    return v;
}

/* What is printed of a table is one, too. */
static void print_heading(const options_t *o, const pr_points_t *p)
{
    if (o->rank)
        fputs("rank\t", stdout);
    fwrite(p->text + p->heading.offset, 1, p->heading.len, stdout);
    putchar('\n');
}

static void print_rows(const pr_points_t *p, const verdicts_t *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const pr_points_row_t *row = p->rows + v->first + i;
        if (v->rank)
            printf("%u\t", v->rank[i]);
        else if (!v->keep[i])
            continue;
        fwrite(p->text + row->offset, 1, row->len, stdout);
        putchar('\n');
    }
}

static json_t *json_of_rows(const pr_points_t *p, const verdicts_t *v)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < v->n; i++) {
        if (!v->rank && !v->keep[i])
            continue;
        size_t at = v->first + i;
        json_t *values = pr_point_json_numbers(p->values + at * (size_t)p->m, (size_t)p->m);
        json_t *row = json_pack("{sIso}", "line", (json_int_t)p->rows[at].line, "values", values);
        if (v->rank)
            json_object_set_new(row, "rank", json_integer(v->rank[i]));
        json_array_append_new(rows, row);
    }
    return json_pack("{sIsIso}", "points", (json_int_t)v->n, "kept", (json_int_t)v->kept, "rows", rows);
}

static void report(const options_t *o, const pr_points_t *p, const double *oriented)
{
    json_t *sets = o->json ? json_array() : NULL;
    if (!sets && p->column)
        print_heading(o, p);
    for (size_t s = 0; s < p->n_sets; s++) {
        verdicts_t v = judge(o, oriented, p->m, p->start[s], p->start[s + 1] - p->start[s]);
        if (!sets && s > 0 && !p->column)
            putchar('\n');
        if (sets) {
            json_t *set = json_of_rows(p, &v);
            pr_point_json_name(p, s, set);
            json_array_append_new(sets, set);
        } else
            print_rows(p, &v);
        free(v.keep);
        free(v.rank);
    }
    if (!sets)
        return;
    json_t *all = json_pack("{so}", "sets", sets);
    pr_point_json_columns(p, all);
    pr_point_print_json(all);
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_points_t points = {0};
    double *signs = NULL;
    PR_TRY(pr_points_load_named(o->file, o->columns, o->by, &points, err));
    pr_status_t status = pr_points_directions(o->maximize, points.m, points.column, &signs, err);
    if (status == PR_OK) {
        if (o->as_union)
            pr_points_unite(&points);
        double *oriented = pr_alloc(points.n * (size_t)points.m, sizeof *oriented);
        pr_points_orient(points.values, points.n, points.m, signs, oriented);
        report(o, &points, oriented);
        free(oriented);
        free(signs);
    }
    pr_points_free(&points);
    return status;
}

int pr_cmd_nondominated(int argc, char **argv)
{
    options_t o = {0};
    int code = 0;
    if (!pr_cli_parse(&pr_command_nondominated, argc, argv, &o, &code))
        return code;
    pr_error_t err;
    return run(&o, &err) == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
