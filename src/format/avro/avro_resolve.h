/* format/avro/avro_resolve.h - columns as a file has them into columns as a reader's schema says
 * (Avro 1.12 specification, "Schema Resolution"). */
#ifndef HR_AVRO_RESOLVE_H
#define HR_AVRO_RESOLVE_H

#include "format/avro/avro_schema.h"

/* How one column of the reader is made. Lives in the reader schema's arena. */
struct hr_avro_link {
    uint8_t how;  /* enum in avro_resolve.c */
    bool require; /* the file may hold nulls, the reader does not allow them */
    int from;     /* the writer's field among its siblings; -1: the default */
    int pick;     /* the branch of the reader's union */
    const struct hr_avro_node *node, *file;    /* the reader's, the file's */
    const struct hr_field *field, *file_field; /* likewise */
    struct hr_avro_link *children;
    int n_children;
    struct hr_vec *value; /* the default, one row; NULL: none needed */
};

struct hr_avro_resolver {
    struct hr_avro_schema reader;
    struct hr_avro_link *links; /* one per column of the reader */
};

/* Prepare: parse the reader's schema and find for each of its columns the one of the file. The
 * message is a reason without the object: HR_E_SCHEMA where the two cannot be resolved. Release
 * also after failure. `file` is borrowed for the resolver's life. */
int hr_avro_resolver_init(struct hr_avro_resolver *r, const char *json,
                          const struct hr_avro_schema *file, struct hr_error *err);
void hr_avro_resolver_release(struct hr_avro_resolver *r);

/* Append all of `src` (NULL: the default, `rows` times) to dst. HR_E_SCHEMA: a value the reader's
 * schema does not allow. */
int hr_avro_resolve(const struct hr_avro_link *link, struct hr_vec *dst, const struct hr_vec *src,
                    int64_t rows, struct hr_error *err);

#endif
