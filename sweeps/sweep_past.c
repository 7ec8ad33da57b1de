/* What the journal says of earlier runs: results, and what every attempt at a job cost, those that a kill cut off
 * included. */
#include "base/duration.h"
#include "base/log.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *borrowed(const json_t *line)
{
    return (json_t *)(uintptr_t)line;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text ? text : "";
}

static const char *rank_key(const json_t *line, char out[24])
{
    snprintf(out, 24, "%lld", (long long)json_integer_value(json_object_get(line, "rank")));
    return out;
}

/* When the rank of an open job can have begun with it: when it was given it, or when the one before it ended. */
static double began(const pr_replay_t *r, const json_t *start)
{
    char rank[24];
    return fmax(json_number_value(json_object_get(start, "t")),
                json_number_value(json_object_get(r->ended, rank_key(start, rank))));
}

/* Of the open jobs of each rank the one that it was at: rank -> id. New reference. */
static json_t *at_work(const pr_replay_t *r)
{
    json_t *first = json_object(), *start;
    const char *id;
    char rank[24];
    json_object_foreach(r->open, id, start)
    {
        const char *other = json_string_value(json_object_get(first, rank_key(start, rank)));
        double mine = json_number_value(json_object_get(start, "t")),
               theirs = other ? json_number_value(json_object_get(json_object_get(r->open, other), "t")) : 0;
        if (!other || mine < theirs || (mine == theirs && strcmp(id, other) < 0))
            json_object_set_new(first, rank, json_string(id));
    }
    return first;
}

/* A job that a kill cut off: until its last step; where it has no steps, until the last that was heard of the run, and
 * then only the one that its rank was at, as the others it held had not begun. */
static void charge_killed(pr_sweep_t *s, pr_replay_t *r)
{
    const char *id;
    char rank[24];
    json_t *start, *first = at_work(r);
    json_object_foreach(r->open, id, start)
    {
        pr_past_t *p = pr_sweep_past_of(s, id);
        double end = json_number_value(json_object_get(start, "last_step"));
        if (end == 0 && strcmp(json_string_value(json_object_get(first, rank_key(start, rank))), id) == 0)
            end = r->at;
        if (p)
            p->spent += fmax(end - began(r, start), 0);
    }
    json_decref(first);
}

static void end_run(pr_sweep_t *s, pr_replay_t *r, double seconds)
{
    s->past_seconds += seconds;
    r->running = false;
    json_object_clear(r->open);
    json_object_clear(r->ended);
}

static void on_start(pr_sweep_t *s, pr_replay_t *r, double t)
{
    if (r->running) {
        charge_killed(s, r);
        end_run(s, r, fmax(r->at - r->start, 0));
    }
    r->running = true;
    r->start = t;
}

static void on_given(pr_sweep_t *s, pr_replay_t *r, const char *id, const json_t *line)
{
    pr_past_t *p = pr_sweep_past_of(s, id);
    if (!p)
        return;
    p->attempts++;
    p->rank = (int)json_integer_value(json_object_get(line, "rank"));
    p->host = pr_sweep_host(s, text_of(line, "host"));
    json_object_set(r->open, id, borrowed(line));
}

static void on_step(pr_sweep_t *s, pr_replay_t *r, const char *id, const json_t *line)
{
    pr_past_t *p = pr_sweep_past_of(s, id);
    json_t *start = json_object_get(r->open, id);
    if (start)
        json_object_set(start, "last_step", json_object_get(line, "t"));
    if (p)
        p->wasted += pr_sweep_note_step(s, id, line);
}

static void on_end(pr_sweep_t *s, pr_replay_t *r, const char *event, const char *id, const json_t *line)
{
    pr_past_t *p = pr_sweep_past_of(s, id);
    const json_t *start = json_object_get(r->open, id), *seconds = json_object_get(line, "seconds");
    double t = json_number_value(json_object_get(line, "t"));
    char rank[24];
    if (strcmp(event, "job_done") == 0)
        pr_sweep_remember(s, id, json_object_get(line, "result"));
    else if (p && json_is_number(seconds))
        p->spent += json_number_value(seconds);
    else if (p && start) // lines of earlier versions
        p->spent += fmax(t - began(r, start), 0);
    if (p) {
        p->wasted += json_integer_value(json_object_get(line, "tokens"));
        p->rank = (int)json_integer_value(json_object_get(line, "rank"));
        p->host = pr_sweep_host(s, text_of(line, "host"));
    }
    json_object_set_new(r->ended, rank_key(line, rank), pr_json_real(t));
    json_object_del(r->open, id);
}

/* One line of the journal: what finished before is kept until the state asks for it; everything else is history. */
static pr_status_t fold(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_sweep_t *s = ((void **)self)[0];
    pr_replay_t *r = ((void **)self)[1];
    const char *id = json_string_value(json_object_get(line, "job"));
    double t = json_number_value(json_object_get(line, "t"));
    (void)err;
    if (strcmp(event, "sweep_start") == 0) {
        on_start(s, r, t);
    } else if (strcmp(event, "sweep_end") == 0) {
        end_run(s, r, json_number_value(json_object_get(line, "seconds")));
    } else if (strcmp(event, "tables") == 0) {
        pr_journal_keep(&s->tables, line);
    } else if (id && strcmp(event, "job_start") == 0) {
        on_given(s, r, id, line);
    } else if (id && strcmp(event, "step") == 0) {
        on_step(s, r, id, line);
    } else if (id && (strcmp(event, "job_done") == 0 || strcmp(event, "job_failed") == 0 ||
                      strcmp(event, "job_interrupted") == 0)) {
        on_end(s, r, event, id, line);
    }
    r->at = t;
    return PR_OK;
}

char *pr_sweep_name_open(const json_t *open)
{
    enum { NAMED = 4 };
    pr_buf_t b = {0};
    const char *id;
    json_t *start;
    size_t n = json_object_size(open), i = 0;
    pr_buf_puts(&b, "");
    json_object_foreach((json_t *)(uintptr_t)open, id, start)
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

static void tell_killed(const pr_sweep_t *s, const pr_replay_t *r)
{
    char age[32], *names = pr_sweep_name_open(r->open);
    pr_duration_format(fmax(pr_time_wall() - r->at, 0), age, sizeof age);
    pr_log(PR_LOG_WARN,
           "%s: the last run was killed: the journal has no end of it, its last line is %s old; %s%s; what was done is "
           "not done again",
           pr_sweep_dir(s), age, names[0] ? "without an end: " : "no job was running", names);
    free(names);
}

/* With nothing to be read, but results, a run would do everything again, and replace what is finished. */
static pr_status_t check_lines(const pr_sweep_t *s, const char *path, const pr_journal_stats_t *stats, pr_error_t *err)
{
    char damage[256], what[256];
    pr_journal_damage(stats, damage, sizeof damage);
    if (stats->lines == 0 && pr_results_has_work(pr_sweep_dir(s), what, sizeof what))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: %s%s, but %s is there: what was done here is not known any more; put the journal back, or "
                       "move the results away to begin anew",
                       path, damage[0] ? "no good line: " : "empty", damage, what);
    if (damage[0])
        pr_log(PR_LOG_WARN, "%s: %s; passed over: what they said is done again where it is needed", path, damage);
    return PR_OK;
}

pr_status_t pr_sweep_replay(pr_sweep_t *s, pr_error_t *err)
{
    pr_replay_t r = {.open = json_object(), .ended = json_object()};
    void *both[] = {s, &r};
    pr_journal_stats_t stats;
    char *path = pr_results_path(pr_sweep_dir(s), "journal.jsonl");
    pr_status_t status = PR_OK;
    PR_GO(pr_journal_read(path, fold, both, &stats, err));
    PR_GO(check_lines(s, path, &stats, err));
    if (r.running) {
        tell_killed(s, &r);
        charge_killed(s, &r);
        end_run(s, &r, fmax(r.at - r.start, 0));
    }
    s->cap_past = s->n_past; // there may be millions, and no more will come
    s->past = pr_realloc(s->past, s->cap_past, sizeof *s->past);
done:
    json_decref(r.open);
    json_decref(r.ended);
    free(path);
    return status;
}
