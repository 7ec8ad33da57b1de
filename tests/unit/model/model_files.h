// SPDX-License-Identifier: BSD-3-Clause
/* For the tests of what is loaded from files: fixtures, a scratch directory, hand-made safetensors files. */
#ifndef TESTS_MODEL_FILES_H
#define TESTS_MODEL_FILES_H

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <check.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch[256]; // made anew for every test

static inline void fixture_path(char out[512], const char *name)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    snprintf(out, 512, "%s/tests/fixtures/%s", root ? root : ".", name);
}

static inline void scratch_make(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/paretorank-test-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline int scratch_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void scratch_remove(void)
{
    nftw(scratch, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_path(char out[512], const char *name)
{
    snprintf(out, 512, "%s/%s", scratch, name);
}

static inline void scratch_write(const char *name, const void *data, size_t len)
{
    char path[512];
    scratch_path(path, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static inline void scratch_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

/* A safetensors file of this header and n_data bytes of data (NULL: zeros). */
static inline void scratch_tensors(const char *name, const char *header, const void *data, size_t n_data)
{
    pr_buf_t b = {0};
    uint64_t n = strlen(header);
    pr_buf_add(&b, &n, sizeof n);
    pr_buf_puts(&b, header);
    void *zeros = data ? NULL : pr_alloc(n_data, 1);
    pr_buf_add(&b, data ? data : zeros, n_data);
    scratch_write(name, b.data, b.len);
    free(zeros);
    pr_buf_free(&b);
}

static inline json_t *json_of(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_msg(v != NULL, "the test's own JSON is broken: %s", text);
    return v;
}

/* Writes base with the keys of change put over it; a change to "DELETE" removes the key. */
static inline void scratch_patched(const char *name, json_t *base, const char *change)
{
    json_t *v = json_deep_copy(base), *patch = json_of(change), *value;
    const char *key;
    json_object_foreach(patch, key, value)
    {
        if (json_is_string(value) && strcmp(json_string_value(value), "DELETE") == 0)
            json_object_del(v, key);
        else
            json_object_set(v, key, value);
    }
    char *text = json_dumps(v, 0);
    scratch_text(name, text);
    free(text);
    json_decref(v);
    json_decref(patch);
}

/* One error line: the status, no newline, and every word of `words`, which are separated by '|'. */
static inline void check_error(const char *label, pr_status_t status, pr_status_t expected, const char *text,
                               const char *words)
{
    char copy[512], *rest = copy;
    snprintf(copy, sizeof copy, "%s", words);
    ck_assert_msg(status == expected, "%s: status %s, expected %s (%s)", label, pr_status_reason(status),
                  pr_status_reason(expected), status == PR_OK ? "" : text);
    ck_assert_msg(strchr(text, '\n') == NULL, "%s: more than one line", label);
    for (char *word; (word = strsep(&rest, "|"));)
        ck_assert_msg(strstr(text, word) != NULL, "%s: '%s' is not in '%s'", label, word, text);
}

/* A small generator for the mutation tests, so that a failure can be repeated. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* Breaks a few bytes of data [len]. */
static inline void mutate(unsigned char *data, size_t len, uint64_t *state)
{
    static const char spice[] = "0123456789-[]{}\",:eE.nulltruefalse\\/ \x00\xff";
    for (uint32_t k = 1 + next_random(state) % 4; k > 0; k--) {
        size_t at = next_random(state) % len;
        switch (next_random(state) % 4) {
        case 0:
            data[at] = (unsigned char)next_random(state);
            break;
        case 1:
            data[at] = (unsigned char)spice[next_random(state) % (sizeof spice - 1)];
            break;
        case 2:
            data[at] ^= (unsigned char)(1u << next_random(state) % 8);
            break;
        default:
            memmove(data + at, data + at + 1, len - at - 1);
        }
    }
}

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r), run = srunner_ntests_run(r);
    srunner_free(r);
    return failed || run == 0;
}

#endif
