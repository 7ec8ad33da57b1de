#include "config/keys.h"

#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define C(field) offsetof(pr_config_t, field)
#define O(field) offsetof(pr_objective_config_t, field)
#define S(field) offsetof(pr_search_spec_t, field)
#define ROOT PR_SECTION_ROOT
#define OBJ PR_SECTION_OBJECTIVE
#define SEARCH PR_SECTION_SEARCH

#define TEXT(sec, key, off, dflt, help)                                                                                \
    {                                                                                                                  \
        {key, "string", dflt, "", help}, sec, PR_KEY_STRING, off, 0, 0, 0, 0, false                                    \
    }
#define PATH(sec, key, off, type, dflt, help)                                                                          \
    {                                                                                                                  \
        {key, type, dflt, "", help}, sec, PR_KEY_PATH, off, 0, 0, 0, 0, false                                          \
    }
#define BOOL(sec, key, off, dflt, help)                                                                                \
    {                                                                                                                  \
        {key, "true/false", dflt, "", help}, sec, PR_KEY_BOOL, off, 0, 0, 0, 0, false                                  \
    }
#define INT(sec, key, off, dflt, lo, hi, help)                                                                         \
    {                                                                                                                  \
        {key, "integer", dflt, #lo " to " #hi, help}, sec, PR_KEY_INT, off, 0, 0, lo, hi, false                        \
    }
#define INT_FROM(sec, key, off, dflt, lo, help)                                                                        \
    {                                                                                                                  \
        {key, "integer", dflt, #lo " to 2147483647", help}, sec, PR_KEY_INT, off, 0, 0, lo, INT_MAX, false             \
    }
/* Numbers that single precision holds, as most are used in it: none below 1e-30 but 0 itself, none above 1e30. */
#define NUM(sec, key, off, dflt, lo, hi, help)                                                                         \
    {                                                                                                                  \
        {key, "number", dflt, #lo " to " #hi, help}, sec, PR_KEY_REAL, off, 0, 0, lo, hi, false                        \
    }
#define NUM_OR_0(sec, key, off, dflt, lo, hi, help)                                                                    \
    {                                                                                                                  \
        {key, "number", dflt, "0, or " #lo " to " #hi, help}, sec, PR_KEY_REAL, off, 0, 0, lo, hi, true                \
    }
#define CHOICE(sec, key, off, dflt, words, help)                                                                       \
    {                                                                                                                  \
        {key, "string", dflt, words, help}, sec, PR_KEY_CHOICE, off, 0, 0, 0, 0, false                                 \
    }
#define SWITCH(sec, key, off, dflt, words, help)                                                                       \
    {                                                                                                                  \
        {key, "string", dflt, words, help}, sec, PR_KEY_SWITCH, off, 0, 0, 0, 0, false                                 \
    }
#define TEXTS(sec, key, off, dflt, help)                                                                               \
    {                                                                                                                  \
        {key, "list of strings", dflt, "", help}, sec, PR_KEY_STRINGS, off, 0, PR_MAX_LIST, 0, 0, false                \
    }
#define SPECIAL(sec, key, type, dflt, range, help)                                                                     \
    {                                                                                                                  \
        {key, type, dflt, range, help}, sec, PR_KEY_SPECIAL, 0, 0, 0, 0, 0, false                                      \
    }

const pr_key_t pr_key_table[] = {
    TEXT(ROOT, "name", C(name), "",
         "The sweep's name: letters, digits, '.', '_' and '-'. Default: the file's name without .cfg."),
    {{"seed", "integer", "1", "0 to 9223372036854775807",
      "Seed of everything random that the seeds of the experts do not cover."},
     ROOT,
     PR_KEY_INT64,
     C(seed),
     0,
     0,
     0,
     0x1p63,
     false},
    PATH(ROOT, "dir", C(dir), "directory", "",
         "What relative file names in this file are relative to. Default: the directory of this file."),
    PATH(ROOT, "model", C(model), "directory", "required", "A Hugging Face model directory: the base model."),
    PATH(ROOT, "prompts.train", C(train_prompts), "file", "",
         "JSON lines with a \"prompt\" each, for fine-tuning. Required unless every objective has an adapter."),
    PATH(ROOT, "prompts.eval", C(eval_prompts), "file", "required",
         "JSON lines with a \"prompt\" each, on which every point is evaluated."),
    TEXT(
        ROOT, "results", C(results), "",
        "The results directory, relative to where the command is started. Default: results/<name>. A results directory "
        "that is named itself (`run DIR`) is worked in wherever it is, whatever this says."),
    TEXTS(
        ROOT, "stop", C(stop), "( )",
        "Texts that end a response, a special token's too, beside what ends one by the model's generation_config.json: "
        "eos_token_id and stop_strings."),
    {{"seeds", "list of integers", "[ 1 ]", "0 to 2147483647",
      "Seeds of fine-tuning: one set of experts, and one front, each."},
     ROOT,
     PR_KEY_INT64S,
     C(seeds),
     C(n_seeds),
     PR_MAX_SEEDS,
     0,
     INT_MAX,
     false},
    {{"reference", "list of numbers", "[ ]", "-1e30 to 1e30",
      "Reference point of the hypervolume, one number an objective. Default: the objectives' worst values."},
     ROOT,
     PR_KEY_REALS,
     C(reference),
     C(n_reference),
     PR_MAX_OBJECTIVES,
     -1e30,
     1e30,
     false},
    CHOICE(
        ROOT, "truncated", C(truncated), "\"score\"", "score | worst | drop",
        "A response that max_new_tokens cut off, in fine-tuning and evaluation: score it like any other; give it the "
        "worst value of every objective, whose ranges must be known; or leave it out."),
    INT(ROOT, "retries", C(retries), "2", 0, 100, "How often a failed job is tried again."),
    INT(ROOT, "threads", C(threads), "1", 1, 1024, "BLAS threads a rank."),
    INT_FROM(ROOT, "front_samples", C(front_samples), "3", 0, "Responses kept in samples.jsonl a front point."),

    SPECIAL(ROOT, "objectives", "list of groups", "required", "1 to 16",
            "The objectives, each a group: the keys below and the options of its type (paretorank help objectives)."),
    TEXT(OBJ, "objectives[].name", O(name), "required",
         "Names the objective everywhere: letters, digits, '.', '_' and '-'."),
    TEXT(OBJ, "objectives[].type", O(type), "", "Its type: paretorank help objectives lists them. Default: its name."),
    PATH(OBJ, "objectives[].adapter", O(adapter), "directory", "",
         "A PEFT LoRA directory to use as this objective's expert instead of fine-tuning one."),
    BOOL(OBJ, "objectives[].minimize", O(minimize), "false", "Is smaller better?"),

    CHOICE(ROOT, "finetune.method", C(finetune.method), "\"rloo\"", "rloo | scst | grpo",
           "Advantages: leave-one-out mean as baseline, mean of the samples, or mean and deviation of the group."),
    INT_FROM(ROOT, "finetune.steps", C(finetune.steps), "40", 1, "Optimizer steps an expert."),
    INT_FROM(ROOT, "finetune.prompts_per_step", C(finetune.prompts_per_step), "16", 1, "Prompts a step."),
    INT_FROM(ROOT, "finetune.samples", C(finetune.samples), "4", 2, "Responses a prompt and step."),
    INT_FROM(ROOT, "finetune.max_new_tokens", C(finetune.max_new_tokens), "40", 1, "Longest response in tokens."),
    NUM(ROOT, "finetune.temperature", C(finetune.temperature), "1.0", 1e-6, 1e6, "Sampling temperature of roll-outs."),
    NUM(ROOT, "finetune.top_p", C(finetune.top_p), "1.0", 1e-6, 1,
        "Roll-outs draw from the fewest tokens that hold this probability; log-probabilities, KL and entropy are those "
        "of this distribution."),
    NUM(ROOT, "finetune.lr", C(finetune.lr), "1e-3", 1e-12, 1000, "AdamW's learning rate."),
    NUM(ROOT, "finetune.beta1", C(finetune.beta1), "0.9", 0, 0.999999, "AdamW's decay of the first moment."),
    NUM(ROOT, "finetune.beta2", C(finetune.beta2), "0.999", 0, 0.999999, "AdamW's decay of the second moment."),
    NUM(ROOT, "finetune.eps", C(finetune.eps), "1e-8", 1e-30, 1e6, "AdamW's epsilon."),
    NUM_OR_0(ROOT, "finetune.weight_decay", C(finetune.weight_decay), "0.0", 1e-12, 1000,
             "AdamW's decoupled weight decay."),
    INT_FROM(ROOT, "finetune.warmup", C(finetune.warmup), "0", 0, "Steps of linear warm-up."),
    CHOICE(ROOT, "finetune.schedule", C(finetune.schedule), "\"constant\"", "constant | linear | cosine",
           "How the learning rate goes after the warm-up; linear and cosine end at 0."),
    NUM_OR_0(
        ROOT, "finetune.kl", C(finetune.kl), "0.02", 1e-30, 1e6,
        "Weight of KL(policy || base model), in nats per response, against the reward; both at finetune.temperature."),
    CHOICE(ROOT, "finetune.kl_estimator", C(finetune.kl_estimator), "\"k1\"", "k1 | k2 | k3",
           "The KL's gradient: k1 in the reward, with its baseline; k2 squares of log-ratios, token by token; k3 "
           "GRPO's loss, the gradient of the other direction, KL(base model || policy)."),
    NUM_OR_0(ROOT, "finetune.entropy", C(finetune.entropy), "0.0", 1e-30, 1e6,
             "Weight of an entropy bonus: the sum of the entropies, in nats, of the distributions that a response's "
             "tokens are drawn from."),
    NUM_OR_0(ROOT, "finetune.clip_norm", C(finetune.clip_norm), "1.0", 1e-30, 1e30,
             "Gradients are scaled down to this global norm; 0: never."),
    CHOICE(ROOT, "finetune.loss_norm", C(finetune.loss_norm), "\"token\"", "token | sequence",
           "The loss: mean over the step's tokens, or the sum over a response averaged over responses."),
    INT(ROOT, "finetune.lora.r", C(finetune.lora_r), "8", 1, 4096, "Rank of the adapter."),
    NUM(ROOT, "finetune.lora.alpha", C(finetune.lora_alpha), "32.0", 1e-6, 1e6,
        "lora_alpha: the adapter's scale is alpha/r."),
    BOOL(ROOT, "finetune.lora.rslora", C(finetune.lora_rslora), "false", "Use the scale alpha/sqrt(r)."),
    TEXTS(ROOT, "finetune.lora.targets", C(finetune.lora_targets), "( )",
          "Linear maps to adapt, such as \"q_proj\". Default: all of the layers'."),
    INT_FROM(
        ROOT, "finetune.micro_tokens", C(finetune.micro_tokens), "2048", 1,
        "Tokens of one forward and backward pass: memory against speed. Another number rounds otherwise, which may "
        "flip a sampled token."),
    INT_FROM(ROOT, "finetune.checkpoint_every", C(finetune.checkpoint_every), "10", 0,
             "Steps between checkpoints; 0: only on a signal."),
    INT(ROOT, "finetune.team.rows", C(finetune.team.rows), "1", 1, 65536,
        "Ranks that share the sequences of one fine-tuning: each samples and learns from its part."),
    INT(ROOT, "finetune.team.cols", C(finetune.team.cols), "1", 1, 65536,
        "Ranks that share the model in one fine-tuning: each holds its part of every layer. At most its query heads."),

    INT_FROM(ROOT, "evaluate.prompts", C(evaluate.prompts), "0", 0, "Evaluation prompts used; 0: all."),
    SWITCH(ROOT, "evaluate.decoding", C(evaluate.greedy), "\"greedy\"", "sample | greedy",
           "Draw responses, or take the likeliest token."),
    NUM(ROOT, "evaluate.temperature", C(evaluate.temperature), "1.0", 1e-6, 1e6, "Temperature when sampling."),
    NUM(ROOT, "evaluate.top_p", C(evaluate.top_p), "1.0", 1e-6, 1, "As finetune.top_p, when sampling."),
    INT_FROM(ROOT, "evaluate.samples", C(evaluate.samples), "1", 1,
             "Responses a prompt; more than 1 when sampling only."),
    INT_FROM(ROOT, "evaluate.max_new_tokens", C(evaluate.max_new_tokens), "40", 1, "Longest response in tokens."),
    INT_FROM(ROOT, "evaluate.streams", C(evaluate.streams), "512", 1,
             "Sequences decoded together: memory against speed, as finetune.micro_tokens."),
    INT(ROOT, "evaluate.team.rows", C(evaluate.team.rows), "1", 1, 65536, "As finetune.team.rows, in an evaluation."),
    INT(ROOT, "evaluate.team.cols", C(evaluate.team.cols), "1", 1, 65536, "As finetune.team.cols, in an evaluation."),

    INT_FROM(ROOT, "regmean.prompts", C(regmean.prompts), "64", 1,
             "regmean: the first of prompts.train, with every expert's own greedy responses of at most "
             "evaluate.max_new_tokens, from which Gram matrices are made."),
    NUM(ROOT, "regmean.off_diagonal", C(regmean.off_diagonal), "0.9", 0, 1,
        "regmean: what stands off the diagonal of a Gram matrix is multiplied by this."),
    NUM_OR_0(ROOT, "regmean.ridge", C(regmean.ridge), "1e-6", 1e-30, 1e6,
             "regmean: this share of a Gram matrix's mean diagonal is added to its diagonal."),

    SPECIAL(ROOT, "aggregate", "string or list of strings", "\"states\"", "params | logits | probs | states | regmean",
            "How experts and weights make one policy. Several, or several searches: every search with each of them."),
    SPECIAL(ROOT, "layer", "integer", "-1", "-1 to 2147483647", "search[].layer of searches that do not say."),
    SPECIAL(ROOT, "norm", "string", "\"after\"", "after | before", "search[].norm of searches that do not say."),
    SPECIAL(ROOT, "search", "group or list of groups", "", "at most 32",
            "How preference weights are chosen. Default: one search with the defaults below."),
    TEXT(SEARCH, "search[].name", S(name), "",
         "Names the search in the results. Default: its aggregation, made unique."),
    SPECIAL(SEARCH, "search[].aggregate", "string or list of strings", "", "params | logits | probs | states | regmean",
            "Instead of the file's own aggregate."),
    INT_FROM(SEARCH, "search[].layer", S(layer), "-1", -1,
             "states: layers that every expert runs alone before the states are combined; -1: all."),
    SWITCH(SEARCH, "search[].norm", S(norm_before), "\"after\"", "after | before",
           "states: combine after the final norm or before it."),
    CHOICE(
        SEARCH, "search[].type", S(type), "\"hierarchical\"", "hierarchical | grid | random | list | ols",
        "Refine cells level by level; a regular grid; random points; points from a file; optimistic linear support."),
    CHOICE(SEARCH, "search[].domain", S(domain), "\"simplex\"", "simplex | cube",
           "Weights sum to 1, or are each between 0 and 1."),
    INT(SEARCH, "search[].levels", S(levels), "3", 1, 60,
        "hierarchical: how often cells are refined after level 0, the corners."),
    INT(SEARCH, "search[].divisions", S(divisions), "5", 1, 10000, "grid: steps along a side."),
    CHOICE(SEARCH, "search[].select", S(select), "\"all\"", "front | best | all",
           "hierarchical: which cells are refined: those on the front, those of the best scalar score, or all."),
    INT_FROM(SEARCH, "search[].beam", S(beam), "0", 0, "hierarchical: cells refined a level; 0: no limit."),
    INT_FROM(SEARCH, "search[].budget", S(budget), "0", 0, "Points at most; 0: no limit."),
    NUM_OR_0(SEARCH, "search[].budget_core_hours", S(budget_core_hours), "0.0", 1e-6, 1e9,
             "Core hours at most; 0: no limit."),
    NUM_OR_0(SEARCH, "search[].min_gain", S(min_gain), "0.0", 1e-30, 1e30,
             "hierarchical: cells that promise less hypervolume than this are not refined."),
    INT_FROM(SEARCH, "search[].points", S(points), "20", 1, "random: points."),
    NUM(SEARCH, "search[].alpha", S(alpha), "1.0", 0.001, 1e6, "random: concentration of the Dirichlet distribution."),
    PATH(SEARCH, "search[].file", S(file), "file", "", "list: a file with a point a line."),
    {{"search[].fidelity", "list of integers", "[ ]", "1 to 2147483647",
      "Prompts a point is evaluated on, rising: points that lose early are not evaluated on more. Default: all."},
     SEARCH,
     PR_KEY_INTS,
     S(fidelity),
     S(n_fidelity),
     PR_MAX_LIST,
     1,
     INT_MAX,
     false},
    {{"search[].scalar", "list of numbers", "[ ]", "0, or 1e-30 to 1e30",
      "Weights of the objectives in the scalar score of select = \"best\", one each. Default: equal."},
     SEARCH,
     PR_KEY_REALS,
     S(scalar),
     S(n_scalar),
     PR_MAX_OBJECTIVES,
     1e-30,
     1e30,
     true},
};

const size_t pr_key_count = sizeof pr_key_table / sizeof *pr_key_table;

const char *pr_key_local(const pr_key_t *key)
{
    const char *bracket = strstr(key->doc.key, "[].");
    return bracket ? bracket + 3 : key->doc.key;
}

static pr_config_key_t docs[sizeof pr_key_table / sizeof *pr_key_table];

static void fill_docs(void)
{
    for (size_t i = 0; i < pr_key_count; i++)
        docs[i] = pr_key_table[i].doc;
}

const pr_config_key_t *pr_config_keys(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_docs);
    *n = pr_key_count;
    return docs;
}
