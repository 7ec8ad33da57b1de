// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/uncertainty.h"
#include "base/mem.h"
#include "base/rng.h"
#include "pareto/dominance.h"
#include "pareto/hypervolume.h"
#include "pareto/sort.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double pr_statistic_hypervolume(const double *points, size_t n, int m, void *reference)
{
    return pr_hypervolume(points, n, m, reference);
}

typedef struct resampler {
    const pr_scores_t *run;
    size_t n_prompts, m;
    bool whole;
    pr_statistic_fn statistic;
    void *context;
    size_t *prompt_count; // [n_prompts] how often each is drawn
    double *means;        // [n_points,m]
} resampler_t;

/* The mean of one point over the drawn prompts it has a score for; false when there is none. */
static bool mean_of_point(const resampler_t *r, const double *scores, double *mean)
{
    double drawn = 0;
    memset(mean, 0, r->m * sizeof *mean);
    for (size_t p = 0; p < r->n_prompts; p++) {
        const double *row = scores + p * r->m;
        if (r->prompt_count[p] == 0 || isnan(row[0]))
            continue;
        double times = (double)r->prompt_count[p];
        drawn += times;
        for (size_t k = 0; k < r->m; k++)
            mean[k] += times * row[k];
    }
    for (size_t k = 0; k < r->m; k++)
        mean[k] = drawn > 0 ? mean[k] / drawn : NAN;
    return drawn > 0;
}

static double statistic_of_draw(const resampler_t *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->run->n_points; i++)
        n += mean_of_point(r, r->run->scores + i * r->n_prompts * r->m, r->means + n * r->m) || r->whole;
    return r->statistic(r->means, n, (int)r->m, r->context);
}

/* Counts n draws of 0..n-1; stream tells prompts and runs apart. */
static void draw(const pr_rng_key_t *key, uint64_t resample, uint64_t stream, size_t *count, size_t n)
{
    memset(count, 0, n * sizeof *count);
    for (size_t i = 0; i < n; i++)
        count[pr_rng_below(key, n, resample, stream, i, 0)]++;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    double next = i + 1 < n ? sorted[i + 1] : sorted[i];
    return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

static void summarise(double *values, size_t n, double level, pr_interval_t *out)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += values[i] / (double)n;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    qsort(values, n, sizeof *values, by_value);
    out->standard_error = sqrt(sum / (double)(n - 1));
    out->low = quantile(values, n, (1 - level) / 2);
    out->high = quantile(values, n, 1 - (1 - level) / 2);
}

pr_status_t pr_resample(const pr_scores_t *run, size_t n_prompts, int m, pr_statistic_fn statistic, void *context,
                        const pr_resampling_t *how, double *values, pr_error_t *err)
{
    resampler_t r = {.run = run,
                     .n_prompts = n_prompts,
                     .m = (size_t)m,
                     .whole = how->whole,
                     .statistic = statistic,
                     .context = context,
                     .prompt_count = pr_alloc(n_prompts, sizeof(size_t)),
                     .means = pr_alloc(run->n_points * (size_t)m, sizeof(double))};
    pr_rng_key_t key = pr_rng_key(how->seed, "bootstrap", "");
    bool stopped = false;
    for (size_t p = 0; p < n_prompts; p++)
        r.prompt_count[p] = 1;
    values[0] = statistic_of_draw(&r);
    for (size_t i = 0; i < how->resamples && !stopped; i++) {
        draw(&key, i, 0, r.prompt_count, n_prompts);
        values[1 + i] = statistic_of_draw(&r);
        stopped = how->stop && how->stop(how->self);
    }
    free(r.prompt_count);
    free(r.means);
    return stopped ? pr_fail(err, PR_ERR_INTERRUPTED, "bootstrap: stopped") : PR_OK;
}

/* The mean of value `at` over the runs, each as often as it was drawn. */
static double mean_of_runs(const double *const *values, const size_t *run_count, size_t n_runs, size_t at)
{
    double sum = 0;
    for (size_t i = 0; i < n_runs; i++)
        if (run_count[i])
            sum += (double)run_count[i] * values[i][at];
    return sum / (double)n_runs;
}

/* How often each point was on the front. */
typedef struct front_count {
    double *times; // [n]
    bool first;    // all prompts: no resample
    double *points;
    size_t *id;
    bool *kept;
} front_count_t;

static double count_front(const double *points, size_t n, int m, void *self)
{
    front_count_t *f = self;
    size_t there = 0;
    if (f->first) {
        f->first = false;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!isnan(points[i * (size_t)m])) {
            memcpy(f->points + there * (size_t)m, points + i * (size_t)m, (size_t)m * sizeof *points);
            f->id[there++] = i;
        }
    pr_nondominated(f->points, there, m, true, f->kept);
    for (size_t i = 0; i < there; i++)
        f->times[f->id[i]] += f->kept[i];
    return 0;
}

pr_status_t pr_front_probability(const pr_scores_t *run, size_t n_prompts, int m, const pr_resampling_t *how,
                                 double *probability, pr_error_t *err)
{
    size_t n = run->n_points;
    pr_resampling_t whole = *how;
    whole.whole = true;
    double *values = pr_alloc(1 + how->resamples, sizeof *values);
    front_count_t f = {.times = probability, .first = true};
    f.points = pr_alloc(n * (size_t)m, sizeof *f.points);
    f.id = pr_alloc(n, sizeof *f.id);
    f.kept = pr_alloc(n, sizeof *f.kept);
    for (size_t i = 0; i < n; i++)
        probability[i] = 0;
    pr_status_t status = pr_resample(run, n_prompts, m, count_front, &f, &whole, values, err);
    for (size_t i = 0; i < n; i++)
        probability[i] /= (double)how->resamples;
    free(f.points);
    free(f.id);
    free(f.kept);
    free(values);
    return status;
}

pr_status_t pr_resampled_interval(const double *const *values, size_t n_runs, const pr_bootstrap_t *how,
                                  pr_interval_t *out, pr_error_t *err)
{
    assert(how->resamples >= 2 && how->level > 0 && how->level < 1);
    size_t *run_count = pr_alloc(n_runs, sizeof *run_count);
    double *mean = pr_alloc(how->resamples, sizeof *mean);
    pr_rng_key_t key = pr_rng_key(how->seed, "bootstrap", "");
    for (size_t i = 0; i < n_runs; i++)
        run_count[i] = 1;
    pr_interval_t found = {.estimate = mean_of_runs(values, run_count, n_runs, 0)};
    bool finite = isfinite(found.estimate);
    for (size_t i = 0; i < how->resamples && finite; i++) {
        draw(&key, i, 1, run_count, n_runs);
        mean[i] = mean_of_runs(values, run_count, n_runs, 1 + i);
        finite = isfinite(mean[i]);
    }
    if (finite) {
        summarise(mean, how->resamples, how->level, &found);
        *out = found;
    }
    free(mean);
    free(run_count);
    return finite ? PR_OK : pr_fail(err, PR_ERR_NUMERIC, "bootstrap: the statistic is not a finite number");
}

pr_status_t pr_bootstrap(const pr_scores_t *runs, size_t n_runs, size_t n_prompts, int m, pr_statistic_fn statistic,
                         void *context, const pr_bootstrap_t *how, pr_interval_t *out, pr_error_t *err)
{
    if (n_runs == 0 || n_prompts == 0)
        return pr_fail(err, PR_ERR_NUMERIC, "bootstrap: %zu runs and %zu prompts, expected one of each at least",
                       n_runs, n_prompts);
    pr_resampling_t each = {.resamples = how->resamples, .seed = how->seed};
    size_t row = 1 + how->resamples;
    double *values = pr_alloc(n_runs * row, sizeof *values);
    const double **of_run = pr_alloc(n_runs, sizeof *of_run);
    for (size_t i = 0; i < n_runs; i++) {
        of_run[i] = values + i * row;
        pr_resample(&runs[i], n_prompts, m, statistic, context, &each, values + i * row, NULL);
    }
    pr_status_t status = pr_resampled_interval(of_run, n_runs, how, out, err);
    free(of_run);
    free(values);
    return status;
}

/* The continued fraction of the incomplete beta function, by Lentz's method (Press et al., "Numerical recipes",
 * 6.4). */
static double beta_fraction(double a, double b, double x)
{
    enum { MOST = 10000 };
    const double tiny = 1e-300, close = 1e-15;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int i = 1; i < MOST; i++) {
        double even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < close)
            break;
    }
    return h;
}

static double incomplete_beta(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x > 0;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double pr_student_tail(double t, double df)
{
    double half = isinf(t) ? 0 : incomplete_beta(df / 2, 0.5, df / (df + t * t)) / 2;
    return t >= 0 ? half : 1 - half;
}

/* The t that is surpassed with this probability, below 1/2. */
static double student_quantile(double tail, double df)
{
    double low = 0, high = 1;
    while (pr_student_tail(high, df) > tail)
        high *= 2;
    for (int i = 0; i < 60; i++) {
        double mid = (low + high) / 2;
        *(pr_student_tail(mid, df) > tail ? &low : &high) = mid;
    }
    return high;
}

/* Are n enough? By the usual approximation, n >= ((t(5 % / 2) + t(20 %)) deviation / mean)^2 with n - 1 degrees of freedom. */
static bool enough_seeds(long n, double ratio)
{
    double t = student_quantile(0.025, (double)n - 1) + student_quantile(0.2, (double)n - 1);
    return (double)n >= t * t * ratio * ratio;
}

long pr_seeds_needed(double mean, double deviation)
{
    enum { LEAST = 3, MOST = 1000000 };
    double ratio = fabs(deviation / mean);
    long low = LEAST, high = LEAST;
    if (!isfinite(ratio) || !enough_seeds(MOST, ratio))
        return 0;
    while (!enough_seeds(high, ratio)) {
        low = high + 1;
        high = high * 2 < MOST ? high * 2 : MOST;
    }
    while (low < high) {
        long mid = low + (high - low) / 2;
        *(enough_seeds(mid, ratio) ? &high : &low) = enough_seeds(mid, ratio) ? mid : mid + 1;
    }
    return high;
}

/* Pairs in runs of equal neighbours among rows, compared on x, and on y too where y is given. */
static double tied_pairs(const uint32_t *rows, size_t n, const double *x, const double *y)
{
    double pairs = 0;
    size_t run = 1;
    for (size_t i = 1; i <= n; i++) {
        if (i < n && x[rows[i]] == x[rows[i - 1]] && (!y || y[rows[i]] == y[rows[i - 1]])) {
            run++;
            continue;
        }
        pairs += (double)run * (double)(run - 1) / 2;
        run = 1;
    }
    return pairs;
}

/* Sorts v by merging and returns the number of exchanges of neighbours that this stands for. */
static double count_inversions(double *v, double *scratch, size_t n)
{
    if (n < 2)
        return 0;
    size_t half = n / 2;
    double count = count_inversions(v, scratch, half) + count_inversions(v + half, scratch, n - half);
    size_t left = 0;
    size_t right = half;
    for (size_t i = 0; i < n; i++) {
        bool from_right = left == half || (right < n && v[right] < v[left]);
        if (from_right)
            count += (double)(half - left);
        scratch[i] = from_right ? v[right++] : v[left++];
    }
    memcpy(v, scratch, n * sizeof *v);
    return count;
}

double pr_kendall_tau(const double *x, const double *y, size_t n)
{
    uint32_t *rows = pr_alloc(n, sizeof *rows);
    double *ordered = pr_alloc(2 * n, sizeof *ordered);
    pr_sorter_t sorter = pr_sorter_new(n);
    for (size_t i = 0; i < n; i++)
        rows[i] = (uint32_t)i;
    pr_sort_rows(&sorter, y, 1, false, rows, n);
    double tied_y = tied_pairs(rows, n, y, NULL);
    pr_sort_rows(&sorter, x, 1, false, rows, n);
    double tied_x = tied_pairs(rows, n, x, NULL);
    double tied_both = tied_pairs(rows, n, x, y);
    for (size_t i = 0; i < n; i++)
        ordered[i] = y[rows[i]];
    double discordant = count_inversions(ordered, ordered + n, n);
    double pairs = (double)n * ((double)n - 1) / 2;
    double concordant = pairs - tied_x - tied_y + tied_both - discordant;
    double scale = sqrt(pairs - tied_x) * sqrt(pairs - tied_y);
    pr_sorter_free(&sorter);
    free(ordered);
    free(rows);
    return scale > 0 ? (concordant - discordant) / scale : NAN;
}
