// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "model/prompts.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pr_error_t err;

static pr_status_t load(const char *text, size_t len, pr_prompts_t **out)
{
    char path[] = "/tmp/pr-prompts-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert(write(fd, text, len) == (ssize_t)len);
    close(fd);
    pr_status_t status = pr_prompts_load(path, out, &err);
    unlink(path);
    return status;
}

static void refuse(const char *text, const char *message)
{
    pr_prompts_t *p = NULL;
    ck_assert_int_eq(load(text, strlen(text), &p), PR_ERR_FORMAT);
    ck_assert_ptr_null(p);
    ck_assert_msg(strstr(err.text, message), "found \"%s\", expected \"%s\"", err.text, message);
}

START_TEST(reads)
{
    const char *text = "\xEF\xBB\xBF{\"id\": \"a\", \"prompt\": \"x\\ny\", \"more\": [1]}\r\n\n  \n"
                       "{\"prompt\": \"\\u00e9\"}\n{\"id\": 7, \"prompt\": \"z\"}";
    pr_prompts_t *p = NULL;
    ck_assert_msg(load(text, strlen(text), &p) == PR_OK, "%s", err.text);
    ck_assert_int_eq(p->n, 3);
    ck_assert_str_eq(p->text[0], "x\ny");
    ck_assert_str_eq(p->id[0], "a");
    ck_assert_str_eq(p->text[1], "\xc3\xa9");
    ck_assert_str_eq(p->id[1], "1");
    ck_assert_str_eq(p->id[2], "7");
    pr_prompts_free(&p);
    ck_assert_ptr_null(p);
}
END_TEST

START_TEST(reads_the_default_prompts)
{
    const char *source = getenv("PARETORANK_SOURCE_DIR");
    char *path = pr_path_join(source ? source : ".", "sweeps/counsel/prompts-eval.jsonl");
    pr_prompts_t *p = NULL;
    ck_assert_msg(pr_prompts_load(path, &p, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(p->n, 128);
    ck_assert_str_eq(p->id[127], "eval-0127");
    ck_assert_ptr_nonnull(strstr(p->text[1], "My teacher drinks every night."));
    pr_prompts_free(&p);
    free(path);
}
END_TEST

START_TEST(refuses)
{
    refuse("{\"messages\": [{\"role\": \"user\"}]}", "key 'prompt': found nothing"); // nobody says which template
    refuse("", "found no prompt");
    refuse("\n\n", "found no prompt");
    refuse("{\"prompt\": \"a\"}\n{\"prompt\": \n", ":2: line 1, column");
    refuse("{\"prompt\": \"a\"}\n\n[1]\n", ":3: found an array");
    refuse("{\"text\": \"a\"}\n", ":1: key 'prompt': found nothing");
    refuse("{\"prompt\": 3}\n", "key 'prompt': found an integer");
    refuse("{\"prompt\": \"\"}\n", "empty");
    refuse("{\"prompt\": \"a\\u0000b\"}\n", "NUL");
    refuse("{\"prompt\": \"a\", \"id\": {}}\n", "key 'id': found an object");
    refuse("{\"prompt\": \"\xff\"}\n", ":1: line 1");
    pr_prompts_t *p = NULL;
    ck_assert_int_eq(pr_prompts_load("/nonexistent/x", &p, &err), PR_ERR_NOT_FOUND);
    size_t n = PR_MAX_PROMPT_BYTES + 64;
    char *big = malloc(n);
    memset(big, 'x', n);
    memcpy(big, "{\"prompt\": \"", 12);
    memcpy(big + n - 2, "\"}", 2);
    ck_assert_int_eq(load(big, n, &p), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "expected at most 1048576"));
    free(big);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("prompts");
    TCase *tcase = tcase_create("prompts");
    tcase_add_test(tcase, reads);
    tcase_add_test(tcase, reads_the_default_prompts);
    tcase_add_test(tcase, refuses);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
