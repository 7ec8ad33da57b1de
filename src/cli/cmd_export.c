// SPDX-License-Identifier: BSD-3-Clause
/* paretorank export: a policy of a sweep as a directory that other programs load: what a point is, by its own mix; what a
 * search makes of any weights; or the experts under a mix of one's own. */
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/engine.h"
#include "sweeps/export.h"
#include "sweeps/place.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct options {
    const char *dir, *out, *point, *search, *aggregate, *as;
    pr_texts_t set;
    const char *weights;
    int rank;     // 0: not given
    int64_t seed; // -1: the sweep's first
    bool force;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("DIR", STRING, offsetof(options_t, dir), "DIR", "The results directory."),
    PR_ARG(
        "--point", STRING, offsetof(options_t, point), "ID",
        "The policy of this point: an id of the column point of cells.csv and of `paretorank front`, or what only one "
        "of them begins with."),
    PR_ARG("--weights", STRING, offsetof(options_t, weights), PR_CLI_WEIGHTS,
           "The policy at these preference weights, one per objective, in the sweep's order: 0.5,0.25,0.25 or "
           "1/2,1/4,1/4. At a point it is that point's; elsewhere it is what the searches make of the weights, and the "
           "nearest point is told. With a mix of one's own also negative ones, and with its option blocks a row of "
           "them per block, between semicolons."),
    PR_ARG_REQUIRED("--out", STRING, offsetof(options_t, out), "OUT", "The directory that is written."),
    PR_ARG_CHOICE("--as", offsetof(options_t, as), PR_EXPORT_FORMS, "",
                  "lora: the one adapter that the policy is, in PEFT's format; model: a whole Hugging Face model "
                  "directory, the base model with that adapter merged in, in the model's own type; parts: of a policy "
                  "that is not one adapter, its adapters, their coefficients and a logits processor. Default: lora, or "
                  "model where the mix makes other weights, or parts where the policy runs its adapters."),
    PR_ARG("--search", STRING, offsetof(options_t, search), "NAME",
           "With --weights: what this search of the sweep evaluates at the weights, by its own policy: the column "
           "\"search\" of the front. Not with --aggregate."),
    PR_ARG("--aggregate", STRING, offsetof(options_t, aggregate), "MIX",
           "With --weights: the experts under this mix (paretorank help mixes), whatever the searches have; with its "
           "options as the sweep says, or as given after it: \"states; layer=1\"."),
    PR_ARG("--mix", STRING, offsetof(options_t, aggregate), "MIX", "Another name of --aggregate."),
    PR_ARG("--rank", INT, offsetof(options_t, rank), "R",
           "With --as lora: at most so many ranks a map, the nearest adapter of that rank, for a policy that is no "
           "adapter or a smaller file. What is lost is told, and stands in the model card.",
           .min = 1, .max = 65536),
    PR_ARG("--seed", INT64, offsetof(options_t, seed), "S",
           "With --weights: which experts. Default: those of the first of seeds.", .min = 0, .max = INT32_MAX),
    PR_ARG("--set", STRINGS, offsetof(options_t, set), "KEY=VALUE",
           "Overrides a key of the sweep's configuration, such as a model that has moved; may be repeated."),
    PR_ARG("--force", BOOL, offsetof(options_t, force), NULL, "Overwrite an export of the same form that is there."),
    {0},
};

const pr_command_t pr_command_export = {
    .name = "export",
    .synopsis = "DIR (--point ID | --weights A,B,... [--search NAME | --aggregate MIX] [--seed S]) --out OUT "
                "[--as lora|model|parts] [--rank R] [--set KEY=VALUE]... [--force]",
    .summary = "Write the policy of a point, or of any weights, for other programs.",
    .help =
        "A policy of params or regmean is one adapter, exactly: the experts' ranks are concatenated, where fewer do "
        "not "
        "hold the same, or merged by Gram matrices, which runs the experts on training prompts first. So is the "
        "training "
        "of a point of method \"single\", and an expert alone. Python's peft loads it, and --as model merges it into "
        "the "
        "base model. A policy of ties and its like is a model with other weights, beside which mergekit.yml says how "
        "mergekit "
        "makes the same where it can; with --rank it is the nearest adapter. A policy of states, logits or probs runs "
        "several adapters and is none; it is written as parts. "
        "README.md is a model card with where the policy comes from (sweep, weights, seed, method, mix, scores, "
        "versions), which is in the metadata of the safetensors files and in policy.json too. An adapter that is not "
        "what its job wrote, by the journal's hash, is refused; `paretorank run DIR` makes it again.",
    .args = args,
};

/* What those who serve adapters take by default. */
static void note_limits(int rank)
{
    enum { DEFAULT = 16, MOST = 512 };
    static const int sizes[] = {8, 16, 32, 64, 128, 256, 320, MOST}; // that vLLM has
    size_t i = 0;
    while (i + 1 < sizeof sizes / sizeof *sizes && sizes[i] < rank)
        i++;
    if (rank > MOST)
        pr_log(PR_LOG_WARN, "rank %d is more than vLLM can serve (%d at most)", rank, MOST);
    else if (rank > DEFAULT)
        pr_log(PR_LOG_WARN, "rank %d is more than vLLM serves by default (%d): start it with --max-lora-rank %d", rank,
               DEFAULT, sizes[i]);
}

/* Weights that no search of the sweep could have asked for are taken as they are, and that is said. */
static void note_domain(const pr_config_t *c, const pr_cli_weights_t *w)
{
    double sum = 0, most = 0;
    bool simplex = true;
    for (int k = 0; k < w->n; k++) {
        sum += w->item[k];
        most = w->item[k] > most ? w->item[k] : most;
    }
    for (int i = 0; i < c->n_searches; i++)
        simplex = simplex && strcmp(c->search[i].domain, "cube") != 0;
    if (simplex && fabs(sum - 1) > 1e-6)
        pr_log(PR_LOG_WARN,
               "--weights: their sum is %.6g, while the sweep's weights sum to 1; they are taken as they are", sum);
    else if (!simplex && most > 1)
        pr_log(PR_LOG_WARN, "--weights: found %.6g, while the sweep's weights are 0 to 1; they are taken as they are",
               most);
}

/* What a rank left out. */
static void tell_errors(const pr_exported_t *e)
{
    for (int i = 0; i < e->maps; i++)
        if (e->loss[i].whole > 0)
            fprintf(stderr, "paretorank export: %s: relative error %.4g\n", e->module[i],
                    sqrt(e->loss[i].lost / e->loss[i].whole));
    if (e->loss)
        fprintf(stderr, "paretorank export: relative error of all maps together: %.4g\n", pr_exported_loss(e));
}

static void tell(const options_t *o, const pr_taken_t *t, pr_export_form_t form, const pr_exported_t *e)
{
    fprintf(stderr, "paretorank export: %s: ", o->out);
    bool dense = form == PR_FORM_MODEL && pr_taken_kind(t) == PR_MIX_DENSE;
    if (form == PR_FORM_MODEL)
        fprintf(stderr, "a model, the base model with ");
    fprintf(stderr, "%d adapter%s of mix %s", e->parts, e->parts == 1 ? "" : "s", t->spec.mix->name);
    if (form == PR_FORM_PARTS)
        fprintf(stderr, ", which is not one adapter%s\n",
                e->processor ? "" : "; no logits processor can compute it (see its README.md)");
    else if (dense)
        fprintf(stderr, ", merged into its weights");
    else
        fprintf(stderr, ", rank %d", e->rank);
    if (e->rounding.whole > 0)
        fprintf(stderr, "; rounding to the tensors' own type cost %.3g of what was changed",
                sqrt(e->rounding.lost / e->rounding.whole));
    fputs(form == PR_FORM_PARTS ? "" : "\n", stderr);
    tell_errors(e);
    if (e->rank < e->sum && !e->loss)
        fprintf(stderr, "paretorank export: the sum of their ranks is %d; fewer hold the same policy\n", e->sum);
    if (form == PR_FORM_LORA)
        note_limits(e->rank);
}

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_cli_weights_t weights = {.text = o->weights};
    pr_cli_take_t take = {.point = o->point,
                          .weights = &weights,
                          .search = o->search,
                          .mix = o->aggregate,
                          .seed = o->seed,
                          .set = &o->set};
    pr_config_t *c = NULL;
    pr_taken_t t = {.seed = 0};
    pr_export_form_t form;
    pr_exported_t told = {.parts = 0};
    pr_status_t status = PR_OK;
    if (!pr_dir_exists(o->dir))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", o->dir);
    PR_GO(pr_cli_weights_read(&weights, err));
    PR_GO(pr_cli_take(o->dir, &take, &c, &t, err));
    PR_GO(pr_export_form(&t, o->as, o->rank, &form, err));
    PR_GO(pr_export(c, &t, form, o->rank, o->out, o->force, &told, err));
    tell(o, &t, form, &told);
    if (weights.rows == 1)
        note_domain(c, &weights);
done:
    pr_cli_weights_free(&weights);
    pr_exported_clear(&told);
    pr_taken_clear(&t);
    pr_config_free(&c);
    return status;
}

static int check_usage(const options_t *o)
{
    if ((o->point != NULL) == (o->weights != NULL))
        return pr_cli_usage(&pr_command_export, "expected --point or --weights");
    if (o->point && (o->search || o->aggregate || o->seed >= 0))
        return pr_cli_usage(&pr_command_export, "%s: found beside --point, which says it already",
                            o->search      ? "--search"
                            : o->aggregate ? "--aggregate"
                                           : "--seed");
    if (o->search && o->aggregate)
        return pr_cli_usage(&pr_command_export,
                            "--aggregate: found beside --search, which says how adapters are combined");
    return 0;
}

int pr_cmd_export(int argc, char **argv)
{
    options_t o = {.seed = -1};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_export, argc, argv, &o, &code)) {
        code = check_usage(&o);
        if (code == 0 && run(&o, &err) != PR_OK)
            code = pr_cli_fail(argv[0], &err);
    }
    pr_cli_free(&pr_command_export, &o);
    return code;
}
