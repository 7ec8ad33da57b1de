// SPDX-License-Identifier: BSD-3-Clause
/* paretorank convert: a GGUF file as a Hugging Face model directory. */
#include "cli/cli.h"
#include "gguf/gguf_convert.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct options {
    const char *file, *out, *dtype;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("FILE.gguf", STRING, offsetof(options_t, file), "FILE.gguf", "The GGUF file."),
    PR_ARG_REQUIRED("--out", STRING, offsetof(options_t, out), "DIR",
                    "The directory that is written; it is not there, or empty."),
    PR_ARG_CHOICE("--dtype", offsetof(options_t, dtype), "float32|bfloat16|float16", "float32",
                  "How weights are written. float32 holds what every type of the file says, exactly; the others round, "
                  "which changes a quantised model once more."),
    {0},
};

const pr_command_t pr_command_convert = {
    .name = "convert",
    .synopsis = "FILE.gguf --out DIR [--dtype float32|bfloat16|float16]",
    .summary = "Make a Hugging Face model directory of a GGUF file (llama.cpp), for this program and others.",
    .help =
        "Models of the families llama, qwen2 and qwen3 with tensors of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
        "Q4_K, Q5_K and Q6_K, their byte-level BPE tokenizers and their chat templates. Other types and families, "
        "SentencePiece tokenizers, and keys or tensors that would change what the model computes, are refused by "
        "name. Nothing is left behind where something went wrong.",
    .args = args,
};

static pr_status_t run(const options_t *o, pr_error_t *err)
{
    pr_dtype_t dtype = strcmp(o->dtype, "float32") == 0    ? PR_DTYPE_F32
                       : strcmp(o->dtype, "bfloat16") == 0 ? PR_DTYPE_BF16
                                                           : PR_DTYPE_F16;
    pr_gguf_told_t told;
    char bytes[32];
    PR_TRY(pr_gguf_convert(o->file, o->out, dtype, &told, err));
    fprintf(stderr, "paretorank convert: %s: a %s model of %.0f parameters in %zu tensors, %s of %s\n", o->out,
            told.arch, told.parameters, told.tensors, pr_cli_bytes(told.bytes, bytes), o->dtype);
    return PR_OK;
}

int pr_cmd_convert(int argc, char **argv)
{
    options_t o = {0};
    pr_error_t err;
    int code;
    if (!pr_cli_parse(&pr_command_convert, argc, argv, &o, &code))
        return code;
    return run(&o, &err) == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
