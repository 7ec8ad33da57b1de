// SPDX-License-Identifier: BSD-3-Clause
/* Files: whole reads, read-only maps, and writes that are never seen half-done. */
#ifndef PR_BASE_FILE_H
#define PR_BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a whole file; *data is NUL-terminated behind *len bytes and the caller frees it. Refuses directories and files
 * over max bytes (0: no limit). Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (too large). */
pr_status_t pr_file_read(const char *path, size_t max, char **data, size_t *len, pr_error_t *err);

/* The same for a text: a byte order mark at its beginning is left out, and what is not the text at all is an error that
 * says so: UTF-16 or UTF-32, or a Git LFS pointer. Errors: those of pr_file_read, PR_ERR_FORMAT. */
pr_status_t pr_file_read_text(const char *path, size_t max, char **data, size_t *len, pr_error_t *err);
/* PR_ERR_FORMAT if the bytes of path are the small file that Git LFS leaves in place of one that it has not fetched,
 * else PR_OK. */
pr_status_t pr_check_fetched(const char *path, const void *data, size_t len, pr_error_t *err);

/* Which file, in which state: as long as two are equal, its bytes are, provided that the first was taken a tick of the
 * file system's clock after the last change (pr_file_id_settle). Times in nanoseconds since 1970. */
typedef struct pr_file_id {
    uint64_t device, inode, size;
    int64_t modified, changed;
} pr_file_id_t;

/* Of the file that path names now. Errors: PR_ERR_NOT_FOUND. */
pr_status_t pr_file_id(const char *path, pr_file_id_t *out, pr_error_t *err);
bool pr_file_id_equal(const pr_file_id_t *a, const pr_file_id_t *b);
/* Waits until a change from now on would be seen in the file's times: not at all unless it was changed a moment ago. */
void pr_file_id_settle(const pr_file_id_t *id);

/* A read-only map of a file. */
typedef struct pr_map {
    const unsigned char *data;
    size_t len;
    pr_file_id_t id; // as it was when it was mapped
} pr_map_t;

pr_status_t pr_map_open(const char *path, pr_map_t *out, pr_error_t *err);
/* Tells the kernel that these bytes of the map will not be needed again soon, so that they stop counting as
 * resident. */
void pr_map_release(const pr_map_t *map, size_t offset, size_t len);
void pr_map_close(pr_map_t *map);

/* Writes to a temporary name beside path, syncs, renames, syncs the directory: path holds the old content or the new,
 * never a part. Errors: PR_ERR_IO; nothing is left behind. */
pr_status_t pr_file_write(const char *path, const void *data, size_t len, pr_error_t *err);

/* The parts of it, for files that are appended to. Writes all bytes to fd, in as many calls as it takes; -1 with errno
 * set when one fails, and then a part may have been written. */
int pr_fd_write(int fd, const char *data, size_t len);
/* The same with the error told; path is what fd is. Errors: PR_ERR_IO. */
pr_status_t pr_fd_put(int fd, const char *path, const void *data, size_t len, pr_error_t *err);
/* Syncs the directory that holds path, so that a new or renamed file in it lasts; what cannot be synced is left. */
void pr_sync_dir_of(const char *path);

/* As mkdir -p. */
pr_status_t pr_mkdirs(const char *path, pr_error_t *err);
bool pr_file_exists(const char *path);
bool pr_dir_exists(const char *path);
/* A file dir/name. */
bool pr_file_exists_in(const char *dir, const char *name);
/* dir + "/" + name, or name itself when it is absolute or dir is empty. Caller frees. */
char *pr_path_join(const char *dir, const char *name);
/* The directory part of a path ("." when there is none). Caller frees. */
char *pr_path_dir(const char *path);

/* The names in a directory but those that begin with a dot, in order of bytes. Caller frees each and the list.
 * One that is not there has none. Errors: PR_ERR_NOT_FOUND. *names and *n are set in any case. */
pr_status_t pr_dir_names(const char *dir, char ***names, size_t *n, pr_error_t *err);

#endif
