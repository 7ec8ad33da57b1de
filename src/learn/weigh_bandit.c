// SPDX-License-Identifier: BSD-3-Clause
#include "learn/weigh_bandit.h"

#include <math.h>
#include <string.h>

void pr_exp3_chances(int n, const double *logs, double gamma, double *p)
{
    double most = logs[0], sum = 0;
    for (int i = 1; i < n; i++)
        most = fmax(most, logs[i]);
    for (int i = 0; i < n; i++)
        sum += p[i] = exp(logs[i] - most);
    for (int i = 0; i < n; i++)
        p[i] = (1 - gamma) * p[i] / sum + gamma / n;
}

void pr_exp3_pay(int n, double *logs, double gamma, int arm, double payment)
{
    double p[PR_MAX_ARMS], most;
    pr_exp3_chances(n, logs, gamma, p);
    logs[arm] += gamma * payment / (n * p[arm]);
    most = logs[0];
    for (int i = 1; i < n; i++)
        most = fmax(most, logs[i]);
    for (int i = 0; i < n; i++)
        logs[i] -= most;
}

static int history_of(const json_t *options)
{
    return pr_option_int(options, "history");
}

size_t pr_bandit_numbers(int k, const json_t *options, size_t rest)
{
    return (size_t)k * (size_t)(1 + history_of(options)) + 3 + PR_GAINS + rest;
}

pr_bandit_t pr_bandit_at(const pr_weigh_in_t *in, double *state)
{
    pr_bandit_t b = {.k = in->k, .arms = in->k + 1, .raised = state};
    b.arm = b.raised + in->k;
    b.n = b.arm + 1;
    b.gains = b.n + 2;
    b.history = b.gains + PR_GAINS;
    b.rest = b.history + (ptrdiff_t)in->k * history_of(in->options);
    return b;
}

void pr_bandit_begin(const pr_weigh_in_t *in, double *state)
{
    *pr_bandit_at(in, state).arm = -1;
}

/* Appends row [size] to rows of which there are *n, at most `most`. */
static void append(double *rows, double *n, int most, int size, const double *row)
{
    if ((int)*n == most)
        memmove(rows, rows + size, (size_t)(most - 1) * (size_t)size * sizeof *rows);
    else
        *n += 1;
    memcpy(rows + ((ptrdiff_t)*n - 1) * size, row, (size_t)size * sizeof *rows);
}

bool pr_bandit_hears(pr_bandit_t b, const pr_weigh_in_t *in, double *gain, bool *paid, double *payment)
{
    int rows = (int)b.n[0];
    if (!in->validation || !pr_all_finite((size_t)b.k, in->validation))
        return false;
    for (int i = 0; i < b.k; i++) {
        double before = 0;
        for (int r = 0; r < rows; r++)
            before += b.history[r * b.k + i];
        gain[i] = rows ? in->validation[i] - before / rows : 0;
    }
    *paid = rows > 0 && *b.arm >= 0;
    *payment = pr_vector_sum(b.k, gain) / b.k;
    append(b.history, b.n, history_of(in->options), b.k, in->validation);
    return true;
}

/* The q-quantile of sorted x [n], linear between its two neighbours. */
static double quantile(int n, const double *x, double q)
{
    double at = q * (n - 1);
    int low = (int)at, high = low + 1 < n ? low + 1 : low;
    return x[low] + (at - low) * (x[high] - x[low]);
}

double pr_bandit_scaled(pr_bandit_t b, double payment)
{
    double sorted[PR_GAINS];
    int n = (int)b.n[1];
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > b.gains[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = b.gains[i];
    }
    double low = n ? quantile(n, sorted, 0.2) : payment, high = n ? quantile(n, sorted, 0.8) : payment;
    append(b.gains, b.n + 1, PR_GAINS, 1, &payment);
    if (payment < low)
        return 0;
    if (payment > high)
        return 1;
    return high > low ? (payment - low) / (high - low) : 0.5;
}

void pr_bandit_play(pr_bandit_t b, const pr_weigh_in_t *in, int arm)
{
    *b.arm = arm;
    if (arm < b.k)
        pr_exp3_pay(b.k, b.raised, pr_option_real(in->options, "gamma"), arm, 1);
}

void pr_bandit_lambda(pr_bandit_t b, double *lambda)
{
    pr_exp3_chances(b.k, b.raised, 0, lambda);
}
