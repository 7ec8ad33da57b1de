// SPDX-License-Identifier: BSD-3-Clause
/* Allocation whose failure cannot be ignored: these return NULL only for impossible sizes on hostile input
 * (pr_alloc_try) or end the process with one line (pr_alloc), as no function below the command line can do better
 * when memory has run out. Sizes that come from a file are checked against the file before they reach these. */
#ifndef PR_BASE_MEM_H
#define PR_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* n zeroed elements of size bytes; never NULL (n = 0 gives a pointer that may be freed). Caller frees. */
void *pr_alloc(size_t n, size_t size);
/* As pr_alloc, 64-byte aligned and not zeroed, for matrices. Caller frees with free(). NULL when memory is short. */
void *pr_alloc_matrix(size_t n, size_t size);
/* For tests: has pr_alloc_matrix return NULL at its n-th call from now on (1: the next one), in this process and once;
 * 0: never. Returns how many calls there were since the last time. */
long pr_alloc_matrix_fail_at(long n);
/* As realloc with overflow check; never NULL. */
void *pr_realloc(void *p, size_t n, size_t size);
/* As strdup and strndup; never NULL. */
char *pr_strdup(const char *s);
char *pr_strndup(const char *s, size_t n);

/* Is this process's address space limited (ulimit -v), and to how many bytes? */
bool pr_address_limit(size_t *bytes);
/* Could that many more bytes be mapped now? They are not kept. */
bool pr_address_has_room(size_t bytes);

/* A growable byte buffer; also a string builder: data is always NUL-terminated behind len once anything was added. */
typedef struct pr_buf {
    char *data;
    size_t len, cap;
} pr_buf_t;

void pr_buf_add(pr_buf_t *b, const void *bytes, size_t n);
void pr_buf_puts(pr_buf_t *b, const char *s);
void pr_buf_printf(pr_buf_t *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pr_buf_free(pr_buf_t *b);

#endif
