// SPDX-License-Identifier: BSD-3-Clause
/* A GGUF file as a Hugging Face model directory. */
#ifndef PR_GGUF_GGUF_CONVERT_H
#define PR_GGUF_GGUF_CONVERT_H

#include "base/error.h"
#include "model/safetensors.h"

#include <stddef.h>

typedef struct pr_gguf_told {
    char arch[16];
    size_t tensors;
    double parameters, bytes; // bytes: of model.safetensors
} pr_gguf_told_t;

/* Writes config.json, generation_config.json, tokenizer.json, tokenizer_config.json (with the chat template) and
 * model.safetensors into out, a directory that is not there or empty: first beside it, then put in its place, so that
 * nothing half-written is left. dtype: F32 (every weight exactly as the file's type says), BF16 or F16 (rounded). Holds
 * some rows at a time. Errors: those of reading; PR_ERR_USAGE (out holds something), PR_ERR_FORMAT (a weight that is not
 * finite), PR_ERR_NUMERIC (one that the dtype has no place for), PR_ERR_IO. */
pr_status_t pr_gguf_convert(const char *path, const char *out, pr_dtype_t dtype, pr_gguf_told_t *told, pr_error_t *err);

#endif
