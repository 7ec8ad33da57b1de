// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench search: a search over preference weights without models, on a landscape whose front is known. */
#include "base/duration.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/point_verbs.h"
#include "config/config.h"
#include "landscape/curve.h"
#include "landscape/table.h"
#include "method/point.h"
#include "pareto/dominance.h"
#include "sweeps/search/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_POINTS = 10000 };

typedef struct options {
    const char *table, *landscape, *search;
    int k;
    double noise;
    int64_t seed;
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_CHOICE("--landscape", offsetof(options_t, landscape), PR_LANDSCAPE_WORDS, "", "The landscape: see above."),
    PR_ARG("--objectives", INT, offsetof(options_t, k), "K", "Its objectives.", .min = 2, .max = PR_MAX_OBJECTIVES),
    PR_ARG_DEFAULT(
        "--noise", REAL, offsetof(options_t, noise), "S", "0",
        "Standard deviation of what is added to the values that the search sees, and is told as their "
        "standard error. With `fidelity` in the search its last number of prompts has it, and m of M prompts "
        "have sqrt(M/m) times as much.",
        .min = 0, .max = 1e6),
    PR_ARG(
        "--table", STRING, offsetof(options_t, table), "FILE.csv",
        "Instead of a landscape: all points of a simplex lattice that were evaluated, with the columns w_NAME, NAME "
        "and "
        "se_NAME of each objective (larger is better, reference 0), as cells.csv of a grid has them. A point counts as "
        "the nearest one of the lattice."),
    PR_ARG_DEFAULT(
        "--search", STRING, offsetof(options_t, search), "KEYS", "",
        "The search: keys of a group `search` of a sweep's file, such as 'select = \"front\"; budget = 45;'. "
        "See: paretorank help searches."),
    PR_ARG_DEFAULT("--seed", INT64, offsetof(options_t, seed), "S", "1", "Of the search and of the noise.", .min = 0,
                   .max = 0x1p63),
    PR_ARG(
        "--json", BOOL, offsetof(options_t, json), NULL,
        "Print {\"landscape\" or \"table\", \"objectives\", \"noise\", \"seed\", \"search\", \"volume\", \"method\", "
        "\"curve\": [{\"n\", \"hv\", \"hv_share\", \"igd_plus\"}, ...], \"points\": [[w, ...], ...], \"reported\", "
        "\"claimed\", "
        "\"evaluations\", \"seconds_proposing\"}; null where there is no reference volume."),
    {0},
};

#define SAY(name, help) "\n  " #name ": " help "."
const pr_command_t pr_command_bench_search = {
    .name = "bench search",
    .synopsis = "(--landscape NAME --objectives K [--noise S] | --table FILE.csv) [--search KEYS] [--seed S] [--json]",
    .summary =
        "How much of a front a search finds, and with how many points: on a landscape that is a formula, or on a "
        "table.",
    .help =
        "The share is the hypervolume (reference 0) of the points' true values over that of the whole front, which "
        "is known for 2, 3, 5, 8 and 16 objectives, or of the whole table. IGD+ is the mean distance from the front. "
        "A point that is asked for again is not counted again; 'evaluations' counts m of M prompts as m/M. 'reported' "
        "is the share of the points that the "
        "values seen, with their noise, say are the front. Landscapes:" PR_LANDSCAPE_LIST(SAY),
    .args = args,
};

/* A point that was evaluated; seen: on as many prompts as it was at most. */
typedef struct place {
    int prompts;
    double w[PR_MAX_OBJECTIVES], truth[PR_MAX_OBJECTIVES], seen[PR_MAX_OBJECTIVES];
} place_t;

/* What the search is told of a point. */
typedef struct told {
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    double prompt[]; // [prompts,k] where there are several
} told_t;

typedef struct trial {
    const options_t *o;
    const pr_landscape_t *landscape; // NULL: table
    pr_landscape_table_t table;
    int k;
    pr_search_spec_t spec;
    pr_pointset_t points; // those evaluated; place [points.n]
    place_t **place;
    int n_prompts;          // of a whole evaluation
    pr_observation_t *seen; // answers to all that was asked for
    told_t **told;          // [n_seen]
    size_t n_seen, cap_places, cap_seen;
    double seconds;    // spent in the search
    double volume, se; // of the whole front; NaN where it is not known
    double *front;     // [n_front,k] a sample of it
    size_t n_front;
} trial_t;

/* ---- the search ---- */

static void find_truth(const trial_t *t, size_t id, place_t *p)
{
    pr_pointset_weights(&t->points, id, p->w);
    if (t->landscape) {
        t->landscape->at(p->w, t->k, p->truth);
        return;
    }
    int num[PR_MAX_OBJECTIVES];
    pr_landscape_snap(p->w, t->k, t->table.m, num);
    size_t row = pr_landscape_table_row(&t->table, num) * (size_t)t->k;
    memcpy(p->truth, t->table.mean + row, (size_t)t->k * sizeof *p->truth);
}

static const double *errors_of_row(const trial_t *t, const place_t *p)
{
    int num[PR_MAX_OBJECTIVES];
    pr_landscape_snap(p->w, t->k, t->table.m, num);
    return t->table.se + pr_landscape_table_row(&t->table, num) * (size_t)t->k;
}

/* What a point's first n prompts say; more of them begin with the same. */
static told_t *tell(const trial_t *t, size_t id, int n)
{
    const place_t *p = t->place[id];
    size_t k = (size_t)t->k;
    told_t *told = pr_alloc(1, sizeof *told + (size_t)n * k * sizeof(double));
    pr_rng_key_t key = pr_rng_key((uint64_t)t->o->seed, "bench.search", "");
    const double *se = t->landscape ? NULL : errors_of_row(t, p);
    for (size_t j = 0; j < k; j++) {
        double sum = 0;
        for (size_t i = 0; i < (size_t)n && t->n_prompts > 1; i++)
            sum += told->prompt[i * k + j] =
                p->truth[j] + t->o->noise * sqrt(t->n_prompts) * pr_rng_normal(&key, id, i, j, 0);
        told->mean[j] = t->n_prompts > 1 ? sum / n : p->truth[j];
        told->se[j] = se ? se[j] : t->o->noise * sqrt((double)t->n_prompts / n);
        if (t->n_prompts == 1 && t->o->noise > 0)
            told->mean[j] += t->o->noise * pr_landscape_noise((uint64_t)t->o->seed, id, (int)j);
    }
    return told;
}

/* The point that a request counts as. */
static pr_point_t counted(const trial_t *t, const pr_point_t *asked)
{
    if (t->landscape)
        return *asked;
    double w[PR_MAX_OBJECTIVES];
    int num[PR_MAX_OBJECTIVES];
    pr_point_t p = {.den = t->table.m};
    pr_point_weights(asked, t->k, w);
    pr_landscape_snap(w, t->k, t->table.m, num);
    for (int j = 0; j < t->k; j++)
        p.num[j] = num[j];
    pr_point_reduce(&p, t->k);
    return p;
}

static void answer(trial_t *t, pr_request_t q)
{
    pr_point_t p = counted(t, &q.point);
    bool is_new;
    size_t id = pr_pointset_add(&t->points, &p, &is_new);
    if (t->points.n > t->cap_places) {
        t->cap_places = t->cap_places ? 2 * t->cap_places : 64;
        t->place = pr_realloc(t->place, t->cap_places, sizeof(place_t *));
    }
    if (is_new) {
        t->place[id] = pr_alloc(1, sizeof(place_t));
        find_truth(t, id, t->place[id]);
    }
    if (t->n_seen == t->cap_seen) {
        t->cap_seen = t->cap_seen ? 2 * t->cap_seen : 64;
        t->seen = pr_realloc(t->seen, t->cap_seen, sizeof *t->seen);
        t->told = pr_realloc(t->told, t->cap_seen, sizeof(told_t *));
    }
    told_t *told = t->told[t->n_seen] = tell(t, id, q.n_prompts);
    place_t *place = t->place[id];
    if (q.n_prompts > place->prompts) {
        place->prompts = q.n_prompts;
        memcpy(place->seen, told->mean, sizeof place->seen);
    }
    int64_t *flat = pr_alloc((size_t)t->k + 1, sizeof *flat);
    pr_point_store(&q.point, t->k, flat);
    t->seen[t->n_seen++] = (pr_observation_t){.point = flat,
                                              .level = q.level,
                                              .n_prompts = q.n_prompts,
                                              .mean = told->mean,
                                              .se = told->se,
                                              .per_prompt = t->n_prompts > 1 ? told->prompt : NULL,
                                              .core_seconds = 1};
}

static pr_status_t run(trial_t *t, pr_error_t *err)
{
    static const double zero[PR_MAX_OBJECTIVES];
    double one[PR_MAX_OBJECTIVES];
    for (int j = 0; j < PR_MAX_OBJECTIVES; j++)
        one[j] = 1;
    if (t->landscape && t->spec.n_fidelity > 0)
        t->n_prompts = t->spec.fidelity[t->spec.n_fidelity - 1];
    pr_search_t s = {.spec = &t->spec,
                     .k = t->k,
                     .n_prompts = t->n_prompts,
                     .seed = t->o->seed,
                     .lo = zero,
                     .hi = one,
                     .reference = zero};
    if (t->o->table && t->spec.lattice == 0) // a point between the table's would be one of them again
        t->spec.lattice = t->table.m;
    for (;;) {
        pr_requests_t q = {0};
        double start = pr_time_monotonic();
        pr_status_t status = pr_search_next(&s, t->seen, t->n_seen, &q, err);
        t->seconds += pr_time_monotonic() - start;
        if (status != PR_OK)
            return pr_fail_in(err, "--search");
        if (t->n_seen + q.n > MAX_POINTS)
            status = pr_fail(err, PR_ERR_CONFIG, "--search: found more than %d points, expected a budget", MAX_POINTS);
        for (size_t i = 0; i < q.n && status == PR_OK; i++)
            answer(t, pr_requests_at(&q, i));
        pr_requests_free(&q);
        if (q.done || status != PR_OK)
            return status;
    }
}

/* ---- what it found ---- */

typedef struct found {
    size_t n;
    double *hv, *igd; // [n] of the first 1 .. n points
    pr_hv_method_t method;
    double reported; // the hypervolume of what the seen values say is the front
    double claimed;  // what they say it is
} found_t;

static double volume_of(const double *points, size_t n, int k, double *error)
{
    static const double zero[PR_MAX_OBJECTIVES], EXACT_STEPS = 5e8, RELATIVE_ERROR = 0.001, STEPS = 5e8;
    pr_hv_estimate_t e = {0};
    pr_hv_exact_or_estimate(points, n, k, zero, EXACT_STEPS, RELATIVE_ERROR, STEPS, NULL, NULL, &e);
    *error = e.error;
    return e.volume;
}

static void report(const trial_t *t, found_t *f)
{
    size_t n = t->points.n, k = (size_t)t->k, n_told = 0;
    double *seen = pr_alloc(2 * n * k, sizeof *seen), *truth = seen + n * k, error;
    bool *told = pr_alloc(n, sizeof *told);
    for (size_t i = 0; i < n; i++)
        memcpy(seen + i * k, t->place[i]->seen, k * sizeof *seen);
    pr_nondominated(seen, n, t->k, true, told);
    for (size_t i = 0; i < n; i++) {
        if (!told[i])
            continue;
        memcpy(truth + n_told * k, t->place[i]->truth, k * sizeof *truth);
        memmove(seen + n_told++ * k, seen + i * k, k * sizeof *seen);
    }
    f->reported = volume_of(truth, n_told, t->k, &error);
    f->claimed = volume_of(seen, n_told, t->k, &error);
    free(told);
    free(seen);
}

static found_t measure(const trial_t *t)
{
    found_t f = {.n = t->points.n};
    size_t k = (size_t)t->k;
    double *truth = pr_alloc(f.n * k, sizeof *truth);
    for (size_t i = 0; i < f.n; i++)
        memcpy(truth + i * k, t->place[i]->truth, k * sizeof *truth);
    f.hv = pr_alloc(f.n, sizeof *f.hv);
    f.igd = pr_alloc(f.n, sizeof *f.igd);
    f.method = pr_curve_hypervolume(truth, f.n, t->k, f.hv);
    pr_curve_igd_plus(truth, f.n, t->front, t->n_front, t->k, f.igd);
    report(t, &f);
    free(truth);
    return f;
}

/* Whole evaluations: m of M prompts count m/M. */
static double evaluations(const trial_t *t)
{
    double prompts = 0;
    for (size_t i = 0; i < t->points.n; i++)
        prompts += t->place[i]->prompts;
    return prompts / t->n_prompts;
}

static json_t *search_json(const trial_t *t)
{
    static const char *const elsewhere[] = {"name", "layer", "norm"}; // of a sweep
    json_t *v = pr_search_spec_json(&t->spec);
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        json_object_del(v, elsewhere[i]);
    return v;
}

static void print_json(const trial_t *t, const found_t *f)
{
    json_t *curve = json_array(), *points = json_array();
    for (size_t i = 0; i < f->n; i++) {
        json_array_append_new(curve, json_pack("{s:I, s:o, s:o, s:o}", "n", (json_int_t)i + 1, "hv",
                                               pr_json_real(f->hv[i]), "hv_share", pr_json_real(f->hv[i] / t->volume),
                                               "igd_plus", pr_json_real(f->igd[i])));
        json_array_append_new(points, pr_point_json_numbers(t->place[i]->w, (size_t)t->k));
    }
    pr_point_print_json(json_pack(
        "{s:s, s:i, s:o, s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", t->landscape ? "landscape" : "table",
        t->landscape ? t->landscape->name : t->o->table, "objectives", t->k, "noise", pr_json_real(t->o->noise), "seed",
        (json_int_t)t->o->seed, "search", search_json(t), "volume", pr_json_real(t->volume), "volume_error",
        pr_json_real(t->se), "method", pr_hv_method_name(f->method), "curve", curve, "points", points, "reported",
        pr_json_real(f->reported / t->volume), "claimed", pr_json_real(f->claimed / t->volume), "evaluations",
        pr_json_real(evaluations(t)), "seconds_proposing", pr_json_real(t->seconds)));
}

static void print_text(const trial_t *t, const found_t *f)
{
    bool known = isfinite(t->volume);
    printf("%s, %d objectives", t->landscape ? t->landscape->name : t->o->table, t->k);
    if (t->o->noise > 0)
        printf(", noise %g", t->o->noise);
    printf("; search: %s, seed %lld\n", t->spec.type, (long long)t->o->seed);
    if (known)
        printf("volume      %.6g of the whole %s\n", t->volume, t->landscape ? "front" : "table");
    else
        printf("volume      not known for %d objectives (it is for 2, 3, 5, 8, 16): no shares\n", t->k);
    printf("\n%7s  %10s  %8s\n", "points", known ? "share" : "volume", "IGD+");
    size_t at[] = {(size_t)t->k, f->n / 4, f->n / 2, f->n}, last = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        if (at[i] <= last || at[i] > f->n)
            continue;
        last = at[i];
        printf("%7zu  %10.4g  %8.4f\n", last, f->hv[last - 1] / (known ? t->volume : 1), f->igd[last - 1]);
    }
    printf("\nreported    %.4g, %s of the points that are the front by the values seen\n",
           f->reported / (known ? t->volume : 1), known ? "share" : "volume");
    if (t->o->noise > 0)
        printf("claimed     %.4g, what those values say it is\n", f->claimed / (known ? t->volume : 1));
    if (t->n_prompts > 1)
        printf("evaluations %.4g of %d prompts each\n", evaluations(t), t->n_prompts);
    printf("proposing   %.3f s\n", t->seconds);
    if (f->method != PR_HV_EXACT)
        printf("Volumes of points are sampled (%s).\n", pr_hv_method_name(f->method));
}

/* ---- the command ---- */

static pr_status_t open_landscape(trial_t *t)
{
    t->landscape = pr_landscape_find(t->o->landscape);
    t->k = t->o->k;
    if (!pr_landscape_volume(t->landscape, t->k, &t->volume, &t->se))
        t->volume = t->se = NAN;
    t->n_front = pr_landscape_front(t->landscape, t->k, &t->front);
    return PR_OK;
}

static pr_status_t open_table(trial_t *t, pr_error_t *err)
{
    PR_TRY(pr_landscape_table_read(t->o->table, &t->table, err));
    size_t n = t->table.n, k = (size_t)t->table.k;
    t->k = t->table.k;
    t->volume = volume_of(t->table.mean, n, t->k, &t->se);
    bool *kept = pr_alloc(n, sizeof *kept);
    t->front = pr_alloc(n * k, sizeof *t->front);
    pr_nondominated(t->table.mean, n, t->k, false, kept);
    for (size_t i = 0; i < n; i++)
        if (kept[i])
            memcpy(t->front + t->n_front++ * k, t->table.mean + i * k, k * sizeof *t->front);
    free(kept);
    if (t->volume > 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT,
                   "%s: found no row that is above 0 in every objective, expected a front with a volume", t->o->table);
}

static pr_status_t bench(trial_t *t, pr_error_t *err)
{
    PR_TRY(t->o->table ? open_table(t, err) : open_landscape(t));
    PR_TRY(pr_search_spec_parse(t->o->search, "--search", t->k, &t->spec, err));
    if (strcmp(t->spec.domain, "simplex") != 0)
        return pr_fail(err, PR_ERR_CONFIG,
                       "--search: domain: found \"%s\", expected \"simplex\": weights sum to 1 here", t->spec.domain);
    t->points.d = t->k;
    PR_TRY(run(t, err));
    found_t f = measure(t);
    (t->o->json ? print_json : print_text)(t, &f);
    free(f.hv);
    free(f.igd);
    return PR_OK;
}

static void clear(trial_t *t)
{
    for (size_t i = 0; i < t->points.n; i++)
        free(t->place[i]);
    for (size_t i = 0; i < t->n_seen; i++) {
        free((int64_t *)(uintptr_t)t->seen[i].point);
        free(t->told[i]);
    }
    free(t->told);
    free(t->place);
    free(t->seen);
    free(t->front);
    pr_pointset_free(&t->points);
    pr_landscape_table_free(&t->table);
    pr_search_spec_clear(&t->spec);
}

static int wrong_use(const options_t *o)
{
    if (!o->table == !o->landscape)
        return pr_cli_usage(&pr_command_bench_search, "expected one of --landscape and --table");
    if (o->landscape && !o->k)
        return pr_cli_usage(&pr_command_bench_search, "missing --objectives");
    if (o->table && (o->k || o->noise > 0))
        return pr_cli_usage(&pr_command_bench_search, "%s goes with --landscape: a table has its own",
                            o->k ? "--objectives" : "--noise");
    return 0;
}

int pr_bench_search(int argc, char **argv)
{
    options_t o = {.search = ""};
    int code = 0;
    if (!pr_cli_parse(&pr_command_bench_search, argc, argv, &o, &code))
        return code;
    code = wrong_use(&o);
    if (code != 0)
        return code;
    trial_t t = {.o = &o, .n_prompts = 1};
    pr_error_t err;
    pr_status_t status = bench(&t, &err);
    clear(&t);
    return status == PR_OK ? 0 : pr_cli_fail("bench search", &err);
}
