// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/hv_estimate.h"
#include "base/rng.h"
#include "pareto/hv_internal.h"
#include "pareto/hypervolume.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPLICATES = 32, LANES = 16, MOST_SETS = 64 };
/* Student's t of 31 degrees of freedom at 0.9995. */
static const double WIDE = 3.633;
/* Steps of a method's trial at most, whatever may follow. */
static const double MOST_TRIAL = 1e8;

const char *pr_hv_method_name(pr_hv_method_t method)
{
    static const char *const names[] = {"exact", "estimate from boxes", "estimate from rays"};
    return names[method];
}

/* ---- a set, ready to be asked ---- */

typedef double reals_t __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t masks_t __attribute__((vector_size(LANES * sizeof(int64_t))));

/* Points better than the reference, each objective divided by its greatest value, LANES points to a block. */
typedef struct cloud {
    size_t n, m, blocks;
    double *u;       // [n,m] in (0,1]
    reals_t *column; // [blocks,m]
    size_t words;    // bits of a set of points, in words; 0: there are too many for sets
    double *sorted;  // [m,n] an objective's values, ascending
    uint32_t *guide; // [m,n] of values in [i/n, (i+1)/n): the first that is not below i/n
    uint64_t *above; // [m,n+1,words] the points whose value is sorted[i] at least
    uint32_t *row;   // [n] of the caller's points
    double *box;     // [n] volumes
    double boxes;    // their sum
    double scale;    // a volume is scale 2^exponent times what is found of u
    long exponent;
    bool infinite;
} cloud_t;

static void cloud_free(cloud_t *c)
{
    free(c->u);
    free(c->column);
    free(c->row);
    free(c->box);
    free(c->sorted);
    free(c->guide);
    free(c->above);
}

static void fill_columns(cloud_t *c)
{
    c->blocks = (c->n + LANES - 1) / LANES;
    c->column = pr_alloc_matrix(c->blocks * c->m, sizeof *c->column);
    for (size_t b = 0; b < c->blocks; b++)
        for (size_t k = 0; k < c->m; k++)
            for (size_t i = 0; i < LANES; i++) {
                size_t at = b * LANES + i;
                c->column[b * c->m + k][i] = at < c->n ? c->u[at * c->m + k] : -1; // holds nothing
            }
}

/* scale and exponent take a factor on. */
static void take_factor(cloud_t *c, double factor)
{
    int e = 0;
    c->scale = frexp(c->scale * factor, &e);
    c->exponent += e;
}

static void normalise(cloud_t *c)
{
    c->scale = 1;
    for (size_t k = 0; k < c->m; k++) {
        double most = 0;
        for (size_t i = 0; i < c->n; i++)
            most = fmax(most, c->u[i * c->m + k]);
        for (size_t i = 0; i < c->n; i++)
            c->u[i * c->m + k] /= most;
        take_factor(c, most);
    }
}

/* What is found of u in the caller's units. */
static double in_units(const cloud_t *c, double v)
{
    return pr_hv_unscale(c->exponent, c->scale * v);
}

static void measure_boxes(cloud_t *c)
{
    c->box = pr_alloc(c->n, sizeof *c->box);
    for (size_t i = 0; i < c->n; i++) {
        c->box[i] = 1;
        for (size_t k = 0; k < c->m; k++)
            c->box[i] *= c->u[i * c->m + k];
        c->boxes += c->box[i];
    }
}

/* The sets of points that reach each value of objective k. */
static void fill_sets(cloud_t *c, size_t k, pr_sorter_t *sorter, uint32_t *order)
{
    double *sorted = c->sorted + k * c->n;
    uint64_t *above = c->above + k * (c->n + 1) * c->words; // that of n is empty
    for (size_t i = 0; i < c->n; i++)
        order[i] = (uint32_t)i;
    pr_sort_rows(sorter, c->u + k, c->m, false, order, c->n);
    for (size_t i = c->n; i-- > 0;) {
        sorted[i] = c->u[order[i] * c->m + k];
        memcpy(above + i * c->words, above + (i + 1) * c->words, c->words * sizeof *above);
        above[i * c->words + order[i] / 64] |= UINT64_C(1) << order[i] % 64;
    }
    for (size_t i = 0, at = 0; i < c->n; i++) {
        while (at < c->n && sorted[at] < (double)i / (double)c->n)
            at++;
        c->guide[k * c->n + i] = (uint32_t)at;
    }
}

static void make_sets(cloud_t *c)
{
    enum { MOST_BYTES = 1 << 25 };
    size_t words = (c->n + 63) / 64;
    if (c->n == 0 || c->m > MOST_SETS || c->m * (c->n + 1) * words > MOST_BYTES / sizeof(uint64_t))
        return;
    c->words = words;
    c->sorted = pr_alloc(c->m * c->n, sizeof *c->sorted);
    c->guide = pr_alloc(c->m * c->n, sizeof *c->guide);
    c->above = pr_alloc(c->m * (c->n + 1) * words, sizeof *c->above);
    uint32_t *order = pr_alloc(c->n, sizeof *order);
    pr_sorter_t sorter = pr_sorter_new(c->n);
    for (size_t k = 0; k < c->m; k++)
        fill_sets(c, k, &sorter, order);
    pr_sorter_free(&sorter);
    free(order);
}

/* filter: without the points that another dominates. */
static cloud_t cloud_new(const double *points, size_t n, int m, const double *reference, bool filter)
{
    pr_hv_shifted_t s = pr_hv_shift(points, n, m, reference);
    if (filter)
        pr_hv_drop_dominated(&s);
    cloud_t c = {.n = s.n, .m = s.m, .u = s.u, .row = s.rows, .exponent = s.exponent, .infinite = s.infinite};
    if (!c.infinite)
        normalise(&c);
    fill_columns(&c);
    measure_boxes(&c);
    if (!c.infinite)
        make_sets(&c);
    return c;
}

static inline int64_t lanes_sum(const masks_t *v)
{
    int64_t sum = 0;
    for (size_t i = 0; i < LANES; i++)
        sum += (*v)[i];
    return sum;
}

static inline bool lanes_any(const masks_t *v)
{
    int64_t any = 0;
    for (size_t i = 0; i < LANES; i++)
        any |= (*v)[i];
    return any != 0;
}

/* The points whose objective k is x at least; x in (0,1). */
static const uint64_t *set_above(const cloud_t *c, size_t k, double x)
{
    const double *sorted = c->sorted + k * c->n;
    size_t part = (size_t)(x * (double)c->n); // x is below 1, but the product may be rounded up
    size_t at = c->guide[k * c->n + (part < c->n ? part : c->n - 1)];
    while (at < c->n && sorted[at] < x)
        at++;
    return c->above + (k * (c->n + 1) + at) * c->words;
}

static int64_t count_by_sets(const cloud_t *c, const double *x)
{
    const uint64_t *set[MOST_SETS];
    int64_t count = 0;
    assert(c->m >= 1 && c->m <= MOST_SETS);
    for (size_t k = 0; k < c->m; k++)
        set[k] = set_above(c, k, x[k]);
    for (size_t i = 0; i < c->words; i++) {
        uint64_t in = set[0][i];
        for (size_t k = 1; k < c->m; k++)
            in &= set[k][i];
        count += __builtin_popcountll(in);
    }
    return count;
}

/* How many boxes hold x [m]. */
static int64_t count_boxes(const cloud_t *c, const double *x)
{
    if (c->words)
        return count_by_sets(c, x);
    masks_t count = {0};
    for (size_t b = 0; b < c->blocks; b++) {
        const reals_t *column = c->column + b * c->m;
        masks_t in = column[0] >= x[0];
        for (size_t k = 1; k < c->m && lanes_any(&in); k++)
            in &= column[k] >= x[k];
        count -= in;
    }
    return lanes_sum(&count);
}

/* max_a min_k a_k / d_k, given 1 / d_k. */
static double extent(const cloud_t *c, const double *inverse)
{
    double most = 0;
    for (size_t b = 0; b < c->blocks; b++) {
        const reals_t *column = c->column + b * c->m;
        reals_t least = column[0] * inverse[0];
        for (size_t k = 1; k < c->m; k++) {
            reals_t along = column[k] * inverse[k];
            masks_t less = along < least;
            least = (reals_t)(((masks_t)along & less) | ((masks_t)least & ~less));
        }
        for (size_t i = 0; i < LANES; i++)
            most = least[i] > most ? least[i] : most;
    }
    return most;
}

/* Steps of one sample. Most blocks are done with after a few of the objectives. */
static double box_steps(const cloud_t *c)
{
    double count = c->words ? (double)(c->m * (8 + c->words)) : 10 * (double)(c->blocks * LANES);
    return 20 + 6 * (double)c->m + count;
}

static double ray_steps(const cloud_t *c)
{
    return 50 * (double)c->m + 3 * (double)(c->blocks * LANES * c->m);
}

/* ---- the sequence ---- */

/* Numbers of (0,1)^m one after another: position + index * step modulo 1, in fixed point, so that they are exact and
 * any index can be begun with. */
typedef struct sequence {
    size_t m;
    uint64_t *base, *at, *step;
} sequence_t;

/* The root above 1 of x^(m+1) = x + 1, whose inverse powers are the steps (the golden ratio for m = 1). */
static double golden(size_t m)
{
    double x = 2;
    for (int i = 0; i < 64; i++)
        x = pow(1 + x, 1 / (double)(m + 1));
    return x;
}

static sequence_t sequence_new(size_t m)
{
    sequence_t q = {m, pr_alloc(m, sizeof(uint64_t)), pr_alloc(m, sizeof(uint64_t)), pr_alloc(m, sizeof(uint64_t))};
    double inverse = 1 / golden(m), power = 1;
    for (size_t k = 0; k < m; k++) {
        power *= inverse;
        q.step[k] = (uint64_t)(power * 0x1p53) << 11 | 1;
    }
    return q;
}

static void sequence_free(sequence_t *q)
{
    free(q->base);
    free(q->at);
    free(q->step);
}

static void sequence_seek(sequence_t *q, size_t index)
{
    for (size_t k = 0; k < q->m; k++)
        q->at[k] = q->base[k] + (uint64_t)index * q->step[k];
}

static void sequence_begin(sequence_t *q, size_t replicate, size_t index)
{
    pr_rng_key_t key = pr_rng_key(0, "hypervolume", "");
    for (size_t k = 0; k < q->m; k++)
        q->base[k] = pr_rng_u64(&key, replicate, k, 0, 0);
    sequence_seek(q, index);
}

static void sequence_next(sequence_t *q, double *x)
{
    for (size_t k = 0; k < q->m; k++) {
        x[k] = ((double)(q->at[k] >> 12) + 0.5) * 0x1p-52; // without rounding, so never 1
        q->at[k] += q->step[k];
    }
}

/* ---- one replicate ---- */

/* What to draw of each box. */
typedef struct draws {
    size_t *count;  // [n] samples
    size_t *first;  // [n] where in the sequence they begin; NULL: they follow each other
    double *weight; // [n] of a sample
} draws_t;

static draws_t draws_new(size_t n)
{
    return (draws_t){.count = pr_alloc(n, sizeof(size_t)), .weight = pr_alloc(n, sizeof(double))};
}

static void draws_free(draws_t *d)
{
    free(d->count);
    free(d->first);
    free(d->weight);
}

/* The sum over the boxes of weight times the samples' 1 / (boxes that hold them); *alone (may be NULL): of each box,
 * how many of its samples no other holds. */
static double sample_boxes(const cloud_t *c, sequence_t *q, const draws_t *d, size_t *alone)
{
    double sum = 0, *x = pr_alloc(c->m, sizeof *x);
    for (size_t i = 0; i < c->n; i++) {
        const double *u = c->u + i * c->m;
        double of_box = 0;
        if (d->first)
            sequence_seek(q, d->first[i]);
        for (size_t s = 0; s < d->count[i]; s++) {
            sequence_next(q, x);
            for (size_t k = 0; k < c->m; k++)
                x[k] *= u[k];
            int64_t held = count_boxes(c, x);
            of_box += 1 / (double)held;
            if (alone)
                alone[i] += held == 1;
        }
        sum += d->weight[i] * of_box;
    }
    free(x);
    return sum;
}

/* n samples over the boxes in proportion to their volumes: those of a comb that begins at a random place. */
static void comb(const cloud_t *c, size_t replicate, size_t index, size_t n, draws_t *d)
{
    pr_rng_key_t key = pr_rng_key(0, "hypervolume boxes", "");
    double tooth = c->boxes / (double)n, next = pr_rng_uniform(&key, replicate, index, 0, 0) * tooth, end = 0;
    size_t given = 0;
    for (size_t i = 0; i < c->n; i++) {
        end += c->box[i];
        d->weight[i] = tooth;
        for (; next < end && given < n; next += tooth, given++)
            d->count[i]++;
    }
    d->count[c->n - 1] += n - given; // left by rounding
}

static double replicate_boxes(const cloud_t *c, sequence_t *q, size_t replicate, size_t index, size_t n)
{
    draws_t d = draws_new(c->n);
    comb(c, replicate, index, n, &d);
    sequence_begin(q, replicate, index);
    double v = sample_boxes(c, q, &d, NULL);
    draws_free(&d);
    return v;
}

/* Directions uniform on the simplex, where the volume is the mean of extent^m / m!. */
static double simplex_direction(double *d, size_t m)
{
    double total = 0, factor = 1;
    for (size_t k = 0; k < m; k++) {
        d[k] = -log(d[k]);
        total += d[k];
        factor /= (double)(k + 1);
    }
    for (size_t k = 0; k < m; k++)
        d[k] /= total;
    return factor;
}

/* Directions to the far faces of the cube, uniform there: the factor is 1. */
static double cube_direction(double *d, size_t m)
{
    double most = 0;
    for (size_t k = 0; k < m; k++)
        most = fmax(most, d[k]);
    for (size_t k = 0; k < m; k++)
        d[k] /= most;
    return 1;
}

typedef double (*direction_fn)(double *d, size_t m);

static double sample_rays(const cloud_t *c, sequence_t *q, size_t replicate, size_t index, size_t n,
                          direction_fn direction)
{
    double sum = 0, *d = pr_alloc(c->m, sizeof *d);
    sequence_begin(q, replicate, index);
    for (size_t s = 0; s < n; s++) {
        sequence_next(q, d);
        double factor = direction(d, c->m);
        for (size_t k = 0; k < c->m; k++)
            d[k] = 1 / d[k];
        sum += factor * pow(extent(c, d), (double)c->m);
    }
    free(d);
    return sum / (double)n;
}

static double replicate_simplex(const cloud_t *c, sequence_t *q, size_t replicate, size_t index, size_t n)
{
    return sample_rays(c, q, replicate, index, n, simplex_direction);
}

static double replicate_cube(const cloud_t *c, sequence_t *q, size_t replicate, size_t index, size_t n)
{
    return sample_rays(c, q, replicate, index, n, cube_direction);
}

typedef double (*replicate_fn)(const cloud_t *c, sequence_t *q, size_t replicate, size_t index, size_t n);

/* ---- all replicates ---- */

typedef struct sampling {
    const cloud_t *c;
    replicate_fn of;
    sequence_t q;
    double sum[REPLICATES]; // of value times samples
    size_t n;               // samples of each
} sampling_t;

static double steps_of(const sampling_t *s)
{
    return s->of == replicate_boxes ? box_steps(s->c) : ray_steps(s->c);
}

/* n more samples of each replicate, or as many as may go by between two questions for the end; false when stop() says
 * so. */
static bool sample_more(sampling_t *s, size_t n, pr_hv_stop_fn stop, void *self)
{
    static const double PIECE = 1e7; // steps
    size_t most = (size_t)fmax(1, PIECE / steps_of(s));
    n = n < most ? n : most;
    for (size_t r = 0; r < REPLICATES; r++) {
        if (stop && stop(self))
            return false;
        s->sum[r] += s->of(s->c, &s->q, r, s->n, n) * (double)n;
    }
    s->n += n;
    return true;
}

static void summarise(const double *value, double *mean, double *error)
{
    double sum = 0, squares = 0;
    for (size_t r = 0; r < REPLICATES; r++)
        sum += value[r];
    *mean = sum / REPLICATES;
    for (size_t r = 0; r < REPLICATES; r++)
        squares += (value[r] - *mean) * (value[r] - *mean);
    *error = WIDE * sqrt(squares / (REPLICATES - 1) / REPLICATES);
}

/* Replicates that all agree say nothing of what is too small to have been sampled: it is below 7 / samples with the
 * same confidence (0.999^-1 = e^6.9). */
static void judge(const sampling_t *s, double *mean, double *error)
{
    double value[REPLICATES];
    for (size_t r = 0; r < REPLICATES; r++)
        value[r] = s->sum[r] / (double)s->n;
    summarise(value, mean, error);
    if (!(*error > 1e-12 * *mean))
        *error = 7 / (double)(s->n * REPLICATES) * fmax(s->of == replicate_boxes ? s->c->boxes : 1, *mean);
}

/* Each method's trial with `steps` steps; the one that needs least work for the same error goes on. Neither may be
 * judged by a few samples, as both can have long tails. *left: less what was taken. */
static bool choose(const cloud_t *c, double steps, sampling_t *s, double *left, pr_hv_stop_fn stop, void *self)
{
    enum { LEAST = 64, METHODS = 3 };
    static const replicate_fn methods[METHODS] = {replicate_boxes, replicate_simplex, replicate_cube};
    double least = INFINITY;
    bool ok = true;
    for (int i = 0; i < METHODS && ok; i++) {
        sampling_t trial = {.c = c, .of = methods[i], .q = sequence_new(c->m)};
        double mean = 0, error = 0, n = floor(steps / steps_of(&trial) / REPLICATES);
        ok = sample_more(&trial, n > LEAST ? (size_t)n : LEAST, stop, self);
        *left -= (double)(trial.n * REPLICATES) * steps_of(&trial);
        if (ok)
            judge(&trial, &mean, &error);
        double worth = error / mean * sqrt(steps_of(&trial) * (double)trial.n);
        if (i == 0 || worth < least) {
            if (i > 0)
                sequence_free(&s->q);
            *s = trial;
            least = worth;
        } else {
            sequence_free(&trial.q);
        }
    }
    return ok;
}

static bool estimate(const cloud_t *c, double relative_error, double steps, pr_hv_stop_fn stop, void *self,
                     pr_hv_estimate_t *out)
{
    sampling_t s;
    double left = steps, mean = 0, error = 0;
    bool ok = choose(c, fmin(steps / 16, MOST_TRIAL), &s, &left, stop, self);
    double each = REPLICATES * steps_of(&s);
    while (ok) {
        judge(&s, &mean, &error);
        double n = (double)s.n; // as many again
        if (error <= relative_error * mean || left < each)
            break;
        n = n * each > left ? floor(left / each) : n;
        size_t before = s.n;
        ok = sample_more(&s, (size_t)n, stop, self);
        left -= (double)(s.n - before) * each;
    }
    *out =
        (pr_hv_estimate_t){s.of == replicate_boxes ? PR_HV_BOXES : PR_HV_RAYS, in_units(c, mean), in_units(c, error)};
    sequence_free(&s.q);
    return ok;
}

bool pr_hv_estimate(const double *points, size_t n, int m, const double *reference, double relative_error, double steps,
                    pr_hv_stop_fn stop, void *self, pr_hv_estimate_t *out)
{
    assert(m >= 1 && n < INT32_MAX);
    cloud_t c = cloud_new(points, n, m, reference, true);
    bool ok = true;
    if (c.n == 0 || c.infinite)
        *out = (pr_hv_estimate_t){PR_HV_EXACT, c.n == 0 ? 0 : INFINITY, 0};
    else if (c.n == 1)
        *out = (pr_hv_estimate_t){PR_HV_EXACT, in_units(&c, c.box[0]), 0};
    else
        ok = estimate(&c, relative_error, steps, stop, self, out);
    cloud_free(&c);
    return ok;
}

bool pr_hv_exact_or_estimate(const double *points, size_t n, int m, const double *reference, double exact_steps,
                             double relative_error, double steps, pr_hv_stop_fn stop, void *self, pr_hv_estimate_t *out)
{
    *out = (pr_hv_estimate_t){.method = PR_HV_EXACT};
    return pr_hypervolume_within(points, n, m, reference, &exact_steps, &out->volume) ||
           pr_hv_estimate(points, n, m, reference, relative_error, steps, stop, self, out);
}

/* ---- contributions ---- */

/* The same number of samples of each box, so that small ones are seen too. */
bool pr_hv_estimate_contributions(const double *points, size_t n, int m, const double *reference, double steps,
                                  pr_hv_stop_fn stop, void *self, double *contributions, double *error)
{
    cloud_t c = cloud_new(points, n, m, reference, false);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        contributions[i] = error[i] = c.infinite ? NAN : 0;
    steps = fmin(steps, REPLICATES * 1e8); // stop() is asked before each replicate
    size_t each = (size_t)fmax(16, steps / box_steps(&c) / (double)(c.n * REPLICATES + 1));
    size_t *alone = pr_alloc(REPLICATES * c.n, sizeof *alone);
    draws_t d = draws_new(c.n);
    double value[REPLICATES];
    sequence_t q = sequence_new(c.m);
    for (size_t i = 0; i < c.n; i++)
        d.count[i] = each;
    for (size_t r = 0; r < REPLICATES && ok && !c.infinite; r++) {
        ok = !stop || !stop(self);
        sequence_begin(&q, r, 0);
        if (ok)
            sample_boxes(&c, &q, &d, alone + r * c.n);
    }
    for (size_t i = 0; i < c.n && ok && !c.infinite; i++) {
        double mean = 0, wide = 0;
        for (size_t r = 0; r < REPLICATES; r++)
            value[r] = (double)alone[r * c.n + i] / (double)each;
        summarise(value, &mean, &wide);
        wide = wide > 0 ? wide : 7 / (double)(each * REPLICATES);
        contributions[c.row[i]] = in_units(&c, mean * c.box[i]);
        error[c.row[i]] = in_units(&c, wide * c.box[i]);
    }
    sequence_free(&q);
    draws_free(&d);
    free(alone);
    cloud_free(&c);
    return ok;
}

/* ---- designs ---- */

struct pr_hv_design {
    size_t n, m;
    pr_hv_method_t method;
    replicate_fn rays;     // where the method is that
    size_t samples;        // of them
    size_t *count, *first; // [n] samples of each box, and where in the sequence they begin
};

/* Boxes get samples in proportion to their volumes here, and one at least, as any may grow. */
static void share_samples(const cloud_t *c, size_t samples, size_t *count)
{
    for (size_t i = 0; i < c->n; i++) {
        double share = floor((double)samples * c->box[i] / c->boxes);
        count[c->row[i]] = share > 1 ? (size_t)share : 1;
    }
}

pr_hv_design_t *pr_hv_design_new(const double *points, size_t n, int m, const double *reference, double steps)
{
    cloud_t c = cloud_new(points, n, m, reference, false);
    sampling_t s = {.of = replicate_boxes};
    pr_hv_design_t *d = pr_alloc(1, sizeof *d);
    *d = (pr_hv_design_t){
        .n = n, .m = (size_t)m, .count = pr_alloc(n, sizeof *d->count), .first = pr_alloc(n, sizeof *d->first)};
    for (size_t i = 0; i < n; i++)
        d->count[i] = 1;
    double unlimited = INFINITY, samples = floor(steps / box_steps(&c));
    if (c.n > 0 && !c.infinite) {
        choose(&c, fmin(4 * steps, MOST_TRIAL), &s, &unlimited, NULL, NULL);
        sequence_free(&s.q);
    }
    // With fewer than two samples to a box those that matter least would take half of them.
    d->rays = s.of == replicate_cube ? replicate_cube : replicate_simplex;
    d->method = s.of != replicate_boxes || samples < 2 * (double)c.n ? PR_HV_RAYS : PR_HV_BOXES;
    if (d->method == PR_HV_BOXES)
        share_samples(&c, (size_t)samples, d->count);
    for (size_t i = 1; i < n; i++)
        d->first[i] = d->first[i - 1] + d->count[i - 1];
    d->samples = (size_t)fmax(1, steps / ray_steps(&c));
    cloud_free(&c);
    return d;
}

pr_hv_method_t pr_hv_design_method(const pr_hv_design_t *design)
{
    return design->method;
}

void pr_hv_design_free(pr_hv_design_t **design)
{
    if (*design) {
        free((*design)->count);
        free((*design)->first);
        free(*design);
    }
    *design = NULL;
}

static double design_boxes(const pr_hv_design_t *design, const cloud_t *c, sequence_t *q)
{
    draws_t d = draws_new(c->n);
    d.first = pr_alloc(c->n, sizeof *d.first);
    for (size_t i = 0; i < c->n; i++) {
        d.count[i] = design->count[c->row[i]];
        d.first[i] = design->first[c->row[i]];
        d.weight[i] = c->box[i] / (double)d.count[i];
    }
    sequence_begin(q, 0, 0);
    double v = sample_boxes(c, q, &d, NULL);
    draws_free(&d);
    return v;
}

double pr_hv_design_volume(const pr_hv_design_t *d, const double *points, const double *reference)
{
    cloud_t c = cloud_new(points, d->n, (int)d->m, reference, d->method == PR_HV_RAYS);
    sequence_t q = sequence_new(d->m);
    double v = c.n == 0 ? 0 : INFINITY;
    if (c.n > 0 && !c.infinite)
        v = in_units(&c, d->method == PR_HV_RAYS ? d->rays(&c, &q, 0, 0, d->samples) : design_boxes(d, &c, &q));
    sequence_free(&q);
    cloud_free(&c);
    return v;
}
