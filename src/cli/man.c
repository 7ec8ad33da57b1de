// SPDX-License-Identifier: BSD-3-Clause
#include "cli/man.h"
#include "option/option.h"
#include "store/layout.h"

#include <stddef.h>

typedef struct entry {
    const char *name, *text;
} entry_t;

static void put_entries(pr_buf_t *b, const char *section, const char *lead, const entry_t *entry, size_t n)
{
    pr_buf_printf(b, ".SH %s\n%s", section, lead);
    for (size_t i = 0; i < n; i++) {
        pr_buf_puts(b, ".TP\n\\fB");
        pr_roff_text(b, entry[i].name);
        pr_buf_puts(b, "\\fR\n");
        pr_roff_text(b, entry[i].text);
        pr_buf_puts(b, "\n");
    }
}
#define PUT_ENTRIES(b, section, lead, list) put_entries(b, section, lead, list, sizeof(list) / sizeof *(list))

void pr_man_examples(pr_buf_t *b)
{
    static const entry_t examples[] = {
        {"paretorank plan sweep.cfg", "What would run: jobs, points, memory; checks files, prompts and objectives."},
        {"mpirun -n 4 paretorank run sweep.cfg",
         "Runs it on four ranks, into results/sweep. The same command continues it after any stop."},
        {"paretorank status results/sweep", "How far it is, from another shell."},
        {"paretorank front results/sweep", "The policies that no other policy beats."},
        {"paretorank export results/sweep --weights 1/2,1/4,1/4 --out mixed",
         "The adapter of these weights, which Python's peft loads."},
        {"paretorank generate model --adapter mixed --prompt 'Hello' --greedy", "What it says."},
        {"paretorank convert model.gguf --out model", "A GGUF file as a model directory."},
        {"paretorank chat model --messages messages.json --add-generation-prompt",
         "A conversation as the model's chat template renders it."},
        {"paretorank indicators results/sweep/cells.csv --by search,seed --maximize all",
         "Hypervolume and other indicators of each search and seed."},
        {"paretorank clean results/sweep --dry-run", "What of a finished sweep is not needed any more."},
    };
    PUT_ENTRIES(b, "EXAMPLES", "", examples);
}

void pr_man_files(pr_buf_t *b)
{
    static const entry_t files[] = {
        {PR_FILE_CONFIG, "The resolved configuration."},
        {PR_FILE_JOURNAL, "What happened, an event per line; the state of the sweep follows from it alone."},
        {PR_FILE_CELLS,
         "Every point, and after them the base model and each expert alone: weights, means, standard errors."},
        {PR_FILE_FRONT_CSV ", " PR_FILE_FRONT_JSON, "The points that no other point dominates."},
        {PR_FILE_SAMPLES, "What the policies of the front said, a response per line."},
        {PR_FILE_STEPS, "Every step of every training."},
        {PR_FOLDER_TENSORBOARD "/", "The same as event files for TensorBoard."},
        {PR_FILE_METRICS, "Hypervolume and other indicators, costs, versions, hosts."},
        {PR_FILE_INDICATORS, "Indicators that take long, kept so that they are computed once."},
        {PR_FILE_LEDGER, "What each search's policies cost, in counts: trainings, tokens, parameters."},
        {PR_FILE_COSTS, "Every job: rank, host, seconds, tokens, attempts."},
        {PR_FOLDER_EXPERTS "/", "PEFT adapters by name: links into " PR_FOLDER_ARTIFACTS "/."},
        {PR_FOLDER_HEADS "/", "Fitted reward heads by name."},
        {PR_FOLDER_ROUTES "/", "Fitted routes of contextual bandits by name."},
        {PR_FOLDER_CHECKPOINTS "/", "What a stopped training continues from."},
        {PR_FOLDER_EVALUATIONS "/", "The evaluations' results, prompt by prompt."},
    };
    PUT_ENTRIES(b, "FILES", "In a results directory:\n", files);
}

void pr_man_environment(pr_buf_t *b)
{
    static const entry_t variables[] = {
        {"OPENBLAS_NUM_THREADS", "Threads that OpenBLAS starts with. Where it is not set, it is 1 while the program "
                                 "starts: ranks are what work "
                                 "is shared among; the key threads of the configuration gives a job more."},
        {"TMPDIR",
         "Where ranks of a node find the weights that they share (paretorank-UID in it, the same for all of them), and "
         "where Open MPI keeps its sockets. Default: /tmp."},
        {"PARETORANK_SHARE_WEIGHTS",
         "0: every rank converts the weights of a model for itself. Default: 1, the ranks of a node share them."},
        {"COLUMNS", "The width of tables where standard output is no terminal. Default: 100."},
        {"PATH", "Where the programs of objectives of type command are looked for, and a python3 with Jinja2, which "
                 "renders chat templates."},
        {"SLURM_NTASKS, PMIX_RANK, PMI_RANK, OMPI_COMM_WORLD_SIZE",
         "Set by srun and mpirun: how many processes were started together. One that was started with others and "
         "without MPI says so, instead of running the whole sweep several times."},
    };
    PUT_ENTRIES(b, "ENVIRONMENT", "", variables);
}

void pr_man_exit_status(pr_buf_t *b)
{
    static const entry_t codes[] = {
        {"0", "All is well."},
        {"1", "The sweep failed, is incomplete or was interrupted; the same command continues it."},
        {"2", "Wrong usage or configuration."},
        {"3", "A bad input file."},
        {"4", "The environment: memory, disk, MPI, a results directory that another run holds."},
    };
    PUT_ENTRIES(b, "EXIT STATUS", "", codes);
}
