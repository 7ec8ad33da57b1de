// SPDX-License-Identifier: BSD-3-Clause
#include "report/metrics.h"
#include "report/text.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utf8proc.h>
#include <zlib.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    pr_buf_t line = {0};
    pr_text_cut(&line, text, 160); // some libraries answer in several lines
    json_object_set_new(object, key, pr_text_json_string(line.data, line.len));
    pr_buf_free(&line);
}

/* Libraries that a layer above may have brought in: asked by name, so that this layer needs none of them. */
static void set_loaded(json_t *object)
{
    typedef const char *(*text_fn)(void);
    typedef int (*mpi_fn)(char *text, int *len);
    text_fn openblas;
    mpi_fn mpi;
    *(void **)&openblas = dlsym(RTLD_DEFAULT, "openblas_get_config");
    *(void **)&mpi = dlsym(RTLD_DEFAULT, "MPI_Get_library_version");
    if (openblas)
        set_text(object, "openblas", openblas());
    char text[8192] = ""; // MPI_MAX_LIBRARY_VERSION_STRING is 256 in Open MPI and 8192 in MPICH
    int len = 0;
    if (mpi && mpi(text, &len) == 0)
        set_text(object, "mpi", text);
}

json_t *pr_metrics_versions(void)
{
    json_t *versions = json_object();
    struct utsname system;
    set_text(versions, "paretorank", PR_VERSION);
    set_text(versions, "compiler", __VERSION__);
    if (uname(&system) == 0) {
        char text[sizeof system.sysname + sizeof system.release + sizeof system.machine + 2];
        snprintf(text, sizeof text, "%s %s %s", system.sysname, system.release, system.machine);
        set_text(versions, "kernel", text);
    }
    set_text(versions, "jansson", jansson_version_str());
    set_text(versions, "zlib", zlibVersion());
    set_text(versions, "utf8proc", utf8proc_version());
    set_loaded(versions);
    return versions;
}

static json_t *host_value(void)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        return json_null();
    return pr_text_json_string(host, strlen(host));
}

pr_status_t pr_write_metrics(const char *path, const json_t *values, pr_error_t *err)
{
    assert(json_is_object(values));
    json_t *all = json_copy((json_t *)(uintptr_t)values);
    json_t *given = json_object_get(values, "versions"), *versions = pr_metrics_versions();
    if (json_is_object(given))
        json_object_update(versions, given);
    json_object_set_new(all, "versions", versions);
    if (!json_object_get(all, "host"))
        json_object_set_new(all, "host", host_value());
    pr_status_t status = pr_text_json_write(path, all, 2, err);
    json_decref(all);
    return status;
}
