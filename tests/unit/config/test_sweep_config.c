// SPDX-License-Identifier: BSD-3-Clause
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/key_class.h"
#include "config/keys.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MINIMAL                                                                                                        \
    "model = \"m\"; prompts = { train = \"t.jsonl\"; eval = \"e.jsonl\"; };\n"                                         \
    "objectives = ( { name = \"brevity\"; }, { name = \"short\"; type = \"length_target\"; words = 12; } );\n"

static pr_error_t err;

static pr_config_t *parse_with(const char *text, const char *const *set, int n)
{
    pr_config_t *c = NULL;
    pr_status_t status = pr_config_parse(text, "/tmp/x/a.cfg", set, n, &c, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    return c;
}

static pr_config_t *parse(const char *text)
{
    return parse_with(text, NULL, 0);
}

static void refuse_with(const char *text, const char *set, const char *message)
{
    pr_config_t *c = NULL;
    pr_status_t status = pr_config_parse(text, "/tmp/x/a.cfg", &set, set ? 1 : 0, &c, &err);
    ck_assert_msg(status == PR_ERR_CONFIG || status == PR_ERR_UNSUPPORTED, "accepted or odd status %d: %s", status,
                  text);
    ck_assert_ptr_null(c);
    ck_assert_msg(strstr(err.text, message), "found \"%s\", expected \"%s\"", err.text, message);
}

// A minimal configuration with one more line, which is line 3.
static void refuse(const char *line, const char *message)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s%s", MINIMAL, line);
    refuse_with(b.data, NULL, message);
    pr_buf_free(&b);
}

static void same_json(const pr_config_t *a, const pr_config_t *b)
{
    json_t *x = pr_config_json(a), *y = pr_config_json(b);
    char *s = pr_json_canonical(x), *t = pr_json_canonical(y);
    ck_assert_str_eq(s, t);
    free(s);
    free(t);
    json_decref(x);
    json_decref(y);
}

START_TEST(defaults)
{
    pr_config_t *c = parse(MINIMAL);
    char cwd[4096];
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof cwd));
    ck_assert_str_eq(c->name, "a");
    ck_assert_str_eq(c->model, "/tmp/x/m");
    ck_assert_str_eq(c->train_prompts, "/tmp/x/t.jsonl");
    ck_assert_str_eq(c->eval_prompts, "/tmp/x/e.jsonl");
    ck_assert_int_eq(strncmp(c->results, cwd, strlen(cwd)), 0);
    ck_assert_str_eq(c->results + strlen(cwd), "/results/a");
    ck_assert_int_eq(c->n_objectives, 2);
    ck_assert_str_eq(c->objective[0].type, "brevity");
    ck_assert_str_eq(c->objective[1].type, "length_target");
    ck_assert_ptr_null(c->objective[0].adapter);
    ck_assert_int_eq(json_integer_value(json_object_get(c->objective[1].options, "words")), 12);
    ck_assert_int_eq((int)json_object_size(c->objective[1].options), 1);
    ck_assert_str_eq(json_string_value(c->finetune.algorithm), "rloo");
    ck_assert_int_eq(c->finetune.steps, 40);
    ck_assert_int_eq(c->finetune.prompts_per_step, 16);
    ck_assert_int_eq(c->finetune.samples, 4);
    ck_assert_double_eq(c->finetune.lr, 1e-3);
    ck_assert_double_eq(c->finetune.kl, 0.02);
    ck_assert_double_eq(c->finetune.eps, 1e-8);
    ck_assert_int_eq(c->finetune.lora_r, 8);
    ck_assert_double_eq(c->finetune.lora_alpha, 32);
    ck_assert_int_eq(c->finetune.lora_targets.n, 0);
    ck_assert_int_eq(c->finetune.team.rows, 1);
    ck_assert(c->evaluate.greedy);
    ck_assert_int_eq(c->n_seeds, 1);
    ck_assert_int_eq((int)c->seeds[0], 1);
    ck_assert_int_eq(c->n_searches, 1);
    ck_assert_str_eq(c->search[0].name, "states");
    ck_assert_str_eq(c->search[0].aggregate, "states");
    ck_assert_str_eq(c->search[0].type, "auto");
    ck_assert_int_eq(c->search[0].batch, 0);
    ck_assert_int_eq(c->search[0].lattice, 0);
    ck_assert_int_eq(c->search[0].layer, -1);
    ck_assert(!c->search[0].norm_before);
    ck_assert_int_eq(c->search[0].levels, 3);
    ck_assert_str_eq(c->search[0].select, "all");
    ck_assert_int_eq(c->search[0].n_scalar, 2);
    ck_assert_double_eq(c->search[0].scalar[1], 0.5);
    pr_config_free(&c);
    ck_assert_ptr_null(c);
}
END_TEST

START_TEST(all_kinds_are_read)
{
    pr_config_t *c = parse(
        MINIMAL
        "name = \"n-1\"; seed = 12345678901; seeds = ( 3, 2147483647 ); results = \"/r\"; reference = [0, "
        "0.5];\n"
        "stop = [\"\\n\", \"say \\\"x\\\" \\\\ \\t\\x07 \xc3\xa9\"]; retries = 0;\n"
        "finetune = { method = \"grpo\"; lr = 1; beta2 = .95; lora = { rslora = true; targets = \"q_proj\"; r = 4; };\n"
        "  schedule = \"cosine\"; warmup = 3; };\n"
        "evaluate = { decoding = \"sample\"; samples = 3; };\n"
        "regmean = { prompts = 5; off_diagonal = 1; ridge = 0.25; };\n"
        "search = { type = \"grid\"; domain = \"cube\"; divisions = 7; norm = \"before\"; fidelity = [4, 8]; scalar = "
        "[1, 3]; };\n");
    ck_assert_str_eq(c->name, "n-1");
    ck_assert(c->seed == 12345678901);
    ck_assert(c->seeds[1] == 2147483647);
    ck_assert_str_eq(c->results, "/r");
    ck_assert_int_eq(c->n_reference, 2);
    ck_assert_double_eq(c->reference[1], 0.5);
    ck_assert_int_eq(c->stop.n, 2);
    ck_assert_str_eq(c->stop.item[1], "say \"x\" \\ \t\a \xc3\xa9");
    ck_assert_int_eq(c->retries, 0);
    ck_assert_double_eq(c->finetune.lr, 1.0);
    ck_assert_double_eq(c->finetune.beta2, 0.95);
    ck_assert(c->finetune.lora_rslora);
    ck_assert_str_eq(c->finetune.lora_targets.item[0], "q_proj");
    ck_assert(!c->evaluate.greedy);
    ck_assert_int_eq(c->evaluate.samples, 3);
    ck_assert_int_eq(c->regmean.prompts, 5);
    ck_assert_double_eq(c->regmean.off_diagonal, 1);
    ck_assert_double_eq(c->regmean.ridge, 0.25);
    ck_assert_str_eq(c->search[0].type, "grid");
    ck_assert(c->search[0].norm_before);
    ck_assert_int_eq(c->search[0].n_fidelity, 2);
    ck_assert_int_eq(c->search[0].fidelity[1], 8);
    ck_assert_double_eq(c->search[0].scalar[1], 3);
    pr_config_free(&c);
}
END_TEST

START_TEST(searches_times_aggregations)
{
    pr_config_t *c = parse(MINIMAL "aggregate = (\"states\", \"params\"); layer = 2; norm = \"before\";\n"
                                   "search = ( { type = \"grid\"; }, { levels = 2; }, { name = \"x\"; levels = 4; },\n"
                                   "  { name = \"y\"; aggregate = \"probs\"; } );\n");
    const char *names[] = {
        "states-grid", "params-grid", "states-hierarchical", "params-hierarchical", "x-states", "x-params", "y"};
    ck_assert_int_eq(c->n_searches, 7);
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(c->search[i].name, names[i]);
    ck_assert_str_eq(c->search[6].aggregate, "probs");
    ck_assert_int_eq(c->search[2].levels, 2);
    ck_assert_str_eq(c->search[1].type, "grid");
    ck_assert_int_eq(c->search[0].layer, 2);
    ck_assert(c->search[0].norm_before);
    ck_assert_int_eq(c->search[1].layer, -1); // says nothing for params
    ck_assert(!c->search[1].norm_before);
    pr_config_free(&c);
}
END_TEST

/* Lists of settings are policies that differ in them, and searches with each. */
START_TEST(grids_over_settings)
{
    pr_config_t *c = parse(
        MINIMAL "finetune = { steps = 7; lr = 0.5; };\n"
                "policies = ( { name = \"p\"; method = \"single\"; train = { lr = [1e-4, 0.001]; lora = { r = (2, 4); "
                "targets = ( \"q_proj\", \"v_proj\" ); }; weigh = ( \"fixed\", { type = \"stch\"; mu = 0.05; } ); }; "
                "}, { name = \"q\"; mix = { type = \"states\"; layer = [0, 3]; }; } );\n"
                "search = ( { policy = \"p\"; budget = 4; }, { policy = ( \"q\", \"p-lr-0.001-r-4-weigh-stch\" ); "
                "name = \"x\"; budget = 5; } );\n");
    static const char *const names[] = {"p-lr-0.0001-r-2-weigh-fixed", "p-lr-0.0001-r-2-weigh-stch",
                                        "p-lr-0.0001-r-4-weigh-fixed", "p-lr-0.0001-r-4-weigh-stch",
                                        "p-lr-0.001-r-2-weigh-fixed",  "p-lr-0.001-r-2-weigh-stch",
                                        "p-lr-0.001-r-4-weigh-fixed",  "p-lr-0.001-r-4-weigh-stch"};
    ck_assert_int_eq(c->n_policies, 9);
    ck_assert_int_eq(c->n_searches, 10);
    for (int i = 0; i < 8; i++) {
        const pr_finetune_config_t *f = &c->policy[i].train;
        ck_assert_str_eq(c->policy[i].name, names[i]);
        ck_assert_str_eq(c->search[i].name, names[i]);
        ck_assert_int_eq(c->search[i].policy, i);
        ck_assert_double_eq(f->lr, i < 4 ? 1e-4 : 1e-3);
        ck_assert_int_eq(f->lora_r, i / 2 % 2 ? 4 : 2);
        ck_assert_int_eq(f->lora_targets.n, 2); // a list by itself
        ck_assert_int_eq(f->steps, 7);
        ck_assert((f->weigh != NULL) == (i % 2 == 1));
        ck_assert(c->policy[i].own_train);
    }
    ck_assert_str_eq(c->policy[8].name, "q");
    ck_assert_double_eq(c->policy[8].train.lr, 0.5);
    ck_assert(json_is_object(json_object_get(c->policy[8].mix_options, "layer"))); // a range stays one
    ck_assert_str_eq(c->search[8].name, "x-q");
    ck_assert_int_eq(c->search[9].policy, 7);
    char *dump = pr_config_dump(c);
    pr_config_t *again = parse(dump);
    same_json(c, again);
    free(dump);
    pr_config_free(&again);
    pr_config_free(&c);
    refuse("policies = ( { name = \"p\"; train = { lr = (); }; } );", "a.cfg:3: train.lr: found an empty list");
    refuse("policies = ( { name = \"p\"; train = { lr = ( \"x\", 1.0 ); }; } );",
           "policies[0].train.lr: found the string");
    refuse("policies = ( { name = \"p\"; train = { lr = ( 0.1, 0.1 ); }; } );", "policies");
    refuse("policies = ( { name = \"p\"; train = { steps = ( 1, 2, 3, 4, 5, 6, 7, 8, 9 ); samples = ( 2, 3, 4, 5, 6, "
           "7, 8, 9 "
           "); }; } );",
           "policies: found more than 64, with every combination");
}
END_TEST

START_TEST(wrong_values_are_located)
{
    refuse("retries = \"x\";", "/tmp/x/a.cfg:3: retries: found the string \"x\", expected an integer 0 to 100");
    refuse("\n\nfinetune = {\n lr = \"a\"; };",
           "/tmp/x/a.cfg:6: finetune.lr: found the string \"a\", expected a number 1e-12 to 1000");
    refuse("finetune = { steps = 1.5; };", "finetune.steps: found the number 1.5, expected an integer 1 to 2147483647");
    refuse("finetune = { steps = 3000000000; };", "found the integer 3000000000");
    refuse("finetune = { samples = 1; };",
           "finetune.samples: found the integer 1, expected an integer 2 to 2147483647");
    refuse("finetune = { top_p = 0; };", "finetune.top_p: found the integer 0, expected a number 1e-6 to 1");
    refuse("finetune = { lr = 0.0; };", "finetune.lr: found the number 0, expected a number 1e-12 to 1000");
    refuse("finetune = { lr = 1e400; };", "finetune.lr: found the number inf, expected a number 1e-12 to 1000");
    refuse("finetune = { method = \"a2c\"; };",
           "finetune.method: unknown algorithm 'a2c'; there are: rloo, scst, grpo, odpo, ppo");
    refuse("finetune = { method = \"\"; };", "unknown algorithm");
    refuse("finetune = { lora = 3; };", "finetune.lora: found the integer 3, expected a group");
    refuse("evaluate = 3;", "evaluate: found the integer 3, expected a group");
    refuse("evaluate = { decoding = true; };", "found true, expected one of sample | greedy");
    refuse("seeds = 3;", "expected a list of integers");
    refuse("seeds = [1, -1];", "seeds: found the integer -1");
    refuse("seeds = [2147483648];", "seeds: found the integer 2147483648");
    refuse("search = { type = \"list\"; };", "file: missing");
    refuse("seeds = [1, 1];", "found 1 twice");
    refuse("seeds = [];", "empty");
    refuse("stop = ( 1 );", "stop: found the integer 1");
    refuse("stop = ( \"\" );", "not empty");
    refuse("seed = 99999999999999999999;", "a.cfg:3: found the integer 99999999999999999999");
    refuse("reference = [1.0];", "found 1 numbers, expected 2");
    refuse("name = \"a/b\";", "name: found \"a/b\"");
    refuse("name = \"..\";", "name: found \"..\"");
    refuse("name = \"x", "a.cfg:3: found a string that does not end");
    refuse("\n/* name", "a.cfg:4: found a comment that does not end");
    refuse("name = = 3;", "a.cfg:3: syntax error");
    refuse("name = \"\xff\";", "not UTF-8");
    refuse("retries = 1; retries = 2;", "a.cfg:3: found 'retries' a second time in its group, expected each key once");
    refuse("finetune = { steps = 1; # steps = 2;\n lora = { r = 2; }; kl = 0.1;\n steps : 3; }; evaluate = { steps = "
           "1; };",
           "a.cfg:5: found 'steps' a second time in its group");
    refuse("search = ( { type = \"grid\"; }, { type = \"grid\"; }, { points = 1; type = \"a = b;\"; points = 2; } );",
           "a.cfg:3: found 'points' a second time in its group");
    refuse_with("\n# a comment\n{\"model\": \"m\"}", NULL,
                "a.cfg:3: found '{', as JSON begins; expected libconfig's syntax: key = value;");
    refuse_with("[sweep]\nmodel = \"m\"", NULL, "a.cfg:1: found '[', as JSON or a section of TOML begins; expected");
    refuse_with("model: m\nseed: 1\n", NULL, "syntax error: found what looks like YAML, expected libconfig's syntax");
    refuse_with("---\nmodel: m\n", NULL, "found what looks like YAML");
    refuse_with("model = m;", NULL, "a.cfg:1: syntax error");
    refuse("@include \"/etc/passwd\"", "@include is not supported");
    refuse("search = ();", "search: found a list of 0");
    refuse("search = 3;", "search: found the integer 3");
    refuse("search = { type = \"magic\"; };", "search[0].type");
    refuse("search = { scalar = [1]; };", "scalar: found 1 numbers");
    refuse("search = { scalar = [0, 0]; };", "positive sum");
    refuse("search = { fidelity = [8, 8]; };", "rising");
    refuse("search = { fidelity = [4, 8]; recheck = 1.0; };", "recheck");
    refuse("search = { type = \"grid\"; fidelity = [4, 8]; recheck = 0.5; };", "recheck: found beside type = \"grid\"");
    refuse("search = { fidelity = [8]; }; evaluate = { prompts = 4; };", "evaluate.prompts = 4");
    refuse("search = ( { name = \"x\"; }, { name = \"x\"; } );", "found \"x\" twice");
    refuse("search = { aggregate = \"params\"; layer = 2; };", "layer and norm belong to aggregate = \"states\"");
    refuse("aggregate = \"regmean\"; regmean = { off_diagonal = 1.5; };",
           "regmean.off_diagonal: found the number 1.5, expected a number 0 to 1");
    refuse("aggregate = \"regmean\"; regmean = { prompts = 0; };", "regmean.prompts: found the integer 0");
    refuse("aggregate = \"regmean\"; regmean = { ridge = -1.0; };", "regmean.ridge: found the number -1");
    refuse_with("model = \"m\"; prompts = { eval = \"e\"; }; objectives = ( { name = \"a\"; adapter = \"x\"; } );",
                "aggregate=\"regmean\"", "prompts.train: missing; aggregate = \"regmean\"");
    refuse("aggregate = \"mean\";", "search[0].aggregate: unknown mix 'mean'; there are: ");
    refuse("aggregate = ();", "aggregate: found a list of 0");
    refuse("evaluate = { samples = 2; };", "evaluate.samples: found 2, expected 1");
    refuse("finetune = { warmup = 41; };", "finetune.warmup: found 41");
    refuse("finetune = { team = { rows = 1000; cols = 1000; }; };", "finetune.team: found 1000 x 1000 ranks");
}
END_TEST

/* What single precision or an int does not hold is refused by name, with both ends of what is allowed. */
START_TEST(numbers_that_do_not_fit)
{
    static const char *const temperature = "found the number 1e-40, expected a number 1e-6 to 1e6";
    refuse("finetune = { temperature = 1e-40; };", temperature);
    refuse("evaluate = { temperature = 1e-40; };", temperature);
    refuse("finetune = { temperature = 1e7; };", "found the number 10000000, expected a number 1e-6 to 1e6");
    refuse("finetune = { eps = 1e-300; };", "finetune.eps: found the number 1e-300, expected a number 1e-30 to 1e6");
    refuse("finetune = { lr = 1e30; };", "finetune.lr: found the number 1e+30, expected a number 1e-12 to 1000");
    refuse("finetune = { lora = { alpha = 1e30; }; };", "expected a number 1e-6 to 1e6");
    refuse("finetune = { kl = 1e-40; };", "finetune.kl: found the number 1e-40, expected a number 0, or 1e-30 to 1e6");
    refuse("finetune = { kl = -0.1; };", "expected a number 0, or 1e-30 to 1e6");
    refuse("finetune = { clip_norm = 1e-300; };", "expected a number 0, or 1e-30 to 1e30");
    refuse("finetune = { beta2 = 0.99999999; };", "found the number 0.99999999, expected a number 0 to 0.999999");
    refuse("finetune = { steps = 4294967298; };",
           "finetune.steps: found the integer 4294967298, expected an integer 1 to 2147483647");
    refuse("finetune = { steps = 0x100000002; };", "found the integer 4294967298, expected an integer 1 to 2147483647");
    refuse("finetune = { steps = 0x80000000; };", "found the integer 2147483648, expected an integer 1 to 2147483647");
    refuse("seed = 0xFFFFFFFFFFFFFFFFFF;", "a.cfg:3: found the integer 0xFFFFFFFFFFFFFFFFFF, expected one from -9223");
    refuse("seed = 9223372036854775808L;", "found the integer 9223372036854775808L, expected one from -9223");
    refuse("finetune = { kl = 1e-400; };", "a.cfg:3: found the number 1e-400, expected 0 or one from 2.2e-308 on");
    refuse("finetune = { steps = -1; };", "expected an integer 1 to 2147483647");
    refuse("seed = -1;", "seed: found the integer -1, expected an integer 0 to 9223372036854775807");
    refuse("seeds = [2147483648];", "expected a list of integers 0 to 2147483647");
    refuse("reference = [1e300, 0];", "expected a list of numbers -1e30 to 1e30");
    refuse("search = { type = \"random\"; alpha = 1e-5; };", "expected a number 0.001 to 1e6");
    refuse("search = { scalar = [1e-40, 1]; };", "expected a list of numbers 0, or 1e-30 to 1e30");
    refuse("finetune = { team = { cols = 65537; }; };", "expected an integer 1 to 65536");
    refuse("finetune = { prompts_per_step = 2000000000; };", "finetune: found prompts_per_step x samples x");
    refuse("evaluate = { decoding = \"sample\"; samples = 2000000000; };", "evaluate: found prompts x samples");
}
END_TEST

/* The ends themselves are allowed, and a seed is kept to its last digit. */
START_TEST(ends_of_ranges)
{
    const char *set[] = {"seed=0x7FFFFFFFFFFFFFFF",   "finetune.temperature=1e-6", "finetune.kl=0",
                         "finetune.steps=2147483647", "finetune.eps=1e-30",        "seeds=[0,2147483647]"};
    pr_config_t *c = parse_with(MINIMAL, set, sizeof set / sizeof *set);
    ck_assert_int_eq(c->seed, INT64_MAX);
    ck_assert_int_eq(c->finetune.steps, INT32_MAX);
    ck_assert_double_eq(c->finetune.kl, 0);
    ck_assert_double_eq(c->finetune.temperature, 1e-6);
    ck_assert_double_gt((double)(float)c->finetune.eps, 0);
    pr_config_free(&c);
}
END_TEST

/* Every row of the table of keys, and of those of the groups in it. */
typedef struct row {
    const char *prefix;
    const pr_option_t *o;
} row_t;

static size_t all_rows(row_t rows[200])
{
    size_t n = 0;
    for (const pr_option_t *o = pr_config_keys; o->key; o++) {
        rows[n++] = (row_t){"", o};
        for (const pr_option_t *in = o->rows; in && in->key; in++)
            rows[n++] = (row_t){o->key, in};
    }
    return n;
}

START_TEST(ranges_have_two_ends)
{
    row_t rows[200];
    size_t n = all_rows(rows), numbers = 0;
    for (size_t i = 0; i < n; i++) {
        pr_buf_t facts = {0};
        pr_option_facts(&facts, rows[i].o);
        if (strstr(facts.data, "integer") || strstr(facts.data, "number")) {
            ck_assert_msg(strstr(facts.data, " to "), "%s: %s", rows[i].o->key, facts.data);
            numbers++;
        }
        pr_buf_free(&facts);
    }
    ck_assert_uint_gt(numbers, 40);
}
END_TEST

/* What is drawn, log-probabilities, KL and entropy are of one distribution, or refused together. */
START_TEST(distributions_that_do_not_go_together)
{
    refuse("finetune = { kl_estimator = \"k4\"; };", "finetune.kl_estimator: found the string \"k4\"");
    refuse("finetune = { kl_estimator = \"k3\"; top_p = 0.9; };",
           "finetune.kl_estimator: found \"k3\" with finetune.top_p = 0.9, expected k1 or k2");
    static const char *const good[][3] = {
        {"finetune.kl_estimator=k3", "finetune.top_p=0.9", "finetune.kl=0"},
        {"finetune.kl_estimator=k3", "finetune.top_p=1", "finetune.temperature=0.5"},
        {"finetune.kl_estimator=k2", "finetune.top_p=0.9", "finetune.temperature=0.5"},
        {"finetune.kl_estimator=k1", "finetune.top_p=0.9", "finetune.entropy=0.1"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const char *set[] = {good[i][0], good[i][1], good[i][2]};
        pr_config_t *c = parse_with(MINIMAL, set, 3);
        pr_config_free(&c);
    }
}
END_TEST

/* Those that are only reported come after the others, and the file's order is kept all the same. */
START_TEST(reported_objectives)
{
    static const char text[] = "model = \"m\"; prompts = { train = \"t.jsonl\"; eval = \"e.jsonl\"; };\n"
                               "objectives = ( { name = \"fluency\"; role = \"report\"; }, { name = \"brevity\"; }, "
                               "{ name = \"distinct\"; role = \"report\"; }, { name = \"empathy\"; } );\n";
    static const char *const order[] = {"brevity", "empathy", "fluency", "distinct"};
    static const int place[] = {1, 3, 0, 2};
    pr_config_t *c = parse(text), *again;
    ck_assert_int_eq(c->n_objectives, 2);
    ck_assert_int_eq(c->n_scored, 4);
    for (int k = 0; k < 4; k++) {
        ck_assert_str_eq(c->objective[k].name, order[k]);
        ck_assert_int_eq(c->objective[k].place, place[k]);
        ck_assert(c->objective[k].report == (k >= 2));
    }
    char *dump = pr_config_dump(c);
    again = parse(dump);
    same_json(c, again);
    ck_assert_str_eq(again->objective[2].name, "fluency");
    free(dump);
    pr_config_free(&again);
    pr_config_free(&c);
    refuse_with(text, "objectives.[2].name=\"Brevity\"", "objectives[2].name: found \"Brevity\" beside \"brevity\"");
    refuse_with(text, "objectives.[0].adapter=\"a\"", "objectives[0].adapter: found beside role = \"report\"");
    refuse_with(text, "reference=(0.0,0.0,0.0)", "reference: found 3 numbers, expected 2");
}
END_TEST

START_TEST(unknown_keys_name_the_nearest)
{
    refuse("retrys = 1;", "/tmp/x/a.cfg:3: unknown key 'retrys'; the nearest known one is 'retries'");
    refuse("finetune = { step = 1; };", "unknown key 'finetune.step'; the nearest known one is 'finetune.steps'");
    refuse("finetune = { lora = { rr = 1; }; };", "the nearest known one is 'finetune.lora.r'");
    refuse("search = { levls = 1; };", "unknown key 'search[0].levls'; the nearest known one is 'levels'");
    refuse("zzzzzzzzzzzzzzzzzzzz = 1;", "unknown key 'zzzzzzzzzzzzzzzzzzzz'");
}
END_TEST

START_TEST(objectives_are_checked)
{
    const char *head = "model = \"m\"; prompts = { eval = \"e\"; };";
    pr_buf_t b = {0};
    const char *const cases[][2] = {
        {"", "objectives: missing"},
        {"objectives = ();", "a list of 0"},
        {"objectives = ( 3 );", "found the integer 3"},
        {"objectives = ( { type = \"brevity\"; } );", "objectives[0].name: missing"},
        {"objectives = ( { name = \"brevity\"; } );", "prompts.train: missing"},
        {"objectives = ( { name = \"a b\"; adapter = \"x\"; } );", "objectives[0].name: found \"a b\""},
        {"objectives = ( { name = \"a\"; adapter = \"x\"; }, { name = \"a\"; adapter = \"y\"; } );",
         "a name of its own"},
        {"objectives = ( { name = \"a\"; adapter = \"x\"; }, { name = \"A\"; adapter = \"y\"; } );",
         "objectives[1].name: found \"A\" beside \"a\": their files would be the same"},
        {"objectives = ( { name = \"a\"; adapter = \"x\"; }, { name = \"w_a\"; adapter = \"y\"; } );",
         "both would have a column \"w_a\""},
        {"objectives = ( { name = \"se_a\"; adapter = \"x\"; }, { name = \"a\"; adapter = \"y\"; } );",
         "both would have a column \"se_a\""},
        {"objectives = ( { name = \"w_w_a\"; adapter = \"x\"; }, { name = \"w_a\"; adapter = \"y\"; } );",
         "both would have a column \"w_w_a\""},
        {"objectives = ( { name = \"level\"; adapter = \"x\"; } );",
         "objectives[0].name: found \"level\": its column \"level\" of cells.csv"},
        {"objectives = ( { name = \"a\"; adapter = 1; } );", "objectives[0].adapter: found the integer 1"},
        {"objectives = ( { name = \"a\"; minimize = 1; } );", "expected true or false"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        b.len = 0;
        pr_buf_printf(&b, "%s%s", head, cases[i][0]);
        refuse_with(b.data, NULL, cases[i][1]);
    }
    b.len = 0;
    pr_buf_printf(&b, "%sobjectives = ( ", head);
    for (int i = 0; i < 17; i++)
        pr_buf_printf(&b, "%s{ name = \"o%d\"; adapter = \"x\"; }", i ? ", " : "", i);
    pr_buf_puts(&b, " );");
    refuse_with(b.data, NULL, "a list of 17");
    pr_buf_free(&b);
    refuse_with("prompts = { eval = \"e\"; };", NULL, "model: missing");
    refuse_with("model = \"m\";", NULL, "prompts.eval: missing");
}
END_TEST

START_TEST(overrides)
{
    const char *set[] = {"finetune.steps=7",
                         "objectives.[1].words = 5",
                         "objectives[0].name=\"b\"",
                         "finetune.lora.targets=(\"a\",\"b\")",
                         "search.levels=2",
                         "results=/tmp/some where",
                         "name=abc",
                         "seeds=[4,5]",
                         "finetune.lr=0.5",
                         "objectives.[2]={ name = \"new\"; }"};
    pr_config_t *c = parse_with(MINIMAL, set, sizeof set / sizeof *set);
    ck_assert_int_eq(c->finetune.steps, 7);
    ck_assert_int_eq(json_integer_value(json_object_get(c->objective[1].options, "words")), 5);
    ck_assert_str_eq(c->objective[0].name, "b");
    ck_assert_int_eq(c->finetune.lora_targets.n, 2);
    ck_assert_int_eq(c->search[0].levels, 2);
    ck_assert_str_eq(c->results, "/tmp/some where");
    ck_assert_str_eq(c->name, "abc");
    ck_assert_int_eq(c->n_seeds, 2);
    ck_assert_double_eq(c->finetune.lr, 0.5);
    ck_assert_int_eq(c->n_objectives, 3);
    ck_assert_str_eq(c->objective[2].name, "new");
    pr_config_free(&c);
    refuse_with(MINIMAL, "finetune.steps=x",
                "--set finetune.steps=x: finetune.steps: found the string \"x\", expected an integer 1 to 2147483647");
    refuse_with(MINIMAL, "finetune.stepz=3",
                "--set finetune.stepz=3: unknown key 'finetune.stepz'; the nearest known one is 'finetune.steps'");
    refuse_with(MINIMAL, "finetune.steps", "expected key=value");
    refuse_with(MINIMAL, "=3", "expected a key such as");
    refuse_with(MINIMAL, "a..b=3", "expected a key such as");
    refuse_with(MINIMAL, "finetune.steps=", "expected a value");
    refuse_with(MINIMAL, "finetune.steps=1; seed = 3", "expected");
    refuse_with(MINIMAL, "objectives.[7].name=3", "there is no element [7]");
    refuse_with(MINIMAL, "objectives.name=3", "say in which element");
    refuse_with(MINIMAL, "model.x=3", "not a group");
}
END_TEST

START_TEST(dump_reads_back)
{
    const char *text =
        "model = \"m\"; prompts = { train = \"t\"; eval = \"e\"; };\n"
        "objectives = ( { name = \"a\"; minimize = true; adapter = \"ad\"; opt = \"q\\\"\\n\"; deep = { x = (1, 2.5,\n"
        "  { y = true; }); }; big = 12345678901; }, { name = \"b\"; } );\n"
        "seed = 12345678901; stop = (\"\\n\", \"a\\\"b\\\\c\\x01\"); reference = [0.1, 1e-30];\n"
        "seeds = (1, 1234567890); aggregate = (\"states\", \"params\", \"regmean\"); layer = 1;\n"
        "finetune = { lr = 0.0012345678901234567; kl = 0; lora = { targets = [\"q_proj\"]; }; };\n"
        "search = ( { type = \"grid\"; }, { levels = 2; scalar = [1, 2]; } );";
    pr_config_t *c = parse(text), *again = NULL;
    char *dump = pr_config_dump(c);
    // Another path: what the dump says must not depend on where it lies.
    pr_status_t status = pr_config_parse(dump, "/somewhere/else/sweep.cfg", NULL, 0, &again, &err);
    ck_assert_msg(status == PR_OK, "%s\n%s", err.text, dump);
    same_json(c, again);
    ck_assert_str_eq(c->name, again->name);
    ck_assert_str_eq(c->dir, again->dir);
    ck_assert_str_eq(c->model, again->model);
    ck_assert_str_eq(c->results, again->results);
    ck_assert_str_eq(again->stop.item[1], "a\"b\\c\x01");
    ck_assert_double_eq(c->finetune.lr, again->finetune.lr);
    ck_assert_double_eq(c->reference[1], again->reference[1]);
    ck_assert_int_eq(again->n_searches, 6);
    ck_assert(json_equal(c->objective[0].options, again->objective[0].options));
    ck_assert_int_eq((int)json_object_size(again->objective[0].options), 3);
    char *dump2 = pr_config_dump(again);
    ck_assert_str_eq(dump, dump2);
    ck_assert_ptr_nonnull(strstr(dump, "# Optimizer steps per expert."));
    free(dump);
    free(dump2);
    pr_config_free(&c);
    pr_config_free(&again);
}
END_TEST

START_TEST(json_reads_back)
{
    pr_config_t *c = parse(MINIMAL "aggregate = (\"states\", \"probs\"); seed = 12345678901; stop = \"\\n\";\n"
                                   "finetune = { lr = 0.1; kl = 3; };");
    pr_config_t *again = NULL;
    json_t *v = pr_config_json(c);
    char *text = pr_json_canonical(v);
    json_t *w = NULL; // by way of text, as workers get it
    ck_assert_int_eq(pr_json_parse(text, strlen(text), "x", &w, &err), PR_OK);
    ck_assert_msg(pr_config_from_json(w, &again, &err) == PR_OK, "%s", err.text);
    same_json(c, again);
    ck_assert_double_eq(again->finetune.kl, 3);
    ck_assert(again->seed == 12345678901);
    ck_assert_str_eq(again->search[1].aggregate, "probs");
    pr_config_free(&again);
    json_object_set_new(w, "retries", json_string("no"));
    ck_assert_int_eq(pr_config_from_json(w, &again, &err), PR_ERR_CONFIG);
    json_t *array = json_array();
    ck_assert_int_eq(pr_config_from_json(array, &again, &err), PR_ERR_CONFIG);
    json_decref(array);
    json_decref(v);
    json_decref(w);
    free(text);
    pr_config_free(&c);
}
END_TEST

START_TEST(file_and_directory)
{
    char dir[] = "/tmp/pr-config-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char *path = pr_path_join(dir, "my.sweep.cfg"), *expected = pr_path_join(dir, "m");
    pr_config_t *c = NULL;
    ck_assert_int_eq(pr_config_read(path, NULL, 0, &c, &err), PR_ERR_NOT_FOUND);
    ck_assert_int_eq(pr_file_write(path, MINIMAL, strlen(MINIMAL), &err), PR_OK);
    ck_assert_msg(pr_config_read(path, NULL, 0, &c, &err) == PR_OK, "%s", err.text);
    ck_assert_str_eq(c->name, "my.sweep");
    ck_assert_str_eq(c->model, expected);
    pr_config_free(&c);
    // "dir" moves what file names are relative to; --set too.
    const char *set = "dir=/usr";
    ck_assert_int_eq(pr_config_read(path, &set, 1, &c, &err), PR_OK);
    ck_assert_str_eq(c->model, "/usr/m");
    pr_config_free(&c);
    ck_assert_int_eq(pr_file_write(path, "a\0b", 3, &err), PR_OK);
    ck_assert_int_eq(pr_config_read(path, NULL, 0, &c, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "byte 1"));
    unlink(path);
    rmdir(dir);
    free(path);
    free(expected);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    pr_buf_t b = {0};
    pr_buf_puts(&b, MINIMAL "stop = ");
    for (int i = 0; i < 200; i++)
        pr_buf_puts(&b, "(");
    for (int i = 0; i < 200; i++)
        pr_buf_puts(&b, ")");
    pr_buf_puts(&b, ";");
    refuse_with(b.data, NULL, "nested more than 32 deep");
    pr_buf_free(&b);
}
END_TEST

START_TEST(table_is_documented)
{
    row_t rows[200];
    size_t n = all_rows(rows);
    ck_assert_uint_gt(n, 60);
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(strlen(rows[i].o->help) > 10, "%s", rows[i].o->key);
        for (size_t j = 0; j < i; j++)
            ck_assert(strcmp(rows[i].prefix, rows[j].prefix) != 0 || strcmp(rows[i].o->key, rows[j].o->key) != 0);
    }
}
END_TEST

// What stands beside a type that does not read it is refused; without a type EMORL's own keys mean EMORL's search.
START_TEST(searches_read_their_own_keys)
{
    pr_config_t *c = parse(MINIMAL "search = { levels = 2; };");
    ck_assert_str_eq(c->search[0].type, "hierarchical");
    pr_config_free(&c);
    c = parse(MINIMAL "search = { select = \"front\"; };");
    ck_assert_str_eq(c->search[0].type, "hierarchical");
    pr_config_free(&c);
    c = parse(MINIMAL "search = { beam = 2; };");
    ck_assert_str_eq(c->search[0].type, "hierarchical");
    pr_config_free(&c);
    c = parse(MINIMAL "search = { budget = 12; batch = 4; lattice = 16; min_gain = 0.01; };");
    ck_assert_str_eq(c->search[0].type, "auto");
    ck_assert_int_eq(c->search[0].batch, 4);
    ck_assert_int_eq(c->search[0].lattice, 16);
    pr_config_free(&c);
    refuse("search = { type = \"auto\"; levels = 5; };",
           "search[0].levels: found beside type = \"auto\", which does not read it; it reads domain, budget");
    refuse("search = { type = \"grid\"; beam = 5; };", "search[0].beam: found beside type = \"grid\"");
    refuse("search = { type = \"grid\"; batch = 5; };", "search[0].batch: found beside type = \"grid\"");
    refuse("search = { type = \"random\"; divisions = 4; };", "search[0].divisions: found beside");
    refuse("search = ( { type = \"ols\"; }, { type = \"ols\"; alpha = 2.0; } );", "search[1].alpha: found beside");
    c = parse(MINIMAL
              "search = { type = \"grid\"; levels = 3; };"); // its default says nothing, as files written whole have it
    ck_assert_str_eq(c->search[0].type, "grid");
    pr_config_free(&c);
}
END_TEST

// Every row's key can be set to its own default, and then nothing changes.
START_TEST(every_default_can_be_written)
{
    row_t rows[200];
    size_t n = all_rows(rows), set_ones = 0;
    for (size_t i = 0; i < n; i++) {
        pr_buf_t set = {0};
        const pr_option_t *o = rows[i].o;
        if (!o->dflt || !o->dflt[0])
            continue;
        bool policies = strcmp(rows[i].prefix, "policies") == 0;
        bool of_list = strcmp(rows[i].prefix, "objectives") == 0 || policies;
        /* levels, select and beam alone mean another type. */
        bool of_search = strcmp(rows[i].prefix, "search") == 0;
        const char *base = of_search  ? MINIMAL "search = { type = \"hierarchical\"; };"
                           : policies ? MINIMAL "policies = ( { name = \"p\"; } );"
                                      : MINIMAL;
        pr_buf_printf(&set, "%s%s%s%s=%s", rows[i].prefix, of_list ? "[0]" : "", rows[i].prefix[0] ? "." : "", o->key,
                      o->dflt);
        const char *text = set.data;
        if (of_search && strcmp(o->key, "type") == 0)
            base = MINIMAL;
        pr_config_t *c = parse_with(base, &text, 1), *unset = parse(base);
        same_json(unset, c);
        pr_config_free(&c);
        pr_config_free(&unset);
        pr_buf_free(&set);
        set_ones++;
    }
    ck_assert_uint_gt(set_ones, 50);
}
END_TEST

/* What another value does to results is said of keys that there are; of the others it is that they are changed. */
START_TEST(classes_of_keys)
{
#define KEY(key, class) key,
    static const char *const keys[] = {PR_KEY_CLASS_LIST(KEY)};
#undef KEY
    static const struct {
        const char *prefix;
        const pr_option_t *rows;
    } tables[] = {{"policies[].train.", pr_train_keys},
                  {"policies[].", pr_policy_keys},
                  {"search[].", pr_search_keys},
                  {"objectives[].", pr_objective_keys},
                  {"", pr_config_keys}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        for (size_t j = 0; j < sizeof tables / sizeof *tables; j++) {
            size_t n = strlen(tables[j].prefix);
            if (strncmp(keys[i], tables[j].prefix, n) != 0)
                continue;
            ck_assert_msg(pr_option_find(tables[j].rows, keys[i] + n) != NULL, "no key %s", keys[i]);
            break;
        }
    ck_assert_int_eq(pr_key_class("finetune.lr"), PR_KEY_RESULT);
    ck_assert_int_eq(pr_key_class("a key of tomorrow"), PR_KEY_RESULT);
    ck_assert_int_eq(pr_key_class("finetune.steps"), PR_KEY_STEPS);
    ck_assert_int_eq(pr_key_class("threads"), PR_KEY_HOW);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, classes_of_keys);
    tcase_add_test(tcase, all_kinds_are_read);
    tcase_add_test(tcase, searches_times_aggregations);
    tcase_add_test(tcase, grids_over_settings);
    tcase_add_test(tcase, wrong_values_are_located);
    tcase_add_test(tcase, numbers_that_do_not_fit);
    tcase_add_test(tcase, ends_of_ranges);
    tcase_add_test(tcase, ranges_have_two_ends);
    tcase_add_test(tcase, distributions_that_do_not_go_together);
    tcase_add_test(tcase, unknown_keys_name_the_nearest);
    tcase_add_test(tcase, reported_objectives);
    tcase_add_test(tcase, objectives_are_checked);
    tcase_add_test(tcase, overrides);
    tcase_add_test(tcase, dump_reads_back);
    tcase_add_test(tcase, json_reads_back);
    tcase_add_test(tcase, file_and_directory);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, table_is_documented);
    tcase_add_test(tcase, every_default_can_be_written);
    tcase_add_test(tcase, searches_read_their_own_keys);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
