// SPDX-License-Identifier: BSD-3-Clause
/* Within the safetensors reader: one file's header. */
#ifndef PR_MODEL_SAFETENSORS_PARSE_H
#define PR_MODEL_SAFETENSORS_PARSE_H

#include "base/file.h"
#include "base/json.h"
#include "model/safetensors.h"

/* Checks the header of a mapped file and appends its tensors to *tensor [*n], unsorted. Each name is allocated; the
 * data point into the map. metadata: an object that takes the file's. On an error what was appended before it stays and
 * is the caller's to free. */
pr_status_t pr_safetensors_parse(const char *path, const pr_map_t *map, pr_tensor_t **tensor, size_t *n,
                                 json_t *metadata, pr_error_t *err);

#endif
