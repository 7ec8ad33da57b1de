/* The tables of experts and evaluations. */
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

pr_expert_t *pr_sweep_expert(const pr_sweep_t *s, int seed_index, int objective)
{
    return &s->expert[seed_index * s->config->n_objectives + objective];
}

double pr_sweep_sign(const pr_sweep_t *s, int objective)
{
    return s->config->objective[objective].minimize ? -1 : 1;
}

int pr_sweep_host(pr_sweep_t *s, const char *host)
{
    for (int i = 0; i < s->n_host; i++)
        if (strcmp(s->host[i], host) == 0)
            return i;
    s->host = pr_realloc(s->host, (size_t)s->n_host + 1, sizeof *s->host);
    s->host[s->n_host] = pr_strdup(host);
    return s->n_host++;
}

/* Where an identity is or would be in the table. */
static size_t slot_of(const pr_sweep_t *s, const char *id)
{
    size_t i = pr_hash64(id, strlen(id)) & (s->n_table - 1);
    while (s->table[i] && strcmp(s->evaluation[s->table[i] - 1]->job.id, id) != 0)
        i = (i + 1) & (s->n_table - 1);
    return i;
}

pr_evaluation_t *pr_sweep_find(const pr_sweep_t *s, const char *id)
{
    size_t at = s->n_table ? s->table[slot_of(s, id)] : 0;
    return at ? s->evaluation[at - 1] : NULL;
}

static void grow_table(pr_sweep_t *s)
{
    if (2 * (s->n_evaluation + 1) <= s->n_table)
        return;
    free(s->table);
    s->n_table = s->n_table ? 2 * s->n_table : 1024;
    s->table = pr_alloc(s->n_table, sizeof *s->table);
    for (size_t i = 0; i < s->n_evaluation; i++)
        s->table[slot_of(s, s->evaluation[i]->job.id)] = i + 1;
}

static void weights_json(const pr_sweep_t *s, const pr_evaluation_t *e, json_t *spec)
{
    int k_n = s->config->n_objectives, seed = s->track[e->track].seed_index;
    double w[PR_MAX_OBJECTIVES];
    json_t *weights = json_array(), *hashes = json_array();
    pr_point_weights(&e->point, k_n, w);
    for (int k = 0; k < k_n; k++) {
        json_array_append_new(weights, json_real(w[k]));
        json_array_append_new(hashes, json_string(pr_sweep_expert(s, seed, k)->hash));
    }
    json_object_set_new(spec, "weights", weights);
    json_object_set_new(spec, "expert_hash", hashes);
}

json_t *pr_sweep_evaluation_spec(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    const pr_track_t *t = &s->track[e->track];
    const char *expert[PR_MAX_OBJECTIVES];
    char point[PR_MAX_OBJECTIVES * 44];
    for (int k = 0; k < s->config->n_objectives; k++)
        expert[k] = pr_sweep_expert(s, t->seed_index, k)->job.id;
    pr_point_text(&e->point, s->config->n_objectives, point, sizeof point);
    pr_policy_spec_t p = {t->spec, s->config->seeds[t->seed_index]};
    json_t *spec = pr_evaluate_spec(s->config, &s->inputs, &p, expert, point, e->first, e->count);
    weights_json(s, e, spec);
    return spec;
}

void pr_sweep_take_result(const pr_sweep_t *s, pr_evaluation_t *e, const json_t *result)
{
    size_t k_n = (size_t)s->config->n_objectives;
    if (!e->mean)
        e->mean = pr_alloc(2 * k_n, sizeof *e->mean);
    e->se = e->mean + k_n;
    for (size_t k = 0; k < k_n; k++) {
        e->mean[k] = json_number_value(json_array_get(json_object_get(result, "mean"), k));
        e->se[k] = json_number_value(json_array_get(json_object_get(result, "se"), k));
    }
    e->job.tokens = json_integer_value(json_object_get(result, "tokens"));
    e->job.seconds = json_number_value(json_object_get(result, "seconds"));
    e->job.state = PR_JOB_DONE;
}

int pr_sweep_evaluation(pr_sweep_t *s, const pr_track_t *t, const pr_request_t *r, int first, int count)
{
    pr_evaluation_t *e = pr_alloc(1, sizeof *e);
    *e = (pr_evaluation_t){.track = t->index, .level = r->level, .point = r->point, .first = first, .count = count};
    json_t *spec = pr_sweep_evaluation_spec(s, e);
    snprintf(e->job.id, sizeof e->job.id, "%s", json_string_value(json_object_get(spec, "id")));
    json_decref(spec);
    grow_table(s);
    size_t slot = slot_of(s, e->job.id);
    if (s->table[slot]) {
        free(e);
        return (int)s->table[slot] - 1;
    }
    if (s->n_evaluation == s->cap_evaluation) {
        s->cap_evaluation = s->cap_evaluation ? 2 * s->cap_evaluation : 256;
        s->evaluation = pr_realloc(s->evaluation, s->cap_evaluation, sizeof *s->evaluation);
    }
    s->evaluation[s->n_evaluation] = e;
    s->table[slot] = ++s->n_evaluation;
    const json_t *past = json_object_get(s->past, e->job.id);
    if (past) {
        pr_sweep_take_result(s, e, past);
        json_object_del(s->past, e->job.id);
        s->done++;
    }
    return (int)s->n_evaluation - 1;
}

void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference)
{
    size_t k_n = (size_t)s->config->n_objectives;
    for (size_t k = 0; k < k_n; k++) {
        reference[k] = s->reference[k];
        for (size_t i = 0; i < n && !isfinite(s->reference[k]); i++)
            if (i == 0 || value[i * k_n + k] < reference[k])
                reference[k] = value[i * k_n + k];
    }
}
