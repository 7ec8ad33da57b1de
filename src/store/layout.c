// SPDX-License-Identifier: BSD-3-Clause
#include "store/layout.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char head_file[] = "head.safetensors", head_end[] = ".safetensors";

char *pr_results_path(const char *dir, const char *format, ...)
{
    va_list args;
    char *name = NULL;
    va_start(args, format);
    int n = vasprintf(&name, format, args);
    va_end(args);
    if (n < 0)
        abort();
    char *path = pr_path_join(dir, name);
    free(name);
    return path;
}

/* Where each kind lies: the file in the job's folder, or "" where it is the folder; the links' folder, and their end. */
typedef struct place {
    const char *file, *links, *end;
} place_t;

static place_t place_of(pr_artifact_kind_t kind)
{
    static const place_t places[] = {[PR_ARTIFACT_NONE] = {"", PR_FOLDER_EXPERTS, ""},
                                     [PR_ARTIFACT_ADAPTER] = {"", PR_FOLDER_EXPERTS, ""},
                                     [PR_ARTIFACT_HEAD] = {head_file, PR_FOLDER_HEADS, head_end},
                                     [PR_ARTIFACT_ROUTE] = {"route.safetensors", PR_FOLDER_ROUTES, head_end}};
    return places[kind];
}

char *pr_artifact_path(const char *dir, pr_artifact_kind_t kind, const char *job)
{
    place_t p = place_of(kind);
    return pr_results_path(dir, PR_FOLDER_ARTIFACTS "/%s%s%s", job, p.file[0] ? "/" : "", p.file);
}

char *pr_artifact_link_path(const char *dir, pr_artifact_kind_t kind, const char *label)
{
    place_t p = place_of(kind);
    return pr_results_path(dir, "%s/%s%s", p.links, label, p.end);
}

static bool is_id(const char *name)
{
    return strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32;
}

bool pr_artifact_place(const char *path, char **dir, bool *head, char id[33], char *label, size_t size)
{
    const char *name = strrchr(path, '/');
    char *up = pr_path_dir(path), *over = NULL;
    const char *folder = strrchr(up, '/');
    bool found = false;
    name = name ? name + 1 : path;
    folder = folder ? folder + 1 : up;
    size_t n = strlen(name), end = strlen(head_end);
    id[0] = label[0] = 0;
    *dir = NULL;
    *head = strcmp(name, head_file) == 0 && is_id(folder);
    if (*head) { // DIR/artifacts/<id>/head.safetensors
        snprintf(id, 33, "%s", folder);
        over = pr_path_dir(up);
        found = strcmp(strrchr(over, '/') ? strrchr(over, '/') + 1 : over, PR_FOLDER_ARTIFACTS) == 0;
        *dir = pr_path_dir(over);
    } else if (strcmp(folder, PR_FOLDER_ARTIFACTS) == 0 && is_id(name)) {
        snprintf(id, 33, "%s", name);
        found = true;
        *dir = pr_path_dir(up);
    } else if (strcmp(folder, PR_FOLDER_EXPERTS) == 0) {
        snprintf(label, size, "%s", name);
        found = true;
        *dir = pr_path_dir(up);
    } else if (strcmp(folder, PR_FOLDER_HEADS) == 0 && n > end && strcmp(name + n - end, head_end) == 0) {
        snprintf(label, size, "%.*s-head", (int)(n - end), name);
        found = *head = true;
        *dir = pr_path_dir(up);
    }
    free(over);
    free(up);
    return found;
}

char *pr_checkpoint_path(const char *dir, const char *kind, const char *id)
{
    return pr_results_path(dir, PR_FOLDER_CHECKPOINTS "/%s-%s%s", kind, id, PR_END_CHECKPOINT);
}

bool pr_checkpoint_name(const char *name, const char *kind, char id[33])
{
    size_t n = strlen(kind);
    if (strncmp(name, kind, n) != 0 || name[n] != '-' || strspn(name + n + 1, "0123456789abcdef") != 32 ||
        strcmp(name + n + 33, PR_END_CHECKPOINT) != 0)
        return false;
    snprintf(id, 33, "%.32s", name + n + 1);
    return true;
}

pr_status_t pr_artifact_link(const char *dir, pr_artifact_kind_t kind, const char *label, const char *job,
                             pr_error_t *err)
{
    char target[128], found[128], *path = pr_artifact_link_path(dir, kind, label), *folder = pr_path_dir(path), *fresh;
    place_t p = place_of(kind);
    snprintf(target, sizeof target, "../" PR_FOLDER_ARTIFACTS "/%s%s%s", job, p.file[0] ? "/" : "", p.file);
    ssize_t n = readlink(path, found, sizeof found - 1);
    pr_status_t status = PR_OK;
    fresh = pr_results_path(folder, "%s.tmp-%ld", label, (long)getpid());
    if (n >= 0 && (size_t)n == strlen(target) && memcmp(found, target, (size_t)n) == 0)
        goto done;
    PR_GO(pr_mkdirs(folder, err));
    unlink(fresh);
    if (symlink(target, fresh) != 0 || rename(fresh, path) != 0) {
        status = pr_fail(err, PR_ERR_IO, "%s: cannot link to %s: %s", path, target, strerror(errno));
        unlink(fresh);
    }
done:
    free(fresh);
    free(folder);
    free(path);
    return status;
}
