// SPDX-License-Identifier: BSD-3-Clause
#include "cli/point_verbs.h"

#include "report/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pr_point_print_json(json_t *value)
{
    pr_cli_print_json_digits(value, 17);
    json_decref(value);
}

json_t *pr_point_json_numbers(const double *numbers, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, pr_json_real(numbers[i]));
    return list;
}

/* Names come from a file, which may hold anything. */
static json_t *text_value(const char *text)
{
    return pr_text_json_string(text, strlen(text));
}

void pr_point_json_name(const pr_points_t *p, size_t set, json_t *value)
{
    if (p->set_name)
        json_object_set_new(value, "name", text_value(p->set_name[set]));
}

void pr_point_json_columns(const pr_points_t *p, json_t *value)
{
    json_t *list = p->column ? json_array() : NULL;
    for (int k = 0; list && k < p->m; k++)
        json_array_append_new(list, text_value(p->column[k]));
    if (list)
        json_object_set_new(value, "columns", list);
}
