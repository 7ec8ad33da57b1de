// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/traffic.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "paretorank_traffic.so"
#define TRIED "PARETORANK_TRAFFIC" // in the environment of the second start, so that there is no third

static void *counter(void)
{
    return dlsym(RTLD_DEFAULT, "pr_traffic_sent");
}

double pr_traffic_bytes(void)
{
    void *symbol = counter();
    double (*sent)(void);
    memcpy(&sent, &symbol, sizeof sent); // C has no cast from one to the other
    return symbol ? sent() : NAN;
}

/* The library beside the program, or where both are installed, open; -1 where there is none. */
static int open_library(void)
{
    static const char *const places[] = {LIBRARY, "../" PR_LIBDIR "/paretorank/" LIBRARY};
    char exe[PATH_MAX];
    int fd = -1;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    char *dir = pr_path_dir(exe);
    for (size_t i = 0; i < sizeof places / sizeof *places && fd < 0; i++) {
        char *path = pr_path_join(dir, places[i]);
        fd = open(path, O_RDONLY); // and stays open in the program that is started
        free(path);
    }
    free(dir);
    return fd;
}

/* This process's arguments, each with its NUL. */
static pr_buf_t own_arguments(void)
{
    pr_buf_t b = {0};
    char block[4096];
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, block, sizeof block)) > 0;)
        pr_buf_add(&b, block, (size_t)n);
    if (fd >= 0)
        close(fd);
    return b;
}

/* Replaces this process by the same program with the same arguments; returns when that cannot be. */
static void start_again(int library)
{
    pr_buf_t text = own_arguments();
    char **argv = pr_alloc(text.len + 1, sizeof *argv);
    size_t n = 0;
    for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1)
        argv[n++] = text.data + at;
    const char *others = getenv("LD_PRELOAD");
    pr_buf_t preload = {0};
    // By its number, as LD_PRELOAD parts names at spaces and colons.
    pr_buf_printf(&preload, "/proc/self/fd/%d%s%s", library, others && *others ? ":" : "", others ? others : "");
    setenv("LD_PRELOAD", preload.data, 1);
    setenv(TRIED, "1", 1);
    if (n > 0)
        execv("/proc/self/exe", argv);
    pr_buf_free(&preload);
    free(argv);
    pr_buf_free(&text);
}

void pr_traffic_count(void)
{
    if (counter())
        return;
    int library = getenv(TRIED) ? -1 : open_library();
    if (library >= 0) {
        start_again(library);
        close(library);
    }
    pr_log(PR_LOG_WARN, "what is sent is not counted: %s cannot be loaded", LIBRARY);
}
