// SPDX-License-Identifier: BSD-3-Clause
#include "learn/preference.h"
#include "base/limits.h"

#include <math.h>
#include <string.h>

const pr_option_t pr_preference_options[] = {
    {.key = "alpha",
     .kind = PR_OPT_REAL,
     .dflt = "1.0",
     .min = 1e-3,
     .max = 1e6,
     .help = "preferences are drawn from Dirichlet(alpha, .., alpha): 1 is uniform on the simplex, less prefers its "
             "boundary"},
    {.key = "corners",
     .kind = PR_OPT_REAL,
     .dflt = "0.2",
     .min = 0,
     .max = 1,
     .help = "with this probability one objective alone is drawn instead, which Dirichlet never does"},
    {.key = "per",
     .kind = PR_OPT_STRING,
     .dflt = "\"prompt\"",
     .choices = "prompt|step",
     .help = "one preference for each prompt of a step, or one for all of them, which is noisier"},
    {.key = "weights",
     .kind = PR_OPT_REALS,
     .dflt = "",
     .min = 0,
     .max = 1e6,
     .help = "preferences to be taken in turn instead, K numbers each, one after the other"},
    {.key = "half_life",
     .kind = PR_OPT_REAL,
     .dflt = "10",
     .min = 0.1,
     .max = 1e6,
     .help = "steps after which what a step's prompts scored counts half where a weighting rule asks for the mean "
             "scores at "
             "a preference; they are a regression, affine in w, over the steps before"},
    {0}};

pr_status_t pr_preference_check(const json_t *options, int k, pr_error_t *err)
{
    int n = pr_option_length(options, "weights");
    if (pr_option_given(options, "weights") && (n == 0 || n % k != 0))
        return pr_fail(err, PR_ERR_CONFIG, "weights: found %d numbers, expected %d for each preference", n, k);
    return PR_OK;
}

/* Gamma(a, 1) by Marsaglia and Tsang (2000), "A simple method for generating gamma variables"; below 1 by the power of
 * a uniform number. Counters: (a, b, c, 0, 1, ..). */
static double gamma_of(const pr_rng_key_t *key, double a, uint64_t step, uint64_t place, uint64_t k)
{
    enum { TRIES = 1000 };
    double least = a < 1 ? a + 1 : a, d = least - 1.0 / 3, c = 1 / sqrt(9 * d), out = d;
    for (uint64_t i = 0; i < TRIES; i++) {
        double x = pr_rng_normal(key, step, place, k, 2 * i + 1), v = pow(1 + c * x, 3);
        double u = pr_rng_uniform(key, step, place, k, 2 * i + 2);
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) {
            out = d * v;
            break;
        }
    }
    return a < 1 ? out * pow(pr_rng_uniform(key, step, place, k, 0), 1 / a) : out;
}

static void from_list(const json_t *options, int k, int n_list, uint64_t number, double *w)
{
    int first = (int)(number % (uint64_t)n_list) * k;
    for (int i = 0; i < k; i++)
        w[i] = pr_option_item(options, "weights", first + i);
}

void pr_preference_draw(const json_t *options, int k, const pr_rng_key_t *key, long step, int place, int n, double *w)
{
    bool per_step = strcmp(pr_option_string(options, "per"), "step") == 0;
    double alpha = pr_option_real(options, "alpha"), sum = 0;
    uint64_t s = (uint64_t)step, p = per_step ? 0 : (uint64_t)place, choose = PR_MAX_OBJECTIVES;
    int n_list = pr_option_length(options, "weights") / k;
    if (n_list > 0) {
        from_list(options, k, n_list, per_step ? s : s * (uint64_t)n + p, w);
        return;
    }
    bool corner = pr_rng_uniform(key, s, p, choose, 0) < pr_option_real(options, "corners");
    for (int i = 0; i < k; i++)
        sum += w[i] = corner ? 0 : gamma_of(key, alpha, s, p, (uint64_t)i);
    if (corner || !(sum > 0)) { // of a small alpha all may be 0
        memset(w, 0, (size_t)k * sizeof *w);
        w[pr_rng_below(key, (uint64_t)k, s, p, choose, 1)] = 1;
        return;
    }
    for (int i = 0; i < k; i++)
        w[i] /= sum;
}

/* ---- mean scores over preferences ---- */

/* Aged sums: n, w [k], f [k], w w' [k,k], w f' [k,k]. */
typedef struct surface {
    double *n, *w, *f, *ww, *wf;
} surface_t;

static surface_t surface_in(int k, double *state)
{
    return (surface_t){state, state + 1, state + 1 + k, state + 1 + 2 * k, state + 1 + 2 * k + k * k};
}

size_t pr_surface_numbers(int k)
{
    return 1 + 2 * (size_t)k + 2 * (size_t)k * (size_t)k;
}

void pr_surface_age(int k, double half_life, double *state)
{
    for (size_t i = 0; i < pr_surface_numbers(k); i++)
        state[i] *= exp2(-1 / half_life);
}

void pr_surface_add(int k, const double *w, const double *mean, double *state)
{
    surface_t s = surface_in(k, state);
    for (int i = 0; i < k; i++)
        if (!isfinite(mean[i]))
            return;
    *s.n += 1;
    for (int i = 0; i < k; i++) {
        s.w[i] += w[i];
        s.f[i] += mean[i];
        for (int j = 0; j < k; j++) {
            s.ww[i * k + j] += w[i] * w[j];
            s.wf[i * k + j] += w[i] * mean[j];
        }
    }
}

/* a [k,k], symmetric and positive definite, becomes its Cholesky factor, and b its solution. */
static void solve(int k, double *a, double *b)
{
    for (int i = 0; i < k; i++)
        for (int j = 0; j <= i; j++) {
            double sum = a[i * k + j];
            for (int x = 0; x < j; x++)
                sum -= a[i * k + x] * a[j * k + x];
            a[i * k + j] = i == j ? sqrt(fmax(sum, 1e-300)) : sum / a[j * k + j];
        }
    for (int i = 0; i < k; i++) {
        for (int x = 0; x < i; x++)
            b[i] -= a[i * k + x] * b[x];
        b[i] /= a[i * k + i];
    }
    for (int i = k - 1; i >= 0; i--) {
        for (int x = i + 1; x < k; x++)
            b[i] -= a[x * k + i] * b[x];
        b[i] /= a[i * k + i];
    }
}

void pr_surface_at(int k, const double *state, const double *w, double *mean)
{
    surface_t s = surface_in(k, (double *)(uintptr_t)state);
    double n = *s.n, a[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES] = {0}, x[PR_MAX_OBJECTIVES] = {0}, trace = 0;
    for (int i = 0; i < k; i++)
        mean[i] = n > 0 ? s.f[i] / n : NAN;
    if (!(n > 0))
        return;
    for (int i = 0; i < k; i++) {
        x[i] = w[i] - s.w[i] / n;
        for (int j = 0; j < k; j++)
            a[i * k + j] = s.ww[i * k + j] / n - s.w[i] / n * (s.w[j] / n);
        trace += a[i * k + i];
    }
    if (!(trace > 1e-12)) // all under one preference
        return;
    for (int i = 0; i < k; i++)
        a[i * k + i] += trace / n;
    solve(k, a, x);
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++)
            mean[j] += x[i] * (s.wf[i * k + j] / n - s.w[i] / n * (s.f[j] / n));
}
