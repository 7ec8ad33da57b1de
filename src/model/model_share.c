// SPDX-License-Identifier: BSD-3-Clause
#include "model/model_share.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORMAT = 2, // of the block and of what is in it: to be raised when either changes, as old programs may be running
    HEAD = 64,  // unused bytes before the first tensor, so that none is at 0
    ALIGN = 64
};

bool pr_model_is_mapped(const pr_tensor_t *t)
{
    return t->dtype == PR_DTYPE_F32 && (uintptr_t)t->data % sizeof(float) == 0;
}

// Returns the block's size; HEAD where nothing is converted.
static size_t lay_out(pr_model_share_t *s, const pr_tensor_t *const *tensor, size_t n)
{
    size_t end = HEAD;
    s->at = pr_alloc(n, sizeof *s->at);
    for (size_t i = 0; i < n; i++) {
        if (pr_model_is_mapped(tensor[i]))
            continue;
        s->at[i] = end;
        end += ((size_t)tensor[i]->n * sizeof(float) + ALIGN - 1) / ALIGN * ALIGN;
    }
    return end;
}

static void add_id(pr_buf_t *b, const pr_file_id_t *id)
{
    pr_buf_printf(b, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "\n", id->device, id->inode, id->size,
                  id->modified, id->changed);
}

// What the block's content follows from, without reading a weight. Caller frees.
static pr_buf_t identity_of(const pr_model_share_t *s, const pr_file_id_t *config, const pr_safetensors_t *files,
                            const pr_tensor_t *const *tensor, size_t n)
{
    pr_buf_t b = {0};
    pr_file_id_t id;
    pr_buf_printf(&b, "weights %d\n", FORMAT);
    add_id(&b, config);
    for (size_t i = 0; i < pr_safetensors_files(files); i++) {
        pr_safetensors_file(files, i, &id);
        add_id(&b, &id);
    }
    for (size_t i = 0; i < n; i++)
        pr_buf_printf(&b, "%s %d %" PRId64 " %zu\n", tensor[i]->name, (int)tensor[i]->dtype, tensor[i]->n, s->at[i]);
    return b;
}

static void tell(const char *dir, const char *why)
{
    if (*why)
        pr_log(PR_LOG_INFO, "%s: this process converts the weights for itself alone, as they cannot be shared: %s", dir,
               why);
}

static void settle(const pr_file_id_t *config, const pr_safetensors_t *files)
{
    pr_file_id_t id;
    pr_file_id_settle(config);
    for (size_t i = 0; i < pr_safetensors_files(files); i++) {
        pr_safetensors_file(files, i, &id);
        pr_file_id_settle(&id);
    }
}

pr_shared_t pr_model_share_open(pr_model_share_t *s, const char *dir, const pr_file_id_t *config,
                                const pr_safetensors_t *files, const pr_tensor_t *const *tensor, size_t n)
{
    char why[PR_SHARED_WHY];
    size_t size = lay_out(s, tensor, n);
    if (size == HEAD)
        return PR_SHARED_NONE;
    pr_buf_t identity = identity_of(s, config, files, tensor, n);
    pr_shared_t result = pr_shared_block_open(identity.data, size, &s->block, why);
    pr_buf_free(&identity);
    if (result == PR_SHARED_NONE)
        tell(dir, why);
    if (result == PR_SHARED_MAKE)
        settle(config, files);
    return result;
}

float *pr_model_share_tensor(const pr_model_share_t *s, size_t i)
{
    return s->at[i] ? (float *)(void *)((unsigned char *)pr_shared_block_data(s->block) + s->at[i]) : NULL;
}

// Are the files what they were when they were mapped?
static bool are_unchanged(const char *dir, const pr_file_id_t *config, const pr_safetensors_t *files, char *why)
{
    pr_file_id_t then, now;
    char *path = pr_path_join(dir, "config.json");
    bool same = pr_file_id(path, &now, NULL) == PR_OK && pr_file_id_equal(config, &now);
    free(path);
    for (size_t i = 0; same && i < pr_safetensors_files(files); i++) {
        const char *file = pr_safetensors_file(files, i, &then);
        same = pr_file_id(file, &now, NULL) == PR_OK && pr_file_id_equal(&then, &now);
    }
    if (!same)
        snprintf(why, PR_SHARED_WHY, "the model's files were changed while they were read");
    return same;
}

bool pr_model_share_publish(pr_model_share_t *s, const char *dir, const pr_file_id_t *config,
                            const pr_safetensors_t *files)
{
    char why[PR_SHARED_WHY];
    bool good = are_unchanged(dir, config, files, why) && pr_shared_block_publish(s->block, why);
    if (!good)
        tell(dir, why);
    return good;
}

void pr_model_share_clear(pr_model_share_t *s)
{
    pr_shared_block_close(&s->block);
    free(s->at);
    *s = (pr_model_share_t){0};
}
