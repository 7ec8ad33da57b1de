// SPDX-License-Identifier: BSD-3-Clause
#include "reward/fit.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the 16 digits of a double, solving with a reciprocal condition of 1e-12 takes 12: what is left is no weight. */
static const double least_rcond = 1e-12;
/* A ridge of this part of the trace, which no eigenvalue exceeds, keeps rcond well above that. */
static const double safe_ridge = 1e-8;

enum { MAX_STEPS = 100, MAX_HALVINGS = 40 };

static double dot(const double *a, const double *b, int d)
{
    double sum = 0;
    for (int i = 0; i < d; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *to, double scale, const double *x, int d)
{
    for (int i = 0; i < d; i++)
        to[i] += scale * x[i];
}

/* ---- passes over the samples ---- */

/* Room for a batch on every rank of the team. */
static pr_status_t batch_room(const pr_team_t *team, const pr_features_t *f, double **x, pr_error_t *err)
{
    *x = pr_alloc_matrix((size_t)f->max_rows * (size_t)f->d + 1, sizeof **x);
    pr_status_t status = PR_OK;
    if (!*x)
        status = pr_fail(err, PR_ERR_MEMORY, "no memory for %d x %d features", f->max_rows, f->d);
    status = team->agree(team, status, err);
    if (status != PR_OK) {
        free(*x);
        *x = NULL;
    }
    return status;
}

typedef pr_status_t (*batch_fn)(void *self, int batch, double *x, int first, int n, pr_error_t *err);

/* Calls each with every batch, once all ranks have theirs; each may be collective and its errors are the team's. */
static pr_status_t for_batches(const pr_team_t *team, const pr_features_t *f, batch_fn each, void *self,
                               pr_error_t *err)
{
    double *x = NULL;
    pr_status_t status;
    PR_GO(batch_room(team, f, &x, err));
    for (int b = 0; b < f->n_batch; b++) {
        int first = 0, n = 0;
        status = f->batch(f->self, b, x, &first, &n, err);
        PR_GO(team->agree(team, status, err));
        PR_GO(each(self, b, x, first, n, err));
    }
done:
    free(x);
    return status;
}

/* ---- solving ---- */

static pr_status_t singular(int d, double rcond, double ridge, double trace, pr_error_t *err)
{
    double least = trace > 0 ? safe_ridge * trace : 1;
    if (!isfinite(trace))
        return pr_fail(err, PR_ERR_NUMERIC, "the features hold numbers that are not finite");
    return pr_fail(err, PR_ERR_NUMERIC,
                   "the equations of %d features cannot be solved: rcond %.2g, expected at least %.0e, with ridge = "
                   "%.3g; set ridge to %.1e or more",
                   d, rcond, least_rcond, ridge, least > 10 * ridge ? least : 10 * ridge);
}

/* (G + ridge I) v = b, in place of b [d]; g is destroyed. */
static pr_status_t solve(const pr_team_t *team, pr_spd_t *g, int d, double ridge, double *b, double *rcond,
                         pr_error_t *err)
{
    const pr_dense_t *dense = team->dense;
    double trace = dense->trace(dense, g);
    dense->add_diagonal(dense, g, ridge);
    *rcond = 0; // of one that is not positive definite
    pr_status_t status = dense->factor(dense, g, rcond, err);
    if (status == PR_ERR_NUMERIC || (status == PR_OK && !(*rcond >= least_rcond)))
        return singular(d, *rcond, ridge, trace, err);
    PR_TRY(status);
    return dense->solve(dense, g, 1, b, err);
}

/* ---- labels ---- */

/* Sums are taken about the first batch's means, so that a large common part of the features costs no digits; the exact
 * means are then taken off. */
typedef struct ridge_fit {
    const pr_team_t *team;
    const double *y;
    int d;
    double *shift, y_shift;
    double *sums; // [2d+3]: of x, of x y, of y, of y y, count
    pr_spd_t *g;
} ridge_fit_t;

static void find_shift(ridge_fit_t *r, const double *x, int first, int n)
{
    size_t d = (size_t)r->d;
    double *sums = pr_alloc(d + 2, sizeof *sums);
    for (int i = 0; i < n; i++) {
        add_scaled(sums, 1, x + (size_t)i * d, r->d);
        sums[d] += r->y[first + i];
    }
    sums[d + 1] = n;
    r->team->sum_rows(r->team, sums, d + 2);
    double count = sums[d + 1] > 0 ? sums[d + 1] : 1;
    for (size_t j = 0; j < d; j++)
        r->shift[j] = sums[j] / count;
    r->y_shift = sums[d] / count;
    free(sums);
}

static pr_status_t add_labelled(void *self, int batch, double *x, int first, int n, pr_error_t *err)
{
    ridge_fit_t *r = self;
    size_t d = (size_t)r->d;
    if (batch == 0)
        find_shift(r, x, first, n);
    for (int i = 0; i < n; i++) {
        double *row = x + (size_t)i * d, y = r->y[first + i] - r->y_shift;
        add_scaled(row, -1, r->shift, r->d);
        add_scaled(r->sums, 1, row, r->d);
        add_scaled(r->sums + d, y, row, r->d);
        r->sums[2 * d] += y;
        r->sums[2 * d + 1] += y * y;
    }
    r->sums[2 * d + 2] += n;
    return r->team->dense->add(r->team->dense, r->g, 1, n, x, err);
}

/* G becomes the covariance matrix: (G - s st / n) / n, by way of its negative, as rank-1 updates only add. */
static pr_status_t centre(const ridge_fit_t *r, double n, pr_error_t *err)
{
    const pr_dense_t *dense = r->team->dense;
    double *s = pr_alloc((size_t)r->d, sizeof *s);
    add_scaled(s, 1 / sqrt(n), r->sums, r->d);
    pr_status_t status = dense->add(dense, r->g, -1, r->team->row == 0 ? 1 : 0, s, err);
    free(s);
    PR_TRY(status);
    return dense->add(dense, r->g, -1 / n, 0, NULL, err);
}

/* The loss follows from the solution: with (G + ridge I) w = t it is var y - w.t - ridge |w|^2. */
static pr_status_t solve_labels(ridge_fit_t *r, double ridge, double *w, double *b, pr_fit_stats_t *stats,
                                pr_error_t *err)
{
    size_t d = (size_t)r->d;
    double *sums = r->sums, n = sums[2 * d + 2], y_mean = sums[2 * d] / n;
    PR_TRY(centre(r, n, err));
    for (size_t j = 0; j < d; j++)
        sums[d + j] = w[j] = (sums[d + j] - sums[j] * y_mean) / n;
    PR_TRY(solve(r->team, r->g, r->d, ridge, w, &stats->rcond, err));
    *b = r->y_shift + y_mean - dot(w, r->shift, r->d) - dot(w, sums, r->d) / n;
    double loss = sums[2 * d + 1] / n - y_mean * y_mean - dot(w, sums + d, r->d) - ridge * dot(w, w, r->d);
    stats->loss = loss > 0 ? loss : 0;
    stats->steps = 1;
    return PR_OK;
}

pr_status_t pr_fit_labels(const pr_team_t *team, const pr_features_t *x, const double *y, double ridge, double *w,
                          double *b, pr_fit_stats_t *stats, pr_error_t *err)
{
    size_t d = (size_t)x->d;
    ridge_fit_t r = {.team = team, .y = y, .d = x->d};
    pr_status_t status;
    r.shift = pr_alloc(d, sizeof *r.shift);
    r.sums = pr_alloc(2 * d + 3, sizeof *r.sums);
    PR_GO(team->dense->create(team->dense, x->d, &r.g, err));
    PR_GO(for_batches(team, x, add_labelled, &r, err));
    team->sum_rows(team, r.sums, 2 * d + 3);
    stats->n = (long)r.sums[2 * d + 2];
    if (stats->n == 0)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "found no sample to fit on"));
    PR_GO(solve_labels(&r, ridge, w, b, stats, err));
done:
    team->dense->destroy(team->dense, &r.g);
    free(r.shift);
    free(r.sums);
    return status;
}

/* ---- pairs ---- */

typedef struct pair_fit {
    const pr_team_t *team;
    int d;
    double ridge;
    const double *w, *margin;
    bool curvature; // gradient and Hessian too
    double *sums;   // [d+3]: gradient, loss, count, how many w.z <= 0
    pr_spd_t *h;
} pair_fit_t;

/* log(1 + exp(-m)) */
static double pair_loss(double m)
{
    return m > 0 ? log1p(exp(-m)) : log1p(exp(m)) - m;
}

static pr_status_t add_pairs(void *self, int batch, double *z, int first, int n, pr_error_t *err)
{
    pair_fit_t *p = self;
    size_t d = (size_t)p->d;
    for (int i = 0; i < n; i++) {
        double *row = z + (size_t)i * d, lead = dot(p->w, row, p->d),
               m = p->margin ? lead - p->margin[first + i] : lead;
        p->sums[d] += pair_loss(m);
        p->sums[d + 2] += lead <= 0;
        if (!p->curvature)
            continue;
        // The probability of the wrong answer, and what its product with the right one's weighs the row by.
        double wrong = m > 0 ? exp(-m) / (1 + exp(-m)) : 1 / (1 + exp(m)), root = sqrt(wrong * (1 - wrong));
        add_scaled(p->sums, -wrong, row, p->d);
        for (size_t j = 0; j < d; j++)
            row[j] *= root;
    }
    p->sums[d + 1] += n;
    return p->curvature ? p->team->dense->add(p->team->dense, p->h, batch == 0 ? 0 : 1, n, z, err) : PR_OK;
}

/* The loss at w, and with curvature its gradient [d] and, in h, its Hessian without the ridge. */
typedef struct pair_point {
    double loss, mean; // with and without the ridge
    long n, wrong;
} pair_point_t;

static pr_status_t pair_pass(pair_fit_t *p, const pr_features_t *z, const double *w, double *gradient,
                             pair_point_t *out, pr_error_t *err)
{
    size_t d = (size_t)p->d;
    p->w = w;
    p->curvature = gradient != NULL;
    memset(p->sums, 0, (d + 3) * sizeof *p->sums);
    PR_TRY(for_batches(p->team, z, add_pairs, p, err));
    p->team->sum_rows(p->team, p->sums, d + 3);
    double n = p->sums[d + 1];
    if (n == 0)
        return pr_fail(err, PR_ERR_FORMAT, "found no pair to fit on");
    out->n = (long)n;
    out->wrong = (long)p->sums[d + 2];
    out->mean = p->sums[d] / n;
    out->loss = out->mean + 0.5 * p->ridge * dot(w, w, p->d);
    if (!gradient)
        return PR_OK;
    for (size_t j = 0; j < d; j++)
        gradient[j] = p->sums[j] / n + p->ridge * w[j];
    return p->team->dense->add(p->team->dense, p->h, 1 / n, 0, NULL, err);
}

/* The longest of 1, 1/2, 1/4, ... along -step that lessens the loss (Armijo); w becomes the point. */
static pr_status_t line_search(pair_fit_t *p, const pr_features_t *z, double *w, const double *step, double decrement,
                               double loss, pr_error_t *err)
{
    double *trial = pr_alloc((size_t)p->d, sizeof *trial), length = 1;
    pair_point_t there = {0};
    pr_status_t status = PR_OK;
    for (int i = 0; i < MAX_HALVINGS; i++, length /= 2) {
        memcpy(trial, w, (size_t)p->d * sizeof *w);
        add_scaled(trial, -length, step, p->d);
        PR_GO(pair_pass(p, z, trial, NULL, &there, err));
        if (there.loss <= loss - 1e-4 * length * decrement + 1e-15 * loss)
            break;
    }
    memcpy(w, trial, (size_t)p->d * sizeof *w);
done:
    free(trial);
    return status;
}

/* One step; *last: what it leaves to gain is below what double precision tells. */
static pr_status_t newton_step(pair_fit_t *p, const pr_features_t *z, double *w, bool *last, pr_fit_stats_t *stats,
                               pr_error_t *err)
{
    double *gradient = pr_alloc((size_t)p->d, sizeof *gradient), *step = pr_alloc((size_t)p->d, sizeof *step);
    pair_point_t here = {0};
    pr_status_t status;
    PR_GO(pair_pass(p, z, w, gradient, &here, err));
    if (p->ridge == 0 && here.wrong == 0) // at w = 0 all count as wrong
        PR_GO(pr_fail(err, PR_ERR_NUMERIC,
                      "all %ld pairs are told apart without error, so that no finite weights are best; set ridge above "
                      "0",
                      here.n));
    memcpy(step, gradient, (size_t)p->d * sizeof *step);
    PR_GO(solve(p->team, p->h, p->d, p->ridge, step, &stats->rcond, err));
    double decrement = dot(gradient, step, p->d);
    *last = decrement <= 1e-14;
    if (*last) // Newton's steps square the distance: this one leaves nothing
        add_scaled(w, -1, step, p->d);
    else
        PR_GO(line_search(p, z, w, step, decrement, here.loss, err));
    p->team->dense->clear(p->team->dense, p->h);
done:
    free(gradient);
    free(step);
    return status;
}

pr_status_t pr_fit_pairs(const pr_team_t *team, const pr_features_t *z, const double *margin, double ridge, double *w,
                         pr_fit_stats_t *stats, pr_error_t *err)
{
    pair_fit_t p = {.team = team, .d = z->d, .ridge = ridge, .margin = margin};
    pair_point_t there = {0};
    bool last = false;
    pr_status_t status;
    p.sums = pr_alloc((size_t)z->d + 3, sizeof *p.sums);
    memset(w, 0, (size_t)z->d * sizeof *w);
    PR_GO(team->dense->create(team->dense, z->d, &p.h, err));
    for (stats->steps = 0; !last; stats->steps++) {
        if (stats->steps == MAX_STEPS)
            PR_GO(pr_fail(err, PR_ERR_NUMERIC,
                          "no best weights after %d Newton steps with ridge = %.3g; set a larger ridge", MAX_STEPS,
                          ridge));
        PR_GO(newton_step(&p, z, w, &last, stats, err));
    }
    PR_GO(pair_pass(&p, z, w, NULL, &there, err));
    stats->n = there.n;
    stats->loss = there.mean;
done:
    team->dense->destroy(team->dense, &p.h);
    free(p.sums);
    return status;
}

/* ---- figures ---- */

typedef struct checking {
    const double *y, *w;
    double b;
    int d;
    double sums[6]; // count, right answers, losses or squared errors, of y and of y y about a shift, labels above 1/2
    double y_shift;
} checking_t;

static pr_status_t check_labelled(void *self, int batch, double *x, int first, int n, pr_error_t *err)
{
    checking_t *c = self;
    (void)batch, (void)err;
    for (int i = 0; i < n; i++) {
        double y = c->y[first + i], guess = dot(c->w, x + (size_t)i * (size_t)c->d, c->d) + c->b, off = y - c->y_shift;
        c->sums[0]++;
        c->sums[1] += (guess > 0.5) == (y > 0.5);
        c->sums[2] += (y - guess) * (y - guess);
        c->sums[3] += off;
        c->sums[4] += off * off;
        c->sums[5] += y > 0.5;
    }
    return PR_OK;
}

pr_status_t pr_check_labels(const pr_team_t *team, const pr_features_t *x, const double *y, bool binary,
                            const double *w, double b, pr_fit_figures_t *out, pr_error_t *err)
{
    checking_t c = {.y = y, .w = w, .b = b, .d = x->d, .y_shift = b};
    PR_TRY(for_batches(team, x, check_labelled, &c, err));
    team->sum_rows(team, c.sums, 6);
    double n = c.sums[0], spread = c.sums[4] - c.sums[3] * c.sums[3] / n;
    *out = (pr_fit_figures_t){.n = (long)n, .accuracy = NAN, .base_rate = NAN, .loss = NAN, .rmse = NAN, .r2 = NAN};
    if (n > 0) {
        out->accuracy = binary ? c.sums[1] / n : NAN;
        out->base_rate = binary ? fmax(c.sums[5], n - c.sums[5]) / n : NAN;
        out->rmse = sqrt(c.sums[2] / n);
        out->r2 = spread > 1e-12 * c.sums[4] ? 1 - c.sums[2] / spread : NAN; // not of equal labels
    }
    return PR_OK;
}

static pr_status_t check_pair(void *self, int batch, double *z, int first, int n, pr_error_t *err)
{
    checking_t *c = self;
    (void)batch, (void)err;
    for (int i = 0; i < n; i++) {
        double m = dot(c->w, z + (size_t)i * (size_t)c->d, c->d);
        c->sums[0]++;
        c->sums[1] += m > 0 ? 1 : m < 0 ? 0 : 0.5;
        c->sums[2] += pair_loss(c->y ? m - c->y[first + i] : m);
    }
    return PR_OK;
}

pr_status_t pr_check_pairs(const pr_team_t *team, const pr_features_t *z, const double *margin, const double *w,
                           pr_fit_figures_t *out, pr_error_t *err)
{
    checking_t c = {.y = margin, .w = w, .d = z->d};
    PR_TRY(for_batches(team, z, check_pair, &c, err));
    team->sum_rows(team, c.sums, 6);
    double n = c.sums[0];
    *out = (pr_fit_figures_t){.n = (long)n, .rmse = NAN, .r2 = NAN};
    out->accuracy = n > 0 ? c.sums[1] / n : NAN;
    out->base_rate = n > 0 ? 0.5 : NAN;
    out->loss = n > 0 ? c.sums[2] / n : NAN;
    return PR_OK;
}
