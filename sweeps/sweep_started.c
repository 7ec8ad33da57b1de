// SPDX-License-Identifier: BSD-3-Clause
/* What a run that begins has to do, in a line. */
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <string.h>

static void put_count(pr_buf_t *b, long done, long all, const char *one, const char *many)
{
    if (all == 0)
        return;
    pr_buf_puts(b, b->len > 0 ? ", " : "");
    if (done > 0)
        pr_buf_printf(b, "%ld of ", all - done);
    pr_buf_printf(b, "%ld %s", all, all == 1 ? one : many);
}

/* Nodes of the graph that leave this. */
static void count_nodes(const pr_sweep_t *s, pr_artifact_kind_t kind, long *done, long *all)
{
    *done = *all = 0;
    for (size_t i = 0; i < s->graph.n_node; i++) {
        *all += s->graph.node[i]->kind->artifact == kind;
        *done += s->graph.node[i]->kind->artifact == kind && s->graph.node[i]->done;
    }
}

static void put_points(const pr_sweep_t *s, pr_buf_t *b)
{
    long points = 0, own = 0;
    for (int i = 0; i < s->config->n_searches; i++) {
        long n = (long)pr_sweep_forecast(s, i) * s->config->n_seeds;
        points += n;
        own += s->inputs->policy[i].per_point ? n : 0;
    }
    pr_buf_printf(b, "%sat most %ld point%s", b->len > 0 ? ", " : "", points, points == 1 ? "" : "s");
    if (own == points)
        pr_buf_puts(b, ", a training each");
    else if (own > 0)
        pr_buf_printf(b, ", %ld of them with a training each", own);
    if (s->graph.n_evaluated > 0)
        pr_buf_printf(b, " (%zu evaluations are there)", s->graph.n_evaluated);
}

char *pr_sweep_started_text(const pr_sweep_t *s, int ranks, int teams, int rows, int cols)
{
    pr_buf_t b = {0}, text = {0};
    long done, all;
    count_nodes(s, PR_ARTIFACT_HEAD, &done, &all);
    put_count(&b, done, all, "head to fit", "heads to fit");
    count_nodes(s, PR_ARTIFACT_ADAPTER, &done, &all);
    put_count(&b, done, all, "expert to train", "experts to train");
    put_points(s, &b);
    bool complete = pr_sweep_complete(s);
    pr_buf_printf(&text, "started: %s; ", complete ? "nothing is left to do" : b.data);
    pr_buf_free(&b);
    if (ranks == 1)
        pr_buf_puts(&text, "1 rank");
    else if (rows * cols == 1)
        pr_buf_printf(&text, "%d ranks: 1 schedules, %d work%s", ranks, teams, teams == 1 ? "s" : "");
    else
        pr_buf_printf(&text, "%d ranks: 1 schedules, the others as %d team%s of %d x %d", ranks, teams,
                      teams == 1 ? "" : "s", rows, cols);
    return text.data;
}
