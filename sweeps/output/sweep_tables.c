/* What the tables of a results directory are, as the journal remembers it: so that a digit that was changed in one is
 * noticed, and a run that is stopped early does not put less in the place of what was finished. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const tables[] = {"cells.csv",     "front.csv",    "front.json",
                                     "samples.jsonl", "metrics.json", "indicators.json"};
enum { TABLES = sizeof tables / sizeof *tables };

bool pr_sweep_complete(const pr_sweep_t *s)
{
    bool all = s->failed == 0 && !s->end_stopped;
    for (int t = 0; t < s->n_track; t++)
        all = all && s->track[t].done;
    for (int k = 0; k < s->n_expert; k++)
        all = all && s->expert[k].job.state == PR_JOB_DONE;
    for (int k = 0; k < s->n_fit; k++)
        all = all && s->fit[k].job.state == PR_JOB_DONE;
    for (size_t i = 0; i < s->n_again; i++)
        all = all && s->again[i]->job.state == PR_JOB_DONE;
    return all;
}

/* What the tables are made of, but for the results: a hash. */
static void content_key(const pr_sweep_t *s, char out[PR_HASH_HEX])
{
    json_t *policies = json_array(), *experts = json_array(), *objectives = json_array();
    for (int i = 0; i < s->n_track; i++)
        json_array_append_new(policies, json_string(s->track[i].policy));
    for (int i = 0; i < s->n_expert; i++)
        json_array_append_new(experts, json_string(s->expert[i].job.id));
    for (int k = 0; k < s->config->n_objectives; k++)
        json_array_append_new(objectives, json_pack("{s:s, s:b}", "name", s->config->objective[k].name, "minimize",
                                                    s->config->objective[k].minimize));
    json_t *search = json_deep_copy(json_object_get(s->inputs.config, "search")), *one;
    size_t i;
    json_array_foreach(search, i, one) json_object_del(one, "file"); // where it lies; its points are in the results
    json_t *all = json_pack("{s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "version", PR_VERSION, "policies", policies,
                            "experts", experts, "objectives", objectives, "search", search, "prompts", s->n_prompts,
                            "samples", s->config->front_samples);
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

pr_status_t pr_sweep_tables_written(pr_sweep_t *s, pr_error_t *err)
{
    char key[PR_HASH_HEX];
    content_key(s, key);
    json_t *line = json_pack("{s:o, s:s, s:b}", "files", hash_tables(pr_sweep_dir(s)), "of", key, "complete",
                             pr_sweep_complete(s));
    static const char *const keys[] = {"files", "of", "complete"};
    bool known = s->tables != NULL;
    for (size_t i = 0; i < 3; i++)
        known = known && json_equal(json_object_get(s->tables, keys[i]), json_object_get(line, keys[i]));
    pr_status_t status = known ? PR_OK : pr_journal_append(s->journal, "tables", line, true, err);
    json_decref(s->tables);
    s->tables = line;
    return status;
}

bool pr_sweep_tables_are_ours(const pr_sweep_t *s)
{
    char key[PR_HASH_HEX];
    const char *of = json_string_value(json_object_get(s->tables, "of"));
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

bool pr_sweep_tables_finished(const pr_sweep_t *s)
{
    // Those of an earlier configuration give way to this one's, but not to nothing.
    bool replaced = !pr_sweep_tables_are_ours(s) && s->n_evaluated > 0;
    return !replaced && pr_sweep_tables_stand(pr_sweep_dir(s), s->tables);
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
                                          *journal = pr_results_path(dir, "journal.jsonl");
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
