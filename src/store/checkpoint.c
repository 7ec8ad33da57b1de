// SPDX-License-Identifier: BSD-3-Clause
#include "store/checkpoint.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "paretorank checkpoint 1\n"
#define MAGIC_LEN (sizeof MAGIC - 1)

pr_status_t pr_checkpoint_write(const char *path, const char *kind, const json_t *meta, const pr_section_t *sections,
                                size_t n, pr_error_t *err)
{
    pr_record_what_t what = {.lead = MAGIC, .kind = kind, .meta = meta, .section = sections, .n = n};
    pr_buf_t body = {0};
    size_t start;
    pr_status_t status = pr_record_pack(path, &what, &body, &start, err);
    if (status == PR_OK)
        status = pr_file_write(path, body.data + start, body.len - start, err);
    pr_buf_free(&body);
    return status;
}

static pr_status_t open_input(const char *path, pr_record_input_t *in, pr_error_t *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: not a regular file", path);
    }
    *in = (pr_record_input_t){.path = path, .f = fdopen(fd, "rb"), .size = (size_t)st.st_size};
    if (in->f)
        return PR_OK;
    close(fd);
    return pr_fail(err, PR_ERR_ENV, "%s: %s", path, strerror(errno));
}

static pr_status_t read_magic(pr_record_input_t *in, pr_error_t *err)
{
    char found[MAGIC_LEN + 1] = "";
    size_t n = fread(found, 1, MAGIC_LEN, in->f);
    found[n] = 0;
    in->at = n;
    if (n == MAGIC_LEN && memcmp(found, MAGIC, MAGIC_LEN) == 0)
        return PR_OK;
    found[strcspn(found, "\n")] = 0;
    return pr_fail(err, PR_ERR_FORMAT, "%s: offset 0: found '%s', expected '%.*s'", in->path, found, (int)MAGIC_LEN - 1,
                   MAGIC);
}

pr_status_t pr_checkpoint_read(const char *path, const char *kind, pr_checkpoint_t *out, pr_error_t *err)
{
    pr_record_input_t in;
    *out = (pr_checkpoint_t){0};
    PR_TRY(open_input(path, &in, err));
    pr_status_t status = read_magic(&in, err);
    if (status == PR_OK)
        status = pr_record_read(&in, "checkpoint", kind, out, err);
    fclose(in.f);
    return status;
}

pr_status_t pr_checkpoint_section(const pr_checkpoint_t *c, const char *path, const char *name, size_t elem,
                                  size_t count, const void **data, pr_error_t *err)
{
    return pr_record_section(c, path, name, elem, count, data, err);
}

void pr_checkpoint_clear(pr_checkpoint_t *c)
{
    pr_record_clear(c);
}
