// SPDX-License-Identifier: BSD-3-Clause
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* With the exit code of the environment (base/error.h); buffers are not flushed, as that could ask for memory. */
static void out_of_memory(size_t n, size_t size)
{
    fprintf(stderr, "paretorank: out of memory asking for %zu elements of %zu bytes\n", n, size);
    _exit(4);
}

void *pr_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        out_of_memory(n, size);
    return p;
}

static long matrix_calls, matrix_fails_at;

long pr_alloc_matrix_fail_at(long n)
{
    long calls = matrix_calls;
    matrix_calls = 0;
    matrix_fails_at = n;
    return calls;
}

void *pr_alloc_matrix(size_t n, size_t size)
{
    if (++matrix_calls == matrix_fails_at)
        return NULL;
    if (size && n > (SIZE_MAX - 64) / size)
        return NULL;
    size_t bytes = (n * size + 63) / 64 * 64;
    return aligned_alloc(64, bytes ? bytes : 64);
}

void *pr_realloc(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        out_of_memory(n, size);
    void *q = realloc(p, n && size ? n * size : 1);
    if (!q)
        out_of_memory(n, size);
    return q;
}

char *pr_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = pr_alloc(len + 1, 1);
    memcpy(copy, s, len);
    return copy;
}

char *pr_strdup(const char *s)
{
    return pr_strndup(s, strlen(s));
}

bool pr_address_limit(size_t *bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    *bytes = (size_t)limit.rlim_cur;
    return true;
}

bool pr_address_has_room(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return false;
    munmap(room, bytes);
    return true;
}

static void reserve(pr_buf_t *b, size_t more)
{
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    b->cap = need > 2 * b->cap ? need : 2 * b->cap;
    b->data = pr_realloc(b->data, b->cap, 1);
}

void pr_buf_add(pr_buf_t *b, const void *bytes, size_t n)
{
    reserve(b, n);
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void pr_buf_puts(pr_buf_t *b, const char *s)
{
    pr_buf_add(b, s, strlen(s));
}

void pr_buf_printf(pr_buf_t *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        reserve(b, (size_t)n);
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void pr_buf_free(pr_buf_t *b)
{
    free(b->data);
    *b = (pr_buf_t){0};
}
