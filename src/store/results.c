// SPDX-License-Identifier: BSD-3-Clause
#include "store/results.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pr_results {
    char *dir;
    int lock;    // .lock
    int journal; // journal.jsonl, for its lock only
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

/* "process 123 on node7", as the lock file says; false, and "another process", where it says nothing. */
static bool read_owner(int fd, char *owner, size_t size)
{
    ssize_t n = pread(fd, owner, size - 1, 0);
    owner[n > 0 ? n : 0] = 0;
    owner[strcspn(owner, "\n")] = 0;
    bool said = owner[0] != 0;
    if (!said)
        snprintf(owner, size, "another process");
    return said;
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

/* Opens a file of the directory to be locked; fd -1 with errno ENOENT only where it is not there and is not to be. */
static pr_status_t open_lock(const char *path, int flags, int *fd, pr_error_t *err)
{
    struct stat st;
    *fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags, 0666);
    if (*fd < 0)
        return pr_fail(err, errno == ENOENT && !(flags & O_CREAT) ? PR_ERR_NOT_FOUND : PR_ERR_IO, "%s: cannot open: %s",
                       path, strerror(errno));
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        return PR_OK;
    close(*fd);
    return pr_fail(err, PR_ERR_IO, "%s: not a regular file", path);
}

static pr_status_t last_owner(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    const json_t *host = json_object_get(line, "host"), *pid = json_object_get(line, "pid");
    (void)err;
    if (strcmp(event, "sweep_start") == 0 && json_is_string(host) && json_is_integer(pid))
        snprintf(self, 320, "process %lld on %s", (long long)json_integer_value(pid), json_string_value(host));
    return PR_OK;
}

/* Who has the directory: .lock says it, or where that was removed the journal's last start. */
static void name_owner(const char *dir, int lock, char owner[320])
{
    if (read_owner(lock, owner, 320))
        return;
    char *path = pr_path_join(dir, PR_FILE_JOURNAL);
    pr_journal_read(path, last_owner, owner, NULL, NULL);
    free(path);
}

/* lock: .lock's open file. */
static pr_status_t lock_file(const char *dir, const char *path, int fd, int lock, pr_error_t *err)
{
    char owner[320];
    if (try_lock(fd) == 0)
        return PR_OK;
    if (errno != EAGAIN && errno != EACCES)
        return pr_fail(err, PR_ERR_IO, "%s: cannot lock: %s", path, strerror(errno));
    name_owner(dir, lock, owner);
    return pr_fail(err, PR_ERR_LOCKED, "%s: %s works in this results directory", dir, owner);
}

/* Opens a file of the directory and locks it. lock: .lock's open file; -1 for .lock itself. *out is -1 after an
 * error. */
static pr_status_t take(const char *dir, const char *name, int flags, int lock, int *out, pr_error_t *err)
{
    char *path = pr_path_join(dir, name);
    int fd = -1;
    pr_status_t status = open_lock(path, flags, &fd, err);
    if (status == PR_OK) {
        status = lock_file(dir, path, fd, lock < 0 ? fd : lock, err);
        if (status != PR_OK)
            close(fd);
    }
    free(path);
    *out = status == PR_OK ? fd : -1;
    return status;
}

static pr_status_t take_lock(const char *dir, int *out, pr_error_t *err)
{
    return take(dir, PR_FILE_LOCK, O_CREAT | O_NOFOLLOW, -1, out, err);
}

/* The journal's own lock, which holds where somebody has removed .lock. */
static pr_status_t take_journal(const char *dir, int flags, int lock, int *out, pr_error_t *err)
{
    char *path = pr_path_join(dir, PR_FILE_JOURNAL);
    bool fresh = !pr_file_exists(path);
    pr_status_t status = take(dir, PR_FILE_JOURNAL, flags, lock, out, err);
    if (status == PR_OK && fresh)
        pr_sync_dir_of(path);
    free(path);
    return status;
}

static bool is_locked(const char *dir, const char *name, char *owner, size_t size)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = pr_results_path(dir, "%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(path);
    if (fd < 0)
        return false;
    bool locked = fcntl_lock(fd, F_OFD_GETLK, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (locked && owner && size > 0)
        read_owner(fd, owner, size);
    close(fd);
    return locked;
}

bool pr_results_locked(const char *dir, char *owner, size_t size)
{
    if (is_locked(dir, PR_FILE_LOCK, owner, size))
        return true;
    if (owner && size > 0)
        snprintf(owner, size, "another process");
    return is_locked(dir, PR_FILE_JOURNAL, NULL, 0);
}

/* Is the open file still the one of that name? */
static bool same_file(const char *path, int fd)
{
    struct stat named, held;
    return stat(path, &named) == 0 && fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
           named.st_ino == held.st_ino;
}

static pr_status_t restore_lock(pr_results_t *r, const char *path, pr_error_t *err)
{
    int fd = -1;
    pr_error_t why;
    pr_status_t status = take_lock(r->dir, &fd, &why);
    if (status == PR_OK)
        status = write_owner(fd, path, &why);
    if (status != PR_OK) {
        if (fd >= 0)
            close(fd);
        return pr_fail(err, PR_ERR_LOCKED,
                       "%s: was removed while this run held it, and cannot be had again (%s): stopped", path, why.text);
    }
    close(r->lock);
    r->lock = fd;
    pr_log(PR_LOG_WARN, "%s: was removed while this run holds the directory; put back", path);
    return PR_OK;
}

pr_status_t pr_results_check(pr_results_t *r, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    char *journal = pr_path_join(r->dir, PR_FILE_JOURNAL), *lock = pr_path_join(r->dir, PR_FILE_LOCK);
    if (!same_file(journal, r->journal))
        status = pr_fail(err, PR_ERR_LOCKED,
                         "%s: was removed, replaced or moved away under this run: stopped, as another run could begin "
                         "here; put it back, or move the directory back, and start the same command again",
                         journal);
    else if (!same_file(lock, r->lock))
        status = restore_lock(r, lock, err);
    if (status == PR_OK &&
        try_lock(r->journal) != 0) // a lock of the process goes when it closes another open file of it
        status = pr_fail(err, PR_ERR_LOCKED, "%s: the lock was lost to another process: stopped", journal);
    free(journal);
    free(lock);
    return status;
}

// ---- the directory ----

pr_status_t pr_results_known_layout(const char *dir, int layout, pr_error_t *err)
{
    if (layout == PR_LAYOUT)
        return PR_OK;
    return pr_fail(err, PR_ERR_UNSUPPORTED,
                   "%s: found results of layout %d, written by another version; expected layout %d: name another "
                   "results directory, or go on with the version that wrote them",
                   dir, layout ? layout : 1, PR_LAYOUT);
}

/* Ends the reading: a journal may have a million lines more. */
static pr_status_t first_start(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    (void)err;
    if (strcmp(event, "sweep_start") != 0)
        return PR_OK;
    *(int *)self = (int)json_integer_value(json_object_get(line, "layout"));
    return PR_ERR_INTERRUPTED;
}

pr_status_t pr_results_check_layout(const char *dir, pr_error_t *err)
{
    int layout = PR_LAYOUT;
    char *path = pr_path_join(dir, PR_FILE_JOURNAL);
    pr_journal_read(path, first_start, &layout, NULL, NULL); // what cannot be read is told of by who needs it
    free(path);
    return pr_results_known_layout(dir, layout, err);
}

static pr_status_t make_folders(const char *dir, pr_error_t *err)
{
    static const char *const folders[] = {PR_FOLDER_ARTIFACTS, PR_FOLDER_CHECKPOINTS};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = pr_path_join(dir, folders[i]);
        pr_status_t status = pr_mkdirs(path, err);
        free(path);
        PR_TRY(status);
    }
    return PR_OK;
}

/* flags: for the journal. folders: whether what a run needs is made. */
static pr_status_t hold(const char *dir, int flags, bool folders, pr_results_t **out, pr_error_t *err)
{
    int lock = -1, journal = -1;
    char *path = pr_path_join(dir, PR_FILE_LOCK);
    pr_status_t status;
    PR_GO(take_lock(dir, &lock, err));
    PR_GO(take_journal(dir, flags, lock, &journal, err));
    PR_GO(write_owner(lock, path, err));
    if (folders)
        PR_GO(make_folders(dir, err));
    pr_results_t *r = pr_alloc(1, sizeof *r);
    *r = (pr_results_t){.dir = pr_strdup(dir), .lock = lock, .journal = journal};
    *out = r;
done:
    free(path);
    if (status != PR_OK && lock >= 0)
        close(lock);
    if (status != PR_OK && journal >= 0)
        close(journal);
    return status;
}

pr_status_t pr_results_open(const char *dir, pr_results_t **out, pr_error_t *err)
{
    PR_TRY(pr_results_check_layout(dir, err));
    PR_TRY(pr_mkdirs(dir, err));
    return hold(dir, O_CREAT, true, out, err);
}

pr_status_t pr_results_hold(const char *dir, pr_results_t **out, pr_error_t *err)
{
    if (!pr_dir_exists(dir))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", dir);
    if (!pr_file_exists_in(dir, PR_FILE_JOURNAL))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no " PR_FILE_JOURNAL " here: not a results directory", dir);
    PR_TRY(pr_results_check_layout(dir, err));
    return hold(dir, 0, false, out, err);
}

void pr_results_close(pr_results_t **r)
{
    if (!*r)
        return;
    // Emptied, so that nobody who comes next is told of a process that has gone.
    if (ftruncate((*r)->lock, 0) != 0)
        errno = 0;
    close((*r)->journal);
    close((*r)->lock);
    free((*r)->dir);
    free(*r);
    *r = NULL;
}

bool pr_results_has_work(const char *dir, char *what, size_t size)
{
    static const char *const names[] = {PR_FILE_CELLS,
                                        PR_FILE_FRONT_JSON,
                                        PR_FOLDER_ARTIFACTS "/*/*.safetensors",
                                        PR_FOLDER_EXPERTS "/*/adapter_model.safetensors",
                                        PR_FOLDER_HEADS "/*.safetensors",
                                        PR_FOLDER_ROUTES "/*.safetensors",
                                        PR_FOLDER_CHECKPOINTS "/*" PR_END_CHECKPOINT,
                                        PR_FOLDER_EVALUATIONS "/*" PR_END_SEGMENT};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        glob_t g = {0};
        pr_buf_t pattern = {0};
        for (const char *c = dir; *c; c++) // the directory's own name is no pattern
            pr_buf_printf(&pattern, strchr("*?[\\", *c) ? "\\%c" : "%c", *c);
        pr_buf_printf(&pattern, "/%s", names[i]);
        found = glob(pattern.data, 0, NULL, &g) == 0 && g.gl_pathc > 0;
        if (found && what)
            snprintf(what, size, "%s", g.gl_pathv[0] + strlen(dir) + 1);
        globfree(&g);
        pr_buf_free(&pattern);
    }
    return found;
}

const char *pr_results_dir(const pr_results_t *r)
{
    return r->dir;
}

// ---- its files ----

typedef struct pr_walk {
    pr_results_file_fn fn;
    void *self;
    pr_error_t *err;
} pr_walk_t;

/* in: the folder, relative to the directory. */
static pr_status_t walk_folder(const pr_walk_t *w, int parent, const char *name, const char *in, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    pr_status_t status = PR_OK;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return PR_OK;
    }
    for (struct dirent *e; status == PR_OK && (e = readdir(d));) {
        struct stat st;
        char below[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        snprintf(below, sizeof below, "%s%s%s", in, in[0] ? "/" : "", e->d_name);
        if (S_ISDIR(st.st_mode) && depth > 0)
            status = walk_folder(w, fd, e->d_name, below, depth - 1);
        else if (S_ISREG(st.st_mode) || (S_ISLNK(st.st_mode) && pr_results_is_temporary(e->d_name)))
            status = w->fn(w->self, &(pr_results_file_t){fd, in, e->d_name, (uint64_t)st.st_blocks * 512}, w->err);
    }
    closedir(d);
    return status;
}

pr_status_t pr_results_each_file(const char *dir, pr_results_file_fn fn, void *self, pr_error_t *err)
{
    const pr_walk_t w = {fn, self, err};
    // The directory itself may be named through a link; what is below it may not.
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", dir, strerror(errno));
    pr_status_t status = walk_folder(&w, fd, ".", "", 2);
    close(fd);
    return status;
}

// ---- tables of another configuration ----

static pr_status_t move_into(const char *dir, const char *folder, const char *name, pr_error_t *err)
{
    char *from = pr_results_path(dir, "%s", name), *to = pr_results_path(folder, "%s", name);
    pr_status_t status = PR_OK;
    if (rename(from, to) != 0 && errno != ENOENT)
        status = pr_fail(err, PR_ERR_IO, "%s: cannot be moved to %s: %s", from, to, strerror(errno));
    else
        pr_sync_dir_of(to);
    free(from);
    free(to);
    return status;
}

pr_status_t pr_results_put_aside(const pr_results_t *r, char *to, size_t size, pr_error_t *err)
{
    static const char *const names[] = {PR_FILE_CELLS,   PR_FILE_FRONT_CSV,  PR_FILE_FRONT_JSON,
                                        PR_FILE_SAMPLES, PR_FILE_COSTS,      PR_FILE_LEDGER,
                                        PR_FILE_METRICS, PR_FILE_INDICATORS, PR_FILE_CONFIG};
    char *folder = NULL;
    for (int n = 1; !folder; n++) {
        snprintf(to, size, PR_FOLDER_REPLACED "/%d", n);
        folder = pr_results_path(r->dir, "%s", to);
        if (access(folder, F_OK) == 0) {
            free(folder);
            folder = NULL;
        }
    }
    pr_status_t status = pr_mkdirs(folder, err);
    for (size_t i = 0; i < sizeof names / sizeof *names && status == PR_OK; i++)
        status = move_into(r->dir, folder, names[i], err);
    free(folder);
    return status;
}

// ---- what a killed process left ----

bool pr_results_is_temporary(const char *name)
{
    const char *mark = strstr(name, ".tmp-");
    for (const char *next; mark && (next = strstr(mark + 1, ".tmp-"));)
        mark = next;
    if (!mark || mark == name)
        return false;
    const char *digits = mark + strlen(".tmp-");
    return *digits && digits[strspn(digits, "0123456789")] == 0;
}

static pr_status_t remove_temporary(void *self, const pr_results_file_t *f, pr_error_t *err)
{
    (void)self, (void)err;
    if (pr_results_is_temporary(f->name))
        unlinkat(f->folder, f->name, 0);
    return PR_OK;
}

void pr_results_sweep_temporaries(const pr_results_t *r)
{
    pr_results_each_file(r->dir, remove_temporary, NULL, NULL);
}
