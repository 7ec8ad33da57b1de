// SPDX-License-Identifier: BSD-3-Clause
/* paretorank bench merge: one point of every mix that merges, on the maps of a model of some size, without the model:
 * seconds, what the point's result takes, and what making it takes beside that. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "policy/merge.h"
#include "policy/spec.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct options {
    const char *shape, *mix;
    int experts, lora_r, layers; // layers: 0: all
    bool json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_CHOICE("--shape", offsetof(options_t, shape), "135m|1.5b", "135m",
                  "The maps of a model as large as SmolLM2-135M or Qwen2.5-1.5B, all of them adapted."),
    PR_ARG("--mix", STRING, offsetof(options_t, mix), "MIX",
           "This mix alone, with its options. Default: all of a list."),
    PR_ARG_DEFAULT("--experts", INT, offsetof(options_t, experts), "K", "3", "Adapters that are merged.", .min = 2,
                   .max = PR_MAX_PARTS),
    PR_ARG_DEFAULT("--lora-r", INT, offsetof(options_t, lora_r), "R", "16", "Their rank.", .min = 1, .max = 1024),
    PR_ARG("--layers", INT, offsetof(options_t, layers), "N",
           "Layers that are merged. Default: as many as the model has.", .min = 1, .max = 1000),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print a JSON object a mix."),
    {0},
};

const pr_command_t pr_command_bench_merge = {
    .name = "bench merge",
    .synopsis = "[--shape 135m|1.5b] [--mix MIX] [options]",
    .summary = "Measure seconds and memory of a merged point.",
    .help =
        "Changes of the weights are made map by map, as for a run or an export; the base model is zeros. The result "
        "is a float per element of the adapted maps, or an adapter; the work is the most that was resident beside "
        "it and the experts.",
    .args = args,
};

static const char *const mixes[] = {"ties; density=0.5",
                                    "ties; density=0.5; space=core",
                                    "dare_linear; density=0.5",
                                    "dare_ties; density=0.5",
                                    "della; density=0.5",
                                    "breadcrumbs; density=0.5",
                                    "breadcrumbs_ties; density=0.5",
                                    "sce; select_topk=0.5",
                                    "ram",
                                    "ramplus_tl",
                                    "multislerp",
                                    "multislerp; space=weights",
                                    "karcher",
                                    "params; rank=16"};

static pr_model_config_t config_of(const options_t *o)
{
    bool small = strcmp(o->shape, "135m") == 0;
    pr_model_config_t c =
        small ? (pr_model_config_t){.n_layer = 30,
                                    .d_model = 576,
                                    .n_head = 9,
                                    .n_kv_head = 3,
                                    .head_dim = 64,
                                    .d_ff = 1536}
              : (pr_model_config_t){
                    .n_layer = 28, .d_model = 1536, .n_head = 12, .n_kv_head = 2, .head_dim = 128, .d_ff = 8960};
    c.arch = PR_ARCH_LLAMA;
    c.n_layer = o->layers > 0 ? o->layers : c.n_layer;
    return c;
}

static pr_status_t random_adapter(const pr_model_config_t *c, int r, int k, pr_adapter_t **out, pr_error_t *err)
{
    pr_adapter_options_t o = {.r = r, .alpha = 2 * r};
    pr_rng_key_t key = pr_rng_key((uint64_t)k, "bench", "merge");
    PR_TRY(pr_adapter_new(c, &o, &key, out, err));
    for (size_t i = 0; i < (*out)->n_data; i++) // B is zero
        if ((*out)->data[i] == 0)
            (*out)->data[i] = (float)(0.01 * (pr_rng_uniform(&key, 1, i, 0, 0) - 0.5));
    return PR_OK;
}

/* A line of /proc/self/status in bytes; 0 where there is none. */
static double status_of(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtod(line + strlen(key) + 1, NULL);
    if (f)
        fclose(f);
    return 1024 * kb;
}

/* The peak is what is resident now. */
static void forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "5", 1) != 1)
        status_of("VmHWM"); // it stays the whole process's
    close(fd);
}

typedef struct measured {
    double seconds, result, work;
} measured_t;

/* Every map once, in the same memory. */
static pr_status_t change_all(const pr_delta_t *d, const pr_model_config_t *c, float *w, pr_error_t *err)
{
    int rows, cols;
    for (int i = 0; i < c->n_layer * PR_N_SLOT; i++) {
        pr_slot_t slot = (pr_slot_t)(i % PR_N_SLOT);
        if (!pr_slot_shape(c, slot, &rows, &cols) || !d->has(d->self, i / PR_N_SLOT, slot))
            continue;
        size_t n = (size_t)rows * (size_t)cols;
        for (size_t j = 0; j < n; j++)
            w[j] = d->of_weights ? 1 : 0;
        PR_TRY(d->change(d->self, i / PR_N_SLOT, slot, w, err));
    }
    return PR_OK;
}

static pr_status_t measure(const char *text, const pr_mix_parts_t *parts, float *w, measured_t *out, pr_error_t *err)
{
    const pr_mix_t *mix;
    json_t *options = NULL;
    pr_merged_t *m = NULL;
    pr_status_t status;
    PR_TRY(pr_mix_parse(text, &mix, &options, err));
    if (pr_mix_kind(mix, options) == PR_MIX_RUN || mix->grams) {
        json_decref(options);
        return pr_fail(err, PR_ERR_USAGE, "--mix %s: found a mix that %s, expected one that merges adapters alone",
                       text, mix->grams ? "reads prompts" : "runs its parts");
    }
    forget_peak();
    double resident = status_of("VmRSS:"), begin = pr_time_monotonic();
    PR_GO(pr_merge(mix, options, parts, &m, err));
    if (pr_merged_delta(m))
        PR_GO(change_all(pr_merged_delta(m), parts->model, w, err));
    out->seconds = pr_time_monotonic() - begin;
    out->result = 4 * (pr_merged_delta(m) ? pr_delta_numbers(pr_merged_delta(m), parts->model)
                                          : (double)pr_merged_adapter(m)->n_data);
    out->work = status_of("VmHWM:") - resident - (pr_merged_delta(m) ? 0 : out->result);
    out->work = out->work > 0 ? out->work : 0;
done:
    pr_merged_free(&m);
    json_decref(options);
    return status;
}

static void print(const options_t *o, const char *text, const measured_t *m)
{
    if (!o->json) {
        printf("%-34s %8.2f s  result %8.1f MB  work %7.1f MB\n", text, m->seconds, m->result / 1e6, m->work / 1e6);
        fflush(stdout);
        return;
    }
    json_t *v = json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:o}", "mix", text, "shape", o->shape, "experts", o->experts,
                          "lora_r", o->lora_r, "seconds", pr_json_real(m->seconds), "result_bytes",
                          pr_json_real(m->result), "work_bytes", pr_json_real(m->work));
    pr_cli_print_json(v);
    json_decref(v);
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_model_config_t c = config_of(o);
    pr_adapter_t *a[PR_MAX_PARTS] = {NULL};
    double w[PR_MAX_PARTS];
    size_t n = (size_t)c.d_ff * (size_t)c.d_model;
    float *map = pr_alloc_matrix(n, sizeof *map);
    pr_status_t status = map ? PR_OK : pr_fail(err, PR_ERR_MEMORY, "no memory for a map of %zu floats", n);
    pr_mix_parts_t parts = {
        .team = pr_team_local(), .model = &c, .n = o->experts, .adapter = (const pr_adapter_t *const *)a, .w = w};
    for (int k = 0; k < o->experts && status == PR_OK; k++) {
        w[k] = 1.0 / (k + 1);
        status = random_adapter(&c, o->lora_r, k, &a[k], err);
    }
    if (status == PR_OK)
        memset(map, 0, n * sizeof *map);
    for (size_t i = 0; i < (o->mix ? 1 : sizeof mixes / sizeof *mixes) && status == PR_OK; i++) {
        measured_t m = {0, 0, 0};
        status = measure(o->mix ? o->mix : mixes[i], &parts, map, &m, err);
        if (status == PR_OK)
            print(o, o->mix ? o->mix : mixes[i], &m);
    }
    for (int k = 0; k < o->experts; k++)
        pr_adapter_free(&a[k]);
    free(map);
    return status;
}

int pr_bench_merge(int argc, char **argv)
{
    options_t o = {.json = false};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_bench_merge, argc, argv, &o, &code) && run(&o, &err) != PR_OK)
        code = pr_cli_fail("bench merge", &err);
    pr_cli_free(&pr_command_bench_merge, &o);
    return code;
}
