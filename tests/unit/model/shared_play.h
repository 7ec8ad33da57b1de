// SPDX-License-Identifier: BSD-3-Clause
/* Memory that processes have in common. Each test has a folder of its own as TMPDIR. Other processes are brought to the
 * point that matters and told to go on, by pipes. */
#ifndef PR_TESTS_SHARED_PLAY_H
#define PR_TESTS_SHARED_PLAY_H

#include "base/log.h"
#include "model/model_parts.h"
#include "model/shared_block.h"
#include "model_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SIZE = 3 * 4096 + 100 };

static char folder[400]; // where the lists of holders are
static char why[PR_SHARED_WHY];

static inline void setup(void)
{
    scratch_make();
    ck_assert_int_eq(setenv("TMPDIR", scratch, 1), 0);
    ck_assert_int_eq(unsetenv("PARETORANK_SHARE_WEIGHTS"), 0);
    snprintf(folder, sizeof folder, "%s/paretorank-%ld", scratch, (long)geteuid());
}

/* ---- the folder ---- */

// The number of files in it, and the path of one.
static inline int files(char path[700])
{
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, 700, "%s/%s", folder, e->d_name);
            n++;
        }
    closedir(d);
    return n;
}

static inline void write_at(const char *path, mode_t mode, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* ---- blocks ---- */

static inline unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 7 + i / 251 + 1);
}

static inline pr_shared_block_t *opened(const char *identity, size_t size, pr_shared_t expected)
{
    pr_shared_block_t *b = NULL;
    pr_shared_t found = pr_shared_block_open(identity, size, &b, why);
    ck_assert_msg(found == expected, "%s: found %d, expected %d: %s", identity, found, expected, why);
    return b;
}

static inline void fill(pr_shared_block_t *b)
{
    unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE; i++) {
        ck_assert_int_eq(p[i], 0);
        p[i] = pattern(i);
    }
}

static inline pr_shared_block_t *made(const char *identity)
{
    pr_shared_block_t *b = opened(identity, SIZE, PR_SHARED_MAKE);
    fill(b);
    ck_assert_msg(pr_shared_block_publish(b, why), "%s", why);
    return b;
}

static inline bool is_pattern(const pr_shared_block_t *b)
{
    const unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE; i++)
        if (p[i] != pattern(i))
            return false;
    return true;
}

/* ---- other processes ---- */

typedef struct {
    pid_t pid;
    int said, go; // what it writes a byte to when it is there; what it waits for
} other_t;

// Runs act() in another process: it tells where it is with here(), and its answer is its exit code.
static inline other_t other_start(int (*act)(int said, int go))
{
    int said[2], go[2];
    ck_assert_int_eq(pipe(said), 0);
    ck_assert_int_eq(pipe(go), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(said[0]);
        close(go[1]);
        _exit(act(said[1], go[0]));
    }
    close(said[1]);
    close(go[0]);
    return (other_t){.pid = pid, .said = said[0], .go = go[1]};
}

static inline bool tell(int fd)
{
    return write(fd, "x", 1) == 1;
}

static inline bool hear(int fd)
{
    char c;
    return read(fd, &c, 1) == 1;
}

static inline int other_end(other_t *o)
{
    int status;
    ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
    close(o->said);
    close(o->go);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Waits until a process has a file open, which it then holds the lock of or waits for.
static inline void until_it_has(pid_t pid, const char *path)
{
    for (;;) {
        char name[64], link[128], found[700];
        snprintf(name, sizeof name, "/proc/%ld/fd", (long)pid);
        DIR *d = opendir(name);
        ck_assert_ptr_nonnull(d);
        bool there = false;
        for (struct dirent *e; (e = readdir(d));) {
            snprintf(link, sizeof link, "%s/%.20s", name, e->d_name);
            ssize_t n = readlink(link, found, sizeof found);
            there = there || (n == (ssize_t)strlen(path) && memcmp(found, path, (size_t)n) == 0);
        }
        closedir(d);
        if (there)
            return;
        usleep(1000);
    }
}

static inline int act_make_half(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MAKE)
        return 2;
    unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE / 2; i++)
        p[i] = pattern(i);
    if (!tell(said) || !hear(go))
        return 3;
    for (size_t i = SIZE / 2; i < SIZE; i++)
        p[i] = pattern(i);
    if (!pr_shared_block_publish(b, why))
        return 4;
    return hear(go) ? 0 : 5; // until the test is done with it
}

static inline int act_read(int said, int go)
{
    pr_shared_block_t *b = NULL;
    (void)said, (void)go;
    pr_shared_t got = pr_shared_block_open("it", SIZE, &b, why);
    int answer = got == PR_SHARED_MAKE ? 10 : got == PR_SHARED_MADE && is_pattern(b) ? 11 : 12;
    pr_shared_block_close(&b);
    return answer;
}

static inline int act_hold(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MADE || !tell(said) || !hear(go))
        return 2;
    pr_shared_block_close(&b);
    return 0;
}

static inline int act_make(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MAKE)
        return 2;
    memset(pr_shared_block_data(b), 1, SIZE);
    if (!pr_shared_block_publish(b, why) || !tell(said) || !hear(go))
        return 3;
    return 0;
}

#endif
