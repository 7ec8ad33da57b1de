/* The evaluate job: what a policy of given weights scores on a range of the evaluation prompts. Random numbers are
 * keyed by (sweep seed, prompt, sample, token) and not by the point, so that points share them and differences between
 * points are paired. */
#include "base/duration.h"
#include "base/mem.h"
#include "jobs/env.h"
#include "jobs/mix_keys.h"
#include "store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pr_evaluation {
    pr_job_env_t *env;
    const pr_config_t *c;
    const pr_job_hooks_t *hooks;
    const char *id, *point;
    int first, count;            // prompts
    double w[PR_MAX_OBJECTIVES]; // of all objectives
    int n_expert;                // experts with w_k > 0
    int objective[PR_MAX_OBJECTIVES];
    const pr_adapter_t *adapter[PR_MAX_OBJECTIVES];
    pr_adapter_t *merged; // of a mix that merges
    json_t *mix_options;
    double active[PR_MAX_OBJECTIVES];
    pr_policy_t policy;
    pr_decoded_t decoded;
    pr_responses_t responses;
    double *scores;     // [n_seq,K]
    double *per_prompt; // [count,K]
    int scored;         // prompts with a response that was not left out
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
} pr_evaluation_t;

static pr_status_t read_weights(pr_evaluation_t *e, const json_t *spec, pr_error_t *err)
{
    const json_t *w = json_object_get(spec, "weights"), *hash = json_object_get(spec, "expert_hash");
    int64_t seed = json_integer_value(json_object_get(spec, "seed"));
    for (int k = 0; k < e->c->n_objectives; k++) {
        e->w[k] = json_number_value(json_array_get(w, (size_t)k));
        if (e->w[k] == 0)
            continue;
        const char *h = json_string_value(json_array_get(hash, (size_t)k));
        PR_TRY(pr_env_expert(e->env, k, seed, h ? h : "", &e->adapter[e->n_expert], err));
        e->objective[e->n_expert] = k;
        e->active[e->n_expert++] = e->w[k];
    }
    return PR_OK;
}

static pr_status_t read_spec(pr_evaluation_t *e, const json_t *spec, pr_error_t *err)
{
    e->id = json_string_value(json_object_get(spec, "id"));
    e->point = json_string_value(json_object_get(spec, "point"));
    e->first = (int)json_integer_value(json_object_get(spec, "first"));
    e->count = (int)json_integer_value(json_object_get(spec, "count"));
    if (e->first < 0 || e->count < 1 || e->count > e->env->eval.n - e->first)
        return pr_fail(err, PR_ERR_CONFIG, "evaluation prompts %d to %d: the file has %d", e->first,
                       e->first + e->count - 1, e->env->eval.n);
    PR_TRY(read_weights(e, spec, err));
    const char *aggregate = json_string_value(json_object_get(spec, "aggregate"));
    return pr_mix_of_config(e->c, aggregate ? aggregate : "", (int)json_integer_value(json_object_get(spec, "layer")),
                            json_is_true(json_object_get(spec, "norm_before")), &e->policy.mix, &e->mix_options, err);
}

/* The experts become one adapter, which is then run as `params` runs one. */
static pr_status_t merge(pr_evaluation_t *e, pr_error_t *err)
{
    const pr_mix_t *mix = e->policy.mix;
    e->policy.mix = &pr_mix_params;
    e->policy.mix_options = NULL;
    if (e->n_expert == 0)
        return PR_OK;
    PR_TRY(pr_env_merge(e->env, mix, e->mix_options, e->n_expert, e->objective, e->active, e->hooks, &e->merged, err));
    e->adapter[0] = e->merged;
    e->active[0] = 1;
    e->n_expert = 1;
    return PR_OK;
}

static pr_status_t setup(pr_evaluation_t *e, const json_t *spec, pr_error_t *err)
{
    const pr_team_t *team = e->env->team;
    PR_TRY(team->agree(team, read_spec(e, spec, err), err));
    e->policy.mix_options = e->mix_options;
    if (e->policy.mix->merge)
        PR_TRY(merge(e, err));
    e->policy.model = e->env->model;
    e->policy.la = e->env->la;
    e->policy.n_expert = e->n_expert;
    e->policy.adapter = e->adapter;
    return PR_OK;
}

static pr_status_t decode(pr_evaluation_t *e, pr_error_t *err)
{
    const pr_evaluate_config_t *v = &e->c->evaluate;
    const pr_prompt_set_t *set = &e->env->eval;
    pr_decode_watch_t watch = {&e->env->stops, e->hooks};
    int *start = pr_alloc((size_t)e->count + 1, sizeof *start);
    uint64_t *who = pr_alloc((size_t)e->count, sizeof *who);
    for (int i = 0; i <= e->count; i++)
        start[i] = set->start[e->first + i] - set->start[e->first];
    for (int i = 0; i < e->count; i++)
        who[i] = (uint64_t)(e->first + i);
    pr_decode_options_t o = {.sampling = {v->greedy, v->temperature, v->top_p},
                             .samples = v->greedy ? 1 : v->samples,
                             .max_new_tokens = v->max_new_tokens,
                             .streams = v->streams,
                             .key = pr_rng_key((uint64_t)e->c->seed, "evaluate", ""),
                             .prompt_id = who,
                             .stop = pr_watch_stop,
                             .cancel = pr_watch_cancel,
                             .self = &watch};
    pr_status_t status = pr_env_decode(e->env, &e->policy, e->n_expert ? e->active : NULL, e->count, start,
                                       set->ids + set->start[e->first], &o, &e->decoded, err);
    free(start);
    free(who);
    return status;
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
static bool score_prompt(pr_evaluation_t *e, int prompt, int samples)
{
    int k_n = e->c->n_objectives, n = 0;
    double *mean = e->per_prompt + prompt * k_n;
    for (int i = prompt * samples; i < (prompt + 1) * samples; i++) {
        if (pr_responses_dropped(e->env, &e->responses, i))
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
static pr_status_t take_moments(pr_evaluation_t *e, const bool *scored, pr_error_t *err)
{
    int k_n = e->c->n_objectives;
    double *v = pr_alloc((size_t)e->scored, sizeof *v);
    pr_status_t status = PR_OK;
    for (int k = 0; k < k_n && status == PR_OK; k++) {
        for (int i = 0, n = 0; i < e->count; i++)
            if (scored[i])
                v[n++] = e->per_prompt[i * k_n + k];
        moments(v, e->scored, &e->mean[k], &e->se[k]);
        if (!isfinite(e->mean[k]) || (e->scored > 1 && !isfinite(e->se[k])))
            status =
                pr_fail(err, PR_ERR_NUMERIC, "objective '%s': the mean of %d prompts' scores is not a finite number",
                        e->c->objective[k].name, e->scored);
        for (int i = 0; i < e->count; i++)
            if (!scored[i])
                e->per_prompt[i * k_n + k] = e->mean[k];
    }
    free(v);
    return status;
}

static pr_status_t score(pr_evaluation_t *e, pr_error_t *err)
{
    int k_n = e->c->n_objectives, samples = e->decoded.n_seq / e->count;
    int *prompt_of = pr_alloc((size_t)e->decoded.n_seq, sizeof *prompt_of);
    for (int i = 0; i < e->decoded.n_seq; i++)
        prompt_of[i] = e->first + i / samples;
    pr_status_t status = pr_responses_make(e->env, &e->env->eval, prompt_of, &e->decoded, &e->responses, err);
    free(prompt_of);
    PR_TRY(e->env->team->agree(e->env->team, status, err));
    e->scores = pr_alloc((size_t)(e->decoded.n_seq * k_n), sizeof(double));
    e->per_prompt = pr_alloc((size_t)(e->count * k_n), sizeof(double));
    PR_TRY(pr_responses_score(e->env, &e->responses, e->scores, err));
    bool *scored = pr_alloc((size_t)e->count, sizeof *scored);
    for (int i = 0; i < e->count; i++)
        e->scored += scored[i] = score_prompt(e, i, samples);
    status = e->scored > 0 ? take_moments(e, scored, err)
                           : pr_fail(err, PR_ERR_SCORER,
                                     "every response was cut at evaluate.max_new_tokens = %d and left out (truncated)",
                                     e->c->evaluate.max_new_tokens);
    free(scored);
    return status; // every rank of the team has the same scores
}

/* The first sample of every prompt, as a JSON array of strings. */
static char *responses_text(const pr_evaluation_t *e)
{
    json_t *all = json_array();
    int samples = e->decoded.n_seq / e->count;
    for (int i = 0; i < e->count; i++) {
        const pr_response_t *r = &e->responses.said[i * samples];
        json_array_append_new(all, json_stringn(r->text, r->len)); // decoding gives UTF-8
    }
    char *text = pr_json_text(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

/* How each of those ended: the first letters of pr_finish_name. Caller frees. */
static char *endings(const pr_evaluation_t *e)
{
    int samples = e->decoded.n_seq / e->count;
    char *letter = pr_alloc((size_t)e->count, 1);
    for (int i = 0; i < e->count; i++)
        letter[i] = pr_finish_name(e->decoded.finish[i * samples])[0];
    return letter;
}

static pr_status_t save(const pr_evaluation_t *e, pr_error_t *err)
{
    if (!pr_team_is_leader(e->env->team))
        return PR_OK;
    char *finish = endings(e);
    char *text = responses_text(e);
    pr_buf_t path = {0};
    json_t *meta = json_pack("{s:s, s:s, s:i, s:i, s:i}", "job", e->id, "point", e->point, "first", e->first, "count",
                             e->count, "objectives", e->c->n_objectives);
    pr_buf_printf(&path, "%s/checkpoints/evaluate-%s.ckpt", e->env->config->results, e->id);
    pr_section_t s[] = {{"scores", sizeof(double), (size_t)(e->count * e->c->n_objectives), e->per_prompt},
                        {"responses", 1, strlen(text), text},
                        {"finish", 1, (size_t)e->count, finish}};
    pr_status_t status = pr_checkpoint_write(path.data, "evaluate", meta, s, 3, err);
    json_decref(meta);
    free(finish);
    pr_buf_free(&path);
    free(text);
    return status;
}

static json_t *summarise(const pr_evaluation_t *e, double seconds)
{
    json_t *means = json_array(), *errors = json_array();
    for (int k = 0; k < e->c->n_objectives; k++) {
        json_array_append_new(means, pr_json_real(e->mean[k]));
        json_array_append_new(errors, pr_json_real(e->se[k]));
    }
    return json_pack("{s:o, s:o, s:i, s:o, s:I, s:I, s:o}", "mean", means, "se", errors, "n", e->count, "cut",
                     pr_json_real(pr_responses_cut(&e->responses)), "tokens", (json_int_t)e->decoded.generated,
                     "prefilled", (json_int_t)e->decoded.prefilled, "seconds", pr_json_real(seconds));
}

pr_status_t pr_job_evaluate(pr_job_env_t *env, const json_t *spec, const pr_job_hooks_t *hooks, json_t **result,
                            pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_status_t status = PR_OK;
    pr_evaluation_t e = {.env = env, .c = env->config, .hooks = hooks};
    PR_GO(env->team->agree(env->team, setup(&e, spec, err), err)); // an expert's file may be missing on one node
    PR_GO(decode(&e, err));
    PR_GO(score(&e, err));
    PR_GO(save(&e, err));
    *result = summarise(&e, pr_time_monotonic() - begin);
done:
    if (status != PR_OK && e.decoded.generated > 0) // scoring failed: the responses were for nothing
        *result = json_pack("{s:I}", "tokens", (json_int_t)e.decoded.generated);
    pr_responses_clear(&e.responses);
    pr_decoded_clear(&e.decoded);
    pr_adapter_free(&e.merged);
    json_decref(e.mix_options);
    free(e.scores);
    free(e.per_prompt);
    return status;
}
