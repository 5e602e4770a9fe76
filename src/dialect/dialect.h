/* dialect/dialect.h - SEAM dialect: the configuration, catalog, state and message languages of the
 * connectors people already run.
 *
 * One folder per leaf (native/ olake/ ...), one `const struct hr_dialect` each, one line each in
 * dialect_table.c; those not built yet stand in the table with a sentence. A leaf turns its
 * documents into struct hr_settings and struct hr_catalog and back; nothing below this folder knows
 * a dialect. Level 7. All functions are pure (documents in, documents out) and may be called from
 * any thread.
 */
#ifndef HR_DIALECT_DIALECT_H
#define HR_DIALECT_DIALECT_H

#include <jansson.h>

#include "plan/catalog.h"
#include "plan/settings.h"

/* ---- state: what a dialect's state file says of one stream ------------------------------------
 */

struct hr_stream_state {
    bool present;       /* the file has an entry for the stream */
    char *cursor_field; /* "_last_modified_time"; NULL: no cursor value. Owned */
    char *cursor;       /* its value as text, "2025-01-01T00:00:00Z"; NULL. Owned */
    json_t *chunks;     /* array of {"min": [keys], "max": bytes}; NULL: the key is absent. Owned */
    json_t *headrace; /* contents of our own part (`_headrace`), made by state/; NULL none. Owned */
    char hash[33]; /* of everything in the entry but `_headrace`: differs from the one kept inside
                      `_headrace` when the other program ran in between */
};
void hr_stream_state_release(struct hr_stream_state *state);

/* A state document. Entries of streams that are not set keep their bytes. */
struct hr_state_doc;

/* ---- messages -------------------------------------------------------------------------------- */

enum hr_log_shape {
    HR_SHAPE_PLAIN,
    HR_SHAPE_COLOUR
}; /* COLOUR: as the original prints on a console */

/* ---- the seam -------------------------------------------------------------------------------- */

enum hr_dialect_flags {
    HR_DIALECT_STREAMS_FILE = 1, /* discover writes streams.json beside the config */
    HR_DIALECT_STATE_FILE = 2,   /* state is a file the run rewrites */
    HR_DIALECT_PROTOCOL = 4      /* messages on stdout are the interface */
};

struct hr_dialect {
    const char *name;  /* "olake" */
    const char *title; /* "Olake S3 source" */
    unsigned flags;
    const char *missing; /* known, not built yet: the sentence; NULL: usable */

    /* How surely the config is this dialect's: 0 no ... 100 certain. Looks at key names only. */
    int (*detect)(const json_t *config);
    /* Source config into settings (initialised, with defaults of the native vocabulary).
     * config_path: for messages and relative file: endpoints, NULL none. Calls no
     * hr_settings_finish. */
    int (*configure)(const json_t *config, const char *config_path, struct hr_settings *settings,
                     struct hr_error *err);
    /* Destination config into settings->dest. */
    int (*configure_destination)(const json_t *config, const char *config_path,
                                 struct hr_settings *settings, struct hr_error *err);
    /* The connector specification as JSON text (JSON Schema and what surrounds it). destination:
     * NULL the source's, otherwise a destination type ("parquet"). */
    int (*spec)(const char *destination, struct hr_buf *out, struct hr_error *err);

    /* Add the dialect's own columns, modes, names and selection to a freshly discovered catalog. */
    int (*catalog_dress)(struct hr_catalog *catalog, const struct hr_settings *settings,
                         struct hr_error *err);
    /* name: file name for messages. Columns' types come back as ours. */
    int (*catalog_read)(const json_t *doc, const char *name, const struct hr_settings *settings,
                        struct hr_catalog *out, struct hr_error *err);
    int (*catalog_write)(const struct hr_catalog *catalog, const struct hr_settings *settings,
                         struct hr_buf *out, struct hr_error *err);
    /* Rediscovery: keep old selections, modes, names in `fresh`; streams that `old` did not have
     * are listed, not selected. NULL: the dialect has none. */
    int (*catalog_merge)(const struct hr_catalog *old, struct hr_catalog *fresh,
                         struct hr_error *err);
    /* Streams of `fresh` that are selected and differ from `old` in how they are synced. */
    int (*catalog_difference)(const struct hr_catalog *old, const struct hr_catalog *fresh,
                              struct hr_catalog *out, struct hr_error *err);

    /* Where a stream goes, below the destination's folder, without slashes at the ends: "db/table"
     * for Olake, "" for the single stream of a native config. Appended to out. */
    int (*stream_folder)(const struct hr_stream *stream, const struct hr_settings *settings,
                         struct hr_buf *out, struct hr_error *err);

    /* Is this the name of a file that the original program writes into a table? Such files are
     * replaced by a full refresh like our own. NULL: no such names. */
    bool (*writes_file)(const char *name, size_t len);

    /* State. text empty, blank or {}: no state. Anything unreadable: HR_E_STATE naming the file. */
    int (*state_read)(struct hr_slice text, const char *name, struct hr_state_doc **out,
                      struct hr_error *err);
    int (*state_get)(const struct hr_state_doc *doc, const char *namespace_, const char *stream,
                     struct hr_stream_state *out, struct hr_error *err);
    /* Every entry, in the order of the document; namespace_ "" when the entry names none. A result
     * other than 0 stops and is returned. */
    int (*state_each)(const struct hr_state_doc *doc,
                      int (*each)(void *user, const char *namespace_, const char *stream,
                                  struct hr_error *err),
                      void *user, struct hr_error *err);
    /* Copies what it needs, and seals a copy of `headrace`. state->present false removes the entry.
     */
    int (*state_set)(struct hr_state_doc *doc, const char *namespace_, const char *stream,
                     const struct hr_stream_state *state, struct hr_error *err);
    int (*state_write)(const struct hr_state_doc *doc, struct hr_buf *out, struct hr_error *err);
    /* The hash that state_get will give for an entry with this cursor and these chunks, so that it
     * can be put into `headrace` before state_set. */
    int (*state_hash)(const struct hr_stream_state *state, char out[33], struct hr_error *err);
    void (*state_free)(struct hr_state_doc *doc); /* NULL allowed */

    /* One message line with its newline. catalog_text: what catalog_write gave. */
    int (*message_catalog)(struct hr_slice catalog_text, enum hr_log_shape shape,
                           struct hr_buf *out, struct hr_error *err);
    int (*message_status)(bool ok, const char *why, enum hr_log_shape shape, struct hr_buf *out,
                          struct hr_error *err);
};

const struct hr_dialect *const *hr_dialect_all(size_t *out_count);
const struct hr_dialect *hr_dialect_by_name(const char *name); /* NULL: unknown */
/* The dialect named `forced`, or with NULL the one whose detect is surest. HR_E_CONFIG when none
 * knows the keys, or when the one that does is not built yet (its sentence is the message);
 * HR_E_USAGE when `forced` is no dialect. */
int hr_dialect_detect(const json_t *config, const char *forced, const struct hr_dialect **out,
                      struct hr_error *err);
/* The same for a destination config: native and Olake differ by `writer`. */
int hr_dialect_detect_destination(const json_t *config, const struct hr_dialect *source,
                                  const struct hr_dialect **out, struct hr_error *err);

extern const struct hr_dialect hr_dialect_native, hr_dialect_olake;

#endif
