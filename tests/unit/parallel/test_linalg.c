// SPDX-License-Identifier: BSD-3-Clause
/* The local provider against sums written out in double, over shapes, both storages, strides and accumulation. */
#include "parallel/linalg.h"
#include "unit/model/model_files.h"

#include <math.h>

typedef struct {
    int n, out, in;
    bool transposed, accumulate;
    int pad; // elements beyond a row in every matrix
} case_t;

static double noise(uint64_t *state)
{
    return (double)next_random(state) / 2147483648.0 - 0.5;
}

static float *random_matrix(size_t n, uint64_t *state)
{
    float *m = pr_alloc(n, sizeof *m);
    for (size_t i = 0; i < n; i++)
        m[i] = (float)noise(state);
    return m;
}

static pr_weight_t random_weight(const case_t *c, uint64_t *state, float **data)
{
    int rows = c->transposed ? c->in : c->out, cols = c->transposed ? c->out : c->in, ld = cols + c->pad;
    *data = random_matrix((size_t)rows * (size_t)ld, state);
    return (pr_weight_t){.data = *data, .out = c->out, .in = c->in, .ld = ld, .transposed = c->transposed};
}

// W[o][i] of either storage.
static size_t place(const pr_weight_t *w, int o, int i)
{
    return w->transposed ? (size_t)i * (size_t)w->ld + (size_t)o : (size_t)o * (size_t)w->ld + (size_t)i;
}

static void compare(const char *what, const case_t *c, double found, double expected)
{
    ck_assert_msg(fabs(found - expected) <= 1e-5 * (1 + fabs(expected)), "%s n=%d out=%d in=%d t=%d acc=%d: %g, not %g",
                  what, c->n, c->out, c->in, c->transposed, c->accumulate, found, expected);
}

// y [n,width] before the call: what accumulation adds to, or not a number where it must be overwritten.
static void prepare(float *y, size_t n, const case_t *c)
{
    for (size_t i = 0; i < n; i++)
        y[i] = c->accumulate ? (float)(i % 7) : NAN;
}

static void check_forward(const case_t *c, const pr_weight_t *w, const float *x, int ldx, uint64_t *state)
{
    (void)state;
    const pr_linalg_t *la = pr_linalg_local();
    int ldy = c->out + c->pad;
    float *y = pr_alloc((size_t)(c->n + 1) * (size_t)ldy, sizeof *y);
    prepare(y, (size_t)(c->n + 1) * (size_t)ldy, c);
    la->forward(la, w, c->n, x, ldx, y, ldy, c->accumulate);
    for (int r = 0; r < c->n; r++)
        for (int o = 0; o < c->out; o++) {
            size_t at = (size_t)(r * ldy + o);
            double sum = c->accumulate ? (double)(at % 7) : 0;
            for (int i = 0; i < c->in; i++)
                sum += (double)x[r * ldx + i] * (double)w->data[place(w, o, i)];
            compare("forward", c, (double)y[at], sum);
        }
    for (int p = 0; p < c->pad; p++) // what lies between the rows is left alone
        ck_assert(c->n == 0 || (c->accumulate ? y[c->out + p] == (float)((c->out + p) % 7) : isnan(y[c->out + p])));
    free(y);
}

static void check_backward_input(const case_t *c, const pr_weight_t *w, const float *dy, int ldy)
{
    const pr_linalg_t *la = pr_linalg_local();
    int ldx = c->in + c->pad;
    float *dx = pr_alloc((size_t)(c->n + 1) * (size_t)ldx, sizeof *dx);
    prepare(dx, (size_t)(c->n + 1) * (size_t)ldx, c);
    la->backward_input(la, w, c->n, dy, ldy, dx, ldx, c->accumulate);
    for (int r = 0; r < c->n; r++)
        for (int i = 0; i < c->in; i++) {
            size_t at = (size_t)(r * ldx + i);
            double sum = c->accumulate ? (double)(at % 7) : 0;
            for (int o = 0; o < c->out; o++)
                sum += (double)dy[r * ldy + o] * (double)w->data[place(w, o, i)];
            compare("backward_input", c, (double)dx[at], sum);
        }
    free(dx);
}

static void check_backward_weight(const case_t *c, const pr_weight_t *w, const float *x, int ldx, const float *dy,
                                  int ldy)
{
    const pr_linalg_t *la = pr_linalg_local();
    size_t size = (size_t)(c->transposed ? c->in : c->out) * (size_t)w->ld;
    float *dw = pr_alloc(size, sizeof *dw);
    for (size_t i = 0; i < size; i++)
        dw[i] = (float)(i % 5);
    la->backward_weight(la, w, c->n, x, ldx, dy, ldy, dw);
    for (int o = 0; o < c->out; o++)
        for (int i = 0; i < c->in; i++) {
            double sum = (double)(place(w, o, i) % 5);
            for (int r = 0; r < c->n; r++)
                sum += (double)dy[r * ldy + o] * (double)x[r * ldx + i];
            compare("backward_weight", c, (double)dw[place(w, o, i)], sum);
        }
    free(dw);
}

START_TEST(products_agree_with_sums)
{
    static const int shapes[][3] = {{0, 3, 4}, {1, 1, 1}, {1, 7, 5}, {1, 33, 64}, {2, 3, 1}, {5, 16, 9}, {17, 40, 33}};
    uint64_t state = 7;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int flags = 0; flags < 8; flags++) {
            case_t c = {shapes[i][0], shapes[i][1], shapes[i][2], flags & 1, (flags & 2) != 0, (flags & 4) ? 3 : 0};
            float *data;
            pr_weight_t w = random_weight(&c, &state, &data);
            int ldx = c.in + c.pad, ldy = c.out + c.pad;
            float *x = random_matrix((size_t)(c.n + 1) * (size_t)ldx, &state);
            float *dy = random_matrix((size_t)(c.n + 1) * (size_t)ldy, &state);
            check_forward(&c, &w, x, ldx, &state);
            check_backward_input(&c, &w, dy, ldy);
            check_backward_weight(&c, &w, x, ldx, dy, ldy);
            free(data);
            free(x);
            free(dy);
        }
}
END_TEST

START_TEST(local_is_one_of_one)
{
    const pr_linalg_t *la = pr_linalg_local();
    float v[2] = {3, -1};
    la->sum(la, v, 2);
    la->max(la, v, 2);
    ck_assert(v[0] == 3 && v[1] == -1);
    ck_assert_int_eq(la->col, 0);
    ck_assert_int_eq(la->cols, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("linalg");
    TCase *t = tcase_create("local");
    tcase_add_test(t, products_agree_with_sums);
    tcase_add_test(t, local_is_one_of_one);
    suite_add_tcase(s, t);
    return run_suite(s);
}
