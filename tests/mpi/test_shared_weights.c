// SPDX-License-Identifier: BSD-3-Clause
/* The ranks of a node hold one converted copy of a model, whether it is the policy's or a judge's: one of them
 * converts, their maps are of the same memory, and its pages count once in all. */
#include "mpi/mpi_test.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/model_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static char dir[64]; // shared by the ranks

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        pr_error_t err = {0};                                                                                          \
        pr_status_t ok_status = (call);                                                                                \
        if (ok_status != PR_OK)                                                                                        \
            fprintf(stderr, "rank %d: %s\n", pr_world_rank(test_world), err.text);                                     \
        CHECK(ok_status == PR_OK);                                                                                     \
    } while (0)

/* ---- sums over the ranks, through files ---- */

static double sum_over_ranks(double mine)
{
    static int round;
    char path[128], text[64], *found;
    size_t len;
    double sum = 0;
    snprintf(path, sizeof path, "%s/%d-%d", dir, ++round, pr_world_rank(test_world));
    snprintf(text, sizeof text, "%.17g", mine);
    OK(pr_file_write(path, text, strlen(text), &err));
    pr_world_barrier(test_world);
    for (int rank = 0; rank < pr_world_size(test_world); rank++) {
        snprintf(path, sizeof path, "%s/%d-%d", dir, round, rank);
        OK(pr_file_read(path, 0, &found, &len, &err));
        sum += strtod(found, NULL);
        free(found);
    }
    return sum;
}

/* ---- what this process holds ---- */

typedef struct {
    int maps;
    double inode, rss, pss; // of the shared weights; bytes
} held_t;

static held_t held(void)
{
    held_t h = {0};
    char line[1024];
    bool ours = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f)) {
        unsigned long inode;
        size_t kib;
        if (sscanf(line, "%*x-%*x %*s %*x %*s %lu", &inode) == 1) {
            ours = strstr(line, "/memfd:paretorank-") != NULL;
            h.maps += ours;
            h.inode = ours ? (double)inode : h.inode;
        } else if (ours && sscanf(line, "Rss: %zu kB", &kib) == 1) {
            h.rss += 1024.0 * (double)kib;
        } else if (ours && sscanf(line, "Pss: %zu kB", &kib) == 1) {
            h.pss += 1024.0 * (double)kib;
        }
    }
    fclose(f);
    return h;
}

// Memory that is this process's alone and was written to.
static double private_bytes(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Private_Dirty: %zu kB", &kib) == 1)
            break;
    fclose(f);
    return 1024.0 * (double)kib;
}

// Reads every weight, so that every page is there.
static double touch(const pr_model_t *m)
{
    size_t n;
    double sum = 0;
    pr_model_tensor_t *t = pr_model_tensors(m, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < t[i].n; j++)
            sum += (double)t[i].data[j];
    free(t);
    return sum;
}

static uint64_t hash_of(const pr_model_t *m)
{
    size_t n;
    uint64_t hash[2] = {0};
    pr_model_tensor_t *t = pr_model_tensors(m, &n);
    for (size_t i = 0; i < n; i++) {
        hash[1] = pr_hash64(t[i].data, t[i].n * sizeof(float));
        hash[0] = pr_hash64(hash, sizeof hash);
    }
    free(t);
    return hash[0];
}

/* ---- loads ---- */

typedef struct {
    uint64_t hash; // of all weights
    double sum, bytes;
} seen_t;

static seen_t load(const char *path, bool shared)
{
    int size = pr_world_size(test_world);
    int64_t before = pr_model_converted();
    double mine = private_bytes();
    pr_model_t *m = NULL;
    CHECK(setenv("PARETORANK_SHARE_WEIGHTS", shared ? "1" : "0", 1) == 0);
    pr_world_barrier(test_world); // all at once
    OK(pr_model_load_part(path, 1, 0, &m, &err));
    seen_t s = {.sum = touch(m), .bytes = (double)m->bytes};
    s.hash = hash_of(m);
    pr_world_barrier(test_world);
    held_t h = held();
    mine = private_bytes() - mine;
    double converted = 4 * sum_over_ranks((double)(pr_model_converted() - before)), pss = sum_over_ranks(h.pss);
    CHECK(converted == (shared ? s.bytes : size * s.bytes));
    CHECK((double)m->shared_bytes == (shared ? s.bytes : 0));
    if (shared) {
        CHECK(h.maps == 1 && h.rss >= s.bytes);
        CHECK(sum_over_ranks(h.inode) == size * h.inode);
        CHECK(pss >= 0.99 * s.bytes && pss <= 1.05 * s.bytes + 65536); // padding, the last page
        CHECK(size == 1 || mine < 0.5 * s.bytes);                      // of one rank alone it is its own
    } else {
        CHECK(h.maps == 0 && pss == 0 && mine > 0.9 * s.bytes);
    }
    pr_model_free(&m);
    pr_world_barrier(test_world);
    CHECK(held().maps == 0);
    return s;
}

static void check_model(const char *path)
{
    seen_t alone = load(path, false), shared = load(path, true), again = load(path, true);
    CHECK(alone.hash == shared.hash && alone.hash == again.hash);
    CHECK(alone.sum == shared.sum && alone.sum == again.sum && isfinite(alone.sum));
    CHECK(alone.bytes == shared.bytes);
}

/* ---- a judge in BF16 ---- */

// A reward model of zeros but for its norms, large enough to be told from the rest of the process.
static void write_judge(const char *path)
{
    enum { V = 20000, D = 64, FF = 256 };
    static const struct {
        const char *name;
        int rows, cols;
    } t[] = {{"model.embed_tokens.weight", V, D},
             {"model.layers.0.input_layernorm.weight", D, 0},
             {"model.layers.0.self_attn.q_proj.weight", D, D},
             {"model.layers.0.self_attn.k_proj.weight", D, D},
             {"model.layers.0.self_attn.v_proj.weight", D, D},
             {"model.layers.0.self_attn.o_proj.weight", D, D},
             {"model.layers.0.post_attention_layernorm.weight", D, 0},
             {"model.layers.0.mlp.gate_proj.weight", FF, D},
             {"model.layers.0.mlp.up_proj.weight", FF, D},
             {"model.layers.0.mlp.down_proj.weight", D, FF},
             {"model.norm.weight", D, 0},
             {"score.weight", 1, D}};
    static const char config[] =
        "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForSequenceClassification\"],\"vocab_size\":20000,"
        "\"hidden_size\":64,\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":4,"
        "\"max_position_embeddings\":128,\"rms_norm_eps\":1e-5,\"hidden_act\":\"silu\",\"num_labels\":1,"
        "\"pad_token_id\":0,\"tie_word_embeddings\":false}";
    pr_buf_t header = {0}, data = {0}, file = {0};
    char name[600];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t n = (size_t)t[i].rows * (size_t)(t[i].cols ? t[i].cols : 1), at = data.len;
        for (size_t j = 0; j < n; j++) {
            uint16_t x = (uint16_t)(0x3c00 + (i * 5 + j) % 300);
            pr_buf_add(&data, &x, sizeof x);
        }
        pr_buf_printf(&header, "%c\"%s\":{\"dtype\":\"BF16\",\"shape\":[%d", i ? ',' : '{', t[i].name, t[i].rows);
        if (t[i].cols)
            pr_buf_printf(&header, ",%d", t[i].cols);
        pr_buf_printf(&header, "],\"data_offsets\":[%zu,%zu]}", at, data.len);
    }
    pr_buf_puts(&header, "}");
    uint64_t n = header.len;
    pr_buf_add(&file, &n, sizeof n);
    pr_buf_add(&file, header.data, header.len);
    pr_buf_add(&file, data.data, data.len);
    OK(pr_mkdirs(path, &err));
    snprintf(name, sizeof name, "%s/model.safetensors", path);
    OK(pr_file_write(name, file.data, file.len, &err));
    snprintf(name, sizeof name, "%s/config.json", path);
    OK(pr_file_write(name, config, sizeof config - 1, &err));
    pr_buf_free(&header);
    pr_buf_free(&data);
    pr_buf_free(&file);
}

int main(int argc, char **argv)
{
    static char name[sizeof dir];
    char path[512], *p = name;
    size_t n = sizeof name;
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    test_begin(&argc, &argv);
    bool first = pr_world_rank(test_world) == 0;
    snprintf(name, sizeof name, "/tmp/pr-weights-XXXXXX");
    CHECK(!first || mkdtemp(name));
    OK(pr_world_broadcast(test_world, &p, &n, &err));
    snprintf(dir, sizeof dir, "%s", p);
    if (p != name)
        free(p);
    CHECK(setenv("TMPDIR", dir, 1) == 0);
    snprintf(path, sizeof path, "%s/judge", dir);
    if (first)
        write_judge(path);
    pr_world_barrier(test_world);
    check_model(path);
    snprintf(path, sizeof path, "%s/sweeps/counsel/model", root ? root : ".");
    check_model(path);
    pr_world_barrier(test_world);
    if (first) {
        snprintf(path, sizeof path, "rm -rf '%s'", dir);
        CHECK(system(path) == 0);
    }
    return test_end();
}
