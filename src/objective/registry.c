// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"
#include "base/mem.h"
#include "objective/type.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(name) &pr_objective_##name,
static const pr_objective_type_t *const types[] = {PR_OBJECTIVE_LIST(TYPE)};

const pr_objective_type_t *const *pr_objective_types(size_t *n)
{
    *n = sizeof types / sizeof *types;
    return types;
}

const pr_objective_type_t *pr_objective_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static pr_status_t bounds_of(const pr_objective_type_t *type, const json_t *resolved, const char *dir, double *lo,
                             double *hi, pr_error_t *err)
{
    *lo = 0;
    *hi = 1;
    return type->bounds ? type->bounds(resolved, dir ? dir : "", lo, hi, err) : PR_OK;
}

pr_status_t pr_objective_bounds(const char *name, const char *type, const json_t *options, const char *dir, double *lo,
                                double *hi, pr_error_t *err)
{
    json_t *resolved = NULL;
    PR_TRY(pr_objective_resolve(name, type, options, dir, &resolved, err));
    pr_status_t status = bounds_of(pr_objective_type(type), resolved, dir, lo, hi, err);
    json_decref(resolved);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "objective '%s' (%s)", name, type);
}

void pr_objective_tell(const char *name, const char *type, const json_t *options)
{
    const pr_objective_type_t *t = pr_objective_type(type);
    json_t *resolved = NULL;
    char *odd = NULL;
    if (t && t->odd && pr_options_resolve(t->options, options, NULL, &resolved, NULL) == PR_OK)
        odd = t->odd(resolved);
    if (odd)
        pr_log(PR_LOG_WARN, "objective '%s' (%s): %s", name, type, odd);
    free(odd);
    json_decref(resolved);
}

static pr_status_t check_env(const pr_objective_type_t *type, const pr_objective_env_t *env, pr_error_t *err)
{
    if (type->needs_model && !(env->model && env->tokenizer && env->la))
        return pr_fail(err, PR_ERR_CONFIG, "needs the base model and its tokenizer");
    return PR_OK;
}

pr_status_t pr_objective_open(const char *name, const char *type, const json_t *options, const pr_objective_env_t *env,
                              pr_objective_t **out, pr_error_t *err)
{
    json_t *resolved = NULL;
    const pr_objective_type_t *known = pr_objective_type(type);
    pr_status_t found = pr_objective_resolve(name, type, options, env->dir, &resolved, err);
    if (known && known->collective && env->la) // a file may be missing on one node
        found = env->la->agree(env->la, found, err);
    if (found != PR_OK) {
        json_decref(resolved);
        return found;
    }
    assert(known); // or nothing would have been resolved
    pr_objective_t *o = pr_alloc(1, sizeof *o);
    o->type = known;
    o->name = pr_strdup(name);
    pr_status_t status = check_env(o->type, env, err);
    if (status == PR_OK)
        status = bounds_of(o->type, resolved, env->dir, &o->lo, &o->hi, err);
    if (known->collective && env->la)
        status = env->la->agree(env->la, status, err);
    if (status == PR_OK)
        status = o->type->open(o, resolved, env, err);
    json_decref(resolved);
    if (status != PR_OK) {
        pr_fail_in(err, "objective '%s' (%s)", name, type);
        free(o->name);
        free(o);
        return status;
    }
    *out = o;
    return PR_OK;
}

/* good: how many at the beginning are. */
static pr_status_t check_scores(const pr_objective_t *o, const double *scores, size_t n, size_t *good, pr_error_t *err)
{
    for (size_t i = 0; i < n; i++, ++*good) {
        if (!isfinite(scores[i]))
            return pr_fail(err, PR_ERR_NUMERIC, "sample %zu: the score is %g, expected a finite number", i, scores[i]);
        if (scores[i] < o->lo || scores[i] > o->hi)
            return pr_fail(err, PR_ERR_SCORER, "sample %zu: score %.17g is outside the declared range [%g, %g]", i,
                           scores[i], o->lo, o->hi);
    }
    return PR_OK;
}

pr_status_t pr_objective_never_scored(pr_error_t *err)
{
    pr_fail_in(err, "on its very first sample");
    if (err)
        err->status = PR_ERR_FIRST_SAMPLE;
    return PR_ERR_FIRST_SAMPLE;
}

pr_status_t pr_objective_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores, pr_error_t *err)
{
    if (n == 0)
        return PR_OK;
    pr_sample_t *measured = pr_alloc(n, sizeof *measured);
    for (size_t i = 0; i < n; i++) {
        measured[i] = samples[i];
        if (measured[i].response && measured[i].response_len == 0)
            measured[i].response_len = strlen(measured[i].response);
    }
    bool before = o->scored;
    size_t good = 0;
    pr_status_t status = o->type->score(o, measured, n, scores, err);
    free(measured);
    if (status == PR_OK) {
        status = check_scores(o, scores, n, &good, err);
        o->scored = before || good > 0;
        if (status != PR_OK && !o->scored)
            status = pr_objective_never_scored(err);
    }
    if (status != PR_OK)
        pr_fail_in(err, "objective '%s' (%s)", o->name, o->type->name);
    return status;
}

pr_status_t pr_objective_check_prompts(const char *name, const char *type, const json_t *options, const char *dir,
                                       const char *file, int n, char *const *prompt, pr_error_t *err)
{
    const pr_objective_type_t *t = pr_objective_type(type);
    if (t && t->check_prompts && t->check_prompts(options, dir, n, prompt, err) != PR_OK)
        return pr_fail_in(err, "objective '%s' (%s): %s", name, type, file);
    return PR_OK;
}

const char *pr_objective_head_file(const char *type, const json_t *options)
{
    const pr_objective_type_t *t = pr_objective_type(type);
    return t && t->head_option ? json_string_value(json_object_get(options, t->head_option)) : NULL;
}

bool pr_objective_needs_fit(const char *type, const json_t *options)
{
    const pr_objective_type_t *t = pr_objective_type(type);
    return t && t->needs_fit && t->needs_fit(options);
}

pr_status_t pr_objective_check_fit(const char *name, const char *type, const json_t *options, bool pairs,
                                   pr_error_t *err)
{
    const pr_objective_type_t *t = pr_objective_type(type);
    if (!t || !t->check_fit || t->check_fit(options, pairs, err) == PR_OK)
        return PR_OK;
    return pr_fail_in(err, "objective '%s' (%s)", name, t->name);
}

pr_status_t pr_objective_attach(pr_objective_t *o, const char *file, pr_error_t *err)
{
    assert(o->type->attach);
    if (o->type->attach(o, file, err) != PR_OK)
        return pr_fail_in(err, "objective '%s' (%s)", o->name, o->type->name);
    return PR_OK;
}

void pr_objective_close(pr_objective_t **o)
{
    if (!*o)
        return;
    (*o)->type->close(*o);
    free((*o)->name);
    free(*o);
    *o = NULL;
}

void pr_objective_free_self(pr_objective_t *o)
{
    free(o->self);
    o->self = NULL;
}
