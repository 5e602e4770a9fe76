/* format/avro/avro_internal.h - what the files of this leaf give one another. */
#ifndef HR_AVRO_INTERNAL_H
#define HR_AVRO_INTERNAL_H

#include "format/avro/avro_decode.h"
#include "format/avro/avro_file.h"
#include "format/avro/avro_resolve.h"
#include "format/format.h"

int hr_avro_open(struct hr_source *src, const struct hr_format_opts *opts,
                 const struct hr_read_params *params, struct hr_reader **out, struct hr_error *err);
int hr_avro_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                    struct hr_encoder **out, struct hr_error *err);
int hr_avro_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                        struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err);

/* Parse the header's schema; messages name the object. */
int hr_avro_open_schema(const char *name, const struct hr_avro_header *header,
                        struct hr_avro_schema *out, struct hr_error *err);

/* What a reader's schema makes of the file's; messages name the object. */
int hr_avro_open_resolver(const char *name, const char *json, const struct hr_avro_schema *file,
                          struct hr_avro_resolver *out, struct hr_error *err);

/* A header as text, for the plan, and back. */
char *hr_avro_header_to_text(const struct hr_avro_header *header); /* hr_malloc; NULL: no memory */
int hr_avro_header_from_text(const char *name, const char *text, struct hr_avro_header *out,
                             struct hr_error *err);

#endif
