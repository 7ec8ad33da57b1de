// SPDX-License-Identifier: BSD-3-Clause
#include "base/duration.h"
#include "base/file.h"
#include "base/json_fields.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/fit_route_internal.h"
#include "jobs/kind.h"
#include "policy/spec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define I(key, kind) PR_FIELD(pr_fit_route_inputs_t, #key, kind, key)
static const pr_field_t input_fields[] = {I(task, HASH),    I(policy, JSON), I(minimize, JSON),   I(divisions, INT),
                                          I(prompts, INT),  I(ridge, REAL),  I(anyway, BOOL),     I(components, INT),
                                          I(learner, TEXT), I(passes, INT),  I(confidence, REAL), PR_FIELDS_END};

enum { FORMAT = 1 }; // another number when the same inputs would give another route

json_t *pr_fit_route_pack(const pr_fit_route_inputs_t *in)
{
    json_t *v = pr_fields_pack(input_fields, in);
    json_object_set_new(v, "kind", json_string("fit_route"));
    json_object_set_new(v, "format", json_integer(FORMAT));
    return v;
}

pr_status_t pr_fit_route_parse(const json_t *value, pr_fit_route_inputs_t *out, pr_error_t *err)
{
    return pr_fields_parse(input_fields, value, out, "fit_route job", err);
}

int64_t pr_fit_route_points(int k, int divisions)
{
    double n = 1;
    for (int i = 1; i < k; i++)
        n = n * (divisions + i) / i;
    return n < 1e15 ? llround(n) : INT64_MAX;
}

/* ---- the lattice ---- */

/* All points whose coordinates from `at` on sum to `left` divisions. */
static void lattice(fit_route_t *f, int at, int left, double *w)
{
    if (at == f->k - 1) {
        w[at] = (double)left / f->in.divisions;
        memcpy(f->weight + (ptrdiff_t)f->points++ * f->k, w, (size_t)f->k * sizeof *w);
        return;
    }
    for (int i = left; i >= 0; i--) {
        w[at] = (double)i / f->in.divisions;
        lattice(f, at + 1, left - i, w);
    }
}

/* ---- what is known ---- */

static pr_status_t load(fit_route_t *f, pr_error_t *err)
{
    enum { MOST_POINTS = 10000 };
    double w[PR_MAX_OBJECTIVES];
    pr_cached_adapter_t *part;
    PR_TRY(pr_fit_route_parse(f->job->inputs, &f->in, err)); // the same on every rank
    PR_TRY(pr_evaluation_task_find(f->env->content, f->in.task, &f->task, err));
    PR_TRY(pr_policy_parse(f->in.policy, &f->spec, err));
    PR_TRY(pr_env_check_model(f->env, f->task.model, err));
    PR_TRY(pr_env_check_stop(f->env, f->task.stop, err));
    PR_TRY(pr_env_prompts(f->env, f->task.prompts, &f->prompts, err));
    PR_TRY(pr_env_scoring(f->env, f->job, f->task.objectives, f->task.heads, f->hooks, &f->scoring, err));
    f->scoring.truncated = f->task.truncated;
    for (int k = 0; k < f->scoring.n; k++)
        f->scoring.minimize[k] = json_is_true(json_array_get(f->in.minimize, (size_t)k));
    f->streams = (int)json_integer_value(json_object_get(f->job->how, "streams"));
    f->k = f->spec.n;
    f->n = f->in.prompts > 0 && f->in.prompts < f->prompts->n ? f->in.prompts : f->prompts->n;
    f->d = f->env->model->config.d_model;
    int64_t points = pr_fit_route_points(f->k, f->in.divisions);
    if (f->in.divisions < 1 || points > MOST_POINTS || f->k > f->scoring.n)
        return pr_fail(err, PR_ERR_CONFIG,
                       "a route over a lattice of %d divisions for %d parts: expected 1 to %d points", f->in.divisions,
                       f->k, MOST_POINTS);
    pr_status_t status = PR_OK;
    for (int i = 0; i < f->spec.n && status == PR_OK; i++) {
        const pr_policy_part_t *p = &f->spec.part[i];
        status = pr_env_adapter(f->env, f->job, p->job, p->source, f->spec.n, f->hooks, &part, err);
        f->adapter[i] = status == PR_OK ? part->adapter : NULL;
    }
    PR_TRY(f->env->team->agree(f->env->team, status, err)); // a file may be missing on one node
    f->policy = (pr_policy_t){.model = f->env->model,
                              .la = f->env->la,
                              .n_expert = f->spec.n,
                              .adapter = f->adapter,
                              .mix = f->spec.mix,
                              .mix_options = f->spec.options};
    f->weight = pr_alloc((size_t)points * (size_t)f->k, sizeof *f->weight);
    lattice(f, 0, f->in.divisions, w);
    f->feature = pr_alloc((size_t)f->n * (size_t)f->d, sizeof *f->feature);
    return PR_OK;
}

/* The mean of each prompt's responses, turned; those that are left out are not among them, and a prompt of which all are
 * has the mean over the others. out [count] at `stride` numbers from each other. */
static void take_scores(fit_route_t *f, int count, const pr_responses_t *r, const double *scores, double *out,
                        int stride)
{
    int each = r->n / count, k_n = f->scoring.n;
    double mean[PR_MAX_OBJECTIVES] = {0};
    bool *known = pr_alloc((size_t)count, sizeof *known);
    int n_known = 0;
    for (int i = 0; i < count; i++) {
        double *to = out + (ptrdiff_t)i * stride;
        int kept = 0;
        for (int j = i * each; j < (i + 1) * each; j++)
            if (!pr_responses_dropped(&f->scoring, r, j)) {
                kept++;
                for (int k = 0; k < f->k; k++)
                    to[k] += (f->scoring.minimize[k] ? -1 : 1) * scores[(ptrdiff_t)j * k_n + k];
            }
        known[i] = kept > 0;
        n_known += known[i];
        for (int k = 0; k < f->k && kept > 0; k++) {
            to[k] /= kept;
            mean[k] += to[k];
        }
    }
    for (int i = 0; i < count; i++)
        for (int k = 0; k < f->k && !known[i]; k++)
            out[(ptrdiff_t)i * stride + k] = n_known > 0 ? mean[k] / n_known : 0;
    free(known);
}

pr_status_t pr_fit_route_try(fit_route_t *f, const double *w, bool paired, int first, int count, double *out,
                             int stride, pr_error_t *err)
{
    pr_decoded_t decoded = {0};
    pr_responses_t r = {0};
    int rows = paired ? count : 1, *prompt_of = NULL;
    double *scores = NULL, *own = pr_alloc((size_t)rows * (size_t)f->k, sizeof *own);
    pr_status_t status = PR_OK;
    memcpy(own, w, (size_t)rows * (size_t)f->k * sizeof *own);
    for (int i = 0; i < rows; i++)
        pr_mix_coefficients(f->spec.mix, f->spec.options, f->k, 1, own + (ptrdiff_t)i * f->k);
    PR_GO(pr_evaluation_decode(f->env, &f->task, &f->policy, own, paired, f->prompts, first, count, f->streams,
                               f->hooks, &decoded, err));
    f->tokens += decoded.generated;
    prompt_of = pr_alloc((size_t)decoded.n_seq, sizeof *prompt_of);
    scores = pr_alloc((size_t)decoded.n_seq * (size_t)f->scoring.n, sizeof *scores);
    for (int i = 0; i < decoded.n_seq; i++)
        prompt_of[i] = first + i / (decoded.n_seq / count);
    status = pr_responses_make(f->env, f->prompts, prompt_of, &decoded, &r, err);
    PR_GO(f->env->team->agree(f->env->team, status, err));
    PR_GO(pr_responses_score(f->env, &f->scoring, &r, scores, err));
    take_scores(f, count, &r, scores, out, stride);
done:
    pr_responses_clear(&r);
    pr_decoded_clear(&decoded);
    free(prompt_of);
    free(scores);
    free(own);
    return status;
}

/* ---- the fit ---- */

static json_t *gain_json(const fit_route_t *f, const double *w, const pr_route_gain_t *g)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "w", pr_json_reals(w, (size_t)f->k), "headroom",
                     pr_json_real(g->headroom), "headroom_se", pr_json_real(g->headroom_se), "gain",
                     pr_json_real(g->gain), "gain_se", pr_json_real(g->gain_se));
}

/* At equal weights and at the lattice's points; *best: the largest headroom in its standard errors. */
static pr_status_t measure(fit_route_t *f, const pr_route_data_t *data, json_t *list, pr_route_gain_t *best,
                           pr_error_t *err)
{
    double equal[PR_MAX_OBJECTIVES];
    for (int k = 0; k < f->k; k++)
        equal[k] = 1.0 / f->k;
    *best = (pr_route_gain_t){0};
    for (int i = -1; i < f->points; i++) {
        pr_route_gain_t g;
        const double *w = i < 0 ? equal : f->weight + (ptrdiff_t)i * f->k;
        PR_TRY(pr_route_measure(f->env->team, data, w, &g, err));
        json_array_append_new(list, gain_json(f, w, &g));
        if (i < 0 || g.headroom * best->headroom_se > best->headroom * g.headroom_se)
            *best = g;
    }
    return PR_OK;
}

static bool any_headroom(const pr_route_gain_t *g)
{
    return g->headroom > 0 && (!isfinite(g->headroom_se) || g->headroom > 2 * g->headroom_se);
}

static pr_status_t save(const fit_route_t *f, const pr_route_t *r, char hash[PR_HASH_HEX], pr_error_t *err)
{
    const pr_team_t *team = f->env->team;
    char *path = pr_artifact_path(pr_content_results(f->env->content), PR_ARTIFACT_ROUTE, f->job->id),
         *dir = pr_path_dir(path);
    pr_status_t status = PR_OK;
    if (pr_team_is_leader(team)) {
        status = pr_mkdirs(dir, err);
        if (status == PR_OK)
            status = pr_route_write(path, r, err);
        if (status == PR_OK)
            status = pr_hash_file(path, hash, err);
    }
    free(path);
    free(dir);
    return team->agree(team, status, err);
}

/* Every point on every prompt; then the regressions. */
static pr_status_t fit_all(fit_route_t *f, json_t *gains, pr_route_t **out, pr_error_t *err)
{
    pr_route_gain_t best;
    f->score = pr_alloc((size_t)f->n * (size_t)f->points * (size_t)f->k, sizeof *f->score);
    for (int a = 0; a < f->points; a++)
        PR_TRY(pr_fit_route_try(f, f->weight + (ptrdiff_t)a * f->k, false, 0, f->n, f->score + (ptrdiff_t)a * f->k,
                                f->points * f->k, err));
    pr_route_data_t data = {f->n,     f->k,        f->points,       f->d, f->weight, f->feature,
                            f->score, f->in.ridge, f->in.components};
    PR_TRY(measure(f, &data, gains, &best, err));
    if (!any_headroom(&best) && !f->in.anyway)
        return pr_fail(
            err, PR_ERR_CONFIG,
            "no preference has headroom on %d prompts: %.4f with a standard error of %.4f at most, so a choice "
            "by prompt has nothing to gain (anyway = true fits all the same)",
            f->n, best.headroom, best.headroom_se);
    if (!any_headroom(&best))
        pr_log(PR_LOG_WARN, "%s: headroom %.4f with a standard error of %.4f: a choice by prompt has nothing to gain",
               f->job->label, best.headroom, best.headroom_se);
    return pr_route_fit(f->env->team, &data, out, err);
}

static pr_status_t fit_route_run(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                                 pr_error_t *err)
{
    double begin = pr_time_monotonic();
    char hash[PR_HASH_HEX] = "";
    fit_route_t f = {.env = env, .job = job, .hooks = hooks};
    pr_route_t *r = NULL;
    json_t *gains = json_array(), *told = json_array();
    pr_status_t status = PR_OK;
    PR_GO(load(&f, err));
    PR_GO(pr_env_prompt_states(env, f.prompts, 0, f.n, f.feature, err));
    if (strcmp(f.in.learner, "linucb") == 0)
        PR_GO(pr_fit_route_online(&f, told, &r, err));
    else
        PR_GO(fit_all(&f, gains, &r, err));
    PR_GO(save(&f, r, hash, err));
    *result = json_pack("{s:s, s:i, s:i, s:O, s:O, s:I, s:o}", "artifact", hash, "points", f.points, "prompts", f.n,
                        "gain", gains, "utility", told, "tokens", (json_int_t)f.tokens, "seconds",
                        pr_json_real(pr_time_monotonic() - begin));
done:
    pr_route_free(&r);
    json_decref(gains);
    json_decref(told);
    pr_policy_spec_clear(&f.spec);
    free(f.weight);
    free(f.feature);
    free(f.score);
    return status;
}

static bool is_result(const json_t *result)
{
    return json_is_array(json_object_get(result, "gain"));
}

const pr_job_kind_t pr_job_fit_route = {.name = "fit_route",
                                        .doing = "fitting routes",
                                        .artifact = PR_ARTIFACT_ROUTE,
                                        .run = fit_route_run,
                                        .is_result = is_result};
