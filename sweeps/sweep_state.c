/* The tables of experts, evaluations and earlier results. */
#include "base/log.h"
#include "base/mem.h"
#include "store/checkpoint.h"
#include "sweeps/sweep_internal.h"

#include <assert.h>
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

double *pr_sweep_values(pr_sweep_t *s)
{
    size_t each = 2 * (size_t)s->config->n_objectives + 1;
    if (s->n_block == 0 || s->block_used == PR_SWEEP_CHUNK) {
        s->block = pr_realloc(s->block, s->n_block + 1, sizeof *s->block);
        s->block[s->n_block++] = pr_alloc(PR_SWEEP_CHUNK * each, sizeof(double));
        s->block_used = 0;
    }
    return s->block[s->n_block - 1] + each * s->block_used++;
}

/* ---- identities ---- */

/* Where an identity is or would be. of: gives the identity of a number. */
static uint32_t *slot_of(const pr_id_table_t *t, const pr_sweep_t *s, const void *id,
                         const void *(*of)(const pr_sweep_t *s, size_t number))
{
    size_t i = pr_hash64(id, t->width) & (t->n_slots - 1);
    while (t->slot[i] && memcmp(of(s, t->slot[i] - 1), id, t->width) != 0)
        i = (i + 1) & (t->n_slots - 1);
    return &t->slot[i];
}

static void table_reserve(pr_id_table_t *t, const pr_sweep_t *s, size_t width,
                          const void *(*of)(const pr_sweep_t *s, size_t number))
{
    if (2 * (t->n + 1) <= t->n_slots)
        return;
    free(t->slot);
    t->width = width;
    t->n_slots = t->n_slots ? 2 * t->n_slots : 1024;
    t->slot = pr_alloc(t->n_slots, sizeof *t->slot);
    for (size_t i = 0; i < t->n; i++)
        *slot_of(t, s, of(s, i), of) = (uint32_t)i + 1;
}

static const void *evaluation_id(const pr_sweep_t *s, size_t number)
{
    return pr_sweep_eval(s, number)->job.id;
}

static const void *past_id(const pr_sweep_t *s, size_t number)
{
    return s->past[number].id;
}

/* The bytes of an identity; false when it is not one. */
static bool id_bytes(const char *id, unsigned char out[(PR_HASH_HEX - 1) / 2])
{
    if (strlen(id) != PR_HASH_HEX - 1 || strspn(id, "0123456789abcdef") != PR_HASH_HEX - 1)
        return false;
    for (size_t i = 0; i < (PR_HASH_HEX - 1) / 2; i++) {
        const char pair[3] = {id[2 * i], id[2 * i + 1], 0};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* ---- earlier results ---- */

/* null stands for a number that is not known, where there may be such. */
static bool read_numbers(const json_t *list, size_t n, bool unknown, double *out)
{
    if (!json_is_array(list) || json_array_size(list) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(list, i);
        if (!json_is_number(x) && !(unknown && json_is_null(x)))
            return false;
        out[i] = json_is_number(x) ? json_number_value(x) : NAN;
    }
    return true;
}

bool pr_sweep_read_result(const pr_sweep_t *s, const json_t *result, double *value, int64_t *tokens, double *seconds)
{
    size_t k_n = (size_t)s->config->n_objectives;
    double both[PR_SWEEP_VALUES];
    if (!read_numbers(json_object_get(result, "mean"), k_n, false, both) ||
        !read_numbers(json_object_get(result, "se"), k_n, true, both + k_n))
        return false;
    const json_t *prompts = json_object_get(result, "n");
    for (size_t k = 0; k < k_n && json_is_integer(prompts) && json_integer_value(prompts) < 2; k++)
        both[k_n + k] = NAN; // earlier versions wrote 0
    const json_t *cut = json_object_get(result, "cut");
    both[2 * k_n] = json_is_number(cut) ? json_number_value(cut) : NAN; // which earlier versions did not tell
    memcpy(value, both, (2 * k_n + 1) * sizeof *value);
    *tokens = json_integer_value(json_object_get(result, "tokens"));
    *seconds = json_number_value(json_object_get(result, "seconds"));
    return true;
}

static const pr_past_t *past_find(const pr_sweep_t *s, const char *id)
{
    unsigned char bytes[sizeof s->past->id];
    if (!s->past_by_id.n_slots || !id_bytes(id, bytes))
        return NULL;
    uint32_t at = *slot_of(&s->past_by_id, s, bytes, past_id);
    return at ? &s->past[at - 1] : NULL;
}

pr_past_t *pr_sweep_past_of(pr_sweep_t *s, const char *text)
{
    unsigned char id[sizeof s->past->id];
    if (!id_bytes(text, id))
        return NULL;
    table_reserve(&s->past_by_id, s, sizeof s->past->id, past_id);
    uint32_t *slot = slot_of(&s->past_by_id, s, id, past_id);
    if (*slot)
        return &s->past[*slot - 1];
    if (s->n_past == s->cap_past) {
        s->cap_past = s->cap_past ? s->cap_past + s->cap_past / 4 : 256;
        s->past = pr_realloc(s->past, s->cap_past, sizeof *s->past);
    }
    pr_past_t *p = &s->past[s->n_past++];
    *p = (pr_past_t){.rank = -1};
    memcpy(p->id, id, sizeof p->id);
    *slot = (uint32_t)s->n_past;
    s->past_by_id.n = s->n_past;
    return p;
}

void pr_sweep_remember(pr_sweep_t *s, const char *id, const json_t *result)
{
    double value[PR_SWEEP_VALUES], seconds = 0;
    int64_t tokens = 0;
    pr_past_t *p = pr_sweep_past_of(s, id);
    if (!p)
        return;
    bool made = json_is_string(json_object_get(result, "expert")) || json_is_string(json_object_get(result, "head"));
    if (made)
        json_object_set(s->past_experts, id, (json_t *)(uintptr_t)result);
    bool evaluated = !made && pr_sweep_read_result(s, result, value, &tokens, &seconds);
    if (!made && !evaluated)
        return;                         // another kind of job, or one of another configuration
    p->spent += p->seconds;             // of an earlier result
    if (!json_object_get(s->steps, id)) // steps are counted one by one
        p->wasted += p->tokens;
    p->tokens = json_integer_value(json_object_get(result, "tokens"));
    p->seconds = json_number_value(json_object_get(result, "seconds"));
    if (evaluated && !p->value)
        p->value = pr_sweep_values(s);
    if (evaluated)
        memcpy(p->value, value, (2 * (size_t)s->config->n_objectives + 1) * sizeof *value);
}

void pr_sweep_take_costs(const pr_sweep_t *s, pr_job_head_t *h)
{
    const pr_past_t *p = past_find(s, h->id);
    const json_t *steps = json_object_get(s->steps, h->id), *step;
    size_t i;
    if (!p)
        return;
    h->before = p->attempts;
    h->spent = p->spent + (h->state == PR_JOB_DONE ? 0 : p->seconds); // a result that does not count any more
    h->wasted = p->wasted;
    h->rank = p->rank;
    h->host = p->host;
    if (h->state == PR_JOB_DONE)
        return;
    if (!steps)
        h->wasted += p->tokens;
    json_array_foreach(steps, i, step) h->tokens += json_integer_value(step);
}

int64_t pr_sweep_note_step(pr_sweep_t *s, const char *id, const json_t *line)
{
    enum { MOST = 1 << 24 }; // what a journal says is not believed beyond
    json_int_t step = json_integer_value(json_object_get(line, "step"));
    json_t *tokens = json_object_get(line, "tokens"), *steps = json_object_get(s->steps, id);
    if (step < 1 || step > MOST || !json_is_integer(tokens))
        return 0;
    if (!steps)
        json_object_set_new(s->steps, id, steps = json_array());
    int64_t lost = json_integer_value(json_array_get(steps, (size_t)step - 1));
    while (json_array_size(steps) < (size_t)step)
        json_array_append_new(steps, json_integer(0));
    json_array_set(steps, (size_t)step - 1, tokens);
    return lost;
}

/* ---- evaluations ---- */

pr_evaluation_t *pr_sweep_eval(const pr_sweep_t *s, size_t number)
{
    return &s->chunk[number / PR_SWEEP_CHUNK][number % PR_SWEEP_CHUNK];
}

pr_evaluation_t *pr_sweep_find(const pr_sweep_t *s, const char *id)
{
    bool possible = s->by_id.n_slots && strlen(id) == PR_HASH_HEX - 1;
    uint32_t at = possible ? *slot_of(&s->by_id, s, id, evaluation_id) : 0;
    return at ? pr_sweep_eval(s, at - 1) : NULL;
}

const pr_point_t *pr_sweep_point(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    return &s->track[e->track].asked[e->asked].point;
}

static pr_evaluate_key_t key_of(const pr_sweep_t *s, const pr_evaluation_t *e, const char *text)
{
    const pr_track_t *t = &s->track[e->track];
    const pr_point_t *p = pr_sweep_point(s, e);
    pr_evaluate_key_t key = {.policy = t->policy, .point = text, .first = e->first, .count = e->count};
    for (int k = 0; k < s->config->n_objectives; k++)
        key.expert[k] = p->num[k] != 0 ? pr_sweep_expert(s, t->seed_index, k)->job.id : NULL;
    return key;
}

json_t *pr_sweep_evaluation_spec(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    const pr_track_t *t = &s->track[e->track];
    int k_n = s->config->n_objectives;
    char text[PR_MAX_OBJECTIVES * 44];
    double w[PR_MAX_OBJECTIVES];
    pr_point_text(pr_sweep_point(s, e), k_n, text, sizeof text);
    pr_evaluate_key_t key = key_of(s, e, text);
    json_t *spec = pr_evaluate_spec(t->spec, s->config->seeds[t->seed_index], &key, e->job.id);
    json_t *weights = json_array(), *hashes = json_array();
    pr_point_weights(pr_sweep_point(s, e), k_n, w);
    for (int k = 0; k < k_n; k++) {
        json_array_append_new(weights, pr_json_real(w[k]));
        json_array_append_new(hashes, json_string(pr_sweep_expert(s, t->seed_index, k)->hash));
    }
    json_object_set_new(spec, "weights", weights);
    json_object_set_new(spec, "expert_hash", hashes);
    return spec;
}

pr_status_t pr_sweep_read_evaluation(const char *path, const char *id, pr_checkpoint_t *out, pr_error_t *err)
{
    const char *job;
    PR_TRY(pr_checkpoint_read(path, "evaluate", out, err));
    PR_TRY(pr_json_get_string(out->meta, "job", "", &job, path, err));
    if (strcmp(job, id) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found the checkpoint of job %.40s", path, job);
    return PR_OK;
}

pr_status_t pr_sweep_read_prompts(const pr_sweep_t *s, const pr_evaluation_t *e, double *out, pr_error_t *err)
{
    size_t n = (size_t)e->count * (size_t)s->config->n_objectives;
    char *path = pr_results_path(pr_sweep_dir(s), "checkpoints/evaluate-%s.ckpt", e->job.id);
    pr_checkpoint_t c = {0};
    const void *scores;
    pr_status_t status = PR_OK;
    PR_GO(pr_sweep_read_evaluation(path, e->job.id, &c, err));
    PR_GO(pr_checkpoint_section(&c, path, "scores", sizeof(double), n, &scores, err));
    memcpy(out, scores, n * sizeof *out);
done:
    pr_checkpoint_clear(&c);
    free(path);
    return status;
}

pr_status_t pr_sweep_keep_prompts(const pr_sweep_t *s, pr_evaluation_t *e, pr_error_t *err)
{
    double *scores = pr_alloc((size_t)e->count * (size_t)s->config->n_objectives, sizeof *scores);
    pr_status_t status = e->prompt ? PR_OK : pr_sweep_read_prompts(s, e, scores, err);
    if (e->prompt || status != PR_OK)
        free(scores);
    else
        e->prompt = scores;
    return status;
}

/* What an earlier run found counts, unless the scores that this sweep also needs are not there any more. */
static bool still_counts(pr_sweep_t *s, pr_evaluation_t *e, const pr_past_t *p)
{
    pr_error_t err;
    if (!p || !p->value)
        return false;
    if (!pr_sweep_any_fidelity(s->config) || pr_sweep_keep_prompts(s, e, &err) == PR_OK)
        return true;
    pr_log(PR_LOG_WARN, "%s; the point will be evaluated again", err.text);
    return false;
}

static void take_past(pr_sweep_t *s, pr_evaluation_t *e)
{
    const pr_past_t *p = past_find(s, e->job.id);
    if (still_counts(s, e, p)) {
        e->value = p->value;
        e->job.tokens = p->tokens;
        e->job.seconds = p->seconds;
        e->job.state = PR_JOB_DONE;
        s->done++;
        s->n_evaluated++;
        s->evaluated_seconds += e->job.seconds;
    }
    pr_sweep_take_costs(s, &e->job);
}

static pr_evaluation_t *append(pr_sweep_t *s)
{
    assert(s->n_evaluation < UINT32_MAX);
    if (s->n_evaluation % PR_SWEEP_CHUNK == 0) {
        size_t n = s->n_evaluation / PR_SWEEP_CHUNK;
        s->chunk = pr_realloc(s->chunk, n + 1, sizeof *s->chunk);
        s->chunk[n] = pr_alloc(PR_SWEEP_CHUNK, sizeof **s->chunk);
    }
    return pr_sweep_eval(s, s->n_evaluation++);
}

uint32_t pr_sweep_evaluation(pr_sweep_t *s, const pr_track_t *t, size_t asked, int first, int count)
{
    char text[PR_MAX_OBJECTIVES * 44];
    pr_evaluation_t e = {.track = t->index, .asked = (uint32_t)asked, .first = first, .count = count};
    pr_point_text(&t->asked[asked].point, s->config->n_objectives, text, sizeof text);
    pr_evaluate_key_t key = key_of(s, &e, text);
    pr_evaluate_identity(&key, e.job.id);
    table_reserve(&s->by_id, s, PR_HASH_HEX - 1, evaluation_id);
    uint32_t *slot = slot_of(&s->by_id, s, e.job.id, evaluation_id);
    if (*slot)
        return *slot - 1;
    pr_evaluation_t *kept = append(s);
    *kept = e;
    *slot = (uint32_t)s->n_evaluation;
    s->by_id.n = s->n_evaluation;
    take_past(s, kept);
    return (uint32_t)s->n_evaluation - 1;
}

void pr_sweep_fill_reference(const pr_sweep_t *s, const double *value, size_t n, double *reference)
{
    size_t k_n = (size_t)s->config->n_objectives;
    for (size_t k = 0; k < k_n; k++) {
        bool found = false;
        reference[k] = s->reference[k];
        for (size_t i = 0; i < n && !isfinite(s->reference[k]); i++) {
            double v = value[i * k_n + k];
            if (isfinite(v) && (!found || v < reference[k])) {
                reference[k] = v;
                found = true;
            }
        }
    }
}
