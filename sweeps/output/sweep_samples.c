// SPDX-License-Identifier: BSD-3-Clause
/* What the policies of the front, the base model and the experts said: from their jobs' checkpoints, else from the
 * samples.jsonl of a sweep that was finished, else by evaluating them again, which gives the same. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/evaluate.h"
#include "report/samples.h"
#include "report/text.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE = 1 << 30 };
static const char loaded[] = ""; // a key of s->kept that no point has

/* Responses that are kept of an evaluation; one at least, for the table on a terminal. */
static int wanted(const pr_sweep_t *s, const pr_evaluation_t *e)
{
    int most = s->config->front_samples > 0 ? s->config->front_samples : 1;
    return e->count < most ? e->count : most;
}

/* ---- as the job wrote it ---- */

static pr_status_t find_responses(const pr_record_t *c, const char *path, int count, json_t **out, pr_error_t *err)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->section[i].name, "responses") == 0)
            PR_TRY(pr_json_parse(c->section[i].data, c->section[i].count * c->section[i].elem, path, out, err));
    if (json_array_size(*out) != (size_t)count)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %zu responses, expected %d", path, json_array_size(*out), count);
    return PR_OK;
}

/* A letter for each prompt, of how its response ended; NULL where there is none. */
static const char *endings_of(const pr_record_t *c, int count)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->section[i].name, "finish") == 0 && c->section[i].elem == 1 &&
            c->section[i].count == (size_t)count)
            return c->section[i].data;
    return NULL;
}

/* The first responses and scores of an evaluation as its job saved them. New reference. */
static pr_status_t read_said(const pr_sweep_t *s, const pr_evaluation_t *e, json_t **out, pr_error_t *err)
{
    size_t k_n = (size_t)s->config->n_scored;
    char *path;
    pr_record_t c;
    json_t *responses = NULL;
    const void *scores;
    pr_status_t status = PR_OK;
    PR_GO(pr_sweep_read_evaluation(s, e, &c, &path, err));
    PR_GO(pr_record_section(&c, path, "scores", sizeof(double), (size_t)e->count * k_n, &scores, err));
    PR_GO(find_responses(&c, path, e->count, &responses, err));
    json_t *texts = json_array(), *numbers = json_array(), *finish = json_array();
    const char *letters = endings_of(&c, e->count);
    for (int i = 0; i < wanted(s, e); i++) {
        json_array_append_new(finish, pr_evaluate_finish_json(letters ? letters[i] : 0));
        json_t *row = json_array();
        json_array_append(texts, json_array_get(responses, (size_t)i));
        for (size_t k = 0; k < k_n; k++)
            json_array_append_new(row, pr_json_real(((const double *)scores)[(size_t)i * k_n + k]));
        json_array_append_new(numbers, row);
    }
    *out = json_pack("{s:o, s:o, s:o}", "responses", texts, "finish", finish, "scores", numbers);
done:
    json_decref(responses);
    pr_record_clear(&c);
    free(path);
    return status;
}

/* ---- from a samples.jsonl that a finished sweep wrote ---- */

static char *key_of(const char *search, int64_t seed, const char *point)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s %lld %s", search, (long long)seed, point);
    return b.data;
}

/* Reads a file of the results directory, when it is what the journal says was written. */
static bool read_written(const pr_sweep_t *s, const char *name, char **text, size_t *len)
{
    char *path = pr_results_path(pr_sweep_dir(s), "%s", name), hash[PR_HASH_HEX];
    const char *expected = json_string_value(json_object_get(json_object_get(s->fold->tables, "files"), name));
    *text = NULL;
    bool there = expected && pr_file_read(path, MAX_FILE, text, len, NULL) == PR_OK;
    if (there)
        pr_hash_hex(*text, *len, hash);
    bool same = there && strcmp(hash, expected) == 0;
    if (!same) {
        free(*text);
        *text = NULL;
    }
    free(path);
    return same;
}

/* The lines from *at on that belong to a point. New reference. */
static json_t *take_lines(const char **at, const char *end, const json_t *point)
{
    json_t *lines = json_array();
    while (*at < end) {
        const char *stop = memchr(*at, '\n', (size_t)(end - *at));
        size_t n = stop ? (size_t)(stop - *at) : (size_t)(end - *at);
        json_t *line = NULL;
        bool mine = pr_json_parse(*at, n, PR_FILE_SAMPLES, &line, NULL) == PR_OK && pr_sample_belongs(line, point);
        json_decref(line);
        if (!mine)
            break;
        json_array_append_new(lines, json_stringn(*at, n));
        *at += n + (stop != NULL);
    }
    return lines;
}

/* The lines of a list of points, from *at on. */
static void load_lines(const pr_sweep_t *s, const json_t *points, const char **at, const char *end)
{
    size_t i;
    json_t *point;
    json_array_foreach(points, i, point)
    {
        const char *search = json_string_value(json_object_get(point, "search")),
                   *id = json_string_value(json_object_get(point, "point"));
        char *key = key_of(search ? search : "", json_integer_value(json_object_get(point, "seed")), id ? id : "");
        json_object_set_new(s->kept, key, json_pack("{s:o}", "lines", take_lines(at, end, point)));
        free(key);
    }
}

/* The lines of samples.jsonl by the points of front.json, in whose order they stand. */
static void load_kept(const pr_sweep_t *s)
{
    char *front = NULL, *samples = NULL;
    size_t n_front = 0, n_samples = 0;
    json_t *root = NULL;
    json_object_set_new(s->kept, loaded, json_boolean(pr_sweep_tables_are_ours(s)));
    if (read_written(s, PR_FILE_FRONT_JSON, &front, &n_front) &&
        read_written(s, PR_FILE_SAMPLES, &samples, &n_samples) &&
        pr_json_parse(front, n_front, PR_FILE_FRONT_JSON, &root, NULL) == PR_OK) {
        const char *at = samples, *end = samples + n_samples;
        load_lines(s, json_object_get(root, "points"), &at, end);
        load_lines(s, json_object_get(root, "base"), &at, end);
    }
    json_decref(root);
    free(front);
    free(samples);
}

static const json_t *kept_lines(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e)
{
    if (!json_object_get(s->kept, loaded))
        load_kept(s);
    char *key = key_of(row->search, row->seed, row->id);
    const json_t *kept = json_object_get(s->kept, key);
    free(key);
    return json_array_size(json_object_get(kept, "lines")) >= (size_t)wanted(s, e) ? kept : NULL;
}

/* ---- of a row of the front ---- */

const json_t *pr_sweep_said(const pr_sweep_t *s, const pr_table_point_t *row, const pr_evaluation_t *e, pr_error_t *err)
{
    char id[PR_HASH_HEX];
    pr_job_record_id(e->job, id);
    json_t *said = json_object_get(s->said, id);
    if (said)
        return said;
    // One file that is whole instead of thousands, where it is of this very sweep.
    const json_t *kept = kept_lines(s, row, e);
    if (kept && json_is_true(json_object_get(s->kept, loaded)))
        return kept;
    if (read_said(s, e, &said, err) != PR_OK)
        return kept;
    json_object_set_new(s->said, id, said);
    return said;
}

char *pr_sweep_first_response(const json_t *said)
{
    const char *line = json_string_value(json_array_get(json_object_get(said, "lines"), 0)),
               *text = json_string_value(json_array_get(json_object_get(said, "responses"), 0));
    json_t *sample = NULL;
    if (line && pr_json_parse(line, strlen(line), PR_FILE_SAMPLES, &sample, NULL) == PR_OK)
        text = json_string_value(json_object_get(sample, "response"));
    char *copy = text ? pr_strdup(text) : NULL;
    json_decref(sample);
    return copy;
}

enum { TOLD = 5 }; // points that are named before the rest are counted

static void ask_for(void *self, const pr_table_point_t *row, const pr_evaluation_t *found)
{
    pr_sweep_t *s = self;
    pr_evaluation_t *e = (pr_evaluation_t *)(uintptr_t)found; // one of the sweep's own
    pr_error_t err;
    char id[PR_HASH_HEX];
    if (e->again || e->job->state != PR_JOB_DONE || pr_sweep_said(s, row, e, &err))
        return;
    if (s->n_again < TOLD)
        pr_log(PR_LOG_WARN, "%s; the point is evaluated again", err.text);
    e->again = true;
    s->graph.n_evaluated--;
    s->again = pr_realloc(s->again, s->n_again + 1, sizeof(pr_evaluation_t *));
    s->again[s->n_again++] = e;
    pr_job_record_id(e->job, id);
    pr_sweep_tell(s, "job_again",
                  json_pack("{s:s, s:o}", "job", id, "why", pr_text_json_string(err.text, strlen(err.text))));
    pr_graph_again(s, e->job);
}

bool pr_sweep_ask_again(pr_sweep_t *s)
{
    size_t before = s->n_again;
    if (s->config->front_samples > 0)
        pr_sweep_each_front(s, ask_for, s);
    if (s->n_again > before && s->n_again > TOLD)
        pr_log(PR_LOG_WARN, "%zu points of the front are evaluated again, as what they said is lost", s->n_again);
    return s->n_again > before;
}
