// SPDX-License-Identifier: BSD-3-Clause
#include "cli/point_verbs.h"

#include <stdio.h>
#include <stdlib.h>

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
