// SPDX-License-Identifier: BSD-3-Clause
/* What took long to compute at the end of a sweep, kept so that it is computed once. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

static void fill_run(const pr_sweep_t *s, const pr_track_t *t, pr_run_points_t *r)
{
    size_t k_n = (size_t)s->config->n_objectives;
    double se[PR_MAX_OBJECTIVES];
    pr_track_sum_t sum;
    r->w = pr_alloc(r->n * k_n, sizeof(double));
    for (size_t j = 0; j < r->n; j++) {
        pr_point_t point = pr_track_point(t, r->asked[j]);
        pr_point_weights(&point, (int)k_n, r->w + j * k_n); // of several rows, the first
        pr_track_result(s, t, r->asked[j], r->mean + j * k_n, se, &sum);
        for (size_t k = 0; k < k_n; k++)
            r->mean[j * k_n + k] *= pr_sweep_sign(s, (int)k);
    }
}

pr_runs_t pr_sweep_runs(const pr_sweep_t *s)
{
    size_t k_n = (size_t)s->config->n_objectives;
    pr_runs_t all = {.run = pr_alloc((size_t)s->n_track, sizeof *all.run)};
    for (int i = 0; i < s->n_track; i++) {
        all.run[i].asked = pr_track_points(s, &s->track[i], &all.run[i].n);
        all.n += all.run[i].n;
    }
    double *to = all.mean = pr_alloc(all.n * k_n, sizeof *all.mean);
    for (int i = 0; i < s->n_track; to += all.run[i].n * k_n, i++) {
        all.run[i].mean = to;
        fill_run(s, &s->track[i], &all.run[i]);
    }
    return all;
}

void pr_sweep_runs_clear(const pr_sweep_t *s, pr_runs_t *runs)
{
    for (int i = 0; i < s->n_track; i++) {
        free(runs->run[i].asked);
        free(runs->run[i].w);
    }
    free(runs->run);
    free(runs->mean);
}

static void add_text(pr_buf_t *b, const char *text)
{
    pr_buf_add(b, text, strlen(text) + 1);
}

/* The jobs' identities stand for the prompts' own scores. */
static void add_run(pr_buf_t *b, const pr_sweep_t *s, const pr_track_t *t, const pr_run_points_t *r)
{
    int bounds[PR_MAX_LIST + 2];
    add_text(b, t->spec->name);
    pr_buf_add(b, &s->config->seeds[t->seed_index], sizeof s->config->seeds[0]);
    pr_buf_add(b, &r->n, sizeof r->n);
    for (size_t i = 0; i < r->n; i++) {
        int n = pr_track_ranges(t, t->asked_prompts[r->asked[i]], bounds);
        for (int j = 0; j < n; j++) {
            const pr_job_record_t *job = pr_track_range(s, t, r->asked[i], j)->job;
            pr_buf_add(b, job->id, sizeof job->id);
        }
    }
    pr_buf_add(b, r->mean, r->n * (size_t)s->config->n_objectives * sizeof *r->mean);
}

void pr_kept_key(const pr_sweep_t *s, const pr_run_points_t *run, const double *reference, char key[PR_HASH_HEX])
{
    size_t bytes = (size_t)s->config->n_objectives * sizeof(double);
    pr_buf_t b = {0};
    add_text(&b, "indicators 2"); // another number when they are computed in another way
    pr_buf_add(&b, &s->n_prompts, sizeof s->n_prompts);
    pr_buf_add(&b, &s->config->seed, sizeof s->config->seed);
    pr_buf_add(&b, reference, bytes);
    pr_buf_add(&b, s->low, bytes);
    pr_buf_add(&b, s->high, bytes);
    for (int i = 0; i < s->n_track; i++)
        add_run(&b, s, &s->track[i], &run[i]);
    for (int k = 0; k < s->config->n_objectives; k++)
        add_text(&b, s->config->objective[k].name);
    pr_hash_hex(b.data, b.len, key);
    pr_buf_free(&b);
}

static bool is_whole(const json_t *file, const char *key)
{
    char hash[PR_HASH_HEX];
    const json_t *values = json_object_get(file, "values");
    const char *found = json_string_value(json_object_get(file, "key")),
               *sum = json_string_value(json_object_get(file, "hash"));
    if (!json_is_object(values) || !found || !sum || strcmp(found, key) != 0)
        return false;
    pr_json_hash(values, hash);
    return strcmp(sum, hash) == 0;
}

void pr_kept_read(const pr_sweep_t *s, const char *key, json_t **values)
{
    char *path = pr_results_path(pr_sweep_dir(s), PR_FILE_INDICATORS);
    json_t *file = NULL;
    pr_error_t err;
    *values = NULL;
    if (pr_file_exists(path) && pr_json_load(path, (size_t)1 << 30, &file, &err) != PR_OK)
        pr_log(PR_LOG_WARN, "%s; indicators are computed again", err.text);
    if (file && is_whole(file, key))
        *values = json_incref(json_object_get(file, "values"));
    json_decref(file);
    if (!*values)
        *values = json_object();
    free(path);
}

pr_status_t pr_kept_write(const pr_sweep_t *s, const char *key, const json_t *values, pr_error_t *err)
{
    char hash[PR_HASH_HEX], *path = pr_results_path(pr_sweep_dir(s), PR_FILE_INDICATORS);
    pr_json_hash(values, hash);
    json_t *file = json_pack("{s:s, s:s, s:O}", "key", key, "hash", hash, "values", values);
    char *text = pr_json_canonical(file);
    pr_status_t status = pr_file_write(path, text, strlen(text), err);
    free(text);
    json_decref(file);
    free(path);
    return status;
}
