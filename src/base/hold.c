// SPDX-License-Identifier: BSD-3-Clause
#include "base/hold.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_POINT = 80, MAX_FILE = 1000 };

/* Makes the file, whole from the first moment that a reader can see it; false where it is there already. */
static bool announce(const char *file)
{
    char own[MAX_FILE + 32], text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    snprintf(own, sizeof own, "%s.%ld", file, (long)getpid());
    int fd = open(own, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool made = fd >= 0 && pr_fd_write(fd, text, (size_t)len) == 0 && link(own, file) == 0;
    if (fd >= 0)
        close(fd);
    unlink(own);
    return made;
}

void pr_hold_at(const char *where, const char *event, bool (*stopping)(void *self), void *self)
{
    static long passed; // the process's own, as the description is
    char point[MAX_POINT], wanted[MAX_POINT], file[MAX_FILE], go[MAX_FILE + 4];
    long count;
    const char *description = getenv("PARETORANK_TEST_HOLD");
    if (!description)
        return;
    if (sscanf(description, "%79s %ld %999s", wanted, &count, file) != 3) {
        fprintf(stderr, "PARETORANK_TEST_HOLD: found '%s', expected POINT COUNT FILE\n", description);
        abort();
    }
    snprintf(point, sizeof point, "%s:%s", where, event);
    if (strcmp(point, wanted) != 0 || ++passed != count || !announce(file))
        return;
    snprintf(go, sizeof go, "%s.go", file);
    while (!pr_file_exists(go) && !(stopping && stopping(self)))
        nanosleep(&(struct timespec){0, 5000000}, NULL);
}
