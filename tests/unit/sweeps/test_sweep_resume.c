// SPDX-License-Identifier: BSD-3-Clause
/* A sweep that goes on: from every prefix of its journal, from a damaged one, and with a changed configuration. */
#include "unit/sweeps/sweep_play.h"

static const char searches[] = "aggregate = ( \"states\", \"params\" ); search = { type = \"hierarchical\"; domain = "
                               "\"simplex\"; levels = 2; select = \"front\"; beam = 1; };";

static void write_journal(const char *results, const char *bytes, size_t n)
{
    char path[256];
    pr_error_t err;
    snprintf(path, sizeof path, "%s/%s/journal.jsonl", play_dir, results);
    ck_assert_int_eq(pr_file_write(path, bytes, n, &err), PR_OK);
}

/* Runs what is left of a sweep and compares with the reference; returns how many jobs it did. */
static int go_on(const char *results, const char *reference, const char *more, uint64_t shuffle)
{
    pr_config_t *c = play_config(results, more);
    play_t p = {.workers = shuffle ? 3 : 1, .shuffle = shuffle};
    pr_status_t end;
    pr_error_t err;
    shell("rm -f %s/%s/*.csv", play_dir, results);
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    int did = p.trains + p.evaluates;
    ck_assert_int_eq(p.ended, did);
    play_close(&p);
    pr_config_free(&c);
    static const char *const files[] = {"cells.csv", "front.csv", "front.json", "samples.jsonl"};
    for (size_t i = 0; reference && i < sizeof files / sizeof *files; i++)
        play_same(reference, results, files[i]);
    return did;
}

static int done_in(const char *journal, size_t n)
{
    char *part = pr_strndup(journal, n);
    int done = 0;
    for (const char *at = part; (at = strstr(at, "\"job_done\"")); at++)
        done += strchr(at, '\n') != NULL; // a torn one does not count
    free(part);
    return done;
}

START_TEST(every_prefix_of_the_journal)
{
    play_simple("whole", searches);
    char *journal = play_read("whole", "journal.jsonl");
    int total = done_in(journal, strlen(journal)), prefixes = 0;
    ck_assert_int_ge(total, 20);
    shell("cp -r %s/whole %s/prefix", play_dir, play_dir);
    for (const char *at = strchr(journal, '\n') + 1; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL, prefixes++) {
        size_t n = (size_t)(at - journal);
        write_journal("prefix", journal, n);
        ck_assert_int_eq(go_on("prefix", "whole", searches, (uint64_t)prefixes % 3), total - done_in(journal, n));
    }
    ck_assert_int_gt(prefixes, 2 * total);
    free(journal);
}
END_TEST

START_TEST(a_journal_torn_anywhere)
{
    pr_rng_key_t key = pr_rng_key(11, "tear", "");
    play_simple("torn-whole", searches);
    char *journal = play_read("torn-whole", "journal.jsonl");
    int total = done_in(journal, strlen(journal));
    shell("cp -r %s/torn-whole %s/torn", play_dir, play_dir);
    for (uint64_t i = 0; i < 40; i++) {
        size_t n = pr_rng_below(&key, strlen(journal), i, 0, 0, 0);
        bool whole_line = journal[n] == '\n'; // it lacks only its newline: good
        if (n < (size_t)(strchr(journal, '\n') - journal))
            continue; // nothing is left: another test
        write_journal("torn", journal, n);
        ck_assert_int_eq(go_on("torn", "torn-whole", searches, i % 3),
                         total - done_in(journal, whole_line ? n + 1 : n));
    }
    free(journal);
}
END_TEST

static void refused(const char *results, const char *words)
{
    pr_config_t *c = play_config(results, searches);
    play_t p = {.workers = 1};
    pr_error_t err;
    ck_assert_int_eq(play_open(&p, c, &err), PR_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "put the journal back, or move the results away to begin anew"));
    play_close(&p);
    pr_config_free(&c);
}

/* A journal of which nothing is left, beside results, is told; nothing is begun anew, and nothing written. */
START_TEST(a_journal_cut_to_nothing)
{
    play_simple("nothing-whole", searches);
    char *journal = play_read("nothing-whole", "journal.jsonl");
    shell("cp -r %s/nothing-whole %s/nothing", play_dir, play_dir);
    write_journal("nothing", "", 0);
    refused("nothing", "journal.jsonl: empty, but cells.csv is there");
    shell("rm %s/nothing/journal.jsonl", play_dir);
    refused("nothing", "journal.jsonl: empty, but cells.csv is there");
    write_journal("nothing", journal, 20);
    refused("nothing", "journal.jsonl: no good line: its last line is cut short (line 1), but cells.csv is there");
    write_journal("nothing", "a\nb\n", 4);
    refused("nothing", "journal.jsonl: no good line: 2 lines damaged (lines 1 and 2), but cells.csv is there");
    static const char *const files[] = {"cells.csv", "front.csv", "front.json", "samples.jsonl"};
    for (size_t i = 0; i < 4; i++)
        play_same("nothing-whole", "nothing", files[i]);
    shell("cd %s/nothing && rm *.csv *.json samples.jsonl", play_dir);
    refused("nothing", "but artifacts/");
    shell("rm -r %s/nothing/artifacts %s/nothing/experts", play_dir, play_dir);
    refused("nothing", "but evaluations/");
    shell("rm -r %s/nothing/evaluations", play_dir);
    ck_assert_int_gt(go_on("nothing", "nothing-whole", searches, 0), 10);
    free(journal);
}
END_TEST

/* A byte changed anywhere costs the job of that line at most. */
START_TEST(a_damaged_journal)
{
    pr_rng_key_t key = pr_rng_key(12, "damage", "");
    play_simple("damage-whole", searches);
    char *journal = play_read("damage-whole", "journal.jsonl");
    size_t len = strlen(journal);
    shell("cp -r %s/damage-whole %s/damaged", play_dir, play_dir);
    for (uint64_t i = 0; i < 40; i++) {
        size_t at = pr_rng_below(&key, len, i, 0, 0, 0);
        char keep = journal[at];
        journal[at] = (char)(keep ^ (1 << pr_rng_below(&key, 7, i, 1, 0, 0)));
        write_journal("damaged", journal, len);
        ck_assert_int_le(go_on("damaged", "damage-whole", searches, i % 3), 2); // a lost newline joins two lines
        journal[at] = keep;
    }
    free(journal);
}
END_TEST

static void add_line(pr_journal_t *j, const char *event, json_t *fields)
{
    pr_error_t err;
    ck_assert_int_eq(pr_journal_append(j, event, fields, false, &err), PR_OK);
    json_decref(fields);
}

/* Good lines that mean nothing here: of other versions, of sweeps with other objectives, of nobody. */
START_TEST(foreign_lines)
{
    char path[256];
    pr_journal_t *j = NULL;
    pr_error_t err;
    play_simple("foreign-whole", searches);
    shell("cp -r %s/foreign-whole %s/foreign", play_dir, play_dir);
    char *journal = play_read("foreign-whole", "journal.jsonl");
    int total = done_in(journal, strlen(journal));
    const char *id = strstr(strstr(journal, "\"kind\":\"evaluate\"") - 120, "\"job\":\"") + 7;
    char job[PR_HASH_HEX];
    snprintf(job, sizeof job, "%.32s", id);
    write_journal("foreign", "", 0);
    snprintf(path, sizeof path, "%s/foreign/journal.jsonl", play_dir);
    ck_assert_int_eq(pr_journal_open(path, &j, &err), PR_OK);
    add_line(j, "job_done",
             json_pack("{s:s, s:{s:[f,f], s:[f,f]}}", "job", job, "result", "mean", 0.5, 0.5, "se", 0.0, 0.0));
    add_line(
        j, "job_done",
        json_pack("{s:s, s:{s:[f,f,s], s:[f,f,f]}}", "job", job, "result", "mean", 0.5, 0.5, "x", "se", 0.0, 0.0, 0.0));
    add_line(j, "job_done", json_pack("{s:s, s:n}", "job", job, "result"));
    add_line(j, "job_done", json_pack("{s:s}", "job", job));
    add_line(j, "job_done", json_pack("{s:i}", "job", 7));
    add_line(j, "job_done", json_pack("{s:s, s:{s:s}}", "job", "short", "result", "artifact", "x"));
    add_line(j, "job_done", json_pack("{s:s, s:{s:s}}", "job", job, "result", "artifact", "not a hash"));
    add_line(j, "sweep_end", json_pack("{s:s}", "seconds", "long"));
    add_line(j, "sweep_start", json_pack("{s:i}", "layout", PR_LAYOUT));
    add_line(j, "points", json_object());
    add_line(j, "step", json_pack("{s:s}", "job", job));
    add_line(j, "of the future", json_object());
    pr_journal_close(&j);
    ck_assert_int_eq(go_on("foreign", "foreign-whole", searches, 0), total);
    json_t *details = NULL;
    pr_progress_t p;
    snprintf(path, sizeof path, "%s/foreign", play_dir);
    ck_assert_int_eq(pr_sweep_status(path, 2e9, &p, &details, &err), PR_OK);
    ck_assert_str_eq(json_string_value(json_object_get(details, "state")), "finished");
    json_decref(details);
    free(journal);
}
END_TEST

/* An expert whose files have changed is made again; the points, whose inputs are the same, are not. */
START_TEST(a_changed_expert)
{
    play_simple("expert-whole", searches);
    shell("cp -r %s/expert-whole %s/expert", play_dir, play_dir);
    shell("echo x >> %s/expert/experts/b-s1/adapter_model.safetensors", play_dir);
    shell("rm %s/expert/experts/c-s1/adapter_config.json", play_dir);
    ck_assert_int_eq(go_on("expert", "expert-whole", searches, 0), 2);
    ck_assert_int_eq(go_on("expert", "expert-whole", searches, 0), 0);
}
END_TEST

/* ---- changed configurations ---- */

static const char three[] =
    "objectives = ( { name = \"a\"; type = \"brevity\"; }, { name = \"b\"; type = \"reflection\"; "
    "}, { name = \"c\"; type = \"distinct\"; n = 1; } ); search = { type = \"grid\"; divisions "
    "= 2; };";

typedef struct change {
    const char *set; // --set key=value; NULL: only the command
    const char *command;
    int finetunes, evaluates; // jobs that the change concerns: of 6 points and the base model
    const char *refused;      // what is said of it; NULL: the sweep goes on with it
} change_t;

static const change_t changes[] = {
    {"retries=5", NULL, 0, 0, NULL},
    {"threads=3", NULL, 0, 0, NULL},
    {"name=\"other\"", NULL, 0, 0, NULL},
    {"finetune.checkpoint_every=1", NULL, 0, 0, NULL},
    {"finetune.micro_tokens=99", NULL, 0, 0, NULL}, // nor is how a job is done a part of what it is
    {"evaluate.streams=5", NULL, 0, 0, NULL},
    {"front_samples=1", NULL, 0, 0, NULL},
    {"base=false", NULL, 0, 0, "base: true → false"},
    {"evaluate.temperature=0.5", NULL, 0, 0, NULL}, // as decoding is greedy
    {"evaluate.top_p=0.5", NULL, 0, 0, NULL},
    {"objectives.[0].name=\"renamed\"", NULL, 0, 0,
     "objectives: a, b, c → renamed, b, c"}, // what it is has not changed
    {"search.[0].name=\"renamed\"", NULL, 0, 0, "search.states: left out"},
    {"search.[0].divisions=4", NULL, 0, 9, NULL},
    {"search.[0].aggregate=\"params\"", NULL, 0, 7, "search.states.aggregate: \"states\" → \"params\""},
    {"search.[0].norm=\"before\"", NULL, 0, 7, "search.states.norm: \"after\" → \"before\""},
    {"search.[0].layer=2", NULL, 0, 7, "search.states.layer: -1 → 2"},
    {"evaluate.max_new_tokens=7", NULL, 0, 7, "evaluate.max_new_tokens: 40 → 7"},
    {"evaluate.prompts=5", NULL, 0, 7, "evaluate.prompts: 12 → 5"},
    {"search.[0].budget=20", NULL, 0, 0, NULL},
    {"seeds=[2, 1]", NULL, 3, 6, NULL},
    {"search.[1]={ type = \"random\"; points = 3; aggregate = \"states\"; name = \"more\"; }", NULL, 0, 3, NULL},
    {"evaluate.decoding=\"sample\"", NULL, 0, 7, "evaluate.decoding: \"greedy\" → \"sample\""},
    {"seeds=[2]", NULL, 3, 6, "seeds: [1] → [2]"}, // the base model is as it was
    {"seed=4", NULL, 3, 6, "seed: 3 → 4"},
    {"stop=(\"x\")", NULL, 3, 7, "stop: [] → [\"x\"]"},
    {"truncated=\"drop\"", NULL, 3, 7, "truncated: \"score\" → \"drop\""},
    {"finetune.steps=3", NULL, 3, 6, "finetune.steps: 40 → 3"},
    {"finetune.lr=0.5", NULL, 3, 6, "finetune.lr: 0.001 → 0.5"},
    {"finetune.samples=3", NULL, 3, 6, "finetune.samples: 4 → 3"},
    {"finetune.lora.r=2", NULL, 3, 6, "finetune.lora.r: 8 → 2"},
    {"finetune.method=\"grpo\"", NULL, 3, 6, "finetune.method: \"rloo\" → \"grpo\""},
    {"finetune.kl=0.5", NULL, 3, 6, "finetune.kl: 0.02 → 0.5"},
    {"objectives.[2].n=2", NULL, 1, 7, "objectives.c.n: 1 → 2"},                         // every point is scored by it
    {"objectives.[1].minimize=true", NULL, 1, 3, "objectives.b.minimize: false → true"}, // the points that weigh b
    {NULL, "echo >> %s/model/tokenizer.json", 3, 7, "model: its content → another"},
    {NULL, "echo >> %s/model/model.safetensors", 3, 7, "model: its content → another"},
    {NULL, "echo >> %s/model/config.json", 3, 7, "model: its content → another"},
    {NULL, "echo '{\"prompt\": \"one more\"}' >> %s/train.jsonl", 3, 6, "prompts.train: its content → another"},
    {NULL, "echo '{\"prompt\": \"one more\"}' >> %s/eval.jsonl", 0, 7, NULL},
};

static pr_config_t *config_with(const char *results, const char *set)
{
    pr_config_t *c = play_config(results, three), *out = NULL;
    pr_error_t err;
    char *text = pr_config_dump(c);
    ck_assert_msg(pr_config_parse(text, "/sweep.cfg", &set, set ? 1 : 0, &out, &err) == PR_OK, "%s: %s", set, err.text);
    free(text);
    pr_config_free(&c);
    return out;
}

/* What would overwrite results is refused with what changed, and touches nothing; what only adds is not. */
static void refuses(const char *results, const pr_config_t *after, const char *said)
{
    static const char *const files[] = {"cells.csv", "front.csv", "metrics.json", "sweep.cfg", "journal.jsonl"};
    char *before[sizeof files / sizeof *files];
    pr_error_t err;
    play_t p = {.workers = 1};
    for (size_t i = 0; said && i < sizeof files / sizeof *files; i++)
        before[i] = play_read(results, files[i]);
    if (said)
        ck_assert_int_eq(play_open(&p, after, &err), PR_ERR_CONFIG);
    for (size_t i = 0; said && i < sizeof files / sizeof *files; i++) {
        char *now = play_read(results, files[i]);
        ck_assert_msg(strcmp(before[i], now) == 0, "%s was changed", files[i]);
        free(before[i]);
        free(now);
    }
    if (said) {
        ck_assert_msg(strstr(err.text, said) && strstr(err.text, "--replace"), "%s", err.text);
        ck_assert_ptr_null(p.sweep);
        play_close(&p);
    }
}

/* Nothing stale is taken, and nothing is done again that the change does not concern. */
START_TEST(changed_configurations)
{
    const change_t *x = &changes[_i];
    char results[32];
    pr_status_t end;
    pr_error_t err;
    snprintf(results, sizeof results, "change%d", _i);
    pr_config_t *before = config_with(results, NULL);
    play_t p = {.workers = 1}, q = {.workers = 1}, r = {.workers = 1};
    play_all(&p, before, &end, &err);
    ck_assert(end == PR_OK && p.trains == 3 && p.evaluates == 7);
    play_close(&p);
    if (x->command) {
        char command[512];
        snprintf(command, sizeof command, "cp -r %s/model %s/eval.jsonl %s/train.jsonl %s/%s", play_dir, play_dir,
                 play_dir, play_dir, results); // to be put back
        ck_assert_int_eq(system(command), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(command, sizeof command, x->command, play_dir);
#pragma GCC diagnostic pop
        ck_assert_int_eq(system(command), 0);
    }
    pr_config_t *after = config_with(results, x->set);
    refuses(results, after, x->refused);
    q.replace = x->refused != NULL;
    play_all(&q, after, &end, &err);
    ck_assert_int_eq(end, PR_OK);
    ck_assert_msg(q.trains == x->finetunes && q.evaluates == x->evaluates,
                  "%s: %d experts and %d points again, expected %d and %d", x->set ? x->set : x->command, q.trains,
                  q.evaluates, x->finetunes, x->evaluates);
    play_close(&q);
    char *aside = pr_results_path(after->results, "replaced/1/cells.csv"); // the tables that were there
    ck_assert_int_eq(pr_file_exists(aside), x->refused != NULL);
    free(aside);
    play_all(&r, after, &end, &err); // and then there is nothing left to do
    ck_assert(end == PR_OK && r.trains == 0 && r.evaluates == 0);
    play_close(&r);
    if (x->command)
        shell("rm -r %s/model; cp -r %s/%s/model %s/%s/eval.jsonl %s/%s/train.jsonl %s", play_dir, play_dir, results,
              play_dir, results, play_dir, results, play_dir);
    pr_config_free(&before);
    pr_config_free(&after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep_resume");
    TCase *t = tcase_create("resume");
    tcase_add_unchecked_fixture(t, play_setup, play_teardown);
    tcase_set_timeout(t, 240);
    tcase_add_test(t, every_prefix_of_the_journal);
    tcase_add_test(t, a_journal_torn_anywhere);
    tcase_add_test(t, a_journal_cut_to_nothing);
    tcase_add_test(t, a_damaged_journal);
    tcase_add_test(t, foreign_lines);
    tcase_add_test(t, a_changed_expert);
    tcase_add_loop_test(t, changed_configurations, 0, (int)(sizeof changes / sizeof *changes));
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
