// SPDX-License-Identifier: BSD-3-Clause
/* Which points the default search takes next. Three ways share the budget:
 *   gain     the point whose expected gain in hypervolume is greatest (Emmerich, Giannakoglou and Naujoks 2006; of several
 *            points each but the first takes those before it to have been evaluated with what is expected of them), over
 *            candidates all over the domain, at its faces, around and between points of the front, and around the best of
 *            these;
 *   halves   the middle of two neighbours that differ, where the best of both would gain most: where objectives have
 *            cliffs, no process says where they are, and halving finds them;
 *   far      the candidate farthest from all points, now and then once the model expects little: what it does not expect is
 *            found in this way only, and no part of the domain is left for ever. */
#include "sweeps/search/search_auto.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 256, REFINED = 4, AROUND = 12, PASSES = 3 };
/* A lattice of no more points is its own set of candidates. */
enum { SMALL_LATTICE = 1000 };
/* halves: from so many points per objective on; its share of the points where all objectives are rough. */
static const double HALVES_FROM = 6, HALVES_SHARE = 0.7;
/* far: one point in so many, once the greatest gain is below this share of the volume. */
enum { FAR_EVERY = 3 };
static const double FAR_BELOW = 0.005;
/* Doubt: how far a point is known, as a share of a length, before anything may be there. */
static const double DOUBT_LENGTH = 0.3;

/* ---- candidates ---- */

typedef struct candidate_set {
    int n, cap, k, d;
    double *w;          // [n,d]
    double *mean, *sd;  // [n,k] in units of the volume: over the reference, by the scale
    double *gain;       // [n]; -1: taken
    int *age;           // [n] how many points had been chosen when gain was found
    pr_pointset_t seen; // item i is candidate i
} candidate_set_t;

/* Two modelled points that no other is between. */
typedef struct edge {
    int a, b, age;
    double half, gain; // half their distance
} edge_t;

typedef struct chooser {
    const pr_replay_t *r;
    pr_auto_model_t model;
    pr_rays_t *rays;
    double reference[PR_MAX_OBJECTIVES], unit[PR_MAX_OBJECTIVES];
    double *held; // [model.n,k] what is held at the modelled points, in units of the volume
    candidate_set_t set;
    edge_t *edge; // [n_edges]
    int n_edges;
    bool edges_found;
    pr_rng_key_t key;
    uint64_t n; // points before
    int chosen;
} chooser_t;

static void offer(chooser_t *c, const double *w)
{
    candidate_set_t *set = &c->set;
    pr_point_t p;
    bool is_new = false;
    pr_auto_point(c->r->s, w, &p);
    if (pr_pointset_find(&c->r->points, &p) != PR_NO_POINT)
        return;
    pr_pointset_add(&set->seen, &p, &is_new);
    if (!is_new)
        return;
    if (set->n == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 1024;
        size_t cap = (size_t)set->cap, k = (size_t)set->k;
        set->w = pr_realloc(set->w, cap * (size_t)set->d, sizeof *set->w);
        set->mean = pr_realloc(set->mean, cap * k, sizeof *set->mean);
        set->sd = pr_realloc(set->sd, cap * k, sizeof *set->sd);
        set->gain = pr_realloc(set->gain, cap, sizeof *set->gain);
        set->age = pr_realloc(set->age, cap, sizeof *set->age);
    }
    pr_point_weights(&p, set->d, set->w + set->n * set->d);
    set->n++;
}

static void offer_point(void *context, const pr_point_t *p)
{
    chooser_t *c = context;
    double w[PR_MAX_COORDINATES];
    pr_point_weights(p, c->set.d, w);
    offer(c, w);
}

/* A weight becomes less by a factor; another parameter goes to one of its ends, the nearer one. */
static void to_face(const pr_search_t *s, int at, double factor, double *w)
{
    if (at < pr_auto_weights(s))
        w[at] *= factor;
    else
        w[at] = w[at] < 0.5 ? factor * w[at] : 1 - factor * (1 - w[at]);
}

/* Uniform ones, and of some of them one on a face or close to it. */
static void offer_all_over(chooser_t *c)
{
    const pr_search_t *s = c->r->s;
    uint64_t d = (uint64_t)c->set.d, n = c->n;
    double shift[PR_MAX_COORDINATES], w[PR_MAX_COORDINATES];
    for (uint64_t j = 0; j < d; j++)
        shift[j] = pr_rng_uniform(&c->key, n, j, 0, 0);
    for (uint64_t i = 0; i < CANDIDATES; i++) {
        pr_auto_uniform(s, i, shift, w);
        offer(c, w);
        if (i % 4 != 1 || d < 3)
            continue;
        uint64_t low = 1 + pr_rng_below(&c->key, d - 1, n, i, 9, 0);
        double factor = i % 8 == 1 ? 0 : pow(10, -3 * pr_rng_uniform(&c->key, n, i, 9, 1));
        for (uint64_t z = 0; z < low; z++)
            to_face(s, (int)pr_rng_below(&c->key, d, n, i, 9, 2 + z), factor, w);
        pr_auto_clip(s, w);
        offer(c, w);
    }
}

/* A step from a place, of a length of 10^lo to 10^hi: added, or multiplied, which keeps faces. */
static void step_from(const chooser_t *c, uint64_t a, uint64_t b, const double *from, double lo, double hi, double *w)
{
    const pr_search_t *s = c->r->s;
    int k = s->k, weights = pr_auto_weights(s);
    double length = pow(10, lo + (hi - lo) * pr_rng_uniform(&c->key, a, b, 0, 1)), sum[PR_MAX_ROWS] = {0};
    bool multiplied = pr_rng_below(&c->key, 4, a, b, 0, 2) == 0;
    for (int j = 0; j < weights; j++) {
        double z = pr_rng_normal(&c->key, a, b, (uint64_t)j, 3);
        w[j] = multiplied ? from[j] * exp(10 * length * z) : length * z;
        sum[j / k] += w[j];
    }
    for (int j = weights; j < c->set.d; j++)
        w[j] = from[j] + length * pr_rng_normal(&c->key, a, b, (uint64_t)j, 3);
    for (int j = 0; j < weights && !multiplied; j++)
        w[j] += from[j] - (pr_search_is_cube(s->spec) ? 0 : sum[j / k] / k); // the simplex: steps within it
    pr_auto_clip(c->r->s, w);
}

/* Around points of the front, and between them and others. */
static void offer_near_front(chooser_t *c, const size_t *front, size_t n_front)
{
    const pr_replay_t *r = c->r;
    double a[PR_MAX_COORDINATES], b[PR_MAX_COORDINATES], w[PR_MAX_COORDINATES];
    for (uint64_t i = 0; n_front > 0 && i < CANDIDATES; i++) {
        size_t p = front[pr_rng_below(&c->key, n_front, c->n, i, 10, 0)];
        pr_pointset_weights(&r->points, p, a);
        step_from(c, c->n, i + 1000000, a, -2.5, -0.5, w);
        offer(c, w);
        if (i % 2 != 0)
            continue;
        size_t q = i % 4 == 0 ? pr_rng_below(&c->key, r->points.n, c->n, i, 10, 1)
                              : front[pr_rng_below(&c->key, n_front, c->n, i, 10, 1)];
        pr_pointset_weights(&r->points, q, b);
        double t = i % 8 < 4 ? 0.5 : -0.25 + 1.5 * pr_rng_uniform(&c->key, c->n, i, 10, 2);
        for (int j = 0; j < r->d; j++)
            w[j] = a[j] + t * (b[j] - a[j]);
        pr_auto_clip(r->s, w);
        offer(c, w);
    }
}

static bool is_small_lattice(const pr_search_t *s)
{
    int64_t m = s->spec->lattice;
    return m > 0 && !pr_search_is_cube(s->spec) && pr_search_size(s) == s->k &&
           pr_lattice_simplex(s->k, m) <= SMALL_LATTICE;
}

static void make_candidates(chooser_t *c)
{
    size_t *front = NULL;
    double *values = NULL;
    c->set = (candidate_set_t){.k = c->r->k, .d = c->r->d, .seen = {.d = c->r->d}};
    if (is_small_lattice(c->r->s)) {
        pr_lattice_each(c->r->k, c->r->s->spec->lattice, offer_point, c);
        return;
    }
    size_t n_front = pr_replay_front(c->r, &front, &values);
    offer_all_over(c);
    offer_near_front(c, front, n_front);
    free(front);
    free(values);
}

static void candidates_clear(candidate_set_t *set)
{
    free(set->w);
    free(set->mean);
    free(set->sd);
    free(set->gain);
    free(set->age);
    pr_pointset_free(&set->seen);
}

/* ---- the volume ---- */

/* Reference and scale of each objective, and what is held: the results, where there is noise the model's means. */
static void measure(chooser_t *c)
{
    const pr_replay_t *r = c->r;
    int k = r->k, n = c->model.n;
    double *sd = pr_alloc((size_t)(n * k), sizeof *sd);
    c->held = pr_alloc((size_t)(n * k), sizeof *c->held);
    if (c->model.noisy)
        pr_auto_predict(&c->model, c->model.w, n, c->held, sd);
    for (int i = 0; i < n && !c->model.noisy; i++)
        memcpy(c->held + i * k, r->mean + c->model.id[i] * (size_t)k, (size_t)k * sizeof *c->held);
    for (int j = 0; j < k; j++) {
        double top = -INFINITY, least = INFINITY;
        c->reference[j] = pr_replay_reference(r, j);
        for (int i = 0; i < n; i++) {
            top = fmax(top, c->held[i * k + j]);
            least = fmin(least, c->held[i * k + j]);
        }
        double unit = top - c->reference[j];
        c->unit[j] = unit > 0 ? unit : fmax(top - least, 1e-9); // nothing is better than the reference yet
    }
    for (int i = 0; i < n * k; i++)
        c->held[i] = (c->held[i] - c->reference[i % k]) / c->unit[i % k];
    c->rays = pr_rays_new(k, k <= 3 ? 256 : 384);
    for (int i = 0; i < n; i++)
        pr_rays_cover(c->rays, c->held + i * k);
    free(sd);
}

/* Predicts candidates [from, to) and their gains. A gain of 0 is told from another by what is not known there. */
static void weigh(chooser_t *c, int from, int to)
{
    candidate_set_t *set = &c->set;
    int k = set->k;
    if (from >= to)
        return;
    pr_auto_predict(&c->model, set->w + from * set->d, to - from, set->mean + from * k, set->sd + from * k);
    for (int i = from; i < to && !pr_replay_stops(c->r); i++) {
        double unknown = 0, *mean = set->mean + i * k, *sd = set->sd + i * k;
        for (int j = 0; j < k; j++) {
            mean[j] = (mean[j] - c->reference[j]) / c->unit[j];
            sd[j] /= c->unit[j];
            unknown += sd[j];
        }
        set->gain[i] = pr_rays_gain(c->rays, mean, sd) + 1e-12 * unknown;
        set->age[i] = c->chosen;
    }
}

static void chooser_init(chooser_t *c, const pr_replay_t *r, size_t n_fit, int n)
{
    *c = (chooser_t){.r = r, .n = r->points.n};
    c->key = pr_rng_key((uint64_t)r->s->seed, "search.auto", "");
    pr_auto_model_init(&c->model, r, n_fit, n);
    if (pr_replay_stops(r))
        return;
    measure(c);
    make_candidates(c);
    weigh(c, 0, c->set.n);
}

static void chooser_clear(chooser_t *c)
{
    candidates_clear(&c->set);
    free(c->edge);
    free(c->held);
    pr_rays_free(c->rays);
    pr_auto_model_clear(&c->model);
}

/* ---- gain ---- */

/* The candidates of the greatest gains, the greatest first, which those that were found before other points were chosen
 * are found again for: a point that is taken lowers others' gains, as good as never raises one. */
static int best_candidates(chooser_t *c, int most, int *best)
{
    candidate_set_t *set = &c->set;
    while (!pr_replay_stops(c->r)) {
        int n = 0, stale = -1;
        for (int i = 0; i < set->n; i++) {
            int at = n < most ? n : most - 1;
            if (set->gain[i] < 0 || (n == most && set->gain[i] <= set->gain[best[most - 1]]))
                continue;
            for (; at > 0 && set->gain[i] > set->gain[best[at - 1]]; at--)
                best[at] = best[at - 1];
            best[at] = i;
            n += n < most;
        }
        for (int i = 0; i < n && stale < 0; i++)
            if (set->age[best[i]] != c->chosen)
                stale = best[i];
        if (stale < 0)
            return n;
        weigh(c, stale, stale + 1);
    }
    return 0;
}

/* The best candidate after looking around the best so far; -1: there is none. */
static int greatest_gain(chooser_t *c)
{
    int best[REFINED], n = best_candidates(c, REFINED, best), d = c->set.d;
    for (int pass = 0; pass < PASSES && !is_small_lattice(c->r->s); pass++) {
        int before = c->set.n;
        double w[PR_MAX_COORDINATES], from[PR_MAX_COORDINATES];
        for (int q = 0; q < n; q++)
            for (int i = 0; i < AROUND; i++) {
                memcpy(from, c->set.w + best[q] * d, (size_t)d * sizeof *from);
                step_from(c, c->n + (uint64_t)c->chosen, (uint64_t)(2000000 + pass * 1000 + q * 100 + i), from,
                          -2.3 - 0.5 * pass, -1 - 0.5 * pass, w);
                offer(c, w);
            }
        weigh(c, before, c->set.n);
        n = best_candidates(c, REFINED, best);
    }
    return n > 0 ? best[0] : -1;
}

/* The greatest gain where the model is doubted: as if nothing were known but close to points. */
static double doubted_gain(const chooser_t *c)
{
    const pr_auto_model_t *m = &c->model;
    const candidate_set_t *set = &c->set;
    int k = set->k, d = set->d;
    double most = 0, length = DOUBT_LENGTH * pr_auto_spread(pr_auto_size(c->r->s));
    for (int i = 0; i < set->n && !pr_replay_stops(c->r); i++) {
        double near = INFINITY, sd[PR_MAX_OBJECTIVES];
        for (int p = 0; p < m->n; p++) {
            double d2 = 0;
            for (int q = 0; q < d; q++) {
                double t = (set->w[i * d + q] - m->w[p * d + q]) / length;
                d2 += t * t;
            }
            near = fmin(near, d2);
        }
        double known = pr_gp_kernel(2, near), open = sqrt(fmax(1 - known * known, 0));
        for (int j = 0; j < k; j++)
            sd[j] = fmax(set->sd[i * k + j], m->scale[j] / c->unit[j] * open);
        most = fmax(most, pr_rays_gain(c->rays, set->mean + i * k, sd));
    }
    return most;
}

/* ---- halves ---- */

/* Is this the turn of a way that has a share of all turns? They are spread evenly. */
static bool is_turn(uint64_t turn, double share)
{
    return fmod((double)turn * 0.6180339887498949, 1) < share;
}

/* Is no point closer to the middle of a and b than these (an edge of Gabriel's graph)? */
static bool are_neighbours(const pr_auto_model_t *m, int a, int b, const double *middle, double r2)
{
    for (int p = 0; p < m->n; p++)
        if (p != a && p != b && pr_auto_distance2(middle, m->w + p * m->d, m->d) < r2 - 1e-12)
            return false;
    return true;
}

static void middle_of(const pr_auto_model_t *m, int a, int b, double *middle, double *r2)
{
    for (int q = 0; q < m->d; q++)
        middle[q] = 0.5 * (m->w[a * m->d + q] + m->w[b * m->d + q]);
    *r2 = pr_auto_distance2(middle, m->w + a * m->d, m->d);
}

/* What the best of both ends would gain, times half their distance. */
static void weigh_edge(const chooser_t *c, edge_t *e)
{
    double best[PR_MAX_OBJECTIVES], nothing[PR_MAX_OBJECTIVES] = {0};
    for (int q = 0; q < c->set.k; q++)
        best[q] = fmax(c->held[e->a * c->set.k + q], c->held[e->b * c->set.k + q]);
    e->gain = e->half * pr_rays_gain(c->rays, best, nothing);
    e->age = c->chosen;
}

/* The edges of the graph, whose middles are points that were not evaluated. */
static void find_edges(chooser_t *c)
{
    const pr_auto_model_t *m = &c->model;
    double middle[PR_MAX_COORDINATES], r2;
    pr_point_t p;
    int cap = 0;
    for (int a = 0; a < m->n && !pr_replay_stops(c->r); a++)
        for (int b = 0; b < a; b++) {
            middle_of(m, a, b, middle, &r2);
            if (!are_neighbours(m, a, b, middle, r2))
                continue;
            pr_auto_point(c->r->s, middle, &p);
            if (pr_pointset_find(&c->r->points, &p) != PR_NO_POINT)
                continue;
            if (c->n_edges == cap)
                c->edge = pr_realloc(c->edge, (size_t)(cap = cap ? 2 * cap : 256), sizeof *c->edge);
            c->edge[c->n_edges] = (edge_t){.a = a, .b = b, .half = sqrt(r2)};
            weigh_edge(c, &c->edge[c->n_edges++]);
        }
    c->edges_found = true;
}

/* As a candidate; -1: no halves gain anything. */
static int best_half(chooser_t *c)
{
    double middle[PR_MAX_COORDINATES], r2;
    pr_point_t p;
    if (!c->edges_found)
        find_edges(c);
    while (!pr_replay_stops(c->r)) {
        edge_t *best = NULL;
        for (int i = 0; i < c->n_edges; i++)
            if (c->edge[i].gain > (best ? best->gain : 0))
                best = &c->edge[i];
        if (!best)
            return -1;
        if (best->age != c->chosen) { // points chosen since then have lowered it
            weigh_edge(c, best);
            continue;
        }
        middle_of(&c->model, best->a, best->b, middle, &r2);
        pr_auto_point(c->r->s, middle, &p);
        int before = c->set.n;
        offer(c, middle);
        weigh(c, before, c->set.n);
        size_t at = pr_pointset_find(&c->set.seen, &p);
        best->gain = 0; // once is enough
        if (c->set.gain[at] >= 0)
            return (int)at;
    }
    return -1;
}

/* ---- far ---- */

/* The candidate that is farthest from all points and those chosen; -1: there is none. */
static int farthest(const chooser_t *c, const pr_point_t *chosen)
{
    const pr_auto_model_t *m = &c->model;
    int d = m->d, best = -1;
    double far = -1, w[PR_MAX_COORDINATES];
    for (int i = 0; i < c->set.n; i++) {
        double near = c->set.gain[i] < 0 ? -1 : INFINITY;
        for (int p = 0; p < m->n + c->chosen && near > far; p++) {
            const double *at = m->w + p * d;
            if (p >= m->n) {
                pr_point_weights(&chosen[p - m->n], d, w);
                at = w;
            }
            near = fmin(near, pr_auto_distance2(c->set.w + i * d, at, d));
        }
        if (near > far) {
            far = near;
            best = i;
        }
    }
    return best;
}

/* ---- all ---- */

static int choose_one(chooser_t *c, const pr_point_t *chosen)
{
    const pr_auto_model_t *m = &c->model;
    uint64_t turn = c->n + (uint64_t)c->chosen;
    int best = greatest_gain(c), half = -1;
    if (best < 0)
        return -1;
    if ((double)turn >= HALVES_FROM * pr_auto_size(c->r->s) && is_turn(turn, HALVES_SHARE * m->rough))
        half = best_half(c);
    if (half >= 0)
        return half;
    if (turn % FAR_EVERY == 0 && c->set.gain[best] < FAR_BELOW * pr_rays_volume(c->rays))
        return farthest(c, chosen);
    return best;
}

void pr_auto_choose(const pr_replay_t *r, size_t n_fit, int n, pr_auto_choice_t *out)
{
    chooser_t c;
    chooser_init(&c, r, n_fit, n);
    *out = (pr_auto_choice_t){.point = pr_alloc((size_t)n, sizeof *out->point), .gain = INFINITY};
    double volume = c.rays ? pr_rays_volume(c.rays) : 0;
    if (r->chosen)
        out->n_again = pr_auto_doubtful(&c.model, &out->again);
    if (volume > 0)
        out->gain = doubted_gain(&c) / volume;
    for (; c.chosen < n && !pr_replay_stops(r); c.chosen++) {
        int best = choose_one(&c, out->point);
        if (best < 0)
            break;
        out->point[c.chosen] = pr_pointset_at(&c.set.seen, (size_t)best);
        if (c.chosen + 1 == n)
            continue;
        c.set.gain[best] = -1;
        pr_rays_cover(c.rays, c.set.mean + best * r->k);
        pr_auto_believe(&c.model, c.set.w + best * r->d);
    }
    out->n = pr_replay_stops(r) ? 0 : c.chosen;
    chooser_clear(&c);
}
