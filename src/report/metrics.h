// SPDX-License-Identifier: BSD-3-Clause
/* metrics.json: indicators, costs, versions and hosts of a sweep. */
#ifndef PR_REPORT_METRICS_H
#define PR_REPORT_METRICS_H

#include "base/json.h"

/* {"paretorank": PR_VERSION, "compiler": ..., "kernel": ..., and each library that is loaded and tells its version:
 * "jansson", "zlib", "openblas", "mpi", ...}, one line of text each. Caller json_decref()s. */
json_t *pr_metrics_versions(void);

/* Writes values (an object, borrowed: indicators, costs, ...) with "host" and "versions" added, atomically, keys in the
 * caller's order. What the caller gives under "host" stands; under "versions", an object, it goes before what is found
 * here. Errors: PR_ERR_IO. */
pr_status_t pr_write_metrics(const char *path, const json_t *values, pr_error_t *err);

#endif
