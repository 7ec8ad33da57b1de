// SPDX-License-Identifier: BSD-3-Clause
/* Weighting rules that go by the gradients' inner products: against vectors themselves, closed forms and fine grids. */
#include "learn/weigh_internal.h"
#include "rule_checks.h"

enum { D = 24 };

static double form(int k, const double *g, const double *v)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            sum += v[i] * g[i * k + j] * v[j];
    return sum;
}

/* ---- drw_grad ---- */

START_TEST(drw_grad_by_hand)
{
    const double g[] = {4, 1, 1, 1}, w[] = {0.3, 0.7};
    rule_t r;
    rule_open(&r, "drw_grad", NULL, 2, NULL);
    memcpy(r.gram, g, sizeof g);
    rule_step(&r, NULL);
    ck_assert_double_eq_tol(r.lambda[0] / r.lambda[1], 1.3499, 5e-5); // exp(.1 (5 - 2))
    ck_assert_double_eq_tol(r.lambda[0] / r.lambda[1], exp(0.3), 1e-12);
    rule_step(&r, NULL);
    ck_assert_double_eq_tol(r.lambda[0] / r.lambda[1], exp(0.6), 1e-12);
    ck_assert_double_eq_tol(r.lambda[0] + r.lambda[1], 1, 1e-12);
    rule_close(&r);
    rule_open(&r, "drw_grad", "{\"eta\": 1}", 2, w);
    memcpy(r.gram, g, sizeof g);
    rule_step(&r, NULL);
    ck_assert_double_eq_tol(r.lambda[0] / r.lambda[1], 3.0 / 7 * exp(3), 1e-12);
    r.gram[0] = 1e300; // saturates, and comes back from there finite
    rule_step(&r, NULL);
    ck_assert_double_eq(r.lambda[0], 1);
    rule_close(&r);
}
END_TEST

/* ---- MGDA ---- */

START_TEST(mgda_of_two)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        double v[2 * D], c;
        rule_t r;
        rule_open(&r, "mgda", NULL, 2, NULL);
        random_gram(2, 1 + (int)(seed % 4), seed, v, r.gram);
        c = (r.gram[3] - r.gram[1]) / (r.gram[0] + r.gram[3] - 2 * r.gram[1]);
        c = fmin(fmax(c, 0), 1);
        rule_step(&r, NULL);
        ck_assert_double_eq_tol(r.lambda[0], c, 1e-12);
        ck_assert_double_eq_tol(r.lambda[1], 1 - c, 1e-12);
        rule_close(&r);
    }
}
END_TEST

/* No point of a grid of steps of 1/1000 is shorter; and no objective gets worse along the result. */
START_TEST(mgda_of_three_against_a_grid)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        double v[3 * D], best = INFINITY;
        rule_t r;
        rule_open(&r, "mgda", NULL, 3, NULL);
        random_gram(3, seed < 3 ? 2 : 3, seed, v, r.gram);
        for (int a = 0; a <= 1000; a++)
            for (int b = 0; b <= 1000 - a; b++) {
                double c[] = {a / 1000.0, b / 1000.0, (1000 - a - b) / 1000.0};
                best = fmin(best, form(3, r.gram, c));
            }
        rule_step(&r, NULL);
        double found = form(3, r.gram, r.lambda);
        ck_assert_double_le(found, best + 1e-15);
        ck_assert_double_ge(found, best - 1e-4);
        rule_close(&r);
    }
}
END_TEST

/* Of any number, dependent gradients too: on the simplex, a common descent direction, and <g, g_k> = |g|^2 where c_k > 0. */
START_TEST(mgda_is_a_common_descent)
{
    for (int k = 1; k <= K; k++)
        for (uint64_t seed = 0; seed < 40; seed++) {
            double v[K * D], sum = 0;
            rule_t r;
            rule_open(&r, "mgda", NULL, k, NULL);
            random_gram(k, seed % 2 ? D : 5, seed, v, r.gram);
            for (int i = 0; i < k * k; i++) // gradients that mostly agree, so that the least norm is not 0
                r.gram[i] += seed % 3 ? 1 : 0;
            rule_step(&r, NULL);
            double norm = form(k, r.gram, r.lambda);
            for (int i = 0; i < k; i++) {
                double along = 0;
                for (int j = 0; j < k; j++)
                    along += r.gram[i * k + j] * r.lambda[j];
                ck_assert_double_ge(along, norm - 1e-9);
                ck_assert_double_ge(r.lambda[i], 0);
                if (r.lambda[i] > 1e-6)
                    ck_assert_double_eq_tol(along, norm, 1e-8);
                sum += r.lambda[i];
            }
            ck_assert_double_eq_tol(sum, 1, 1e-12);
            rule_close(&r);
        }
}
END_TEST

/* Gradients that are the same share the weight; opposite ones cancel; one of length 0 takes it all. Orthogonal ones of
 * lengths 1 and 3 get 9:1, over their lengths 3:1, over the squares 1:1; and then one of length 0 gets nothing. */
START_TEST(mgda_by_hand)
{
    const double same[] = {2, 2, 2, 2}, opposite[] = {1, -1, -1, 1}, still[] = {1, 0, 0, 0},
                 orthogonal[] = {1, 0, 0, 9};
    rule_t r;
    rule_open(&r, "mgda", NULL, 2, NULL);
    memcpy(r.gram, same, sizeof same);
    ck_assert_double_eq(rule_step(&r, NULL)[0], 0.5);
    memcpy(r.gram, opposite, sizeof opposite);
    ck_assert_double_eq(rule_step(&r, NULL)[0], 0.5);
    memcpy(r.gram, still, sizeof still);
    ck_assert_double_eq(rule_step(&r, NULL)[1], 1);
    memcpy(r.gram, orthogonal, sizeof orthogonal);
    ck_assert_double_eq_tol(rule_step(&r, NULL)[0], 0.9, 1e-12);
    rule_close(&r);
    rule_open(&r, "mgda", "{\"power\": 1}", 2, NULL);
    memcpy(r.gram, orthogonal, sizeof orthogonal);
    ck_assert_double_eq_tol(rule_step(&r, NULL)[0], 0.75, 1e-12); // halves of the unit vectors
    memcpy(r.gram, still, sizeof still);
    ck_assert_double_eq(rule_step(&r, NULL)[0], 1);
    r.gram[0] = 0; // no direction at all: as before
    ck_assert_double_eq(rule_step(&r, NULL)[0], 1);
    rule_close(&r);
    rule_open(&r, "mgda", "{\"power\": 2}", 2, NULL);
    memcpy(r.gram, orthogonal, sizeof orthogonal); // 1 and 1/3 long: .1 and .9, of which the second is divided by 9
    ck_assert_double_eq_tol(rule_step(&r, NULL)[0], 0.5, 1e-12);
    rule_close(&r);
}
END_TEST

/* ---- PCGrad ---- */

/* On the vectors themselves, in every order that the random one may be: the sum is one of those. */
START_TEST(pcgrad_on_vectors)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const double w[] = {0.2, 0.5, 0.3};
    int seen = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        double g[3 * D], sum[D] = {0};
        rule_t r;
        rule_open(&r, "pcgrad", NULL, 3, w);
        r.in.step = (long)seed;
        random_gram(3, 3, seed, g, r.gram);
        rule_step(&r, NULL);
        for (int i = 0; i < 3; i++)
            for (int x = 0; x < 3; x++)
                sum[x] += r.lambda[i] * g[i * 3 + x];
        double projected[3][6][3]; // of each gradient, in each order
        for (int i = 0; i < 3; i++)
            for (int o = 0; o < 6; o++) {
                double *p = projected[i][o];
                memcpy(p, g + (ptrdiff_t)i * 3, 3 * sizeof *p);
                for (int n = 0; n < 3; n++) {
                    int j = orders[o][n];
                    double inner = 0, square = 0;
                    for (int x = 0; x < 3; x++) {
                        inner += p[x] * g[j * 3 + x];
                        square += g[j * 3 + x] * g[j * 3 + x];
                    }
                    for (int x = 0; j != i && inner < 0 && x < 3; x++)
                        p[x] -= inner / square * g[j * 3 + x];
                }
            }
        double nearest = INFINITY;
        for (int all = 0; all < 216; all++) {
            double off = 0;
            for (int x = 0; x < 3; x++)
                off = fmax(off, fabs(sum[x] - w[0] * projected[0][all % 6][x] - w[1] * projected[1][all / 6 % 6][x] -
                                     w[2] * projected[2][all / 36][x]));
            nearest = fmin(nearest, off);
        }
        ck_assert_double_lt(nearest, 1e-12);
        seen += fabs(r.lambda[0] - w[0]) > 1e-3;
        rule_close(&r);
    }
    ck_assert_int_gt(seen, 20);
}
END_TEST

/* Two: no order. Agreeing gradients are the weights' own sum, and orders differ from step to step. */
START_TEST(pcgrad_by_hand)
{
    const double conflict[] = {1, -0.5, -0.5, 4}, w[] = {0.25, 0.75}, agree[] = {1, 0.5, 0.5, 4};
    rule_t r;
    rule_open(&r, "pcgrad", NULL, 2, w);
    memcpy(r.gram, conflict, sizeof conflict);
    rule_step(&r, NULL); // g1 + .125 g2, g2 + .5 g1
    ck_assert_double_eq_tol(r.lambda[0], 0.25 + 0.75 * 0.5, 1e-15);
    ck_assert_double_eq_tol(r.lambda[1], 0.75 + 0.25 * 0.125, 1e-15);
    memcpy(r.gram, agree, sizeof agree);
    rule_step(&r, NULL);
    ck_assert_mem_eq(r.lambda, w, sizeof w);
    rule_close(&r);
    double g[4 * D], first = 0, other = 0;
    rule_open(&r, "pcgrad", NULL, 4, NULL);
    random_gram(4, 2, 3, g, r.gram);
    for (int n = 0; n < 20; n++) {
        double x = rule_step(&r, NULL)[0];
        first = n ? first : x;
        other = fmax(other, fabs(x - first));
    }
    ck_assert_double_gt(other, 1e-3);
    rule_close(&r);
}
END_TEST

/* ---- CAGrad ---- */

static double averse_value(int k, const double *g, const double *w, double c, const double *v)
{
    double linear = 0;
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            linear += v[i] * g[i * k + j] * w[j];
    return linear + c * sqrt(form(k, g, w)) * sqrt(fmax(form(k, g, v), 0));
}

/* lambda (1 + c) = w + c |g_0| / |g_v| v: v is read off it, and has to be as good as any point of a fine grid, whose
 * explicit step is the same. */
START_TEST(cagrad_against_a_grid)
{
    const double w[] = {0.2, 0.5, 0.3}, c = 0.5;
    for (uint64_t seed = 0; seed < 6; seed++) {
        double g[3 * D], v[3], sum = 0, best = INFINITY;
        rule_t r;
        rule_open(&r, "cagrad", NULL, 3, seed % 2 ? w : NULL);
        random_gram(3, 8, seed, g, r.gram);
        rule_step(&r, NULL);
        for (int i = 0; i < 3; i++)
            sum += v[i] = r.lambda[i] * (1 + c) - r.w[i];
        for (int i = 0; i < 3; i++) {
            v[i] /= sum;
            ck_assert_double_ge(v[i], -1e-12);
        }
        for (int a = 0; a <= 1000; a++)
            for (int b = 0; b <= 1000 - a; b++) {
                double x[] = {a / 1000.0, b / 1000.0, (1000 - a - b) / 1000.0};
                best = fmin(best, averse_value(3, r.gram, r.w, c, x));
            }
        double found = averse_value(3, r.gram, r.w, c, v);
        ck_assert_double_le(found, best + 1e-7);
        ck_assert_double_ge(found, best - 1e-4);
        ck_assert_double_eq_tol(sum, c * sqrt(form(3, r.gram, r.w) / form(3, r.gram, v)), 1e-6);
        /* The step lies within c |g_0| of g_0, on the edge of that. */
        double off[D] = {0}, length = 0;
        for (int x = 0; x < 8; x++) {
            for (int i = 0; i < 3; i++)
                off[x] += (r.lambda[i] * (1 + c) - r.w[i]) * g[i * 8 + x];
            length += off[x] * off[x];
        }
        ck_assert_double_eq_tol(sqrt(length), c * sqrt(form(3, r.gram, r.w)), 1e-6);
        rule_close(&r);
    }
}
END_TEST

/* Of any number: derivatives at v are the same where v has mass, and nowhere lower. */
START_TEST(cagrad_of_many)
{
    const double c = 0.5;
    for (int k = 2; k <= K; k++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            double vectors[K * D], v[K], slope[K], sum = 0, least = INFINITY, most = 0;
            rule_t r;
            rule_open(&r, "cagrad", NULL, k, NULL);
            random_gram(k, seed % 2 ? D : 5, seed, vectors, r.gram);
            for (int i = 0; i < k * k; i++) // gradients that mostly agree, so that no norm is 0
                r.gram[i] += 2;
            rule_step(&r, NULL);
            for (int i = 0; i < k; i++)
                sum += v[i] = r.lambda[i] * (1 + c) - r.w[i];
            for (int i = 0; i < k; i++)
                v[i] /= sum;
            double radius = c * sqrt(form(k, r.gram, r.w)), norm = sqrt(form(k, r.gram, v));
            for (int i = 0; i < k; i++) {
                slope[i] = 0;
                for (int j = 0; j < k; j++)
                    slope[i] += r.gram[i * k + j] * (r.w[j] + radius / norm * v[j]);
                least = fmin(least, slope[i]);
                most = fmax(most, fabs(slope[i]));
            }
            for (int i = 0; i < k; i++) {
                ck_assert_double_ge(v[i], -1e-12);
                if (v[i] > 1e-6)
                    ck_assert_double_eq_tol(slope[i], least, 1e-6 * most);
            }
            rule_close(&r);
        }
}
END_TEST

/* The worst-served objective gains from it; c = 0 is the weights; what is divided by. */
START_TEST(cagrad_by_hand)
{
    const double g[] = {1, -0.8, -0.8, 4}, w[] = {0.5, 0.5};
    double out[3][2];
    const char *options[] = {"{\"c\": 0}", "{\"rescale\": \"none\"}", "{\"rescale\": \"square\"}"};
    for (int n = 0; n < 3; n++) {
        rule_t r;
        rule_open(&r, "cagrad", options[n], 2, w);
        memcpy(r.gram, g, sizeof g);
        memcpy(out[n], rule_step(&r, NULL), sizeof out[n]);
        rule_close(&r);
    }
    ck_assert_mem_eq(out[0], w, sizeof w);
    double before = (0.5 * 1 - 0.5 * 0.8) / sqrt(form(2, g, w)),
           after = (out[1][0] - 0.8 * out[1][1]) / sqrt(form(2, g, out[1]));
    ck_assert_double_gt(after, before + 0.1);
    for (int i = 0; i < 2; i++)
        ck_assert_double_eq_tol(out[2][i], out[1][i] / 1.25, 1e-15);
    const double opposite[] = {1, -1, -1, 1};
    rule_t r;
    rule_open(&r, "cagrad", NULL, 2, w);
    memcpy(r.gram, opposite, sizeof opposite);
    rule_step(&r, NULL);
    ck_assert(isfinite(r.lambda[0]) && r.lambda[0] > 0);
    ck_assert_double_eq_tol(r.lambda[0], r.lambda[1], 1e-9);
    rule_close(&r);
}
END_TEST

/* ---- GradNorm ---- */

START_TEST(gradnorm_step_by_step)
{
    const double g[] = {4, 0, 0, 0.25};
    rule_t r;
    rule_open(&r, "gradnorm", "{\"half_life\": 0}", 2, NULL);
    memcpy(r.gram, g, sizeof g);
    double w[] = {0.5, 0.5}, norm[] = {2 / 1.25, 0.5 / 1.25};
    for (int n = 0; n < 5; n++) {
        r.mean[0] = 0.2 + 0.1 * n; // learns
        r.mean[1] = 0.4;           // does not
        double share[] = {(0.8 - 0.1 * n) / 0.8, 1}, common = (share[0] + share[1]) / 2;
        double size = (w[0] * norm[0] + w[1] * norm[1]) / 2;
        for (int i = 0; i < 2; i++) {
            double target = size * pow(share[i] / common, 1.5);
            w[i] += 0.025 * norm[i] * (target > w[i] * norm[i] ? 1 : -1);
        }
        double sum = w[0] + w[1];
        w[0] /= sum, w[1] /= sum;
        rule_step(&r, NULL);
        for (int i = 0; i < 2; i++)
            ck_assert_double_eq_tol(r.lambda[i], w[i], 1e-12);
    }
    ck_assert_double_gt(r.lambda[1], 0.5);
    rule_close(&r);
}
END_TEST

/* Equal progress: the weighted norms come to be equal, whatever the rewards' units. */
START_TEST(gradnorm_balances_norms)
{
    for (int unit = 0; unit < 2; unit++) {
        double scale = unit ? 1e4 : 1;
        rule_t r;
        rule_open(&r, "gradnorm", "{\"alpha\": 0, \"lr\": 0.002}", 2, NULL);
        r.gram[0] = 9 * scale, r.gram[3] = scale;
        r.mean[0] = r.mean[1] = 0.5;
        for (int n = 0; n < 1000; n++)
            rule_step(&r, NULL);
        ck_assert_double_eq_tol(r.lambda[0], 0.25, 0.01);
        rule_close(&r);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("weigh by gradients");
    TCase *c = tcase_create("rules");
    tcase_add_test(c, drw_grad_by_hand);
    tcase_add_test(c, mgda_of_two);
    tcase_add_test(c, mgda_of_three_against_a_grid);
    tcase_add_test(c, mgda_is_a_common_descent);
    tcase_add_test(c, mgda_by_hand);
    tcase_add_test(c, pcgrad_on_vectors);
    tcase_add_test(c, pcgrad_by_hand);
    tcase_add_test(c, cagrad_against_a_grid);
    tcase_add_test(c, cagrad_of_many);
    tcase_add_test(c, cagrad_by_hand);
    tcase_add_test(c, gradnorm_step_by_step);
    tcase_add_test(c, gradnorm_balances_norms);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
