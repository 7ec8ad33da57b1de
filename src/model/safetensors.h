// SPDX-License-Identifier: BSD-3-Clause
/* The safetensors format (Hugging Face).
 *
 *   8 bytes     N, little-endian: the length of the header
 *   N bytes     JSON object: name -> {"dtype": "F32"|"F16"|"BF16"|..., "shape": [...], "data_offsets": [begin, end]},
 * and optionally
 *               "__metadata__": {string: string}; offsets count from the end of the header
 *   the rest    the tensors' bytes, row-major, little-endian
 *
 * A model is one file (model.safetensors) or shards with an index (model.safetensors.index.json: {"weight_map": {name:
 * file}}). Files are mapped, every length is checked before use: header within the file, offsets within the data, byte
 * counts equal to shape x dtype, no overlap, no holes. */
#ifndef PR_MODEL_SAFETENSORS_H
#define PR_MODEL_SAFETENSORS_H

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef enum {
    PR_DTYPE_F32,
    PR_DTYPE_F16,
    PR_DTYPE_BF16,
    PR_DTYPE_F64,
    PR_DTYPE_I64,
    PR_DTYPE_I32,
    PR_DTYPE_OTHER
} pr_dtype_t;

enum { PR_TENSOR_MAX_DIM = 8 };

typedef struct pr_tensor {
    const char *name; // owned by the file set
    pr_dtype_t dtype;
    const char *dtype_name; // as the format writes it, such as "BF16"; static
    int n_dim;
    int64_t shape[PR_TENSOR_MAX_DIM];
    int64_t n; // elements
    const unsigned char *data;
    size_t bytes;
    const char *file; // which file it is in, for messages
} pr_tensor_t;

typedef struct pr_safetensors pr_safetensors_t;

/* Opens one file. Errors: PR_ERR_NOT_FOUND, PR_ERR_FORMAT (file: byte offset or tensor: found, expected). */
pr_status_t pr_safetensors_open(const char *path, pr_safetensors_t **out, pr_error_t *err);
/* Opens a model directory: model.safetensors, or the shards that model.safetensors.index.json names (a name with '/' is
 * refused). */
pr_status_t pr_safetensors_open_model(const char *dir, pr_safetensors_t **out, pr_error_t *err);
void pr_safetensors_close(pr_safetensors_t **st);

size_t pr_safetensors_count(const pr_safetensors_t *st);
/* Tensors in order of name. */
const pr_tensor_t *pr_safetensors_at(const pr_safetensors_t *st, size_t i);
/* NULL when there is none of that name. O(log n). */
const pr_tensor_t *pr_safetensors_find(const pr_safetensors_t *st, const char *name);
/* A text of "__metadata__"; NULL when there is none of that name. Owned by the file set. */
const char *pr_safetensors_metadata(const pr_safetensors_t *st, const char *key);
/* The files that are mapped, in the order of their names, 0 .. pr_safetensors_files() - 1: the path, owned by the file
 * set, and the state that the file was in when it was mapped. */
size_t pr_safetensors_files(const pr_safetensors_t *st);
const char *pr_safetensors_file(const pr_safetensors_t *st, size_t i, pr_file_id_t *id);
/* Total bytes of the files mapped. */
size_t pr_safetensors_bytes(const pr_safetensors_t *st);

/* Converts n elements from element `first` on to float (exact for F32, F16, BF16; F64 is rounded). Errors:
 * PR_ERR_UNSUPPORTED dtype. */
pr_status_t pr_tensor_to_float(const pr_tensor_t *t, int64_t first, int64_t n, float *out, pr_error_t *err);
/* One number of half precision, exactly. */
float pr_half_to_float(uint16_t half);
/* The way back: n floats as elements of a dtype, rounded to the nearest, of two the even one. Errors: PR_ERR_NUMERIC (a
 * finite number that the dtype has no place for: its index in *at), PR_ERR_UNSUPPORTED dtype (*at is then n). */
pr_status_t pr_tensor_from_float(pr_dtype_t dtype, const float *in, int64_t n, void *out, int64_t *at);
/* PR_ERR_FORMAT, naming file, tensor and element, when one of values [n], elements `first` on of the tensor, is NaN or
 * an infinity. One pass at the speed of memory. */
pr_status_t pr_tensor_check_finite(const pr_tensor_t *t, int64_t first, int64_t n, const float *values,
                                   pr_error_t *err);
/* Both, for weights: converts and checks, piece by piece while it is in the cache. */
pr_status_t pr_tensor_read(const pr_tensor_t *t, int64_t first, int64_t n, float *out, pr_error_t *err);
/* The error of a tensor whose type this program does not compute with. */
pr_status_t pr_tensor_unsupported(const pr_tensor_t *t, pr_error_t *err);
/* The pages of the bytes [offset, offset+len) of a tensor, which have been converted, are given back to the kernel
 * (they can be read again from the file). */
void pr_tensor_release_part(const pr_safetensors_t *st, const pr_tensor_t *t, size_t offset, size_t len);

/* What stands before the tensors' bytes in a file of them, in the order given (name, dtype_name, shape and bytes are
 * read): the header's length and the header, padded with spaces to a multiple of 8. metadata: texts beside {"format":
 * "pt"}, borrowed, or NULL. Names are UTF-8. */
void pr_safetensors_header(const pr_tensor_t *tensors, size_t n, const json_t *metadata, pr_buf_t *out);
/* Writes F32 tensors (name, shape, float data in t->data) with optional metadata {"format": "pt"} to path, atomically,
 * header padded with spaces to a multiple of 8, tensors in the order given. Python's safetensors loads it. */
pr_status_t pr_safetensors_write(const char *path, const pr_tensor_t *tensors, size_t n, pr_error_t *err);
/* The same with metadata of one's own besides: an object of texts, borrowed. */
pr_status_t pr_safetensors_write_with(const char *path, const pr_tensor_t *tensors, size_t n, const json_t *metadata,
                                      pr_error_t *err);

#endif
