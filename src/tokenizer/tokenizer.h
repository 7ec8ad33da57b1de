// SPDX-License-Identifier: BSD-3-Clause
/* tokenizer.json (Hugging Face tokenizers): byte-level BPE (GPT-2, Llama-3, Qwen-2, SmolLM forms) and the Llama-2 form
 * (prepend/replace, byte fallback). A component that is not supported is PR_ERR_UNSUPPORTED and is named. A tokenizer
 * is read-only after loading, so it may be shared.
 *
 * The results are those of the Rust library `tokenizers`. What it does not take from the file is not taken here either:
 * "truncation" and "padding" (they are the caller's), and the id of an added token that the model's vocabulary lacks
 * (it is the next free one; a warning says so where the file has another). Unlike the library, two tokens with one id
 * are an error. Not supported: models other than BPE, dropout, word prefixes and suffixes. Normalizers: NFC NFD NFKC
 * NFKD Lowercase Prepend Replace Strip. Pre-tokenizers: ByteLevel Split Digits Metaspace Punctuation Whitespace
 * WhitespaceSplit BertPreTokenizer CharDelimiterSplit. Decoders: ByteLevel Replace ByteFallback Fuse Strip Metaspace.
 * Post-processors: ByteLevel TemplateProcessing BertProcessing RobertaProcessing. Sequences of each. Regular
 * expressions are Oniguruma's, run by PCRE2 (see tokenizer_regex.c for what is refused). */
#ifndef PR_TOKENIZER_TOKENIZER_H
#define PR_TOKENIZER_TOKENIZER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pr_tokenizer pr_tokenizer_t;

/* PR_OK when a tokenizer.json (path of the file) is there. Errors: PR_ERR_NOT_FOUND, PR_ERR_UNSUPPORTED (a tokenizer's
 * file in another format lies in its place). */
pr_status_t pr_tokenizer_check_present(const char *path, pr_error_t *err);
/* Loads it. Errors: as above, PR_ERR_FORMAT, PR_ERR_UNSUPPORTED. */
pr_status_t pr_tokenizer_load(const char *path, pr_tokenizer_t **out, pr_error_t *err);
void pr_tokenizer_free(pr_tokenizer_t **t);

/* One more than the largest id. */
int pr_tokenizer_size(const pr_tokenizer_t *t);
/* -1 when the token is not in the vocabulary. */
int pr_tokenizer_id(const pr_tokenizer_t *t, const char *token);
/* Is it an added token marked special? */
bool pr_tokenizer_is_special(const pr_tokenizer_t *t, int id);

/* text [len] bytes of UTF-8 (may hold NUL; invalid bytes become U+FFFD, as Python's tokenizers would receive them) ->
 * ids, which the caller frees. add_special: what the post-processor's template adds. Time O(n log n) for any text.
 * Errors: PR_ERR_UNSUPPORTED (over 1 GiB), PR_ERR_FORMAT (an unknown character where the file's unknown token does not
 * exist; a regular expression that runs away). err may be NULL. */
pr_status_t pr_tokenizer_encode(const pr_tokenizer_t *t, const char *text, size_t len, bool add_special, int32_t **ids,
                                size_t *n, pr_error_t *err);
/* Do ids [n], as pr_tokenizer_encode gave them with add_special, begin with the last of the tokens that the template
 * puts before a text and then with the same again, which the text itself brought? */
bool pr_tokenizer_start_doubled(const pr_tokenizer_t *t, const int32_t *ids, size_t n);
/* The text of one token as the vocabulary has it, [*len] bytes that may hold NUL; NULL for an id that it lacks.
 * Borrowed from the tokenizer. */
const char *pr_tokenizer_token(const pr_tokenizer_t *t, int id, size_t *len);
/* ids [n] -> UTF-8 text of *len bytes, which may hold NUL, with one more NUL after them; caller frees. Byte sequences
 * that are not UTF-8 become U+FFFD. Ids outside the vocabulary are skipped, as Python's tokenizers does. */
pr_status_t pr_tokenizer_decode(const pr_tokenizer_t *t, const int32_t *ids, size_t n, bool skip_special, char **text,
                                size_t *len, pr_error_t *err);
/* As pr_tokenizer_decode, of ids that continue a text: what a decoder does to the beginning of a text only, such as
 * dropping the space that the Llama-2 form puts before the first word, is left out. So the text of a prompt and that of
 * its continuation, one after the other, are the text of both. */
pr_status_t pr_tokenizer_decode_more(const pr_tokenizer_t *t, const int32_t *ids, size_t n, bool skip_special,
                                     char **text, size_t *len, pr_error_t *err);

#endif
