// SPDX-License-Identifier: BSD-3-Clause
/* The file of a linear reward head: written, read back, and refused where it is not one. */
#include "base/mem.h"
#include "model/linear_head.h"
#include "model/safetensors.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static pr_error_t err;

static void setup(void)
{
    snprintf(path, sizeof path, "/tmp/pr-head-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

START_TEST(reads_what_it_writes)
{
    float w[3] = {0.5f, -2, 1e-7f}, h[3] = {2, 3, 1e7f};
    pr_linear_head_t head = {.d = 3, .weight = w, .bias = -0.25f}, *back = NULL;
    head.metadata = json_pack("{s:s, s:s}", "template", "Q: {prompt}\n\"{response}\"", "about", "{\"n\":1}");
    ck_assert_msg(pr_linear_head_write(path, &head, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(pr_linear_head_read(path, &back, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(back->d, 3);
    ck_assert_mem_eq(back->weight, w, sizeof w);
    ck_assert_float_eq(back->bias, -0.25f);
    ck_assert(json_equal(back->metadata, head.metadata));
    ck_assert_double_eq_tol(pr_linear_head_score(back, h), 1 - 6 + (double)1e-7f * 1e7 - 0.25, 1e-12);
    json_decref(head.metadata);
    pr_linear_head_free(&back);
    ck_assert_ptr_null(back);
}
END_TEST

static void refuse(const pr_tensor_t *tensors, size_t n, const char *text)
{
    pr_linear_head_t *head = NULL;
    ck_assert_int_eq(pr_safetensors_write(path, tensors, n, &err), PR_OK);
    ck_assert_int_eq(pr_linear_head_read(path, &head, &err), PR_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, text), "found \"%s\", expected \"%s\"", err.text, text);
    ck_assert_ptr_null(head);
}

START_TEST(refuses)
{
    float w[4] = {1, 2, 3, 4}, broken[4] = {1, 2, INFINITY, 4};
    const void *good = w, *bad = broken;
    pr_tensor_t t[] = {{.name = "weight", .n_dim = 2, .shape = {1, 4}, .n = 4, .data = good},
                       {.name = "bias", .n_dim = 1, .shape = {1}, .n = 1, .data = good},
                       {.name = "more", .n_dim = 1, .shape = {1}, .n = 1, .data = good}};
    pr_linear_head_t *head = NULL;
    refuse(t, 1, "expected the two of a linear head");
    refuse(t, 3, "found 3 tensors");
    t[0].shape[0] = 2;
    t[0].shape[1] = 2;
    refuse(t, 2, "'weight'");
    t[0] = (pr_tensor_t){.name = "weight", .n_dim = 1, .shape = {4}, .n = 4, .data = good};
    refuse(t, 2, "'weight': found 1 dimensions");
    t[0] = (pr_tensor_t){.name = "weight", .n_dim = 2, .shape = {1, 4}, .n = 4, .data = bad};
    refuse(t, 2, "tensor 'weight': element 2: found Infinity");
    t[0].data = good;
    t[1] = (pr_tensor_t){.name = "bias", .n_dim = 1, .shape = {2}, .n = 2, .data = good};
    refuse(t, 2, "'bias': found 2 elements");
    ck_assert_int_eq(truncate(path, 20), 0);
    ck_assert_int_eq(pr_linear_head_read(path, &head, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_linear_head_read("/nowhere/head", &head, &err), PR_ERR_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("linear heads");
    TCase *t = tcase_create("linear heads");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, reads_what_it_writes);
    tcase_add_test(t, refuses);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
