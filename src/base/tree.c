// SPDX-License-Identifier: BSD-3-Clause
#include "base/tree.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *pr_tree_beside(const char *out)
{
    pr_buf_t b = {0};
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/')
        n--;
    pr_buf_printf(&b, "%.*s.tmp-%ld", (int)n, out, (long)getpid());
    return b.data;
}

static pr_status_t put(const char *tmp, const char *out, pr_error_t *err)
{
    char **names;
    size_t n;
    if (!pr_dir_exists(tmp) || !pr_dir_exists(out)) {
        if (rename(tmp, out) == 0)
            return PR_OK;
        return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", out, strerror(errno));
    }
    pr_status_t status = pr_dir_names(tmp, &names, &n, err);
    for (size_t i = 0; i < n; i++) {
        char *from = pr_path_join(tmp, names[i]), *to = pr_path_join(out, names[i]);
        if (status == PR_OK)
            status = put(from, to, err);
        free(from);
        free(to);
        free(names[i]);
    }
    free(names);
    return status;
}

pr_status_t pr_tree_put(const char *tmp, const char *out, pr_error_t *err)
{
    PR_TRY(put(tmp, out, err));
    pr_sync_dir_of(out);
    pr_tree_remove(tmp);
    return PR_OK;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    remove(path);
    return 0;
}

void pr_tree_remove(const char *path)
{
    enum { OPEN = 16 };
    nftw(path, remove_one, OPEN, FTW_DEPTH | FTW_PHYS);
}

pr_status_t pr_tree_copy(const char *from, const char *to, pr_error_t *err)
{
    pr_map_t map;
    PR_TRY(pr_map_open(from, &map, err));
    pr_status_t status = pr_file_write(to, map.data, map.len, err);
    pr_map_close(&map);
    return status;
}
