// SPDX-License-Identifier: BSD-3-Clause
/* What the tokenizer's files share. The behaviour is that of the Rust library `tokenizers` (0.22), step by step:
 *
 *   text -> sections between added tokens (raw text) -> normalizer -> sections between added tokens (normalized text)
 *        -> pre-tokenizer stages, each cutting the pieces of the one before -> BPE of each piece -> template.
 *
 * A loaded tokenizer is never written to: everything that encoding changes lives in a pr_tok_ctx_t of the call. */
#ifndef PR_TOKENIZER_TOKENIZER_INTERNAL_H
#define PR_TOKENIZER_TOKENIZER_INTERNAL_H

#include "base/json.h"
#include "base/mem.h"
#include "tokenizer/tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PR_TOK_MAX_ID (1 << 24)    // larger ids are taken for damage
#define PR_TOK_MAX_NESTING 16      // Sequences within Sequences
#define PR_TOK_MAX_STAGES 64       // parts of one normalizer, pre-tokenizer or decoder
#define PR_TOK_NONE UINT32_MAX     // no id, no merge
#define PR_TOK_MARK "\xe2\x96\x81" // ▁, SentencePiece's space

/* ---- Unicode (tokenizer_unicode.c) ---- */

/* Classes of a character; the names of the regular-expression classes they stand for. */
enum {
    PR_TOK_L = 1,      // \p{L}
    PR_TOK_N = 2,      // \p{N}
    PR_TOK_S = 4,      // \s: White_Space
    PR_TOK_CRLF = 8,   // [\r\n]
    PR_TOK_W = 16,     // \w
    PR_TOK_PUNCT = 32, // ASCII punctuation or \p{P}
};
extern const uint8_t pr_tok_ascii_class[128];
unsigned pr_tok_class_beyond_ascii(uint32_t c);

static inline unsigned pr_tok_class(uint32_t c)
{
    return c < 128 ? pr_tok_ascii_class[c] : pr_tok_class_beyond_ascii(c);
}

/* The character at s[*i], stepping *i behind it. The text must be valid UTF-8 (see pr_tok_utf8_valid). */
static inline uint32_t pr_tok_next(const char *s, size_t *i)
{
    const unsigned char *p = (const unsigned char *)s + *i;
    if (p[0] < 0x80) {
        *i += 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *i += 2;
        return (uint32_t)(p[0] & 31) << 6 | (p[1] & 63);
    }
    if (p[0] < 0xF0) {
        *i += 3;
        return (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 | (p[2] & 63);
    }
    *i += 4;
    return (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 | (uint32_t)(p[2] & 63) << 6 | (p[3] & 63);
}

/* The length of the UTF-8 character that starts with this byte. */
static inline size_t pr_tok_char_len(char first)
{
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* The length of the valid UTF-8 at the start of s. */
size_t pr_tok_utf8_valid(const char *s, size_t n);
/* Appends s with U+FFFD in place of each maximal invalid part (as Rust's from_utf8_lossy and Python's "replace"). */
void pr_tok_add_lossy(pr_buf_t *out, const char *s, size_t n);
void pr_tok_add_char(pr_buf_t *out, uint32_t c);
/* GPT-2's printable character of a byte, and the byte of such a character (-1: none). */
uint32_t pr_tok_char_of_byte(unsigned char byte);
int pr_tok_byte_of_char(uint32_t c);
/* Appends the printable form of bytes. */
void pr_tok_add_byte_level(pr_buf_t *out, const char *s, size_t n);

/* ---- Vocabulary and merges (tokenizer_vocab.c) ---- */

typedef struct pr_tok_vocab {
    pr_buf_t bytes;             // the texts of all tokens, one behind the other
    uint32_t *offset, *length;  // [size] of an id's text in bytes; offset PR_TOK_NONE: no such id
    uint8_t *in_model;          // [size] is the id in the model's vocabulary (not only an added token)?
    uint32_t size;              // largest id + 1
    uint32_t *slots, slot_mask; // open addressing: id + 1, 0 for free
    uint32_t count, longest;
} pr_tok_vocab_t;

void pr_tok_vocab_init(pr_tok_vocab_t *v, size_t tokens, uint32_t size);
void pr_tok_vocab_free(pr_tok_vocab_t *v);
/* Neither the id nor the text may be known already. */
void pr_tok_vocab_add(pr_tok_vocab_t *v, const char *s, size_t n, uint32_t id, bool in_model);
/* The id of a text, PR_TOK_NONE when there is none. */
uint32_t pr_tok_vocab_find(const pr_tok_vocab_t *v, const char *s, size_t n);
/* The same among the model's own tokens only. */
uint32_t pr_tok_vocab_find_model(const pr_tok_vocab_t *v, const char *s, size_t n);
/* Takes the size down to the largest id + 1. */
void pr_tok_vocab_trim(pr_tok_vocab_t *v);
bool pr_tok_vocab_has(const pr_tok_vocab_t *v, uint32_t id);

typedef struct pr_tok_merges {
    struct pr_tok_merge {
        uint32_t a, b, rank; // rank PR_TOK_NONE: free
    } * slots;
    uint32_t slot_mask;
    uint32_t *result; // [n] the id that the merge of a rank makes
    uint32_t n;
} pr_tok_merges_t;

void pr_tok_merges_init(pr_tok_merges_t *m, size_t n);
void pr_tok_merges_free(pr_tok_merges_t *m);
/* A pair that is given twice keeps the later rank, as the Rust library's map does. */
void pr_tok_merges_add(pr_tok_merges_t *m, uint32_t a, uint32_t b, uint32_t rank, uint32_t result);

static inline uint32_t pr_tok_merge_rank(const pr_tok_merges_t *m, uint32_t a, uint32_t b)
{
    uint64_t h = ((uint64_t)a << 32 | b) * UINT64_C(0x9E3779B97F4A7C15);
    for (uint32_t i = (uint32_t)(h >> 32) & m->slot_mask;; i = (i + 1) & m->slot_mask) {
        const struct pr_tok_merge *e = &m->slots[i];
        if (e->rank == PR_TOK_NONE || (e->a == a && e->b == b))
            return e->rank;
    }
}

/* ---- Patterns (tokenizer_regex.c) ---- */

typedef struct pr_tok_pattern {
    enum { PR_TOK_STRING, PR_TOK_REGEX, PR_TOK_CHARS } kind;
    char *text; // of the string
    size_t len;
    pcre2_code *re;
    unsigned classes; // one character of any of these classes
} pr_tok_pattern_t;

/* Scratch of PCRE2 for one thread, made when first needed. */
typedef struct pr_tok_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
} pr_tok_match_t;

void pr_tok_match_free(pr_tok_match_t *m);

/* Compiles an Oniguruma pattern for PCRE2; what the two understand differently is rewritten or refused. */
pr_status_t pr_tok_regex_compile(const char *pattern, size_t n, const char *where, pcre2_code **out, pr_error_t *err);
void pr_tok_pattern_free(pr_tok_pattern_t *p);

/* Walks through the matches of a pattern in a text. */
typedef struct pr_tok_iter {
    const pr_tok_pattern_t *pattern;
    const char *s;
    size_t n, at, last_end;
    bool matched;
} pr_tok_iter_t;

/* *found: is there another match, at [*start, *end)? */
pr_status_t pr_tok_iter_next(pr_tok_iter_t *it, pr_tok_match_t *m, bool *found, size_t *start, size_t *end,
                             pr_error_t *err);
/* Appends s with every match replaced by content. */
pr_status_t pr_tok_replace(const pr_tok_pattern_t *p, const char *content, size_t content_len, const char *s, size_t n,
                           pr_tok_match_t *m, pr_buf_t *out, pr_error_t *err);

/* ---- Scanners (tokenizer_scan.c): the well-known patterns by hand ---- */

typedef enum { PR_TOK_SCAN_NONE, PR_TOK_SCAN_GPT2, PR_TOK_SCAN_LLAMA3, PR_TOK_SCAN_QWEN2 } pr_tok_scan_t;

/* The scanner of exactly this pattern text, or PR_TOK_SCAN_NONE. */
pr_tok_scan_t pr_tok_scan_of(const char *pattern, size_t n);
const char *pr_tok_scan_pattern(pr_tok_scan_t kind);
/* The end of the piece that starts at s[i], i < n. */
size_t pr_tok_scan_next(pr_tok_scan_t kind, const char *s, size_t n, size_t i);

/* ---- Parts of the pipeline ---- */

typedef struct pr_tok_norm {
    enum {
        PR_TOK_NFC,
        PR_TOK_NFD,
        PR_TOK_NFKC,
        PR_TOK_NFKD,
        PR_TOK_LOWERCASE,
        PR_TOK_PREPEND,
        PR_TOK_REPLACE,
        PR_TOK_STRIP
    } kind;
    pr_tok_pattern_t pattern;
    char *text; // what is prepended or put in
    size_t len;
    bool left, right; // what is stripped
} pr_tok_norm_t;

typedef enum {
    PR_TOK_ISOLATED,
    PR_TOK_REMOVED,
    PR_TOK_CONTIGUOUS,
    PR_TOK_MERGED_WITH_PREVIOUS,
    PR_TOK_MERGED_WITH_NEXT
} pr_tok_behavior_t;

typedef struct pr_tok_stage {
    enum {
        PR_TOK_SPLIT,
        PR_TOK_SCAN,
        PR_TOK_WORDS,        // \w+|[^\w\s]+, the rest removed
        PR_TOK_PREFIX_SPACE, // a space before a piece that starts with none
        PR_TOK_BYTE_LEVEL,
        PR_TOK_METASPACE // spaces become text; text before the piece where `prepend` says so
    } kind;
    pr_tok_pattern_t pattern;
    pr_tok_behavior_t behavior;
    bool invert;
    pr_tok_scan_t scan;
    char *text;
    size_t len;
    enum { PR_TOK_NEVER, PR_TOK_FIRST, PR_TOK_ALWAYS } prepend;
} pr_tok_stage_t;

typedef struct pr_tok_decoder {
    enum {
        PR_TOK_DEC_BYTE_LEVEL,
        PR_TOK_DEC_REPLACE,
        PR_TOK_DEC_BYTE_FALLBACK,
        PR_TOK_DEC_FUSE,
        PR_TOK_DEC_STRIP,
        PR_TOK_DEC_METASPACE
    } kind;
    pr_tok_pattern_t pattern;
    char *text; // Replace: what is put in; Strip and Metaspace: one character
    size_t len;
    int64_t start, stop; // Strip: how many at most on either side
    bool drop_first;     // Metaspace: the first token's marks are dropped
} pr_tok_decoder_t;

typedef struct pr_tok_added {
    char *text; // as it is found in the text (normalized where asked for)
    size_t len;
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
} pr_tok_added_t;

/* A trie of added tokens (tokenizer_added.c). */
typedef struct pr_tok_trie {
    struct pr_tok_node {
        uint32_t child, sibling, token; // indices of nodes, and of the added token that ends here
        unsigned char byte;
    } * nodes;
    size_t n, cap;
    uint32_t root[256];
} pr_tok_trie_t;

void pr_tok_trie_init(pr_tok_trie_t *t);
void pr_tok_trie_free(pr_tok_trie_t *t);
/* The first of two tokens with the same text stays. */
void pr_tok_trie_add(pr_tok_trie_t *t, const char *s, size_t n, uint32_t token);

struct pr_tokenizer {
    pr_tok_vocab_t vocab;
    pr_tok_merges_t merges;
    uint32_t byte_id[256];     // of a byte's printable character, for byte-level pieces
    uint32_t ascii_id[128];    // of a one-character token
    uint32_t fallback_id[256]; // of <0xNN>
    uint32_t unk_id;
    bool has_unk, fuse_unk, byte_fallback, ignore_merges;
    bool byte_level;  // pieces are bytes, to be read as their printable characters
    bool cut_at_mark; // no merge ever joins something to a following ▁: pieces may be cut there

    pr_tok_added_t *added;
    size_t n_added;
    uint8_t *special; // [vocab.size]
    pr_tok_trie_t raw, normalized;

    pr_tok_norm_t *norms;
    size_t n_norms;
    pr_tok_stage_t *stages;
    size_t n_stages;
    pr_tok_decoder_t *decoders;
    size_t n_decoders;
    bool has_decoder;
    uint32_t *prefix, *suffix; // what the template puts around the text
    size_t n_prefix, n_suffix;
};

/* What one call of encode works with. */
typedef struct pr_tok_ctx {
    const pr_tokenizer_t *t;
    pr_error_t *err;
    int32_t *ids;
    size_t n, cap;
    pr_tok_match_t match;
    pr_buf_t piece;       // a piece in printable characters, for look-ups
    uint32_t *sym, *rank; // the symbols of a piece; the rank of the merge of each with the next
    uint32_t *next, *prev;
    size_t n_sym, sym_cap, link_cap;
    uint64_t *heap; // rank << 32 | position
    size_t heap_n, heap_cap;
    struct pr_tok_cache *cache; // NULL for short texts
} pr_tok_ctx_t;

void pr_tok_ctx_add(pr_tok_ctx_t *ctx, uint32_t id);

/* Normalizes s [n] into out, which must be empty (tokenizer_norm.c). */
pr_status_t pr_tok_normalize(const pr_tokenizer_t *t, const char *s, size_t n, pr_tok_match_t *m, pr_buf_t *out,
                             pr_error_t *err);
/* Calls `section` for the text between added tokens and adds the ids of these to ctx (tokenizer_added.c). */
typedef pr_status_t (*pr_tok_section_fn)(pr_tok_ctx_t *ctx, const char *s, size_t n, bool at_start);
pr_status_t pr_tok_split_added(pr_tok_ctx_t *ctx, const pr_tok_trie_t *trie, const char *s, size_t n, bool at_start,
                               pr_tok_section_fn section);
/* Runs the stages from `stage` on over one piece; at_start: the piece is the beginning of the whole text
 * (tokenizer_pretok.c). */
pr_status_t pr_tok_pretokenize(pr_tok_ctx_t *ctx, size_t stage, const char *s, size_t n, bool at_start);
/* Adds the ids of one piece (tokenizer_bpe.c). */
pr_status_t pr_tok_bpe(pr_tok_ctx_t *ctx, const char *s, size_t n);
/* A cache of pieces for a text of this length. */
struct pr_tok_cache *pr_tok_cache_new(size_t text_len);
void pr_tok_cache_free(struct pr_tok_cache *cache);

/* Readers of the parts of tokenizer.json; `file` is put before messages. */
pr_status_t pr_tok_load_model(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);
pr_status_t pr_tok_load_norms(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);
pr_status_t pr_tok_load_stages(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);
pr_status_t pr_tok_load_decoders(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);
pr_status_t pr_tok_load_added(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);
pr_status_t pr_tok_load_template(pr_tokenizer_t *t, const json_t *root, const char *file, pr_error_t *err);

/* Shared by the readers (tokenizer_load.c). */
/* "type" of a component, which must be an object. */
pr_status_t pr_tok_component(const json_t *value, const char *where, const char **type, pr_error_t *err);
/* {"String": ...} or {"Regex": ...}. */
pr_status_t pr_tok_load_pattern(const json_t *obj, const char *where, pr_tok_pattern_t *out, const char **regex,
                                pr_error_t *err);
/* A string that must be there; *text is a copy (may hold NUL). */
pr_status_t pr_tok_load_text(const json_t *obj, const char *key, const char *where, char **text, size_t *len,
                             pr_error_t *err);
/* As pr_tok_load_text, of exactly one character. */
pr_status_t pr_tok_load_char(const json_t *obj, const char *key, const char *where, char **text, size_t *len,
                             pr_error_t *err);
/* Calls `one` for a component, or for each within a Sequence, whose members stand under `key`. */
typedef pr_status_t (*pr_tok_component_fn)(pr_tokenizer_t *t, const json_t *value, const char *type, const char *where,
                                           pr_error_t *err);
pr_status_t pr_tok_load_sequence(pr_tokenizer_t *t, const json_t *value, const char *key, const char *where,
                                 pr_tok_component_fn one, pr_error_t *err);

#endif
