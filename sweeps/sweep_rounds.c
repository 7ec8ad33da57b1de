// SPDX-License-Identifier: BSD-3-Clause
/* Rounds of searches that decide as they go, as the journal has them. What such a search asks for next may be costly to
 * find and may hang on how a machine rounds, so it is found once: a "points" line says what was asked for and, as its
 * basis, what that follows from. A later run takes the rounds whose basis is its own and asks the search from the first
 * on that is not there. Where settings, results' inputs or an earlier round are others, so is the basis, and nothing
 * stale is taken.
 *
 * "asked": "level prompts denominator numerator numerator ...;..." of each request, in order.
 * "basis": a hash of the one before, the requests of that round, the identities of their evaluations, and the scale that
 *   is taken from the base model; of the first round, a hash of all that the search is given. The budget, and which
 *   evaluations were given up, are a part of it only where they decide (pr_search_strategy_t.goes_on), but always of that
 *   of an end. */
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A round of more is not kept, as the journal would grow; it is asked for again. */
enum { MOST_REQUESTS = 1 << 16 };

void pr_rounds_take(pr_sweep_t *s)
{
    s->rounds = s->fold->rounds;
    s->ends = s->fold->ends;
    s->fold->rounds = s->fold->ends = NULL;
}

/* Budgets; those of core hours with the cores that are counted. New reference. */
static json_t *budget_json(const pr_sweep_t *s, const pr_track_t *t)
{
    const pr_config_t *c = s->config;
    json_t *b = json_pack("{s:i}", "points", t->spec->budget);
    if (t->spec->budget_core_hours > 0) {
        json_object_set_new(b, "core_hours", pr_json_real(t->spec->budget_core_hours));
        json_object_set_new(b, "cores",
                            json_pack("[i,i,i,i,i]", c->threads, c->evaluate.team.rows, c->evaluate.team.cols,
                                      c->finetune.team.rows, c->finetune.team.cols));
    }
    return b;
}

/* The keys that the search is given. Those of its policy are in the identities of evaluations. New reference. */
static pr_status_t keys_json(const pr_track_t *t, json_t **out, pr_error_t *err)
{
    static const char *const others[] = {"name", "layer", "norm", "budget", "budget_core_hours"};
    char hash[PR_HASH_HEX] = "";
    if (t->spec->file && t->spec->file[0])
        PR_TRY(pr_hash_file(t->spec->file, hash, err));
    *out = pr_search_spec_json(t->spec);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(*out, others[i]);
    if (t->spec->recheck == 0) // as if there were no such key, so that what was asked for before it came stands
        json_object_del(*out, "recheck");
    json_object_set_new(*out, "file", json_string(hash));
    return PR_OK;
}

pr_status_t pr_rounds_begin(const pr_sweep_t *s, pr_track_t *t, pr_error_t *err)
{
    int k = t->search.k;
    json_t *keys = NULL, *signs = json_array();
    pr_status_t status = keys_json(t, &keys, err);
    for (int i = 0; i < k; i++)
        json_array_append_new(signs, json_integer(pr_sweep_sign(s, i) > 0 ? 1 : -1));
    if (status != PR_OK) {
        json_decref(signs);
        return status;
    }
    json_t *all = json_pack("{s:o, s:I, s:i, s:o, s:o, s:o, s:o}", "keys", keys, "seed", (json_int_t)t->search.seed,
                            "prompts", t->search.n_prompts, "signs", signs, "lo", pr_json_reals(s->lo, (size_t)k), "hi",
                            pr_json_reals(s->hi, (size_t)k), "reference", pr_json_reals(s->reference, (size_t)k));
    if (t->spec->recheck > 0) // how many points a budget begins with
        json_object_set_new(all, "making", json_integer((json_int_t)t->search.making));
    if (!pr_search_goes_on(t->spec))
        json_object_set_new(all, "budget", budget_json(s, t));
    pr_json_hash(all, t->basis);
    json_decref(all);
    return PR_OK;
}

void pr_rounds_follow(const pr_sweep_t *s, pr_track_t *t)
{
    size_t first = t->n_asked - t->n_last, each = (size_t)(1 + pr_search_size(&t->search));
    bool any = !pr_search_goes_on(t->spec);
    pr_buf_t b = {0};
    if (t->n_last == 0)
        return;
    pr_buf_puts(&b, t->basis);
    pr_buf_add(&b, t->asked_point + first * each, t->n_last * each * sizeof *t->asked_point);
    pr_buf_add(&b, t->asked_level + first, t->n_last * sizeof *t->asked_level);
    pr_buf_add(&b, t->asked_prompts + first, t->n_last * sizeof *t->asked_prompts);
    for (size_t i = 0; i < t->n_eval; i++) {
        const pr_evaluation_t *e = pr_sweep_eval(s, t->eval[i]);
        char failed = pr_evaluation_failed(e) ? 1 : 0;
        t->n_failed += (size_t)failed;
        pr_buf_add(&b, e->job->id, sizeof e->job->id);
        pr_buf_add(&b, &failed, any ? 1 : 0);
    }
    pr_base_add_scale(s, &b);
    pr_hash_hex(b.data, b.len, t->basis);
    pr_buf_free(&b);
    t->n_last = 0;
}

void pr_rounds_end_basis(const pr_sweep_t *s, const pr_track_t *t, char out[PR_HASH_HEX])
{
    json_t *all =
        json_pack("{s:s, s:o, s:I}", "end", t->basis, "budget", budget_json(s, t), "failed", (json_int_t)t->n_failed);
    pr_json_hash(all, out);
    json_decref(all);
}

void pr_rounds_add(const pr_track_t *t, json_t *line)
{
    size_t each = (size_t)(1 + pr_search_size(&t->search));
    pr_buf_t b = {0};
    if (t->n_new > MOST_REQUESTS)
        return;
    for (size_t i = t->n_asked - t->n_new; i < t->n_asked; i++) {
        pr_buf_printf(&b, "%s%d %d", b.len ? ";" : "", t->asked_level[i], t->asked_prompts[i]);
        for (size_t j = 0; j < each; j++)
            pr_buf_printf(&b, " %lld", (long long)t->asked_point[i * each + j]);
    }
    json_object_set_new(line, "basis", json_string(t->basis));
    json_object_set_new(line, "asked", json_string(b.data));
    pr_buf_free(&b);
}

/* A whole number within [lo, hi], and what ends it. */
static bool read_number(const char **at, int64_t lo, int64_t hi, char end, int64_t *out)
{
    char *stop;
    if (**at < '0' || **at > '9')
        return false;
    long long x = strtoll(*at, &stop, 10);
    if (x < lo || x > hi || *stop != end)
        return false;
    *out = x;
    *at = stop + (end != 0);
    return true;
}

/* One request; last: no other follows. */
static bool read_request(const pr_track_t *t, const char **at, bool last, pr_request_t *out)
{
    int d = pr_search_size(&t->search);
    int64_t level, prompts;
    *out = (pr_request_t){0};
    if (!read_number(at, 0, INT_MAX, ' ', &level) || !read_number(at, 1, t->search.n_prompts, ' ', &prompts) ||
        !read_number(at, 1, INT64_C(1) << 62, ' ', &out->point.den))
        return false;
    for (int i = 0; i < d; i++) {
        char end = i + 1 < d ? ' ' : last ? '\0' : ';';
        if (!read_number(at, 0, out->point.den, end, &out->point.num[i]))
            return false;
    }
    out->level = (int)level;
    out->n_prompts = (int)prompts;
    return true;
}

static bool read_requests(const pr_track_t *t, const char *text, pr_requests_t *out)
{
    size_t n = 1;
    for (const char *at = text; *at; at++)
        n += *at == ';';
    pr_requests_init(out, n, pr_search_size(&t->search));
    for (size_t i = 0; i < n; i++) {
        pr_request_t q;
        if (!read_request(t, &text, i + 1 == n, &q)) {
            pr_requests_free(out);
            return false;
        }
        pr_requests_set(out, i, &q);
    }
    return true;
}

static bool read_end(const pr_sweep_t *s, const pr_track_t *t, pr_requests_t *out)
{
    char basis[PR_HASH_HEX];
    pr_rounds_end_basis(s, t, basis);
    const json_t *line = json_object_get(s->ends, basis), *left = json_object_get(line, "left");
    const char *why = json_string_value(json_object_get(line, "why"));
    if (!why)
        return false;
    *out = (pr_requests_t){.done = true, .left = json_is_integer(left) ? json_integer_value(left) : -1};
    snprintf(out->why, sizeof out->why, "%s", why);
    return true;
}

bool pr_rounds_read(const pr_sweep_t *s, const pr_track_t *t, pr_requests_t *out)
{
    const char *asked = json_string_value(json_object_get(s->rounds, t->basis));
    return asked ? read_requests(t, asked, out) : read_end(s, t, out);
}
