// SPDX-License-Identifier: BSD-3-Clause
/* Methods in a sweep: what is trained for whom, and when. */
#include "unit/sweeps/sweep_play.h"

static int labels(const play_t *p, const char *label)
{
    int n = 0;
    size_t i;
    json_t *v;
    json_array_foreach(p->log, i, v) n += strcmp(json_string_value(v), label) == 0;
    return n;
}

static size_t at(const play_t *p, const char *label)
{
    size_t i;
    json_t *v;
    json_array_foreach(p->log, i, v) if (strcmp(json_string_value(v), label) == 0) return i;
    ck_abort_msg("no job %s", label);
}

/* Each point of `single` is a training, and the search decides which: those of the second level are begun once the
 * first has been evaluated. At the corners they are the experts, and are trained once for both. */
START_TEST(search_decides_what_is_trained)
{
    pr_config_t *c = play_config(
        "single", "policies = ( { name = \"ls\"; method = \"single\"; }, { name = \"soup\"; mix = "
                  "\"params\"; } ); search = { type = \"hierarchical\"; levels = 1; select = \"front\"; };");
    play_t p = {.workers = 3};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    ck_assert_int_eq(p.trains, 3 + 3);
    ck_assert_int_eq(p.evaluates, 6 + 3 + 1); // a corner's policy is the same in both; and the base model
    ck_assert_int_eq(play_count("single", "cells.csv", "\nls,1,"), 6);
    ck_assert_int_eq(play_count("single", "cells.csv", "\nsoup,1,"), 6);
    ck_assert_int_eq(labels(&p, "a-s1"), 1);
    ck_assert_uint_gt(at(&p, "a-0.5-b-0.5-s1"), at(&p, "single (1,0,0)"));
    ck_assert_uint_gt(at(&p, "single (1/2,1/2,0)"), at(&p, "a-0.5-b-0.5-s1"));
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* What the points of the first track take: prompts, and 24 for each training that is not an expert's. */
static int64_t taken(const pr_sweep_t *s, int experts)
{
    const pr_track_t *t = &s->track[0];
    size_t n;
    uint32_t *points = pr_track_points(s, t, &n);
    int64_t prompts = 24 * ((int64_t)n - experts);
    for (size_t i = 0; i < n; i++)
        prompts += t->asked_prompts[points[i]];
    free(points);
    return prompts;
}

/* With `recheck` the budget counts trainings too, by tokens; one that an expert has made already does not count. */
START_TEST(trainings_are_counted)
{
    static const char *const policies[] = {"policies = ( { name = \"ls\"; method = \"single\"; } );",
                                           "policies = ( { name = \"ls\"; method = \"single\"; }, { name = \"soup\"; "
                                           "mix = \"params\"; } );"};
    char more[512], results[32];
    snprintf(results, sizeof results, "counted-%d", _i);
    snprintf(more, sizeof more,
             "%s evaluate = { max_new_tokens = 10; prompts = 12; }; finetune = { steps = 3; prompts_per_step = 2; "
             "samples = 2; max_new_tokens = 10; }; search = { budget = 6; fidelity = [3, 12]; recheck = 0.5; };",
             policies[_i]);
    pr_config_t *c = play_config(results, more);
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    ck_assert_int_eq(pr_training_prompts(c, &c->finetune), 24); // 2 x 120 tokens that are learned from, by 10
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    int64_t prompts = taken(p.sweep, _i ? 3 : 0);
    ck_assert_int_le(prompts, 6 * 36);
    ck_assert_int_gt(prompts, 5 * 36);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* In any order of ends, at any number of workers and after a stop anywhere, the tables are the same. */
START_TEST(single_is_resumed)
{
    static const char more[] = "policies = ( { name = \"ls\"; method = \"single\"; } ); search = { type = "
                               "\"hierarchical\"; levels = 2; select = \"front\"; beam = 2; };";
    char name[32];
    pr_error_t err;
    pr_status_t end;
    play_simple("whole-single", more);
    snprintf(name, sizeof name, "stopped-%d", _i);
    pr_config_t *c = play_config(name, more);
    play_t p = {.workers = 1 + _i % 4, .shuffle = (uint64_t)_i, .stop_after = 1 + 2 * _i}, q = {.workers = 2};
    ck_assert_int_eq(play_open(&p, c, &err), PR_OK);
    play_run(&p);
    play_close(&p); // as if killed
    play_all(&q, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    play_same("whole-single", name, "cells.csv");
    play_same("whole-single", name, "front.csv");
    play_same("whole-single", name, "samples.jsonl");
    play_close(&q);
    pr_config_free(&c);
}
END_TEST

static bool fail_training(const json_t *message, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(message, "label")), "a-0.5-b-0.5-s1") == 0 ? PR_ERR_NUMERIC : PR_OK;
    return *why != PR_OK;
}

/* A point that could not be trained has no result; the search goes on without it, and a later run tries again. */
START_TEST(a_training_that_fails)
{
    pr_config_t *c =
        play_config("fails", "retries = 0; policies = ( { name = \"ls\"; method = \"single\"; } ); search = "
                             "{ type = \"hierarchical\"; levels = 1; };");
    play_t p = {.workers = 1, .fails = fail_training}, q = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_int_eq(end, PR_ERR_INCOMPLETE);
    ck_assert_ptr_nonnull(strstr(err.text, "a-0.5-b-0.5-s1: made to fail"));
    ck_assert_int_eq(p.trains, 5);
    ck_assert_int_eq(play_count("fails", "cells.csv", "\nls,1,"), 5);
    ck_assert_int_eq(play_count("fails", "journal.jsonl", "a-0.5-b-0.5-s1, which it needs, was given up"), 1);
    play_close(&p);
    play_all(&q, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    ck_assert(q.trains == 1 && q.evaluates == 1);
    ck_assert_int_eq(play_count("fails", "cells.csv", "\nls,1,"), 6);
    play_close(&q);
    pr_config_free(&c);
}
END_TEST

/* Settings of its own make trainings of its own, whose labels say whose they are. */
START_TEST(settings_of_its_own)
{
    pr_config_t *c = play_config(
        "own",
        "finetune = { steps = 4; lora = { r = 3; alpha = 6.0; }; }; policies = ( { name = \"soup\"; mix = "
        "\"params\"; }, { name = \"small\"; mix = \"params\"; train = { lora = { r = 2; }; }; } ); search = { type = "
        "\"grid\"; divisions = 1; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    ck_assert(c->policy[1].train.lora_r == 2 && c->policy[1].train.lora_alpha == 6 && c->policy[1].train.steps == 4);
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    ck_assert(p.trains == 6 && p.evaluates == 6 + 1);
    ck_assert(labels(&p, "a-s1") == 1 && labels(&p, "small-a-s1") == 1);
    // What is read back is the same.
    char *text = pr_config_dump(c);
    pr_config_t *again = NULL;
    ck_assert_msg(pr_config_parse(text, "/sweep.cfg", NULL, 0, &again, &err) == PR_OK, "%s", err.text);
    char *other = pr_config_dump(again);
    ck_assert_str_eq(text, other);
    free(text);
    free(other);
    play_close(&p);
    play_t q = {.workers = 1};
    play_all(&q, again, &end, &err);
    ck_assert(end == PR_OK && q.trains == 0 && q.evaluates == 0);
    play_close(&q);
    pr_config_free(&again);
    pr_config_free(&c);
}
END_TEST

/* ---- a method of this file ---- */

/* All weight on the objective that has most: one expert, told twice. */
static pr_status_t winner_policy(const pr_method_env_t *e, const pr_choice_t *at_w, pr_policy_spec_t *out,
                                 pr_error_t *err)
{
    pr_training_wish_t wish = {.w = {0}};
    char id[PR_HASH_HEX];
    int most = 0;
    for (int k = 1; k < e->k; k++)
        most = at_w->w[k] > at_w->w[most] ? k : most;
    wish.w[most] = pr_option_real(e->options, "strength");
    PR_TRY(e->train(e->self, &wish, id, err));
    out->mix = e->mix;
    out->options = json_incref((json_t *)(uintptr_t)e->mix_options);
    pr_policy_add(out, true, id, 1);
    return PR_OK;
}

static bool always(int k, const char *const *given)
{
    (void)k, (void)given;
    return true;
}

static const pr_option_t winner_options[] = {
    {.key = "strength", .kind = PR_OPT_REAL, .dflt = "1.0", .min = 0.5, .max = 4, .help = "Weight of the reward."},
    {.key = NULL}};
static const pr_method_t winner = {.name = "winner",
                                   .formula = "the expert of the largest weight",
                                   .help = "For tests.",
                                   .options = winner_options,
                                   .mixes = true,
                                   .policy_at = winner_policy,
                                   .trains = always};

START_TEST(a_method_of_ones_own)
{
    pr_error_t err;
    pr_config_t *c = NULL;
    ck_assert_int_eq(pr_method_add(&winner, &err), PR_OK);
    ck_assert_int_eq(pr_method_add(&winner, &err), PR_ERR_CONFIG);
    c = play_config("winner",
                    "policies = ( { name = \"w\"; method = \"winner\"; strength = 2.0; mix = \"params\"; } ); "
                    "search = { type = \"grid\"; divisions = 4; };");
    play_t p = {.workers = 2};
    pr_status_t end;
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    ck_assert_int_eq(p.trains, 3);        // one for each objective that wins
    ck_assert_int_eq(p.evaluates, 3 + 1); // and as many different policies, of 15 points; and the base model
    ck_assert_int_eq(labels(&p, "b-2-s1"), 1);
    ck_assert_int_eq(play_count("winner", "cells.csv", "\nw,1,"), 15);
    play_close(&p);
    pr_config_free(&c);
}
END_TEST

/* ---- what costs what ---- */

static int evaluated(const char *results, const char *how, double budget)
{
    char more[512];
    snprintf(more, sizeof more,
             "%s search = { type = \"hierarchical\"; levels = 6; select = \"all\"; budget_core_hours = %.9f; };", how,
             budget / 3600);
    pr_config_t *c = play_config(results, more);
    play_t p = {.workers = 1};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    int n = p.evaluates;
    play_close(&p);
    pr_config_free(&c);
    return n;
}

/* Core hours are hours of cores: of all ranks of a team, and of all their threads. A play's evaluation takes 0.25 s. */
START_TEST(core_hours_count_ranks_and_threads)
{
    static const char team[] =
        "threads = 3; evaluate = { team = { rows = 2; }; }; finetune = { team = { rows = 2; }; };";
    int one = evaluated("cores-one", "", 5), six = evaluated("cores-six", team, 30),
        less = evaluated("cores-less", team, 5);
    ck_assert_int_gt(one, 6);
    ck_assert_int_eq(one, six);
    ck_assert_int_lt(less, one);
    int trained = evaluated("cores-trained", "policies = ( { name = \"ls\"; method = \"single\"; } );", 5);
    ck_assert_int_lt(trained, one); // a training takes 0.5 s beside it
}
END_TEST

int main(void)
{
    Suite *s = suite_create("methods");
    TCase *t = tcase_create("methods");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_add_test(t, search_decides_what_is_trained);
    tcase_add_loop_test(t, trainings_are_counted, 0, 2);
    tcase_add_loop_test(t, single_is_resumed, 0, 12);
    tcase_add_test(t, a_training_that_fails);
    tcase_add_test(t, settings_of_its_own);
    tcase_add_test(t, a_method_of_ones_own);
    tcase_add_test(t, core_hours_count_ranks_and_threads);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
