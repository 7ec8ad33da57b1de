// SPDX-License-Identifier: BSD-3-Clause
/* What reward heads are fitted on: every form of a line, what is refused, and the split. */
#include "reward/data.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pr_error_t err;

static pr_status_t load(const char *text, pr_reward_data_t **out)
{
    char path[] = "/tmp/pr-reward-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    pr_status_t status = pr_reward_data_load(path, out, &err);
    unlink(path);
    return status;
}

static void refuse(const char *text, const char *message)
{
    pr_reward_data_t *d = NULL;
    ck_assert_int_eq(load(text, &d), PR_ERR_FORMAT);
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(err.text, message), "found \"%s\", expected \"%s\"", err.text, message);
}

START_TEST(reads_labels)
{
    pr_reward_data_t *d = NULL;
    ck_assert_msg(load("\xEF\xBB\xBF{\"text\": \"a\", \"label\": 1}\r\n\n"
                       "{\"prompt\": \"p\", \"response\": \"r\", \"label\": false, \"more\": 1}\n",
                       &d) == PR_OK,
                  "%s", err.text);
    ck_assert(d->n == 2 && !d->pairs && d->binary);
    ck_assert_ptr_null(d->item[0].prompt);
    ck_assert_str_eq(d->item[0].text, "a");
    ck_assert_double_eq(d->item[0].label, 1);
    ck_assert_str_eq(d->item[1].prompt, "p");
    ck_assert_str_eq(d->item[1].text, "r");
    ck_assert_ptr_null(d->item[1].rejected);
    ck_assert_double_eq(d->item[1].label, 0);
    pr_reward_data_free(&d);
    ck_assert_ptr_null(d);
    ck_assert_int_eq(load("{\"text\": \"\", \"label\": 1}\n{\"text\": \"b\", \"label\": 0.5}", &d), PR_OK);
    ck_assert(!d->binary);
    pr_reward_data_free(&d);
}
END_TEST

START_TEST(reads_pairs)
{
    pr_reward_data_t *d = NULL;
    ck_assert_int_eq(load("{\"prompt\": \"p\", \"chosen\": \"c\", \"rejected\": \"r\"}\n"
                          "{\"chosen\": \"c2\", \"rejected\": \"r2\"}",
                          &d),
                     PR_OK);
    ck_assert(d->n == 2 && d->pairs && !d->binary);
    ck_assert_str_eq(d->item[0].prompt, "p");
    ck_assert_str_eq(d->item[0].text, "c");
    ck_assert_str_eq(d->item[0].rejected, "r");
    ck_assert_str_eq(d->item[1].prompt, "");
    pr_reward_data_free(&d);
}
END_TEST

START_TEST(refuses)
{
    pr_reward_data_t *d = NULL;
    refuse("", "found no sample");
    refuse("\n \n", "found no sample");
    refuse("{\"text\": \"a\", \"label\": 1}\n[1]", ":2: found an array");
    refuse("{\"text\": \"a\"}", ":1: found neither a pair nor a label");
    refuse("{\"chosen\": \"a\", \"rejected\": \"b\", \"label\": 1}", "a pair with a label");
    refuse("{\"chosen\": \"a\"}", "key 'rejected': found nothing");
    refuse("{\"rejected\": \"a\"}", "key 'chosen': found nothing");
    refuse("{\"prompt\": \"a\", \"label\": 1}", "key 'response': found nothing");
    refuse("{\"response\": \"a\", \"label\": 1}", "key 'prompt': found nothing");
    refuse("{\"text\": 3, \"label\": 1}", "key 'text': found an integer, expected a text");
    refuse("{\"text\": \"a\", \"label\": \"1\"}", "key 'label': found a string, expected a number");
    refuse("{\"text\": \"a\", \"label\": null}", "key 'label': found null");
    refuse("{\"text\": \"a\\u0000b\", \"label\": 1}", ":1: ");
    refuse("{\"text\": \"a\", \"label\": 1}\n{\"chosen\": \"a\", \"rejected\": \"b\"}", ":2: found a pair");
    refuse("{\"chosen\": \"a\", \"rejected\": \"b\"}\n{\"text\": \"a\", \"label\": 1}", ":2: found a label");
    refuse("{\"chosen\": \"a\", \"rejected\": \"b\", \"margin\": -1}", "key 'margin': found one that is not");
    refuse("{\"chosen\": \"a\", \"rejected\": \"b\", \"margin\": NaN}",
           "key 'margin': found NaN, expected a number >= 0");
    refuse("{\"chosen\": \"a\", \"rejected\": \"b\", \"margin\": Infinity}", "key 'margin': found Infinity");
    ck_assert_int_eq(pr_reward_data_load("/nowhere/x.jsonl", &d, &err), PR_ERR_NOT_FOUND);
}
END_TEST

/* The samples of one prompt stay together, wherever they stand; a larger share holds a smaller one. */
START_TEST(split)
{
    enum { N = 2000 };
    pr_reward_item_t item[N];
    char prompt[N][16];
    pr_reward_data_t d = {.pairs = true, .n = N, .item = item};
    int held = 0;
    for (int i = 0; i < N; i++) {
        snprintf(prompt[i], sizeof prompt[i], "p%d", (i * 7) % 1000);
        item[i] = (pr_reward_item_t){prompt[i], "a", "b", 0};
    }
    for (int i = 0; i < N; i++) {
        bool out = pr_reward_data_held_out(&d, i, 0.2);
        held += out;
        ck_assert_int_eq(out, pr_reward_data_held_out(&d, (i + 1000) % N, 0.2));
        ck_assert(!out || pr_reward_data_held_out(&d, i, 0.5));
        ck_assert(!pr_reward_data_held_out(&d, i, 0));
    }
    ck_assert_int_gt(held, N / 8);
    ck_assert_int_lt(held, N * 3 / 10);
    // Without a prompt the text says.
    item[0] = (pr_reward_item_t){NULL, prompt[0], NULL, 1};
    ck_assert_int_eq(pr_reward_data_held_out(&d, 0, 0.2), pr_reward_data_held_out(&d, 1000, 0.2));
    int differ = 0;
    for (int i = 0; i < 100; i++) {
        item[i] = (pr_reward_item_t){"", prompt[i], "b", 0};
        differ += pr_reward_data_held_out(&d, i, 0.5);
    }
    ck_assert_int_gt(differ, 20);
    ck_assert_int_lt(differ, 80);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward data");
    TCase *t = tcase_create("reward data");
    tcase_add_test(t, reads_labels);
    tcase_add_test(t, reads_pairs);
    tcase_add_test(t, refuses);
    tcase_add_test(t, split);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
