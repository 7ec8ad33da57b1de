// SPDX-License-Identifier: BSD-3-Clause
/* What the objectives' tests share. */
#ifndef PR_TEST_OBJECTIVE_SUPPORT_H
#define PR_TEST_OBJECTIVE_SUPPORT_H

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "objective/objective.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of the repository; never freed, as tests are short. */
static inline char *source_file(const char *name)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    return pr_path_join(root ? root : ".", name);
}

/* JSON with ' for ", for options in tests. */
static inline json_t *options_of(const char *text)
{
    char *copy = pr_strdup(text);
    json_error_t e;
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *v = json_loads(copy, JSON_ALLOW_NUL, &e);
    ck_assert_msg(v != NULL, "%s: %s", copy, e.text);
    free(copy);
    return v;
}

static inline pr_status_t try_open(const char *type, const char *options, const pr_objective_env_t *env,
                                   pr_objective_t **out, pr_error_t *err)
{
    json_t *o = options_of(options);
    pr_status_t status = pr_objective_open("it", type, o, env, out, err);
    json_decref(o);
    return status;
}

static inline pr_objective_t *open_objective(const char *type, const char *options, const char *dir)
{
    pr_objective_env_t env = {.dir = dir};
    pr_objective_t *o = NULL;
    pr_error_t err = {0};
    pr_status_t status = try_open(type, options, &env, &o, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    return o;
}

static inline double score_of(pr_objective_t *o, const char *prompt, const char *response)
{
    pr_sample_t s = {.prompt = prompt, .response = response, .response_len = strlen(response)};
    pr_error_t err = {0};
    double score = -1;
    pr_status_t status = pr_objective_score(o, &s, 1, &score, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    return score;
}

/* Writes a small file under the temporary directory and returns its name; caller unlinks and frees. */
static inline char *temporary_file(const char *content, size_t len)
{
    char *path = pr_strdup("/tmp/paretorank-test-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, content, len), (int)len);
    close(fd);
    return path;
}

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r), ran = srunner_ntests_run(r);
    srunner_free(r);
    return failed || ran == 0;
}

#endif
