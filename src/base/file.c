// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- which file ---- */

static int64_t nanoseconds(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static pr_file_id_t id_of(const struct stat *st)
{
    return (pr_file_id_t){.device = (uint64_t)st->st_dev,
                          .inode = (uint64_t)st->st_ino,
                          .size = (uint64_t)st->st_size,
                          .modified = nanoseconds(&st->st_mtim),
                          .changed = nanoseconds(&st->st_ctim)};
}

pr_status_t pr_file_id(const char *path, pr_file_id_t *out, pr_error_t *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    *out = id_of(&st);
    return PR_OK;
}

bool pr_file_id_equal(const pr_file_id_t *a, const pr_file_id_t *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->modified == b->modified &&
           a->changed == b->changed;
}

void pr_file_id_settle(const pr_file_id_t *id)
{
    // Kernels stamp files with the time of their last tick; some file systems keep whole seconds only.
    const int64_t second = 1000000000, tick = id->changed % second == 0 ? 2 * second : second / 50;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = id->changed + tick - nanoseconds(&now);
    if (left <= 0 || left > tick) // a stamp from the future is of another clock
        return;
    struct timespec wait = {.tv_sec = (time_t)(left / second), .tv_nsec = (long)(left % second)};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

/* ---- reading ---- */

static pr_status_t open_regular(const char *path, int *fd, pr_file_id_t *id, pr_error_t *err)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(*fd);
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: not a regular file", path);
    }
    *id = id_of(&st);
    return PR_OK;
}

pr_status_t pr_file_read(const char *path, size_t max, char **data, size_t *len, pr_error_t *err)
{
    int fd;
    pr_file_id_t id = {0};
    PR_TRY(open_regular(path, &fd, &id, err));
    size_t size = (size_t)id.size;
    if (max && size > max) {
        close(fd);
        return pr_fail(err, PR_ERR_FORMAT, "%s: %zu bytes, at most %zu are accepted", path, size, max);
    }
    char *buf = pr_alloc(size + 1, 1);
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, buf + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    int error = errno;
    close(fd);
    if (got < size) {
        free(buf);
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: read %zu of %zu bytes: %s", path, got, size, strerror(error));
    }
    *data = buf;
    *len = size;
    return PR_OK;
}

pr_status_t pr_check_fetched(const char *path, const void *data, size_t len, pr_error_t *err)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/";
    enum { LARGEST = 1024 }; // of a pointer, as its specification says
    if (len < sizeof pointer || len >= LARGEST || memcmp(data, pointer, sizeof pointer - 1) != 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT,
                   "%s: found a Git LFS pointer, not the file that it stands for (fetch it: git lfs pull)", path);
}

// The name of an encoding that is not UTF-8, told by its byte order mark or by the NUL in its first character.
static const char *other_encoding(const char *data, size_t len)
{
    if (len >= 4 && (memcmp(data, "\xFF\xFE\0\0", 4) == 0 || memcmp(data, "\0\0\xFE\xFF", 4) == 0))
        return "UTF-32";
    if (len >= 2 && (memcmp(data, "\xFF\xFE", 2) == 0 || memcmp(data, "\xFE\xFF", 2) == 0))
        return "UTF-16";
    return len >= 2 && len % 2 == 0 && !data[0] != !data[1] ? "UTF-16" : NULL;
}

pr_status_t pr_file_read_text(const char *path, size_t max, char **data, size_t *len, pr_error_t *err)
{
    PR_TRY(pr_file_read(path, max, data, len, err));
    const char *encoding = other_encoding(*data, *len);
    pr_status_t status = pr_check_fetched(path, *data, *len, err);
    if (encoding)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected UTF-8 (convert it: iconv -f %s -t UTF-8)", path,
                         encoding, encoding);
    if (status != PR_OK) {
        free(*data);
        return status;
    }
    if (*len >= 3 && memcmp(*data, "\xEF\xBB\xBF", 3) == 0) {
        *len -= 3;
        memmove(*data, *data + 3, *len + 1);
    }
    return PR_OK;
}

pr_status_t pr_map_open(const char *path, pr_map_t *out, pr_error_t *err)
{
    int fd;
    pr_file_id_t id = {0};
    PR_TRY(open_regular(path, &fd, &id, err));
    size_t size = (size_t)id.size;
    void *p = NULL;
    if (size > 0) {
        p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            int error = errno;
            close(fd);
            return pr_fail(err, PR_ERR_ENV, "%s: cannot map %zu bytes: %s", path, size, strerror(error));
        }
    }
    close(fd);
    *out = (pr_map_t){p, size, id};
    return PR_OK;
}

void pr_map_release(const pr_map_t *map, size_t offset, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (offset + page - 1) / page * page, last = (offset + len) / page * page;
    if (map->data && last > first && last <= map->len)
        madvise((void *)(uintptr_t)(map->data + first), last - first, MADV_DONTNEED);
}

void pr_map_close(pr_map_t *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->len);
    *map = (pr_map_t){0};
}

int pr_fd_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

pr_status_t pr_fd_put(int fd, const char *path, const void *data, size_t len, pr_error_t *err)
{
    if (pr_fd_write(fd, data, len) == 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
}

void pr_sync_dir_of(const char *path)
{
    char *dir = pr_path_dir(path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

/* Renaming puts a file in the place of whatever is there, a device too. */
static pr_status_t check_replaceable(const char *path, pr_error_t *err)
{
    struct stat st;
    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return PR_OK;
    return pr_fail(err, PR_ERR_IO, "%s: cannot write: found %s, expected a regular file or nothing", path,
                   S_ISDIR(st.st_mode) ? "a directory" : "what is no regular file");
}

pr_status_t pr_file_write(const char *path, const void *data, size_t len, pr_error_t *err)
{
    pr_buf_t tmp = {0};
    PR_TRY(check_replaceable(path, err));
    pr_buf_printf(&tmp, "%s.tmp-%ld", path, (long)getpid());
    int fd = open(tmp.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int bad = fd < 0 || pr_fd_write(fd, data, len) != 0 || fsync(fd) != 0;
    int error = errno;
    if (fd >= 0 && close(fd) != 0 && !bad) {
        bad = 1;
        error = errno;
    }
    if (!bad && rename(tmp.data, path) != 0) {
        bad = 1;
        error = errno;
    }
    if (bad) {
        unlink(tmp.data);
        pr_buf_free(&tmp);
        return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(error));
    }
    pr_buf_free(&tmp);
    pr_sync_dir_of(path);
    return PR_OK;
}

pr_status_t pr_mkdirs(const char *path, pr_error_t *err)
{
    char *copy = pr_strdup(path);
    for (char *p = copy + 1; *copy; p++) {
        if (*p != '/' && *p)
            continue;
        char keep = *p;
        *p = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            int error = errno;
            pr_fail(err, PR_ERR_IO, "%s: cannot make the directory: %s", copy, strerror(error));
            free(copy);
            return PR_ERR_IO;
        }
        *p = keep;
        if (!keep)
            break;
    }
    free(copy);
    return pr_dir_exists(path) ? PR_OK : pr_fail(err, PR_ERR_IO, "%s: not a directory", path);
}

bool pr_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool pr_dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *pr_path_join(const char *dir, const char *name)
{
    pr_buf_t b = {0};
    if (name[0] != '/' && dir[0])
        pr_buf_printf(&b, "%s/", dir);
    pr_buf_puts(&b, name);
    return b.data;
}

bool pr_file_exists_in(const char *dir, const char *name)
{
    char *path = pr_path_join(dir, name);
    bool there = pr_file_exists(path);
    free(path);
    return there;
}

char *pr_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return pr_strdup(".");
    return slash == path ? pr_strdup("/") : pr_strndup(path, (size_t)(slash - path));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

pr_status_t pr_dir_names(const char *dir, char ***names, size_t *n, pr_error_t *err)
{
    *names = NULL;
    *n = 0;
    DIR *d = opendir(dir);
    if (!d)
        return errno == ENOENT ? PR_OK : pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            *names = pr_realloc(*names, *n + 1, sizeof **names);
            (*names)[(*n)++] = pr_strdup(e->d_name);
        }
    closedir(d);
    if (*n > 0)
        qsort(*names, *n, sizeof **names, by_name);
    return PR_OK;
}
