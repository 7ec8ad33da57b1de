// SPDX-License-Identifier: BSD-3-Clause
/* What the tables of a results directory are, as the journal remembers it: so that a digit that was changed in one is
 * noticed, and a run that is stopped early does not put less in the place of what was finished. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const tables[] = {PR_FILE_CELLS, PR_FILE_FRONT_CSV, PR_FILE_FRONT_JSON, PR_FILE_SAMPLES,
                                     PR_FILE_STEPS, PR_FILE_LEDGER,    PR_FILE_METRICS,    PR_FILE_INDICATORS};
enum { TABLES = sizeof tables / sizeof *tables };

bool pr_sweep_complete(const pr_sweep_t *s)
{
    bool all = s->fold->failed == 0 && !s->end_stopped;
    for (int t = 0; t < s->n_track + s->n_base; t++)
        all = all && s->track[t].done;
    for (size_t i = 0; i < s->n_again; i++)
        all = all && s->again[i]->job->state == PR_JOB_DONE;
    return all && s->graph.n_made == s->graph.n_node;
}

/* What the tables are made of, but for the results: a hash. */
static void content_key(const pr_sweep_t *s, char out[PR_HASH_HEX])
{
    json_t *policies = json_array(), *made = json_array(), *objectives = json_array(), *seeds = json_array(),
           *search = json_array(), *config = pr_config_json(s->config);
    for (int i = 0; i < s->config->n_searches; i++) {
        const pr_sweep_policy_t *p = &s->inputs->policy[i];
        json_array_append_new(policies, json_pack("{s:s, s:O, s:s, s:O}", "method", p->method->name, "options",
                                                  p->options, "mix", p->mix->name, "mix_options", p->mix_options));
        json_t *one = json_array_get(json_object_get(config, "search"), (size_t)i);
        json_object_del(one, "file"); // where it lies; its points are in the results
        json_array_append(search, one);
    }
    json_decref(config);
    for (size_t i = 0; i < s->graph.n_node; i++)
        json_array_append_new(made, json_string(s->graph.node[i]->id));
    for (int i = 0; i < s->config->n_seeds; i++)
        json_array_append_new(seeds, json_integer(s->config->seeds[i]));
    for (int k = 0; k < s->config->n_objectives; k++)
        json_array_append_new(objectives, json_pack("{s:s, s:b}", "name", s->config->objective[k].name, "minimize",
                                                    s->config->objective[k].minimize));
    for (int k = s->config->n_objectives; k < s->config->n_scored; k++)
        json_array_append_new(objectives, json_pack("{s:s, s:b}", "name", s->config->objective[k].name, "report", 1));
    json_t *all =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:b}", "version", PR_VERSION, "task", s->inputs->task,
                  "policies", policies, "made", made, "objectives", objectives, "seeds", seeds, "search", search,
                  "prompts", s->n_prompts, "samples", s->config->front_samples, "base", s->config->base);
    pr_json_hash(all, out);
    json_decref(all);
}

/* Name -> hash of the tables that are there. New reference. */
static json_t *hash_tables(const char *dir)
{
    json_t *files = json_object();
    for (size_t i = 0; i < TABLES; i++) {
        char hash[PR_HASH_HEX], *path = pr_results_path(dir, "%s", tables[i]);
        if (pr_hash_file(path, hash, NULL) == PR_OK)
            json_object_set_new(files, tables[i], json_string(hash));
        free(path);
    }
    return files;
}

pr_status_t pr_sweep_tables_written(pr_sweep_t *s, size_t rows, pr_error_t *err)
{
    char key[PR_HASH_HEX];
    content_key(s, key);
    json_t *line = json_pack("{s:o, s:s, s:b, s:I, s:o}", "files", hash_tables(pr_sweep_dir(s)), "of", key, "complete",
                             pr_sweep_complete(s), "rows", (json_int_t)rows, "warnings",
                             s->warnings ? json_incref(s->warnings) : json_array());
    static const char *const keys[] = {"files", "of", "complete", "rows", "warnings"};
    const json_t *before = s->fold->tables;
    bool known = before != NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        known = known && json_equal(json_object_get(before, keys[i]), json_object_get(line, keys[i]));
    if (!known)
        return pr_sweep_tell_now(s, "tables", line, true, err);
    json_decref(line);
    return PR_OK;
}

bool pr_sweep_tables_are_ours(const pr_sweep_t *s)
{
    char key[PR_HASH_HEX];
    const char *of = json_string_value(json_object_get(s->fold->tables, "of"));
    content_key(s, key);
    return of && strcmp(of, key) == 0;
}

bool pr_sweep_tables_stand(const char *dir, const json_t *line)
{
    const json_t *written = json_object_get(line, "files");
    if (!json_is_true(json_object_get(line, "complete")) || json_object_size(written) != TABLES)
        return false;
    json_t *files = hash_tables(dir);
    bool same = json_equal(files, written);
    json_decref(files);
    return same;
}

bool pr_sweep_tables_finished(const pr_sweep_t *s, size_t rows)
{
    // Those of a configuration that this one adds to give way to no fewer rows.
    json_int_t before = json_integer_value(json_object_get(s->fold->tables, "rows"));
    bool more = !pr_sweep_tables_are_ours(s) && rows > 0 && (json_int_t)rows >= before;
    return !more && pr_sweep_tables_stand(pr_sweep_dir(s), s->fold->tables);
}

/* ---- for readers of tables ---- */

static pr_status_t find_tables(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    (void)err;
    if (strcmp(event, "tables") == 0)
        pr_journal_keep(self, line);
    return PR_OK;
}

pr_status_t pr_sweep_check_table(const char *dir, const char *name, bool *known, pr_error_t *err)
{
    char found[PR_HASH_HEX], damage[256], *path = pr_results_path(dir, "%s", name),
                                          *journal = pr_results_path(dir, PR_FILE_JOURNAL);
    pr_journal_stats_t stats;
    json_t *last = NULL;
    pr_status_t status = PR_OK;
    *known = false;
    PR_GO(pr_journal_read(journal, find_tables, &last, &stats, err));
    pr_journal_damage(&stats, damage, sizeof damage);
    if (pr_file_exists(journal) && stats.lines == 0)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: %s%s, so that nothing tells whether %s is what the sweep wrote", journal,
                      damage[0] ? "no good line: " : "empty", damage, path));
    const char *hash = json_string_value(json_object_get(json_object_get(last, "files"), name));
    *known = hash != NULL;
    if (hash)
        PR_GO(pr_hash_file(path, found, err));
    if (hash && strcmp(found, hash) != 0)
        status = pr_fail(err, PR_ERR_FORMAT,
                         "%s: not what the sweep wrote (its hash is %s, the journal says %s); `paretorank run %s` "
                         "writes it again",
                         path, found, hash, dir);
done:
    json_decref(last);
    free(path);
    free(journal);
    return status;
}
