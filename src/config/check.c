// SPDX-License-Identifier: BSD-3-Clause
/* Checks that concern several keys at once. */
#include "base/mem.h"
#include "config/columns.h"
#include "config/keys.h"
#include "config/searches.h"
#include "learn/preference.h"
#include "learn/rules.h"
#include "method/method.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static pr_status_t check_name(const pr_config_t *c, const char *key, const char *name, pr_error_t *err)
{
    size_t good = 0;
    while (isalnum((unsigned char)name[good]) || (name[good] && strchr("._-", name[good])))
        good++;
    if (name[good] || name[0] == '.' || name[0] == '-' || good > 64)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: %s: found \"%s\", expected 1 to 64 letters, digits, '.', '_' and '-', a letter, digit or "
                       "'_' first",
                       c->path, key, name);
    return PR_OK;
}

/* Columns of cells.csv that every sweep has. */
static const char *const fixed_columns[] = {PR_COLUMNS_FIRST, PR_COLUMNS_LAST};
static const char *const column_prefix[] = {PR_COLUMN_PREFIXES};
enum { PREFIXES = sizeof column_prefix / sizeof *column_prefix };

/* Does an objective's column (0 weight, 1 mean, 2 standard error) have this name? */
static bool is_column(const char *name, int which, const char *column)
{
    size_t n = strlen(column_prefix[which]);
    return strncmp(column, column_prefix[which], n) == 0 && strcmp(column + n, name) == 0;
}

/* A table in which two columns have one name is read wrongly by everything that goes by names. */
static pr_status_t check_columns(const pr_config_t *c, int i, const char *key, pr_error_t *err)
{
    const char *name = c->objective[i].name;
    char column[80];
    for (int which = 0; which < PREFIXES; which++) {
        snprintf(column, sizeof column, "%s%s", column_prefix[which], name);
        for (size_t f = 0; f < sizeof fixed_columns / sizeof *fixed_columns; f++)
            if (strcmp(column, fixed_columns[f]) == 0)
                return pr_fail(
                    err, PR_ERR_CONFIG,
                    "%s: %s: found \"%s\": its column \"%s\" of cells.csv would have the name of one that every "
                    "sweep has; expected another name",
                    c->path, key, name, column);
        for (int j = 0; j < c->n_scored; j++)
            for (int other = 0; other < PREFIXES && j != i; other++)
                if (is_column(c->objective[j].name, other, column))
                    return pr_fail(
                        err, PR_ERR_CONFIG,
                        "%s: %s: found \"%s\" beside \"%s\": both would have a column \"%s\" in cells.csv (w_NAME "
                        "is a weight, se_NAME a standard error); expected another name for one of them",
                        c->path, key, name, c->objective[j].name, column);
    }
    return PR_OK;
}

static pr_status_t check_train_prompts(const pr_config_t *c, pr_error_t *err)
{
    const char *given[PR_MAX_OBJECTIVES];
    for (int k = 0; k < c->n_objectives; k++)
        given[k] = c->objective[k].adapter;
    for (int i = 0; i < c->n_searches && !c->train_prompts; i++) {
        const pr_method_t *m = &pr_method_experts;
        if (c->search[i].policy >= 0)
            PR_TRY(pr_method_find(c->policy[c->search[i].policy].method, &m, err));
        if (m->trains(c->n_objectives, given))
            return pr_fail(err, PR_ERR_CONFIG, "%s: prompts.train: missing; required as %s", c->path,
                           m == &pr_method_experts ? "not every objective has an adapter"
                                                   : "a policy is trained on them");
    }
    return PR_OK;
}

static pr_status_t check_validation(const pr_config_t *c, pr_error_t *err)
{
    for (int i = 0; i < c->n_searches && !c->validation_prompts; i++) {
        int policy = c->search[i].policy;
        const pr_finetune_config_t *f = policy >= 0 ? &c->policy[policy].train : &c->finetune;
        const pr_weigher_t *w;
        PR_TRY(pr_rules_weigher(f->weigh, &w, err));
        if (f->stop_patience > 0)
            return pr_fail(
                err, PR_ERR_CONFIG,
                "%s: prompts.validation: missing; stop.patience asks how a training does on prompts of their own",
                c->path);
        if (w->validation)
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: prompts.validation: missing; weigh = \"%s\" asks how a training does "
                           "on prompts of their own",
                           c->path, w->name);
    }
    return PR_OK;
}

static pr_status_t check_objectives(const pr_config_t *c, pr_error_t *err)
{
    char key[48];
    for (int i = 0; i < c->n_scored; i++) {
        snprintf(key, sizeof key, "objectives[%d].name", c->objective[i].place);
        PR_TRY(check_name(c, key, c->objective[i].name, err));
        for (int j = 0; j < i; j++) {
            if (strcmp(c->objective[i].name, c->objective[j].name) == 0)
                return pr_fail(err, PR_ERR_CONFIG, "%s: %s: found \"%s\" again, expected a name of its own", c->path,
                               key, c->objective[i].name);
            if (strcasecmp(c->objective[i].name, c->objective[j].name) ==
                0) // experts/, heads/ may lie on such a system
                return pr_fail(
                    err, PR_ERR_CONFIG,
                    "%s: %s: found \"%s\" beside \"%s\": their files would be the same where upper and lower "
                    "case are; expected names that differ in more",
                    c->path, key, c->objective[i].name, c->objective[j].name);
        }
    }
    for (int i = 0; i < c->n_scored; i++) {
        snprintf(key, sizeof key, "objectives[%d].name", c->objective[i].place);
        PR_TRY(check_columns(c, i, key, err));
    }
    PR_TRY(check_train_prompts(c, err));
    return check_validation(c, err);
}

static pr_status_t check_seeds(const pr_config_t *c, pr_error_t *err)
{
    if (c->n_seeds < 1)
        return pr_fail(err, PR_ERR_CONFIG, "%s: seeds: found an empty list, expected one or more", c->path);
    for (int i = 0; i < c->n_seeds; i++)
        for (int j = 0; j < i; j++)
            if (c->seeds[i] == c->seeds[j])
                return pr_fail(err, PR_ERR_CONFIG, "%s: seeds: found %lld twice", c->path, (long long)c->seeds[i]);
    return PR_OK;
}

static pr_status_t check_team(const pr_config_t *c, const char *key, const pr_team_config_t *t, pr_error_t *err)
{
    if (t->rows * (double)t->cols > PR_MAX_TEAM)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %s.team: found %d x %d ranks, expected at most %d", c->path, key,
                       t->rows, t->cols, PR_MAX_TEAM);
    return PR_OK;
}

/* What is drawn, the log-probabilities of the loss, the KL and the entropy are of one distribution. Outside of a
 * nucleus it has no probability where the base model has some, so that KL(base || policy), which k3 climbs down, is
 * infinite. */
static pr_status_t check_distribution(const pr_config_t *c, const char *key, const pr_finetune_config_t *f,
                                      pr_error_t *err)
{
    if (f->top_p < 1 && f->kl > 0 && strcmp(f->kl_estimator, "k3") == 0)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: %s.kl_estimator: found \"k3\" with %s.top_p = %g, expected k1 or k2, %s.top_p = 1 or "
                       "%s.kl = 0 (KL(base model || policy) is infinite)",
                       c->path, key, key, f->top_p, key, key);
    return PR_OK;
}

// Sequences and tokens that are held at a time are counted with int.
static pr_status_t check_training(const pr_config_t *c, const char *key, const pr_finetune_config_t *f, pr_error_t *err)
{
    double tokens = (double)f->prompts_per_step * f->samples * f->max_new_tokens;
    if (f->warmup > f->steps)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %s.warmup: found %d, expected at most %s.steps = %d", c->path, key,
                       f->warmup, key, f->steps);
    PR_TRY(check_distribution(c, key, f, err));
    if (tokens > INT_MAX)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: %s: found prompts_per_step x samples x max_new_tokens = %d x %d x %d, expected at "
                       "most %d tokens per step",
                       c->path, key, f->prompts_per_step, f->samples, f->max_new_tokens, INT_MAX);
    return PR_OK;
}

static pr_status_t check_counts(const pr_config_t *c, pr_error_t *err)
{
    const pr_evaluate_config_t *e = &c->evaluate;
    double responses = (double)(e->prompts > 0 ? e->prompts : 1) * e->samples;
    if (responses > INT_MAX / 2)
        return pr_fail(err, PR_ERR_CONFIG, "%s: evaluate: found prompts x samples = %d x %d, expected at most %d",
                       c->path, e->prompts > 0 ? e->prompts : 1, e->samples, INT_MAX / 2);
    return PR_OK;
}

/* What a training can be whose policy is told the preference. */
static pr_status_t check_family(const pr_config_t *c, const char *key, const pr_finetune_config_t *f, pr_error_t *err)
{
    pr_rules_t rules;
    if (!f->core)
        return PR_OK;
    if (f->init)
        return pr_fail(err, PR_ERR_CONFIG, "%s: %s.init: found %s, expected nothing beside a core", c->path, key,
                       f->init);
    if (pr_preference_check(f->sample, c->n_objectives, err) != PR_OK)
        return pr_fail_in(err, "%s: %s.sample", c->path, key);
    pr_status_t status = pr_rules_resolve(f->algorithm, f->combine, f->weigh, &rules, err);
    if (status == PR_OK && !(rules.weigher->follows && rules.weigher->follows(rules.weigh_options)))
        status =
            pr_fail(err, PR_ERR_CONFIG,
                    "%s: %s.weigh: found \"%s\"%s, expected a rule that is a function of each prompt's preference: "
                    "fixed, or chebyshev or stch with ideal = \"range\" or \"list\"",
                    c->path, key, rules.weigher->name, rules.weigher->follows ? " with ideal = \"max\"" : "");
    else if (status == PR_OK && rules.combiner->unweighted)
        status = pr_fail(err, PR_ERR_CONFIG,
                         "%s: %s.combine: found \"%s\", expected one that follows the weights; the policy is told them",
                         c->path, key, rules.combiner->name);
    pr_rules_clear(&rules);
    return status;
}

static pr_status_t check_policies(const pr_config_t *c, pr_error_t *err)
{
    char key[48];
    for (int i = 0; i < c->n_policies; i++) {
        snprintf(key, sizeof key, "policies[%d].name", i);
        PR_TRY(check_name(c, key, c->policy[i].name, err));
        for (int j = 0; j < i; j++)
            if (strcmp(c->policy[i].name, c->policy[j].name) == 0)
                return pr_fail(err, PR_ERR_CONFIG, "%s: %s: found \"%s\" again, expected a name of its own", c->path,
                               key, c->policy[i].name);
        snprintf(key, sizeof key, "policies[%d].train", i);
        PR_TRY(check_training(c, key, &c->policy[i].train, err));
        PR_TRY(check_family(c, key, &c->policy[i].train, err));
    }
    return PR_OK;
}

static pr_status_t check_jobs(const pr_config_t *c, pr_error_t *err)
{
    PR_TRY(check_training(c, "finetune", &c->finetune, err));
    PR_TRY(check_policies(c, err));
    if (c->evaluate.greedy && c->evaluate.samples > 1)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: evaluate.samples: found %d, expected 1 with evaluate.decoding = \"greedy\"", c->path,
                       c->evaluate.samples);
    PR_TRY(check_counts(c, err));
    PR_TRY(check_team(c, "finetune", &c->finetune.team, err));
    return check_team(c, "evaluate", &c->evaluate.team, err);
}

static pr_status_t complete_scalar(const char *path, int k, pr_search_spec_t *s, pr_error_t *err)
{
    double sum = 0;
    for (int i = 0; i < s->n_scalar; i++)
        sum += s->scalar[i];
    if (s->n_scalar > 0 && (s->n_scalar != k || !(sum > 0)))
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: search '%s': scalar: found %d numbers with sum %g, expected %d with a positive sum", path,
                       s->name ? s->name : s->type, s->n_scalar, sum, k);
    for (int i = s->n_scalar; i < k; i++)
        s->scalar[i] = 1.0 / k;
    s->n_scalar = k;
    return PR_OK;
}

/* Does a strategy read its points from a file? */
static bool reads_file(const char *type)
{
#define IS(name) || strcmp(type, #name) == 0
    return false PR_SEARCH_FILE_LIST(IS);
#undef IS
}

pr_status_t pr_search_complete(const char *path, int k, pr_search_spec_t *s, pr_error_t *err)
{
    if (reads_file(s->type) && !s->file)
        return pr_fail(err, PR_ERR_CONFIG, "%s: search '%s': file: missing; type = \"%s\" reads points from it", path,
                       s->name ? s->name : s->type, s->type);
    return complete_scalar(path, k, s, err);
}

static pr_status_t check_fidelity(const pr_config_t *c, const pr_search_spec_t *s, pr_error_t *err)
{
    for (int i = 1; i < s->n_fidelity; i++)
        if (s->fidelity[i] <= s->fidelity[i - 1])
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: search '%s': fidelity: found %d after %d, expected rising numbers of prompts", c->path,
                           s->name, s->fidelity[i], s->fidelity[i - 1]);
    int last = s->n_fidelity > 0 ? s->fidelity[s->n_fidelity - 1] : 0;
    if (c->evaluate.prompts > 0 && last > c->evaluate.prompts)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: search '%s': fidelity: found %d, expected at most evaluate.prompts = %d", c->path, s->name,
                       last, c->evaluate.prompts);
    return PR_OK;
}

static pr_status_t check_searches(pr_config_t *c, pr_error_t *err)
{
    for (int i = 0; i < c->n_searches; i++) {
        pr_search_spec_t *s = &c->search[i];
        PR_TRY(check_name(c, "search name", s->name, err));
        if (c->base && strcmp(s->name, "base") == 0)
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: search name: found \"base\", which is what the rows of the base model and of the "
                           "experts alone are called in cells.csv; expected another name (or base = false)",
                           c->path);
        for (int j = 0; j < i; j++)
            if (strcmp(s->name, c->search[j].name) == 0)
                return pr_fail(err, PR_ERR_CONFIG, "%s: search name: found \"%s\" twice", c->path, s->name);
        PR_TRY(pr_search_complete(c->path, c->n_objectives, s, err));
        const pr_mix_t *mix;
        PR_TRY(pr_mix_find(s->aggregate, &mix, err));
        if (pr_mix_check(mix, NULL, c->n_objectives, 1, NULL, err) != PR_OK) // a part per objective
            return pr_fail_in(err, "%s: search '%s'", c->path, s->name);
        if (mix->grams && !c->train_prompts)
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: prompts.train: missing; %s = \"%s\" merges by what the experts' maps read on training "
                           "prompts, never on those of the evaluation",
                           c->path, s->policy >= 0 ? "mix" : "aggregate", mix->name);
        PR_TRY(check_fidelity(c, s, err));
    }
    return PR_OK;
}

// Everything else is made of these two and of text that was checked when it was read.
static pr_status_t check_encoding(const pr_config_t *c, pr_error_t *err)
{
    const char *const path[] = {c->dir, c->results};
    for (int i = 0; i < 2; i++) {
        json_t *probe = json_string(path[i]);
        if (!probe)
            return pr_fail(err, PR_ERR_CONFIG, "%s: the name of the directory '%s' is not UTF-8", c->path, path[i]);
        json_decref(probe);
    }
    return PR_OK;
}

pr_status_t pr_config_check(pr_config_t *c, pr_error_t *err)
{
    PR_TRY(check_encoding(c, err));
    PR_TRY(check_name(c, "name", c->name, err));
    PR_TRY(check_objectives(c, err));
    PR_TRY(check_seeds(c, err));
    if (c->n_reference != 0 && c->n_reference != c->n_objectives)
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: reference: found %d numbers, expected %d, one per objective that is optimised", c->path,
                       c->n_reference, c->n_objectives);
    PR_TRY(check_jobs(c, err));
    return check_searches(c, err);
}
