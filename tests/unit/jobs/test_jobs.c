// SPDX-License-Identifier: BSD-3-Clause
/* Train jobs on the small model, cut anywhere and going on; and jobs that cannot be done. */
#include "jobs/history.h"
#include "unit/jobs/jobs_play.h"

static void ignore_event(void *self, const char *event, const json_t *fields)
{
    (void)self, (void)event, (void)fields;
}

/* ---- fine-tuning ---- */

static char history[PR_HASH_HEX]; // of its steps

/* What a job's steps gave, as it says, is beside its adapter: rows of steps from 1 on, with both objectives' means. */
static void check_history(const pr_config_t *c, const json_t *message, const json_t *result, size_t steps)
{
    pr_history_t h = {0};
    pr_error_t err;
    char *artifact = adapter_of(c, message);
    const char *hash = json_string_value(json_object_get(result, "history"));
    ck_assert_msg(hash && pr_history_read(artifact, hash, &h, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_eq(h.n, steps);
    ck_assert_int_eq(h.k, 2);
    for (size_t i = 0; i < h.n; i++) {
        const double *row = h.row + i * pr_history_width(&h);
        ck_assert(row[PR_STEP_step] == (double)i + 1 && row[PR_STEP_entropy] > 0 && row[PR_STEP_tokens] > 0);
        ck_assert(isfinite(row[PR_STEP_COLUMNS]) && isfinite(row[PR_STEP_COLUMNS + 1]));
    }
    pr_history_clear(&h);
    free(artifact);
}

/* The expert of an undisturbed run. */
static void undisturbed(const char *results, char hash[PR_HASH_HEX])
{
    pr_config_t *c = config(results, "");
    json_t *message = train_job(c, 0, 1), *result;
    pr_error_t err;
    job_t j = {0};
    ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert(j.steps == 4 && j.first_step == 1);
    adapter_hash(c, message, hash);
    ck_assert_str_eq(json_string_value(json_object_get(result, "artifact")), hash);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "steps")), 4);
    check_history(c, message, result, 4);
    snprintf(history, sizeof history, "%s", json_string_value(json_object_get(result, "history")));
    ck_assert_int_gt(json_integer_value(json_object_get(result, "taught")), 0);
    ck_assert_int_gt(json_integer_value(json_object_get(result, "tokens")), 20);
    char *checkpoint = train_checkpoint(c, message),
         *named = pr_checkpoint_path(c->results, "train", json_string_value(json_object_get(result, "checkpoint")));
    ck_assert_str_eq(named, checkpoint);
    ck_assert(pr_file_exists(checkpoint)); // of the last step, too
    free(checkpoint);
    free(named);
    json_decref(result);
    json_decref(message);
    pr_config_free(&c);
}

static void check_resumed(const pr_config_t *c, const json_t *message, const char *hash, int first_step)
{
    json_t *result;
    pr_error_t err;
    char found[PR_HASH_HEX];
    job_t j = {0};
    ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(j.first_step, first_step);
    adapter_hash(c, message, found);
    ck_assert_str_eq(found, hash);
    ck_assert_str_eq(json_string_value(json_object_get(result, "artifact")), hash);
    ck_assert_str_eq(json_string_value(json_object_get(result, "history")), history);
    check_history(c, message, result, 4);
    json_decref(result);
}

START_TEST(resume_at_any_step)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole", hash);
    for (int step = 1; step <= 3; step++) {
        char results[32];
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "cut%d", step);
        pr_config_t *c = config(results, "");
        json_t *message = train_job(c, 0, 1);
        job_t j = {.cancel_at_step = step};
        ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_INTERRUPTED);
        ck_assert_int_eq(j.steps, step);
        check_resumed(c, message, hash, step + 1);
        json_decref(message);
        pr_config_free(&c);
    }
}
END_TEST

/* One step with another setting, objective or seed: the rewards of its roll-outs, which are the base model's, and the
 * beginning of the first adapter matrix, which a first step leaves as it was. */
typedef struct beginning {
    double reward[2];
    float a[8];
} beginning_t;

static beginning_t begin(int number, const char *finetune, int objective, int64_t seed)
{
    char results[32], more[256];
    json_t *result;
    pr_error_t err;
    pr_adapter_t *adapter;
    job_t j = {0};
    snprintf(results, sizeof results, "begin%d", number);
    snprintf(more, sizeof more, "finetune = { steps = 1; samples = 2; max_new_tokens = 8; %s };", finetune);
    pr_config_t *c = config(results, more);
    json_t *message = train_job(c, objective, seed);
    ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
    char *expert = adapter_of(c, message);
    pr_model_config_t m;
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    ck_assert_msg(pr_adapter_read(expert, &m, &adapter, &err) == PR_OK, "%s", err.text);
    beginning_t b = {.reward = {j.first_reward[0], j.first_reward[1]}};
    memcpy(b.a, adapter->data, sizeof b.a);
    pr_adapter_free(&adapter);
    pr_model_config_clear(&m);
    free(expert);
    json_decref(result);
    json_decref(message);
    pr_config_free(&c);
    return b;
}

/* Whatever is compared is compared on the same random numbers: no objective and no setting is in their keys. */
START_TEST(common_random_numbers)
{
    static const char plain[] = "prompts_per_step = 3; lora = { r = 2; };";
    beginning_t first = begin(0, plain, 0, 1);
    struct {
        const char *finetune;
        int objective;
    } same[] = {{plain, 1},
                {"prompts_per_step = 3; lr = 0.5; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; method = \"grpo\"; kl = 0.5; beta1 = 0.9001; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; micro_tokens = 64; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; lora = { r = 5; alpha = 3.0; };", 0}};
    for (int i = 0; i < (int)(sizeof same / sizeof *same); i++) {
        beginning_t b = begin(1 + i, same[i].finetune, same[i].objective, 1);
        ck_assert_msg(memcmp(b.reward, first.reward, sizeof b.reward) == 0, "%d: %.17g %.17g", i, b.reward[0],
                      first.reward[0]);
        ck_assert_msg(memcmp(b.a, first.a, sizeof b.a) == 0, "%d", i);
    }
    beginning_t other = begin(9, plain, 0, 2);
    ck_assert(memcmp(other.a, first.a, sizeof other.a) != 0);
    ck_assert(memcmp(other.reward, first.reward, sizeof other.reward) != 0);
}
END_TEST

/* Cut in the middle of a step, which then leaves no trace. */
START_TEST(resume_within_a_step)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole-2", hash);
    static const int calls[] = {1, 2, 5, 14, 23};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char results[32];
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "within%d", calls[i]);
        pr_config_t *c = config(results, "");
        json_t *message = train_job(c, 0, 1);
        job_t j = {.cancel_at_call = calls[i]};
        ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_INTERRUPTED);
        check_resumed(c, message, hash, j.steps + 1);
        json_decref(message);
        pr_config_free(&c);
    }
}
END_TEST

/* A checkpoint that cannot be used is told of; the job starts again and ends the same. */
START_TEST(a_damaged_checkpoint)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole-3", hash);
    for (int how = 0; how < 3; how++) {
        char results[32], *bytes;
        size_t n;
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "damaged%d", how);
        pr_config_t *c = config(results, "");
        json_t *message = train_job(c, 0, 1), *other = train_job(c, 1, 1);
        job_t j = {.cancel_at_step = 2};
        ck_assert_int_eq(run(c, how == 2 ? other : message, &j, &result, &err), PR_ERR_INTERRUPTED);
        char *path = train_checkpoint(c, message), *from = train_checkpoint(c, how == 2 ? other : message);
        ck_assert_int_eq(pr_file_read(from, 0, &bytes, &n, &err), PR_OK);
        bytes[n / 2] = (char)(bytes[n / 2] ^ (how == 0)); // one bit; a part; another job's
        ck_assert_int_eq(pr_file_write(path, bytes, how == 1 ? n - 100 : n, &err), PR_OK);
        check_resumed(c, message, hash, 1);
        free(bytes);
        free(path);
        free(from);
        json_decref(message);
        json_decref(other);
        pr_config_free(&c);
    }
}
END_TEST

/* A run that diverges fails as numeric and leaves no expert behind. */
START_TEST(numbers_that_explode)
{
    pr_config_t *c =
        config("explodes", "finetune = { steps = 6; prompts_per_step = 2; samples = 2; max_new_tokens = 4; "
                           "clip_norm = 0.0; };");
    c->finetune.lr = 1e30; // more than a file may say
    json_t *message = train_job(c, 0, 1), *result;
    pr_error_t err;
    job_t j = {0};
    char *expert = adapter_of(c, message);
    ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "step"));
    ck_assert(!pr_dir_exists(expert));
    free(expert);
    json_decref(message);
    pr_config_free(&c);
}
END_TEST

/* The same objective, maximised and minimised, has experts that differ, by jobs that differ. */
START_TEST(towards_less)
{
    pr_config_t *up = config("up", ""),
                *down =
                    config("down", "objectives = ( { name = \"brevity\"; minimize = true; }, { name = \"distinct\"; n "
                                   "= 2; } );");
    json_t *a = train_job(up, 0, 1), *b = train_job(down, 0, 1), *result;
    pr_error_t err;
    char x[PR_HASH_HEX], y[PR_HASH_HEX];
    job_t j = {0}, k = {0};
    ck_assert_str_ne(id_of(a), id_of(b));
    ck_assert_int_eq(run(up, a, &j, &result, &err), PR_OK);
    json_decref(result);
    ck_assert_int_eq(run(down, b, &k, &result, &err), PR_OK);
    json_decref(result);
    adapter_hash(up, a, x);
    adapter_hash(down, b, y);
    ck_assert_str_ne(x, y);
    json_decref(a);
    json_decref(b);
    pr_config_free(&up);
    pr_config_free(&down);
}
END_TEST

/* ---- how ---- */

/* Other streams, micro_tokens and checkpoints are the same job, done otherwise; the adapter is the same bytes, whenever
 * it is kept. */
START_TEST(how_is_no_part_of_a_job)
{
    static const char settings[] = "steps = 4; prompts_per_step = 3; samples = 2; max_new_tokens = 8; lr = 0.01; "
                                   "lora = { r = 2; alpha = 8.0; };";
    static const struct {
        const char *finetune, *evaluate;
        bool same; // bytes
    } ways[] = {{"checkpoint_every = 1;", "", true},
                {"checkpoint_every = 3;", "", true},
                {"checkpoint_every = 0;", "", true},
                {"checkpoint_every = 1; micro_tokens = 40;", "", false},
                {"checkpoint_every = 1;", "streams = 2;", false},
                {"checkpoint_every = 1;", "threads", false}};
    char hash[PR_HASH_HEX];
    json_t *first = NULL;
    undisturbed("how", hash);
    for (int i = 0; i < (int)(sizeof ways / sizeof *ways); i++) {
        char results[32], more[512], found[PR_HASH_HEX];
        bool threads = strcmp(ways[i].evaluate, "threads") == 0;
        json_t *result;
        pr_error_t err;
        job_t j = {0};
        snprintf(results, sizeof results, "how%d", i);
        snprintf(more, sizeof more, "finetune = { %s %s }; evaluate = { prompts = 6; max_new_tokens = 8; %s }; %s",
                 settings, ways[i].finetune, threads ? "" : ways[i].evaluate, threads ? "threads = 2;" : "");
        pr_config_t *c = config(results, more);
        json_t *message = train_job(c, 0, 1);
        first = first ? first : json_incref(message);
        ck_assert_str_eq(id_of(message), id_of(first));
        // It does travel, or it would do nothing.
        ck_assert(i == 0 || threads || !json_equal(json_object_get(message, "how"), json_object_get(first, "how")));
        ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
        ck_assert_int_eq(j.steps, 4);
        adapter_hash(c, message, found);
        if (ways[i].same)
            ck_assert_str_eq(found, hash);
        json_decref(result);
        json_decref(message);
        pr_config_free(&c);
    }
    json_decref(first);
}
END_TEST

/* ---- longer and shorter trainings ---- */

typedef struct ended {
    char hash[PR_HASH_HEX];
    int first_step, steps;
    json_int_t taught, tokens, told; // of the result; "steps"
    char history[PR_HASH_HEX];       // all of its steps, whoever did them
} ended_t;

/* A training of that many steps in a results directory, where others may have left something. */
static ended_t trained(const char *results, int steps, const char *more_settings)
{
    char more[512];
    json_t *result;
    pr_error_t err;
    job_t j = {0};
    ended_t e = {{0}, 0, 0, 0, 0, 0, {0}};
    snprintf(more, sizeof more,
             "finetune = { steps = %d; prompts_per_step = 3; samples = 2; max_new_tokens = 8; checkpoint_every = 0; "
             "lr = 0.01; lora = { r = 2; alpha = 8.0; }; %s };",
             steps, more_settings);
    pr_config_t *c = config(results, more);
    json_t *message = train_job(c, 0, 1);
    ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
    adapter_hash(c, message, e.hash);
    ck_assert_str_eq(json_string_value(json_object_get(result, "artifact")), e.hash);
    e.first_step = j.first_step;
    e.steps = j.steps;
    e.taught = json_integer_value(json_object_get(result, "taught"));
    e.tokens = json_integer_value(json_object_get(result, "tokens"));
    e.told = json_integer_value(json_object_get(result, "steps"));
    check_history(c, message, result, (size_t)steps);
    snprintf(e.history, sizeof e.history, "%s", json_string_value(json_object_get(result, "history")));
    json_decref(result);
    json_decref(message);
    pr_config_free(&c);
    return e;
}

static void same_end(const ended_t *a, const ended_t *b)
{
    ck_assert_str_eq(a->hash, b->hash);
    ck_assert_int_eq(a->taught, b->taught);
    ck_assert_int_eq(a->tokens, b->tokens);
    ck_assert_int_eq(a->told, b->told);
    ck_assert_str_eq(a->history, b->history);
}

/* At a constant rate a training of more steps is the same one for longer, with a warm-up or without: it goes on from
 * the last step of the shorter one and is, byte for byte, the one that was never interrupted. */
START_TEST(more_steps_continue)
{
    static const char *const rates[] = {"schedule = \"constant\";", "schedule = \"constant\"; warmup = 2;"};
    for (int i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "long%d", i);
        ended_t whole = trained(name, 5, rates[i]);
        ck_assert(whole.first_step == 1 && whole.steps == 5);
        snprintf(name, sizeof name, "longer%d", i);
        ended_t two = trained(name, 2, rates[i]), five = trained(name, 5, rates[i]);
        ck_assert(two.first_step == 1 && two.steps == 2);
        ck_assert(five.first_step == 3 && five.steps == 3);
        same_end(&five, &whole);
        ck_assert_str_ne(two.hash, five.hash);
    }
}
END_TEST

/* Where the rate depends on when the training ends, every length is a training of its own. */
START_TEST(more_steps_of_a_falling_rate_start_afresh)
{
    static const char *const rates[] = {"schedule = \"linear\";", "schedule = \"cosine\";"};
    for (int i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "fall%d", i);
        ended_t whole = trained(name, 4, rates[i]);
        snprintf(name, sizeof name, "falls%d", i);
        trained(name, 2, rates[i]);
        ended_t four = trained(name, 4, rates[i]);
        ck_assert(four.first_step == 1 && four.steps == 4);
        same_end(&four, &whole);
    }
}
END_TEST

/* A shorter training than the one whose state there is starts afresh, and is told nothing of the longer one. */
START_TEST(fewer_steps_start_afresh)
{
    ended_t two = trained("short", 2, ""), four = trained("shorter", 4, ""), again = trained("shorter", 2, "");
    ck_assert(again.first_step == 1 && again.steps == 2);
    same_end(&again, &two);
    ck_assert(four.taught > 0);
    ended_t longer = trained("shorter", 4, ""); // and from there on again
    ck_assert(longer.first_step == 3 && longer.steps == 2);
    same_end(&longer, &four);
}
END_TEST

/* One that is done already, and whose adapter is lost, is written again from its last step. */
START_TEST(a_lost_adapter_is_written_again)
{
    ended_t first = trained("lost", 3, "");
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s/lost/artifacts'", dir);
    ck_assert_int_eq(system(command), 0);
    ended_t again = trained("lost", 3, "");
    ck_assert_int_eq(again.steps, 0);
    same_end(&again, &first);
}
END_TEST

/* ---- rewards ---- */

#define SHORT                                                                                                          \
    "finetune = { steps = 3; prompts_per_step = 3; samples = 2; max_new_tokens = 8; lr = 0.01; lora = { r = 2; }; };"

/* The means that a job of so many objectives ends with, by objective. */
static void rewards_of(const pr_config_t *c, const json_t *result, const double *expected, const char *const *name)
{
    pr_inputs_t in;
    pr_error_t err;
    const json_t *objectives = json_object_get(result, "objectives"), *reward = json_object_get(result, "reward");
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_eq(json_array_size(objectives), (size_t)c->n_objectives);
    ck_assert_uint_eq(json_array_size(reward), (size_t)c->n_objectives);
    for (int k = 0; k < c->n_objectives; k++) {
        const json_t *mean = json_array_get(reward, (size_t)k);
        ck_assert_str_eq(json_string_value(json_array_get(objectives, (size_t)k)), in.objective_hash[k]);
        for (int i = 0; name[i]; i++)
            if (strcmp(name[i], c->objective[k].name) == 0 && isnan(expected[i]))
                ck_assert(json_is_null(mean));
            else if (strcmp(name[i], c->objective[k].name) == 0)
                ck_assert_double_eq(json_number_value(mean), expected[i]);
    }
    pr_inputs_clear(&in);
}

/* A training that is done, whose last step is reported to a run with other objectives beside its own: the order is
 * theirs, and of an objective that was not scored there is nothing to tell. */
START_TEST(rewards_follow_their_objectives)
{
    static const char *const name[] = {"brevity", "distinct", "repetition", NULL};
    static const char *const orders[] = {
        "objectives = ( { name = \"brevity\"; }, { name = \"distinct\"; n = 2; } );" SHORT,
        "objectives = ( { name = \"distinct\"; n = 2; }, { name = \"brevity\"; } );" SHORT,
        "objectives = ( { name = \"repetition\"; }, { name = \"brevity\"; }, { name = \"distinct\"; n = 2; } );" SHORT};
    static const int own[] = {0, 1, 1};
    double expected[3] = {0, 0, NAN};
    char id[PR_HASH_HEX] = "", hash[PR_HASH_HEX] = "";
    for (int i = 0; i < 3; i++) {
        pr_config_t *c = config("order", orders[i]);
        json_t *message = train_job(c, own[i], 1), *result;
        pr_error_t err;
        pr_inputs_t in;
        pr_job_hooks_t hooks = {NULL, NULL, NULL};
        ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
        pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
        hooks.event = ignore_event;
        ck_assert_msg(pr_job_run(env, message, &hooks, &result, &err) == PR_OK, "%s", err.text);
        if (i == 0) {
            snprintf(id, sizeof id, "%s", id_of(message));
            snprintf(hash, sizeof hash, "%s", json_string_value(json_object_get(result, "artifact")));
            for (size_t k = 0; k < 2; k++)
                expected[k] = json_number_value(json_array_get(json_object_get(result, "reward"), k));
            ck_assert(expected[0] != expected[1]); // or there would be nothing to tell apart
        }
        ck_assert_str_eq(id_of(message), id); // what stands beside it is no part of it
        ck_assert_str_eq(json_string_value(json_object_get(result, "artifact")), hash);
        rewards_of(c, result, expected, name);
        json_decref(result);
        json_decref(message);
        pr_job_env_free(&env);
        pr_inputs_clear(&in);
        pr_config_free(&c);
    }
}
END_TEST

/* ---- failures ---- */

START_TEST(cancelled_evaluation)
{
    pr_config_t *c = config("cancelled", brought);
    neutral_adapters(c);
    json_t *message = evaluate_job(c, 1, 0, 0, 6), *result;
    pr_error_t err;
    job_t j = {.cancel_at_call = 3};
    ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_INTERRUPTED);
    ck_assert_uint_eq(count_evaluations(c), 0);
    json_decref(message);
    pr_config_free(&c);
}
END_TEST

static void cannot(const pr_config_t *c, json_t *message, pr_status_t want, const char *text)
{
    json_t *result;
    pr_error_t err;
    job_t j = {0};
    pr_status_t status = run(c, message, &j, &result, &err);
    ck_assert_msg(status == want, "%s: found %s, expected %s", err.text, pr_status_reason(status),
                  pr_status_reason(want));
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' has no '%s'", err.text, text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    json_decref(message);
}

/* Hashes that this run knows nothing of, as of another configuration, and adapters that are not what they were. */
START_TEST(jobs_that_cannot_be_done)
{
    static const char unknown[] = "0123456789abcdef0123456789abcdef";
    pr_config_t *c = config("cannot", brought);
    neutral_adapters(c);
    json_t *good = evaluate_job(c, 1, 0, 0, 6), *train = train_job(c, 0, 1);
    const json_t *policy = json_object_get(json_object_get(good, "inputs"), "policy");
    cannot(c, with_input(good, "count", json_integer(100000)), PR_ERR_CONFIG, "evaluation prompts 0 to 99999");
    cannot(c, with_input(good, "first", json_integer(-1)), PR_ERR_CONFIG, "evaluation prompts -1");
    cannot(c, with_input(good, "kind", json_string("dance")), PR_ERR_UNSUPPORTED, "dance");
    cannot(c, with_input(good, "task", json_string(unknown)), PR_ERR_CONFIG, unknown);
    cannot(c, with_input(good, "first", json_string("x")), PR_ERR_FORMAT, "key 'first': found a string");
    cannot(c, with_input(train, "model", json_string(unknown)), PR_ERR_CONFIG, unknown);
    cannot(c, with_input(train, "prompts", json_string(unknown)), PR_ERR_CONFIG, unknown);
    cannot(c, with_input(train, "seed", json_null()), PR_ERR_FORMAT, "key 'seed'");
    cannot(
        c,
        with_input(train, "reward", json_pack("[{s:s, s:f, s:b}]", "objective", unknown, "weight", 1.0, "minimize", 0)),
        PR_ERR_CONFIG, unknown);
    cannot(c, with_input(train, "reward", json_array()), PR_ERR_FORMAT, "found no objective");
    cannot(c, with_input(train, "stop", json_pack("[s]", "x")), PR_ERR_CONFIG, "stop");
    json_t *part = json_pack("[s, s, f]", "adapter", unknown, 1.0), *other = json_deep_copy(policy);
    json_object_set_new(other, "parts", json_pack("[O]", part));
    cannot(c, with_input(good, "policy", other), PR_ERR_CONFIG, unknown); // no such adapter is given
    json_array_set_new(part, 0, json_string("job"));
    other = json_deep_copy(policy);
    json_object_set_new(other, "parts", json_pack("[o]", part));
    cannot(c, with_input(good, "policy", other), PR_ERR_CONFIG, unknown); // nobody says what that job left
    json_decref(good);
    json_decref(train);
    pr_config_free(&c);
}
END_TEST

/* The adapter is not what it was when the job was made. */
START_TEST(an_adapter_that_has_changed)
{
    pr_config_t *c = config("changed", brought);
    pr_inputs_t in;
    pr_error_t err;
    neutral_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *message = evaluate_job(c, 1, 0, 0, 6), *result = NULL;
    char path[128], now[PR_HASH_HEX];
    snprintf(path, sizeof path, "%s/neutral0/adapter_config.json", dir);
    FILE *f = fopen(path, "a");
    ck_assert(f && fputs("\n", f) >= 0 && fclose(f) == 0);
    snprintf(path, sizeof path, "%s/neutral0", dir);
    ck_assert_int_eq(pr_adapter_hash(path, now, &err), PR_OK);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    pr_job_hooks_t hooks = {NULL, NULL, NULL};
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "neutral0"));
    ck_assert(strstr(err.text, now) && strstr(err.text, in.adapter[0]));
    json_decref(message);
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* What travelled must be what was asked for, whatever of the inputs is another; how and label are no part of it. */
START_TEST(a_message_of_other_inputs)
{
    pr_config_t *c = config("other-inputs", brought);
    neutral_adapters(c);
    for (int kind = 0; kind < 2; kind++) {
        json_t *message = kind == 0 ? evaluate_job(c, 1, 0, 0, 2) : train_job(c, 1, 3), *copy, *result;
        const char *keys[] = {kind == 0 ? "count" : "seed", kind == 0 ? "policy" : "train", "kind", "new"};
        char expected[128], hash[PR_HASH_HEX];
        pr_error_t err;
        job_t j = {0};
        for (size_t i = 0; i < 4; i++) {
            copy = json_deep_copy(message);
            json_t *inputs = json_object_get(copy, "inputs");
            json_object_set_new(inputs, keys[i],
                                i == 2 ? json_string(kind == 0 ? "train" : "evaluate") : json_integer(1));
            pr_json_hash(inputs, hash);
            snprintf(expected, sizeof expected, "job %s: found inputs of hash %s", id_of(message), hash);
            ck_assert_int_eq(run(c, copy, &j, &result, &err), PR_ERR_FORMAT);
            ck_assert_str_eq(err.text, expected);
            json_decref(copy);
        }
        copy = json_deep_copy(message);
        json_object_del(copy, "id");
        ck_assert_int_eq(run(c, copy, &j, &result, &err), PR_ERR_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "without an id"));
        json_decref(copy);
        copy = json_deep_copy(message);
        json_object_del(copy, "inputs");
        ck_assert_int_eq(run(c, copy, &j, &result, &err), PR_ERR_UNSUPPORTED);
        json_decref(copy);
        json_object_set_new(message, "label", json_string("called otherwise"));
        ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
        json_decref(result);
        json_decref(message);
    }
    pr_config_free(&c);
}
END_TEST

/* A given adapter that is broken is found before the first job. */
START_TEST(broken_adapters_are_found_early)
{
    pr_config_t *c = config("broken", brought);
    pr_inputs_t in;
    pr_error_t err;
    char path[128];
    neutral_adapters(c);
    snprintf(path, sizeof path, "%s/neutral1/adapter_model.safetensors", dir);
    ck_assert_int_eq(truncate(path, 1000), 0);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "neutral1"));
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT); // and again, without a leak
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

START_TEST(scorers_that_crash)
{
    pr_config_t *c =
        config("crash", "objectives = ( { name = \"brevity\"; adapter = \"neutral0\"; }, { name = \"bad\"; "
                        "type = \"command\"; command = \"exit 3\"; adapter = \"neutral1\"; } );");
    neutral_adapters(c);
    json_t *message = evaluate_job(c, 1, 0, 0, 6), *result;
    pr_error_t err;
    job_t j = {0};
    ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_FIRST_SAMPLE);
    ck_assert_ptr_nonnull(strstr(err.text, "bad"));
    ck_assert_uint_eq(count_evaluations(c), 0);
    json_decref(message);
    pr_config_free(&c);
}
END_TEST

START_TEST(prompts_that_are_too_long)
{
    pr_config_t *c = config("long", "evaluate = { max_new_tokens = 500; };");
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "prompts-eval.jsonl: prompt 1: found"));
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *t = tcase_create("jobs");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 240);
    tcase_add_test(t, resume_at_any_step);
    tcase_add_test(t, common_random_numbers);
    tcase_add_test(t, resume_within_a_step);
    tcase_add_test(t, a_damaged_checkpoint);
    tcase_add_test(t, numbers_that_explode);
    tcase_add_test(t, towards_less);
    tcase_add_test(t, how_is_no_part_of_a_job);
    tcase_add_test(t, more_steps_continue);
    tcase_add_test(t, more_steps_of_a_falling_rate_start_afresh);
    tcase_add_test(t, fewer_steps_start_afresh);
    tcase_add_test(t, a_lost_adapter_is_written_again);
    tcase_add_test(t, rewards_follow_their_objectives);
    tcase_add_test(t, cancelled_evaluation);
    tcase_add_test(t, jobs_that_cannot_be_done);
    tcase_add_test(t, an_adapter_that_has_changed);
    tcase_add_test(t, a_message_of_other_inputs);
    tcase_add_test(t, broken_adapters_are_found_early);
    tcase_add_test(t, scorers_that_crash);
    tcase_add_test(t, prompts_that_are_too_long);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
