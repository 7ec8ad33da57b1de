// SPDX-License-Identifier: BSD-3-Clause
/* paretorank indicators: how good the sets in a file of points are. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/point_verbs.h"
#include "pareto/dominance.h"
#include "pareto/hv_estimate.h"
#include "pareto/hypervolume.h"
#include "pareto/indicators.h"
#include "pareto/range.h"
#include "pareto/utility.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *file, *columns, *by, *front, *maximize, *reference, *ideal, *low, *high, *weights;
    double power, error;
    bool exact, contributions, as_union, json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("FILE", STRING, offsetof(options_t, file), "FILE", "Points; '-' is standard input."),
    PR_ARG_DEFAULT("--maximize", STRING, offsetof(options_t, maximize), "LIST", "none", PR_MAXIMIZE_HELP),
    PR_ARG("--reference", STRING, offsetof(options_t, reference), "NUMBERS",
           "The reference point of the hypervolume, such as \"1 1 1\". Default: the worse end of each range with --low "
           "and --high; else, of all sets together, nadir - 0.1 (ideal - nadir) when maximising."),
    PR_ARG("--front", STRING, offsetof(options_t, front), "FILE",
           "The reference front, for epsilon, GD, IGD, averaged Hausdorff distance and maximum utility loss."),
    PR_ARG("--ideal", STRING, offsetof(options_t, ideal), "NUMBERS",
           "The ideal point of R2. Default: the best value of each objective over all sets and the reference front."),
    PR_ARG("--low", STRING, offsetof(options_t, low), "NUMBERS",
           "With --high: the objectives' ranges; everything is measured after mapping them to [0,1]."),
    PR_ARG("--high", STRING, offsetof(options_t, high), "NUMBERS", "See --low."),
    PR_ARG_DEFAULT(
        "--weights", STRING, offsetof(options_t, weights), "N|FILE", "100",
        "Weight vectors for the utilities: the smallest simplex lattice with at least N, or the rows of FILE."),
    PR_ARG_DEFAULT("--power", REAL, offsetof(options_t, power), "P", "1",
                   "The exponent of GD, IGD and the averaged Hausdorff distance.", .min = 1, .max = 100),
    PR_ARG("--exact", BOOL, offsetof(options_t, exact), NULL,
           "The exact hypervolume, however long it takes. Default: exact where that takes seconds, else an estimate, "
           "which is named and has its error."),
    PR_ARG("--error", REAL, offsetof(options_t, error), "E",
           "An estimate of the hypervolume, sampled until its error is at most E times the volume, such as 0.001.",
           .min = 1e-7, .max = 1),
    PR_ARG("--contributions", BOOL, offsetof(options_t, contributions), NULL,
           "Also print how much hypervolume each point adds alone."),
    PR_POINT_ARGS(options_t),
    PR_ARG("--union", BOOL, offsetof(options_t, as_union), NULL, "Treat the sets of FILE as one."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print {\"reference\": [...], \"ideal\": [...], \"sets\": [{...}, ...]}; what is not defined is null. Of a "
           "table with "
           "names also \"columns\", and with --by a set's \"name\"."),
    {0},
};

const pr_command_t pr_command_indicators = {
    .name = "indicators",
    .synopsis = "FILE [--columns NAMES] [--by NAMES] [--reference NUMBERS] [--front FILE] [--maximize LIST] [--weights "
                "N|FILE] [--exact | --error E] "
                "[--json]",
    .summary = "Print the hypervolume and other quality indicators of each set of points.",
    .help = "Spacing and sparsity are those of the non-dominated points; all else looks at the points as given. R2 is "
            "exact for two objectives, else the mean over the weights. Expected utility and maximum utility loss take "
            "an objective that is minimised with a minus sign. hypervolume_method is 'exact' or the estimate's name, "
            "hypervolume_error half the width of its 99.9 % interval; the same points always give the same "
            "estimate.\n" PR_POINT_FILE_HELP,
    .args = args,
};

/* Everything turned so that objectives are maximised. */
typedef struct problem {
    pr_points_t sets, front;
    size_t m;
    double *signs;
    double *values, *front_values; // front_values is NULL without --front
    double *reference, *ideal;     // [m]
    double *low, *high;            // [m] or NULL
    double *weights;
    size_t n_weights;
} problem_t;

static void problem_free(problem_t *p)
{
    pr_points_free(&p->sets);
    pr_points_free(&p->front);
    free(p->signs);
    free(p->values);
    free(p->front_values);
    free(p->reference);
    free(p->ideal);
    free(p->low);
    free(p->high);
    free(p->weights);
}

static pr_status_t refuse_infinite(const pr_points_t *p, pr_error_t *err)
{
    for (size_t i = 0; i < p->n; i++)
        for (int k = 0; k < p->m; k++)
            if (isinf(p->values[i * (size_t)p->m + (size_t)k]))
                return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: column %d is infinite: indicators need finite numbers",
                               p->name, p->rows[i].line, k + 1);
    return PR_OK;
}

/* m finite numbers of an option, turned; *out stays NULL without the option. */
static pr_status_t read_numbers(const problem_t *p, const char *option, const char *text, double **out, pr_error_t *err)
{
    size_t n = 0;
    if (!text)
        return PR_OK;
    PR_TRY(pr_points_numbers(option, text, out, &n, err));
    if (n != p->m)
        return pr_fail(err, PR_ERR_USAGE, "%s: %zu numbers, expected %zu as %s has columns", option, n, p->m,
                       p->sets.name);
    for (size_t k = 0; k < n; k++)
        if (isinf((*out)[k]))
            return pr_fail(err, PR_ERR_USAGE, "%s: found an infinite number, expected finite ones", option);
    pr_points_orient(*out, 1, (int)n, p->signs, *out);
    return PR_OK;
}

static pr_status_t read_front(const char *path, const char *columns, problem_t *p, pr_error_t *err)
{
    if (!path)
        return PR_OK;
    PR_TRY(pr_points_load_named(path, p->sets.column ? columns : NULL, NULL, &p->front, err));
    if (p->front.m != p->sets.m)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %d columns, expected %d as in %s", p->front.name, p->front.m, p->sets.m,
                       p->sets.name);
    PR_TRY(refuse_infinite(&p->front, err));
    p->front_values = pr_alloc(p->front.n * p->m, sizeof *p->front_values);
    pr_points_orient(p->front.values, p->front.n, p->front.m, p->signs, p->front_values);
    return PR_OK;
}

/* A minimised objective's bounds change places when it is turned. */
static pr_status_t read_ranges(const options_t *o, problem_t *p, pr_error_t *err)
{
    if (!o->low != !o->high)
        return pr_fail(err, PR_ERR_USAGE, "--low and --high go together");
    PR_TRY(read_numbers(p, "--low", o->low, &p->low, err));
    PR_TRY(read_numbers(p, "--high", o->high, &p->high, err));
    for (size_t k = 0; k < p->m && p->low; k++) {
        if (p->signs[k] < 0) {
            double swap = p->low[k];
            p->low[k] = p->high[k];
            p->high[k] = swap;
        }
        if (!(p->low[k] < p->high[k]))
            return pr_fail(err, PR_ERR_USAGE, "--low and --high: objective %zu has an empty range", k + 1);
    }
    return PR_OK;
}

static pr_status_t check_weights(const pr_points_t *w, const problem_t *p, pr_error_t *err)
{
    if ((size_t)w->m != p->m)
        return pr_fail(err, PR_ERR_FORMAT, "%s: %d columns, expected %zu weights per row", w->name, w->m, p->m);
    for (size_t i = 0; i < w->n * p->m; i++)
        if (w->values[i] < 0)
            return pr_fail(err, PR_ERR_FORMAT, "%s:%zu: found %g, expected weights that are not negative", w->name,
                           w->rows[i / p->m].line, w->values[i]);
    return refuse_infinite(w, err);
}

static pr_status_t lattice_weights(const char *text, problem_t *p, pr_error_t *err)
{
    enum { MOST = 10000000 };
    errno = 0;
    unsigned long long n = strtoull(text, NULL, 10);
    if (errno || n < 1 || n > MOST)
        return pr_fail(err, PR_ERR_USAGE, "--weights: found %s, expected 1 to %d vectors", text, MOST);
    size_t steps = pr_lattice_steps((int)p->m, (size_t)n);
    p->n_weights = pr_lattice_size((int)p->m, steps);
    if (p->n_weights > MOST)
        return pr_fail(err, PR_ERR_USAGE, "--weights: a lattice of %zu vectors is too large", p->n_weights);
    p->weights = pr_alloc(p->n_weights * p->m, sizeof *p->weights);
    pr_lattice_weights((int)p->m, steps, p->weights);
    return PR_OK;
}

static pr_status_t read_weights(const char *text, problem_t *p, pr_error_t *err)
{
    if (text[0] && strspn(text, "0123456789") == strlen(text))
        return lattice_weights(text, p, err);
    pr_points_t file = {0};
    PR_TRY(pr_points_load(text, &file, err));
    pr_status_t status = check_weights(&file, p, err);
    if (status == PR_OK) {
        p->weights = file.values;
        p->n_weights = file.n;
        file.values = NULL;
    }
    pr_points_free(&file);
    return status;
}

static void normalise(problem_t *p)
{
    if (!p->low)
        return;
    int m = (int)p->m;
    pr_normalise(p->values, p->sets.n, m, p->low, p->high, p->values);
    if (p->front_values)
        pr_normalise(p->front_values, p->front.n, m, p->low, p->high, p->front_values);
    if (p->reference)
        pr_normalise(p->reference, 1, m, p->low, p->high, p->reference);
    if (p->ideal)
        pr_normalise(p->ideal, 1, m, p->low, p->high, p->ideal);
}

static void default_reference(problem_t *p)
{
    if (p->reference)
        return;
    p->reference = pr_alloc(p->m, sizeof *p->reference); // zeros: the low ends of normalised ranges
    if (!p->low)
        pr_reference_rule(p->values, p->sets.n, (int)p->m, p->reference);
}

static pr_status_t default_ideal(problem_t *p, pr_error_t *err)
{
    double *best = pr_alloc(p->m, sizeof *best);
    double *best_of_front = pr_alloc(p->m, sizeof *best_of_front);
    pr_ideal(p->values, p->sets.n, (int)p->m, best);
    if (p->front_values) {
        pr_ideal(p->front_values, p->front.n, (int)p->m, best_of_front);
        for (size_t k = 0; k < p->m; k++)
            best[k] = fmax(best[k], best_of_front[k]);
    }
    free(best_of_front);
    pr_status_t status = PR_OK;
    for (size_t k = 0; k < p->m && p->ideal && status == PR_OK; k++)
        if (p->ideal[k] < best[k])
            status = pr_fail(err, PR_ERR_USAGE, "--ideal: objective %zu of a point is better than the ideal", k + 1);
    if (p->ideal) {
        free(best);
    } else {
        p->ideal = best;
    }
    return status;
}

static pr_status_t problem_read(const options_t *o, problem_t *p, pr_error_t *err)
{
    PR_TRY(pr_points_load_named(o->file, o->columns, o->by, &p->sets, err));
    p->m = (size_t)p->sets.m;
    PR_TRY(refuse_infinite(&p->sets, err));
    if (o->as_union)
        pr_points_unite(&p->sets);
    PR_TRY(pr_points_directions(o->maximize, p->sets.m, p->sets.column, &p->signs, err));
    p->values = pr_alloc(p->sets.n * p->m, sizeof *p->values);
    pr_points_orient(p->sets.values, p->sets.n, p->sets.m, p->signs, p->values);
    PR_TRY(read_numbers(p, "--reference", o->reference, &p->reference, err));
    PR_TRY(read_numbers(p, "--ideal", o->ideal, &p->ideal, err));
    PR_TRY(read_ranges(o, p, err));
    PR_TRY(read_front(o->front, o->columns, p, err));
    PR_TRY(read_weights(o->weights, p, err));
    normalise(p);
    default_reference(p);
    return default_ideal(p, err);
}

/* One set's numbers, in the order of print. */
typedef struct result {
    const char *name;
    double value;
} result_t;

enum { MAX_RESULTS = 24 };

typedef struct results {
    result_t at[MAX_RESULTS];
    size_t n;
} results_t;

static void put(results_t *r, const char *name, double value)
{
    r->at[r->n++] = (result_t){name, value};
}

static double r2(const problem_t *p, const double *points, size_t n)
{
    return p->m == 2 ? pr_r2_exact(points, n, p->ideal)
                     : pr_r2(points, n, (int)p->m, p->weights, p->n_weights, p->ideal);
}

/* Steps, about a nanosecond each. */
static const double EXACT_STEPS = 2e9, ESTIMATE_STEPS = 2e9, CONTRIBUTION_STEPS = 1e9;
static const double DEFAULT_ERROR = 1e-3; // of the volume

static pr_hv_estimate_t hypervolume(const options_t *o, const problem_t *p, const double *points, size_t n)
{
    pr_hv_estimate_t v = {.method = PR_HV_EXACT};
    if (o->error > 0)
        pr_hv_estimate(points, n, (int)p->m, p->reference, o->error, INFINITY, NULL, NULL, &v);
    else
        pr_hv_exact_or_estimate(points, n, (int)p->m, p->reference, o->exact ? INFINITY : EXACT_STEPS, DEFAULT_ERROR,
                                ESTIMATE_STEPS, NULL, NULL, &v);
    return v;
}

/* *estimated: they are. Caller frees. */
static double *contributions_of(const options_t *o, const problem_t *p, const double *points, size_t n, bool *estimated)
{
    double steps = o->exact ? INFINITY : CONTRIBUTION_STEPS, *found = pr_alloc(n, sizeof *found);
    *estimated = !pr_hypervolume_contributions_within(points, n, (int)p->m, p->reference, &steps, found);
    if (*estimated) {
        double *error = pr_alloc(n, sizeof *error);
        pr_hv_estimate_contributions(points, n, (int)p->m, p->reference, CONTRIBUTION_STEPS, NULL, NULL, found, error);
        free(error);
    }
    return found;
}

static void measure_alone(const problem_t *p, const double *points, size_t n, const pr_hv_estimate_t *volume,
                          results_t *r)
{
    int m = (int)p->m;
    bool *kept = pr_alloc(n, sizeof *kept);
    size_t count = pr_nondominated(points, n, m, false, kept);
    double *best = pr_alloc(count * p->m, sizeof *best);
    for (size_t i = 0, at = 0; i < n; i++)
        if (kept[i])
            memcpy(best + p->m * at++, points + i * p->m, p->m * sizeof *best);
    put(r, "points", (double)n);
    put(r, "cardinality", (double)count);
    put(r, "hypervolume", volume->volume);
    put(r, "spacing", pr_spacing(best, count, m));
    put(r, "sparsity", pr_sparsity(best, count, m));
    put(r, "r2", r2(p, points, n));
    put(r, "expected_utility", pr_expected_utility(points, n, m, p->weights, p->n_weights));
    free(best);
    free(kept);
}

static void measure_to_front(const problem_t *p, double power, const double *points, size_t n, results_t *r)
{
    int m = (int)p->m;
    const double *f = p->front_values;
    size_t nf = p->front.n; // 0 without a front: each is NaN then
    put(r, "maximum_utility_loss", pr_maximum_utility_loss(points, n, f, nf, m, p->weights, p->n_weights));
    put(r, "epsilon_additive", pr_epsilon_additive(points, n, f, nf, m));
    put(r, "epsilon_multiplicative", pr_epsilon_multiplicative(points, n, f, nf, m));
    put(r, "gd", pr_gd(points, n, f, nf, m, power));
    put(r, "gd_plus", pr_gd_plus(points, n, f, nf, m));
    put(r, "igd", pr_igd(points, n, f, nf, m, power));
    put(r, "igd_plus", pr_igd_plus(points, n, f, nf, m));
    put(r, "average_hausdorff", pr_average_hausdorff(points, n, f, nf, m, power));
}

static void print_text(const problem_t *p, size_t set, const results_t *r, const pr_hv_estimate_t *volume,
                       const double *contributions, bool estimated)
{
    if (p->sets.n_sets > 1)
        printf("%s# set %zu%s%s\n", set ? "\n" : "", set + 1, p->sets.set_name ? ": " : "",
               p->sets.set_name ? p->sets.set_name[set] : "");
    for (size_t i = 0; i < r->n; i++) {
        if (!isnan(r->at[i].value))
            printf("%-22s %.15g\n", r->at[i].name, r->at[i].value);
        if (volume->method != PR_HV_EXACT && strcmp(r->at[i].name, "hypervolume") == 0)
            printf("%-22s %s\n%-22s %.3g\n", "hypervolume_method", pr_hv_method_name(volume->method),
                   "hypervolume_error", volume->error);
    }
    if (estimated)
        printf("%-22s %s\n", "contribution_method", pr_hv_method_name(PR_HV_BOXES));
    for (size_t i = p->sets.start[set]; i < p->sets.start[set + 1] && contributions; i++)
        printf("contribution line %-4zu %.15g\n", p->sets.rows[i].line, contributions[i - p->sets.start[set]]);
}

static json_t *json_of_set(const results_t *r, const pr_hv_estimate_t *volume, const double *contributions,
                           bool estimated, size_t n)
{
    json_t *set = json_object();
    for (size_t i = 0; i < r->n; i++) {
        bool count = i < 2;
        json_object_set_new(set, r->at[i].name,
                            count ? json_integer((json_int_t)r->at[i].value) : pr_json_real(r->at[i].value));
    }
    json_object_set_new(set, "hypervolume_method", json_string(pr_hv_method_name(volume->method)));
    json_object_set_new(set, "hypervolume_error", pr_json_real(volume->error));
    if (contributions) {
        json_object_set_new(set, "contributions", pr_point_json_numbers(contributions, n));
        json_object_set_new(set, "contribution_method",
                            json_string(pr_hv_method_name(estimated ? PR_HV_BOXES : PR_HV_EXACT)));
    }
    return set;
}

static void warn_outside(const problem_t *p)
{
    size_t outside = 0;
    for (size_t i = 0; i < p->sets.n; i++) {
        bool inside = true;
        for (size_t k = 0; k < p->m; k++)
            inside &= p->values[i * p->m + k] > p->reference[k];
        outside += !inside;
    }
    if (outside)
        pr_log(PR_LOG_WARN, "%s: %zu of %zu points are not better than the reference and add no hypervolume",
               p->sets.name, outside, p->sets.n);
}

static json_t *json_of_point(const problem_t *p, const double *point)
{
    double *row = pr_alloc(p->m, sizeof *row);
    memcpy(row, point, p->m * sizeof *row);
    if (!p->low) // as in the file; normalised ones have no direction left
        pr_points_orient(point, 1, (int)p->m, p->signs, row);
    json_t *value = pr_point_json_numbers(row, p->m);
    free(row);
    return value;
}

static void report(const options_t *o, const problem_t *p)
{
    json_t *sets = o->json ? json_array() : NULL;
    for (size_t s = 0; s < p->sets.n_sets; s++) {
        const double *points = p->values + p->sets.start[s] * p->m;
        size_t n = p->sets.start[s + 1] - p->sets.start[s];
        results_t r = {.n = 0};
        bool estimated = false;
        pr_hv_estimate_t volume = hypervolume(o, p, points, n);
        if (isinf(volume.volume))
            pr_log(PR_LOG_WARN, "%s: the hypervolume of set %zu is above the range of numbers", p->sets.name, s + 1);
        measure_alone(p, points, n, &volume, &r);
        measure_to_front(p, o->power, points, n, &r);
        double *contributions = o->contributions ? contributions_of(o, p, points, n, &estimated) : NULL;
        if (sets) {
            json_t *set = json_of_set(&r, &volume, contributions, estimated, n);
            pr_point_json_name(&p->sets, s, set);
            json_array_append_new(sets, set);
        } else
            print_text(p, s, &r, &volume, contributions, estimated);
        free(contributions);
    }
    if (!sets)
        return;
    json_t *all = json_pack("{sososIso}", "reference", json_of_point(p, p->reference), "ideal",
                            json_of_point(p, p->ideal), "weights", (json_int_t)p->n_weights, "sets", sets);
    pr_point_json_columns(&p->sets, all);
    pr_point_print_json(all);
}

int pr_cmd_indicators(int argc, char **argv)
{
    options_t o = {0};
    int code = 0;
    if (!pr_cli_parse(&pr_command_indicators, argc, argv, &o, &code))
        return code;
    if (o.exact && o.error > 0)
        return pr_cli_usage(&pr_command_indicators, "expected --exact or --error, not both");
    pr_error_t err;
    problem_t problem = {0};
    pr_status_t status = problem_read(&o, &problem, &err);
    if (status == PR_OK) {
        if (o.reference)
            warn_outside(&problem);
        report(&o, &problem);
    }
    problem_free(&problem);
    return status == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
