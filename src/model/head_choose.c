// SPDX-License-Identifier: BSD-3-Clause
/* The choice of the next token. Top-p (nucleus) sampling: Holtzman et al. 2020, "The curious case of neural text
 * degeneration". */
#include "model/head.h"

#include "base/mem.h"
#include "model/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int first_maximum(int v, const float *x, float max)
{
    for (int i = 0; i < v; i++)
        if (x[i] == max)
            return i;
    return 0; // all NaN: the caller checks for that
}

typedef struct candidate {
    float p;
    int id;
} candidate_t;

// More probable first, then smaller id.
static bool before(const candidate_t *a, const candidate_t *b)
{
    return a->p > b->p || (a->p == b->p && a->id < b->id);
}

static void sift_down(candidate_t *heap, int n, int i)
{
    for (int child = 2 * i + 1; child < n; i = child, child = 2 * i + 1) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child]))
            child++;
        if (!before(&heap[child], &heap[i]))
            return;
        candidate_t t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

/* The smallest set of most probable tokens whose mass reaches top_p, as heap[n-1], heap[n-2] ... heap[n-taken], the
 * most probable first; heap has room for v. Tokens under (1 - top_p) / v cannot be in it (all of them together have
 * less than 1 - top_p), so only the others are put into the heap, and only those of the set are taken from it. p [v]
 * sums to total. Returns taken. */
static int nucleus(int v, const float *p, double total, double top_p, candidate_t *heap, int *n_heap, double *mass_of)
{
    double cut = (1.0 - top_p) * total / (double)v, mass = 0;
    int n = 0, taken = 0;
    for (int i = 0; i < v; i++)
        if ((double)p[i] >= cut)
            heap[n++] = (candidate_t){p[i], i};
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_down(heap, n, i);
    while (taken < n && mass < top_p * total) { // the most probable go behind the shrinking heap
        mass += (double)heap[0].p;
        taken++;
        candidate_t top = heap[0];
        heap[0] = heap[n - taken];
        heap[n - taken] = top;
        sift_down(heap, n - taken, 0);
    }
    *n_heap = n;
    *mass_of = mass;
    return taken;
}

static int choose_nucleus(int v, const float *p, double total, double top_p, double u, double *mass)
{
    candidate_t *heap = pr_alloc((size_t)v, sizeof *heap);
    int n, taken = nucleus(v, p, total, top_p, heap, &n, mass);
    double want = u * *mass, sum = 0;
    int choice = n > 0 ? heap[n - 1].id : 0;
    for (int i = 0; i < taken; i++) {
        choice = heap[n - 1 - i].id;
        sum += (double)heap[n - 1 - i].p;
        if (sum >= want)
            break;
    }
    free(heap);
    return choice;
}

// The token at which the running sum of p passes u * total; sums [chunks] are the sums of p's chunks.
static int choose_all(int v, const float *p, const double *sums, double total, double u)
{
    double want = u * total, sum = 0;
    int first = 0, k = 0, last = 0;
    for (; first + PR_EXP_CHUNK < v && sum + sums[k] < want; k++, first += PR_EXP_CHUNK)
        sum += sums[k];
    for (int i = first; i < v; i++) {
        if (p[i] > 0.0f)
            last = i;
        sum += (double)p[i];
        if (sum >= want)
            return i;
    }
    return last; // rounding left the sum a little short of its total
}

static int chunks(int v)
{
    return (v + PR_EXP_CHUNK - 1) / PR_EXP_CHUNK;
}

// Logits x [v], at most max, become what probabilities are proportional to; sums [chunks(v)] of its chunks. Returns the
// sum of all.
static double exponentials(const pr_sampling_t *s, int v, float max, float *x, double *sums)
{
    double total = 0;
    pr_k_exp_chunks(v, max, (float)(1.0 / s->temperature), x, sums);
    for (int k = 0; k < chunks(v); k++)
        total += sums[k];
    return total;
}

void pr_nucleus_keep(const pr_sampling_t *s, int v, const float *logits, int must, bool *keep)
{
    float *p = pr_alloc((size_t)v, sizeof *p);
    double *sums = pr_alloc((size_t)chunks(v), sizeof *sums), mass;
    candidate_t *heap = pr_alloc((size_t)v, sizeof *heap);
    memcpy(p, logits, (size_t)v * sizeof *p);
    double total = exponentials(s, v, pr_k_max(v, logits), p, sums);
    int n, taken = nucleus(v, p, total, s->top_p, heap, &n, &mass);
    candidate_t own = {p[must], must};
    candidate_t edge = taken > 0 && before(&own, &heap[n - taken]) ? heap[n - taken] : own;
    for (int i = 0; i < v; i++) {
        candidate_t c = {p[i], i};
        keep[i] = !before(&edge, &c); // what is no number stays, so that it is seen
    }
    free(p);
    free(sums);
    free(heap);
}

int pr_choose_token(const pr_sampling_t *s, int v, float *logits, double u, float *logp)
{
    float max = pr_k_max(v, logits);
    if (s->greedy) {
        int id = first_maximum(v, logits, max);
        if (logp)
            *logp = (float)-log(pr_k_log_sum_exp(v, logits, 1.0f, false).sum);
        return id;
    }
    double stack_sums[1024], *sums = chunks(v) <= 1024 ? stack_sums : pr_alloc((size_t)chunks(v), sizeof *sums);
    double total = exponentials(s, v, max, logits, sums), mass = total;
    int id =
        s->top_p < 1.0 ? choose_nucleus(v, logits, total, s->top_p, u, &mass) : choose_all(v, logits, sums, total, u);
    if (logp)
        *logp = (float)log((double)logits[id] / mass);
    if (sums != stack_sums)
        free(sums);
    return id;
}
