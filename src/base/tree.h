// SPDX-License-Identifier: BSD-3-Clause
/* Directories that are made beside their place and put there when they are whole.
 *
 *   char *tmp = pr_tree_beside(out);
 *   ... write into tmp ...
 *   status = pr_tree_put(tmp, out, err);    or, when something went wrong: pr_tree_remove(tmp) */
#ifndef PR_BASE_TREE_H
#define PR_BASE_TREE_H

#include "base/error.h"

/* "OUT.tmp-PID". Caller frees. */
char *pr_tree_beside(const char *out);
/* Makes tmp be out. Where there is such a directory, its files take the places of those of their names, one after the
 * other, and others stay. tmp is then gone. Errors: PR_ERR_IO. */
pr_status_t pr_tree_put(const char *tmp, const char *out, pr_error_t *err);
/* Deletes it with all that is in it, as far as that can be done; follows no link. */
void pr_tree_remove(const char *path);
/* Copies a file to a name at which there is none. Errors: PR_ERR_NOT_FOUND, PR_ERR_IO. */
pr_status_t pr_tree_copy(const char *from, const char *to, pr_error_t *err);

#endif
