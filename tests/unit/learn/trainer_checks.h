/* The policy-gradient step against PyTorch: losses and every LoRA gradient of a fixture's REINFORCE and GRPO losses, on
 * whatever team fixture_team is. */
#ifndef PR_TEST_TRAINER_CHECKS_H
#define PR_TEST_TRAINER_CHECKS_H

#include "learn/trainer.h"
#include "unit/model/fixture_files.h"

typedef struct subject {
    fixture_t f;
    pr_adapter_t *adapter;
    int start[64], n_prompt[64];
    double advantage[64];
} subject_t;

static inline void load(subject_t *s, const char *dir)
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

static inline void unload(subject_t *s)
{
    pr_adapter_free(&s->adapter);
    fixture_close_all(&s->f);
}

static inline void compare(const subject_t *s, const char *prefix, const float *grad)
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

static inline void check_loss(const char *dir, const char *loss_key, const char *prefix, bool sequence, double kl,
                              int micro)
{
    subject_t s = {0};
    pr_trainer_t *t;
    pr_step_stats_t stats;
    load(&s, dir);
    pr_trainer_options_t o = {.kl = kl,
                              .temperature = 1,
                              .sequence_norm = sequence,
                              .beta1 = 0.9,
                              .beta2 = 0.999,
                              .eps = 1e-8,
                              .micro_tokens = micro};
    pr_rollout_t r = {s.f.n_seq, s.start, s.n_prompt, s.f.ids, s.advantage};
    FIXTURE_OK(pr_trainer_new(s.f.m, fixture_team, s.adapter, &o, &t, err));
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

#endif
