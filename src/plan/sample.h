/* plan/sample.h - samples that outlive their sampler; between sampler.c, infer_stream.c and
 * discover.c. */
#ifndef HR_PLAN_SAMPLE_H
#define HR_PLAN_SAMPLE_H

#include "plan/plan.h"

/* Copies of what hr_sampler_choose gives. */
int hr_samples_copy(struct hr_sampler *sampler, struct hr_sample **out, size_t *out_count,
                    struct hr_error *err);
void hr_samples_free(struct hr_sample *samples, size_t count); /* NULL allowed */

/* Put the option `schema` over a schema nobody else holds. HR_E_CONFIG for what is no type. */
int hr_schema_override(const struct hr_settings *settings, struct hr_schema **schema,
                       struct hr_error *err);

/* The piece that is the whole object of a sample. */
void hr_sample_piece(const struct hr_sample *sample, struct hr_piece *out);

#endif
