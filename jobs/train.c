// SPDX-License-Identifier: BSD-3-Clause
/* The train job (train.h): one adapter, by policy gradient on its own roll-outs. Roll-outs are keyed by (sweep seed,
 * training seed, step, prompt, sample, token), the prompts' order by (sweep seed, training seed), the adapter's
 * beginning by (sweep seed, training seed, tensor): no objective, weight, method or setting is in a key, so that
 * whatever is compared is compared on the same random numbers. The whole state is in the checkpoint, so that a resumed
 * run continues exactly as the uninterrupted one. At a constant learning rate a training of more steps is the same one
 * for longer: it goes on from where the shorter one ended. */
#include "jobs/train.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "jobs/history.h"
#include "jobs/train_internal.h"
#include "store/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a checkpoint is of: the inputs without what only says when to stop, where that is all that `steps` does. */
static void trajectory(const json_t *inputs, char id[PR_HASH_HEX])
{
    json_t *v = json_deep_copy(inputs), *train = json_object_get(v, "train");
    const char *schedule = json_string_value(json_object_get(train, "schedule"));
    if (schedule && strcmp(schedule, "constant") == 0)
        json_object_del(train, "steps");
    pr_json_hash(v, id);
    json_decref(v);
}
/* What is climbed, in the objectives' own directions. */
static double climbed(const pr_training_t *t)
{
    double sum = 0;
    for (int j = 0; j < t->in.n_term; j++)
        sum += t->lambda[j] * t->reward[t->column[j]];
    return sum;
}

/* [n,n] as rows. New reference. */
static json_t *square_json(const double *v, int n)
{
    json_t *rows = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(rows, pr_json_reals(v + i * n, (size_t)n));
    return rows;
}

/* How the objectives of the reward stand to each other in this step. */
static void add_weights(const pr_training_t *t, const pr_step_batch_t *b, json_t *e)
{
    int n = t->in.n_term;
    json_t *terms = json_array();
    if (n < 2) {
        json_decref(terms);
        return;
    }
    for (int j = 0; j < n; j++)
        json_array_append_new(terms, json_string(t->in.term[j].objective));
    json_object_set_new(e, "terms", terms);
    json_object_set_new(e, "weights", pr_json_reals(t->lambda, (size_t)n));
    json_object_set_new(e, "covariance", square_json(b->covariance, n));
    if (b->n_channel > 1)
        json_object_set_new(e, "gram", square_json(b->gram, n));
}

static void keep_step(pr_training_t *t, const pr_step_stats_t *s, const pr_step_batch_t *b)
{
    double *row = pr_history_add(&t->history);
    row[PR_STEP_step] = (double)t->step;
    row[PR_STEP_climbed] = climbed(t);
    row[PR_STEP_loss] = s->loss;
    row[PR_STEP_kl] = s->kl;
    row[PR_STEP_entropy] = s->entropy;
    row[PR_STEP_grad_norm] = s->grad_norm;
    row[PR_STEP_lr] = s->lr;
    row[PR_STEP_length] = (double)s->tokens / b->n_seq;
    row[PR_STEP_cut] = t->cut;
    row[PR_STEP_tokens] = (double)s->tokens;
    memcpy(row + PR_STEP_COLUMNS, t->reward, (size_t)t->scoring.n * sizeof *row);
}

static void tell_step(pr_training_t *t, const pr_step_stats_t *s, const pr_step_batch_t *b, double seconds)
{
    if (!pr_team_is_leader(t->env->team))
        return;
    keep_step(t, s, b);
    json_t *e = json_pack("{s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "job", t->id,
                          "step", (json_int_t)t->step, "steps", t->f->steps, "reward", pr_train_reward_json(t),
                          "climbed", pr_json_real(climbed(t)), "loss", pr_json_real(s->loss), "kl", pr_json_real(s->kl),
                          "entropy", pr_json_real(s->entropy), "grad_norm", pr_json_real(s->grad_norm), "lr",
                          pr_json_real(s->lr), "length", pr_json_real((double)s->tokens / b->n_seq), "cut",
                          pr_json_real(t->cut), "tokens", (json_int_t)s->tokens, "seconds", pr_json_real(seconds));
    add_weights(t, b, e);
    if (t->algorithm->critic) {
        json_object_set_new(e, "value_loss", pr_json_real(s->value));
        json_object_set_new(e, "held", pr_json_real(s->held));
    }
    t->hooks->event(t->hooks->self, "step", e);
    json_decref(e);
}

static pr_status_t one_step(pr_training_t *t, pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_step_batch_t b = {0};
    pr_step_stats_t stats = {.loss = NAN, .kl = NAN, .entropy = NAN, .grad_norm = NAN, .lr = NAN};
    pr_status_t status = PR_OK;
    pr_train_prompts(t, &b);
    PR_GO(pr_train_roll_out(t, &b, err));
    PR_GO(pr_train_score(t, &b, err));
    PR_GO(pr_train_advantages(t, &b, err));
    pr_train_join(t, &b);
    if (b.n_seq > 0) // else all were left out, and there is nothing to learn from
        PR_GO(pr_train_climb(t, &b, &stats, err));
    t->step++;
    t->tokens += b.decoded.generated;
    tell_step(t, &stats, &b, pr_time_monotonic() - begin);
done:
    pr_step_batch_clear(&b);
    return status;
}

/* The key of the sweep's and the training's seed. */
static pr_rng_key_t seed_key(const pr_training_t *t, const char *domain)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%lld", (long long)t->in.seed);
    return pr_rng_key((uint64_t)t->in.sweep_seed, domain, seed);
}

static pr_status_t new_adapter(pr_training_t *t, const pr_job_t *job, pr_error_t *err)
{
    pr_rng_key_t init = seed_key(t, "lora-init");
    const char **targets;
    pr_adapter_options_t ao = pr_train_lora(t->f, &targets);
    pr_cached_adapter_t *from;
    pr_status_t status = t->f->core ? pr_train_family(t, job, &ao, &init, err)
                                    : pr_adapter_new(&t->env->model->config, &ao, &init, &t->adapter, err);
    free(targets);
    if (status == PR_OK && t->in.init[0])
        status = pr_env_adapter(t->env, job, false, t->in.init, 1, t->hooks, &from, err);
    if (status == PR_OK && t->in.init[0] &&
        pr_adapter_take(t->adapter, from->adapter, &t->env->model->config, err) != PR_OK)
        status = pr_fail_in(err, "what the training begins as");
    return status;
}

/* The objectives that are reported, and after them those of the reward that are not among them. */
static pr_status_t set_scoring(pr_training_t *t, const pr_job_t *job, pr_error_t *err)
{
    json_t *hashes = json_array(), *heads = json_object();
    const pr_reward_term_t *terms[] = {t->how.report, t->in.term};
    const int counts[] = {t->how.n_report, t->in.n_term};
    bool minimize[2 * PR_MAX_OBJECTIVES] = {false};
    int n = 0;
    for (int list = 0; list < 2; list++)
        for (int i = 0; i < counts[list]; i++) {
            const pr_reward_term_t *term = &terms[list][i];
            int at = 0;
            while (list == 1 && at < n &&
                   (minimize[at] != term->minimize ||
                    strcmp(json_string_value(json_array_get(hashes, (size_t)at)), term->objective) != 0))
                at++;
            if (list == 1)
                t->column[i] = at;
            if (list == 1 && at < n)
                continue;
            minimize[n++] = term->minimize;
            json_array_append_new(hashes, json_string(term->objective));
            if (term->head[0])
                json_object_set_new(heads, term->objective, json_string(term->head));
        }
    pr_status_t status = pr_env_scoring(t->env, job, hashes, heads, t->hooks, &t->scoring, err);
    t->scoring.truncated = t->in.truncated;
    for (int i = 0; i < t->scoring.n; i++)
        t->scoring.minimize[i] = minimize[i];
    json_decref(hashes);
    json_decref(heads);
    return status;
}

/* What is needed to end before all steps are taken. */
static void set_stop(pr_training_t *t)
{
    const json_t *stop = t->f->stop;
    if (!stop)
        return;
    t->patience = (int)json_integer_value(json_object_get(stop, "patience"));
    t->every = (int)json_integer_value(json_object_get(stop, "every"));
    t->min_gain = json_number_value(json_object_get(stop, "min_gain"));
    t->of_worst = strcmp(pr_option_string(stop, "metric"), "worst") == 0;
    t->kept = pr_alloc(t->n_data, sizeof *t->kept);
}

static pr_status_t train_setup(pr_training_t *t, const pr_job_t *job, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    const pr_train_settings_t *f = t->f = &t->in.set;
    PR_TRY(pr_train_parse(job->inputs, &t->in, err)); // the same on every rank, as all that follows
    PR_TRY(pr_train_how_parse(job->how, &t->how, err));
    PR_TRY(pr_env_check_model(t->env, t->in.model, err));
    PR_TRY(pr_env_check_stop(t->env, t->in.stop, err));
    PR_TRY(pr_env_prompts(t->env, t->in.prompts, &t->prompts, err));
    if (t->in.validation[0])
        PR_TRY(pr_env_prompts(t->env, t->in.validation, &t->validation, err));
    PR_TRY(pr_train_rules(t, err));
    PR_TRY(pr_kl_parse(f->kl_estimator, &t->kl_estimator, err));
    PR_TRY(set_scoring(t, job, err));
    t->reward = pr_alloc((size_t)t->scoring.n, sizeof *t->reward);
    t->history.k = t->scoring.n;
    for (int k = 0; k < t->scoring.n; k++)
        memcpy(t->history.objective[k], t->env->objective[t->scoring.index[k]].hash, PR_HASH_HEX);
    t->order = pr_alloc((size_t)t->prompts->n, sizeof *t->order);
    t->prompt_key = seed_key(t, "prompts");
    t->rollout_key = seed_key(t, "roll-out");
    t->weigh_key = seed_key(t, "weigh");
    t->preference_key = seed_key(t, "preference");
    t->pass_key = seed_key(t, "pass");
    PR_TRY(team->agree(team, new_adapter(t, job, err), err));
    double share = pr_train_baseline(t)->share(f->samples);
    pr_trainer_options_t to = {.kl = t->algorithm->preferences ? 0 : share * f->kl, // its own loss has it
                               .kl_estimator = t->kl_estimator,
                               .entropy = share * f->entropy,
                               .sampling = {false, f->temperature, f->top_p},
                               .sequence_norm = strcmp(f->loss_norm, "sequence") == 0,
                               .clip_norm = f->clip_norm,
                               .beta1 = f->beta1,
                               .beta2 = f->beta2,
                               .eps = f->eps,
                               .weight_decay = f->weight_decay,
                               .micro_tokens = t->how.micro_tokens,
                               .family = t->family,
                               .critic = t->algorithm->critic};
    PR_TRY(pr_trainer_new(t->env->model, team, t->adapter, &to, &t->trainer, err));
    t->data = pr_trainer_numbers(t->trainer, &t->n_data);
    trajectory(job->inputs, t->trajectory);
    t->checkpoint = pr_checkpoint_path(pr_content_results(t->env->content), pr_job_train.name, t->trajectory);
    set_stop(t);
    pr_train_restore(t);
    PR_TRY(pr_train_rules_begin(t, err));
    return PR_OK;
}

// The ranks stop together, whichever of them is asked to.
static pr_status_t check_cancelled(const pr_training_t *t, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    pr_status_t status = PR_OK;
    if (t->hooks->cancel && t->hooks->cancel(t->hooks->self))
        status = pr_fail(err, PR_ERR_INTERRUPTED, "stopped");
    return team->agree(team, status, err);
}

static pr_status_t train(pr_training_t *t, pr_error_t *err)
{
    for (bool end = false;;) {
        pr_status_t status = check_cancelled(t, err);
        if (status == PR_OK)
            status = pr_train_look(t, &end, err);
        if (status == PR_OK && (end || t->step >= t->f->steps))
            break;
        if (status == PR_OK)
            status = one_step(t, err);
        if (status == PR_ERR_INTERRUPTED)
            PR_TRY(pr_train_save(t, err)); // a step that was cut short left no trace, so the state is that of t->step
        if (status != PR_OK)
            return status == PR_ERR_INTERRUPTED
                       ? pr_fail(err, status, "stopped at step %ld of %d", t->step, t->f->steps)
                       : pr_fail_in(err, "step %ld", t->step);
        if (t->step == t->f->steps || (t->how.checkpoint_every > 0 && t->step % t->how.checkpoint_every == 0))
            PR_TRY(pr_train_save(t, err));
    }
    return PR_OK;
}

/* What is scored as whole may be half a sentence, and nothing else shows it. */
static void warn_of_cuts(const pr_training_t *t)
{
    if (t->cut > 0.5)
        pr_log(PR_LOG_WARN,
               "%s: %.0f %% of the last step's responses were cut at finetune.max_new_tokens = %d and were %s",
               t->label, 100 * t->cut, t->f->max_new_tokens,
               strcmp(t->in.truncated, "score") == 0   ? "scored as they are (see truncated)"
               : strcmp(t->in.truncated, "worst") == 0 ? "given the worst value"
                                                       : "left out");
}

static pr_status_t train_finish(pr_training_t *t, double seconds, json_t **result, pr_error_t *err)
{
    if (!pr_team_is_leader(t->env->team))
        return PR_OK;
    char *dir = pr_artifact_path(pr_content_results(t->env->content), pr_job_train.artifact, t->id), hash[PR_HASH_HEX],
         history[PR_HASH_HEX];
    pr_status_t status = PR_OK;
    warn_of_cuts(t);
    if (t->taught == 0 && t->step > 0)
        pr_log(PR_LOG_WARN,
               "%s: in no step did two responses to the same prompt differ in reward, so that the adapter has learnt "
               "nothing of it",
               t->label);
    PR_GO(pr_mkdirs(dir, err));
    if (t->family) { // the adapter beside it is that of equal weights, for whoever knows adapters alone
        pr_train_centre(t);
        PR_GO(pr_family_write(dir, t->family, &t->env->model->config, err));
    }
    PR_GO(pr_adapter_write(dir, t->adapter, &t->env->model->config, pr_content_model_name(t->env->content), err));
    PR_GO(pr_adapter_hash(dir, hash, err));
    PR_GO(pr_history_write(&t->history, dir, history, err));
    *result = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "artifact", hash, "history", history,
                        "checkpoint", t->trajectory, "steps", (json_int_t)t->step, "taught", (json_int_t)t->taught,
                        "tokens", (json_int_t)t->tokens, "seconds", pr_json_real(seconds), "objectives",
                        pr_train_objectives_json(t), "reward", pr_train_reward_json(t));
    json_t *ledger = pr_train_ledger_json(t);
    json_object_set_new(ledger, "numbers", json_integer((json_int_t)t->n_data));
    json_object_set_new(*result, "ledger", ledger);
    if (t->validation)
        json_object_set_new(*result, "validation_tokens", json_integer(t->validated));
    if (t->kept)
        json_object_set_new(*result, "kept_step", json_integer(t->best_step));
done:
    free(dir);
    return status;
}

static pr_status_t train_run(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                             pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_status_t status = PR_OK;
    pr_training_t t = {.env = env,
                       .hooks = hooks,
                       .id = job->id,
                       .label = job->label,
                       .epoch = -1,
                       .seen_step = -1,
                       .best_step = -1,
                       .looked = -1};
    PR_GO(train_setup(&t, job, err));
    PR_GO(train(&t, err));
    pr_train_keep_best(&t);
    PR_GO(train_finish(&t, pr_time_monotonic() - begin, result, err));
done:
    pr_history_clear(&t.history);
    pr_trainer_free(&t.trainer);
    pr_adapter_free(&t.adapter);
    pr_train_family_clear(&t);
    free(t.checkpoint);
    free(t.reward);
    free(t.order);
    free(t.weigh_state);
    free(t.kept);
    pr_rules_clear(&t.rules);
    return status;
}

static bool is_result(const json_t *result)
{
    return json_is_array(json_object_get(result, "reward")) && json_is_integer(json_object_get(result, "steps"));
}

static int steps(const json_t *inputs)
{
    return (int)json_integer_value(json_object_get(json_object_get(inputs, "train"), "steps"));
}

const pr_job_kind_t pr_job_train = {.name = "train",
                                    .doing = "fine-tuning",
                                    .artifact = PR_ARTIFACT_ADAPTER,
                                    .run = train_run,
                                    .memory = pr_train_memory,
                                    .is_result = is_result,
                                    .steps = steps};
