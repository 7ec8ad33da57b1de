// SPDX-License-Identifier: BSD-3-Clause
/* Is what lies there what its job wrote? Adapters and heads of results directories by their own names, through links
 * and where links were copied as what they point to. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "store/journal.h"
#include "store/layout.h"
#include "unit/jobs/in_dir.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EARLIER "0000000000000000000000000000000a"
#define ADAPTER "0000000000000000000000000000000b"
#define HEAD "0000000000000000000000000000000c"
#define UNKNOWN "0000000000000000000000000000000d"

static void put(const char *name, const char *text)
{
    pr_error_t err;
    char *parent = pr_path_dir(in_dir(name));
    ck_assert_int_eq(pr_mkdirs(parent, &err), PR_OK);
    ck_assert_msg(pr_file_write(in_dir(name), text, strlen(text), &err) == PR_OK, "%s", err.text);
    free(parent);
}

static void adapter(const char *id, const char *weights)
{
    char name[128];
    snprintf(name, sizeof name, "r/artifacts/%s/adapter_config.json", id);
    put(name, "{}");
    snprintf(name, sizeof name, "r/artifacts/%s/adapter_model.safetensors", id);
    put(name, weights);
}

static void shell(const char *command)
{
    char all[256];
    snprintf(all, sizeof all, "cd '%s' && %s", dir, command);
    ck_assert_msg(system(all) == 0, "%s", all);
}

/* A line as the sweep writes it when a job has ended. */
static void done(pr_journal_t *j, const char *id, const char *label, bool head)
{
    pr_error_t err;
    char hash[PR_HASH_HEX], *path = pr_artifact_path(in_dir("r"), head ? PR_ARTIFACT_HEAD : PR_ARTIFACT_ADAPTER, id);
    ck_assert_int_eq(head ? pr_hash_file(path, hash, &err) : pr_adapter_hash(path, hash, &err), PR_OK);
    json_t *line = json_pack("{s:s, s:s, s:s, s:{s:s}}", "job", id, "kind", head ? "fit_reward" : "train", "label",
                             label, "result", "artifact", hash);
    ck_assert_int_eq(pr_journal_append(j, "job_done", line, true, &err), PR_OK);
    json_decref(line);
    free(path);
}

/* A results directory in which two trainings had one label, one after the other, and a head was fitted. */
static void setup(void)
{
    pr_journal_t *j = NULL;
    pr_error_t err;
    snprintf(dir, sizeof dir, "%s/pr-artifact-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    pr_log_set_level(PR_LOG_ERROR);
    adapter(EARLIER, "earlier weights");
    adapter(ADAPTER, "weights");
    adapter(UNKNOWN, "of no job");
    put("r/artifacts/" HEAD "/head.safetensors", "head");
    ck_assert_int_eq(pr_journal_open(in_dir("r/journal.jsonl"), &j, &err), PR_OK);
    done(j, EARLIER, "a-s1", false);
    done(j, ADAPTER, "a-s1", false);
    done(j, HEAD, "a-head", true);
    pr_journal_close(&j);
    ck_assert_int_eq(pr_artifact_link(in_dir("r"), PR_ARTIFACT_ADAPTER, "a-s1", ADAPTER, &err), PR_OK);
    ck_assert_int_eq(pr_artifact_link(in_dir("r"), PR_ARTIFACT_HEAD, "a", HEAD, &err), PR_OK);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static void good(const char *name)
{
    pr_error_t err;
    bool known = false;
    ck_assert_msg(pr_artifact_check(in_dir(name), &known, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(known, "%s", name);
}

static void bad(const char *name, const char *text)
{
    pr_error_t err;
    bool known = false;
    ck_assert_msg(pr_artifact_check(in_dir(name), &known, &err) == PR_ERR_FORMAT, "%s", name);
    ck_assert(known);
    ck_assert_msg(strstr(err.text, text) && strstr(err.text, in_dir(name)), "'%s' has no '%s'", err.text, text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

static const char *const names[] = {"r/artifacts/" ADAPTER, "r/experts/a-s1", "r/artifacts/" HEAD "/head.safetensors",
                                    "r/heads/a.safetensors"};

START_TEST(by_name_and_link)
{
    char hash[PR_HASH_HEX], direct[PR_HASH_HEX];
    pr_error_t err;
    for (size_t i = 0; i < 4; i++)
        good(names[i]);
    good("r/artifacts/" EARLIER); // each by its own job, whatever had its label later
    shell("ln -s r moved && ln -s r/experts/a-s1 mine");
    good("moved/experts/a-s1"); // through any link
    good("mine");
    ck_assert_int_eq(pr_artifact_adapter_hash(in_dir("r/experts/a-s1"), hash, &err), PR_OK);
    ck_assert_int_eq(pr_adapter_hash(in_dir("r/artifacts/" ADAPTER), direct, &err), PR_OK);
    ck_assert_str_eq(hash, direct);
}
END_TEST

START_TEST(what_was_changed)
{
    char now[PR_HASH_HEX], hash[PR_HASH_HEX];
    pr_error_t err;
    put("r/artifacts/" ADAPTER "/adapter_model.safetensors", "weightz");
    put("r/artifacts/" HEAD "/head.safetensors", "heat");
    for (size_t i = 0; i < 4; i++)
        bad(names[i], i < 2 ? "not what its train job wrote" : "not what its fit_reward job wrote");
    good("r/artifacts/" EARLIER);
    ck_assert_int_eq(pr_adapter_hash(in_dir("r/artifacts/" ADAPTER), now, &err), PR_OK);
    ck_assert_int_eq(pr_artifact_adapter_hash(in_dir("r/experts/a-s1"), hash, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, now));
    shell("rm r/artifacts/" ADAPTER "/adapter_model.safetensors");
    bool known;
    ck_assert_int_eq(pr_artifact_check(in_dir("r/experts/a-s1"), &known, &err), PR_ERR_NOT_FOUND);
}
END_TEST

/* As `cp -rL` or an archive makes them: told by the label, whose last job counts. */
START_TEST(links_copied_as_directories)
{
    shell("cp -rL r copy && rm -r copy/artifacts");
    good("copy/experts/a-s1");
    good("copy/heads/a.safetensors");
    put("copy/experts/a-s1/adapter_model.safetensors", "weightz");
    put("copy/heads/a.safetensors", "heat");
    bad("copy/experts/a-s1", "not what its train job wrote");
    bad("copy/heads/a.safetensors", "not what its fit_reward job wrote");
    put("copy/experts/a-s1/adapter_model.safetensors", "earlier weights");
    bad("copy/experts/a-s1", "not what its train job wrote");
    shell("mv copy/experts/a-s1 copy/experts/b-s1");
    bad("copy/experts/b-s1", "the journal has no job that wrote it");
}
END_TEST

START_TEST(of_no_job)
{
    bool known = true;
    pr_error_t err;
    char hash[PR_HASH_HEX];
    bad("r/artifacts/" UNKNOWN, "the journal has no job that wrote it");
    // Elsewhere, or where no sweep keeps a journal, nothing is known, and all is well.
    shell("cp -r r/artifacts/" UNKNOWN " mine && mkdir -p other/experts && cp -r mine other/experts/a-s1");
    ck_assert_int_eq(pr_artifact_check(in_dir("mine"), &known, &err), PR_OK);
    ck_assert(!known);
    known = true;
    ck_assert_int_eq(pr_artifact_check(in_dir("other/experts/a-s1"), &known, &err), PR_OK);
    ck_assert(!known);
    ck_assert_int_eq(pr_artifact_adapter_hash(in_dir("mine"), hash, &err), PR_OK);
    ck_assert_int_eq(pr_artifact_check(in_dir("nowhere"), &known, &err), PR_OK);
    ck_assert(!known);
    ck_assert_int_eq(pr_artifact_adapter_hash(in_dir("nowhere"), hash, &err), PR_ERR_NOT_FOUND);
}
END_TEST

/* A journal whose line of the job is damaged tells nothing of it, and says why. */
START_TEST(a_damaged_journal)
{
    shell("sed -i '2s/train/trail/' r/journal.jsonl");
    bad("r/artifacts/" ADAPTER, "the journal has no job that wrote it: 1 line damaged (line 2)");
    good("r/artifacts/" EARLIER);
    good("r/heads/a.safetensors");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("artifact");
    TCase *t = tcase_create("artifact");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, by_name_and_link);
    tcase_add_test(t, what_was_changed);
    tcase_add_test(t, links_copied_as_directories);
    tcase_add_test(t, of_no_job);
    tcase_add_test(t, a_damaged_journal);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
