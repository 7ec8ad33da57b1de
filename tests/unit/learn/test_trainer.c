/* The policy-gradient step against PyTorch: losses and every LoRA gradient of the fixtures' REINFORCE and GRPO losses.
 */
#include "learn/trainer.h"
#include "unit/model/fixture_files.h"

static char dirs[FIXTURE_MAX][512];
static int n_dirs;

typedef struct subject {
    fixture_t f;
    pr_adapter_t *adapter;
    int start[64], n_prompt[64];
    double advantage[64];
} subject_t;

static void load(subject_t *s, const char *dir)
{
    char path[1200];
    s->f = fixture_open(dir, false);
    snprintf(path, sizeof path, "%s/adapters/alpha", dir);
    FIXTURE_OK(pr_adapter_read(path, &s->f.m->config, &s->adapter, err));
    int first = (int)json_integer_value(json_object_get(s->f.json, "pg.start"));
    float *a = fixture_floats(&s->f, fixture_find(&s->f, "pg.advantage"), (size_t)s->f.n_seq);
    for (int i = 0; i < s->f.n_seq; i++) {
        s->start[i + 1] = s->start[i] + s->f.len;
        s->n_prompt[i] = first;
        s->advantage[i] = (double)a[i];
    }
    free(a);
}

static void unload(subject_t *s)
{
    pr_adapter_free(&s->adapter);
    fixture_close_all(&s->f);
}

static void compare(const subject_t *s, const char *prefix, const float *grad)
{
    int compared = 0;
    for (int l = 0; l < s->adapter->n_layer; l++)
        for (int slot = 0; slot < PR_N_SLOT; slot++) {
            const pr_lora_t *lora = pr_adapter_at(s->adapter, l, (pr_slot_t)slot);
            int out, in;
            char module[256];
            if (lora->r == 0)
                continue;
            pr_slot_shape(&s->f.m->config, (pr_slot_t)slot, &out, &in);
            pr_slot_module(&s->f.m->config, l, (pr_slot_t)slot, module, sizeof module);
            for (int b = 0; b < 2; b++) {
                size_t n = (size_t)lora->r * (size_t)(b ? out : in);
                float *expected = fixture_floats(
                    &s->f,
                    fixture_find(&s->f, "%s.base_model.model.%s.lora_%c.default.weight", prefix, module, b ? 'B' : 'A'),
                    n);
                fixture_close(s->f.dir, module, n, grad + ((b ? lora->b : lora->a) - s->adapter->data), expected, 1e-3);
                free(expected);
                compared++;
            }
        }
    ck_assert_int_gt(compared, 0);
}

static void check_loss(int i, const char *loss_key, const char *prefix, bool sequence, double kl, int micro)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats;
    load(&s, dirs[i]);
    pr_trainer_options_t o = {.kl = kl,
                              .temperature = 1,
                              .sequence_norm = sequence,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage};
    FIXTURE_OK(pr_trainer_new(s.f.m, pr_team_local(), s.adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_loss(t, &r, &stats, err));
    double expected = json_number_value(json_object_get(s.f.json, loss_key));
    if (sequence) // the fixture's loss holds the advantage times log-probabilities, as ours does
        ck_assert_double_eq_tol(stats.loss, expected, 1e-4 * fabs(expected));
    if (kl > 0)
        ck_assert_double_eq_tol(stats.kl, json_number_value(json_object_get(s.f.json, "pg.kl_k3_mean")),
                                1e-4 * stats.kl);
    ck_assert_int_eq(stats.tokens, (long)s.f.n_seq * (s.f.len - s.n_prompt[0]));
    compare(&s, prefix, pr_trainer_gradient(t));
    pr_trainer_free(&t);
    unload(&s);
}

START_TEST(reinforce)
{
    check_loss(_i, "pg.loss_reinforce", "pg.reinforce.grad", true, 0, 100000);
}
END_TEST

START_TEST(grpo_with_k3)
{
    check_loss(_i, "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 100000);
}
END_TEST

START_TEST(micro_batches_of_one_sequence)
{
    check_loss(_i, "pg.loss_grpo", "pg.grpo.grad", false, 0.05, 1);
}
END_TEST

/* Steps along the gradient make the rewarded response likelier and the punished one less likely. */
START_TEST(steps_move_the_policy)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t first, last;
    load(&s, dirs[0]);
    pr_trainer_options_t o = {
        .kl = 0.01, .temperature = 1, .clip_norm = 1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .micro_tokens = 1000};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage};
    FIXTURE_OK(pr_trainer_new(s.f.m, pr_team_local(), s.adapter, &o, &t, err));
    FIXTURE_OK(pr_trainer_step(t, &r, 1e-2, &first, err));
    for (int i = 0; i < 10; i++)
        FIXTURE_OK(pr_trainer_step(t, &r, 1e-2, &last, err));
    ck_assert_double_lt(last.loss, first.loss);
    ck_assert_int_eq(pr_trainer_optimizer(t)->step, 11);
    pr_trainer_free(&t);
    unload(&s);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_changes_nothing)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats;
    pr_error_t why;
    load(&s, dirs[0]);
    float *before = pr_alloc(s.adapter->n_data, sizeof *before);
    memcpy(before, s.adapter->data, s.adapter->n_data * sizeof *before);
    s.advantage[0] = NAN;
    pr_trainer_options_t o = {.temperature = 1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .micro_tokens = 1000};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage};
    FIXTURE_OK(pr_trainer_new(s.f.m, pr_team_local(), s.adapter, &o, &t, err));
    ck_assert_int_eq(pr_trainer_step(t, &r, 1e-2, &stats, &why), PR_ERR_NUMERIC);
    ck_assert_int_eq(memcmp(before, s.adapter->data, s.adapter->n_data * sizeof *before), 0);
    ck_assert_int_eq(pr_trainer_optimizer(t)->step, 0);
    free(before);
    pr_trainer_free(&t);
    unload(&s);
}
END_TEST

int main(void)
{
    n_dirs = fixture_list(false, dirs);
    Suite *suite = suite_create("trainer");
    TCase *c = tcase_create("fixtures");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, reinforce, 0, n_dirs);
    tcase_add_loop_test(c, grpo_with_k3, 0, n_dirs);
    tcase_add_loop_test(c, micro_batches_of_one_sequence, 0, n_dirs);
    tcase_add_test(c, steps_move_the_policy);
    tcase_add_test(c, a_loss_that_is_not_finite_changes_nothing);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
