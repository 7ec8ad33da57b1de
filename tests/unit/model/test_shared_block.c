// SPDX-License-Identifier: BSD-3-Clause
/* Blocks of memory that processes have in common, and what of them is not believed. */
#include "shared_play.h"

/* ---- tests of blocks ---- */

START_TEST(others_map_what_the_first_made)
{
    char path[700];
    pr_shared_block_t *b = made("it");
    ck_assert(is_pattern(b));
    for (int i = 0; i < 3; i++) {
        other_t o = other_start(act_read);
        ck_assert_int_eq(other_end(&o), 11);
    }
    pr_shared_block_t *again = opened("it", SIZE, PR_SHARED_MADE); // in the same process
    ck_assert(is_pattern(again));
    pr_shared_block_close(&again);
    ck_assert_ptr_null(again);
    ck_assert_int_eq(files(path), 1);
    pr_shared_block_close(&b);
    ck_assert_int_eq(files(path), 0);
    b = made("it"); // when nobody had it any more
    pr_shared_block_close(&b);
}
END_TEST

// Sealed: neither who made it nor who has it can change it.
START_TEST(nobody_can_change_it)
{
    char path[700], link[64], *text;
    size_t len;
    long pid;
    int number;
    pr_shared_block_t *b = made("it");
    ck_assert_int_eq(files(path), 1);
    ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
    ck_assert_int_eq(sscanf(text, "%ld %d\n", &pid, &number), 2);
    free(text);
    ck_assert_int_eq(pid, (long)getpid());
    snprintf(link, sizeof link, "/proc/self/fd/%d", number);
    int fd = open(link, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "x", 1), -1);
    ck_assert_int_ne(ftruncate(fd, 10), 0);
    ck_assert_int_ne(ftruncate(fd, 2 * SIZE), 0);
    ck_assert(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    close(fd);
    ck_assert(is_pattern(b));
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(it_lasts_as_long_as_anybody_has_it)
{
    pr_shared_block_t *b = made("it");
    other_t o = other_start(act_hold);
    ck_assert(hear(o.said));
    pr_shared_block_close(&b); // who made it
    b = opened("it", SIZE, PR_SHARED_MADE);
    ck_assert(is_pattern(b));
    pr_shared_block_close(&b);
    ck_assert(tell(o.go));
    ck_assert_int_eq(other_end(&o), 0);
    b = made("it");
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(others_wait_for_who_makes_it)
{
    char path[700];
    other_t maker = other_start(act_make_half);
    ck_assert(hear(maker.said));
    ck_assert_int_eq(files(path), 1);
    other_t reader = other_start(act_read);
    until_it_has(reader.pid, path);
    ck_assert(tell(maker.go));
    ck_assert_int_eq(other_end(&reader), 11);
    ck_assert(tell(maker.go));
    ck_assert_int_eq(other_end(&maker), 0);
}
END_TEST

START_TEST(when_the_maker_dies_the_next_one_makes_it)
{
    char path[700];
    for (int waits = 0; waits < 2; waits++) {
        other_t maker = other_start(act_make_half), reader;
        ck_assert(hear(maker.said));
        ck_assert_int_eq(files(path), 1);
        if (waits) {
            reader = other_start(act_read);
            until_it_has(reader.pid, path);
        }
        ck_assert_int_eq(kill(maker.pid, SIGKILL), 0);
        ck_assert_int_eq(other_end(&maker), 128 + SIGKILL);
        if (waits)
            ck_assert_int_eq(other_end(&reader), 10);
        pr_shared_block_t *b = made("it"); // which finds zeros, not half a pattern
        pr_shared_block_close(&b);
    }
}
END_TEST

START_TEST(who_makes_no_progress_is_not_waited_for)
{
    other_t maker = other_start(act_make_half);
    ck_assert(hear(maker.said));
    double before = pr_shared_block_patience(0.05);
    opened("it", SIZE, PR_SHARED_NONE);
    ck_assert_msg(strstr(why, "no progress for 0.05 seconds") != NULL, "%s", why);
    ck_assert(pr_shared_block_patience(0) < before);
    ck_assert(tell(maker.go)); // and it is not disturbed
    pr_shared_block_t *b = opened("it", SIZE, PR_SHARED_MADE);
    ck_assert(is_pattern(b));
    ck_assert(tell(maker.go));
    ck_assert_int_eq(other_end(&maker), 0);
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(given_up_before_it_is_done_it_is_nobodys)
{
    char path[700];
    pr_shared_block_t *b = opened("it", SIZE, PR_SHARED_MAKE);
    memset(pr_shared_block_data(b), 1, SIZE);
    pr_shared_block_progress(b);
    pr_shared_block_close(&b);
    ck_assert_int_eq(files(path), 0);
    b = made("it");
    pr_shared_block_close(&b);
    pr_shared_block_close(&b); // of none
}
END_TEST

START_TEST(another_text_or_size_is_another_block)
{
    char path[700];
    pr_shared_block_t *a = made("a"), *b = made("b");
    pr_shared_block_t *c = opened("a", SIZE + 1, PR_SHARED_MAKE);
    ck_assert_int_eq(files(path), 3);
    pr_shared_block_close(&c);
    pr_shared_block_close(&b);
    pr_shared_block_close(&a);
    ck_assert_int_eq(files(path), 0);
}
END_TEST

// After fork() both have it; the child's end does not take the parent's line away.
START_TEST(a_child_does_not_speak_for_its_parent)
{
    pr_shared_block_t *b = made("it");
    pid_t pid = fork();
    int status;
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        pr_shared_block_close(&b);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    other_t o = other_start(act_read);
    ck_assert_int_eq(other_end(&o), 11);
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(files_that_outlived_their_processes_are_removed)
{
    char path[700];
    other_t o = other_start(act_make);
    ck_assert(hear(o.said));
    pr_shared_block_t *live = made("other");
    ck_assert_int_eq(files(path), 2); // that of a living process stays
    ck_assert_int_eq(kill(o.pid, SIGKILL), 0);
    ck_assert_int_eq(other_end(&o), 128 + SIGKILL);
    ck_assert_int_eq(files(path), 2);
    pr_shared_block_t *next = made("a third");
    ck_assert_int_eq(files(path), 2);
    pr_shared_block_close(&next);
    pr_shared_block_close(&live);
    ck_assert_int_eq(files(path), 0);
}
END_TEST

/* ---- what is not believed ---- */

// The path of the file of block "it", which is not there.
static void list_path(char path[700])
{
    pr_shared_block_t *b = made("it");
    ck_assert_int_eq(files(path), 1);
    pr_shared_block_close(&b);
}

// Memory of a name, like that of block "it" but for what the arguments say.
static int memory(const char *name, size_t size, int seals)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

START_TEST(a_line_is_not_believed)
{
    const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    char path[700], name[64], text[400];
    list_path(path);
    snprintf(name, sizeof name, "paretorank-%s", strrchr(path, '-') + 1);
    scratch_text("ordinary", "a file");
    snprintf(text, sizeof text, "%s/ordinary", scratch);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(dead, NULL, 0), dead);
    const struct {
        const char *label;
        long pid;
        int fd;
        bool believed;
    } cases[] = {{"what should be there", getpid(), memory(name, SIZE, all), true},
                 {"not sealed", getpid(), memory(name, SIZE, 0), false},
                 {"may be written", getpid(), memory(name, SIZE, F_SEAL_SHRINK | F_SEAL_GROW), false},
                 {"may shrink", getpid(), memory(name, SIZE, F_SEAL_WRITE | F_SEAL_GROW), false},
                 {"too small", getpid(), memory(name, SIZE - 1, all), false},
                 {"too large", getpid(), memory(name, 2 * SIZE, all), false},
                 {"of another name", getpid(), memory("paretorank-0123456789abcdef", SIZE, all), false},
                 {"an ordinary file", getpid(), open(text, O_RDONLY | O_CLOEXEC), false},
                 {"not open", getpid(), 999, false},
                 {"another process", getppid(), memory(name, SIZE, all), false},
                 {"no process", dead, memory(name, SIZE, all), false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%ld %d\n", cases[i].pid, cases[i].fd);
        write_at(path, 0600, text);
        pr_shared_block_t *b = NULL;
        pr_shared_t got = pr_shared_block_open("it", SIZE, &b, why);
        ck_assert_msg(got == (cases[i].believed ? PR_SHARED_MADE : PR_SHARED_MAKE), "%s: %d %s", cases[i].label, got,
                      why);
        pr_shared_block_close(&b);
        unlink(path);
        close(cases[i].fd);
    }
}
END_TEST

START_TEST(nonsense_in_the_list_is_passed_over)
{
    static const char *const texts[] = {"",
                                        "\n",
                                        "x\n",
                                        "1\n",
                                        "-1 3\n",
                                        "1 -3\n",
                                        "0 0\n",
                                        "99999999999999999999 3\n",
                                        "1 99999999999\n",
                                        " 1 3\n",
                                        "1 3 4\n",
                                        "\xff\xfe\n\n",
                                        "1"};
    char path[700], *text;
    size_t len;
    list_path(path);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_at(path, 0600, texts[i]);
        pr_shared_block_t *b = made("it");
        ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK); // one line, no nonsense
        ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
        free(text);
        other_t o = other_start(act_read);
        ck_assert_int_eq(other_end(&o), 11);
        pr_shared_block_close(&b);
    }
}
END_TEST

static void refused(const char *label, const char *word)
{
    pr_shared_block_t *b = NULL;
    ck_assert_msg(pr_shared_block_open("it", SIZE, &b, why) == PR_SHARED_NONE, "%s", label);
    ck_assert_ptr_null(b);
    ck_assert_msg(strstr(why, word) != NULL && strchr(why, '\n') == NULL, "%s: %s", label, why);
}

START_TEST(other_peoples_files_are_refused)
{
    char path[700], target[400], *text;
    size_t len;
    list_path(path);
    snprintf(target, sizeof target, "%s/target", scratch);
    write_at(target, 0600, "keep");
    ck_assert_int_eq(symlink(target, path), 0);
    refused("a symbolic link", "-");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(link(target, path), 0);
    refused("a second name of another file", "this user's alone");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(pr_file_read(target, 0, &text, &len, NULL), PR_OK);
    ck_assert_str_eq(text, "keep");
    free(text);
    write_at(path, 0644, "");
    refused("readable by others", "this user's alone");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused("a pipe", "this user's alone");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    refused("a directory", "directory");
    ck_assert_int_eq(rmdir(path), 0);
    if (geteuid() == 0) {
        write_at(path, 0600, "");
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        refused("of another user", "this user's alone");
        ck_assert_int_eq(unlink(path), 0);
    }
    pr_shared_block_t *b = made("it");
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(other_peoples_folders_are_refused)
{
    char elsewhere[400];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", scratch);
    ck_assert_int_eq(mkdir(elsewhere, 0700), 0);
    ck_assert_int_eq(symlink(elsewhere, folder), 0);
    refused("a symbolic link", folder);
    ck_assert_int_eq(unlink(folder), 0);
    write_at(folder, 0600, "");
    refused("a file", folder);
    ck_assert_int_eq(unlink(folder), 0);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(chmod(folder, 0750), 0);
    refused("open to others", "mode 750");
    ck_assert_int_eq(chmod(folder, 0700), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(folder, 65534, 65534), 0);
        refused("of another user", "user 65534");
        ck_assert_int_eq(chown(folder, 0, 0), 0);
    }
    ck_assert_int_eq(setenv("TMPDIR", "/nonexistent/place", 1), 0);
    refused("no TMPDIR", "/nonexistent/place");
    ck_assert_int_eq(setenv("TMPDIR", scratch, 1), 0);
    pr_shared_block_t *b = made("it");
    pr_shared_block_close(&b);
}
END_TEST

START_TEST(it_can_be_switched_off)
{
    ck_assert_int_eq(setenv("PARETORANK_SHARE_WEIGHTS", "0", 1), 0);
    opened("it", SIZE, PR_SHARED_NONE);
    ck_assert_str_eq(why, "");
    ck_assert_int_eq(setenv("PARETORANK_SHARE_WEIGHTS", "no", 1), 0);
    refused("another word", "found 'no', expected 0 or 1");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(setenv("PARETORANK_SHARE_WEIGHTS", i ? "1" : "", 1), 0);
        pr_shared_block_t *b = made("it");
        pr_shared_block_close(&b);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("shared_block");
    TCase *t = tcase_create("shared_block");
    tcase_add_checked_fixture(t, setup, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, others_map_what_the_first_made);
    tcase_add_test(t, nobody_can_change_it);
    tcase_add_test(t, it_lasts_as_long_as_anybody_has_it);
    tcase_add_test(t, others_wait_for_who_makes_it);
    tcase_add_test(t, when_the_maker_dies_the_next_one_makes_it);
    tcase_add_test(t, who_makes_no_progress_is_not_waited_for);
    tcase_add_test(t, given_up_before_it_is_done_it_is_nobodys);
    tcase_add_test(t, another_text_or_size_is_another_block);
    tcase_add_test(t, a_child_does_not_speak_for_its_parent);
    tcase_add_test(t, files_that_outlived_their_processes_are_removed);
    tcase_add_test(t, a_line_is_not_believed);
    tcase_add_test(t, nonsense_in_the_list_is_passed_over);
    tcase_add_test(t, other_peoples_files_are_refused);
    tcase_add_test(t, other_peoples_folders_are_refused);
    tcase_add_test(t, it_can_be_switched_off);
    suite_add_tcase(s, t);
    return run_suite(s);
}
