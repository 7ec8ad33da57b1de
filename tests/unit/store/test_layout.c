// SPDX-License-Identifier: BSD-3-Clause
/* Names of a results directory: what jobs leave, the links for people to it, and the way back from a path. */
#include "store/layout.h"

#include "store_files.h"

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba98765432100123456789abcdef"

static pr_error_t err;

static void set_up(void)
{
    make_folder();
}

static void tear_down(void)
{
    remove_folder();
}

static void is(char *found, const char *expected)
{
    ck_assert_str_eq(found, expected);
    free(found);
}

START_TEST(paths)
{
    is(pr_artifact_path("r", PR_ARTIFACT_ADAPTER, ID), "r/artifacts/" ID);
    is(pr_artifact_path("r", PR_ARTIFACT_HEAD, ID), "r/artifacts/" ID "/head.safetensors");
    is(pr_artifact_link_path("r", PR_ARTIFACT_ADAPTER, "a-s1"), "r/experts/a-s1");
    is(pr_artifact_link_path("r", PR_ARTIFACT_HEAD, "a"), "r/heads/a.safetensors");
    is(pr_checkpoint_path("r", "train", ID), "r/checkpoints/train-" ID ".ckpt");
    is(pr_results_path("r", "%s-%d", PR_FILE_CELLS, 3), "r/cells.csv-3");
}
END_TEST

START_TEST(names_of_checkpoints)
{
    static const char *const others[] = {
        "train-" ID ".ckpt.tmp-1", "train-" ID, "evaluate-" ID ".ckpt", "train-0123.ckpt", "train-" ID "0.ckpt",
        "train-" OTHER "x.ckpt",   "train"};
    char id[33];
    ck_assert(pr_checkpoint_name("train-" ID ".ckpt", "train", id));
    ck_assert_str_eq(id, ID);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(!pr_checkpoint_name(others[i], "train", id), "%s", others[i]);
}
END_TEST

START_TEST(places)
{
    static const struct {
        const char *path, *dir; // NULL: no place
        bool head;
        const char *id, *label;
    } cases[] = {{"/x/r/artifacts/" ID, "/x/r", false, ID, ""},
                 {"/x/r/artifacts/" ID "/head.safetensors", "/x/r", true, ID, ""},
                 {"/x/r/experts/a-s1", "/x/r", false, "", "a-s1"},
                 {"/x/r/heads/a.safetensors", "/x/r", true, "", "a-head"}, // as the job's label is
                 {"/x/r/artifacts/mine", NULL, false, "", ""},
                 {"/x/r/other/" ID "/head.safetensors", NULL, false, "", ""},
                 {"/x/r/heads/a.txt", NULL, false, "", ""},
                 {"/x/r/heads/.safetensors", NULL, false, "", ""},
                 {"/x/mine/adapter", NULL, false, "", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = NULL, id[33], label[64];
        bool head, found = pr_artifact_place(cases[i].path, &dir, &head, id, label, sizeof label);
        ck_assert_msg(found == (cases[i].dir != NULL), "%s", cases[i].path);
        if (found) {
            ck_assert_str_eq(dir, cases[i].dir);
            ck_assert_int_eq(head, cases[i].head);
            ck_assert_str_eq(id, cases[i].id);
            ck_assert_str_eq(label, cases[i].label);
        }
        free(dir);
    }
}
END_TEST

static void points_to(const char *link, const char *expected)
{
    char found[256];
    ssize_t n = readlink(in_folder(link), found, sizeof found - 1);
    ck_assert_msg(n > 0, "%s is no link", link);
    found[n] = 0;
    ck_assert_str_eq(found, expected);
}

/* The link is made with its folder, points elsewhere when another job is the label's, and moves with the directory. */
START_TEST(links_for_people)
{
    ck_assert_int_eq(pr_mkdirs(in_folder("r/artifacts/" ID), &err), PR_OK);
    ck_assert_int_eq(pr_mkdirs(in_folder("r/artifacts/" OTHER), &err), PR_OK);
    put_file(in_folder("r/artifacts/" ID "/head.safetensors"), "x", 1);
    for (int twice = 0; twice < 2; twice++) {
        ck_assert_int_eq(pr_artifact_link(in_folder("r"), PR_ARTIFACT_ADAPTER, "a-s1", ID, &err), PR_OK);
        ck_assert_int_eq(pr_artifact_link(in_folder("r"), PR_ARTIFACT_HEAD, "a", ID, &err), PR_OK);
        points_to("r/experts/a-s1", "../artifacts/" ID);
        points_to("r/heads/a.safetensors", "../artifacts/" ID "/head.safetensors");
    }
    ck_assert_int_eq(pr_artifact_link(in_folder("r"), PR_ARTIFACT_ADAPTER, "a-s1", OTHER, &err), PR_OK);
    points_to("r/experts/a-s1", "../artifacts/" OTHER);
    ck_assert_int_eq(count_files(in_folder("r/experts")), 1);
    ck_assert_int_eq(rename(in_folder("r"), in_folder("moved")), 0);
    ck_assert(pr_dir_exists(in_folder("moved/experts/a-s1")));
    ck_assert(pr_file_exists(in_folder("moved/heads/a.safetensors")));
}
END_TEST

/* Where links were copied as what they point to, that is left alone, and it is said. */
START_TEST(a_folder_in_place_of_a_link)
{
    ck_assert_int_eq(pr_mkdirs(in_folder("r/experts/a-s1"), &err), PR_OK);
    put_file(in_folder("r/experts/a-s1/f"), "x", 1);
    ck_assert_int_eq(pr_artifact_link(in_folder("r"), PR_ARTIFACT_ADAPTER, "a-s1", ID, &err), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "r/experts/a-s1: cannot link to ../artifacts/" ID));
    ck_assert(pr_file_exists(in_folder("r/experts/a-s1/f")));
    ck_assert_int_eq(count_files(in_folder("r/experts")), 1); // nothing half made is left
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout");
    TCase *t = tcase_create("layout");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, paths);
    tcase_add_test(t, names_of_checkpoints);
    tcase_add_test(t, places);
    tcase_add_test(t, links_for_people);
    tcase_add_test(t, a_folder_in_place_of_a_link);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
