// SPDX-License-Identifier: BSD-3-Clause
/* The jobs of a sweep with what each needs of others: nodes, needs, ready. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "sweeps/sweep_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers in order ---- */

void pr_heap_push(pr_heap_t *h, uint32_t number)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 256;
        h->item = pr_realloc(h->item, h->cap, sizeof *h->item);
    }
    size_t i = h->n++;
    for (; i > 0 && h->item[(i - 1) / 2] > number; i = (i - 1) / 2)
        h->item[i] = h->item[(i - 1) / 2];
    h->item[i] = number;
}

bool pr_heap_pop(pr_heap_t *h, uint32_t *number)
{
    if (h->n == 0)
        return false;
    *number = h->item[0];
    uint32_t last = h->item[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->item[child + 1] < h->item[child])
            child++;
        if (h->item[child] >= last)
            break;
        h->item[i] = h->item[child];
    }
    if (h->n > 0)
        h->item[i] = last;
    return true;
}

/* ---- nodes ---- */

void pr_graph_clear(pr_graph_t *g)
{
    for (size_t i = 0; i < g->n_node; i++) {
        pr_node_t *n = g->node[i];
        free(n->label);
        for (int j = 0; j < n->n_link; j++)
            free(n->link[j]);
        free(n->link);
        json_decref(n->inputs);
        json_decref(n->how);
        free(n->needs);
        free(n->waiting);
        free(n);
    }
    free(g->node);
    for (size_t i = 0; i < g->n_evaluation; i++)
        free(g->chunk[i / PR_SWEEP_CHUNK][i % PR_SWEEP_CHUNK].prompt);
    for (size_t i = 0; i < g->n_evaluation; i += PR_SWEEP_CHUNK)
        free(g->chunk[i / PR_SWEEP_CHUNK]);
    free(g->chunk);
    free(g->ready_node.item);
    free(g->ready_evaluation.item);
    *g = (pr_graph_t){0};
}

pr_evaluation_t *pr_sweep_eval(const pr_sweep_t *s, size_t number)
{
    return &s->graph.chunk[number / PR_SWEEP_CHUNK][number % PR_SWEEP_CHUNK];
}

pr_evaluation_t *pr_graph_find_evaluation(const pr_sweep_t *s, const pr_job_record_t *job)
{
    return job && job->owner & PR_EVALUATION ? pr_sweep_eval(s, (job->owner & ~PR_EVALUATION) - 1) : NULL;
}

pr_node_t *pr_graph_find_node(const pr_sweep_t *s, const pr_job_record_t *job)
{
    return job && job->owner && !(job->owner & PR_EVALUATION) ? s->graph.node[job->owner - 1] : NULL;
}

static void wait_for(pr_node_t *n, uint32_t who)
{
    if (n->n_waiting == n->cap_waiting) {
        n->cap_waiting = n->cap_waiting ? 2 * n->cap_waiting : 8;
        n->waiting = pr_realloc(n->waiting, n->cap_waiting, sizeof *n->waiting);
    }
    n->waiting[n->n_waiting++] = who;
}

static pr_status_t artifact_hash(const pr_sweep_t *s, const pr_node_t *n, char out[PR_HASH_HEX], char **path,
                                 pr_error_t *err)
{
    *path = pr_artifact_path(pr_sweep_dir(s), n->kind->artifact, n->id);
    return pr_artifact_hash(n->kind->artifact, *path, out, err);
}

static const char *artifact_of(const pr_node_t *n)
{
    return json_string_value(json_object_get(n->job->made ? n->job->made->result : NULL, "artifact"));
}

/* People find it by its labels; without a link everything else goes on. */
static void link_artifact(const pr_sweep_t *s, const pr_node_t *n, int first)
{
    pr_error_t err;
    for (int i = first; i < n->n_link; i++)
        if (pr_artifact_link(pr_sweep_dir(s), n->kind->artifact, n->link[i], n->id, &err) != PR_OK)
            pr_log(PR_LOG_WARN, "%s", err.text);
}

/* Another name under which people look for what it leaves. */
static void add_link(pr_sweep_t *s, pr_node_t *n, const char *link)
{
    for (int i = 0; link && i < n->n_link; i++)
        if (strcmp(n->link[i], link) == 0)
            return;
    if (!link)
        return;
    n->link = pr_realloc(n->link, (size_t)n->n_link + 1, sizeof(char *));
    n->link[n->n_link++] = pr_strdup(link);
    if (n->done)
        link_artifact(s, n, n->n_link - 1);
}

/* An earlier run's result counts when what it left is still what that run wrote. */
static void recover(pr_sweep_t *s, pr_node_t *n)
{
    char found[PR_HASH_HEX], *path = NULL;
    if (n->job->state != PR_JOB_DONE)
        return;
    const char *hash = artifact_of(n);
    bool whole = n->kind->artifact == PR_ARTIFACT_NONE ||
                 (hash && artifact_hash(s, n, found, &path, NULL) == PR_OK && strcmp(found, hash) == 0);
    if (whole) {
        n->done = true;
        s->graph.n_made++;
    } else {
        pr_log(PR_LOG_WARN, "%s: not what its %s job wrote; it will be made again", path, n->kind->name);
        pr_sweep_tell(s, "job_again", json_pack("{s:s, s:s}", "job", n->id, "why", "what it left is not there"));
    }
    free(path);
}

uint32_t pr_graph_node(pr_sweep_t *s, json_t *inputs, json_t *how, const char *label, const char *link, int n,
                       const uint32_t *needs)
{
    pr_graph_t *g = &s->graph;
    char id[PR_HASH_HEX];
    const char *kind = json_string_value(json_object_get(inputs, "kind"));
    pr_json_hash(inputs, id);
    pr_job_record_t *job = pr_fold_job(s->fold, id, kind);
    assert(job);
    if (job->owner) {
        json_decref(inputs);
        json_decref(how);
        add_link(s, g->node[job->owner - 1], link);
        return job->owner - 1;
    }
    if (g->n_node == g->cap_node) {
        g->cap_node = g->cap_node ? 2 * g->cap_node : 16;
        g->node = pr_realloc(g->node, g->cap_node, sizeof *g->node);
    }
    uint32_t number = (uint32_t)g->n_node;
    pr_node_t *node = g->node[g->n_node++] = pr_alloc(1, sizeof *node);
    *node = (pr_node_t){.job = job,
                        .kind = pr_job_kind(kind),
                        .label = pr_strdup(label),
                        .inputs = inputs,
                        .how = how,
                        .n_needs = n,
                        .needs = pr_alloc((size_t)n, sizeof *needs)};
    memcpy(node->id, id, sizeof id);
    if (n > 0)
        memcpy(node->needs, needs, (size_t)n * sizeof *needs);
    job->owner = number + 1;
    for (int i = 0; i < n; i++)
        if (!g->node[needs[i]]->done) {
            node->unmet++;
            wait_for(g->node[needs[i]], number);
        }
    recover(s, node);
    add_link(s, node, link);
    if (!node->done && node->unmet == 0)
        pr_heap_push(&g->ready_node, number);
    return number;
}

/* ---- trainings ---- */

void pr_wishes_clear(pr_wishes_t *w)
{
    free(w->item);
    free(w->slot);
    *w = (pr_wishes_t){0};
}

static bool same_wish(const pr_training_wish_t *a, const pr_training_wish_t *b)
{
    for (int k = 0; k < PR_MAX_OBJECTIVES; k++)
        if (a->w[k] != b->w[k])
            return false;
    return a->makes == b->makes;
}

static uint32_t *wish_slot(const pr_wishes_t *t, const pr_training_wish_t *wish)
{
    size_t i = pr_hash64(wish->w, sizeof wish->w) & (t->n_slots - 1);
    while (t->slot[i] && !same_wish(&t->item[t->slot[i] - 1].wish, wish))
        i = (i + 1) & (t->n_slots - 1);
    return &t->slot[i];
}

static void wish_keep(pr_wishes_t *t, const pr_training_wish_t *wish, uint32_t node)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->item = pr_realloc(t->item, t->cap, sizeof *t->item);
    }
    t->item[t->n++] = (struct pr_wish){*wish, node};
    if (2 * t->n > t->n_slots) {
        free(t->slot);
        t->n_slots = t->n_slots ? 2 * t->n_slots : 32;
        t->slot = pr_alloc(t->n_slots, sizeof *t->slot);
        for (size_t i = 0; i < t->n; i++)
            *wish_slot(t, &t->item[i].wish) = (uint32_t)i + 1;
    }
    *wish_slot(t, wish) = (uint32_t)t->n;
}

/* Who asks for trainings: a track's points. */
typedef struct pr_asker {
    pr_sweep_t *s;
    pr_track_t *t;
} pr_asker_t;

/* What a policy wishes as a node, and before it the experts that it needs. */
static uint32_t wished_node(pr_sweep_t *s, const pr_sweep_policy_t *p, const pr_training_wish_t *wish, int64_t seed)
{
    pr_sweep_policy_t of;
    pr_training_wish_t expert[PR_MAX_OBJECTIVES];
    uint32_t needs[2 * PR_MAX_OBJECTIVES];
    int n = s->n_head, n_expert = pr_wish_experts(s->inputs, p, wish, &of, expert);
    memcpy(needs, s->head, (size_t)n * sizeof *needs);
    for (int i = 0; i < n_expert; i++)
        needs[n++] = wished_node(s, &of, &expert[i], seed);
    char *label = pr_training_label(s->config, p->prefix, wish, seed);
    uint32_t node = pr_graph_node(s, pr_inputs_wished(s->inputs, p, wish, seed),
                                  pr_inputs_how_wished(s->inputs, p, wish), label, label, n, needs);
    free(label);
    return node;
}

static pr_status_t graph_train(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const pr_asker_t *a = self;
    pr_sweep_t *s = a->s;
    pr_wishes_t *known = &a->t->wishes;
    int64_t seed = s->config->seeds[a->t->seed_index];
    uint32_t slot = known->n_slots ? *wish_slot(known, wish) : 0, node;
    (void)err;
    if (slot) {
        node = known->item[slot - 1].node;
    } else {
        node = wished_node(s, a->t->policy, wish, seed);
        wish_keep(known, wish, node);
    }
    memcpy(id, s->graph.node[node]->id, PR_HASH_HEX);
    return PR_OK;
}

/* ---- evaluations ---- */

pr_point_t pr_sweep_point(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    return pr_track_point(&s->track[e->track], e->asked);
}

/* The policy of a track at a point; the caller clears it. */
static pr_status_t policy_of(pr_sweep_t *s, pr_track_t *t, const pr_point_t *p, pr_policy_spec_t *out, pr_error_t *err)
{
    const pr_domain_t *d = &t->policy->domain;
    double w[PR_MAX_COORDINATES];
    json_t *params = NULL;
    pr_asker_t asker = {s, t};
    pr_domain_choice(d, p, w, &params);
    pr_choice_t at = {.k = d->k, .rows = d->rows, .w = w, .params = params};
    pr_status_t status = pr_sweep_policy_at(s->inputs, t->policy, &at, graph_train, &asker, out, err);
    json_decref(params);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "search \"%s\"", t->spec->name);
}

/* The same of a request. */
static pr_status_t policy_at(pr_sweep_t *s, pr_track_t *t, size_t asked, pr_policy_spec_t *out, pr_error_t *err)
{
    pr_point_t point = pr_track_point(t, asked);
    return policy_of(s, t, &point, out, err);
}

pr_status_t pr_track_begin(pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    for (int k = 0; k < s->config->n_objectives && !t->policy->per_point && status == PR_OK; k++) {
        pr_point_t alone;
        pr_policy_spec_t policy;
        pr_domain_alone(&t->policy->domain, k, &alone);
        status = policy_of(s, t, &alone, &policy, err);
        pr_policy_spec_clear(&policy);
    }
    return status;
}

/* What a training would be called; nothing is asked for. */
static pr_status_t training_id(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    const pr_asker_t *a = self;
    (void)err;
    pr_inputs_wished_id(a->s->inputs, a->t->policy, wish, a->s->config->seeds[a->t->seed_index], id);
    return PR_OK;
}

bool pr_graph_expert_makes(const void *of, const pr_point_t *p)
{
    pr_track_t *t = (pr_track_t *)(uintptr_t)of;
    pr_asker_t asker = {t->sweep, t};
    double w[PR_MAX_COORDINATES];
    json_t *params = NULL;
    const pr_domain_t *d = &t->policy->domain;
    pr_policy_spec_t policy;
    int alone = 0;
    pr_point_weights(p, pr_domain_weights(d), w);
    for (int k = 0; k < pr_domain_weights(d); k++)
        alone += w[k] != 0;
    if (alone != 1) // no expert is of several
        return false;
    pr_domain_choice(d, p, w, &params);
    pr_choice_t at = {.k = d->k, .rows = d->rows, .w = w, .params = params};
    bool made = pr_sweep_policy_at(t->sweep->inputs, t->policy, &at, training_id, &asker, &policy, NULL) == PR_OK;
    json_decref(params);
    for (int i = 0; made && i < policy.n; i++) {
        const pr_job_record_t *job = policy.part[i].job ? pr_fold_find(t->sweep->fold, policy.part[i].source) : NULL;
        made = !policy.part[i].job || (job && job->owner > 0 && job->owner <= t->sweep->graph.n_first);
    }
    pr_policy_spec_clear(&policy);
    return made;
}

/* The nodes that make a policy's parts, and the heads of objectives. Returns how many. */
static int needs_of(const pr_sweep_t *s, const pr_policy_spec_t *p, uint32_t *needs)
{
    int n = 0;
    for (int i = 0; i < s->n_head; i++)
        needs[n++] = s->head[i];
    for (int i = 0; i < p->n; i++)
        if (p->part[i].job)
            needs[n++] = pr_fold_find(s->fold, p->part[i].source)->owner - 1;
    if (p->route[0])
        needs[n++] = pr_fold_find(s->fold, p->route)->owner - 1;
    return n;
}

double pr_graph_training_seconds(const pr_sweep_t *s, const pr_track_t *t, size_t asked)
{
    pr_policy_spec_t policy;
    double seconds = 0;
    // Nothing is made: all that the point needs was asked for with it.
    if (policy_at((pr_sweep_t *)(uintptr_t)s, (pr_track_t *)(uintptr_t)t, asked, &policy, NULL) == PR_OK)
        for (int i = 0; i < policy.n; i++)
            if (policy.part[i].job)
                seconds += pr_fold_find(s->fold, policy.part[i].source)->seconds;
    pr_policy_spec_clear(&policy);
    return seconds;
}

static pr_evaluation_t *append(pr_graph_t *g)
{
    assert(g->n_evaluation < PR_EVALUATION - 1);
    if (g->n_evaluation % PR_SWEEP_CHUNK == 0) {
        size_t n = g->n_evaluation / PR_SWEEP_CHUNK;
        g->chunk = pr_realloc(g->chunk, n + 1, sizeof *g->chunk);
        g->chunk[n] = pr_alloc(PR_SWEEP_CHUNK, sizeof **g->chunk);
    }
    size_t i = g->n_evaluation++;
    return &g->chunk[i / PR_SWEEP_CHUNK][i % PR_SWEEP_CHUNK];
}

/* What an earlier run found counts, unless the scores that this sweep also needs are not there any more. */
static void recover_evaluation(pr_sweep_t *s, pr_evaluation_t *e)
{
    pr_error_t err;
    char id[PR_HASH_HEX];
    if (e->job->state != PR_JOB_DONE)
        return;
    if ((!pr_sweep_any_fidelity(s->config) && !pr_base_needs_prompts(s, e)) ||
        pr_sweep_keep_prompts(s, e, &err) == PR_OK) {
        s->graph.n_evaluated++;
        return;
    }
    pr_log(PR_LOG_WARN, "%s; the point will be evaluated again", err.text);
    pr_job_record_id(e->job, id);
    pr_sweep_tell(s, "job_again", json_pack("{s:s, s:s}", "job", id, "why", "its prompts' scores are not there"));
}

pr_status_t pr_graph_evaluation(pr_sweep_t *s, pr_track_t *t, size_t asked, int first, int count, uint32_t *number,
                                pr_error_t *err)
{
    pr_graph_t *g = &s->graph;
    pr_policy_spec_t policy;
    uint32_t needs[PR_MAX_PARTS + PR_MAX_OBJECTIVES + 1];
    char id[PR_HASH_HEX];
    pr_status_t status = policy_at(s, t, asked, &policy, err);
    if (status == PR_OK) {
        json_t *inputs = pr_inputs_evaluate(s->inputs, &policy, first, count);
        pr_json_hash(inputs, id);
        json_decref(inputs);
        pr_job_record_t *job = pr_fold_job(s->fold, id, pr_job_kind_evaluating()->name);
        if (!job->owner) {
            pr_evaluation_t *e = append(g);
            uint32_t mine = (uint32_t)(g->n_evaluation - 1);
            *e = (pr_evaluation_t){
                .job = job, .track = t->index, .asked = (uint32_t)asked, .first = first, .count = count};
            job->owner = PR_EVALUATION | (mine + 1);
            int n = needs_of(s, &policy, needs);
            for (int i = 0; i < n; i++)
                if (!g->node[needs[i]]->done) {
                    e->unmet++;
                    wait_for(g->node[needs[i]], PR_EVALUATION | mine);
                }
            recover_evaluation(s, e);
            if (job->state != PR_JOB_DONE && e->unmet == 0)
                pr_heap_push(&g->ready_evaluation, mine);
        }
        *number = (job->owner & ~PR_EVALUATION) - 1;
        pr_evaluation_t *e = pr_sweep_eval(s, *number);
        if (s->track[e->track].base && !t->base) { // from now on it is a search's
            e->track = t->index;
            e->asked = (uint32_t)asked;
        }
    }
    pr_policy_spec_clear(&policy);
    return status;
}

char *pr_evaluation_label(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    const pr_track_t *t = &s->track[e->track];
    char text[PR_POINT_TEXT];
    pr_buf_t b = {0};
    pr_point_t point = pr_sweep_point(s, e);
    pr_domain_text(&t->policy->domain, &point, text, sizeof text);
    pr_buf_printf(&b, "%s (%s)", t->policy->method->mixes ? t->policy->mix->name : t->policy->method->name, text);
    return b.data;
}

bool pr_evaluation_failed(const pr_evaluation_t *e)
{
    return e->job->state == PR_JOB_FAILED;
}

/* ---- what happens to them ---- */

void pr_graph_again(pr_sweep_t *s, const pr_job_record_t *job)
{
    uint32_t number = (job->owner & ~PR_EVALUATION) - 1;
    bool evaluation = job->owner & PR_EVALUATION;
    if (evaluation && pr_sweep_eval(s, number)->unmet == 0)
        pr_heap_push(&s->graph.ready_evaluation, number);
    else if (!evaluation && s->graph.node[number]->unmet == 0)
        pr_heap_push(&s->graph.ready_node, number);
}

static void met(pr_sweep_t *s, uint32_t who)
{
    uint32_t number = who & ~PR_EVALUATION;
    if (who & PR_EVALUATION) {
        pr_evaluation_t *e = pr_sweep_eval(s, number);
        if (--e->unmet == 0 && e->job->state == PR_JOB_WAITING)
            pr_heap_push(&s->graph.ready_evaluation, number);
    } else {
        pr_node_t *n = s->graph.node[number];
        if (--n->unmet == 0 && !n->done && n->job->state == PR_JOB_WAITING)
            pr_heap_push(&s->graph.ready_node, number);
    }
}

/* Where points are trainings of their own, one that could not be trained has no result, and its search goes on without
 * it. Where they share trainings, what is missing is missed by most, and they stay untried. */
static void give_up_points(pr_sweep_t *s, const pr_node_t *n)
{
    for (size_t i = 0; i < n->n_waiting; i++) {
        pr_evaluation_t *e = n->waiting[i] & PR_EVALUATION ? pr_sweep_eval(s, n->waiting[i] & ~PR_EVALUATION) : NULL;
        if (!e || !s->track[e->track].policy->per_point || e->job->state != PR_JOB_WAITING)
            continue;
        char id[PR_HASH_HEX], *label = pr_evaluation_label(s, e);
        pr_buf_t why = {0};
        pr_job_record_id(e->job, id);
        pr_buf_printf(&why, "%s, which it needs, was given up", n->label);
        pr_sweep_tell(s, "job_failed",
                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "job", id, "kind", pr_job_kind_evaluating()->name,
                                "label", label, "reason", pr_status_reason(PR_ERR_INCOMPLETE), "error", why.data,
                                "retry", 0));
        s->graph.n_given_up++;
        pr_buf_free(&why);
        free(label);
    }
}

void pr_graph_done(pr_sweep_t *s, const pr_job_record_t *job)
{
    pr_node_t *n = pr_graph_find_node(s, job);
    if (!n) {
        s->graph.n_evaluated += job->state == PR_JOB_DONE;
        s->graph.n_given_up += job->state == PR_JOB_FAILED;
        return;
    }
    if (job->state != PR_JOB_DONE) { // who needs it is never ready
        give_up_points(s, n);
        return;
    }
    n->done = true;
    s->graph.n_made++;
    link_artifact(s, n, 0);
    for (size_t i = 0; i < n->n_waiting; i++)
        met(s, n->waiting[i]);
    free(n->waiting);
    n->waiting = NULL;
    n->n_waiting = n->cap_waiting = 0;
}

/* ---- messages ---- */

/* What each of the nodes left: job -> hash. New reference. */
static json_t *made_by(const pr_sweep_t *s, int n, const uint32_t *needs)
{
    json_t *made = json_object();
    for (int i = 0; i < n; i++) {
        const pr_node_t *node = s->graph.node[needs[i]];
        const char *hash = artifact_of(node);
        if (hash)
            json_object_set_new(made, node->id, json_string(hash));
    }
    return made;
}

static json_t *node_message(const pr_sweep_t *s, const pr_node_t *n)
{
    json_t *made = made_by(s, n->n_needs, n->needs),
           *message = pr_job_message(n->id, n->label, n->inputs, n->how, made);
    json_decref(made);
    return message;
}

static json_t *evaluation_message(pr_sweep_t *s, pr_evaluation_t *e)
{
    pr_policy_spec_t policy;
    uint32_t needs[PR_MAX_PARTS + PR_MAX_OBJECTIVES + 1];
    char id[PR_HASH_HEX], *label = pr_evaluation_label(s, e);
    pr_error_t err;
    pr_status_t status = policy_at(s, &s->track[e->track], e->asked, &policy, &err);
    assert(status == PR_OK); // as when it was asked for
    (void)status;
    json_t *inputs = pr_inputs_evaluate(s->inputs, &policy, e->first, e->count),
           *how = pr_inputs_how_evaluate(s->inputs), *made = made_by(s, needs_of(s, &policy, needs), needs);
    pr_job_record_id(e->job, id);
    e->apart = s->track[e->track].base != NULL;
    if (e->apart) // the front is the searches'
        json_object_set_new(how, "minimize", json_array());
    json_t *message = pr_job_message(id, label, inputs, how, made);
    json_decref(inputs);
    json_decref(how);
    json_decref(made);
    pr_policy_spec_clear(&policy);
    free(label);
    return message;
}

json_t *pr_graph_next(pr_sweep_t *s)
{
    uint32_t number;
    // What is done, or given, since it was put there is passed over.
    while (s->phase != PR_PHASE_EVALUATE && pr_heap_pop(&s->graph.ready_node, &number))
        if (s->graph.node[number]->job->state == PR_JOB_WAITING)
            return node_message(s, s->graph.node[number]);
    while (s->phase != PR_PHASE_TUNE && pr_heap_pop(&s->graph.ready_evaluation, &number))
        if (pr_sweep_eval(s, number)->job->state == PR_JOB_WAITING)
            return evaluation_message(s, pr_sweep_eval(s, number));
    return NULL;
}

json_t *pr_graph_counts(const pr_sweep_t *s)
{
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    json_t *counts = json_object();
    for (size_t i = 0; i < n; i++) {
        json_int_t known = 0, done = 0;
        for (size_t j = 0; j < s->graph.n_node; j++)
            if (s->graph.node[j]->kind == kinds[i]) {
                known++;
                done += s->graph.node[j]->done;
            }
        if (kinds[i]->evaluates) {
            known = (json_int_t)s->graph.n_evaluation;
            done = (json_int_t)s->graph.n_evaluated;
        }
        if (known > 0)
            json_object_set_new(counts, kinds[i]->name, json_pack("[I, I]", known, done));
    }
    return counts;
}
