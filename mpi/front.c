// SPDX-License-Identifier: BSD-3-Clause
#include "mpi/front.h"
#include "base/mem.h"

#include <stdlib.h>

static pr_status_t receive(pr_world_t *w, int from, pr_archive_t *archive, pr_error_t *err)
{
    pr_message_t m;
    pr_world_wait(w, from, PR_TAG_ARCHIVE, &m);
    pr_status_t status = pr_archive_merge_packed(archive, m.bytes, m.n, err);
    free(m.bytes);
    return status;
}

static pr_status_t send(pr_world_t *w, int to, pr_archive_t *archive, pr_error_t *err)
{
    size_t n = pr_archive_bytes(archive);
    void *bytes = pr_alloc(n, 1);
    pr_archive_pack(archive, bytes);
    pr_status_t status = pr_world_send(w, to, PR_TAG_ARCHIVE, bytes, n, err);
    free(bytes);
    return status;
}

pr_status_t pr_front_reduce(pr_world_t *w, pr_archive_t *archive, pr_error_t *err)
{
    int rank = pr_world_rank(w), size = pr_world_size(w);
    pr_status_t status = PR_OK;
    for (int step = 1; step < size; step *= 2) {
        if (rank & step) {
            // Sent also after an error of our own, so that nobody waits for ever; the error is agreed on below.
            pr_status_t sent = send(w, rank - step, archive, status == PR_OK ? err : NULL);
            status = status == PR_OK ? sent : status;
            break;
        }
        if (rank + step < size) {
            pr_status_t got = receive(w, rank + step, archive, status == PR_OK ? err : NULL);
            status = status == PR_OK ? got : status;
        }
    }
    return pr_world_agree(w, status, err);
}
