// SPDX-License-Identifier: BSD-3-Clause
/* The folder of a test program. */
#ifndef TESTS_IN_DIR_H
#define TESTS_IN_DIR_H

#include <stdio.h>

static char dir[64];

/* dir/name, in one of a few buffers that take turns. */
__attribute__((unused)) static const char *in_dir(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

#endif
