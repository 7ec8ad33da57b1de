/* The configuration's keys that speak of mixes, as the options of one. */
#ifndef PR_JOBS_MIX_KEYS_H
#define PR_JOBS_MIX_KEYS_H

#include "config/config.h"
#include "policy/mix.h"

/* The mix `aggregate` and, of what the configuration says (layer and norm_before as a search has them, regmean.*), the
 * options that it has. *options is a new reference, resolved. Errors: PR_ERR_CONFIG. */
pr_status_t pr_mix_of_config(const pr_config_t *c, const char *aggregate, int layer, bool norm_before,
                             const pr_mix_t **mix, json_t **options, pr_error_t *err);

#endif
