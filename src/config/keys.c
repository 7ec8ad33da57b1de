// SPDX-License-Identifier: BSD-3-Clause
#include "config/keys.h"

#include "config/searches.h"

#include <limits.h>

#define C(field) offsetof(pr_config_t, field)
#define O(field) offsetof(pr_objective_config_t, field)
#define S(field) offsetof(pr_search_spec_t, field)
#define REQUIRED NULL

#define ROW(k, word, at, d, h, ...)                                                                                    \
    {                                                                                                                  \
        .key = word, .kind = PR_OPT_##k, .offset = at, .dflt = d, .help = h, __VA_ARGS__                               \
    }
#define TEXT(key, at, dflt, help) ROW(STRING, key, at, dflt, help, .not_empty = true)
#define FILE_NAME(key, at, dflt, help) ROW(FILE, key, at, dflt, help, .not_empty = true)
#define DIR_NAME(key, at, dflt, help) ROW(DIR, key, at, dflt, help, .not_empty = true)
#define TEXTS(key, at, dflt, help) ROW(STRINGS, key, at, dflt, help, .not_empty = true, .max_n = PR_MAX_LIST)
#define CHOICE(key, at, dflt, words, help) ROW(STRING, key, at, dflt, help, .choices = words)
#define SWITCH(key, at, dflt, words, help) ROW(SWITCH, key, at, dflt, help, .choices = words)
#define BOOL(key, at, dflt, help) ROW(BOOL, key, at, dflt, help, )
#define INT(key, at, dflt, lo, hi, help) ROW(INT, key, at, dflt, help, .min = lo, .max = hi)
/* Numbers that single precision holds, as most are used in it: none below 1e-30 but 0 itself, none above 1e30. */
#define NUM(key, at, dflt, lo, hi, help) ROW(REAL, key, at, dflt, help, .min = lo, .max = hi)
#define NUM_OR_0(key, at, dflt, lo, hi, help) ROW(REAL, key, at, dflt, help, .min = lo, .max = hi, .or_0 = true)
#define LIST(k, key, at, n, most, dflt, lo, hi, help)                                                                  \
    ROW(k, key, at, dflt, help, .count = n, .max_n = most, .min = lo, .max = hi)
/* Of these the code that reads them says where they go. */
#define ELSEWHERE(k, key, dflt, help, ...) ROW(k, key, 0, dflt, help, .elsewhere = true, __VA_ARGS__)
#define GROUPS(key, keys, dflt, most, help) ELSEWHERE(GROUPS, key, dflt, help, .rows = keys, .min = 1, .max = most)

#define P(field) offsetof(pr_policy_config_t, field)
/* The settings of trainings, p before every key; the algorithm's key is called `name`. at: offset of a field. */
#define TRAIN_KEYS(p, name, at, least)                                                                                 \
    ELSEWHERE(                                                                                                         \
        STRING, p name, "\"rloo\"",                                                                                    \
        "How a training climbs its reward: an algorithm's name, or a group { type = NAME; ... } with its options "     \
        "(paretorank help methods)."),                                                                                 \
        INT(p "steps", at(steps), "40", least, INT_MAX, "Optimizer steps per expert."),                                \
        INT(p "prompts_per_step", at(prompts_per_step), "16", 1, INT_MAX, "Prompts per step."),                        \
        INT(p "samples", at(samples), "4", 2, INT_MAX, "Responses per prompt and step."),                              \
        INT(p "max_new_tokens", at(max_new_tokens), "40", 1, INT_MAX, "Longest response in tokens."),                  \
        NUM(p "temperature", at(temperature), "1.0", 1e-6, 1e6, "Sampling temperature of roll-outs."),                 \
        NUM(p "top_p", at(top_p), "1.0", 1e-6, 1,                                                                      \
            "Roll-outs use nucleus sampling (top-p): they draw from the fewest tokens that hold this probability; "    \
            "log-probabilities, KL and entropy are "                                                                   \
            "those "                                                                                                   \
            "of this distribution."),                                                                                  \
        NUM(p "lr", at(lr), "1e-3", 1e-12, 1000, "AdamW's learning rate."),                                            \
        NUM(p "beta1", at(beta1), "0.9", 0, 0.999999, "AdamW's decay of the first moment."),                           \
        NUM(p "beta2", at(beta2), "0.999", 0, 0.999999, "AdamW's decay of the second moment."),                        \
        NUM(p "eps", at(eps), "1e-8", 1e-30, 1e6, "AdamW's epsilon."),                                                 \
        NUM_OR_0(p "weight_decay", at(weight_decay), "0.0", 1e-12, 1000, "AdamW's decoupled weight decay."),           \
        INT(p "warmup", at(warmup), "0", 0, INT_MAX, "Steps of linear warm-up."),                                      \
        CHOICE(p "schedule", at(schedule), "\"constant\"", "constant|linear|cosine",                                   \
               "How the learning rate goes after the warm-up; linear and cosine end at 0."),                           \
        NUM_OR_0(p "kl", at(kl), "0.02", 1e-30, 1e6,                                                                   \
                 "Weight of KL(policy || base model), in nats per response, against the reward; both at "              \
                 "finetune.temperature."),                                                                             \
        CHOICE(p "kl_estimator", at(kl_estimator), "\"k1\"", "k1|k2|k3",                                               \
               "The KL's gradient: k1 in the reward, with its baseline; k2 squares of log-ratios, token by token; k3 " \
               "GRPO's loss, the gradient of the other direction, KL(base model || policy)."),                         \
        NUM_OR_0(                                                                                                      \
            p "entropy", at(entropy), "0.0", 1e-30, 1e6,                                                               \
            "Weight of an entropy bonus: the sum of the entropies, in nats, of the distributions that a response's "   \
            "tokens are drawn from."),                                                                                 \
        NUM_OR_0(p "clip_norm", at(clip_norm), "1.0", 1e-30, 1e30,                                                     \
                 "Gradients are scaled down to this global norm; 0: never."),                                          \
        ELSEWHERE(                                                                                                     \
            STRING, p "combine", "\"linear\"",                                                                         \
            "How the scores of a training's objectives become advantages: a combiner's name, or a group { type = "     \
            "NAME; ... } with its options (paretorank help methods)."),                                                \
        ELSEWHERE(                                                                                                     \
            STRING, p "weigh", "\"fixed\"",                                                                            \
            "With what weights the objectives of a training go into each step: a rule's name, or a group { type = "    \
            "NAME; ... } with its options (paretorank help methods)."),                                                \
        BOOL(p "measure", at(measure), "false",                                                                        \
             "Measures how the objectives of a training conflict: the inner products of their gradients are in every " \
             "step's line of journal.jsonl (`gram`), whatever combine and weigh are. A backward pass for all, and an " \
             "adapter's size in memory per objective."),                                                               \
        INT(p "stop.patience", at(stop_patience), "0", 0, INT_MAX,                                                     \
            "So many looks at prompts.validation without a gain end a training before its `steps`, and its best step " \
            "is "                                                                                                      \
            "what is kept; 0: never."),                                                                                \
        INT(p "stop.every", at(stop_every), "10", 1, INT_MAX,                                                          \
            "Steps between these looks, the first before the first "                                                   \
            "step."),                                                                                                  \
        NUM_OR_0(p "stop.min_gain", at(stop_gain), "0.0", 1e-30, 1e30,                                                 \
                 "What counts as a gain must be more than this."),                                                     \
        SWITCH(p "stop.metric", at(stop_worst), "\"reward\"", "reward|worst",                                          \
               "What has to gain: the mean of the objectives by their preference weights, or the one that does "       \
               "worst, as a "                                                                                          \
               "share of its range."),                                                                                 \
        CHOICE(p "loss_norm", at(loss_norm), "\"token\"", "token|sequence",                                            \
               "The loss: mean over the step's tokens, or the sum over a response averaged over responses."),          \
        INT(p "lora.r", at(lora_r), "8", 1, 4096, "Rank of the adapter."),                                             \
        NUM(p "lora.alpha", at(lora_alpha), "32.0", 1e-6, 1e6, "lora_alpha: the adapter's scale is alpha/r."),         \
        BOOL(p "lora.rslora", at(lora_rslora), "false", "Use the scale alpha/sqrt(r)."),                               \
        TEXTS(p "lora.targets", at(lora_targets), "[ ]",                                                               \
              "Linear maps to adapt, such as \"q_proj\". Default: all of the layers'."),                               \
        DIR_NAME(p "init", at(init), "",                                                                               \
                 "A PEFT adapter of the same rank, scale and targets that trainings begin as, such as one that was "   \
                 "fine-tuned with supervision, or another sweep's. The KL stays to the base model. Default: A drawn "  \
                 "at random, the same for all trainings of a seed, and B zero."),                                      \
        INT(p "micro_tokens", at(micro_tokens), "2048", 1, INT_MAX,                                                    \
            "Tokens of one forward and backward pass: memory against speed. Another number rounds otherwise, which "   \
            "may "                                                                                                     \
            "flip a sampled token."),                                                                                  \
        INT(p "checkpoint_every", at(checkpoint_every), "10", 0, INT_MAX,                                              \
            "Steps between checkpoints; 0: only on a signal."),

#define TRAIN(field) offsetof(pr_finetune_config_t, field)
#define FINETUNE(field) offsetof(pr_config_t, finetune.field)
const pr_option_t pr_train_keys[] = {
    TRAIN_KEYS("", "algorithm", TRAIN, 0) ELSEWHERE(
        STRING, "core", "",
        "Of a method whose policy is told the preference: what the preference does within the adapter, a core's "
        "name, or a group { type = NAME; ... } with its options (paretorank help methods). Default: the "
        "method's."),
    ELSEWHERE(STRING, "sample", "",
              "Of such a method: a group that says how preferences are drawn while it is trained (paretorank help "
              "methods)."),
    {0}};

const pr_option_t pr_policy_keys[] = {
    TEXT("name", P(name), REQUIRED, "Names the policy: letters, digits, '.', '_' and '-'."),
    TEXT("method", P(method), "\"experts\"",
         "How its points become policies, and what is trained (paretorank help methods). Its own options stand beside "
         "these keys."),
    ELSEWHERE(
        STRING, "mix", "\"states\"",
        "How its parts make one policy: a mix's name, or a group { type = NAME; ... } with its options (paretorank "
        "help mixes). In place of a value, a range [ from, to ] or values ( a, b, ... ) are searched beside the "
        "weights."),
    ELSEWHERE(
        STRING, "train", "",
        "A group with settings of its trainings: the keys of finetune, `algorithm` in place of `method`, and of "
        "methods whose policies are told the preference `core` and `sample` (paretorank help methods). What is not "
        "given is as finetune says. steps = 0 leaves what a training begins as."),
    {0},
};

const pr_option_t pr_objective_keys[] = {
    TEXT("name", O(name), REQUIRED, "Names the objective everywhere: letters, digits, '.', '_' and '-'."),
    TEXT("type", O(type), "", "Its type: paretorank help objectives lists them. Default: its name."),
    DIR_NAME("adapter", O(adapter), "",
             "A PEFT LoRA directory to use as this objective's expert instead of fine-tuning one."),
    BOOL("minimize", O(minimize), "false", "Is smaller better?"),
    SWITCH(
        "role", O(report), "\"optimise\"", "optimise|report",
        "report: scored and tabled at every point, but never optimised. It has no expert and no weight, and does not "
        "count for the front, hypervolumes, indicators or searches: a held-out judge, a guard. Adding one evaluates "
        "the points again and trains nothing again."),
    {0},
};

const pr_option_t pr_search_keys[] = {
    TEXT(
        "name", S(name), "",
        "Names the search in the results. Default: its policy's name, or its aggregation; with its type after it where "
        "there are several of different types (states-grid)."),
    ELSEWHERE(STRINGS, "policy", "", "Which of policies. Several: the search with each. Default: all of them."),
    ELSEWHERE(STRINGS, "aggregate", "", "Instead of the file's own aggregate, where there are no policies."),
    INT("layer", S(layer), "-1", -1, INT_MAX,
        "states: layers that every expert runs alone before the states are combined; -1: all."),
    SWITCH("norm", S(norm_before), "\"after\"", "after|before", "states: combine after the final norm or before it."),
    CHOICE(
        "type", S(type), "\"auto\"", PR_OPTION_WORDS(PR_SEARCH_LIST),
        "The strategy; what each does, and which of these keys it reads: paretorank help searches. Without it, levels, "
        "select or beam mean hierarchical."),
    CHOICE("domain", S(domain), "\"simplex\"", "simplex|cube", "Weights sum to 1, or are each between 0 and 1."),
    INT("levels", S(levels), "3", 1, 60, "hierarchical: how often cells are refined after level 0, the corners."),
    INT("divisions", S(divisions), "5", 1, 10000, "grid: steps along a side."),
    INT("lattice", S(lattice), "0", 0, 1 << 30, "auto: weights are multiples of 1/lattice; 0: any."),
    CHOICE("select", S(select), "\"all\"", "front|best|all",
           "hierarchical: which cells are refined: those on the front, those of the best scalar score, or all."),
    INT("beam", S(beam), "0", 0, INT_MAX,
        "hierarchical: cells refined per level; 0: no limit with select = \"front\", one with \"best\"; not read with "
        "\"all\". ols: corner weights per round; 0: all."),
    INT("batch", S(batch), "0", 0, 100000,
        "auto: points chosen together, to be evaluated at the same time; the smaller, the better each is chosen. 0: "
        "two "
        "fewer than objectives, at least 1."),
    INT("budget", S(budget), "0", 0, INT_MAX,
        "Points at most; 0: no limit, with auto 8 per objective where there is no budget_core_hours."),
    NUM_OR_0("budget_core_hours", S(budget_core_hours), "0.0", 1e-6, 1e9, "Core hours at most; 0: no limit."),
    NUM_OR_0("min_gain", S(min_gain), "0.0", 1e-30, 1e30,
             "auto: the search ends when no point is expected to add this share of the volume; 0: 0.001. hierarchical, "
             "ols: the hypervolume below which a cell or corner weight is not looked at."),
    INT("points", S(points), "20", 1, INT_MAX, "random: points."),
    NUM("alpha", S(alpha), "1.0", 0.001, 1e6, "random: concentration of the Dirichlet distribution."),
    FILE_NAME("file", S(file), "", "list: a file with one point per line."),
    LIST(
        INTS, "fidelity", S(fidelity), S(n_fidelity), PR_MAX_LIST, "[ ]", 1, INT_MAX,
        "Prompts a point is evaluated on, rising: points that lose early are not evaluated on more. A point loses when "
        "one of the front is surely at least as good in every objective and better in one: by Student's test of the "
        "prompts' differences at 5 % / (other points x (fidelities - 1)), with a spread of at least that of all points "
        "and the objective's range / prompts; of equal policies at most 5 % are dropped in all. Fewer than 5 prompts "
        "drop nothing. Default: all."),
    NUM_OR_0(
        "recheck", S(recheck), "0.0", 1e-6, 0.9,
        "auto with fidelity: in place of the race, the share of the budget that goes to more prompts of points of "
        "which it is in doubt whether they are on the front (probability 0.05 to 0.95). All others stay on the "
        "first number of fidelity. The budget is of points on the last number: m of M prompts count m/M, beside the "
        "tokens of a training where each point is one. 0: "
        "every point counts once, and those that are not surely beaten go on."),
    ROW(REALS, "scalar", S(scalar), "[ ]",
        "Weights of the objectives in the scalar score of select = \"best\", one each. Default: equal.",
        .count = S(n_scalar), .max_n = PR_MAX_OBJECTIVES, .min = 1e-30, .max = 1e30, .or_0 = true),
    {0},
};

const pr_option_t pr_config_keys[] = {
    TEXT("name", C(name), "",
         "The sweep's name: letters, digits, '.', '_' and '-'. Default: the file's name without .cfg."),
    ROW(INT64, "seed", C(seed), "1", "Sweep-wide random seed; combined with `seeds` for fine-tuning.", .min = 0,
        .max = 0x1p63),
    DIR_NAME("dir", C(dir), "",
             "What relative file names in this file are relative to. Default: the directory of this file."),
    DIR_NAME("model", C(model), REQUIRED, "A Hugging Face model directory: the base model."),
    TEXT("model_name", C(model_name), "",
         "What adapters call their base model (base_model_name_or_path). Default: `model` as it is written here; of a "
         "name that begins with / the last part, as others have it elsewhere."),
    FILE_NAME("prompts.train", C(train_prompts), "",
              "JSON lines with a \"prompt\", or \"messages\", each, for fine-tuning. Required unless every objective "
              "has an adapter."),
    FILE_NAME("prompts.validation", C(validation_prompts), "",
              "JSON lines with a \"prompt\" or \"messages\" each, on which a training is looked at on its way. "
              "Required where its "
              "weighting rule asks for that."),
    FILE_NAME("prompts.eval", C(eval_prompts), REQUIRED,
              "JSON lines with a \"prompt\" or \"messages\" each, on which every point is evaluated."),
    TEXT("chat.template", C(chat.template), "",
         "Prompts that are conversations (JSON lines with \"messages\") are rendered by the model's chat template: "
         "which "
         "of several. Default: as the model says (paretorank help chat)."),
    TEXT("chat.system", C(chat.system), "",
         "A message of role system that comes first, where a conversation has none."),
    TEXT("chat.variables", C(chat.variables), "",
         "What else the template sees: JSON of an object, such as \"{\\\"enable_thinking\\\": false}\"."),
    TEXT(
        "chat.now", C(chat.now), "",
        "The time that a template is told which asks for it, such as \"2026-03-14T09:26:53\": never the clock, so that "
        "prompts stay what they are."),
    BOOL("chat.add_generation_prompt", C(chat.add_generation_prompt), "true",
         "Conversations end with what begins the model's answer."),
    TEXT(
        "results", C(results), "",
        "The results directory, relative to where the command is started. Default: results/<name>. A results directory "
        "that is named itself (`run DIR`) is worked in wherever it is, whatever this says."),
    TEXTS(
        "stop", C(stop), "[ ]",
        "Texts that end a response, a special token's too, beside what ends one by the model's generation_config.json: "
        "eos_token_id and stop_strings."),
    LIST(INT64S, "seeds", C(seeds), C(n_seeds), PR_MAX_SEEDS, "[ 1 ]", 0, INT_MAX,
         "Seeds of fine-tuning: one set of experts, and one front, each."),
    LIST(REALS, "reference", C(reference), C(n_reference), PR_MAX_OBJECTIVES, "[ ]", -1e30, 1e30,
         "Reference point of the hypervolume, one number per objective. Default: the objectives' worst values."),
    CHOICE(
        "truncated", C(truncated), "\"score\"", "score|worst|drop",
        "A response that max_new_tokens cut off, in fine-tuning and evaluation: score it like any other; give it the "
        "worst value of every objective, whose ranges must be known; or leave it out."),
    BOOL(
        "base", C(base), "true",
        "Evaluate the base model and each expert alone too, before the searches' points and beside their budgets: rows "
        "\"base\" of cells.csv, and what the scale of objectives without a declared range is taken from."),
    INT("retries", C(retries), "2", 0, 100, "How often a failed job is tried again."),
    INT("threads", C(threads), "1", 1, 1024, "BLAS threads per rank."),
    INT("front_samples", C(front_samples), "3", 0, INT_MAX, "Responses kept in samples.jsonl per front point."),
    GROUPS("objectives", pr_objective_keys, REQUIRED, PR_MAX_OBJECTIVES,
           "The objectives, each a group: the keys below and the options of its type (paretorank help objectives)."),
    TRAIN_KEYS("finetune.", "method", FINETUNE, 1)
        INT("finetune.team.rows", C(finetune.team.rows), "1", 1, 65536,
            "Ranks that share the sequences of one fine-tuning: each samples and learns from its part."),
    INT("finetune.team.cols", C(finetune.team.cols), "1", 1, 65536,
        "Ranks that share the model in one fine-tuning: each holds its part of every layer. At most its query heads."),
    INT("evaluate.prompts", C(evaluate.prompts), "0", 0, INT_MAX, "Evaluation prompts used; 0: all."),
    SWITCH("evaluate.decoding", C(evaluate.greedy), "\"greedy\"", "sample|greedy",
           "Draw responses, or take the likeliest token."),
    NUM("evaluate.temperature", C(evaluate.temperature), "1.0", 1e-6, 1e6, "Temperature when sampling."),
    NUM("evaluate.top_p", C(evaluate.top_p), "1.0", 1e-6, 1, "As finetune.top_p, when sampling."),
    INT("evaluate.samples", C(evaluate.samples), "1", 1, INT_MAX,
        "Responses per prompt; more than 1 only when sampling."),
    INT("evaluate.max_new_tokens", C(evaluate.max_new_tokens), "40", 1, INT_MAX, "Longest response in tokens."),
    INT("evaluate.streams", C(evaluate.streams), "512", 1, INT_MAX,
        "Sequences decoded together: memory against speed, as finetune.micro_tokens."),
    INT("evaluate.team.rows", C(evaluate.team.rows), "1", 1, 65536, "As finetune.team.rows, in an evaluation."),
    INT("evaluate.team.cols", C(evaluate.team.cols), "1", 1, 65536, "As finetune.team.cols, in an evaluation."),
    INT("regmean.prompts", C(regmean.prompts), "64", 1, INT_MAX,
        "regmean: the first of prompts.train, with every expert's own greedy responses of at most "
        "evaluate.max_new_tokens, from which Gram matrices are made."),
    NUM("regmean.off_diagonal", C(regmean.off_diagonal), "0.9", 0, 1,
        "regmean: what stands off the diagonal of a Gram matrix is multiplied by this."),
    NUM_OR_0("regmean.ridge", C(regmean.ridge), "1e-6", 1e-30, 1e6,
             "regmean: this share of a Gram matrix's mean diagonal is added to its diagonal."),
    GROUPS("policies", pr_policy_keys, "", PR_MAX_POLICIES,
           "How weights become policies. Default: experts, combined as aggregate says."),
    ELSEWHERE(
        STRINGS, "aggregate", "\"states\"",
        "Shorthand for policies of method experts: how they and the weights make one policy, a mix's name (paretorank "
        "help mixes). Several, or several searches: every search with each of them."),
    ELSEWHERE(INT, "layer", "-1", "search[].layer of searches that do not say.", .min = -1, .max = INT_MAX),
    ELSEWHERE(SWITCH, "norm", "\"after\"", "search[].norm of searches that do not say.", .choices = "after|before"),
    GROUPS(
        "search", pr_search_keys, "", PR_MAX_SEARCHES,
        "How preference weights are chosen: a group, or a list of them. Default: one search with the defaults below."),
    {0},
};
