// SPDX-License-Identifier: BSD-3-Clause
/* The base model and each expert alone: evaluated before the searches' points and beside their budgets, with which they
 * share what they have in common. The scale of objectives without a declared range is the base model's. */
#include "base/mem.h"
#include "sweeps/outline.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- who they are ---- */

bool pr_sweep_experts_key(const pr_inputs_t *in, const pr_sweep_policy_t *p, char out[PR_HASH_HEX])
{
    out[0] = 0;
    for (int k = 0; k < in->config->n_objectives; k++) {
        if (in->given[k])
            continue;
        pr_training_wish_t wish = pr_wish_expert(k);
        pr_inputs_wished_id(in, p, &wish, in->config->seeds[0], out);
        return true;
    }
    return false;
}

/* Of a search's experts, for every seed that makes others. Returns how many there are then. */
static int add_set(const pr_inputs_t *in, int search, bool trained, pr_base_t *out, int n)
{
    const pr_search_spec_t *spec = &in->config->search[search];
    int first = n, n_seeds = trained ? in->config->n_seeds : 1;
    for (int i = 0; i < n_seeds; i++) {
        pr_base_t *b = &out[n++];
        *b = (pr_base_t){.spec = *spec,
                         .policy = in->policy[search],
                         .seed_index = i,
                         .model = first == 0 && i == 0,
                         .experts = true};
        snprintf(b->name, sizeof b->name, first == 0 ? "base" : "base (%s)", spec->name);
        b->spec.name = b->name;
    }
    return n;
}

/* Where no search has experts to be looked at alone. */
static void add_model(const pr_inputs_t *in, pr_base_t *b)
{
    *b = (pr_base_t){.spec = in->config->search[0],
                     .policy = {.method = &pr_method_experts,
                                .mix = &pr_mix_params,
                                .set = in->policy[0].set,
                                .domain = {.k = in->config->n_objectives, .rows = 1}},
                     .name = "base",
                     .model = true};
    b->spec.name = b->name;
}

int pr_base_plan(const pr_inputs_t *in, pr_base_t *out)
{
    char seen[PR_MAX_SEARCHES][PR_HASH_HEX];
    int n = 0, n_seen = 0;
    for (int i = 0; i < in->config->n_searches && in->config->base; i++) {
        const pr_sweep_policy_t *p = &in->policy[i];
        if (p->method != &pr_method_experts)
            continue;
        bool known = false, trained = pr_sweep_experts_key(in, p, seen[n_seen]);
        for (int j = 0; j < n_seen; j++)
            known = known || strcmp(seen[j], seen[n_seen]) == 0;
        if (!known) {
            n_seen++;
            n = add_set(in, i, trained, out, n);
        }
    }
    if (n == 0 && in->config->base)
        add_model(in, &out[n++]);
    return n;
}

int64_t pr_sweep_base_rows(const pr_inputs_t *in)
{
    pr_base_t *base = pr_alloc((size_t)(in->config->n_searches * in->config->n_seeds), sizeof *base);
    int64_t rows = 0;
    int n = pr_base_plan(in, base);
    for (int i = 0; i < n; i++)
        rows += base[i].model + (base[i].experts ? in->config->n_objectives : 0);
    free(base);
    return rows;
}

void pr_base_requests(const pr_sweep_t *s, const pr_track_t *t, pr_requests_t *out)
{
    int k_n = s->config->n_objectives;
    size_t n = 0;
    pr_requests_init(out, (size_t)t->base->model + (t->base->experts ? (size_t)k_n : 0), pr_search_size(&t->search));
    for (int k = t->base->experts ? k_n - 1 : -1; k >= -1; k--) { // the model first, then in the order of points
        pr_request_t q = {.n_prompts = s->n_prompts};
        if (k < 0 && !t->base->model)
            break;
        pr_domain_alone(&t->policy->domain, k, &q.point);
        pr_requests_set(out, k < 0 ? 0 : t->base->model + n++, &q);
    }
}

/* ---- the scale ---- */

/* The base model's track; its request is the first. */
static const pr_track_t *model_track(const pr_sweep_t *s)
{
    return s->n_base > 0 ? &s->track[s->n_track] : NULL;
}

bool pr_base_settled(const pr_sweep_t *s)
{
    const pr_track_t *t = model_track(s);
    int bounds[PR_MAX_LIST + 2];
    if (s->scaled || !t)
        return true;
    int n = pr_track_ranges(t, s->n_prompts, bounds);
    for (int i = 0; i < n; i++)
        if (pr_evaluation_failed(pr_track_range(s, t, 0, i)))
            return true; // what is missing is found from the results
    return false;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Between the two nearest of n sorted values. */
static double quantile(const double *sorted, int n, double q)
{
    double at = q * (n - 1);
    int i = (int)floor(at);
    if (i + 1 >= n || sorted[i] == sorted[i + 1])
        return sorted[i];
    return (1 - (at - i)) * sorted[i] + (at - i) * sorted[i + 1]; // whose difference may be no number
}

/* A journal's line of the scale, when it is of these evaluations. */
static const json_t *known_scale(const pr_sweep_t *s, const json_t *jobs)
{
    const json_t *line = s->fold->base, *low = json_object_get(line, "low"), *high = json_object_get(line, "high");
    size_t k_n = (size_t)s->config->n_objectives;
    bool known =
        json_equal(json_object_get(line, "jobs"), jobs) && json_array_size(low) == k_n && json_array_size(high) == k_n;
    for (size_t k = 0; k < k_n; k++)
        known = known && json_is_number(json_array_get(low, k)) && json_is_number(json_array_get(high, k));
    return known ? line : NULL;
}

/* The base model's 5 % and 95 % quantiles over the prompts (turned), as the journal has them, or found and told to it. */
static pr_status_t find_scale(pr_sweep_t *s, const pr_track_t *t, double *low, double *high, pr_error_t *err)
{
    int bounds[PR_MAX_LIST + 2], n = pr_track_ranges(t, s->n_prompts, bounds), k_n = s->config->n_objectives;
    json_t *jobs = json_array();
    for (int i = 0; i < n; i++) {
        char id[PR_HASH_HEX];
        pr_job_record_id(pr_track_range(s, t, 0, i)->job, id);
        json_array_append_new(jobs, json_string(id));
    }
    const json_t *line = known_scale(s, jobs);
    for (int k = 0; k < k_n && line; k++) {
        low[k] = json_number_value(json_array_get(json_object_get(line, "low"), (size_t)k));
        high[k] = json_number_value(json_array_get(json_object_get(line, "high"), (size_t)k));
    }
    if (line) {
        json_decref(jobs);
        return PR_OK;
    }
    size_t prompts = (size_t)s->n_prompts;
    double *scores = pr_alloc(prompts * (size_t)k_n, sizeof *scores), *one = pr_alloc(prompts, sizeof *one);
    pr_status_t status = pr_track_per_prompt(s, t, 0, scores, err);
    json_t *lows = json_array(), *highs = json_array();
    for (int k = 0; k < k_n && status == PR_OK; k++) {
        for (size_t i = 0; i < prompts; i++)
            one[i] = scores[i * (size_t)k_n + (size_t)k];
        qsort(one, prompts, sizeof *one, compare_numbers);
        low[k] = quantile(one, s->n_prompts, 0.05);
        high[k] = quantile(one, s->n_prompts, 0.95);
        json_array_append_new(lows, pr_json_real(low[k]));
        json_array_append_new(highs, pr_json_real(high[k]));
    }
    free(scores);
    free(one);
    if (status == PR_OK) {
        pr_sweep_tell(s, "base", json_pack("{s:o, s:o, s:o}", "jobs", jobs, "low", lows, "high", highs));
        return PR_OK;
    }
    json_decref(jobs);
    json_decref(lows);
    json_decref(highs);
    return status;
}

/* What is declared stays; scores that are all the same have no scale. */
static pr_status_t take_scale(pr_sweep_t *s, const pr_track_t *t, pr_error_t *err)
{
    double low[PR_MAX_OBJECTIVES] = {0}, high[PR_MAX_OBJECTIVES] = {0};
    PR_TRY(find_scale(s, t, low, high, err));
    for (int k = 0; k < s->config->n_objectives; k++) {
        double from = isfinite(s->lo[k]) ? s->lo[k] : low[k], to = isfinite(s->hi[k]) ? s->hi[k] : high[k];
        if (to > from && isfinite(to - from)) {
            s->low[k] = from;
            s->high[k] = to;
        }
        if (!isfinite(s->reference[k]))
            s->reference[k] = low[k];
    }
    s->scaled = true;
    return PR_OK;
}

pr_status_t pr_base_advance(pr_sweep_t *s, pr_error_t *err)
{
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    pr_track_sum_t sum;
    const pr_track_t *t = model_track(s);
    for (int i = 0; i < s->n_base; i++)
        PR_TRY(pr_track_advance(s, &s->track[s->n_track + i], err));
    if (!t || s->scaled || !pr_track_result(s, t, 0, mean, se, &sum))
        return PR_OK;
    return take_scale(s, t, err);
}

void pr_base_add_scale(const pr_sweep_t *s, pr_buf_t *b)
{
    size_t k_n = (size_t)s->config->n_objectives;
    bool declared = true;
    for (size_t k = 0; k < k_n; k++)
        declared = declared && isfinite(s->lo[k]) && isfinite(s->hi[k]);
    if (declared)
        return;
    pr_buf_add(b, s->low, k_n * sizeof *s->low);
    pr_buf_add(b, s->high, k_n * sizeof *s->high);
    pr_buf_add(b, s->reference, k_n * sizeof *s->reference);
}

bool pr_base_needs_prompts(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    const json_t *jobs = json_object_get(s->fold->base, "jobs");
    char id[PR_HASH_HEX];
    if (s->scaled || !s->track[e->track].base || !s->track[e->track].base->model || e->asked > 0)
        return false;
    pr_job_record_id(e->job, id);
    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (strcmp(json_string_value(json_array_get(jobs, i)) ? json_string_value(json_array_get(jobs, i)) : "", id) ==
            0)
            return false;
    return true;
}
