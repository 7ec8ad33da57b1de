// SPDX-License-Identifier: BSD-3-Clause
/* The tokenizer of a GGUF file (byte-level BPE) and its chat templates, as tokenizer.json and tokenizer_config.json.
 *
 * What tokenizer.ggml.pre names says how texts are cut and normalised; one that is not known is refused, as texts would
 * become other tokens. Types of tokens: 1 normal, 2 unknown and 3 control (special tokens), 4 user defined (added, not
 * special), 5 unused, 6 byte. */
#ifndef PR_GGUF_GGUF_TOKENIZER_H
#define PR_GGUF_GGUF_TOKENIZER_H

#include "base/json.h"
#include "gguf/gguf.h"

typedef struct pr_gguf_tokenizer {
    json_t *json, *config; // tokenizer.json, tokenizer_config.json
    int64_t bos, pad;      // -1: none
    json_t *eos;           // ids that end a response: a number, or an array of several; null for none
} pr_gguf_tokenizer_t;

/* vocab: the embedding's rows, of which each has a token; context: the longest text. The caller clears *out, also after an
 * error. Errors: PR_ERR_FORMAT, PR_ERR_UNSUPPORTED (SentencePiece and other kinds of tokenizers). */
pr_status_t pr_gguf_tokenizer_read(const pr_gguf_t *g, int vocab, int context, pr_gguf_tokenizer_t *out,
                                   pr_error_t *err);
void pr_gguf_tokenizer_clear(pr_gguf_tokenizer_t *t);

#endif
