// SPDX-License-Identifier: BSD-3-Clause
/* The train job's state, in a checkpoint and back. */
#include "base/file.h"
#include "base/log.h"
#include "jobs/train_internal.h"
#include "store/checkpoint.h"

#include <math.h>
#include <string.h>

json_t *pr_train_reward_json(const pr_training_t *t)
{
    json_t *list = json_array();
    for (int k = 0; k < t->scoring.n; k++)
        json_array_append_new(list, pr_json_real(t->reward[k]));
    return list;
}

json_t *pr_train_objectives_json(const pr_training_t *t)
{
    json_t *list = json_array();
    for (int k = 0; k < t->scoring.n; k++)
        json_array_append_new(list, json_string(t->env->objective[t->scoring.index[k]].hash));
    return list;
}

#define LEDGER(X) X(prompts) X(scored) X(forward) X(backward)

json_t *pr_train_ledger_json(const pr_training_t *t)
{
    json_t *v = json_object();
#define PUT(what) json_object_set_new(v, #what, json_integer(t->ledger.what));
    LEDGER(PUT)
#undef PUT
    return v;
}

static void restore_ledger(pr_training_t *t, const json_t *v)
{
#define TAKE(what) t->ledger.what = json_integer_value(json_object_get(v, #what));
    LEDGER(TAKE)
#undef TAKE
}

/* Its part of a checkpoint; returns how many sections that is. */
static size_t critic_sections(const pr_critic_t *c, json_t *meta, pr_section_t s[3])
{
    json_object_set_new(meta, "critic_step", json_integer((json_int_t)c->adamw.step));
    s[0] = (pr_section_t){"critic", sizeof(float), c->n, c->weight};
    s[1] = (pr_section_t){"critic.m", sizeof(float), c->n, c->adamw.m};
    s[2] = (pr_section_t){"critic.v", sizeof(float), c->n, c->adamw.v};
    return 3;
}

/* What a checkpoint has of it. */
typedef struct critic_state {
    int64_t step;
    const void *part[3]; // weight, m, v
} critic_state_t;

static pr_status_t find_critic(const pr_training_t *t, const pr_checkpoint_t *c, size_t n, critic_state_t *out,
                               pr_error_t *err)
{
    static const char *const name[] = {"critic", "critic.m", "critic.v"};
    PR_TRY(pr_json_get_int(c->meta, "critic_step", 0, &out->step, t->checkpoint, err));
    for (int i = 0; i < 3; i++)
        PR_TRY(pr_checkpoint_section(c, t->checkpoint, name[i], sizeof(float), n, &out->part[i], err));
    return PR_OK;
}

static void set_critic(pr_critic_t *critic, const critic_state_t *state)
{
    float *to[] = {critic->weight, critic->adamw.m, critic->adamw.v};
    for (int i = 0; i < 3; i++)
        memcpy(to[i], state->part[i], critic->n * sizeof(float));
    critic->adamw.step = state->step;
}

static void broadcast_critic(pr_critic_t *critic, const pr_team_t *team)
{
    int64_t step = critic->adamw.step;
    float *part[] = {critic->weight, critic->adamw.m, critic->adamw.v};
    team->broadcast(team, &step, sizeof step);
    for (int i = 0; i < 3; i++)
        team->broadcast(team, part[i], critic->n * sizeof(float));
    critic->adamw.step = step;
}

static pr_status_t write_checkpoint(pr_training_t *t, pr_error_t *err)
{
    pr_adamw_t *o = pr_trainer_optimizer(t->trainer);
    json_t *meta = json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:I}", "job", t->trajectory, "step",
                             (json_int_t)t->step, "optimizer_step", (json_int_t)o->step, "tokens",
                             (json_int_t)t->tokens, "objectives", pr_train_objectives_json(t), "reward",
                             pr_train_reward_json(t), "cut", pr_json_real(t->cut), "taught", (json_int_t)t->taught);
    json_object_set_new(meta, "ledger", pr_train_ledger_json(t));
    if (t->n_weigh > 0)
        json_object_set_new(meta, "lambda", pr_json_reals(t->lambda, (size_t)t->in.n_term));
    if (t->validation)
        json_object_set_new(meta, "validated", json_integer(t->validated));
    if (t->kept)
        json_object_set_new(meta, "stop",
                            json_pack("{s:o, s:I, s:I, s:i}", "best", pr_json_real(t->best), "best_step",
                                      (json_int_t)t->best_step, "looked", (json_int_t)t->looked, "worse", t->worse));
    pr_critic_t *critic = pr_trainer_critic(t->trainer);
    pr_section_t s[] = {{"adapter", sizeof(float), t->n_data, t->data},
                        {"adamw.m", sizeof(float), o->n, o->m},
                        {"adamw.v", sizeof(float), o->n, o->v},
                        {"weigh", sizeof(double), t->n_weigh, t->weigh_state},
                        {"best", sizeof(float), t->n_data, t->kept},
                        pr_history_section(&t->history),
                        {"", 0, 0, NULL},
                        {"", 0, 0, NULL},
                        {"", 0, 0, NULL}};
    size_t n = 3;
    if (t->n_weigh > 0)
        n++;
    if (t->kept)
        s[n++] = s[4];
    s[n++] = s[5];
    if (critic)
        n += critic_sections(critic, meta, s + n);
    pr_history_meta(&t->history, meta);
    pr_status_t status = pr_checkpoint_write(t->checkpoint, pr_job_train.name, meta, s, n, err);
    json_decref(meta);
    return status;
}

pr_status_t pr_train_save(pr_training_t *t, pr_error_t *err)
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

static void restore_weights(pr_training_t *t, const json_t *lambda)
{
    for (int j = 0; j < t->in.n_term; j++)
        if (json_is_number(json_array_get(lambda, (size_t)j)))
            t->lambda[j] = json_number_value(json_array_get(lambda, (size_t)j));
}

static pr_status_t restore_best(pr_training_t *t, const pr_checkpoint_t *c, pr_error_t *err)
{
    const json_t *stop = json_object_get(c->meta, "stop");
    const void *kept;
    int64_t best_step, looked, worse;
    PR_TRY(pr_json_get_real(stop, "best", NAN, &t->best, t->checkpoint, err));
    PR_TRY(pr_json_get_int(stop, "best_step", -1, &best_step, t->checkpoint, err));
    PR_TRY(pr_json_get_int(stop, "looked", -1, &looked, t->checkpoint, err));
    PR_TRY(pr_json_get_int(stop, "worse", 0, &worse, t->checkpoint, err));
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "best", sizeof(float), t->n_data, &kept, err));
    memcpy(t->kept, kept, t->n_data * sizeof *t->kept);
    t->best_step = best_step;
    t->looked = looked;
    t->worse = (int)worse;
    return PR_OK;
}

static pr_status_t restore_from(pr_training_t *t, const pr_checkpoint_t *c, pr_error_t *err)
{
    pr_adamw_t *o = pr_trainer_optimizer(t->trainer);
    pr_critic_t *critic = pr_trainer_critic(t->trainer);
    critic_state_t of_critic;
    const void *adapter, *m, *v, *weigh;
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
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adapter", sizeof(float), t->n_data, &adapter, err));
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adamw.m", sizeof(float), o->n, &m, err));
    PR_TRY(pr_checkpoint_section(c, t->checkpoint, "adamw.v", sizeof(float), o->n, &v, err));
    if (t->n_weigh > 0) {
        PR_TRY(pr_checkpoint_section(c, t->checkpoint, "weigh", sizeof(double), t->n_weigh, &weigh, err));
        memcpy(t->weigh_state, weigh, t->n_weigh * sizeof(double));
        restore_weights(t, json_object_get(c->meta, "lambda"));
    }
    if (t->kept)
        PR_TRY(restore_best(t, c, err));
    if (critic)
        PR_TRY(find_critic(t, c, critic->n, &of_critic, err));
    PR_TRY(pr_json_get_int(c->meta, "validated", 0, &t->validated, t->checkpoint, err));
    PR_TRY(pr_history_restore(&t->history, c, t->checkpoint, (long)step, err));
    memcpy(t->data, adapter, t->n_data * sizeof(float));
    memcpy(o->m, m, o->n * sizeof(float));
    memcpy(o->v, v, o->n * sizeof(float));
    if (critic)
        set_critic(critic, &of_critic);
    t->step = step;
    o->step = optimizer_step;
    t->tokens = tokens;
    t->taught = taught;
    t->cut = cut;
    restore_rewards(t, c->meta);
    restore_ledger(t, json_object_get(c->meta, "ledger"));
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

void pr_train_restore(pr_training_t *t)
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
    team->broadcast(team, t->data, t->n_data * sizeof *t->data);
    team->broadcast(team, o->m, o->n * sizeof *o->m);
    team->broadcast(team, o->v, o->n * sizeof *o->v);
    team->broadcast(team, t->lambda, sizeof t->lambda);
    if (pr_trainer_critic(t->trainer))
        broadcast_critic(pr_trainer_critic(t->trainer), team);
    if (t->n_weigh > 0)
        team->broadcast(team, t->weigh_state, t->n_weigh * sizeof *t->weigh_state);
    if (!t->kept)
        return;
    struct {
        double best;
        int64_t best_step, looked, worse;
    } stop = {t->best, t->best_step, t->looked, t->worse};
    team->broadcast(team, &stop, sizeof stop);
    t->best = stop.best;
    t->best_step = stop.best_step;
    t->looked = stop.looked;
    t->worse = (int)stop.worse;
    team->broadcast(team, t->kept, t->n_data * sizeof *t->kept);
}
