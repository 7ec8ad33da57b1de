// SPDX-License-Identifier: BSD-3-Clause
/* One linear map of a policy's parts, for mixes that merge map by map: every part's change of the weight in factors,
 * as the weight is stored in Hugging Face's files, and rows of it when somebody needs its elements. Nobody holds a
 * part's change as a whole. */
#ifndef PR_POLICY_MAP_H
#define PR_POLICY_MAP_H

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* What one part does to it: left right. */
typedef struct pr_mix_part {
    char hash[PR_HASH_HEX]; // of the adapter's content
    double w;               // its weight in this block of layers, not 0
    int r;                  // 0: it leaves the map as it is
    const float *left;      // [rows,r] with the adapter's scale
    const float *right;     // [r,cols]
} pr_mix_part_t;

typedef struct pr_mix_map {
    const char *name; // the tensor's: "model.layers.0.self_attn.q_proj.weight"
    int rows, cols;
    int n;                     // parts with a weight here
    const pr_mix_part_t *part; // [n] in an order that depends on their content alone
} pr_mix_map_t;

/* The merged change in factors. */
typedef struct pr_mix_factors {
    int r;
    float *left, *right; // [rows,r], [r,cols]; who asked frees them
} pr_mix_factors_t;

enum { PR_MIX_TILE = 16 }; // rows that are made together

/* out [n,cols] = rows row..row+n-1 of a part's change; the same bytes however rows are cut. */
void pr_mix_tile(const pr_mix_map_t *m, int part, int row, int n, float *out);
/* tile [parts,PR_MIX_TILE,cols], of all parts; n rows are filled in. */
void pr_mix_tiles(const pr_mix_map_t *m, int row, int n, float *tile);
/* Room for tiles. NULL when memory is short; the caller frees. */
float *pr_mix_tiles_new(const pr_mix_map_t *m);
/* Rows of the next tile. */
static inline int pr_mix_tile_rows(const pr_mix_map_t *m, int row)
{
    return m->rows - row < PR_MIX_TILE ? m->rows - row : PR_MIX_TILE;
}
/* out [rows]: inner products of two parts' changes row by row, or out [cols] column by column, from the factors. */
void pr_mix_inner_rows(const pr_mix_map_t *m, int a, int b, double *out);
void pr_mix_inner_cols(const pr_mix_map_t *m, int a, int b, double *out);
/* gram [n,n]: inner products of the parts' whole changes. */
void pr_mix_inner(const pr_mix_map_t *m, double *gram);
/* The sum of all parts with c [n] for each: their ranks side by side. Errors: PR_ERR_MEMORY. */
pr_status_t pr_mix_sum_factors(const pr_mix_map_t *m, const double *c, pr_mix_factors_t *out, pr_error_t *err);
/* Message of no memory for what a map needs. */
pr_status_t pr_mix_no_memory(const pr_mix_map_t *m, pr_error_t *err);

#endif
