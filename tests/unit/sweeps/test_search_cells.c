// SPDX-License-Identifier: BSD-3-Clause
/* The pieces under the strategies: the subdivision of the simplex, the dominance tree, gains, the race of
 * fidelities. */
#include "unit/sweeps/search_sim.h"

#include "pareto/dominance.h"
#include "pareto/hypervolume.h"

/* All cells of a level. */
static pr_cells_t cells_of_level(pr_replay_t *r, int level)
{
    pr_cells_t cells = {0};
    pr_cell_t root = {0};
    for (int i = 0; i < r->k; i++) {
        pr_point_t p = {.den = 1};
        p.num[i] = 1;
        root.vertex[i] = (uint32_t)pr_replay_add(r, &p, 0);
    }
    pr_cells_add(&cells, &root);
    for (int l = 0; l < level; l++) {
        pr_cells_t next = {0};
        for (size_t i = 0; i < cells.n; i++)
            pr_cell_divide(r, &cells.item[i], &next);
        free(cells.item);
        cells = next;
    }
    return cells;
}

/* The absolute determinant of a cell's vertices: its volume as a share of the whole simplex. */
static double volume(const pr_replay_t *r, const pr_cell_t *c)
{
    double a[PR_MAX_OBJECTIVES][PR_MAX_OBJECTIVES], det = 1;
    int k = r->k;
    for (int i = 0; i < k; i++)
        pr_pointset_weights(&r->points, c->vertex[i], a[i]);
    for (int i = 0; i < k; i++) {
        int best = i;
        for (int j = i + 1; j < k; j++)
            best = fabs(a[j][i]) > fabs(a[best][i]) ? j : best;
        for (int j = 0; j < k; j++) {
            double swap = a[i][j];
            a[i][j] = a[best][j];
            a[best][j] = swap;
        }
        det *= a[i][i];
        for (int j = i + 1; j < k && a[i][i] != 0; j++)
            for (int m = k - 1; m >= i; m--)
                a[j][m] -= a[j][i] / a[i][i] * a[i][m];
    }
    return fabs(det);
}

typedef struct facet {
    uint32_t v[PR_MAX_OBJECTIVES];
    bool border;
} facet_t;

static int compare_ids(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int compare_facets(const void *a, const void *b)
{
    return memcmp(((const facet_t *)a)->v, ((const facet_t *)b)->v, sizeof((facet_t *)0)->v);
}

static facet_t facet_of(const pr_replay_t *r, const pr_cell_t *c, int without)
{
    facet_t f = {0};
    int n = 0;
    for (int i = 0; i < r->k; i++)
        if (i != without)
            f.v[n++] = c->vertex[i];
    qsort(f.v, (size_t)n, sizeof f.v[0], compare_ids);
    for (int j = 0; j < r->k; j++) {
        bool zero = true;
        for (int i = 0; i < n; i++)
            zero = zero && pr_pointset_at(&r->points, f.v[i]).num[j] == 0;
        f.border = f.border || zero;
    }
    return f;
}

START_TEST(subdivision_fills_the_simplex)
{
    int k = _i;
    for (int level = 0; level <= (k <= 4 ? 4 : 2); level++) {
        sim_t s = sim_new(k, "hierarchical", "simplex");
        s.search.spec = &s.spec;
        pr_replay_t r;
        pr_replay_init(&r, &s.search, NULL, 0);
        pr_cells_t cells = cells_of_level(&r, level);
        ck_assert_uint_eq(cells.n, (size_t)1 << ((k - 1) * level));
        ck_assert_int_eq((int64_t)r.points.n, pr_lattice_simplex(k, INT64_C(1) << level));
        facet_t *f = pr_alloc(cells.n * (size_t)k, sizeof f[0]);
        for (size_t i = 0; i < cells.n; i++) {
            ck_assert_int_eq(cells.item[i].depth, level);
            ck_assert_double_eq_tol(volume(&r, &cells.item[i]) * (double)cells.n, 1, 1e-9);
            for (int j = 0; j < k; j++)
                f[i * (size_t)k + (size_t)j] = facet_of(&r, &cells.item[i], j);
        }
        /* Neighbours fit: an inner facet belongs to two cells, one on the border to one. */
        size_t n = cells.n * (size_t)k, run = 0;
        qsort(f, n, sizeof f[0], compare_facets);
        for (size_t i = 0; i < n; i += run) {
            for (run = 1; i + run < n && compare_facets(&f[i], &f[i + run]) == 0; run++)
                ;
            ck_assert_uint_eq(run, f[i].border ? 1 : 2);
        }
        for (size_t i = 0; i < r.points.n; i++)
            ck_assert_int_eq(pr_pointset_at(&r.points, i).den, INT64_C(1) << r.level[i]);
        free(f);
        free(cells.item);
        pr_replay_free(&r);
    }
}
END_TEST

static double *random_vectors(size_t n, int k, uint64_t seed, int steps)
{
    pr_rng_key_t key = pr_rng_key(seed, "vectors", "");
    double *v = pr_alloc(n * (size_t)k, sizeof v[0]);
    for (size_t i = 0; i < n * (size_t)k; i++)
        v[i] = steps > 0 ? (double)pr_rng_below(&key, (uint64_t)steps, i, 0, 0, 0) : pr_rng_uniform(&key, i, 0, 0, 0);
    return v;
}

START_TEST(tree_agrees_with_brute_force)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        int k = 1 + (int)(seed % 6);
        size_t n = (size_t)(seed * seed % 400);
        double *v = random_vectors(n, k, seed, seed % 2 ? 4 : 0), *q = random_vectors(100, k, seed + 1000, 4);
        pr_domtree_t *t = pr_domtree_new(v, n, k);
        for (size_t i = 0; i < 100 + n; i++) {
            const double *p = i < 100 ? &q[i * (size_t)k] : &v[(i - 100) * (size_t)k];
            bool dominated = false, covered = false;
            for (size_t j = 0; j < n; j++) {
                dominated = dominated || pr_dominates(&v[j * (size_t)k], p, k);
                covered = covered || pr_weakly_dominates(&v[j * (size_t)k], p, k);
            }
            ck_assert(pr_domtree_dominated(t, p, NULL, NULL) == dominated);
            ck_assert(pr_domtree_covered(t, p) == covered);
        }
        pr_domtree_free(t);
        free(v);
        free(q);
    }
}
END_TEST

/* A replay of a list of points with given results. */
static void settle_random(sim_t *s, pr_replay_t *r, size_t n)
{
    s->search.spec = &s->spec;
    pr_replay_init(r, &s->search, NULL, 0);
    pr_request_t q = {.n_prompts = s->search.n_prompts};
    for (size_t i = 0; i < n; i++) {
        q.point = (pr_point_t){.den = (int64_t)n, .num = {(int64_t)i, (int64_t)(n - i)}};
        pr_point_reduce(&q.point, s->search.k);
        sim_evaluate(s, &q);
    }
    pr_replay_free(r);
    pr_replay_init(r, &s->search, s->obs, s->n);
    for (size_t i = 0; i < n; i++) {
        pr_point_t p = sim_point(s, i);
        pr_replay_add(r, &p, 0);
    }
    ck_assert(pr_replay_settle(r));
}

START_TEST(gain_is_the_difference_of_hypervolumes)
{
    for (int k = 2; k <= 6; k++) {
        static const double zero[PR_MAX_OBJECTIVES];
        sim_t s = sim_new(k, "grid", "simplex");
        s.search.reference = zero;
        s.front = SIM_LINEAR;
        s.noise = 1;
        pr_replay_t r;
        pr_gain_t g;
        settle_random(&s, &r, 40);
        pr_gain_init(&g, &r);
        double *u = random_vectors(50, k, (uint64_t)k, 0), before = pr_hypervolume(r.mean, 40, k, zero);
        double *with = pr_alloc((size_t)(41 * k), sizeof with[0]);
        memcpy(with, r.mean, (size_t)(40 * k) * sizeof with[0]);
        for (size_t i = 0; i < 50; i++) {
            memcpy(&with[40 * k], &u[i * (size_t)k], (size_t)k * sizeof u[0]);
            double gain = pr_hypervolume(with, 41, k, zero) - before;
            for (int m = 0; m <= k; m++) {
                double own[PR_MAX_OBJECTIVES * PR_MAX_OBJECTIVES];
                for (size_t j = 0; j < (size_t)(m * k); j++)
                    own[j] = fmin(r.mean[i / 2 * (size_t)k + j], u[i * (size_t)k + j % (size_t)k]);
                double found = pr_gain_of(&g, &u[i * (size_t)k], own, m);
                if (k <= 4)
                    ck_assert_double_eq_tol(found, gain, 1e-12);
                else
                    ck_assert_double_ge(found, gain - 1e-12);
            }
        }
        free(u);
        free(with);
        pr_gain_free(&g);
        pr_replay_free(&r);
        sim_free(&s);
    }
}
END_TEST

/* The rule of the race, written down plainly: a point of the front is better in every objective, and so is the lower
 * end of the confidence interval of every difference. */
static bool ruled_out(const sim_t *s, size_t p)
{
    int k = s->search.k;
    for (size_t q = 0; q < s->n; q++) {
        bool front = true, sure = true;
        for (size_t o = 0; o < s->n; o++)
            front = front && !pr_dominates(s->obs[o].mean, s->obs[q].mean, k);
        for (int j = 0; j < k; j++) {
            double mean = s->obs[q].mean[j] - s->obs[p].mean[j];
            double se = hypot(s->obs[q].se[j], s->obs[p].se[j]);
            if (s->paired) {
                int n = s->obs[p].n_prompts;
                double *d = pr_alloc((size_t)n, sizeof d[0]);
                for (int i = 0; i < n; i++)
                    d[i] = s->obs[q].per_prompt[i * k + j] - s->obs[p].per_prompt[i * k + j];
                pr_observation_t o = {.per_prompt = d};
                pr_prefix_moments(&o, n, 1, &mean, &se);
                free(d);
            }
            sure = sure && mean - 1.959963984540054 * se >= 0;
        }
        if (front && sure && pr_dominates(s->obs[q].mean, s->obs[p].mean, k))
            return true;
    }
    return false;
}

START_TEST(race_agrees_with_its_rule)
{
    size_t out[2] = {0};
    for (int k = 1; k <= 4; k++)
        for (int paired = 0; paired < 2; paired++) {
            sim_t s = sim_new(k, "grid", "simplex");
            s.front = SIM_BUMP;
            s.noise = 0.2;
            s.paired = paired;
            pr_replay_t r;
            settle_random(&s, &r, 60);
            bool *maybe = pr_replay_maybe_front(&r);
            for (size_t i = 0; i < 60; i++) {
                ck_assert(maybe[i] == !ruled_out(&s, i));
                out[paired] += !maybe[i];
            }
            free(maybe);
            pr_replay_free(&r);
            sim_free(&s);
        }
    /* Common prompts pay: paired differences rule out more. */
    ck_assert_uint_gt(out[1], out[0]);
    ck_assert_uint_gt(out[0], 0);
}
END_TEST

/* Fidelities save work, and the points of the front end at the highest. */
START_TEST(fidelity_saves_prompts)
{
    sim_t cheap = sim_new(3, "grid", "simplex"), full = sim_new(3, "grid", "simplex");
    sim_t *both[2] = {&cheap, &full};
    for (int i = 0; i < 2; i++) {
        both[i]->spec.divisions = 12;
        both[i]->front = SIM_BUMP;
        both[i]->noise = 0.03;
        both[i]->paired = true;
        both[i]->search.n_prompts = 128;
    }
    cheap.spec.n_fidelity = 3;
    memcpy(cheap.spec.fidelity, (int[]){16, 64, 1000}, 3 * sizeof(int));
    sim_run(&cheap);
    sim_run(&full);
    size_t highest = 0;
    for (size_t i = 0; i < cheap.n; i++)
        highest += cheap.obs[i].n_prompts == 128;
    ck_assert_uint_eq(full.n, 91);
    ck_assert_uint_eq(cheap.asked.n, 91);
    ck_assert_uint_lt(highest, 60);
    for (size_t i = 0; i < full.n; i++) {
        bool front = true, reached = false;
        for (size_t j = 0; j < full.n; j++)
            front = front && !pr_dominates(full.obs[j].mean, full.obs[i].mean, 3);
        for (size_t j = 0; j < cheap.n; j++)
            reached = reached ||
                      (cheap.obs[j].n_prompts == 128 && sim_same_point(&cheap.obs[j], &full.obs[i], full.search.k));
        ck_assert(reached || !front);
    }
    sim_free(&cheap);
    sim_free(&full);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search cells");
    TCase *t = tcase_create("cells");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, subdivision_fills_the_simplex, 1, 7);
    tcase_add_test(t, tree_agrees_with_brute_force);
    tcase_add_test(t, gain_is_the_difference_of_hypervolumes);
    tcase_add_test(t, race_agrees_with_its_rule);
    tcase_add_test(t, fidelity_saves_prompts);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
