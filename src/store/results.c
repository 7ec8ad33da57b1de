#include "store/results.h"
#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pr_results {
    char *dir;
    int lock;
};

// ---- the lock ----

/* The lock of the open file, or of the process where the system or file system does not have that. */
static int fcntl_lock(int fd, int ofd_command, int command, struct flock *lock)
{
    if (fcntl(fd, ofd_command, lock) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -1;
    return fcntl(fd, command, lock);
}

static int try_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl_lock(fd, F_OFD_SETLK, F_SETLK, &lock);
}

/* "process 123 on node7", as the lock file says. */
static void read_owner(int fd, char *owner, size_t size)
{
    ssize_t n = pread(fd, owner, size - 1, 0);
    owner[n > 0 ? n : 0] = 0;
    owner[strcspn(owner, "\n")] = 0;
    if (!owner[0])
        snprintf(owner, size, "another process");
}

static pr_status_t write_owner(int fd, const char *path, pr_error_t *err)
{
    char host[256] = "", text[320];
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "an unknown host");
    int n = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return pr_fail(err, PR_ERR_IO, "%s: cannot write: %s", path, strerror(errno));
    return PR_OK;
}

static pr_status_t take_lock(const char *dir, const char *path, int *out, pr_error_t *err)
{
    char owner[320];
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0)
        return pr_fail(err, PR_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    pr_status_t status = PR_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        status = pr_fail(err, PR_ERR_IO, "%s: not a regular file", path);
    } else if (try_lock(fd) == 0) {
        status = write_owner(fd, path, err);
    } else if (errno == EAGAIN || errno == EACCES) {
        read_owner(fd, owner, sizeof owner);
        status = pr_fail(err, PR_ERR_LOCKED, "%s: %s works in this results directory", dir, owner);
    } else {
        status = pr_fail(err, PR_ERR_IO, "%s: cannot lock: %s", path, strerror(errno));
    }
    if (status == PR_OK)
        *out = fd;
    else
        close(fd);
    return status;
}

bool pr_results_locked(const char *dir, char *owner, size_t size)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = pr_results_path(dir, ".lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    free(path);
    if (fd < 0)
        return false;
    bool locked = fcntl_lock(fd, F_OFD_GETLK, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (locked && owner && size > 0)
        read_owner(fd, owner, size);
    close(fd);
    return locked;
}

// ---- the directory ----

static pr_status_t make_folders(const char *dir, pr_error_t *err)
{
    static const char *const folders[] = {"experts", "checkpoints"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = pr_path_join(dir, folders[i]);
        pr_status_t status = pr_mkdirs(path, err);
        free(path);
        PR_TRY(status);
    }
    return PR_OK;
}

pr_status_t pr_results_open(const char *dir, pr_results_t **out, pr_error_t *err)
{
    int lock = -1;
    PR_TRY(pr_mkdirs(dir, err));
    char *path = pr_path_join(dir, ".lock");
    pr_status_t status = take_lock(dir, path, &lock, err);
    free(path);
    PR_TRY(status);
    status = make_folders(dir, err);
    if (status != PR_OK) {
        close(lock);
        return status;
    }
    pr_results_t *r = pr_alloc(1, sizeof *r);
    r->dir = pr_strdup(dir);
    r->lock = lock;
    *out = r;
    return PR_OK;
}

void pr_results_close(pr_results_t **r)
{
    if (!*r)
        return;
    // Emptied, so that nobody who comes next is told of a process that has gone.
    if (ftruncate((*r)->lock, 0) != 0)
        errno = 0;
    close((*r)->lock);
    free((*r)->dir);
    free(*r);
    *r = NULL;
}

const char *pr_results_dir(const pr_results_t *r)
{
    return r->dir;
}

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

// ---- what a killed process left ----

static bool is_temporary(const char *name)
{
    const char *mark = strstr(name, ".tmp-");
    for (const char *next; mark && (next = strstr(mark + 1, ".tmp-"));)
        mark = next;
    if (!mark || mark == name)
        return false;
    const char *digits = mark + strlen(".tmp-");
    return *digits && digits[strspn(digits, "0123456789")] == 0;
}

static void sweep_folder(int parent, const char *name, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode) && depth > 0)
            sweep_folder(fd, e->d_name, depth - 1);
        else if (S_ISREG(st.st_mode) && is_temporary(e->d_name))
            unlinkat(fd, e->d_name, 0);
    }
    closedir(d);
}

void pr_results_sweep_temporaries(const pr_results_t *r)
{
    // The directory itself may be named through a link; what is below it may not.
    int fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    sweep_folder(fd, ".", 2);
    close(fd);
}
