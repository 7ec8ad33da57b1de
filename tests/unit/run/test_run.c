// SPDX-License-Identifier: BSD-3-Clause
/* A whole sweep on the small model over a transport of this file, without MPI: one process that does its own jobs. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];

static pr_status_t agree(void *self, pr_status_t mine, pr_error_t *err)
{
    (void)self, (void)err;
    return mine;
}

static pr_status_t broadcast(void *self, char **bytes, size_t *n, pr_error_t *err)
{
    (void)self, (void)bytes, (void)n, (void)err;
    return PR_OK;
}

static void copy(void *self, const void *from, size_t n, void *to)
{
    (void)self;
    memcpy(to, from, n);
}

static void barrier(void *self)
{
    (void)self;
}

static void no_teams(void *self, int rows, int cols, pr_team_t **out)
{
    (void)self, (void)rows, (void)cols;
    *out = NULL;
}

static void no_team(pr_team_t **team)
{
    *team = NULL;
}

typedef struct told {
    int jobs, stop_after; // 0: never
    const pr_source_t *source;
} told_t;

static void tell(void *self, const char *event, const json_t *fields)
{
    const told_t *t = self;
    pr_error_t err;
    ck_assert_msg(t->source->event(t->source->self, 0, "here", event, fields, &err) == PR_OK, "%s", err.text);
}

static bool never(void *self)
{
    (void)self;
    return false;
}

static pr_status_t schedule(void *self, const pr_source_t *source, const pr_runner_t *runner,
                            const pr_schedule_options_t *o, pr_error_t *err)
{
    told_t *t = self;
    pr_runner_hooks_t hooks = {never, tell, t};
    (void)o;
    t->source = source;
    while (!t->stop_after || t->jobs < t->stop_after) {
        json_t *message, *result = NULL;
        pr_error_t why = {0};
        if (source->next(source->self, &message) != PR_SOURCE_JOB)
            break;
        const char *id = json_string_value(json_object_get(message, "id"));
        PR_TRY(source->started(source->self, id, 0, "here", err));
        pr_status_t status = runner->run(runner->self, message, &hooks, &result, &why);
        PR_TRY(source->finished(source->self, id, 0, "here", status, why.text, result, err));
        PR_TRY(source->commit(source->self, err));
        json_decref(result);
        json_decref(message);
        t->jobs++;
    }
    return PR_OK;
}

static void no_work(void *self, int team, const pr_runner_t *runner)
{
    (void)self, (void)team, (void)runner;
    ck_abort_msg("one rank alone schedules");
}

static pr_status_t reduce(void *self, pr_archive_t *archive, pr_error_t *err)
{
    (void)self, (void)archive, (void)err;
    return PR_OK;
}

static bool stop_when_counted(void *self)
{
    const told_t *t = self;
    return t->stop_after && t->jobs >= t->stop_after;
}

static pr_status_t sweep(const char *results, const char *more, told_t *t, pr_error_t *err)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t b = {0};
    pr_config_t *c = NULL;
    pr_transport_t transport = {.rank = 0,
                                .size = 1,
                                .host = "here",
                                .agree = agree,
                                .broadcast = broadcast,
                                .gather = copy,
                                .scatter = copy,
                                .barrier = barrier,
                                .open_teams = no_teams,
                                .close_team = no_team,
                                .schedule = schedule,
                                .work = no_work,
                                .reduce = reduce,
                                .self = t};
    pr_run_hooks_t hooks = {.stopping = stop_when_counted, .self = t};
    pr_buf_printf(&b, "name = \"run\"; seed = 7; results = \"%s/%s\"; model = \"%s/sweeps/counsel/model\";\n", dir,
                  results, root);
    pr_buf_printf(&b,
                  "prompts = { train = \"%s/sweeps/counsel/prompts-train.jsonl\"; eval = "
                  "\"%s/sweeps/counsel/prompts-eval.jsonl\"; };\n",
                  root, root);
    pr_buf_puts(&b,
                "objectives = ( { name = \"brevity\"; }, { name = \"empathy\"; } ); stop = ( \"\\n\" );\n"
                "finetune = { steps = 2; prompts_per_step = 3; samples = 2; max_new_tokens = 6; lora = { r = 2; }; };\n"
                "evaluate = { prompts = 4; max_new_tokens = 6; };\n");
    pr_buf_puts(&b, more);
    ck_assert_msg(pr_config_parse(b.data, "/sweep.cfg", NULL, 0, &c, err) == PR_OK, "%s", err->text);
    pr_status_t status = pr_run_sweep(&transport, c, PR_OK, &hooks, err);
    pr_config_free(&c);
    pr_buf_free(&b);
    return status;
}

static char *read_results(const char *results, const char *name)
{
    char path[256], *data = NULL;
    size_t n;
    pr_error_t err;
    snprintf(path, sizeof path, "%s/%s/%s", dir, results, name);
    ck_assert_msg(pr_file_read(path, 0, &data, &n, &err) == PR_OK, "%s", err.text);
    return data;
}

static const char both[] =
    "policies = ( { name = \"soup\"; mix = \"params\"; }, { name = \"ls\"; method = \"single\"; } );\n"
    "search = { type = \"grid\"; divisions = 2; };\n";

/* From configuration to tables, stopped and gone on with. */
START_TEST(a_sweep_without_mpi)
{
    pr_error_t err = {0};
    told_t whole = {0}, first = {.stop_after = 4}, rest = {0};
    ck_assert_msg(sweep("whole", both, &whole, &err) == PR_OK, "%s", err.text);
    // Two experts that are also points of `single`, one more training, their points, the base model.
    ck_assert_int_eq(whole.jobs, 2 + 1 + 3 + 1 + 1);
    ck_assert_int_eq(sweep("parts", both, &first, &err), PR_ERR_INTERRUPTED);
    ck_assert_msg(sweep("parts", both, &rest, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(first.jobs + rest.jobs, whole.jobs);
    static const char *const files[] = {"cells.csv", "front.csv", "front.json", "samples.jsonl"};
    for (size_t i = 0; i < 4; i++) {
        char *a = read_results("whole", files[i]), *b = read_results("parts", files[i]);
        ck_assert_str_eq(a, b);
        free(a);
        free(b);
    }
}
END_TEST

/* At w = e_k `single` trains, by itself, byte for byte the adapter of the expert. */
START_TEST(single_at_a_corner_is_the_expert)
{
    pr_error_t err = {0};
    told_t a = {0}, b = {0};
    ck_assert_msg(sweep("experts", "search = { type = \"grid\"; divisions = 1; };", &a, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(
        sweep("single",
              "policies = ( { name = \"ls\"; method = \"single\"; } ); search = { type = \"grid\"; divisions = "
              "1; };",
              &b, &err) == PR_OK,
        "%s", err.text);
    static const char *const names[] = {"brevity-s1", "empathy-s1"};
    for (int i = 0; i < 2; i++) {
        char command[512];
        snprintf(
            command, sizeof command,
            "cd '%s' && cmp experts/experts/%s/adapter_model.safetensors single/experts/%s/adapter_model.safetensors "
            "&& cmp experts/experts/%s/adapter_config.json single/experts/%s/adapter_config.json",
            dir, names[i], names[i], names[i], names[i]);
        ck_assert_int_eq(system(command), 0);
    }
}
END_TEST

static void setup(void)
{
    snprintf(dir, sizeof dir, "%s/pr-run-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    pr_log_set_level(PR_LOG_ERROR);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");
    tcase_set_timeout(t, 240);
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, a_sweep_without_mpi);
    tcase_add_test(t, single_at_a_corner_is_the_expert);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
