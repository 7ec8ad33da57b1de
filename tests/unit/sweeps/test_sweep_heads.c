// SPDX-License-Identifier: BSD-3-Clause
/* Sweeps that fit reward heads first: order, waiting, failures, what is taken from earlier runs, what is told. */
#include "unit/sweeps/sweep_play.h"

static const char two_heads[] =
    "retries = 1; objectives = ( { name = \"a\"; type = \"linear_head\"; data = \"a.jsonl\"; }, { name = \"b\"; type = "
    "\"brevity\"; }, { name = \"c\"; type = \"linear_head\"; data = \"c.jsonl\"; ridge = 0.5; } ); search = { type = "
    "\"grid\"; divisions = 2; };";

static void data_files(void)
{
    play_file(play_dir, "a.jsonl", "{\"text\": \"a\", \"label\": 1}\n");
    play_file(play_dir, "c.jsonl", "{\"text\": \"c\", \"label\": 1}\n");
}

/* Nothing but the heads until both are there. */
START_TEST(heads_come_first)
{
    data_files();
    pr_config_t *c = play_config("heads", two_heads);
    play_t p = {.workers = 4};
    pr_error_t err;
    pr_next_t next;
    pr_progress_t at;
    json_t *d;
    ck_assert_msg(play_open(&p, c, &err) == PR_OK, "%s", err.text);
    ck_assert(play_take(&p, &next) && play_take(&p, &next));
    ck_assert_str_eq(json_string_value(json_array_get(p.log, 0)), "a-head");
    ck_assert_str_eq(json_string_value(json_array_get(p.log, 1)), "c-head");
    ck_assert(!play_take(&p, &next) && next == PR_NEXT_WAIT);
    ck_assert_int_eq(play_end_job(&p, 1, &err), PR_OK);
    ck_assert(!play_take(&p, &next) && next == PR_NEXT_WAIT);
    pr_sweep_progress(p.sweep, &at);
    ck_assert_str_eq(at.phase, "fitting heads");
    ck_assert(at.jobs_done == 1 && at.jobs_total == 2);
    char *dir = pr_results_path(play_dir, "heads");
    ck_assert_int_eq(pr_sweep_status(dir, 0, &at, &d, &err), PR_OK);
    ck_assert_str_eq(at.phase, "fitting heads");
    ck_assert(at.jobs_done == 1 && at.jobs_total == 2 && at.running == 1);
    json_decref(d);
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    ck_assert_str_eq(json_string_value(json_array_get(p.log, 2)), "a-s1");
    ck_assert_int_eq(pr_sweep_status(dir, 0, &at, &d, &err), PR_OK);
    ck_assert_str_eq(at.phase, "fine-tuning");
    json_decref(d);
    play_run(&p);
    ck_assert(p.fits == 2 && p.trains == 3 && p.evaluates == 7);
    ck_assert_int_eq(pr_sweep_write(p.sweep, NULL, 0, &err), PR_OK);
    ck_assert_int_eq(pr_sweep_end(p.sweep, false, &err), PR_OK);
    pr_sweep_progress(p.sweep, &at);
    ck_assert(at.jobs_done == 7 && at.jobs_total == 7);
    ck_assert_int_eq(play_count("heads", "costs.csv", ",fit_reward,"), 2);
    ck_assert_int_eq(play_count("heads", "journal.jsonl", "\"kind\":\"fit_reward\""), 4);
    free(dir);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

static bool fail_head(const json_t *spec, int attempt, pr_status_t *why)
{
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "c-head") == 0 ? PR_ERR_NUMERIC : PR_OK;
    ck_assert_int_le(attempt, 2);
    return *why != PR_OK;
}

/* A head that cannot be had is tried as often as any job, and then nothing else can be done. */
START_TEST(a_head_that_fails)
{
    data_files();
    pr_config_t *c = play_config("fails", two_heads);
    play_t p = {.workers = 3, .fails = fail_head}, q = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    ck_assert_ptr_nonnull(strstr(err.text, "c-head: made to fail"));
    ck_assert(p.fits == 1 && p.trains == 0 && p.evaluates == 0 && p.given == 3);
    play_close(&p);
    // The same command again, with the cause gone, does the one that is missing and all that waited.
    play_all(&q, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert(q.fits == 1 && q.trains == 3 && q.evaluates == 7);
    play_close(&q);
    pr_config_free(&c);
}
END_TEST

typedef struct change {
    const char *set, *command;
    int fits, finetunes, evaluates; // that the change concerns: of 6 points and the base model
} change_t;

static const change_t changes[] = {
    {NULL, NULL, 0, 0, 0},
    {NULL, "echo >> $results/heads/c.safetensors", 1, 0, 0}, // made again, and what it scored stays
    {NULL, "rm $(readlink -f $results/heads/a.safetensors)", 1, 0, 0},
    {NULL, "rm -r $results/heads", 0, 0, 0},                              // only the links for people
    {NULL, "echo '{\"text\": \"d\", \"label\": 0}' >> a.jsonl", 1, 1, 7}, // every point is scored by it
    {"objectives.[2].ridge=0.25", NULL, 1, 1, 7},
    {"objectives.[0].holdout=0.25", NULL, 1, 1, 7},
    {"objectives.[0].template=\"{response}\"", NULL, 1, 1, 7},
    {"objectives.[0].transform=\"sigmoid\"", NULL, 0, 1, 7}, // the head stays
    {"objectives.[0].minimize=true", NULL, 0, 1, 3},
    {"finetune.steps=3", NULL, 0, 3, 6},
    {NULL, "cp c.jsonl a.jsonl", 1, 1, 7},
};

static pr_config_t *config_with(const char *results, const char *set)
{
    pr_config_t *c = play_config(results, two_heads), *out = NULL;
    pr_error_t err;
    char *text = pr_config_dump(c);
    ck_assert_msg(pr_config_parse(text, "/sweep.cfg", &set, set ? 1 : 0, &out, &err) == PR_OK, "%s: %s", set, err.text);
    free(text);
    pr_config_free(&c);
    return out;
}

/* Nothing stale is taken, and nothing is done again that the change does not concern. */
START_TEST(changes_and_earlier_runs)
{
    const change_t *x = &changes[_i];
    char results[32], command[512];
    pr_status_t end;
    pr_error_t err;
    data_files();
    snprintf(results, sizeof results, "change%d", _i);
    pr_config_t *before = config_with(results, NULL), *after = config_with(results, x->set);
    play_t p = {.workers = 2}, q = {.workers = 2};
    play_all(&p, before, &end, &err);
    ck_assert(end == PR_OK && p.fits == 2 && p.trains == 3 && p.evaluates == 7);
    play_close(&p);
    if (x->command) {
        snprintf(command, sizeof command, "cd '%s' && results=%s && %s", play_dir, results, x->command);
        ck_assert_int_eq(system(command), 0);
    }
    q.replace = true;
    play_all(&q, after, &end, &err);
    ck_assert_msg(end == PR_OK && q.fits == x->fits && q.trains == x->finetunes && q.evaluates == x->evaluates,
                  "%d: %d fits, %d finetunes, %d evaluates", _i, q.fits, q.trains, q.evaluates);
    play_close(&q);
    pr_config_free(&before);
    pr_config_free(&after);
}
END_TEST

/* Two objectives with the same fit share it, and each has a link to the head. */
START_TEST(equal_heads)
{
    data_files();
    pr_config_t *c = play_config(
        "equal", "objectives = ( { name = \"a\"; type = \"linear_head\"; data = \"a.jsonl\"; }, { name = \"b\"; type = "
                 "\"linear_head\"; data = \"a.jsonl\"; transform = \"sigmoid\"; } ); search = { type = \"grid\"; "
                 "divisions = 1; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert(p.fits == 1 && p.evaluates == 2 + 1);
    char *first = play_read("equal", "heads/a.safetensors"), *second = play_read("equal", "heads/b.safetensors");
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

static bool stopped(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)spec;
    *why = attempt == 1 ? PR_ERR_INTERRUPTED : PR_OK;
    return *why != PR_OK;
}

/* An answer that is none of a fit is a failure; one that was stopped comes again. */
START_TEST(nonsense_and_interruption)
{
    data_files();
    pr_config_t *c = play_config("nonsense", two_heads);
    play_t p = {.workers = 1, .fails = stopped};
    pr_error_t err;
    pr_next_t next;
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    ck_assert_int_eq(play_end_job(&p, 0, &err), PR_OK);
    ck_assert(play_take(&p, &next));
    ck_assert_str_eq(json_string_value(json_array_get(p.log, 1)), "a-head");
    json_t *wrong = json_pack("{s:s}", "expert", "0123");
    const char *id = json_string_value(json_object_get(p.running[0], "id"));
    ck_assert_int_eq(pr_sweep_finished(p.sweep, id, &(pr_who_t){1, "x"}, PR_OK, "", wrong, &err), PR_OK);
    json_decref(wrong);
    json_decref(p.running[0]);
    p.n_running = 0;
    ck_assert_int_eq(pr_sweep_commit(p.sweep, &err), PR_OK);
    ck_assert_int_eq(play_count("nonsense", "journal.jsonl", "not a result of its kind"), 1);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heads");
    TCase *t = tcase_create("heads");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, heads_come_first);
    tcase_add_test(t, a_head_that_fails);
    tcase_add_loop_test(t, changes_and_earlier_runs, 0, (int)(sizeof changes / sizeof *changes));
    tcase_add_test(t, equal_heads);
    tcase_add_test(t, nonsense_and_interruption);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
