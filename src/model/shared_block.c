// SPDX-License-Identifier: BSD-3-Clause
#include "model/shared_block.h"
#include "base/duration.h"
#include "base/hash.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL // Linux 6.3
#define MFD_NOEXEC_SEAL 8U
#endif

enum {
    NODE_DIGITS = 16,
    FILE_NAME = NODE_DIGITS + PR_HASH_HEX + 1,
    LARGEST_LIST = 1 << 16, // bytes of a list of holders that are looked at
    SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
    DEFAULT_PATIENCE = 60 // seconds
};

/* The file that says who has a block. */
typedef struct {
    int dir, fd;          // of the folder; of the file while it is locked, else -1
    char name[FILE_NAME]; // <node>-<key>
} meeting_t;

struct pr_shared_block {
    meeting_t at;
    int fd; // of the memory
    void *map;
    size_t size;
    pid_t owner; // a child after fork() does not speak for its parent
};

static double patience = DEFAULT_PATIENCE;

double pr_shared_block_patience(double seconds)
{
    double before = patience;
    patience = seconds > 0 ? seconds : DEFAULT_PATIENCE;
    return before;
}

__attribute__((format(printf, 2, 3))) static bool refuse(char why[PR_SHARED_WHY], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, PR_SHARED_WHY, format, args);
    va_end(args);
    return false;
}

/* ---- names ---- */

// Process numbers mean something under one kernel and in one space of them; several may see the same folder.
static bool node_name(char out[NODE_DIGITS + 1], char why[PR_SHARED_WHY])
{
    static const char boot[] = "/proc/sys/kernel/random/boot_id", space[] = "/proc/self/ns/pid";
    char text[256] = "";
    int fd = open(boot, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, 64), m = -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return refuse(why, "%s cannot be read", boot);
    m = readlink(space, text + n, sizeof text - 64);
    if (m <= 0)
        return refuse(why, "%s cannot be read: %s", space, strerror(errno));
    snprintf(out, NODE_DIGITS + 1, "%016llx", (unsigned long long)pr_hash64(text, (size_t)(n + m)));
    return true;
}

// The name of the memory that a file NODE-KEY speaks of.
static void memory_name(const char *file, char out[64])
{
    snprintf(out, 64, "paretorank-%.*s", PR_HASH_HEX - 1, file + NODE_DIGITS + 1);
}

/* ---- the folder and its files ---- */

static bool is_private(const struct stat *st)
{
    return st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

static bool open_folder(meeting_t *at, char why[PR_SHARED_WHY])
{
    char path[PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    tmp = tmp && *tmp ? tmp : "/tmp";
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/paretorank-%ld", tmp, (long)geteuid());
    if (n >= (int)sizeof path)
        return refuse(why, "TMPDIR: found a name of %zu bytes, too long for a path", strlen(tmp));
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return refuse(why, "%.200s: cannot make the directory: %s", path, strerror(errno));
    at->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (at->dir < 0)
        return refuse(why, "%.200s: %s", path, strerror(errno));
    if (fstat(at->dir, &st) == 0 && is_private(&st))
        return true;
    close(at->dir);
    at->dir = -1;
    return refuse(why, "%.200s: found the user %ld and mode %03o, expected %ld and 700", path, (long)st.st_uid,
                  (unsigned)st.st_mode & 0777, (long)geteuid());
}

// Locks an open file; whoever holds the lock now is waited for while the file's time says that it gets on.
static bool wait_for_lock(const meeting_t *at, int fd, char why[PR_SHARED_WHY])
{
    const struct timespec pause = {.tv_nsec = 5000000};
    double since = pr_time_monotonic();
    struct stat st = {0}, last;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return refuse(why, "%s: cannot be locked: %s", at->name, strerror(errno));
        last = st;
        if (fstat(fd, &st) != 0)
            return refuse(why, "%s: %s", at->name, strerror(errno));
        if (st.st_mtim.tv_sec != last.st_mtim.tv_sec || st.st_mtim.tv_nsec != last.st_mtim.tv_nsec)
            since = pr_time_monotonic();
        if (pr_time_monotonic() - since > patience)
            return refuse(why, "%s: the process that makes the shared copy made no progress for %g seconds", at->name,
                          patience);
        nanosleep(&pause, NULL);
    }
    return true;
}

// Opens and locks at->name in the folder; a file that was removed meanwhile is none.
static bool lock_file(meeting_t *at, char why[PR_SHARED_WHY])
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES; i++) {
        struct stat st;
        int fd = openat(at->dir, at->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
        if (fd < 0)
            return refuse(why, "%s: %s", at->name, strerror(errno));
        bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_private(&st) && st.st_nlink <= 1;
        if (!good)
            refuse(why, "%s: found something else than a file of this user's alone", at->name);
        good = good && wait_for_lock(at, fd, why);
        if (good && fstat(fd, &st) == 0 && st.st_nlink == 1) {
            at->fd = fd;
            return true;
        }
        close(fd);
        if (!good)
            return false;
    }
    return refuse(why, "%s: is removed again and again", at->name);
}

static bool try_lock_file(meeting_t *at)
{
    struct stat st;
    at->fd = openat(at->dir, at->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (at->fd >= 0 && fstat(at->fd, &st) == 0 && S_ISREG(st.st_mode) && is_private(&st) &&
        flock(at->fd, LOCK_EX | LOCK_NB) == 0 && fstat(at->fd, &st) == 0 && st.st_nlink == 1)
        return true;
    int error = errno;
    if (at->fd >= 0)
        close(at->fd);
    at->fd = -1;
    errno = error;
    return false;
}

/* Others that leave at the same time hold the lock for a moment, and each would leave the file to the other. */
static bool lock_file_soon(meeting_t *at)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    enum { TRIES = 200 };
    for (int i = 0; i < TRIES; i++) {
        errno = 0;
        if (try_lock_file(at))
            return true;
        if (errno != EWOULDBLOCK)
            return false; // it is gone
        nanosleep(&pause, NULL);
    }
    return false;
}

static void unlock(meeting_t *at)
{
    if (at->fd >= 0)
        close(at->fd);
    at->fd = -1;
}

static void close_meeting(meeting_t *at)
{
    unlock(at);
    if (at->dir >= 0)
        close(at->dir);
    at->dir = -1;
}

/* ---- who has it ---- */

typedef struct {
    long pid;
    int fd;
} holder_t;

// The text of a locked file. Caller frees.
static char *read_list(const meeting_t *at)
{
    char *text = pr_alloc(LARGEST_LIST + 1, 1);
    ssize_t n = pread(at->fd, text, LARGEST_LIST, 0);
    text[n > 0 ? n : 0] = 0;
    return text;
}

// The next whole line that is "<pid> <fd>"; whatever else is there is passed over.
static bool next_holder(const char **text, holder_t *h)
{
    for (const char *end; (end = strchr(*text, '\n'));) {
        const char *line = *text;
        char *rest;
        *text = end + 1;
        errno = 0;
        h->pid = strtol(line, &rest, 10);
        if (*line < '0' || *line > '9' || *rest != ' ' || rest[1] < '0' || rest[1] > '9' || h->pid <= 0)
            continue;
        long fd = strtol(rest + 1, &rest, 10);
        if (rest != end || errno != 0 || fd > INT_MAX)
            continue;
        h->fd = (int)fd;
        return true;
    }
    return false;
}

// Does the process have memory of that name under this number? Its link is written to `link`.
static bool has_memory(const meeting_t *at, const holder_t *h, char link[64])
{
    char name[64], expected[128], found[128];
    memory_name(at->name, name);
    int n = snprintf(expected, sizeof expected, "/memfd:%s (deleted)", name);
    snprintf(link, 64, "/proc/%ld/fd/%d", h->pid, h->fd);
    return readlink(link, found, sizeof found) == n && memcmp(found, expected, (size_t)n) == 0;
}

// Those of the list that still have it, with or without the line of this process; returns how many, or -1 with errno
// where that cannot be written.
static int update_list(const meeting_t *at, const holder_t *self, bool add)
{
    char *text = read_list(at), link[64];
    const char *p = text;
    pr_buf_t list = {0};
    holder_t h;
    int n = 0;
    pr_buf_puts(&list, "");
    while (next_holder(&p, &h))
        if ((h.pid != self->pid || h.fd != self->fd) && has_memory(at, &h, link)) {
            pr_buf_printf(&list, "%ld %d\n", h.pid, h.fd);
            n++;
        }
    if (add) {
        pr_buf_printf(&list, "%ld %d\n", self->pid, self->fd);
        n++;
    }
    // Half a list does no harm: no line is believed.
    ssize_t written = list.len > LARGEST_LIST ? 0 : pwrite(at->fd, list.data, list.len, 0);
    bool good = written == (ssize_t)list.len && ftruncate(at->fd, (off_t)list.len) == 0;
    int error = good || written < 0 ? errno : ENOSPC;
    pr_buf_free(&list);
    free(text);
    errno = error;
    return good ? n : -1;
}

// Removes the locked file when nobody has what it speaks of.
static void remove_if_stale(const meeting_t *at, const holder_t *self)
{
    if (update_list(at, self, false) == 0)
        unlinkat(at->dir, at->name, 0);
}

// Files of this node that outlived their processes; those at work are left alone.
static void remove_stale(const meeting_t *ours)
{
    static const holder_t nobody = {0};
    int fd = openat(ours->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        meeting_t at = {.dir = ours->dir, .fd = -1};
        if (strlen(e->d_name) != FILE_NAME - 1 || strncmp(e->d_name, ours->name, NODE_DIGITS + 1) != 0 ||
            strcmp(e->d_name, ours->name) == 0)
            continue;
        memcpy(at.name, e->d_name, FILE_NAME);
        if (!try_lock_file(&at))
            continue;
        remove_if_stale(&at, &nobody);
        unlock(&at);
    }
    closedir(d);
}

/* ---- the memory ---- */

static holder_t self_of(const pr_shared_block_t *b)
{
    return (holder_t){.pid = (long)b->owner, .fd = b->fd};
}

// A private map that is never written to has the same pages as a shared one, which before Linux 6.7 is refused for
// sealed memory whose descriptor may write.
static bool map_sealed(pr_shared_block_t *b)
{
    b->map = mmap(NULL, b->size, PROT_READ, MAP_PRIVATE, b->fd, 0);
    if (b->map == MAP_FAILED)
        b->map = NULL;
    return b->map != NULL;
}

static bool is_sealed_memory(int fd, size_t size)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS); // fails on whatever is not a memfd
    return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_uid == geteuid() && st.st_size >= 0 && (uint64_t)st.st_size == size;
}

// Maps what one of the list has, if that is what it should be.
static bool join(pr_shared_block_t *b)
{
    char *text = read_list(&b->at), link[64];
    const char *p = text;
    holder_t h;
    while (!b->map && next_holder(&p, &h)) {
        if (!has_memory(&b->at, &h, link))
            continue;
        b->fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        const holder_t here = self_of(b); // the number may be another process's by now
        if (b->fd >= 0 && (!has_memory(&b->at, &here, link) || !is_sealed_memory(b->fd, b->size) || !map_sealed(b))) {
            close(b->fd);
            b->fd = -1;
        }
    }
    free(text);
    return b->map != NULL;
}

// Under the lock, so that nobody sees memory that is not done yet.
static bool make(pr_shared_block_t *b, char why[PR_SHARED_WHY])
{
    char name[64];
    memory_name(b->at.name, name);
    b->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (b->fd < 0 && errno == EINVAL)
        b->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (b->fd < 0)
        return refuse(why, "no shared memory (memfd): %s", strerror(errno));
    holder_t self = self_of(b);
    if (update_list(&b->at, &self, true) < 0)
        return refuse(why, "%s: cannot write: %s", b->at.name, strerror(errno));
    // All of it now: memory that runs out is an error here, and the end of the process when it is written to.
    int error = ftruncate(b->fd, (off_t)b->size) != 0 ? errno : posix_fallocate(b->fd, 0, (off_t)b->size);
    if (error)
        return refuse(why, "no shared memory of %zu bytes: %s", b->size, strerror(error));
    b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
    if (b->map != MAP_FAILED)
        return true;
    b->map = NULL;
    return refuse(why, "%zu bytes of shared memory cannot be mapped: %s", b->size, strerror(errno));
}

/* ---- the block ---- */

// Is it wanted at all? Empty reason where the user says no.
static bool is_wanted(size_t size, char why[PR_SHARED_WHY])
{
    const char *setting = getenv("PARETORANK_SHARE_WEIGHTS");
    why[0] = 0;
    if (setting && strcmp(setting, "0") == 0)
        return false;
    if (setting && *setting && strcmp(setting, "1") != 0)
        return refuse(why, "PARETORANK_SHARE_WEIGHTS: found '%.40s', expected 0 or 1", setting);
    return size <= (size_t)PTRDIFF_MAX || refuse(why, "%zu bytes are too many", size);
}

static bool meet(meeting_t *at, const char *identity, size_t size, char why[PR_SHARED_WHY])
{
    char node[NODE_DIGITS + 1], key[PR_HASH_HEX];
    pr_buf_t text = {0};
    if (!node_name(node, why))
        return false;
    pr_buf_printf(&text, "%zu %s", size, identity);
    pr_hash_hex(text.data, text.len, key);
    pr_buf_free(&text);
    snprintf(at->name, sizeof at->name, "%s-%s", node, key);
    return open_folder(at, why) && lock_file(at, why);
}

pr_shared_t pr_shared_block_open(const char *identity, size_t size, pr_shared_block_t **out, char why[PR_SHARED_WHY])
{
    if (!is_wanted(size, why))
        return PR_SHARED_NONE;
    pr_shared_block_t *b = pr_alloc(1, sizeof *b);
    *b = (pr_shared_block_t){.at = {.dir = -1, .fd = -1}, .fd = -1, .size = size, .owner = getpid()};
    pr_shared_t result = PR_SHARED_NONE;
    if (meet(&b->at, identity, size, why)) {
        if (join(b)) {
            holder_t self = self_of(b);
            update_list(&b->at, &self, true); // that others find it elsewhere too is not needed
            unlock(&b->at);
            result = PR_SHARED_MADE;
        } else if (make(b, why)) {
            pr_shared_block_progress(b);
            result = PR_SHARED_MAKE;
        }
    }
    if (result == PR_SHARED_NONE)
        pr_shared_block_close(&b);
    else
        *out = b;
    return result;
}

void *pr_shared_block_data(const pr_shared_block_t *b)
{
    return b->map;
}

void pr_shared_block_progress(const pr_shared_block_t *b)
{
    // One that fails leaves the others to lose their patience, and then they help themselves.
    if (b->at.fd >= 0 && futimens(b->at.fd, NULL) != 0)
        return;
}

bool pr_shared_block_publish(pr_shared_block_t *b, char why[PR_SHARED_WHY])
{
    munmap(b->map, b->size); // what can be written to cannot be sealed
    b->map = NULL;
    if (fcntl(b->fd, F_ADD_SEALS, SEALS) != 0)
        return refuse(why, "the shared memory cannot be sealed: %s", strerror(errno));
    if (!map_sealed(b))
        return refuse(why, "%zu bytes of shared memory cannot be mapped: %s", b->size, strerror(errno));
    unlock(&b->at);
    remove_stale(&b->at);
    return true;
}

void pr_shared_block_close(pr_shared_block_t **block)
{
    pr_shared_block_t *b = *block;
    if (!b)
        return;
    // The lock is ours while the block is being made; where it cannot be had, our line is soon found to be nobody's.
    if (b->owner == getpid() && b->at.dir >= 0 && b->at.name[0] && (b->at.fd >= 0 || lock_file_soon(&b->at))) {
        holder_t self = self_of(b);
        remove_if_stale(&b->at, &self);
    }
    if (b->map)
        munmap(b->map, b->size);
    if (b->fd >= 0)
        close(b->fd);
    close_meeting(&b->at);
    free(b);
    *block = NULL;
}
