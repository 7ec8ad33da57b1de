// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/artifact.h"
#include "base/file.h"
#include "base/mem.h"
#include "family/family.h"
#include "model/config.h"
#include "store/journal.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* ---- hashes ---- */

/* Hashes the named files' hashes; a missing optional file counts as "-". */
static pr_status_t hash_files(const char *dir, const char *const *name, size_t n, char out[PR_HASH_HEX],
                              pr_error_t *err)
{
    pr_buf_t all = {0};
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++) {
        char hex[PR_HASH_HEX] = "-";
        char *path = pr_path_join(dir, name[i]);
        if (pr_file_exists(path))
            status = pr_hash_file(path, hex, err);
        pr_buf_printf(&all, "%s %s\n", name[i], hex);
        free(path);
    }
    if (status == PR_OK)
        pr_hash_hex(all.data, all.len, out);
    pr_buf_free(&all);
    return status;
}

pr_status_t pr_adapter_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err)
{
    static const char *const files[] = {"adapter_config.json", "adapter_model.safetensors", PR_FAMILY_FILE,
                                        PR_FAMILY_TENSORS};
    for (size_t i = 0; i < 2; i++)
        if (!pr_file_exists_in(dir, files[i]))
            return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no %s in this directory", dir, files[i]);
    // A family's files are two more.
    bool family = pr_file_exists_in(dir, PR_FAMILY_FILE) || pr_file_exists_in(dir, PR_FAMILY_TENSORS);
    return hash_files(dir, files, family ? 4 : 2, out, err);
}

pr_status_t pr_artifact_hash(pr_artifact_kind_t kind, const char *path, char out[PR_HASH_HEX], pr_error_t *err)
{
    return kind == PR_ARTIFACT_ADAPTER ? pr_adapter_hash(path, out, err) : pr_hash_file(path, out, err);
}

pr_status_t pr_model_dir_hash(const char *dir, char out[PR_HASH_HEX], pr_error_t *err)
{
    PR_TRY(pr_model_dir_check(dir, err));
    char *pattern = pr_path_join(dir, "*.safetensors");
    glob_t found = {0};
    int rc = glob(pattern, 0, NULL, &found); // in order of name
    free(pattern);
    if (rc != 0 && rc != GLOB_NOMATCH)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot list the directory", dir);
    if (rc == GLOB_NOMATCH)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no model here (no *.safetensors)", dir);
    const char **name = pr_alloc(found.gl_pathc + 4, sizeof *name);
    size_t n = 0;
    name[n++] = "config.json";
    name[n++] = "generation_config.json";
    name[n++] = "tokenizer.json";
    name[n++] = "model.safetensors.index.json";
    for (size_t i = 0; i < found.gl_pathc; i++)
        name[n++] = strrchr(found.gl_pathv[i], '/') + 1;
    pr_status_t status = hash_files(dir, name, n, out, err);
    free(name);
    globfree(&found);
    return status;
}

/* ---- what jobs left ---- */

/* The hash of what the last job of that identity, or else of that label, left. */
typedef struct pr_sought {
    bool head;
    const char *id, *label; // one of them
    char hash[PR_HASH_HEX], kind[64];
} pr_sought_t;

static pr_status_t find(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_sought_t *s = self;
    const char *value = json_string_value(json_object_get(line, s->id ? "job" : "label")),
               *kind = json_string_value(json_object_get(line, "kind")),
               *hash = json_string_value(json_object_get(json_object_get(line, "result"), "artifact"));
    (void)err;
    if (value && hash && strcmp(event, "job_done") == 0 && strcmp(value, s->id ? s->id : s->label) == 0) {
        snprintf(s->hash, sizeof s->hash, "%s", hash);
        snprintf(s->kind, sizeof s->kind, "%s", kind ? kind : "");
    }
    return PR_OK;
}

/* found: the hash of the content. */
static pr_status_t check(const char *path, const char *journal, pr_sought_t *s, char found[PR_HASH_HEX],
                         pr_error_t *err)
{
    char damage[256];
    pr_journal_stats_t stats;
    PR_TRY(pr_journal_read(journal, find, s, &stats, err));
    pr_journal_damage(&stats, damage, sizeof damage);
    PR_TRY(pr_artifact_hash(s->head ? PR_ARTIFACT_HEAD : PR_ARTIFACT_ADAPTER, path, found, err));
    if (!s->hash[0])
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: the journal has no job that wrote it%s%s, so that nothing tells whether it is whole", path,
                       damage[0] ? ": " : "", damage);
    if (strcmp(found, s->hash) != 0)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: not what its %s job wrote (its hash is %s, the journal says %s); `paretorank run` on the "
                       "results directory makes it again",
                       path, s->kind, found, s->hash);
    return PR_OK;
}

/* found: where it is known. */
static pr_status_t check_path(const char *path, bool *known, char found[PR_HASH_HEX], pr_error_t *err)
{
    char label[300] = "", id[PR_HASH_HEX] = "", *real = realpath(path, NULL), *dir = NULL;
    pr_sought_t s = {.head = false};
    pr_status_t status = PR_OK;
    *known = real && pr_artifact_place(real, &dir, &s.head, id, label, sizeof label);
    s.id = id[0] ? id : NULL;
    s.label = label;
    char *journal = dir ? pr_results_path(dir, PR_FILE_JOURNAL) : NULL;
    *known = *known && pr_file_exists(journal);
    if (*known)
        status = check(path, journal, &s, found, err);
    free(journal);
    free(dir);
    free(real);
    return status;
}

pr_status_t pr_artifact_check(const char *path, bool *known, pr_error_t *err)
{
    char found[PR_HASH_HEX];
    return check_path(path, known, found, err);
}

pr_status_t pr_artifact_adapter_hash(const char *path, char out[PR_HASH_HEX], pr_error_t *err)
{
    bool known;
    PR_TRY(check_path(path, &known, out, err));
    return known ? PR_OK : pr_adapter_hash(path, out, err);
}
