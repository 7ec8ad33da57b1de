// SPDX-License-Identifier: BSD-3-Clause
/* Where everything in a results directory is: no other file spells a name of it.
 *
 *   .lock  sweep.cfg  journal.jsonl
 *   artifacts/<job>/             what a job leaves: a PEFT adapter with steps.json, or head.safetensors
 *   experts/<label>              links to them for people, such as empathy-s1
 *   heads/<label>.safetensors
 *   checkpoints/<kind>-<id>.ckpt unfinished trainings
 *   evaluations/<...>.seg            evaluations' results prompt by prompt (segment.h), many in a file
 *   replaced/<n>/                such tables, and sweep.cfg, of configurations before
 *   front-so-far.json            as front.json, while the sweep runs
 *   cells.csv  front.csv  front.json  samples.jsonl  steps.csv  ledger.csv  costs.csv  metrics.json  indicators.json
 *   tensorboard/<label>/<...>tfevents<...>   the steps of a training
 */
#ifndef PR_STORE_LAYOUT_H
#define PR_STORE_LAYOUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PR_FILE_LOCK ".lock"
#define PR_FILE_CONFIG "sweep.cfg"
#define PR_FILE_JOURNAL "journal.jsonl"
#define PR_FILE_CELLS "cells.csv"
#define PR_FILE_FRONT_CSV "front.csv"
#define PR_FILE_FRONT_JSON "front.json"
#define PR_FILE_FRONT_NOW "front-so-far.json" // of a sweep that has not ended
#define PR_FILE_SAMPLES "samples.jsonl"
#define PR_FILE_STEPS "steps.csv"
#define PR_FILE_COSTS "costs.csv"
#define PR_FILE_LEDGER "ledger.csv"
#define PR_FILE_METRICS "metrics.json"
#define PR_FILE_INDICATORS "indicators.json"
#define PR_FILE_HISTORY "steps.json" // in an artifact's folder
#define PR_FILE_TFEVENTS "events.out.tfevents.0.paretorank"
#define PR_FOLDER_ARTIFACTS "artifacts"
#define PR_FOLDER_EXPERTS "experts"
#define PR_FOLDER_HEADS "heads"
#define PR_FOLDER_ROUTES "routes"
#define PR_FOLDER_CHECKPOINTS "checkpoints"
#define PR_FOLDER_EVALUATIONS "evaluations"
#define PR_FOLDER_REPLACED "replaced" // tables of configurations before, in folders 1, 2, ..
#define PR_FOLDER_TENSORBOARD "tensorboard"
#define PR_END_CHECKPOINT ".ckpt"
#define PR_END_SEGMENT ".seg"

enum { PR_LAYOUT = 2 }; // of results directories; journals say it, so that another one is not misread

/* What jobs leave, as journals and registries name it. */
typedef enum { PR_ARTIFACT_NONE, PR_ARTIFACT_ADAPTER, PR_ARTIFACT_HEAD, PR_ARTIFACT_ROUTE } pr_artifact_kind_t;

/* DIR/name with printf-like name. Caller frees, as everywhere here. */
char *pr_results_path(const char *dir, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the job leaves: a PEFT directory, or the file of a head or a route. */
char *pr_artifact_path(const char *dir, pr_artifact_kind_t kind, const char *job);
/* The link for people. */
char *pr_artifact_link_path(const char *dir, pr_artifact_kind_t kind, const char *label);
/* The other way: is a real path one of these? *dir: the results directory, which the caller frees; head: is it a
 * head's; id [33]: the job, or "" and label: the label (where links were copied as what they point to). */
bool pr_artifact_place(const char *path, char **dir, bool *head, char id[33], char *label, size_t size);
char *pr_checkpoint_path(const char *dir, const char *kind, const char *id);
/* "train-<id>.ckpt" -> true and the id's 32 digits, for that kind's checkpoints. */
bool pr_checkpoint_name(const char *name, const char *kind, char id[33]);
/* Makes the link for people to what a job left, or points it there. Errors: PR_ERR_IO. */
pr_status_t pr_artifact_link(const char *dir, pr_artifact_kind_t kind, const char *label, const char *job,
                             pr_error_t *err);

#endif
