// SPDX-License-Identifier: BSD-3-Clause
/* Reference fixtures: every directory below $PARETORANK_FIXTURES (default: the repository's tests/fixtures) that holds
 * expected.safetensors is a language model, every one with expected.json and scores in it a reward model. */
#ifndef PR_TEST_FIXTURE_FILES_H
#define PR_TEST_FIXTURE_FILES_H

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "parallel/team.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXTURE_MAX = 64 };

/* The team that the models of fixtures are loaded for, and its provider; a test under mpirun sets both. */
static const pr_team_t *fixture_team;
static const pr_linalg_t *fixture_la;

static inline void fixture_set_team(const pr_team_t *team)
{
    fixture_team = team;
    fixture_la = team->la;
}

typedef struct fixture {
    char dir[1024];
    pr_model_t *m;
    pr_safetensors_t *expected; // NULL for a reward model
    json_t *json;
    int n_seq, len, *seq_start; // of input_ids
    int32_t *ids;
} fixture_t;

#define FIXTURE_OK(expr)                                                                                               \
    do {                                                                                                               \
        pr_error_t fixture_err_ = {0};                                                                                 \
        pr_error_t *const err = &fixture_err_;                                                                         \
        pr_status_t fixture_status_ = (expr);                                                                          \
        ck_assert_msg(fixture_status_ == PR_OK, "%s: %s", #expr, err->text);                                           \
    } while (0)

static inline const char *fixture_root(char *out, size_t size)
{
    const char *root = getenv("PARETORANK_FIXTURES"), *source = getenv("PARETORANK_SOURCE_DIR");
    if (root)
        snprintf(out, size, "%s", root);
    else
        snprintf(out, size, "%s/tests/fixtures", source ? source : ".");
    return out;
}

static inline json_t *fixture_json(const char *dir)
{
    char path[1200];
    json_t *json = NULL;
    snprintf(path, sizeof path, "%s/expected.json", dir);
    return pr_file_exists(path) && pr_json_load(path, 0, &json, NULL) == PR_OK ? json : NULL;
}

static inline int fixture_by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Directories of language models, or of reward models; at least one, or the test fails. */
static inline int fixture_list(bool reward, char dirs[FIXTURE_MAX][512])
{
    char root[400], dir[512], path[600];
    int n = 0;
    DIR *d = opendir(fixture_root(root, sizeof root));
    for (struct dirent *e; d && (e = readdir(d)) && n < FIXTURE_MAX;) {
        if (e->d_name[0] == '.' || strlen(e->d_name) > 100)
            continue;
        snprintf(dir, sizeof dir, "%s/%.100s", root, e->d_name);
        snprintf(path, sizeof path, "%s/expected.safetensors", dir);
        json_t *json = reward ? fixture_json(dir) : NULL;
        if (reward ? json && json_object_get(json, "scores") : pr_file_exists(path))
            strcpy(dirs[n++], dir);
        json_decref(json);
    }
    if (d)
        closedir(d);
    qsort(dirs, (size_t)n, sizeof dirs[0], fixture_by_name);
    if (n == 0) { // called before the suite runs, so not an assertion of Check
        fprintf(stderr, "%s: no fixtures\n", root);
        exit(EXIT_FAILURE);
    }
    return n;
}

static inline const pr_tensor_t *fixture_find(const fixture_t *f, const char *format, ...)
{
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return pr_safetensors_find(f->expected, name);
}

/* A tensor's values; the caller frees them. */
static inline float *fixture_floats(const fixture_t *f, const pr_tensor_t *t, size_t expected_n)
{
    ck_assert_msg(t != NULL, "%s: a tensor is missing", f->dir);
    ck_assert_msg((size_t)t->n == expected_n, "%s: %s: %zu values, expected %zu", f->dir, t->name, (size_t)t->n,
                  expected_n);
    float *v = pr_alloc((size_t)t->n, sizeof *v);
    FIXTURE_OK(pr_tensor_to_float(t, 0, t->n, v, err));
    return v;
}

/* |a - b| <= tolerance * max |b| everywhere. */
static inline void fixture_close(const char *dir, const char *what, size_t n, const float *found, const float *expected,
                                 double tolerance)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double e = fabs((double)found[i] - (double)expected[i]);
        ck_assert_msg(isfinite(found[i]), "%s: %s: not finite at %zu", dir, what, i);
        worst = e > worst ? e : worst;
        scale = fabs((double)expected[i]) > scale ? fabs((double)expected[i]) : scale;
    }
    if (getenv("FIXTURE_VERBOSE"))
        printf("%s: %s: %.2e of %.3g\n", dir, what, worst / scale, scale);
    ck_assert_msg(worst <= tolerance * scale, "%s: %s: off by %g, largest %g, tolerance %g", dir, what, worst, scale,
                  tolerance);
}

static inline void fixture_close_tensor(const fixture_t *f, const pr_tensor_t *t, size_t n, const float *found,
                                        double tolerance)
{
    float *expected = fixture_floats(f, t, n);
    fixture_close(f->dir, t->name, n, found, expected, tolerance);
    free(expected);
}

static inline void fixture_ids(fixture_t *f)
{
    const pr_tensor_t *t = pr_safetensors_find(f->expected, "input_ids");
    ck_assert(t && t->dtype == PR_DTYPE_I64 && t->n_dim == 2);
    f->n_seq = (int)t->shape[0];
    f->len = (int)t->shape[1];
    f->ids = pr_alloc((size_t)t->n, sizeof *f->ids);
    f->seq_start = pr_alloc((size_t)f->n_seq + 1, sizeof *f->seq_start);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t id;
        memcpy(&id, t->data + 8 * i, 8);
        f->ids[i] = (int32_t)id;
    }
    for (int s = 0; s <= f->n_seq; s++)
        f->seq_start[s] = s * f->len;
}

static inline fixture_t fixture_open(const char *dir, bool reward)
{
    fixture_t f = {0};
    char path[1200];
    snprintf(f.dir, sizeof f.dir, "%s", dir);
    if (!fixture_team)
        fixture_set_team(pr_team_local());
    FIXTURE_OK(pr_model_load_part(dir, fixture_la->cols, fixture_la->col, &f.m, err));
    f.json = fixture_json(dir);
    ck_assert_ptr_nonnull(f.json);
    if (reward)
        return f;
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    FIXTURE_OK(pr_safetensors_open(path, &f.expected, err));
    fixture_ids(&f);
    return f;
}

static inline void fixture_close_all(fixture_t *f)
{
    pr_model_free(&f->m);
    if (f->expected)
        pr_safetensors_close(&f->expected);
    json_decref(f->json);
    free(f->seq_start);
    free(f->ids);
}

/* The adapters in the order of the "objectives" of expected.json. */
static inline int fixture_adapters(const fixture_t *f, pr_adapter_t **adapters, int max)
{
    json_t *names = json_object_get(f->json, "objectives"), *name;
    size_t i;
    char path[1200];
    int n = 0;
    json_array_foreach(names, i, name)
    {
        ck_assert(n < max);
        snprintf(path, sizeof path, "%s/adapters/%s", f->dir, json_string_value(name));
        FIXTURE_OK(pr_adapter_read(path, &f->m->config, &adapters[n++], err));
    }
    return n;
}

/* A JSON list of integers; the caller frees it. */
static inline int32_t *fixture_int_list(const json_t *list, int *n)
{
    *n = (int)json_array_size(list);
    int32_t *v = pr_alloc((size_t)*n, sizeof *v);
    for (int i = 0; i < *n; i++)
        v[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
    return v;
}

#endif
