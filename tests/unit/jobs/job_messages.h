// SPDX-License-Identifier: BSD-3-Clause
/* Messages of jobs, as rank 0 sends them. */
#ifndef TESTS_JOB_MESSAGES_H
#define TESTS_JOB_MESSAGES_H

#include "base/hash.h"
#include "base/json.h"
#include "jobs/job.h"

/* The message of inputs, whose reference it takes, as that of how. */
static inline json_t *message_of(json_t *inputs, json_t *how, const char *label)
{
    char id[PR_HASH_HEX];
    pr_json_hash(inputs, id);
    json_t *message = pr_job_message(id, label, inputs, how, NULL);
    json_decref(inputs);
    json_decref(how);
    return message;
}

static inline const char *id_of(const json_t *message)
{
    return json_string_value(json_object_get(message, "id"));
}

#endif
