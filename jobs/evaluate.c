// SPDX-License-Identifier: BSD-3-Clause
/* The evaluate job (evaluate.h). Random numbers are keyed by (sweep seed, prompt, sample, token) and not by the point,
 * so that points share them and differences between points are paired. */
#include "jobs/evaluate.h"
#include "base/duration.h"
#include "base/json_fields.h"
#include "base/mem.h"
#include "jobs/decoding.h"
#include "jobs/env.h"
#include "jobs/kind.h"
#include "jobs/memory.h"
#include "jobs/merge.h"
#include "policy/gram.h"
#include "policy/ready.h"
#include "policy/spec.h"
#include "store/layout.h"
#include "store/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- inputs ---- */

#define T(key, kind) PR_FIELD(pr_evaluation_task_t, #key, kind, key)
#define I(key, kind) PR_FIELD(pr_evaluate_inputs_t, #key, kind, key)
static const pr_field_t task_fields[] = {
    T(model, HASH),     T(prompts, HASH),     T(objectives, JSON),    T(heads, JSON),       T(minimize, JSON),
    T(truncated, TEXT), T(stop, JSON),        T(greedy, BOOL),        T(temperature, REAL), T(top_p, REAL),
    T(samples, INT),    T(sweep_seed, INT64), T(max_new_tokens, INT), PR_FIELDS_END};
static const pr_field_t input_fields[] = {I(task, HASH), I(policy, JSON), I(corpus, HASH),
                                          I(first, INT), I(count, INT),   PR_FIELDS_END};

enum { FORMAT = 4 }; // another number when the same inputs would give other scores

json_t *pr_evaluation_task_pack(const pr_evaluation_task_t *t)
{
    json_t *v = pr_fields_pack(task_fields, t);
    json_object_set_new(v, "format", json_integer(FORMAT));
    return v;
}

pr_status_t pr_evaluation_task_parse(const json_t *value, pr_evaluation_task_t *out, pr_error_t *err)
{
    return pr_fields_parse(task_fields, value, out, "what evaluations share", err);
}

json_t *pr_evaluate_pack(const pr_evaluate_inputs_t *in)
{
    json_t *v = pr_fields_pack(input_fields, in);
    json_object_set_new(v, "kind", json_string("evaluate"));
    return v;
}

pr_status_t pr_evaluate_parse(const json_t *value, pr_evaluate_inputs_t *out, pr_error_t *err)
{
    return pr_fields_parse(input_fields, value, out, "evaluate job", err);
}

json_t *pr_evaluate_how_pack(int streams)
{
    return json_pack("{s:i}", "streams", streams);
}

/* ---- the evaluation ---- */

typedef struct pr_evaluate_run {
    pr_job_env_t *env;
    const pr_job_t *job;
    const pr_job_hooks_t *hooks;
    pr_evaluate_inputs_t in;
    pr_evaluation_task_t task;
    int streams;
    const pr_prompt_set_t *prompts;
    pr_scoring_t scoring;
    pr_policy_spec_t spec;
    pr_cached_adapter_t *part[PR_MAX_PARTS];
    pr_ready_t ready;
    double *by_prompt;                         // [count,parts] of a policy that has a route; else NULL
    pr_adapter_t *told[PR_MAX_OBJECTIVES + 1]; // [n_told] of a policy that is told the preference: its family's there
    double told_w[PR_MAX_OBJECTIVES + 1];
    int n_told;
    pr_decoded_t decoded;
    pr_responses_t responses;
    double *scores;     // [n_seq,K]
    double *per_prompt; // [count,K]
    int scored;         // prompts with a response that was not left out
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
} pr_evaluate_run_t;

/* The same on every rank. */
static pr_status_t read_inputs(pr_evaluate_run_t *e, pr_error_t *err)
{
    const pr_job_t *job = e->job;
    PR_TRY(pr_evaluate_parse(job->inputs, &e->in, err));
    PR_TRY(pr_evaluation_task_find(e->env->content, e->in.task, &e->task, err));
    PR_TRY(pr_policy_parse(e->in.policy, &e->spec, err));
    e->streams = (int)json_integer_value(json_object_get(job->how, "streams"));
    PR_TRY(pr_env_check_model(e->env, e->task.model, err));
    PR_TRY(pr_env_check_stop(e->env, e->task.stop, err));
    PR_TRY(pr_env_prompts(e->env, e->task.prompts, &e->prompts, err));
    if (e->in.first < 0 || e->in.count < 1 || e->in.count > e->prompts->n - e->in.first)
        return pr_fail(err, PR_ERR_CONFIG, "evaluation prompts %d to %d: the file has %d", e->in.first,
                       e->in.first + e->in.count - 1, e->prompts->n);
    return PR_OK;
}

static bool is_told(const pr_evaluate_run_t *e)
{
    return e->spec.condition && !e->spec.route[0];
}

/* The adapters of a family at the preference that the policy is told. */
static pr_status_t read_family(pr_evaluate_run_t *e, pr_error_t *err)
{
    const pr_policy_part_t *p = &e->spec.part[0];
    double w[PR_MAX_OBJECTIVES];
    if (e->spec.n != 1 || pr_policy_blocks(&e->spec) > 1)
        return pr_fail(err, PR_ERR_CONFIG, "a policy that is told the preference: found %d parts, expected one",
                       e->spec.n);
    PR_TRY(pr_env_adapter(e->env, e->job, p->job, p->source, 1, e->hooks, &e->part[0], err));
    const pr_family_t *f = e->part[0]->family;
    if (!f)
        return pr_fail(err, PR_ERR_CONFIG, "a policy that is told the preference: %.40s is one adapter, no family",
                       p->source);
    PR_TRY(pr_family_told(e->spec.condition, f->k, w, err));
    PR_TRY(pr_family_parts(f, &e->env->model->config, w, e->told, e->told_w, &e->n_told, err));
    for (int i = 0; i < e->n_told; i++)
        e->told_w[i] *= p->coefficient[0];
    return PR_OK;
}

static pr_status_t read_parts(pr_evaluate_run_t *e, pr_error_t *err)
{
    if (is_told(e))
        return read_family(e, err);
    for (int i = 0; i < e->spec.n; i++) {
        const pr_policy_part_t *p = &e->spec.part[i];
        PR_TRY(pr_env_adapter(e->env, e->job, p->job, p->source, e->spec.n, e->hooks, &e->part[i], err));
    }
    return PR_OK;
}

static pr_status_t evaluate_setup(pr_evaluate_run_t *e, pr_error_t *err)
{
    const pr_team_t *team = e->env->team;
    PR_TRY(read_inputs(e, err));
    PR_TRY(pr_env_scoring(e->env, e->job, e->task.objectives, e->task.heads, e->hooks, &e->scoring, err));
    e->scoring.truncated = e->task.truncated;
    for (int k = 0; k < e->scoring.n; k++)
        e->scoring.minimize[k] = json_is_true(json_array_get(e->task.minimize, (size_t)k));
    PR_TRY(team->agree(team, read_parts(e, err), err)); // a file may be missing on one node
    if (is_told(e)) {
        pr_mix_parts_t told = {.team = team,
                               .model = &e->env->model->config,
                               .n = e->n_told,
                               .adapter = (const pr_adapter_t *const *)e->told,
                               .w = e->told_w};
        return pr_ready_make(e->env->model, e->env->la, e->spec.mix, e->spec.options, &told, &e->ready, err);
    }
    pr_merge_inputs_t m = {e->in.corpus, e->task.max_new_tokens, e->streams};
    pr_merge_parts_t parts;
    PR_TRY(pr_env_parts(e->env, &e->spec, e->part, &m, e->hooks, &parts, err));
    return pr_ready_make(e->env->model, e->env->la, e->spec.mix, e->spec.options, &parts.parts, &e->ready, err);
}

/* The weights that each prompt takes, by a route: e->by_prompt [count,parts]. */
static pr_status_t route_prompts(pr_evaluate_run_t *e, pr_error_t *err)
{
    pr_route_t *r = NULL;
    double w[PR_MAX_OBJECTIVES];
    size_t d = (size_t)e->env->model->config.d_model, n = (size_t)e->in.count;
    double *state = pr_alloc(n * d, sizeof *state);
    pr_status_t status = pr_env_route(e->env, e->job, e->spec.route, e->hooks, &r, err);
    if (status == PR_OK && (r->k != e->spec.n || (size_t)r->d != d))
        status = pr_fail(err, PR_ERR_CONFIG, "a route over %d parts by %d features: the policy has %d, the model %zu",
                         r->k, r->d, e->spec.n, d);
    if (status == PR_OK)
        status = pr_family_told(e->spec.condition, r->k, w, err);
    PR_GO(e->env->team->agree(e->env->team, status, err));
    PR_GO(pr_env_prompt_states(e->env, e->prompts, e->in.first, e->in.count, state, err));
    e->by_prompt = pr_alloc(n * (size_t)r->k, sizeof *e->by_prompt);
    for (size_t i = 0; i < n; i++) {
        int point = pr_route_choose(r, w, state + i * d);
        double *own = e->by_prompt + i * (size_t)r->k;
        memcpy(own, r->weight + (ptrdiff_t)point * r->k, (size_t)r->k * sizeof *own);
        pr_mix_coefficients(e->spec.mix, e->spec.options, r->k, 1, own);
    }
done:
    pr_route_free(&r);
    free(state);
    return status;
}

static pr_status_t decode(pr_evaluate_run_t *e, pr_error_t *err)
{
    if (e->spec.route[0])
        PR_TRY(route_prompts(e, err));
    return pr_evaluation_decode(e->env, &e->task, &e->ready.policy, e->by_prompt ? e->by_prompt : e->ready.w,
                                e->by_prompt != NULL, e->prompts, e->in.first, e->in.count, e->streams, e->hooks,
                                &e->decoded, err);
}

/* The sum of values times 2^-e, compensated (Neumaier 1974), so that equal values have exactly that mean.
 */
static double sum_scaled(const double *v, int n, int e)
{
    double sum = 0, lost = 0;
    for (int i = 0; i < n; i++) {
        double x = e ? ldexp(v[i], -e) : v[i], next = sum + x;
        lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
        sum = next;
    }
    return sum + lost;
}

/* Mean and standard error of finite values; one value has no standard error (NaN). Of values whose sum
 * or squares would overflow, they are found at another scale. */
static void moments(const double *v, int n, double *mean, double *se)
{
    enum { LARGE = 400, SCALE = 700 }; // powers of two
    double most = 0, squares = 0;
    for (int i = 0; i < n; i++)
        most = fmax(most, fabs(v[i]));
    int e = most > ldexp(1, LARGE) ? SCALE : 0;
    double m = sum_scaled(v, n, e) / n;
    for (int i = 0; i < n; i++)
        squares += pow((e ? ldexp(v[i], -e) : v[i]) - m, 2);
    *mean = ldexp(m, e);
    *se = n > 1 ? ldexp(sqrt(squares / (n - 1) / n), e) : NAN;
}

/* The mean of a prompt's responses on every objective; false when all of them are left out. */
static bool score_prompt(pr_evaluate_run_t *e, int prompt, int samples)
{
    int k_n = e->scoring.n, n = 0;
    double *mean = e->per_prompt + prompt * k_n;
    for (int i = prompt * samples; i < (prompt + 1) * samples; i++) {
        if (pr_responses_dropped(&e->scoring, &e->responses, i))
            continue;
        n++;
        for (int k = 0; k < k_n; k++)
            mean[k] += e->scores[i * k_n + k];
    }
    for (int k = 0; k < k_n && n > 0; k++)
        mean[k] /= n;
    return n > 0;
}

/* Mean and standard error over the prompts that have a score. One that has none, as its responses are left out, stands
 * at the mean where prompts are compared one by one. */
static pr_status_t take_moments(pr_evaluate_run_t *e, const bool *scored, pr_error_t *err)
{
    int k_n = e->scoring.n;
    double *v = pr_alloc((size_t)e->scored, sizeof *v);
    pr_status_t status = PR_OK;
    for (int k = 0; k < k_n && status == PR_OK; k++) {
        for (int i = 0, n = 0; i < e->in.count; i++)
            if (scored[i])
                v[n++] = e->per_prompt[i * k_n + k];
        moments(v, e->scored, &e->mean[k], &e->se[k]);
        if (!isfinite(e->mean[k]) || (e->scored > 1 && !isfinite(e->se[k])))
            status =
                pr_fail(err, PR_ERR_NUMERIC, "objective '%s': the mean of %d prompts' scores is not a finite number",
                        e->env->objective[e->scoring.index[k]].name, e->scored);
        for (int i = 0; i < e->in.count; i++)
            if (!scored[i])
                e->per_prompt[i * k_n + k] = e->mean[k];
    }
    free(v);
    return status;
}

static pr_status_t score(pr_evaluate_run_t *e, pr_error_t *err)
{
    int k_n = e->scoring.n, samples = e->decoded.n_seq / e->in.count;
    int *prompt_of = pr_alloc((size_t)e->decoded.n_seq, sizeof *prompt_of);
    for (int i = 0; i < e->decoded.n_seq; i++)
        prompt_of[i] = e->in.first + i / samples;
    pr_status_t status = pr_responses_make(e->env, e->prompts, prompt_of, &e->decoded, &e->responses, err);
    free(prompt_of);
    PR_TRY(e->env->team->agree(e->env->team, status, err));
    e->scores = pr_alloc((size_t)e->decoded.n_seq * (size_t)k_n, sizeof(double));
    e->per_prompt = pr_alloc((size_t)e->in.count * (size_t)k_n, sizeof(double));
    PR_TRY(pr_responses_score(e->env, &e->scoring, &e->responses, e->scores, err));
    bool *scored = pr_alloc((size_t)e->in.count, sizeof *scored);
    for (int i = 0; i < e->in.count; i++)
        e->scored += scored[i] = score_prompt(e, i, samples);
    status = e->scored > 0 ? take_moments(e, scored, err)
                           : pr_fail(err, PR_ERR_SCORER,
                                     "every response was cut at evaluate.max_new_tokens = %d and left out (truncated)",
                                     e->task.max_new_tokens);
    free(scored);
    return status; // every rank of the team has the same scores
}

/* The first sample of every prompt, as a JSON array of strings. */
static char *responses_text(const pr_evaluate_run_t *e)
{
    json_t *all = json_array();
    int samples = e->decoded.n_seq / e->in.count;
    for (int i = 0; i < e->in.count; i++) {
        const pr_response_t *r = &e->responses.said[i * samples];
        json_array_append_new(all, json_stringn(r->text, r->len)); // decoding gives UTF-8
    }
    char *text = pr_json_text(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

/* How each of those ended: the first letters of pr_finish_name. Caller frees. */
static char *endings(const pr_evaluate_run_t *e)
{
    int samples = e->decoded.n_seq / e->in.count;
    char *letter = pr_alloc((size_t)e->in.count, 1);
    for (int i = 0; i < e->in.count; i++)
        letter[i] = pr_finish_name(e->decoded.finish[i * samples])[0];
    return letter;
}

json_t *pr_evaluate_finish_json(char letter)
{
    for (pr_finish_t f = PR_FINISH_EOS; f <= PR_FINISH_LENGTH; f++)
        if (pr_finish_name(f)[0] == letter)
            return json_string(pr_finish_name(f));
    return json_null();
}

/* place: where it is then; the leader's. */
static pr_status_t evaluate_save(const pr_evaluate_run_t *e, pr_segment_place_t *place, pr_error_t *err)
{
    pr_job_env_t *env = e->env;
    if (!pr_team_is_leader(env->team))
        return PR_OK;
    char *finish = endings(e), *text = responses_text(e),
         *dir = pr_results_path(pr_content_results(env->content), PR_FOLDER_EVALUATIONS);
    json_t *meta = json_pack("{s:s, s:i, s:i, s:i}", "label", e->job->label, "first", e->in.first, "count", e->in.count,
                             "objectives", e->scoring.n);
    pr_section_t s[] = {{"scores", sizeof(double), (size_t)e->in.count * (size_t)e->scoring.n, e->per_prompt},
                        {"responses", 1, strlen(text), text},
                        {"finish", 1, (size_t)e->in.count, finish}};
    pr_status_t status = env->writer ? PR_OK : pr_segment_writer_open(dir, 0, &env->writer, err);
    if (status == PR_OK)
        status = pr_segment_append(env->writer, e->job->id, pr_job_evaluate.name, meta, s, 3, place, err);
    json_decref(meta);
    free(finish);
    free(dir);
    free(text);
    return status;
}

static json_t *summarise(const pr_evaluate_run_t *e, const pr_segment_place_t *place, double seconds)
{
    json_t *means = json_array(), *errors = json_array();
    for (int k = 0; k < e->scoring.n; k++) {
        json_array_append_new(means, pr_json_real(e->mean[k]));
        json_array_append_new(errors, pr_json_real(e->se[k]));
    }
    return json_pack("{s:o, s:o, s:i, s:o, s:I, s:I, s:o, s:o, s:O}", "mean", means, "se", errors, "n", e->in.count,
                     "cut", pr_json_real(pr_responses_cut(&e->responses)), "tokens", (json_int_t)e->decoded.generated,
                     "prefilled", (json_int_t)e->decoded.prefilled, "seconds", pr_json_real(seconds), "place",
                     pr_segment_place_json(place), "policy", e->in.policy);
}

static pr_status_t evaluate_run(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                                pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_status_t status = PR_OK;
    pr_evaluate_run_t e = {.env = env, .job = job, .hooks = hooks};
    pr_segment_place_t place = {.file = ""};
    PR_GO(evaluate_setup(&e, err));
    PR_GO(decode(&e, err));
    PR_GO(score(&e, err));
    PR_GO(evaluate_save(&e, &place, err));
    *result = summarise(&e, &place, pr_time_monotonic() - begin);
done:
    if (status != PR_OK && e.decoded.generated > 0) // scoring failed: the responses were for nothing
        *result = json_pack("{s:I}", "tokens", (json_int_t)e.decoded.generated);
    pr_responses_clear(&e.responses);
    pr_decoded_clear(&e.decoded);
    pr_ready_clear(&e.ready);
    for (int i = 0; i < e.n_told; i++)
        pr_adapter_free(&e.told[i]);
    free(e.by_prompt);
    pr_policy_spec_clear(&e.spec);
    free(e.scores);
    free(e.per_prompt);
    return status;
}

/* ---- what it takes ---- */

/* Gram matrices of all parts, of every map that one of them has, and the sum of one layer's. */
static double gram_bytes(const pr_job_sizes_t *sizes, int n, const pr_adapter_size_t *const *part)
{
    bool all[PR_N_GROUP] = {true, true, true, true},
         *need = pr_alloc((size_t)sizes->model->n_layer * PR_N_GROUP, sizeof *need);
    pr_model_config_t layer = *sizes->model;
    layer.n_layer = 1;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < sizes->model->n_layer * PR_N_GROUP; j++)
            need[j] = need[j] || part[i]->groups[j];
    double bytes = (double)n * (double)pr_gram_bytes(sizes->model, need) + (double)pr_gram_bytes(&layer, all);
    free(need);
    return bytes;
}

/* The maps that a part adapts, once. */
static double map_bytes(const pr_job_sizes_t *sizes, int n, const pr_adapter_size_t *const *part)
{
    double bytes = 0;
    int out, in;
    for (int j = 0; j < sizes->model->n_layer * PR_N_SLOT; j++) {
        bool any = false;
        for (int i = 0; i < n; i++)
            any = any || part[i]->slots[j];
        if (any && pr_slot_shape(sizes->model, (pr_slot_t)(j % PR_N_SLOT), &out, &in))
            bytes += 4.0 * out * in;
    }
    return bytes;
}

/* The parts whole, and their maps side by side (of a mix that merges: the merged adapter, or the merged maps, and its
 * own); the caches, once per part that runs on its own. Adapters that are given are loaded once and for all. */
static pr_status_t count_bytes(const pr_evaluate_inputs_t *in, const pr_evaluation_task_t *task, double streams,
                               const pr_policy_spec_t *spec, const pr_job_sizes_t *sizes, pr_job_memory_t *out,
                               pr_error_t *err)
{
    const pr_adapter_size_t *part[PR_MAX_PARTS];
    const pr_prompts_size_t *prompts;
    pr_memory_shape_t s = pr_memory_shape(sizes->model, sizes->cols);
    pr_mix_memory_t m;
    double made = 0, parts = 0, ranks = 0;
    PR_TRY(pr_sizes_prompts(sizes, task->prompts, &prompts, err));
    PR_TRY(pr_mix_memory(spec->mix, spec->options, sizes->model, spec->n, &m, err));
    for (int i = 0; i < spec->n; i++) {
        PR_TRY(pr_sizes_adapter(sizes, spec->part[i].source, &part[i], err));
        parts += 4 * (double)part[i]->params;
        made += spec->part[i].job ? 4 * (double)part[i]->params : 0;
        ranks = fmax(ranks, (double)part[i]->ranks);
    }
    double asked = fmin(ceil((double)in->count * task->samples / sizes->rows), streams),
           decoded = ceil(asked / task->samples),
           longest = fmin(prompts->longest + task->max_new_tokens, s.model->max_pos);
    out->kept = made + (in->corpus[0] ? gram_bytes(sizes, spec->n, part) / (sizes->rows * sizes->cols) : 0);
    out->work = pr_memory_cache(&s, asked * m.streams, longest) +
                pr_memory_cache(&s, decoded * m.streams, prompts->longest) +
                pr_memory_run(&s, fmin(PR_GROUP_ROWS, decoded * prompts->longest * m.streams), ranks * m.stacked) +
                pr_memory_logits(&s, 16, asked, m.logits) + parts * (1 / s.cols + m.merged) +
                (m.dense ? map_bytes(sizes, spec->n, part) / s.cols : 0);
    return PR_OK;
}

static pr_status_t evaluate_memory(const json_t *inputs, const json_t *how, const pr_job_sizes_t *sizes,
                                   pr_job_memory_t *out, pr_error_t *err)
{
    pr_evaluate_inputs_t in;
    pr_evaluation_task_t task;
    pr_policy_spec_t spec = {0};
    PR_TRY(pr_evaluate_parse(inputs, &in, err));
    PR_TRY(pr_evaluation_task_find(sizes->content, in.task, &task, err));
    PR_TRY(pr_policy_parse(in.policy, &spec, err));
    double streams = json_number_value(json_object_get(how, "streams"));
    pr_status_t status = count_bytes(&in, &task, streams, &spec, sizes, out, err);
    pr_policy_spec_clear(&spec);
    return status;
}

static bool is_result(const json_t *result)
{
    return json_is_array(json_object_get(result, "mean")) && json_is_array(json_object_get(result, "se"));
}

const pr_job_kind_t pr_job_evaluate = {.name = "evaluate",
                                       .doing = "evaluating",
                                       .evaluates = true,
                                       .run = evaluate_run,
                                       .memory = evaluate_memory,
                                       .is_result = is_result};
