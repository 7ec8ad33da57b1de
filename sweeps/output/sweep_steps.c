// SPDX-License-Identifier: BSD-3-Clause
/* What the steps of the finished trainings gave, from the files beside their adapters: the same at any number of
 * workers, and after kills. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/history.h"
#include "report/steps.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct pr_trainings {
    pr_steps_training_t *item; // rows in the sweep's objectives
    size_t n;
} pr_trainings_t;

static void trainings_clear(pr_trainings_t *t)
{
    for (size_t i = 0; i < t->n; i++)
        free((double *)(uintptr_t)t->item[i].row);
    free(t->item);
}

/* "x-s2" before "x-s10". */
static int compare(const void *a, const void *b)
{
    const pr_steps_training_t *x = a, *y = b;
    int c = strverscmp(x->label, y->label);
    return c ? c : strcmp(x->job, y->job);
}

/* A row of the sweep's objectives: a training has reported them by their identities. */
static double *rows_of(const pr_sweep_t *s, const pr_history_t *h)
{
    size_t k_n = (size_t)s->config->n_objectives, width = PR_STEP_COLUMNS + k_n, own = pr_history_width(h);
    double *rows = pr_alloc(h->n * width, sizeof *rows);
    for (size_t i = 0; i < h->n; i++) {
        memcpy(rows + i * width, h->row + i * own, PR_STEP_COLUMNS * sizeof *rows);
        for (size_t k = 0; k < k_n; k++) {
            double *x = &rows[i * width + PR_STEP_COLUMNS + k];
            *x = NAN;
            for (int j = h->k - 1; j >= 0; j--)
                if (strcmp(h->objective[j], s->inputs->objective_hash[k]) == 0)
                    *x = h->row[i * own + PR_STEP_COLUMNS + (size_t)j];
        }
    }
    return rows;
}

/* One whose record is lost keeps its adapter; its steps are missed, and that is said. */
static void add_training(const pr_sweep_t *s, const pr_node_t *node, pr_trainings_t *out)
{
    const json_t *result = node->job->made ? node->job->made->result : NULL;
    const char *hash = json_string_value(json_object_get(result, "history"));
    char *dir = pr_artifact_path(pr_sweep_dir(s), node->kind->artifact, node->id);
    pr_history_t h = {0};
    pr_error_t err = {.text = "its training, by an earlier version, kept none"};
    if (hash && pr_history_read(dir, hash, &h, &err) == PR_OK)
        out->item[out->n++] = (pr_steps_training_t){node->label, node->id, rows_of(s, &h), h.n};
    else
        pr_log(PR_LOG_WARN, "no steps of %s in " PR_FILE_STEPS ": %s", node->label, err.text);
    pr_history_clear(&h);
    free(dir);
}

static pr_status_t write_events(const pr_sweep_t *s, const pr_steps_t *steps, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < steps->n && status == PR_OK; i++) {
        char *dir = pr_results_path(pr_sweep_dir(s), PR_FOLDER_TENSORBOARD "/%s", steps->training[i].label),
             *path = pr_results_path(dir, PR_FILE_TFEVENTS);
        status = pr_mkdirs(dir, err);
        if (status == PR_OK)
            status = pr_write_steps_events(path, steps, &steps->training[i], err);
        free(path);
        free(dir);
    }
    return status;
}

pr_status_t pr_sweep_write_steps(const pr_sweep_t *s, pr_error_t *err)
{
    pr_trainings_t trainings = {.item = pr_alloc(s->graph.n_node, sizeof *trainings.item)};
    const char *name[PR_MAX_OBJECTIVES];
    for (int k = 0; k < s->config->n_objectives; k++)
        name[k] = s->config->objective[k].name;
    for (size_t i = 0; i < s->graph.n_node; i++)
        if (s->graph.node[i]->kind->steps && s->graph.node[i]->done)
            add_training(s, s->graph.node[i], &trainings);
    qsort(trainings.item, trainings.n, sizeof *trainings.item, compare);
    pr_steps_t steps = {PR_STEP_COLUMNS, pr_step_columns, (size_t)s->config->n_objectives, name,
                        trainings.item,  trainings.n};
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_STEPS);
    pr_status_t status = pr_write_steps_csv(path, &steps, err);
    if (status == PR_OK)
        status = write_events(s, &steps, err);
    free(path);
    trainings_clear(&trainings);
    return status;
}
