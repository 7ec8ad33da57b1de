#include "jobs/artifact.h"
#include "base/file.h"
#include "base/mem.h"
#include "jobs/identity.h"
#include "store/journal.h"

#include <stdlib.h>
#include <string.h>

/* The hash of what the last job of that label wrote. */
typedef struct pr_sought {
    const char *label, *key; // "empathy-s1", "expert"
    char hash[PR_HASH_HEX];
} pr_sought_t;

static pr_status_t find(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_sought_t *s = self;
    const char *label = json_string_value(json_object_get(line, "label")),
               *hash = json_string_value(json_object_get(json_object_get(line, "result"), s->key));
    (void)err;
    if (label && hash && strcmp(event, "job_done") == 0 && strcmp(label, s->label) == 0)
        snprintf(s->hash, sizeof s->hash, "%s", hash);
    return PR_OK;
}

/* found: the hash of the content. */
static pr_status_t check(const char *path, const char *journal, pr_sought_t *s, char found[PR_HASH_HEX],
                         pr_error_t *err)
{
    char damage[256];
    bool head = strcmp(s->key, "head") == 0;
    pr_journal_stats_t stats;
    PR_TRY(pr_journal_read(journal, find, s, &stats, err));
    pr_journal_damage(&stats, damage, sizeof damage);
    PR_TRY(head ? pr_hash_file(path, found, err) : pr_adapter_hash(path, found, err));
    if (!s->hash[0])
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: the journal has no job that wrote it%s%s, so that nothing tells whether "
                       "it is whole",
                       path, damage[0] ? ": " : "", damage);
    if (strcmp(found, s->hash) != 0)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: not what its %s job wrote (its hash is %s, the journal says %s); `paretorank run` on the "
                       "results directory makes it again",
                       path, head ? "fit_reward" : "fine-tune", found, s->hash);
    return PR_OK;
}

/* "x.safetensors" -> "x-head"; another name is none of a head's. */
static bool head_label(const char *name, char *out, size_t size)
{
    static const char end[] = ".safetensors";
    size_t n = strlen(name);
    if (n <= strlen(end) || strcmp(name + n - strlen(end), end) != 0)
        return false;
    snprintf(out, size, "%.*s-head", (int)(n - strlen(end)), name);
    return true;
}

/* found: where it is known. */
static pr_status_t check_path(const char *path, bool *known, char found[PR_HASH_HEX], pr_error_t *err)
{
    char label[300] = "", *real = realpath(path, NULL), *folder = real ? pr_path_dir(real) : NULL,
         *dir = folder ? pr_path_dir(folder) : NULL, *journal = dir ? pr_path_join(dir, "journal.jsonl") : NULL;
    const char *name = real ? strrchr(real, '/') + 1 : "", *kind = folder ? strrchr(folder, '/') + 1 : "";
    pr_sought_t s = {.label = label};
    pr_status_t status = PR_OK;
    if (strcmp(kind, "experts") == 0 && snprintf(label, sizeof label, "%s", name) > 0)
        s.key = "expert";
    else if (strcmp(kind, "heads") == 0 && head_label(name, label, sizeof label))
        s.key = "head";
    *known = s.key && pr_file_exists(journal);
    if (*known)
        status = check(path, journal, &s, found, err);
    free(journal);
    free(dir);
    free(folder);
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
