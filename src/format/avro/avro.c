/* format/avro/avro.c - the leaf: Avro object container files (Avro 1.12 specification).
 *
 * avro_schema.c makes columns of the schema, avro_file.c finds blocks, avro_decode.c turns rows
 * into columns, avro_reader.c strings them together; avro_text.c and avro_encode.c are the way
 * back. */
#include "base/hash.h"
#include "format/avro/avro_internal.h"

/* The file's name before what is wrong with a schema. */
static int named(const char *name, int rc, const struct hr_error *why, struct hr_error *err) {
    if (rc != 0 && err != NULL) {
        hr_fail(err, rc, "could not read '%s': %.380s", name, why->message);
        if (why->hint[0] != '\0') {
            hr_error_hint(err, "%s", why->hint);
        }
        hr_error_object(err, name);
    }
    return rc;
}

int hr_avro_open_schema(const char *name, const struct hr_avro_header *header,
                        struct hr_avro_schema *out, struct hr_error *err) {
    struct hr_error why;
    hr_error_clear(&why);
    return named(name, hr_avro_schema_parse(header->schema, out, &why), &why, err);
}

int hr_avro_open_resolver(const char *name, const char *json, const struct hr_avro_schema *file,
                          struct hr_avro_resolver *out, struct hr_error *err) {
    struct hr_error why;
    hr_error_clear(&why);
    return named(name, hr_avro_resolver_init(out, json, file, &why), &why, err);
}

char *hr_avro_header_to_text(const struct hr_avro_header *header) {
    char *text = hr_malloc(2 * header->len + 1);
    if (text != NULL) {
        hr_hex(header->bytes, header->len, text);
    }
    return text;
}

int hr_avro_header_from_text(const char *name, const char *text, struct hr_avro_header *out,
                             struct hr_error *err) {
    *out = (struct hr_avro_header){.bytes = NULL};
    size_t len = strlen(text) / 2;
    uint8_t *bytes = hr_malloc(len);
    if (bytes == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", name);
    }
    int rc = hr_unhex(text, bytes, len) == 0
                 ? hr_avro_header_parse(name, hr_slice_of(bytes, len), out, err)
                 : hr_fail(err, HR_E_CORRUPT,
                           "could not read '%s': the header kept in the plan is damaged", name);
    hr_free(bytes);
    return rc;
}

static int avro_probe(const uint8_t *head, size_t len) {
    return len >= 4 && memcmp(head, "Obj", 3) == 0 && head[3] <= 1 ? 100 : 0;
}

static int avro_infer(struct hr_source *src, const struct hr_format_opts *opts,
                      const struct hr_infer_params *params, struct hr_schema **out,
                      struct hr_error *err) {
    (void)params;
    struct hr_avro_input in;
    struct hr_avro_header header;
    struct hr_avro_schema avro = {.schema = NULL};
    struct hr_avro_resolver resolver = {.links = NULL};
    const char *json = opts != NULL ? opts->avro.schema : NULL;
    const bool resolves = json != NULL && json[0] != '\0';
    hr_avro_input_init(&in, src, 0);
    int rc = hr_avro_header_read(&in, &header, err);
    if (rc == 0) {
        rc = hr_avro_open_schema(src->name, &header, &avro, err);
        if (rc == 0 && resolves) {
            rc = hr_avro_open_resolver(src->name, json, &avro, &resolver, err);
        }
        if (rc == 0) {
            *out = hr_schema_ref(resolves ? resolver.reader.schema : avro.schema);
        }
        hr_avro_resolver_release(&resolver);
        hr_avro_schema_release(&avro);
    }
    hr_avro_header_release(&header);
    hr_avro_input_release(&in);
    return rc;
}

static int avro_layout(struct hr_source *src, const struct hr_format_opts *opts,
                       struct hr_layout *out, struct hr_error *err) {
    (void)opts;
    struct hr_avro_input in;
    struct hr_avro_header header;
    *out = (struct hr_layout){.splittable = true, .has_header = true};
    hr_avro_input_init(&in, src, 0);
    int rc = hr_avro_header_read(&in, &header, err);
    if (rc == 0) {
        out->header.items = hr_calloc(1, sizeof(*out->header.items));
        char *text = hr_avro_header_to_text(&header);
        if (out->header.items == NULL || text == NULL) {
            hr_free(out->header.items);
            hr_free(text);
            out->header.items = NULL;
            rc = hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", src->name);
        } else {
            out->header.items[0] = text;
            out->header.count = 1;
        }
    }
    hr_avro_header_release(&header);
    hr_avro_input_release(&in);
    return rc;
}

const struct hr_option hr_avro_options[] = {
    {.name = "avro_schema",
     .type = HR_OPT_JSON,
     .offset = offsetof(struct hr_avro_opts, schema),
     .since = "0.1",
     .text = "Read Avro files with this Avro schema: fields by name or alias, numbers promoted, "
             "what a file lacks from the defaults. Unset: as each file was written."},
};
const size_t hr_avro_options_count = HR_COUNTOF(hr_avro_options);

static const char *const avro_suffixes[] = {".avro", NULL};

const struct hr_format hr_format_avro = {
    .name = "avro",
    .suffixes = avro_suffixes,
    .flags = HR_FMT_SPLIT | HR_FMT_SCHEMA | HR_FMT_PROJECT | HR_FMT_CODEC_INSIDE,
    .options = hr_avro_options,
    .n_options = HR_COUNTOF(hr_avro_options),
    .probe = avro_probe,
    .infer = avro_infer,
    .open = hr_avro_open,
    .encoder = hr_avro_encoder,
    .file_writer = hr_avro_file_writer,
    .layout = avro_layout,
};
