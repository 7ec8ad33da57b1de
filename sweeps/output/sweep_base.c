// SPDX-License-Identifier: BSD-3-Clause
/* What the base model and each expert alone say of a sweep: their numbers, and warnings where training did not do what
 * it was for. One counts as worse than another where it is by more than the standard error of the difference: paired by
 * prompt where the prompts' own scores are to be had. */
#include "base/log.h"
#include "base/mem.h"
#include "pareto/dominance.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A row or a point that is compared. Values are turned. */
typedef struct pr_side {
    const pr_track_t *track;
    size_t asked;
    double mean[PR_MAX_OBJECTIVES], se[PR_MAX_OBJECTIVES];
    bool looked;    // for the prompts' scores
    double *prompt; // [n_prompts,K], NULL: not to be had
} pr_side_t;

/* false: it has no result. */
static bool side_of(const pr_sweep_t *s, const pr_track_t *t, size_t asked, pr_side_t *out)
{
    pr_track_sum_t sum;
    *out = (pr_side_t){.track = t, .asked = asked};
    if (!pr_track_result(s, t, asked, out->mean, out->se, &sum))
        return false;
    for (int k = 0; k < s->config->n_objectives; k++)
        out->mean[k] *= pr_sweep_sign(s, k);
    return true;
}

static void side_clear(pr_side_t *a)
{
    free(a->prompt);
    a->prompt = NULL;
}

static const double *prompts_of(const pr_sweep_t *s, pr_side_t *a)
{
    if (!a->looked) {
        a->prompt =
            pr_alloc((size_t)a->track->asked_prompts[a->asked] * (size_t)s->config->n_objectives, sizeof *a->prompt);
        if (pr_track_per_prompt(s, a->track, a->asked, a->prompt, NULL) != PR_OK)
            side_clear(a);
    }
    a->looked = true;
    return a->prompt;
}

/* a less b in objective k, and its standard error (NaN: of one prompt). With fewer prompts of one, on those of both. */
static double difference(const pr_sweep_t *s, pr_side_t *a, pr_side_t *b, int k, double *se)
{
    const double *x = prompts_of(s, a), *y = prompts_of(s, b);
    int k_n = s->config->n_objectives, n = a->track->asked_prompts[a->asked], m = b->track->asked_prompts[b->asked];
    double mean = 0, squares = 0;
    n = n < m ? n : m;
    *se = sqrt(a->se[k] * a->se[k] + b->se[k] * b->se[k]);
    if (!x || !y)
        return a->mean[k] - b->mean[k];
    for (int i = 0; i < n; i++)
        mean += x[i * k_n + k] / n - y[i * k_n + k] / n;
    for (int i = 0; i < n; i++)
        squares += pow(x[i * k_n + k] - y[i * k_n + k] - mean, 2);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
    return mean;
}

/* Is a worse than b in objective k, by more than the error where there is one? */
static bool is_worse(const pr_sweep_t *s, pr_side_t *a, pr_side_t *b, int k, double *by, double *se)
{
    *by = -difference(s, a, b, k, se);
    return *by > 0 && !(*by <= *se);
}

/* ---- warnings ---- */

static void put_number(pr_buf_t *b, double value, double se)
{
    bool rounding = se < 1e-12 * fabs(value);
    pr_buf_printf(b, "%.4g", value);
    if (isfinite(se))
        pr_buf_printf(b, " ± %.2g", rounding ? 0 : se);
}

static void warn(json_t *warnings, pr_buf_t *text)
{
    json_array_append_new(warnings, json_string(text->data));
    pr_buf_free(text);
}

static void put_expert(const pr_sweep_t *s, const pr_side_t *a, int k, pr_buf_t *b)
{
    const pr_track_t *t = a->track;
    pr_buf_printf(b, "the expert of %s (seed %lld", s->config->objective[k].name,
                  (long long)s->config->seeds[t->seed_index]);
    if (t != &s->track[s->n_track]) // another set of experts may have the same seed
        pr_buf_printf(b, ", %s", t->spec->name);
    pr_buf_puts(b, ")");
}

static void warn_worse(const pr_sweep_t *s, pr_side_t *a, pr_side_t *b, int k, const char *than, double by, double se,
                       json_t *warnings)
{
    pr_buf_t text = {0};
    put_expert(s, a, k, &text);
    pr_buf_printf(&text, " is worse in its own objective than %s: ", than);
    put_number(&text, pr_sweep_sign(s, k) * a->mean[k], NAN);
    pr_buf_puts(&text, " against ");
    put_number(&text, pr_sweep_sign(s, k) * b->mean[k], NAN);
    pr_buf_puts(&text, ", worse by ");
    put_number(&text, by, se);
    warn(warnings, &text);
}

/* The experts of a set: is each better in its own objective than the base model, and than the others? */
static void look_at_experts(const pr_sweep_t *s, pr_side_t *model, pr_side_t *const *expert, json_t *warnings)
{
    int k_n = s->config->n_objectives;
    double by, se;
    for (int k = 0; k < k_n; k++) {
        if (!expert[k])
            continue;
        if (model && is_worse(s, expert[k], model, k, &by, &se))
            warn_worse(s, expert[k], model, k, "the base model", by, se, warnings);
        int best = -1;
        for (int j = 0; j < k_n; j++)
            if (j != k && expert[j] && (best < 0 || expert[j]->mean[k] > expert[best]->mean[k]))
                best = j;
        if (best < 0 || !is_worse(s, expert[k], expert[best], k, &by, &se))
            continue;
        pr_buf_t than = {0};
        pr_buf_printf(&than, "the expert of %s", s->config->objective[best].name);
        warn_worse(s, expert[k], expert[best], k, than.data, by, se, warnings);
        pr_buf_free(&than);
    }
}

/* Better than the base model in one objective and worse in none, by more than the error. */
static bool improves(const pr_sweep_t *s, pr_side_t *point, pr_side_t *model)
{
    bool better = false;
    double by, se;
    bool whole = point->track->asked_prompts[point->asked] == s->n_prompts;
    for (int k = 0; k < s->config->n_objectives && whole; k++) // nothing to read: no error is larger than the sum
        if (model->mean[k] - point->mean[k] > model->se[k] + point->se[k])
            return false;
    for (int k = 0; k < s->config->n_objectives; k++) {
        if (is_worse(s, point, model, k, &by, &se))
            return false;
        better = better || is_worse(s, model, point, k, &by, &se);
    }
    return better;
}

/* Has the whole search improved on nothing? Asked when all of it is there. */
static void look_at_front(const pr_sweep_t *s, pr_side_t *model, const pr_runs_t *runs, json_t *warnings)
{
    bool *kept = pr_alloc(runs->n, sizeof *kept), improved = false, all = model != NULL;
    size_t n = pr_nondominated(runs->mean, runs->n, s->config->n_objectives, true, kept), at = 0;
    pr_side_t point;
    for (int i = 0; i < s->n_track; i++)
        all = all && s->track[i].done;
    for (int i = 0; i < s->n_track && all; i++)
        for (size_t j = 0; j < runs->run[i].n && !improved; j++)
            if (kept[at++] && side_of(s, &s->track[i], runs->run[i].asked[j], &point)) {
                improved = improves(s, &point, model);
                side_clear(&point);
            }
    free(kept);
    if (!all || improved || n == 0)
        return;
    pr_buf_t text = {0};
    pr_buf_puts(&text, "the base model is on the front: ");
    for (int k = 0; k < s->config->n_objectives; k++) {
        pr_buf_printf(&text, "%s%s ", k ? ", " : "", s->config->objective[k].name);
        put_number(&text, pr_sweep_sign(s, k) * model->mean[k], model->se[k]);
    }
    pr_buf_printf(&text, "; of the front's %zu point%s none is better in an objective without being worse in another",
                  n, n == 1 ? "" : "s");
    warn(warnings, &text);
}

/* ---- all together ---- */

static json_t *values_json(const pr_sweep_t *s, const double *values, bool turned)
{
    json_t *v = json_object();
    for (int k = 0; k < s->config->n_objectives; k++)
        json_object_set_new(v, s->config->objective[k].name,
                            pr_json_real(turned ? pr_sweep_sign(s, k) * values[k] : values[k]));
    return v;
}

static void add_numbers(const pr_sweep_t *s, const pr_side_t *a, json_t *out)
{
    json_object_set_new(out, "mean", values_json(s, a->mean, true));
    json_object_set_new(out, "se", values_json(s, a->se, false));
}

/* The rows of a track: which request is whose is told by the point. */
typedef struct pr_rows {
    pr_side_t side[PR_MAX_OBJECTIVES + 1];
    int n;
    pr_side_t *model, *expert[PR_MAX_OBJECTIVES];
} pr_rows_t;

static void rows_of(const pr_sweep_t *s, const pr_track_t *t, pr_rows_t *out)
{
    *out = (pr_rows_t){.n = 0};
    for (size_t i = 0; i < t->n_asked; i++) {
        pr_point_t p = pr_track_point(t, i);
        pr_side_t *side = &out->side[out->n];
        if (!side_of(s, t, i, side))
            continue;
        out->n++;
        bool expert = false;
        for (int k = 0; k < s->config->n_objectives; k++)
            if (p.num[k] != 0) {
                out->expert[k] = side;
                expert = true;
            }
        if (!expert)
            out->model = side;
    }
}

static void rows_clear(pr_rows_t *r)
{
    for (int i = 0; i < r->n; i++)
        side_clear(&r->side[i]);
}

static json_t *report(const pr_sweep_t *s, const pr_runs_t *runs)
{
    json_t *model = NULL, *experts = json_array(), *warnings = json_array();
    pr_rows_t first, more;
    rows_of(s, &s->track[s->n_track], &first);
    if (first.model) {
        model = json_object();
        add_numbers(s, first.model, model);
    }
    look_at_front(s, first.model, runs, warnings);
    for (int i = 0; i < s->n_base; i++) {
        const pr_track_t *t = &s->track[s->n_track + i];
        pr_rows_t *rows = i == 0 ? &first : &more;
        if (i > 0)
            rows_of(s, t, &more);
        for (int k = 0; k < s->config->n_objectives; k++) {
            if (!rows->expert[k])
                continue;
            json_t *v =
                json_pack("{s:s, s:I, s:s}", "search", t->spec->name, "seed",
                          (json_int_t)s->config->seeds[t->seed_index], "objective", s->config->objective[k].name);
            add_numbers(s, rows->expert[k], v);
            json_array_append_new(experts, v);
        }
        look_at_experts(s, first.model, rows->expert, warnings);
        if (i > 0)
            rows_clear(&more);
    }
    rows_clear(&first);
    return json_pack("{s:o, s:o, s:o}", "model", model ? model : json_null(), "experts", experts, "warnings", warnings);
}

/* What the report is of: the rows' and the points' jobs. */
static void report_key(const pr_sweep_t *s, const pr_runs_t *runs, char key[PR_HASH_HEX])
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, "base 1"); // another number when it is made in another way
    for (int i = 0; i < s->n_track + s->n_base; i++) {
        const pr_track_t *t = &s->track[i];
        pr_buf_add(&b, t->done ? "+" : "-", 1);
        for (size_t j = 0; j < (t->base ? t->n_asked : runs->run[i].n); j++) {
            int bounds[PR_MAX_LIST + 2];
            size_t asked = t->base ? j : runs->run[i].asked[j];
            int n = pr_track_ranges(t, t->asked_prompts[asked], bounds);
            for (int r = 0; r < n; r++) {
                const pr_job_record_t *job = pr_track_range(s, t, asked, r)->job;
                pr_buf_add(&b, job->id, sizeof job->id);
                pr_buf_add(&b, job->value ? "+" : "-", 1);
            }
        }
    }
    pr_hash_hex(b.data, b.len, key);
    pr_buf_free(&b);
}

json_t *pr_base_report(pr_sweep_t *s, const pr_runs_t *runs, json_t *values)
{
    char key[PR_HASH_HEX];
    report_key(s, runs, key);
    const json_t *kept = json_object_get(values, "base");
    const char *of = json_string_value(json_object_get(kept, "of"));
    json_t *found = of && strcmp(of, key) == 0 ? json_incref(json_object_get(kept, "report")) : report(s, runs), *text;
    size_t i;
    json_object_set_new(values, "base", json_pack("{s:s, s:O}", "of", key, "report", found));
    json_decref(s->warnings);
    s->warnings = json_incref(json_object_get(found, "warnings"));
    json_array_foreach(s->warnings, i, text) pr_log(PR_LOG_WARN, "%s", json_string_value(text));
    return found;
}
