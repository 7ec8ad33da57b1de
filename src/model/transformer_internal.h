// SPDX-License-Identifier: BSD-3-Clause
/* What the transformer's files share: the run, the linear maps with their adapters, the cache's insides. */
#ifndef PR_MODEL_TRANSFORMER_INTERNAL_H
#define PR_MODEL_TRANSFORMER_INTERNAL_H

#include "model/attention.h"
#include "model/transformer.h"

/* ---- linear maps that read the same input ---- */
typedef enum { PR_GROUP_QKV, PR_GROUP_O, PR_GROUP_FF, PR_GROUP_DOWN, PR_N_GROUP } pr_group_t;
enum { PR_GROUP_SLOTS = 4 };
extern const int pr_group_slot[PR_N_GROUP][PR_GROUP_SLOTS]; // pr_slot_t, -1 behind the last

/* One layer's group for adapters k0..k1-1: their A stacked, slot by slot, so that all of them are one product. */
typedef struct pr_lora_group {
    int width;                     // columns of u = x At
    int off;                       // first column in the buffer of all adapters' u
    pr_weight_t a;                 // [width,in]
    int col[PR_GROUP_SLOTS];       // a slot's first column
    pr_weight_t b[PR_GROUP_SLOTS]; // [out, columns of the slot]; out = 0: not adapted
} pr_lora_group_t;

typedef struct pr_lora_pack {
    int k0, k1;
    pr_lora_group_t *group; // [n_layer][PR_N_GROUP]
    float *data;
} pr_lora_pack_t;

/* Rows row0..row1-1 use the adapters of a pack. */
typedef struct pr_lora_segment {
    int row0, row1, pack;
} pr_lora_segment_t;

typedef struct pr_lora_plan {
    int n_adapter;
    const pr_adapter_t **adapter;
    int n_pack, n_segment, cap_segment;
    pr_lora_pack_t *pack;
    pr_lora_segment_t *segment;
    float *mix; // [K][T] weight of an adapter per row
    int cap_mix;
    int *width; // [n_layer][PR_N_GROUP] columns of u over all adapters
    int max_width;
} pr_lora_plan_t;

/* ---- what a saving run keeps of one layer ---- */
typedef struct pr_saved {
    float *x_in, *x_mid;  // [T,d] before attention, before the MLP
    float *qk_raw;        // [T, q_width + kv_width] before the q and k norms (qwen3)
    float *qkv;           // [T, width] behind rotation
    float *att, *lse;     // [T, out_width], [T, n_head]
    float *gate, *up;     // [T, d_ff] (ff_ld); of a part side by side, as one product makes them
    float *u[PR_N_GROUP]; // [T, width of the group] scaled
} pr_saved_t;

struct pr_run {
    const pr_model_t *m;
    const pr_linalg_t *la;
    bool save;
    int block;     // rows that pass through a layer's products together
    int d, ff;     // features of the residual stream and of the MLP that this column holds
    int ff_ld;     // between rows of gate and up
    bool fused_ff; // gate and up are one product
    pr_attention_t att;
    int rows; // of the batch at work
    int cap;  // rows that the buffers hold
    int *pos; // [cap]
    /* A run without save has one set of these for all layers: qkv and att [cap], gate, up and u [block]. */
    pr_saved_t *layer; // [n_layer], or [1]
    float *x_last;     // [cap,d] input of the final norm (save)
    float *memory;     // what layer[] and x_last point into
    float *h;          // [block, d]
    float *act;        // [block, d_ff] the activated inner rows (save)
    float *stat;       // [4, block] sums over the features of each row
    float *full;       // [block, all d] rows of the embedding; NULL where the features are not split
    float *scratch;    // attention
    size_t n_scratch;
    float *row_mix; // [block]
    float *back;    // memory of the backward pass
    size_t n_back;
    size_t u_width[PR_N_GROUP]; // columns of u that memory was laid out for
    bool frozen;                // adapters do not change between calls
    pr_run_observer observer;   // or NULL
    void *observer_self;
    pr_lora_plan_t lora;
};

/* Rows' positions, the adapters' plan and room for the batch. */
pr_status_t pr_run_prepare(pr_run_t *run, const pr_batch_t *b, pr_error_t *err);
pr_status_t pr_run_scratch(pr_run_t *run, size_t n, pr_error_t *err);
static inline pr_saved_t *pr_run_layer(pr_run_t *run, int layer)
{
    return &run->layer[run->save ? layer : 0];
}

/* y += sum over adapters, for rows row0..row0+n-1 of the batch. x [n,in] (ldx); y[i] (ldy[i]) the i-th slot's output;
 * u [n, width of all adapters]. Collective on the columns. */
typedef struct pr_outputs {
    float *y[PR_GROUP_SLOTS];
    int ld[PR_GROUP_SLOTS];
} pr_outputs_t;
pr_status_t pr_lora_plan(pr_run_t *run, const pr_batch_t *b, pr_error_t *err);
void pr_lora_plan_clear(pr_lora_plan_t *p);
void pr_lora_forward(pr_run_t *run, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                     const pr_outputs_t *out, float *u);
/* Where gradients of an adapter go. */
typedef struct pr_lora_grads {
    int adapter; // -1: none are wanted
    float *grad; // [channels][stride] laid out as its data
    size_t stride;
    int channels;            // 0: one, of the rows as they are
    const float *row_weight; // [channels][rows of the batch]
    float *scaled;           // scratch [n, largest rank] where there are channels
} pr_lora_grads_t;
/* dx [n,in] += (NULL: not wanted); gradients += into what `to` says. du: scratch [n, widest u]. */
void pr_lora_backward(pr_run_t *run, int layer, pr_group_t g, int row0, int n, const float *x, int ldx,
                      const pr_outputs_t *dy, const float *u, float *du, float *dx, int lddx,
                      const pr_lora_grads_t *to);

/* The norm before attention, the norm before the MLP, the final norm: y [n,d] from x, n at most run->block. Collective
 * on the columns, as a row's features are split over them. */
void pr_norm_forward(const pr_run_t *run, int n, const float *w, const float *b, const float *x, float *y);
/* dx += ; dw, db += or NULL. n at most run->block. Collective on the columns. */
void pr_norm_backward(const pr_run_t *run, int n, const float *w, const float *x, const float *dy, float *dx, float *dw,
                      float *db);

/* h [n,ff] (ldh) = the activation of rows of gate and up (ff_ld). h may be up. */
void pr_activate_rows(const pr_run_t *run, int n, const float *gate, const float *up, float *h, int ldh);
/* dgate and, in place of the derivative by h, dup (ff_ld). */
void pr_activate_rows_backward(const pr_run_t *run, int n, const float *gate, const float *up, float *dgate,
                               float *dup);
/* Columns first..last-1 of x [n,*] (ldx) = 0: what pads a column's share to the block of the widest. */
void pr_zero_columns(int n, int first, int last, float *x, int ldx);

/* ---- inside the cache ---- */
int pr_kv_max_len(const pr_kv_t *kv);
int pr_kv_value_ld(const pr_kv_t *kv);
bool pr_kv_has_layer(const pr_kv_t *kv, int layer);
void pr_kv_grow(pr_kv_t *kv, int stream, int rows);
const float *pr_kv_key(const pr_kv_t *kv, int layer, int stream, int head);
const float *pr_kv_value(const pr_kv_t *kv, int layer, int stream, int head);
/* Rows k, v [n,*] (ld) of a layer behind what the stream holds; its length stays until pr_kv_grow. */
void pr_kv_write(pr_kv_t *kv, int layer, int stream, int n, const float *k, const float *v, int ld);

#endif
