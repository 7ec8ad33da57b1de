// SPDX-License-Identifier: BSD-3-Clause
/* TensorBoard's event files: scalars by step.
 *
 * A file is a list of TFRecords: length (8 bytes), masked CRC-32C of these (4), data, masked CRC-32C of the data (4), all
 * little-endian; masked is the CRC turned right by 15 bits, plus 0xa282ead8. The data are Event messages in protobuf's
 * encoding: 1 wall_time (double), 2 step (varint), 3 file_version (text, in the first one only), 5 summary, which holds
 * per scalar: 1 value, of 1 tag (text) and 2 simple_value (float). */
#ifndef PR_REPORT_TFEVENTS_H
#define PR_REPORT_TFEVENTS_H

#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli). */
uint32_t pr_crc32c(const void *bytes, size_t n);
/* Appends the record that a file begins with. */
void pr_tfevents_begin(pr_buf_t *b, double wall_time);
/* Appends the event of one step: value [n], of which those that are not finite are left out. */
void pr_tfevents_add(pr_buf_t *b, double wall_time, int64_t step, size_t n, const char *const *tag,
                     const double *value);

#endif
