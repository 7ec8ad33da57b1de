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
#include "jobs/env.h"
#include "jobs/history.h"
#include "jobs/kind.h"
#include "learn/algorithm.h"
#include "learn/combine.h"
#include "learn/trainer.h"
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

typedef struct pr_training {
    pr_job_env_t *env;
    const pr_job_hooks_t *hooks;
    const char *id, *label;
    pr_train_inputs_t in;
    pr_train_how_t how;
    const pr_train_settings_t *f; // of in
    const pr_prompt_set_t *prompts;
    pr_scoring_t scoring;          // the objectives that are reported, and those of the reward among them
    int column[PR_MAX_OBJECTIVES]; // of each term, among those
    const pr_algorithm_t *algorithm;
    const pr_combiner_t *combiner;
    pr_kl_t kl_estimator;
    pr_rng_key_t prompt_key, rollout_key;
    pr_adapter_t *adapter;
    pr_trainer_t *trainer;
    char trajectory[PR_HASH_HEX];
    char *checkpoint;     // path
    long step;            // steps done
    long tokens;          // generated so far
    double *reward;       // [scoring.n] means of the last step
    double cut;           // share of its responses that max_new_tokens cut
    int64_t taught;       // steps with two responses to one prompt of unlike reward; the leader's
    int *order;           // [prompts->n] permutation of the epoch
    long epoch;           // whose permutation `order` is; -1: none
    pr_history_t history; // the leader's
} pr_training_t;

/* The B prompts of one step and what was sampled for them; what is left out is not among the sequences. */
typedef struct pr_step_batch {
    int n_seq;
    int *group;        // [B+1] first sequence of each prompt
    int *prompt;       // [B]
    int *prompt_of;    // [n_seq] of each sequence
    int *prompt_start; // [B+1]
    int32_t *prompt_ids;
    pr_decoded_t decoded;
    double *scores;    // [n_seq,K]
    double *advantage; // [n_seq]
    double *ref;       // [response tokens] log-probabilities under the base model
    int *start;        // [n_seq+1] of prompt + response
    int *n_prompt;     // [n_seq]
    int32_t *ids;
} pr_step_batch_t;

static void batch_clear(pr_step_batch_t *b)
{
    free(b->group);
    free(b->prompt);
    free(b->prompt_of);
    free(b->prompt_start);
    free(b->prompt_ids);
    pr_decoded_clear(&b->decoded);
    free(b->scores);
    free(b->advantage);
    free(b->ref);
    free(b->start);
    free(b->n_prompt);
    free(b->ids);
    *b = (pr_step_batch_t){0};
}

/* Every prompt once an epoch, in an order of the epoch's own (Fisher-Yates with counter-based numbers). */
static int prompt_of_draw(pr_training_t *t, long draw)
{
    int n = t->prompts->n;
    long epoch = draw / n;
    if (epoch != t->epoch) {
        for (int i = 0; i < n; i++)
            t->order[i] = i;
        for (int i = n - 1; i > 0; i--) {
            int j = (int)pr_rng_below(&t->prompt_key, (uint64_t)i + 1, (uint64_t)epoch, (uint64_t)i, 0, 0);
            int keep = t->order[i];
            t->order[i] = t->order[j];
            t->order[j] = keep;
        }
        t->epoch = epoch;
    }
    return t->order[draw % n];
}

static void choose_prompts(pr_training_t *t, pr_step_batch_t *b)
{
    const pr_prompt_set_t *set = t->prompts;
    int n = t->f->prompts_per_step, k = t->f->samples;
    b->n_seq = n * k;
    b->group = pr_alloc((size_t)n + 1, sizeof(int));
    for (int i = 0; i <= n; i++)
        b->group[i] = i * k;
    b->prompt = pr_alloc((size_t)n, sizeof(int));
    b->prompt_of = pr_alloc((size_t)b->n_seq, sizeof(int));
    b->prompt_start = pr_alloc((size_t)n + 1, sizeof(int));
    for (int i = 0; i < n; i++) {
        int p = b->prompt[i] = prompt_of_draw(t, t->step * n + i), len = set->start[p + 1] - set->start[p],
            at = b->prompt_start[i];
        b->prompt_ids = pr_realloc(b->prompt_ids, (size_t)(at + len), sizeof(int32_t));
        memcpy(b->prompt_ids + at, set->ids + set->start[p], (size_t)len * sizeof(int32_t));
        b->prompt_start[i + 1] = at + len;
        for (int j = 0; j < k; j++)
            b->prompt_of[i * k + j] = p;
    }
}

/* Who the step's prompts are to the random numbers: their places in the file. A prompt that comes again in a step,
 * where one epoch ends and the next begins, is another. */
static void name_prompts(const pr_training_t *t, const pr_step_batch_t *b, uint64_t *who)
{
    for (int i = 0; i < t->f->prompts_per_step; i++) {
        uint64_t before = 0;
        for (int j = 0; j < i; j++)
            before += b->prompt[j] == b->prompt[i];
        who[i] = (uint64_t)b->prompt[i] + before * (uint64_t)t->prompts->n;
    }
}

static pr_status_t roll_out(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    const pr_adapter_t *adapter = t->adapter;
    const double one = 1;
    int n = t->f->prompts_per_step;
    uint64_t *who = pr_alloc((size_t)n, sizeof *who);
    name_prompts(t, b, who);
    pr_decode_watch_t watch = {&t->env->stops, t->hooks};
    pr_policy_t policy = {
        .model = t->env->model, .la = t->env->la, .n_expert = 1, .adapter = &adapter, .mix = &pr_mix_params};
    pr_decode_options_t o = {.sampling = {false, t->f->temperature, t->f->top_p},
                             .samples = t->f->samples,
                             .max_new_tokens = t->f->max_new_tokens,
                             .want_logp = true,
                             .streams = t->how.streams,
                             .key = t->rollout_key,
                             .prompt_id = who,
                             .draw = (uint64_t)t->step,
                             .stop = pr_watch_stop,
                             .cancel = pr_watch_cancel,
                             .self = &watch};
    pr_status_t status =
        pr_decode_team(t->env->team, &policy, &one, n, b->prompt_start, b->prompt_ids, &o, &b->decoded, err);
    free(who);
    return status;
}

/* Sequence `from` takes the place `to`, which is not after it. */
static void move_sequence(pr_step_batch_t *b, int k_n, int to, int from)
{
    pr_decoded_t *d = &b->decoded;
    size_t at = d->start[to], first = d->start[from], n = d->start[from + 1] - first;
    memmove(d->ids + at, d->ids + first, n * sizeof *d->ids);
    memmove(d->logp + at, d->logp + first, n * sizeof *d->logp);
    memmove(b->scores + to * k_n, b->scores + from * k_n, (size_t)k_n * sizeof *b->scores);
    d->finish[to] = d->finish[from];
    d->start[to + 1] = at + n;
    b->prompt_of[to] = b->prompt_of[from];
}

/* With truncated = "drop", what was cut is taken out before anything is learnt from it: groups may become smaller. */
static void leave_out(const pr_training_t *t, pr_step_batch_t *b, const pr_responses_t *r)
{
    int kept = 0;
    for (int g = 0, i = 0; g < t->f->prompts_per_step; g++) {
        int end = b->group[g + 1];
        b->group[g] = kept;
        for (; i < end; i++)
            if (!pr_responses_dropped(&t->scoring, r, i))
                move_sequence(b, t->scoring.n, kept++, i);
    }
    b->group[t->f->prompts_per_step] = b->n_seq = b->decoded.n_seq = kept;
}

/* Where all responses to a prompt have the same reward, there is nothing to tell one from another by. */
static bool any_difference(const pr_training_t *t, const pr_step_batch_t *b, const double *own)
{
    for (int g = 0; g < t->f->prompts_per_step; g++)
        for (int i = b->group[g] + 1; i < b->group[g + 1]; i++)
            if (own[i] != own[i - 1])
                return true;
    return false;
}

/* The reward of every sequence, turned so that larger is better. own [n_seq] */
static void combine_rewards(const pr_training_t *t, const pr_step_batch_t *b, double *own)
{
    int n = t->in.n_term, k_n = t->scoring.n;
    double w[PR_MAX_OBJECTIVES], *turned = pr_alloc((size_t)b->n_seq * (size_t)n, sizeof *turned);
    for (int j = 0; j < n; j++) {
        double sign = t->in.term[j].minimize ? -1 : 1;
        w[j] = t->in.term[j].weight;
        for (int i = 0; i < b->n_seq; i++)
            turned[(size_t)i * (size_t)n + (size_t)j] =
                sign * b->scores[(size_t)i * (size_t)k_n + (size_t)t->column[j]];
    }
    t->combiner->combine(b->n_seq, n, turned, w, own);
    free(turned);
}

static void mean_rewards(pr_training_t *t, const pr_step_batch_t *b)
{
    int k_n = t->scoring.n;
    for (int k = 0; k < k_n; k++) {
        t->reward[k] = b->n_seq > 0 ? 0 : NAN;
        for (int i = 0; i < b->n_seq; i++)
            t->reward[k] += b->scores[(size_t)i * (size_t)k_n + (size_t)k] / b->n_seq;
    }
}

static pr_status_t reward(pr_training_t *t, pr_step_batch_t *b, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    pr_responses_t r = {0};
    pr_status_t status = pr_responses_make(t->env, t->prompts, b->prompt_of, &b->decoded, &r, err);
    status = team->agree(team, status, err);
    if (status != PR_OK) {
        pr_responses_clear(&r);
        return status;
    }
    b->scores = pr_alloc((size_t)b->n_seq * (size_t)t->scoring.n, sizeof(double));
    status = pr_responses_score(t->env, &t->scoring, &r, b->scores, err);
    t->cut = pr_responses_cut(&r);
    leave_out(t, b, &r);
    pr_responses_clear(&r);
    if (status != PR_OK)
        return status;
    double *own = pr_alloc((size_t)b->n_seq, sizeof(double));
    mean_rewards(t, b);
    combine_rewards(t, b, own);
    b->advantage = pr_alloc((size_t)b->n_seq, sizeof(double)); // 0 of a response that is alone in its group
    for (int g = 0; g < t->f->prompts_per_step; g++)
        if (b->group[g + 1] - b->group[g] > 1)
            t->algorithm->advantages(b->group[g + 1] - b->group[g], own + b->group[g], b->advantage + b->group[g]);
    t->taught += any_difference(t, b, own);
    free(own);
    return PR_OK;
}

/* Prompt and response of every sequence, one after the other, as the trainer wants them. */
static void join_sequences(pr_training_t *t, pr_step_batch_t *b)
{
    const pr_prompt_set_t *set = t->prompts;
    b->start = pr_alloc((size_t)b->n_seq + 1, sizeof(int));
    b->n_prompt = pr_alloc((size_t)b->n_seq, sizeof(int));
    size_t at = 0;
    for (int i = 0; i < b->n_seq; i++) {
        int p = b->prompt_of[i];
        size_t head = (size_t)(set->start[p + 1] - set->start[p]), tail = b->decoded.start[i + 1] - b->decoded.start[i];
        b->ids = pr_realloc(b->ids, at + head + tail, sizeof(int32_t));
        memcpy(b->ids + at, set->ids + set->start[p], head * sizeof(int32_t));
        memcpy(b->ids + at + head, b->decoded.ids + b->decoded.start[i], tail * sizeof(int32_t));
        b->n_prompt[i] = (int)head;
        at += head + tail;
        b->start[i + 1] = (int)at;
    }
}

/* The base model's log-probabilities, and with k1 what they take from the advantages. */
static pr_status_t compare_with_base(pr_training_t *t, pr_step_batch_t *b, pr_rollout_t *r, pr_error_t *err)
{
    b->ref = pr_alloc(pr_rollout_tokens(r), sizeof *b->ref);
    PR_TRY(pr_trainer_reference(t->trainer, r, b->ref, err));
    r->ref = b->ref;
    if (t->kl_estimator != PR_KL_K1 || !(t->f->kl > 0))
        return PR_OK;
    double *divergence = pr_alloc((size_t)b->n_seq, sizeof *divergence);
    pr_rollout_divergence(r, b->decoded.logp, b->ref, divergence);
    for (int g = 0; g < t->f->prompts_per_step; g++)
        if (b->group[g + 1] - b->group[g] > 1)
            t->algorithm->kl_advantages(b->group[g + 1] - b->group[g], t->f->kl, divergence + b->group[g],
                                        b->advantage + b->group[g]);
    free(divergence);
    return PR_OK;
}

/* The means of the last step. New reference. */
static json_t *reward_json(const pr_training_t *t)
{
    json_t *list = json_array();
    for (int k = 0; k < t->scoring.n; k++)
        json_array_append_new(list, pr_json_real(t->reward[k]));
    return list;
}

/* Which objectives they are of. New reference. */
static json_t *objectives_json(const pr_training_t *t)
{
    json_t *list = json_array();
    for (int k = 0; k < t->scoring.n; k++)
        json_array_append_new(list, json_string(t->env->objective[t->scoring.index[k]].hash));
    return list;
}

/* What is climbed, in the objectives' own directions. */
static double climbed(const pr_training_t *t)
{
    double sum = 0;
    for (int j = 0; j < t->in.n_term; j++)
        sum += t->in.term[j].weight * t->reward[t->column[j]];
    return sum;
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
                          "step", (json_int_t)t->step, "steps", t->f->steps, "reward", reward_json(t), "climbed",
                          pr_json_real(climbed(t)), "loss", pr_json_real(s->loss), "kl", pr_json_real(s->kl), "entropy",
                          pr_json_real(s->entropy), "grad_norm", pr_json_real(s->grad_norm), "lr", pr_json_real(s->lr),
                          "length", pr_json_real((double)s->tokens / b->n_seq), "cut", pr_json_real(t->cut), "tokens",
                          (json_int_t)s->tokens, "seconds", pr_json_real(seconds));
    t->hooks->event(t->hooks->self, "step", e);
    json_decref(e);
}

static pr_status_t one_step(pr_training_t *t, pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_step_batch_t b = {0};
    pr_step_stats_t stats = {.loss = NAN, .kl = NAN, .entropy = NAN, .grad_norm = NAN, .lr = NAN};
    pr_status_t status = PR_OK;
    choose_prompts(t, &b);
    PR_GO(roll_out(t, &b, err));
    PR_GO(reward(t, &b, err));
    join_sequences(t, &b);
    pr_rollout_t r = {b.n_seq, b.start, b.n_prompt, b.ids, b.advantage, NULL};
    double lr = pr_learning_rate(t->f->lr, t->f->schedule, t->f->warmup, t->step, t->f->steps);
    if (b.n_seq > 0) { // else all were left out, and there is nothing to learn from
        PR_GO(compare_with_base(t, &b, &r, err));
        PR_GO(pr_trainer_step(t->trainer, &r, lr, &stats, err));
    }
    t->step++;
    t->tokens += b.decoded.generated;
    tell_step(t, &stats, &b, pr_time_monotonic() - begin);
done:
    batch_clear(&b);
    return status;
}

static pr_status_t write_checkpoint(pr_training_t *t, pr_error_t *err)
{
    pr_adamw_t *o = pr_trainer_optimizer(t->trainer);
    json_t *meta = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:I}", "job", t->trajectory, "step",
                             (json_int_t)t->step, "optimizer_step", (json_int_t)o->step, "tokens",
                             (json_int_t)t->tokens, "objectives", objectives_json(t), "reward", reward_json(t), "cut",
                             pr_json_real(t->cut), "taught", (json_int_t)t->taught);
    pr_section_t s[] = {{"adapter", sizeof(float), t->adapter->n_data, t->adapter->data},
                        {"adamw.m", sizeof(float), o->n, o->m},
                        {"adamw.v", sizeof(float), o->n, o->v},
                        pr_history_section(&t->history)};
    pr_history_meta(&t->history, meta);
    pr_status_t status = pr_checkpoint_write(t->checkpoint, pr_job_train.name, meta, s, sizeof s / sizeof *s, err);
    json_decref(meta);
    return status;
}

/* Every rank holds the whole adapter, so a checkpoint is the leader's and fits any team. */
static pr_status_t train_save(pr_training_t *t, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    return team->agree(team, pr_team_is_leader(team) ? write_checkpoint(t, err) : PR_OK, err);
}

/* By objective, as they may have been reported in another order. */
static void restore_rewards(pr_training_t *t, const json_t *meta)
{
    const json_t *objectives = json_object_get(meta, "objectives"), *objective;
    size_t i;
    for (int k = 0; k < t->scoring.n; k++) {
        const char *hash = t->env->objective[t->scoring.index[k]].hash;
        t->reward[k] = NAN;
        json_array_foreach(objectives, i, objective)
        {
            const json_t *mean = json_array_get(json_object_get(meta, "reward"), i);
            if (json_is_string(objective) && strcmp(json_string_value(objective), hash) == 0 && json_is_number(mean))
                t->reward[k] = json_number_value(mean);
        }
    }
}

static pr_status_t restore_from(pr_training_t *t, const pr_checkpoint_t *c, pr_error_t *err)
{
    pr_adamw_t *o = pr_trainer_optimizer(t->trainer);
    const void *adapter, *m, *v;
    int64_t step, optimizer_step, tokens, taught;
    double cut;
    const char *job;
    PR_TRY(pr_json_get_string(c->meta, "job", "", &job, t->checkpoint, err));
    PR_TRY(pr_json_get_int(c->meta, "step", -1, &step, t->checkpoint, err));
    PR_TRY(pr_json_get_int(c->meta, "optimizer_step", -1, &optimizer_step, t->checkpoint, err));
    PR_TRY(pr_json_get_int(c->meta, "tokens", 0, &tokens, t->checkpoint, err));
    PR_TRY(pr_json_get_real(c->meta, "cut", 0, &cut, t->checkpoint, err));
    PR_TRY(pr_json_get_int(c->meta, "taught", 0, &taught, t->checkpoint, err));
    if (strcmp(job, t->trajectory) != 0 || step < 0 || optimizer_step < 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found job %s at step %lld, expected job %s at step 0 or later",
                       t->checkpoint, job, (long long)step, t->trajectory);
    if (step > t->f->steps) {
        pr_log(PR_LOG_INFO, "%s: is of a training of more steps, so this one of %d starts from the beginning",
               t->checkpoint, t->f->steps);
        return PR_OK;
    }
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adapter", sizeof(float), t->adapter->n_data, &adapter, err));
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adamw.m", sizeof(float), o->n, &m, err));
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adamw.v", sizeof(float), o->n, &v, err));
    PR_TRY(pr_history_restore(&t->history, c, t->checkpoint, (long)step, err));
    memcpy(t->adapter->data, adapter, t->adapter->n_data * sizeof(float));
    memcpy(o->m, m, o->n * sizeof(float));
    memcpy(o->v, v, o->n * sizeof(float));
    t->step = step;
    o->step = optimizer_step;
    t->tokens = tokens;
    t->taught = taught;
    t->cut = cut;
    restore_rewards(t, c->meta);
    return PR_OK;
}

/* Continues from the job's checkpoint where there is one. A damaged one is told of and left alone; the job then starts
 * afresh, which gives the same result later. */
static void read_checkpoint(pr_training_t *t)
{
    pr_checkpoint_t c = {0};
    pr_error_t e;
    if (!pr_file_exists(t->checkpoint))
        return;
    pr_status_t status = pr_checkpoint_read(t->checkpoint, pr_job_train.name, &c, &e);
    if (status == PR_OK)
        status = restore_from(t, &c, &e);
    if (status != PR_OK)
        pr_log(PR_LOG_WARN, "%s; fine-tuning starts from the beginning", e.text);
    else if (t->step > 0)
        pr_log(PR_LOG_INFO, "%s continues at step %ld of %d", t->label, t->step, t->f->steps);
    pr_checkpoint_clear(&c);
}

/* The leader reads, so that all continue at the same step. */
static void restore(pr_training_t *t)
{
    const pr_team_t *team = t->env->team;
    pr_adamw_t *o = pr_trainer_optimizer(t->trainer);
    if (pr_team_is_leader(team))
        read_checkpoint(t);
    int64_t state[3] = {t->step, o->step, t->tokens};
    team->broadcast(team, state, sizeof state);
    t->step = state[0];
    o->step = state[1];
    t->tokens = state[2];
    team->broadcast(team, t->reward, (size_t)t->scoring.n * sizeof *t->reward);
    if (t->step == 0)
        return;
    team->broadcast(team, t->adapter->data, t->adapter->n_data * sizeof *t->adapter->data);
    team->broadcast(team, o->m, o->n * sizeof *o->m);
    team->broadcast(team, o->v, o->n * sizeof *o->v);
}

/* The key of the sweep's and the training's seed. */
static pr_rng_key_t seed_key(const pr_training_t *t, const char *domain)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%lld", (long long)t->in.seed);
    return pr_rng_key((uint64_t)t->in.sweep_seed, domain, seed);
}

static pr_status_t new_adapter(pr_training_t *t, pr_error_t *err)
{
    pr_rng_key_t init = seed_key(t, "lora-init");
    const char **targets;
    pr_adapter_options_t ao = pr_train_lora(t->f, &targets);
    pr_status_t status = pr_adapter_new(&t->env->model->config, &ao, &init, &t->adapter, err);
    free(targets);
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

static pr_status_t train_setup(pr_training_t *t, const pr_job_t *job, pr_error_t *err)
{
    const pr_team_t *team = t->env->team;
    const pr_train_settings_t *f = t->f = &t->in.set;
    PR_TRY(pr_train_parse(job->inputs, &t->in, err)); // the same on every rank, as all that follows
    PR_TRY(pr_train_how_parse(job->how, &t->how, err));
    PR_TRY(pr_env_check_model(t->env, t->in.model, err));
    PR_TRY(pr_env_check_stop(t->env, t->in.stop, err));
    PR_TRY(pr_env_prompts(t->env, t->in.prompts, &t->prompts, err));
    PR_TRY(pr_algorithm_find(f->algorithm, &t->algorithm, err));
    PR_TRY(pr_combiner_find(f->combine, &t->combiner, err));
    PR_TRY(pr_kl_parse(f->kl_estimator, &t->kl_estimator, err));
    PR_TRY(set_scoring(t, job, err));
    t->reward = pr_alloc((size_t)t->scoring.n, sizeof *t->reward);
    t->history.k = t->scoring.n;
    for (int k = 0; k < t->scoring.n; k++)
        memcpy(t->history.objective[k], t->env->objective[t->scoring.index[k]].hash, PR_HASH_HEX);
    t->order = pr_alloc((size_t)t->prompts->n, sizeof *t->order);
    t->prompt_key = seed_key(t, "prompts");
    t->rollout_key = seed_key(t, "roll-out");
    PR_TRY(team->agree(team, new_adapter(t, err), err));
    double share = t->algorithm->share(f->samples);
    pr_trainer_options_t to = {.kl = share * f->kl,
                               .kl_estimator = t->kl_estimator,
                               .entropy = share * f->entropy,
                               .sampling = {false, f->temperature, f->top_p},
                               .sequence_norm = strcmp(f->loss_norm, "sequence") == 0,
                               .clip_norm = f->clip_norm,
                               .beta1 = f->beta1,
                               .beta2 = f->beta2,
                               .eps = f->eps,
                               .weight_decay = f->weight_decay,
                               .micro_tokens = t->how.micro_tokens};
    PR_TRY(pr_trainer_new(t->env->model, team, t->adapter, &to, &t->trainer, err));
    trajectory(job->inputs, t->trajectory);
    t->checkpoint = pr_checkpoint_path(pr_content_results(t->env->content), pr_job_train.name, t->trajectory);
    restore(t);
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
    while (t->step < t->f->steps) {
        pr_status_t status = check_cancelled(t, err);
        if (status == PR_OK)
            status = one_step(t, err);
        if (status == PR_ERR_INTERRUPTED)
            PR_TRY(train_save(t, err)); // a step that was cut short left no trace, so the state is that of t->step
        if (status != PR_OK)
            return status == PR_ERR_INTERRUPTED
                       ? pr_fail(err, status, "stopped at step %ld of %d", t->step, t->f->steps)
                       : pr_fail_in(err, "step %ld", t->step);
        if (t->step == t->f->steps || (t->how.checkpoint_every > 0 && t->step % t->how.checkpoint_every == 0))
            PR_TRY(train_save(t, err));
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
    if (t->taught == 0)
        pr_log(PR_LOG_WARN,
               "%s: in no step did two responses to the same prompt differ in reward, so that the adapter has learnt "
               "nothing of it",
               t->label);
    PR_GO(pr_mkdirs(dir, err));
    PR_GO(pr_adapter_write(dir, t->adapter, &t->env->model->config, pr_content_model_name(t->env->content), err));
    PR_GO(pr_adapter_hash(dir, hash, err));
    PR_GO(pr_history_write(&t->history, dir, history, err));
    *result = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "artifact", hash, "history", history,
                        "checkpoint", t->trajectory, "steps", (json_int_t)t->step, "taught", (json_int_t)t->taught,
                        "tokens", (json_int_t)t->tokens, "seconds", pr_json_real(seconds), "objectives",
                        objectives_json(t), "reward", reward_json(t));
done:
    free(dir);
    return status;
}

static pr_status_t train_run(pr_job_env_t *env, const pr_job_t *job, const pr_job_hooks_t *hooks, json_t **result,
                             pr_error_t *err)
{
    double begin = pr_time_monotonic();
    pr_status_t status = PR_OK;
    pr_training_t t = {.env = env, .hooks = hooks, .id = job->id, .label = job->label, .epoch = -1};
    PR_GO(train_setup(&t, job, err));
    PR_GO(train(&t, err));
    PR_GO(train_finish(&t, pr_time_monotonic() - begin, result, err));
done:
    pr_history_clear(&t.history);
    pr_trainer_free(&t.trainer);
    pr_adapter_free(&t.adapter);
    free(t.checkpoint);
    free(t.reward);
    free(t.order);
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
