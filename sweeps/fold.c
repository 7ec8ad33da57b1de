// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/fold.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024, MOST_STEPS = 1 << 24 }; // what a journal says of steps is not believed beyond

pr_fold_t *pr_fold_new(int k)
{
    pr_fold_t *f = pr_alloc(1, sizeof *f);
    f->k = k;
    f->failures = json_array();
    f->open = json_object();
    f->ended = json_object();
    f->searches = json_array();
    f->asked = json_object();
    f->rounds = k > 0 ? json_object() : NULL;
    f->ends = k > 0 ? json_object() : NULL;
    return f;
}

static pr_job_record_t *record_at(const pr_fold_t *f, size_t number)
{
    return &f->chunk[number / CHUNK][number % CHUNK];
}

static const pr_job_kind_t *kind_of(const pr_job_record_t *r)
{
    size_t n;
    return pr_job_kinds(&n)[r->kind];
}

/* What jobs that are no evaluations have said; NULL: nothing yet. */
static pr_made_t *made_so_far(const pr_job_record_t *r)
{
    return kind_of(r)->evaluates ? NULL : r->made;
}

void pr_fold_free(pr_fold_t **p)
{
    pr_fold_t *f = *p;
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        pr_job_record_t *r = record_at(f, i);
        if (kind_of(r)->evaluates || !r->made)
            continue;
        json_decref(r->made->result);
        json_decref(r->made->tokens);
        free(r->made);
    }
    for (size_t i = 0; i < f->n; i += CHUNK)
        free(f->chunk[i / CHUNK]);
    for (size_t i = 0; i < f->n_block; i++)
        free(f->block[i]);
    for (int i = 0; i < f->n_host; i++)
        free(f->host[i]);
    free(f->chunk);
    free(f->slot);
    free(f->block);
    free(f->host);
    for (uint32_t i = 0; i < f->n_segment; i++)
        free(f->segment[i]);
    free(f->segment);
    json_decref(f->failures);
    json_decref(f->open);
    json_decref(f->ended);
    json_decref(f->tables);
    json_decref(f->searches);
    json_decref(f->rounds);
    json_decref(f->ends);
    json_decref(f->base);
    json_decref(f->config);
    json_decref(f->inputs);
    json_decref(f->asked);
    json_decref(f->forecast);
    free(f);
    *p = NULL;
}

/* ---- records ---- */

void pr_job_record_id(const pr_job_record_t *r, char id[PR_HASH_HEX])
{
    pr_hash_text(r->id, id);
}

/* Where an identity is or would be. */
static uint32_t *slot_of(const pr_fold_t *f, const unsigned char *id)
{
    size_t i = pr_hash64(id, sizeof record_at(f, 0)->id) & (f->n_slots - 1);
    while (f->slot[i] && memcmp(record_at(f, f->slot[i] - 1)->id, id, sizeof record_at(f, 0)->id) != 0)
        i = (i + 1) & (f->n_slots - 1);
    return &f->slot[i];
}

static void reserve(pr_fold_t *f)
{
    if (f->n % CHUNK == 0) {
        f->chunk = pr_realloc(f->chunk, f->n / CHUNK + 1, sizeof *f->chunk);
        f->chunk[f->n / CHUNK] = pr_alloc(CHUNK, sizeof **f->chunk);
    }
    if (2 * (f->n + 1) <= f->n_slots)
        return;
    free(f->slot);
    f->n_slots = f->n_slots ? 2 * f->n_slots : 1024;
    f->slot = pr_alloc(f->n_slots, sizeof *f->slot);
    for (size_t i = 0; i < f->n; i++)
        *slot_of(f, record_at(f, i)->id) = (uint32_t)i + 1;
}

pr_job_record_t *pr_fold_find(const pr_fold_t *f, const char *id)
{
    unsigned char bytes[sizeof((pr_job_record_t *)0)->id];
    if (!f->n_slots || !pr_hash_bytes(id, bytes))
        return NULL;
    uint32_t at = *slot_of(f, bytes);
    return at ? record_at(f, at - 1) : NULL;
}

pr_job_record_t *pr_fold_job(pr_fold_t *f, const char *id, const char *kind)
{
    pr_job_record_t r = {.rank = -1, .host = -1};
    int number = pr_job_kind_number(kind);
    pr_job_record_t *known = pr_fold_find(f, id);
    if (known || number < 0 || !pr_hash_bytes(id, r.id))
        return known;
    assert(f->n < UINT32_MAX - 1);
    reserve(f);
    r.kind = (uint8_t)number;
    pr_job_record_t *kept = record_at(f, f->n);
    *kept = r;
    *slot_of(f, r.id) = (uint32_t)++f->n;
    return kept;
}

static pr_made_t *made_of(pr_job_record_t *r)
{
    if (!r->made)
        r->made = pr_alloc(1, sizeof *r->made);
    return r->made;
}

static int host_number(pr_fold_t *f, const char *host)
{
    for (int i = 0; i < f->n_host; i++)
        if (strcmp(f->host[i], host) == 0)
            return i;
    f->host = pr_realloc(f->host, (size_t)f->n_host + 1, sizeof *f->host);
    f->host[f->n_host] = pr_strdup(host);
    return f->n_host++;
}

const char *pr_fold_host(const pr_fold_t *f, const pr_job_record_t *r)
{
    return r->host >= 0 && r->host < f->n_host ? f->host[r->host] : "";
}

/* ---- results ---- */

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

bool pr_fold_value(int k, const json_t *result, double *value)
{
    const json_t *cut = json_object_get(result, "cut");
    if (!read_numbers(json_object_get(result, "mean"), (size_t)k, false, value) ||
        !read_numbers(json_object_get(result, "se"), (size_t)k, true, value + k))
        return false;
    value[2 * k] = json_is_number(cut) ? json_number_value(cut) : NAN;
    return true;
}

static double *new_value(pr_fold_t *f)
{
    size_t each = 2 * (size_t)f->k + 1;
    if (f->n_block == 0 || f->block_used == CHUNK) {
        f->block = pr_realloc(f->block, f->n_block + 1, sizeof *f->block);
        f->block[f->n_block++] = pr_alloc(CHUNK * each, sizeof(double));
        f->block_used = 0;
    }
    return f->block[f->n_block - 1] + each * f->block_used++;
}

static bool has_result(const pr_job_record_t *r)
{
    return kind_of(r)->evaluates ? r->value != NULL : r->made && r->made->result;
}

static uint32_t segment_number(pr_fold_t *f, const char *file)
{
    for (uint32_t i = f->n_segment; i > 0; i--) // most are in the last ones
        if (strcmp(f->segment[i - 1], file) == 0)
            return i - 1;
    f->segment = pr_realloc(f->segment, (size_t)f->n_segment + 1, sizeof *f->segment);
    f->segment[f->n_segment] = pr_strdup(file);
    return f->n_segment++;
}

static void keep_place(pr_fold_t *f, pr_job_record_t *r, const json_t *place)
{
    pr_segment_place_t p;
    r->length = 0;
    if (pr_segment_place_parse(place, "place", &p, NULL) != PR_OK || p.length > UINT32_MAX)
        return;
    r->offset = p.offset;
    r->length = (uint32_t)p.length;
    r->segment = segment_number(f, p.file);
}

bool pr_fold_place(const pr_fold_t *f, const pr_job_record_t *r, pr_segment_place_t *out)
{
    if (r->length == 0)
        return false;
    *out = (pr_segment_place_t){.offset = r->offset, .length = r->length};
    snprintf(out->file, sizeof out->file, "%s", f->segment[r->segment]);
    return true;
}

/* false: a result of another configuration's, which says nothing to this one. */
static bool keep_result(pr_fold_t *f, pr_job_record_t *r, const json_t *result)
{
    double value[2 * PR_MAX_OBJECTIVES + 1];
    if (kind_of(r)->evaluates) {
        if (f->k == 0)
            return true;
        if (!pr_fold_value(f->k, result, value))
            return false;
        if (!r->value)
            r->value = new_value(f);
        memcpy(r->value, value, (2 * (size_t)f->k + 1) * sizeof *value);
        keep_place(f, r, json_object_get(result, "place"));
        return true;
    }
    pr_made_t *m = made_of(r);
    json_decref(m->result);
    m->result = json_incref((json_t *)(uintptr_t)result);
    if (m->steps > 0)
        m->step = m->steps;
    return true;
}

/* What a result took was for nothing. */
static void spend_result(pr_job_record_t *r)
{
    bool steps = made_so_far(r) && r->made->tokens; // which are counted one by one
    r->spent += r->seconds;
    if (!steps)
        r->wasted += r->tokens;
    r->seconds = 0;
    r->tokens = 0;
}

/* ---- lines ---- */

static json_t *borrowed(const json_t *line)
{
    return (json_t *)(uintptr_t)line;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text ? text : "";
}

static double number_of(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

static const char *rank_key(const json_t *line, char out[24])
{
    snprintf(out, 24, "%lld", (long long)json_integer_value(json_object_get(line, "rank")));
    return out;
}

/* When the rank of an open job can have begun with it: when it was given it, or when the one before it ended. */
static double began(const pr_fold_t *f, const json_t *start)
{
    char rank[24];
    return fmax(number_of(start, "t"), json_number_value(json_object_get(f->ended, rank_key(start, rank))));
}

/* Of the open jobs of each rank the one that it was at: rank -> id. New reference. */
static json_t *at_work(const pr_fold_t *f)
{
    json_t *first = json_object(), *start;
    const char *id;
    char rank[24];
    json_object_foreach(f->open, id, start)
    {
        const char *other = json_string_value(json_object_get(first, rank_key(start, rank)));
        double mine = number_of(start, "t"), theirs = other ? number_of(json_object_get(f->open, other), "t") : 0;
        if (!other || mine < theirs || (mine == theirs && strcmp(id, other) < 0))
            json_object_set_new(first, rank, json_string(id));
    }
    return first;
}

/* Jobs that a kill cut off: until their last step; where a job has no steps, until the last that was heard of the run,
 * and then only the one that its rank was at, as the others it held had not begun. */
static void charge_killed(pr_fold_t *f)
{
    const char *id;
    char rank[24];
    json_t *start, *first = at_work(f);
    json_object_foreach(f->open, id, start)
    {
        pr_job_record_t *r = pr_fold_find(f, id);
        double end = r && made_so_far(r) ? r->made->last_step : 0;
        if (end < number_of(start, "t"))
            end = 0; // of an earlier attempt
        if (end == 0 && strcmp(text_of(first, rank_key(start, rank)), id) == 0)
            end = f->at;
        if (r)
            r->spent += fmax(end - began(f, start), 0);
    }
    json_decref(first);
}

static void end_run(pr_fold_t *f, double seconds)
{
    f->before += seconds;
    f->running = false;
    json_object_clear(f->open);
    json_object_clear(f->ended);
    for (size_t i = 0; i < sizeof f->count / sizeof *f->count; i++)
        f->count[i].running = 0;
}

static void take_jobs(pr_fold_t *f, const json_t *jobs)
{
    const char *name;
    json_t *pair;
    json_object_foreach(borrowed(jobs), name, pair)
    {
        int kind = pr_job_kind_number(name);
        if (kind < 0)
            continue;
        f->count[kind].total = (long)json_integer_value(json_array_get(pair, 0));
        f->count[kind].done = (long)json_integer_value(json_array_get(pair, 1));
    }
}

static void keep(json_t **kept, const json_t *value)
{
    json_decref(*kept);
    *kept = value ? json_incref(borrowed(value)) : NULL;
}

/* What an earlier run had running is not running now, and what it gave up is tried again. */
static void on_sweep_start(pr_fold_t *f, const json_t *line)
{
    if (f->running) {
        charge_killed(f);
        end_run(f, fmax(f->at - f->started, 0));
    }
    for (size_t i = 0; i < f->n; i++) {
        pr_job_record_t *r = record_at(f, i);
        r->tries = 0;
        r->failure = 0;
        r->state = has_result(r) || (r->state == PR_JOB_DONE && f->k == 0) ? PR_JOB_DONE : PR_JOB_WAITING;
    }
    f->starts++;
    f->running = true;
    f->started = number_of(line, "t");
    f->layout = (int)json_integer_value(json_object_get(line, "layout"));
    f->workers = (int)json_integer_value(json_object_get(line, "workers"));
    f->run_tokens = 0;
    f->failed = f->done = 0;
    f->ending = NULL;
    json_array_clear(f->failures);
    json_array_clear(f->searches);
    for (size_t i = 0; i < sizeof f->count / sizeof *f->count; i++)
        f->count[i].total = f->count[i].done = f->count[i].running = 0;
    snprintf(f->name, sizeof f->name, "%s", text_of(line, "name"));
    snprintf(f->state, sizeof f->state, "running");
    keep(&f->inputs, json_object_get(line, "inputs"));
    keep(&f->forecast, json_object_get(line, "forecast"));
    f->n_seeds = (int)json_array_size(json_object_get(line, "seeds"));
    f->evaluation_tokens = number_of(line, "evaluation_tokens");
    take_jobs(f, json_object_get(line, "jobs"));
}

static void on_given(pr_fold_t *f, const char *id, const json_t *line)
{
    pr_job_record_t *r = pr_fold_job(f, id, text_of(line, "kind"));
    if (!r)
        return;
    f->count[r->kind].running += json_object_get(f->open, id) == NULL;
    r->attempts++;
    r->tries = (uint16_t)(r->tries + (r->tries < UINT16_MAX));
    r->state = PR_JOB_RUNNING;
    r->given = number_of(line, "t");
    r->rank = (int)json_integer_value(json_object_get(line, "rank"));
    r->host = host_number(f, text_of(line, "host"));
    if (made_so_far(r)) { // until it says where it goes on
        r->made->step = r->made->step_count = 0;
        r->made->step_seconds = 0;
    }
    json_object_set(f->open, id, borrowed(line));
}

/* Tokens of an earlier attempt's step of that number are lost. */
static void note_tokens(pr_job_record_t *r, pr_made_t *m, int step, int64_t tokens)
{
    if (step < 1 || step > MOST_STEPS)
        return;
    if (!m->tokens)
        m->tokens = json_array();
    int64_t lost = json_integer_value(json_array_get(m->tokens, (size_t)step - 1));
    while (json_array_size(m->tokens) < (size_t)step)
        json_array_append_new(m->tokens, json_integer(0));
    json_array_set_new(m->tokens, (size_t)step - 1, json_integer(tokens));
    r->wasted += lost;
    if (r->state != PR_JOB_DONE)
        r->tokens += tokens - lost;
}

static void on_step(pr_fold_t *f, const char *id, const json_t *line)
{
    pr_job_record_t *r = pr_fold_find(f, id);
    if (!r || kind_of(r)->evaluates)
        return;
    pr_made_t *m = made_of(r);
    m->last_step = number_of(line, "t");
    m->step = (int)json_integer_value(json_object_get(line, "step"));
    m->steps = (int)json_integer_value(json_object_get(line, "steps"));
    m->climbed = json_is_number(json_object_get(line, "climbed")) ? number_of(line, "climbed") : NAN;
    m->kl = json_is_number(json_object_get(line, "kl")) ? number_of(line, "kl") : NAN;
    m->step_seconds += number_of(line, "seconds");
    m->step_count++;
    note_tokens(r, m, m->step, json_integer_value(json_object_get(line, "tokens")));
    f->tokens += number_of(line, "tokens");
    f->seconds += number_of(line, "seconds");
}

static void on_done(pr_fold_t *f, pr_job_record_t *r, const json_t *line)
{
    const json_t *result = json_object_get(line, "result");
    bool again = has_result(r);
    f->results++;
    if (!keep_result(f, r, result)) {
        r->state = PR_JOB_WAITING;
        return;
    }
    if (again)
        spend_result(r);
    r->tokens = json_integer_value(json_object_get(result, "tokens"));
    r->seconds = number_of(result, "seconds");
    r->state = PR_JOB_DONE;
    f->done++;
    f->count[r->kind].done++;
    f->count[r->kind].measured++;
    f->count[r->kind].seconds += r->seconds;
    f->run_tokens += (double)r->tokens;
    if (!made_so_far(r) || !r->made->tokens) {
        f->tokens += (double)r->tokens;
        f->seconds += r->seconds;
    }
}

uint32_t pr_fold_failure(const char *reason, const char *error)
{
    uint64_t h = pr_hash64(error, strlen(error)) ^ pr_hash64(reason, strlen(reason));
    return (uint32_t)(h ^ h >> 32) | 1;
}

static void on_failed(pr_fold_t *f, pr_job_record_t *r, const char *event, const json_t *line)
{
    bool again = strcmp(event, "job_interrupted") == 0 || json_is_true(json_object_get(line, "retry"));
    const char *reason = text_of(line, "reason"), *error = text_of(line, "error");
    r->spent += number_of(line, "seconds");
    r->wasted += json_integer_value(json_object_get(line, "tokens"));
    r->failure = pr_fold_failure(reason, error);
    r->state = again ? PR_JOB_WAITING : PR_JOB_FAILED;
    if (again)
        return;
    f->failed++;
    json_array_append(f->failures, borrowed(line));
    if (has_result(r)) { // it was to be done again, and keeps the result that it had
        r->state = PR_JOB_DONE;
        f->count[r->kind].done++;
    }
}

static void on_end(pr_fold_t *f, const char *event, const char *id, const json_t *line)
{
    pr_job_record_t *r = pr_fold_job(f, id, text_of(line, "kind"));
    char rank[24];
    if (!r)
        return;
    f->count[r->kind].running -= json_object_get(f->open, id) != NULL;
    if (json_object_get(line, "rank")) { // one that was given up untried was nobody's
        r->rank = (int)json_integer_value(json_object_get(line, "rank"));
        r->host = host_number(f, text_of(line, "host"));
    }
    if (strcmp(event, "job_done") == 0)
        on_done(f, r, line);
    else
        on_failed(f, r, event, line);
    if (json_object_get(line, "rank"))
        json_object_set_new(f->ended, rank_key(line, rank), pr_json_real(number_of(line, "t")));
    json_object_del(f->open, id);
}

/* What it left is lost. An evaluation's numbers stay, as only what its policy said is missing. */
static void on_again(pr_fold_t *f, pr_job_record_t *r)
{
    if (!r || r->state != PR_JOB_DONE)
        return;
    f->count[r->kind].done--;
    r->state = PR_JOB_WAITING;
    if (kind_of(r)->evaluates)
        return;
    spend_result(r);
    json_decref(r->made->result);
    r->made->result = NULL;
    size_t i;
    json_t *step;
    json_array_foreach(r->made->tokens, i, step) r->tokens += json_integer_value(step);
}

static void on_ending(pr_fold_t *f, const char *what)
{
    static const char *const known[] = {PR_ENDING_TABLES, PR_ENDING_INDICATORS};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(what, known[i]) == 0)
            f->ending = known[i];
}

/* What is known of a search over a set of experts; NULL: the line names none. Borrowed. */
static json_t *search_of(pr_fold_t *f, const json_t *line)
{
    json_t *name = json_object_get(line, "search"), *seed = json_object_get(line, "seed"), *one;
    size_t i;
    if (!json_is_string(name) || !json_is_integer(seed))
        return NULL;
    json_array_foreach(f->searches, i, one) if (json_equal(json_object_get(one, "search"), name) &&
                                                json_equal(json_object_get(one, "seed"), seed)) return one;
    one = json_pack("{s:O, s:O, s:i, s:n, s:n}", "search", name, "seed", seed, "asked", 0, "ended", "budget_left");
    json_array_append_new(f->searches, one);
    return one;
}

static void on_points(pr_fold_t *f, const json_t *line)
{
    json_t *search = search_of(f, line), *asked = json_object_get(line, "asked");
    take_jobs(f, json_object_get(line, "jobs"));
    if (!search)
        return;
    json_int_t before = json_integer_value(json_object_get(search, "asked"));
    json_t *asked_by_now = json_integer(before + json_integer_value(json_object_get(line, "points")));
    json_object_set_new(search, "asked", asked_by_now);
    if (json_integer_value(asked_by_now) > json_integer_value(json_object_get(f->asked, text_of(line, "search"))))
        json_object_set(f->asked, text_of(line, "search"), asked_by_now);
    json_object_set_new(search, "ended", json_null());
    json_object_set_new(search, "budget_left", json_null());
    if (f->rounds && json_is_string(asked) && text_of(line, "basis")[0])
        json_object_set(f->rounds, text_of(line, "basis"), asked);
}

static void on_search_end(pr_fold_t *f, const json_t *line)
{
    json_t *search = search_of(f, line);
    if (!search)
        return;
    json_object_set(search, "ended", json_object_get(line, "why"));
    json_object_set(search, "budget_left", json_object_get(line, "left"));
    if (f->ends && text_of(line, "basis")[0])
        json_object_set(f->ends, text_of(line, "basis"), borrowed(line));
}

void pr_fold_event(pr_fold_t *f, const char *event, const json_t *line)
{
    const char *id = json_string_value(json_object_get(line, "job"));
    if (strcmp(event, "sweep_start") == 0) {
        on_sweep_start(f, line);
    } else if (strcmp(event, "sweep_end") == 0) {
        end_run(f, number_of(line, "seconds"));
        snprintf(f->state, sizeof f->state, "%s", text_of(line, "state"));
    } else if (strcmp(event, "points") == 0) {
        on_points(f, line);
    } else if (strcmp(event, "search_end") == 0) {
        on_search_end(f, line);
    } else if (strcmp(event, "ending") == 0) {
        on_ending(f, text_of(line, "what"));
    } else if (strcmp(event, "base") == 0) {
        keep(&f->base, line);
    } else if (strcmp(event, "tables") == 0) {
        keep(&f->tables, line);
    } else if (strcmp(event, "config") == 0) {
        keep(&f->config, json_object_get(line, "config"));
        f->prompts = (int)json_integer_value(json_object_get(line, "prompts"));
    } else if (strcmp(event, "replaced") == 0) {
        keep(&f->tables, NULL); // they are somewhere else
    } else if (id && strcmp(event, "job_start") == 0) {
        on_given(f, id, line);
    } else if (id && strcmp(event, "step") == 0) {
        on_step(f, id, line);
    } else if (id && strcmp(event, "job_again") == 0) {
        on_again(f, pr_fold_find(f, id));
    } else if (id && (strcmp(event, "job_done") == 0 || strcmp(event, "job_failed") == 0 ||
                      strcmp(event, "job_interrupted") == 0)) {
        on_end(f, event, id, line);
    }
    f->at = number_of(line, "t");
}

pr_status_t pr_fold_line(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    (void)err;
    pr_fold_event(self, event, line);
    return PR_OK;
}

bool pr_fold_ended(pr_fold_t *f, char **names)
{
    bool killed = f->running;
    *names = killed ? pr_fold_names(f) : NULL;
    if (!killed)
        return false;
    charge_killed(f);
    end_run(f, fmax(f->at - f->started, 0));
    snprintf(f->state, sizeof f->state, "stopped");
    return true;
}

char *pr_fold_names(const pr_fold_t *f)
{
    enum { NAMED = 4 };
    pr_buf_t b = {0};
    const char *id;
    json_t *start;
    size_t n = json_object_size(f->open), i = 0;
    pr_buf_puts(&b, "");
    json_object_foreach(f->open, id, start)
    {
        const char *label = text_of(start, "label");
        if (i == NAMED)
            break;
        pr_buf_printf(&b, "%s%s (rank %lld on %s)", i ? ", " : "", label[0] ? label : id,
                      (long long)json_integer_value(json_object_get(start, "rank")), text_of(start, "host"));
        i++;
    }
    if (n > i)
        pr_buf_printf(&b, " and %zu more", n - i);
    return b.data;
}
