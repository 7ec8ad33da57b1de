// SPDX-License-Identifier: BSD-3-Clause
#include "base/log.h"
#include "store/journal.h"
#include "store/results.h"

#include "store_files.h"

#include <sched.h>

static pr_error_t err;
static char *dir;

static void set_up(void)
{
    make_folder();
    pr_log_set_level(PR_LOG_ERROR);
    dir = pr_path_join(folder, "sweep/x");
}

static void tear_down(void)
{
    remove_folder();
    free(dir);
}

static pr_results_t *open_results(void)
{
    pr_results_t *r = NULL;
    ck_assert_msg(pr_results_open(dir, &r, &err) == PR_OK, "%s", err.text);
    return r;
}

static void expect_locked_by(pid_t pid)
{
    pr_results_t *r = NULL;
    char host[256], expected[512], owner[300] = "";
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert_int_eq(pr_results_open(dir, &r, &err), PR_ERR_LOCKED);
    ck_assert_ptr_null(r);
    snprintf(expected, sizeof expected, "%s: process %ld on %s works in this results directory", dir, (long)pid, host);
    ck_assert_str_eq(err.text, expected);
    ck_assert(pr_results_locked(dir, owner, sizeof owner));
    snprintf(expected, sizeof expected, "process %ld on %s", (long)pid, host);
    ck_assert_str_eq(owner, expected);
}

START_TEST(makes_the_directory)
{
    pr_results_t *r = open_results();
    ck_assert_str_eq(pr_results_dir(r), dir);
    char *artifacts = pr_results_path(dir, "%s", "artifacts"), *step = pr_results_path(dir, "checkpoints/%d.ckpt", 7);
    ck_assert(pr_dir_exists(artifacts));
    ck_assert_str_eq(step + strlen(dir), "/checkpoints/7.ckpt");
    *strrchr(step, '/') = 0;
    ck_assert(pr_dir_exists(step));
    free(artifacts);
    free(step);
    pr_results_close(&r);
    ck_assert_ptr_null(r);
    pr_results_close(&r);
    r = open_results(); // a second time it is there already
    pr_results_close(&r);
}
END_TEST

START_TEST(refuses_a_path_that_is_no_directory)
{
    pr_results_t *r = NULL;
    put_file(in_folder("file"), "x", 1);
    ck_assert_int_eq(pr_results_open(in_folder("file"), &r, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_results_open("/proc/nothing", &r, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_mkdirs(dir, &err), PR_OK);
    put_file(in_folder("sweep/x/artifacts"), "x", 1);
    ck_assert_int_eq(pr_results_open(dir, &r, &err), PR_ERR_IO);
    ck_assert(!pr_results_locked(dir, NULL, 0)); // the lock was given back
    ck_assert_ptr_null(r);
}
END_TEST

START_TEST(a_link_in_place_of_the_lock_is_not_followed)
{
    size_t len;
    pr_results_t *r = NULL;
    ck_assert_int_eq(pr_mkdirs(dir, &err), PR_OK);
    put_file(in_folder("precious"), "keep", 4);
    ck_assert_int_eq(symlink("../../precious", in_folder("sweep/x/.lock")), 0);
    ck_assert_int_eq(pr_results_open(dir, &r, &err), PR_ERR_IO);
    char *text = get_file(in_folder("precious"), &len);
    ck_assert_str_eq(text, "keep");
    free(text);
}
END_TEST

START_TEST(one_lock_in_one_process)
{
    pr_results_t *r = open_results();
    expect_locked_by(getpid());
    expect_locked_by(getpid()); // looking did not give it up
    pr_results_close(&r);
    ck_assert(!pr_results_locked(dir, NULL, 0));
    r = open_results();
    pr_results_close(&r);
}
END_TEST

static void hold(int told)
{
    open_results();
    if (write(told, "x", 1) == 1)
        for (;;)
            pause();
}

static pid_t start_holder(void)
{
    int ends[2];
    char c;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = start_child(hold, ends[1], ends[1]);
    ck_assert_int_eq(read(ends[0], &c, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

START_TEST(another_process_is_refused_until_it_dies)
{
    for (int round = 0; round < 5; round++) {
        pid_t pid = start_holder();
        expect_locked_by(pid);
        kill_child(pid);
        ck_assert(!pr_results_locked(dir, NULL, 0));
        pr_results_t *r = open_results(); // though .lock still names the dead process
        expect_locked_by(getpid());
        pr_results_close(&r);
    }
}
END_TEST

static void enter_often(int n)
{
    while (n > 0) {
        pr_results_t *r = NULL;
        pr_status_t status = pr_results_open(dir, &r, &err);
        if (status == PR_ERR_LOCKED)
            continue;
        int fd = open(in_folder("inside"), O_CREAT | O_EXCL | O_WRONLY, 0600); // fails if two are inside
        if (status != PR_OK || fd < 0)
            _exit(1);
        sched_yield();
        if (unlink(in_folder("inside")) != 0)
            _exit(2);
        close(fd);
        pr_results_close(&r);
        n--;
    }
}

START_TEST(never_two_inside)
{
    pid_t pid[4];
    int how;
    for (int i = 0; i < 4; i++)
        pid[i] = start_child(enter_often, 300, -1);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(waitpid(pid[i], &how, 0), pid[i]);
        ck_assert_int_eq(how, 0);
    }
}
END_TEST

START_TEST(odd_bytes_in_the_lock_do_no_harm)
{
    pr_results_t *r = open_results(), *second = NULL;
    char junk[5000];
    memset(junk, 0x1b, sizeof junk);
    FILE *f = fopen(in_folder("sweep/x/.lock"), "r+b");
    fwrite(junk, 1, sizeof junk, f);
    fclose(f);
    ck_assert_int_eq(pr_results_open(dir, &second, &err), PR_ERR_LOCKED);
    ck_assert_ptr_null(strchr(err.text, 0x1b));
    ck_assert_uint_lt(strlen(err.text), 600);
    ck_assert_int_eq(truncate(in_folder("sweep/x/.lock"), 0), 0);
    ck_assert_int_eq(pr_results_open(dir, &second, &err), PR_ERR_LOCKED);
    ck_assert_ptr_nonnull(strstr(err.text, "another process"));
    pr_results_close(&r);
}
END_TEST

/* The lock is held on what a second run cannot do without: removing .lock lets nobody in, and it is put back. */
START_TEST(a_removed_lock_lets_nobody_in)
{
    char owner[300] = "";
    pr_results_t *r = open_results(), *second = NULL;
    pr_journal_t *j = NULL;
    json_t *start = json_pack("{s:s, s:i, s:i}", "host", "node7", "pid", 123, "layout", PR_LAYOUT);
    ck_assert_int_eq(pr_journal_open(in_folder("sweep/x/journal.jsonl"), &j, &err), PR_OK);
    ck_assert_int_eq(pr_journal_append(j, "sweep_start", start, true, &err), PR_OK);
    json_decref(start);
    pr_journal_close(&j);
    ck_assert_int_eq(unlink(in_folder("sweep/x/.lock")), 0);
    ck_assert(pr_results_locked(dir, owner, sizeof owner));
    ck_assert_int_eq(pr_results_open(dir, &second, &err), PR_ERR_LOCKED);
    ck_assert_ptr_nonnull(strstr(err.text, "process 123 on node7 works in this results directory"));
    ck_assert_int_eq(pr_results_check(r, &err), PR_OK);
    expect_locked_by(getpid()); // .lock names this process again
    pr_results_close(&r);
    r = open_results();
    pr_results_close(&r);
}
END_TEST

/* Whoever holds a journal that is no longer the one of that name must stop. */
START_TEST(a_journal_that_went_away_is_noticed)
{
    static const char *const commands[] = {"rm journal.jsonl", "mv journal.jsonl kept",
                                           "cp journal.jsonl c; mv c journal.jsonl", "cd ..; mv x y; mkdir x"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char command[256];
        pr_results_t *r = open_results();
        ck_assert_int_eq(pr_results_check(r, &err), PR_OK);
        snprintf(command, sizeof command, "cd '%s' && { %s; }", dir, commands[i]);
        ck_assert_int_eq(system(command), 0);
        ck_assert_int_eq(pr_results_check(r, &err), PR_ERR_LOCKED);
        ck_assert_ptr_nonnull(strstr(err.text, "journal.jsonl: was removed, replaced or moved away"));
        pr_results_close(&r);
    }
}
END_TEST

START_TEST(holding_makes_nothing)
{
    pr_results_t *r = NULL;
    ck_assert_int_eq(pr_results_hold(dir, &r, &err), PR_ERR_NOT_FOUND);
    ck_assert(!pr_dir_exists(dir));
    ck_assert_int_eq(pr_mkdirs(dir, &err), PR_OK);
    ck_assert_int_eq(pr_results_hold(dir, &r, &err), PR_ERR_NOT_FOUND);
    put_file(in_folder("sweep/x/journal.jsonl"), "", 0);
    ck_assert_int_eq(pr_results_hold(dir, &r, &err), PR_OK);
    expect_locked_by(getpid());
    ck_assert_int_eq(count_files(dir), 1);
    pr_results_close(&r);
}
END_TEST

/* A journal of one start, that says its layout or nothing; a start of this version may follow. */
static void put_journal(const char *path, int layout, bool more)
{
    pr_journal_t *j = NULL;
    json_t *first = layout ? json_pack("{s:i}", "layout", layout) : json_object(),
           *next = json_pack("{s:i}", "layout", PR_LAYOUT);
    ck_assert_int_eq(pr_journal_open(path, &j, &err), PR_OK);
    ck_assert_int_eq(pr_journal_append(j, "note", NULL, true, &err), PR_OK);
    ck_assert_int_eq(pr_journal_append(j, "sweep_start", first, true, &err), PR_OK);
    if (more)
        ck_assert_int_eq(pr_journal_append(j, "sweep_start", next, true, &err), PR_OK);
    pr_journal_close(&j);
    json_decref(first);
    json_decref(next);
}

START_TEST(another_layout_is_not_touched)
{
    static const int layouts[] = {0, 1, PR_LAYOUT + 1};
    pr_results_t *r = NULL;
    ck_assert_int_eq(pr_results_check_layout(dir, &err), PR_OK); // nothing is there
    ck_assert_int_eq(pr_mkdirs(dir, &err), PR_OK);
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        char expected[64];
        put_journal(in_folder("sweep/x/journal.jsonl"), layouts[i], i == 1);
        snprintf(expected, sizeof expected, "found results of layout %d", layouts[i] ? layouts[i] : 1);
        ck_assert_int_eq(pr_results_open(dir, &r, &err), PR_ERR_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, expected));
        ck_assert_int_eq(pr_results_hold(dir, &r, &err), PR_ERR_UNSUPPORTED);
        ck_assert_ptr_null(r);
        ck_assert_int_eq(count_files(dir), 1);
        ck_assert(!pr_file_exists(in_folder("sweep/x/.lock")));
        ck_assert_int_eq(unlink(in_folder("sweep/x/journal.jsonl")), 0);
    }
    put_journal(in_folder("sweep/x/journal.jsonl"), PR_LAYOUT, false);
    r = open_results();
    pr_results_close(&r);
}
END_TEST

START_TEST(work_is_found)
{
    static const char *const files[] = {"cells.csv",
                                        "front.json",
                                        "artifacts/0123456789abcdef0123456789abcdef/adapter_model.safetensors",
                                        "artifacts/0123456789abcdef0123456789abcdef/head.safetensors",
                                        "experts/a-s1/adapter_model.safetensors",
                                        "heads/a.safetensors",
                                        "checkpoints/train-0.ckpt"};
    pr_results_t *r = open_results();
    char what[256];
    put_file(in_folder("sweep/x/sweep.cfg"), "x", 1);
    ck_assert(!pr_results_has_work(dir, what, sizeof what)); // an empty journal is no sign of any
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = pr_path_join(dir, files[i]), *parent = pr_path_dir(path);
        ck_assert_int_eq(pr_mkdirs(parent, &err), PR_OK);
        put_file(path, "x", 1);
        ck_assert(pr_results_has_work(dir, what, sizeof what));
        ck_assert_str_eq(what, files[i]);
        ck_assert_int_eq(unlink(path), 0);
        free(path);
        free(parent);
    }
    pr_results_close(&r);
}
END_TEST

static bool there(const char *name)
{
    struct stat st;
    return lstat(in_folder(name), &st) == 0;
}

START_TEST(sweeps_temporaries_only)
{
    static const char *const gone[] = {"sweep/x/cells.csv.tmp-12", "sweep/x/checkpoints/a.ckpt.tmp-99999",
                                       "sweep/x/artifacts/a/adapter_model.safetensors.tmp-7",
                                       "sweep/x/experts/a-s1/adapter_model.safetensors.tmp-7", "sweep/x/a.tmp-1.tmp-2"};
    static const char *const kept[] = {"sweep/x/cells.csv",
                                       "sweep/x/x.tmp-",
                                       "sweep/x/x.tmp-12a",
                                       "sweep/x/.tmp-12",
                                       "sweep/x/tmp-12",
                                       "sweep/x/x.tmp-1.csv",
                                       "sweep/x/experts/a-s1/deep/x.tmp-1",
                                       "outside/x.tmp-1",
                                       "sweep/y.tmp-1"};
    pr_results_t *r = open_results();
    ck_assert_int_eq(pr_mkdirs(in_folder("sweep/x/experts/a-s1/deep"), &err), PR_OK);
    ck_assert_int_eq(pr_mkdirs(in_folder("sweep/x/folder.tmp-5"), &err), PR_OK);
    ck_assert_int_eq(pr_mkdirs(in_folder("outside"), &err), PR_OK);
    ck_assert_int_eq(pr_mkdirs(in_folder("sweep/x/artifacts/a"), &err), PR_OK);
    ck_assert_int_eq(symlink("../../outside", in_folder("sweep/x/link")), 0);
    ck_assert_int_eq(symlink("../artifacts/a", in_folder("sweep/x/experts/b-s1")), 0);
    ck_assert_int_eq(symlink("../artifacts/a", in_folder("sweep/x/experts/b-s1.tmp-12")), 0); // half made
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        put_file(in_folder(gone[i]), "x", 1);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        put_file(in_folder(kept[i]), "x", 1);
    pr_results_sweep_temporaries(r);
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        ck_assert_msg(!there(gone[i]), "%s is still there", gone[i]);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        ck_assert_msg(there(kept[i]), "%s is gone", kept[i]);
    ck_assert(there("sweep/x/folder.tmp-5") && there("sweep/x/link") && there("sweep/x/experts/b-s1"));
    ck_assert(!there("sweep/x/experts/b-s1.tmp-12"));
    pr_results_close(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("results");
    TCase *tcase = tcase_create("results");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, makes_the_directory);
    tcase_add_test(tcase, refuses_a_path_that_is_no_directory);
    tcase_add_test(tcase, a_link_in_place_of_the_lock_is_not_followed);
    tcase_add_test(tcase, one_lock_in_one_process);
    tcase_add_test(tcase, another_process_is_refused_until_it_dies);
    tcase_add_test(tcase, never_two_inside);
    tcase_add_test(tcase, odd_bytes_in_the_lock_do_no_harm);
    tcase_add_test(tcase, a_removed_lock_lets_nobody_in);
    tcase_add_test(tcase, a_journal_that_went_away_is_noticed);
    tcase_add_test(tcase, holding_makes_nothing);
    tcase_add_test(tcase, another_layout_is_not_touched);
    tcase_add_test(tcase, work_is_found);
    tcase_add_test(tcase, sweeps_temporaries_only);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
