// SPDX-License-Identifier: BSD-3-Clause
/* paretorank front: the non-dominated points of a sweep, with what their policies said. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/front_select.h"
#include "config/config.h"
#include "report/samples.h"
#include "report/table.h"
#include "report/text.h"
#include "store/results.h"
#include "sweeps/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *dir, *sort;
    int rows;
    bool json, csv, ids, knee;
    pr_texts_t where;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, dir), "DIR", "The results directory."),
    PR_ARG_DEFAULT("--rows", INT, offsetof(options_t, rows), "N", "0", "Rows of the table at most; 0: all.", .min = 0,
                   .max = 1000000),
    PR_ARG("--where", STRINGS, offsetof(options_t, where), "CONDITION",
           "Only points for which it holds, such as 'empathy >= 0.5': a column of front.csv (an objective, w_ or se_ "
           "before one, seed, level, prompts, new_tokens, cut, search), one of < <= > >= = !=, and a value. May be "
           "repeated; all must hold."),
    PR_ARG("--sort", STRING, offsetof(options_t, sort), "COLUMN",
           "In the order of such a column: an objective's best first, of others the largest."),
    PR_ARG(
        "--knee", BOOL, offsetof(options_t, knee), NULL,
        "Only the knee: of the points that are left, the one furthest above the hyperplane through the extremes of the "
        "whole front, every objective scaled to the front's range (Das 1999; Zhang, Tian and Jin 2015). Where the "
        "extremes span none, the hyperplane of equal weights, which is told."),
    PR_ARG("--ids", BOOL, offsetof(options_t, ids), NULL, "Print the points' ids alone, one per line."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print front.json; of chosen points, these alone."),
    PR_ARG("--csv", BOOL, offsetof(options_t, csv), NULL, "Print front.csv; of chosen points, these alone."),
    {0},
};

const pr_command_t pr_command_front = {
    .name = "front",
    .synopsis = "DIR [--where CONDITION]... [--sort COLUMN] [--knee] [--rows N] [--ids | --json | --csv]",
    .summary = "Print a sweep's Pareto front: weights, objectives with standard errors, a sample response.",
    .help =
        "On the front are the points that no other dominates (is at least as good in every objective and better in "
        "one); of several points with equal values all are. Below it stand the base model (weights 0) and each "
        "expert alone, for comparison. Of one prompt there is no standard error: a dash, an "
        "empty field in CSV, null in JSON. The column point begins the points' ids, which `export --point`, `generate "
        "--point` and `evaluate --points` take; with --where or --knee the rows beside the front are left out. Shown "
        "is what the sweep "
        "wrote: a table whose hash is not the journal's is an error. While a sweep runs, or when it was killed, it is "
        "the front of the points so far, without samples.",
    .args = args,
};

/* ---- front.json ---- */

enum { MAX_ROWS = 16, STRIDE = MAX_ROWS + 2 };

// A table that points into the JSON and into buffers of its own.
typedef struct front {
    json_t *root, *points; // the points of the front, then the base model and the experts alone
    const char *name[PR_MAX_OBJECTIVES];
    double *numbers; // [n][STRIDE * K + 2 reported]: means, standard errors, rows of weights; those reported
    pr_table_point_t *point;
    const char **sample; // [n], NULL where there is none; into samples
    json_t *samples;     // array of the lines of samples.jsonl
    pr_table_t table;
} front_t;

static void front_clear(front_t *f)
{
    json_decref(f->root);
    json_decref(f->points);
    json_decref(f->samples);
    free(f->numbers);
    free(f->point);
    free(f->sample);
}

// The names of a list, after the n that there are. *added: how many.
static pr_status_t add_names(front_t *f, const char *path, const char *key, size_t n, size_t least, size_t *added,
                             pr_error_t *err)
{
    const json_t *names = json_object_get(f->root, key);
    *added = json_array_size(names);
    if (*added < least || *added > PR_MAX_OBJECTIVES - n)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %s: expected a list of %zu to %zu names", path, key, least,
                       PR_MAX_OBJECTIVES - n);
    for (size_t i = 0; i < *added; i++) {
        f->name[n + i] = json_string_value(json_array_get(names, i));
        if (!f->name[n + i])
            return pr_fail(err, PR_ERR_FORMAT, "%s: %s: element %zu: found %s, expected a string", path, key, i,
                           pr_json_type_name(json_array_get(names, i)));
    }
    return PR_OK;
}

static pr_status_t read_names(front_t *f, const char *path, pr_error_t *err)
{
    size_t k, reported;
    PR_TRY(add_names(f, path, "objectives", 0, 1, &k, err));
    PR_TRY(add_names(f, path, "reported", k, 0, &reported, err));
    f->table = (pr_table_t){.k = (int)k, .objective = f->name, .n_report = (int)reported, .report = f->name + k};
    return PR_OK;
}

// {"a": 1, "b": 2} -> out [K]; null stands for a number that JSON does not have.
static pr_status_t read_numbers(const char *const *name, int n, const json_t *object, const char *key,
                                const char *where, double *out, pr_error_t *err)
{
    for (int i = 0; i < n; i++) {
        const json_t *v = json_object_get(object, name[i]);
        if (!v || (!json_is_number(v) && !json_is_null(v)))
            return pr_fail(err, PR_ERR_FORMAT, "%s: %s: '%s': found %s, expected a number", where, key, name[i],
                           pr_json_type_name(v));
        out[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    return PR_OK;
}

// An object, or a list of them, one per block of layers.
static pr_status_t read_weights(const front_t *f, const json_t *weights, const char *where, double *out, int *rows,
                                pr_error_t *err)
{
    *rows = json_is_array(weights) ? (int)json_array_size(weights) : 1;
    if (*rows < 1 || *rows > MAX_ROWS)
        return pr_fail(err, PR_ERR_FORMAT, "%s: weights: found a list of %d, expected 1 to %d", where, *rows, MAX_ROWS);
    for (int r = 0; r < *rows; r++)
        PR_TRY(read_numbers(f->name, f->table.k, json_is_array(weights) ? json_array_get(weights, (size_t)r) : weights,
                            "weights", where, out + r * f->table.k, err));
    return PR_OK;
}

static pr_status_t read_point(front_t *f, size_t i, bool base, const char *where, pr_error_t *err)
{
    const json_t *point = json_array_get(f->points, i);
    size_t k = (size_t)f->table.k;
    int n_k = f->table.k, n_r = f->table.n_report, rows;
    double *x = f->numbers + i * (STRIDE * k + 2 * (size_t)n_r), *r = x + STRIDE * k;
    const json_t *mean = json_object_get(point, "mean"), *se = json_object_get(point, "se");
    int64_t seed, level, prompts, tokens;
    const char *search, *id;
    double cut;
    if (!json_is_object(point))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object", where, pr_json_type_name(point));
    PR_TRY(read_numbers(f->name, n_k, mean, "mean", where, x, err));
    PR_TRY(read_numbers(f->name, n_k, se, "se", where, x + k, err));
    PR_TRY(read_weights(f, json_object_get(point, "weights"), where, x + 2 * k, &rows, err));
    PR_TRY(read_numbers(f->table.report, n_r, mean, "mean", where, r, err));
    PR_TRY(read_numbers(f->table.report, n_r, se, "se", where, r + n_r, err));
    PR_TRY(pr_json_get_string(point, "search", "", &search, where, err));
    PR_TRY(pr_json_get_int(point, "seed", 0, &seed, where, err));
    PR_TRY(pr_json_get_int(point, "level", 0, &level, where, err));
    PR_TRY(pr_json_get_int(point, "prompts", 0, &prompts, where, err));
    PR_TRY(pr_json_get_int(point, "tokens", 0, &tokens, where, err));
    PR_TRY(pr_json_get_real(point, "cut", NAN, &cut, where, err));
    PR_TRY(pr_json_get_string(point, "point", "", &id, where, err));
    f->point[i] = (pr_table_point_t){.id = id,
                                     .search = search,
                                     .seed = (int)seed,
                                     .level = (int)level,
                                     .rows = rows,
                                     .w = x + 2 * k,
                                     .params = json_object_get(point, "params"),
                                     .mean = x,
                                     .se = x + k,
                                     .reported = r,
                                     .reported_se = r + n_r,
                                     .n_prompts = (int)prompts,
                                     .tokens = (long)tokens,
                                     .cut = cut,
                                     .job = "",
                                     .front = !base,
                                     .base = base};
    return PR_OK;
}

static pr_status_t read_front(const char *path, front_t *f, pr_error_t *err)
{
    PR_TRY(pr_json_load(path, (size_t)1 << 30, &f->root, err));
    PR_TRY(read_names(f, path, err));
    json_t *points = json_object_get(f->root, "points"), *base = json_object_get(f->root, "base");
    if (!json_is_array(points))
        return pr_fail(err, PR_ERR_FORMAT, "%s: points: found %s, expected an array", path, pr_json_type_name(points));
    if (base && !json_is_array(base)) // there is none in one of an earlier version
        return pr_fail(err, PR_ERR_FORMAT, "%s: base: found %s, expected an array", path, pr_json_type_name(base));
    f->points = json_copy(points);
    json_array_extend(f->points, base);
    size_t n = json_array_size(f->points), n_front = json_array_size(points);
    f->numbers = pr_alloc(n * (STRIDE * (size_t)f->table.k + 2 * (size_t)f->table.n_report), sizeof *f->numbers);
    f->point = pr_alloc(n, sizeof *f->point);
    f->sample = pr_alloc(n, sizeof *f->sample);
    pr_buf_t where = {0};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        where.len = 0;
        pr_buf_printf(&where, "%s: %s %zu", path, i < n_front ? "point" : "base", i < n_front ? i : i - n_front);
        status = read_point(f, i, i >= n_front, where.data, err);
    }
    pr_buf_free(&where);
    f->table.point = f->point;
    f->table.n = n;
    f->table.n_searches = (int)json_array_size(json_object_get(f->root, "searches")); // 0 in one of an earlier version
    f->table.n_seeds = (int)json_array_size(json_object_get(f->root, "seeds"));
    return status;
}

/* ---- samples.jsonl ---- */

// The first sample of every point. Lines stand in the order of the points, so looking on from the last one suffices
// most of the time.
static void match_samples(front_t *f)
{
    size_t n = json_array_size(f->samples), from = 0;
    for (size_t i = 0; i < f->table.n; i++)
        for (size_t j = 0; j < n && !f->sample[i]; j++) {
            const json_t *line = json_array_get(f->samples, (from + j) % n);
            if (!pr_sample_belongs(line, json_array_get(f->points, i)))
                continue;
            f->sample[i] = json_string_value(json_object_get(line, "response"));
            from = (from + j) % n;
            break;
        }
}

// A front can be shown without samples, so a missing file is none; a damaged one is an error.
static pr_status_t read_samples(const char *path, front_t *f, pr_error_t *err)
{
    char *text;
    size_t len;
    if (!pr_file_exists(path))
        return PR_OK;
    PR_TRY(pr_file_read(path, (size_t)1 << 30, &text, &len, err));
    f->samples = json_array();
    pr_buf_t where = {0};
    pr_status_t status = PR_OK;
    int line = 1;
    for (size_t i = 0; i < len && status == PR_OK; line++) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t n = end ? (size_t)(end - text) - i : len - i;
        json_t *v = NULL;
        where.len = 0;
        pr_buf_printf(&where, "%s:%d", path, line);
        if (n > 0)
            status = pr_json_parse(text + i, n, where.data, &v, err);
        if (v)
            json_array_append_new(f->samples, v);
        i += n + 1;
    }
    pr_buf_free(&where);
    free(text);
    if (status == PR_OK)
        match_samples(f);
    return status;
}

/* ---- the verb ---- */

static pr_status_t print_file(const char *path, pr_error_t *err)
{
    char *text;
    size_t len;
    PR_TRY(pr_file_read(path, (size_t)1 << 30, &text, &len, err));
    fwrite(text, 1, len, stdout);
    free(text);
    return PR_OK;
}

/* ---- what is chosen ---- */

static bool chooses(const options_t *o)
{
    return o->where.n > 0 || o->sort || o->knee;
}

/* Which objectives are better small: as the sweep says. */
static pr_status_t read_directions(const options_t *o, const front_t *f, bool *minimize, pr_error_t *err)
{
    char *path = pr_results_path(o->dir, PR_FILE_CONFIG);
    pr_config_t *c = NULL;
    pr_status_t status = pr_config_read(path, NULL, 0, &c, err);
    for (int k = 0; k < f->table.k && status == PR_OK; k++) {
        int j = 0;
        while (j < c->n_objectives && strcmp(c->objective[j].name, f->name[k]) != 0)
            j++;
        if (j < c->n_objectives)
            minimize[k] = c->objective[j].minimize;
        else
            status = pr_fail(err, PR_ERR_FORMAT, "%s: no objective \"%s\", which the front has", path, f->name[k]);
    }
    pr_config_free(&c);
    free(path);
    return status;
}

/* Rows as they are to be shown, in their order. */
static void arrange(front_t *f, const size_t *index, size_t n)
{
    pr_table_point_t *point = pr_alloc(f->table.n, sizeof *point);
    const char **sample = pr_alloc(f->table.n, sizeof *sample);
    json_t *points = json_array();
    for (size_t i = 0; i < n; i++) {
        point[i] = f->point[index[i]];
        sample[i] = f->sample[index[i]];
        json_array_append(points, json_array_get(f->points, index[i]));
    }
    free(f->point);
    free(f->sample);
    json_decref(f->points);
    f->point = point;
    f->sample = sample;
    f->points = points;
    f->table.point = point;
    f->table.n = n;
}

static pr_status_t choose(const options_t *o, front_t *f, pr_error_t *err)
{
    pr_front_wish_t wish = {&o->where, o->sort, o->knee};
    bool minimize[PR_MAX_OBJECTIVES] = {false}, spanned = true;
    size_t n, *index = pr_alloc(f->table.n, sizeof *index);
    double distance = 0;
    pr_status_t status;
    PR_GO(read_directions(o, f, minimize, err));
    PR_GO(pr_front_select(&f->table, minimize, &wish, index, &n, &distance, &spanned, err));
    if (n == 0)
        pr_log(PR_LOG_WARN, "no point of the front fulfils --where");
    else if (o->knee)
        pr_log(PR_LOG_INFO, "the knee: %.3g above the hyperplane %s, of objectives scaled to the front's range",
               distance,
               spanned ? "through the front's extremes" : "of equal weights, as the front's extremes span none");
    arrange(f, index, n);
done:
    free(index);
    return status;
}

/* ---- what is printed ---- */

static void print_ids(const front_t *f)
{
    for (size_t i = 0; i < f->table.n; i++)
        if (!f->point[i].base)
            printf("%s\n", f->point[i].id);
}

/* As front.json, of the chosen points. */
static void print_chosen(const front_t *f)
{
    json_t *points = json_array(), *base = json_array();
    for (size_t i = 0; i < f->table.n; i++)
        json_array_append(f->point[i].base ? base : points, json_array_get(f->points, i));
    json_t *v = json_pack("{s:O, s:o, s:o}", "objectives", json_object_get(f->root, "objectives"), "points", points,
                          "base", base);
    pr_buf_t b = {0};
    pr_text_json(&b, v, 2);
    printf("%s\n", b.data);
    pr_buf_free(&b);
    json_decref(v);
}

/* The lines of front.csv, which stand in the order of front.json, of the chosen points. */
static pr_status_t print_lines(const char *path, const front_t *f, pr_error_t *err)
{
    char *text;
    size_t len, n = 0;
    const json_t *all = json_object_get(f->root, "points");
    PR_TRY(pr_file_read(path, (size_t)1 << 30, &text, &len, err));
    const char **line = pr_alloc(json_array_size(all) + 2, sizeof *line);
    for (char *at = text; *at && n < json_array_size(all) + 2;
         at = strchr(at, '\n') ? strchr(at, '\n') + 1 : text + len)
        line[n++] = at;
    pr_status_t status =
        n == json_array_size(all) + 1
            ? PR_OK
            : pr_fail(err, PR_ERR_FORMAT, "%s: found other points than those of " PR_FILE_FRONT_JSON, path);
    if (status == PR_OK)
        printf("%.*s\n", (int)strcspn(line[0], "\n"), line[0]);
    for (size_t i = 0; i < f->table.n && status == PR_OK; i++)
        for (size_t j = 0; j < json_array_size(all) && !f->point[i].base; j++)
            if (json_array_get(all, j) == json_array_get(f->points, i))
                printf("%.*s\n", (int)strcspn(line[j + 1], "\n"), line[j + 1]);
    free(line);
    free(text);
    return status;
}

static pr_status_t print_table(const options_t *o, const char *path, const char *csv, const char *samples,
                               pr_error_t *err)
{
    front_t f = {0};
    pr_status_t status;
    PR_GO(read_front(path, &f, err));
    if (!o->ids && !o->json && !o->csv)
        PR_GO(read_samples(samples, &f, err));
    if (chooses(o))
        PR_GO(choose(o, &f, err));
    if (o->ids) {
        print_ids(&f);
    } else if (o->json) {
        print_chosen(&f);
    } else if (o->csv) {
        status = print_lines(csv, &f, err);
    } else {
        char *table = pr_front_table(&f.table, f.sample, pr_cli_columns(), o->rows, o->dir);
        fputs(table, stdout);
        free(table);
    }
done:
    front_clear(&f);
    return status;
}

/* A table that was changed since the sweep wrote it is not shown; where the journal says nothing of it, that is
 * said. */
static pr_status_t check_tables(const options_t *o, pr_error_t *err)
{
    const char *const shown[] = {o->csv ? PR_FILE_FRONT_CSV : PR_FILE_FRONT_JSON,
                                 o->csv ? PR_FILE_FRONT_JSON : PR_FILE_SAMPLES};
    for (int i = 0; i < (o->csv ? 1 + chooses(o) : o->json || o->ids ? 1 : 2); i++) {
        char *path = pr_results_path(o->dir, "%s", shown[i]);
        bool there = pr_file_exists(path), known = false;
        free(path);
        if (i == 1 && !there)
            continue; // a front can be shown without
        PR_TRY(pr_sweep_check_table(o->dir, shown[i], &known, err));
        if (!known && i == 0)
            pr_log(PR_LOG_WARN, "%s: no journal says what %s should be, so it is shown unchecked", o->dir, shown[i]);
    }
    return PR_OK;
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    char *json = pr_results_path(o->dir, PR_FILE_FRONT_JSON), *csv = pr_results_path(o->dir, PR_FILE_FRONT_CSV),
         *samples = pr_results_path(o->dir, PR_FILE_SAMPLES);
    char *now = pr_results_path(o->dir, PR_FILE_FRONT_NOW);
    pr_status_t status;
    bool so_far = pr_file_exists(now) && !o->csv;
    if (!pr_dir_exists(o->dir)) {
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", o->dir);
    } else if (so_far) {
        free(json);
        json = now;
        now = NULL;
        pr_log(PR_LOG_INFO, "%s: the sweep has not ended: the front of its points so far", o->dir);
        status = PR_OK;
    } else if (!pr_file_exists(json))
        status = pr_fail(err, PR_ERR_NOT_FOUND,
                         "%s: not there; a sweep writes it once it has a point (see: paretorank status)", json);
    else
        status = check_tables(o, err);
    if (status == PR_OK)
        status = (o->csv || o->json) && !chooses(o) ? print_file(o->csv ? csv : json, err)
                                                    : print_table(o, json, csv, so_far ? "" : samples, err);
    free(json);
    free(csv);
    free(now);
    free(samples);
    return status;
}

int pr_cmd_front(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_front, argc, argv, &o, &code)) {
        if (o.json + o.csv + o.ids > 1)
            code = pr_cli_usage(&pr_command_front, "expected one of --ids, --json and --csv, not both");
        else if (run(&o, &err) != PR_OK)
            code = pr_cli_fail(argv[0], &err);
    }
    pr_cli_free(&pr_command_front, &o);
    return code;
}
