/* Memory that processes have in common, and models whose weights are in it. Each test has a folder of its own as
 * TMPDIR. Other processes are brought to the point that matters and told to go on, by pipes. */
#include "base/log.h"
#include "model/model_parts.h"
#include "model/shared_block.h"
#include "model_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SIZE = 3 * 4096 + 100 };

static char folder[400]; // where the lists of holders are
static char why[PR_SHARED_WHY];

static void setup(void)
{
    scratch_make();
    ck_assert_int_eq(setenv("TMPDIR", scratch, 1), 0);
    ck_assert_int_eq(unsetenv("PARETORANK_SHARE_WEIGHTS"), 0);
    snprintf(folder, sizeof folder, "%s/paretorank-%ld", scratch, (long)geteuid());
}

/* ---- the folder ---- */

// The number of files in it, and the path of one.
static int files(char path[700])
{
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, 700, "%s/%s", folder, e->d_name);
            n++;
        }
    closedir(d);
    return n;
}

/* ---- blocks ---- */

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 7 + i / 251 + 1);
}

static pr_shared_block_t *opened(const char *identity, size_t size, pr_shared_t expected)
{
    pr_shared_block_t *b = NULL;
    pr_shared_t found = pr_shared_block_open(identity, size, &b, why);
    ck_assert_msg(found == expected, "%s: found %d, expected %d: %s", identity, found, expected, why);
    return b;
}

static void fill(pr_shared_block_t *b)
{
    unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE; i++) {
        ck_assert_int_eq(p[i], 0);
        p[i] = pattern(i);
    }
}

static pr_shared_block_t *made(const char *identity)
{
    pr_shared_block_t *b = opened(identity, SIZE, PR_SHARED_MAKE);
    fill(b);
    ck_assert_msg(pr_shared_block_publish(b, why), "%s", why);
    return b;
}

static bool is_pattern(const pr_shared_block_t *b)
{
    const unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE; i++)
        if (p[i] != pattern(i))
            return false;
    return true;
}

/* ---- other processes ---- */

typedef struct {
    pid_t pid;
    int said, go; // what it writes a byte to when it is there; what it waits for
} other_t;

// Runs act() in another process: it tells where it is with here(), and its answer is its exit code.
static other_t other_start(int (*act)(int said, int go))
{
    int said[2], go[2];
    ck_assert_int_eq(pipe(said), 0);
    ck_assert_int_eq(pipe(go), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(said[0]);
        close(go[1]);
        _exit(act(said[1], go[0]));
    }
    close(said[1]);
    close(go[0]);
    return (other_t){.pid = pid, .said = said[0], .go = go[1]};
}

static bool tell(int fd)
{
    return write(fd, "x", 1) == 1;
}

static bool hear(int fd)
{
    char c;
    return read(fd, &c, 1) == 1;
}

static int other_end(other_t *o)
{
    int status;
    ck_assert_int_eq(waitpid(o->pid, &status, 0), o->pid);
    close(o->said);
    close(o->go);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Waits until a process has a file open, which it then holds the lock of or waits for.
static void until_it_has(pid_t pid, const char *path)
{
    for (;;) {
        char name[64], link[128], found[700];
        snprintf(name, sizeof name, "/proc/%ld/fd", (long)pid);
        DIR *d = opendir(name);
        ck_assert_ptr_nonnull(d);
        bool there = false;
        for (struct dirent *e; (e = readdir(d));) {
            snprintf(link, sizeof link, "%s/%.20s", name, e->d_name);
            ssize_t n = readlink(link, found, sizeof found);
            there = there || (n == (ssize_t)strlen(path) && memcmp(found, path, (size_t)n) == 0);
        }
        closedir(d);
        if (there)
            return;
        usleep(1000);
    }
}

static int act_make_half(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MAKE)
        return 2;
    unsigned char *p = pr_shared_block_data(b);
    for (size_t i = 0; i < SIZE / 2; i++)
        p[i] = pattern(i);
    if (!tell(said) || !hear(go))
        return 3;
    for (size_t i = SIZE / 2; i < SIZE; i++)
        p[i] = pattern(i);
    if (!pr_shared_block_publish(b, why))
        return 4;
    return hear(go) ? 0 : 5; // until the test is done with it
}

static int act_read(int said, int go)
{
    pr_shared_block_t *b = NULL;
    (void)said, (void)go;
    pr_shared_t got = pr_shared_block_open("it", SIZE, &b, why);
    int answer = got == PR_SHARED_MAKE ? 10 : got == PR_SHARED_MADE && is_pattern(b) ? 11 : 12;
    pr_shared_block_close(&b);
    return answer;
}

static int act_hold(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MADE || !tell(said) || !hear(go))
        return 2;
    pr_shared_block_close(&b);
    return 0;
}

static int act_make(int said, int go)
{
    pr_shared_block_t *b = NULL;
    if (pr_shared_block_open("it", SIZE, &b, why) != PR_SHARED_MAKE)
        return 2;
    memset(pr_shared_block_data(b), 1, SIZE);
    if (!pr_shared_block_publish(b, why) || !tell(said) || !hear(go))
        return 3;
    return 0;
}

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

static void write_at(const char *path, mode_t mode, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
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

/* ---- models ---- */

static pr_model_t *load_well(const char *dir)
{
    pr_model_t *m = NULL;
    pr_error_t err = {0};
    ck_assert_msg(pr_model_load(dir, &m, &err) == PR_OK, "%s: %s", dir, err.text);
    return m;
}

// A load that has to convert so many numbers.
static pr_model_t *load_converting(const char *dir, int64_t expected)
{
    int64_t before = pr_model_converted();
    pr_model_t *m = load_well(dir);
    ck_assert_int_eq(pr_model_converted() - before, expected);
    return m;
}

static bool same_weights(const pr_model_t *a, const pr_model_t *b)
{
    size_t n;
    pr_model_tensor_t *s = pr_model_tensors(a, &n), *t = pr_model_tensors(b, &n);
    bool same = strcmp(a->hash, b->hash) == 0;
    for (size_t i = 0; i < n; i++)
        same = same && s[i].n == t[i].n && memcmp(s[i].data, t[i].data, s[i].n * sizeof(float)) == 0;
    free(s);
    free(t);
    return same;
}

static const char *const stored[] = {"smollm2", "extra-mistral", "extra-gpt2-wide"}; // BF16, F16; tied and not

START_TEST(a_model_is_converted_once)
{
    char path[512];
    fixture_path(path, stored[_i]);
    ck_assert_int_eq(setenv("PARETORANK_SHARE_WEIGHTS", "0", 1), 0);
    pr_model_t *alone = load_well(path);
    int64_t all = (int64_t)alone->bytes / 4;
    ck_assert_int_gt(all, 0);
    ck_assert_int_eq(pr_model_converted(), all);
    ck_assert_uint_eq(alone->shared_bytes, 0);
    ck_assert_int_eq(unsetenv("PARETORANK_SHARE_WEIGHTS"), 0);
    pr_model_t *a = load_converting(path, all), *b = load_converting(path, 0);
    ck_assert(same_weights(alone, a) && same_weights(alone, b));
    ck_assert_uint_eq(b->bytes, alone->bytes);
    ck_assert(a->shared_bytes == a->bytes && b->shared_bytes == b->bytes);
    pid_t pid = fork();
    int status;
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int64_t before = pr_model_converted();
        pr_model_t *m = NULL;
        if (pr_model_load(path, &m, NULL) != PR_OK)
            _exit(2);
        _exit(pr_model_converted() != before ? 3 : same_weights(alone, m) ? 0 : 4);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(pr_model_make_writable(b, NULL), PR_OK);
    ck_assert_uint_eq(b->shared_bytes, 0);
    ck_assert_uint_eq(b->bytes, alone->bytes);
    ck_assert(same_weights(alone, b));
    pr_model_free(&a);
    pr_model_free(&b);
    a = load_converting(path, all); // a writable copy is not what others get
    pr_model_free(&a);
    pr_model_free(&alone);
}
END_TEST

// Copies a fixture to scratch.
static void copy_model(const char *name)
{
    static const char *const files_of[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char path[512], *text;
        size_t len;
        fixture_path(path, name);
        snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", files_of[i]);
        ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
        scratch_write(files_of[i], text, len);
        free(text);
    }
}

// The last two bytes of the weights, written in place: a BF16 number.
static void change_last(uint16_t value)
{
    char path[512];
    scratch_path(path, "model.safetensors");
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, -2, SEEK_END), 0);
    ck_assert_uint_eq(fwrite(&value, 2, 1, f), 1);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_changed_model_is_another)
{
    char path[512];
    struct stat st;
    copy_model("smollm2");
    pr_model_t *a = load_well(scratch), *b = load_converting(scratch, 0);
    int64_t all = (int64_t)a->bytes / 4;
    pr_model_free(&b);
    scratch_path(path, "model.safetensors");
    ck_assert_int_eq(stat(path, &st), 0);
    change_last(0x3f80);
    // Even where its times are set back.
    ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    b = load_converting(scratch, all);
    ck_assert_str_ne(a->hash, b->hash);
    ck_assert(!same_weights(a, b));
    pr_model_t *c = load_converting(scratch, 0);
    ck_assert(same_weights(b, c));
    pr_model_free(&c);
    scratch_path(path, "config.json"); // the same text, written anew
    char *text;
    size_t len;
    ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
    scratch_write("config.json", text, len);
    free(text);
    c = load_converting(scratch, all);
    ck_assert(same_weights(b, c));
    pr_model_free(&a);
    pr_model_free(&b);
    pr_model_free(&c);
}
END_TEST

// A load that waits for its turn while the file is changed under it: what it maps is no longer what its block is named
// after, so nobody else gets it.
START_TEST(a_model_that_changes_while_it_is_read_is_not_shared)
{
    char path[700], weights[512];
    pr_file_id_t id;
    copy_model("smollm2");
    pr_model_t *m = load_well(scratch);
    int64_t all = (int64_t)m->bytes / 4;
    ck_assert_int_eq(files(path), 1);
    pr_model_free(&m);
    write_at(path, 0600, "");
    int fd = open(path, O_RDWR | O_CLOEXEC), said[2], status;
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(pipe(said), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int64_t before = pr_model_converted();
        close(fd);
        pr_log_set_level(PR_LOG_ERROR);
        if (!tell(said[1]) || pr_model_load(scratch, &m, NULL) != PR_OK)
            _exit(2);
        _exit(m->shared_bytes != 0 ? 3 : pr_model_converted() - before != 2 * all ? 4 : 0);
    }
    ck_assert(hear(said[0]));
    until_it_has(pid, path);
    scratch_path(weights, "model.safetensors");
    ck_assert_int_eq(pr_file_id(weights, &id, NULL), PR_OK);
    pr_file_id_settle(&id);
    change_last(0x3f80);
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    m = load_converting(scratch, all);
    ck_assert_uint_eq(m->shared_bytes, m->bytes);
    pr_model_free(&m);
}
END_TEST

START_TEST(numbers_that_are_not_finite_are_found_by_all)
{
    char path[700];
    pr_model_t *m = NULL;
    pr_error_t err = {0};
    copy_model("smollm2");
    change_last(0x7f80);
    for (int i = 0; i < 2; i++)
        check_error("infinity", pr_model_load(scratch, &m, &err), PR_ERR_FORMAT, err.text,
                    "model.safetensors|Infinity");
    ck_assert_int_eq(files(path), 0); // nobody has it, nobody waits
    change_last(0);
    m = load_well(scratch);
    ck_assert_uint_eq(m->shared_bytes, m->bytes);
    pr_model_free(&m);
}
END_TEST

// Lines that the load of a model prints where sharing is impossible.
static int load_in_need(const char *dir, const pr_model_t *expected, const char *log)
{
    pr_model_t *m = NULL;
    if (!freopen(log, "w", stderr) || pr_model_load(dir, &m, NULL) != PR_OK)
        return 2;
    if (m->shared_bytes != 0 || m->bytes != expected->bytes || !same_weights(expected, m))
        return 3;
    pr_model_free(&m);
    return fflush(stderr) == 0 ? 0 : 4;
}

START_TEST(where_it_cannot_be_shared_it_is_private_and_said_once)
{
    char path[512], log[512], *text;
    size_t len;
    int status;
    static const char *const words[] = {"no shared memory of", "mode 755"};
    fixture_path(path, "smollm2");
    scratch_path(log, "log");
    pr_model_t *m = load_well(path);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            signal(SIGXFSZ, SIG_IGN);
            char other[600]; // so that there is nobody to join
            snprintf(other, sizeof other, "%s/need%d", scratch, i);
            if (mkdir(other, 0700) != 0 || setenv("TMPDIR", other, 1) != 0)
                _exit(5);
            snprintf(other + strlen(other), sizeof other - strlen(other), "/paretorank-%ld", (long)geteuid());
            if (i == 0 && setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}) != 0)
                _exit(6);
            if (i == 1 && (mkdir(other, 0755) != 0 || chmod(other, 0755) != 0))
                _exit(7);
            _exit(load_in_need(path, m, log));
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(pr_file_read(log, 0, &text, &len, NULL), PR_OK);
        ck_assert_msg(strstr(text, words[i]) && strstr(text, "smollm2") && strchr(text, '\n') == text + len - 1, "%s",
                      text);
        free(text);
    }
    pr_model_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("shared_block");
    TCase *t = tcase_create("blocks");
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
    tcase_add_loop_test(t, a_model_is_converted_once, 0, (int)(sizeof stored / sizeof *stored));
    tcase_add_test(t, a_changed_model_is_another);
    tcase_add_test(t, a_model_that_changes_while_it_is_read_is_not_shared);
    tcase_add_test(t, numbers_that_are_not_finite_are_found_by_all);
    tcase_add_test(t, where_it_cannot_be_shared_it_is_private_and_said_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}
