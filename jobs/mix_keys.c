#include "jobs/mix_keys.h"

pr_status_t pr_mix_of_config(const pr_config_t *c, const char *aggregate, int layer, bool norm_before,
                             const pr_mix_t **mix, json_t **options, pr_error_t *err)
{
    json_t *said = json_pack("{s:i, s:s, s:i, s:o, s:o}", "layer", layer, "norm", norm_before ? "before" : "after",
                             "prompts", c->regmean.prompts, "off_diagonal", pr_json_real(c->regmean.off_diagonal),
                             "ridge", pr_json_real(c->regmean.ridge));
    json_t *given = json_object();
    pr_status_t status;
    PR_GO(pr_mix_find(aggregate, mix, err));
    for (const pr_option_t *o = (*mix)->options; o->key; o++)
        json_object_set(given, o->key, json_object_get(said, o->key)); // NULL: not set
    status = pr_options_resolve((*mix)->options, given, NULL, options, err);
done:
    json_decref(said);
    json_decref(given);
    return status;
}
