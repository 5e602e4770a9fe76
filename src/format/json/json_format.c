/* format/json/json_format.c - the JSON leaf of the format seam: names, option rows, probe.
 *
 * Two names share everything: `json` (.json: lines or a document, told apart by content) and
 * `jsonl`
 * (.jsonl, .ndjson: lines, yet an array or a pretty-printed document in one piece is read too).
 */
#include "format/json/json_read.h"

#define ROW(field_) .offset = offsetof(struct hr_json_opts, field_), .since = "0.1"

const struct hr_option hr_json_options[] = {
    {.name = "json_lines",
     ROW(lines),
     .type = HR_OPT_ENUM,
     .def = "auto",
     .values = "auto|lines|document",
     .text =
         "How records stand in JSON files: one a line, or as one document (an array, or objects "
         "one after another). auto: by content."},
    {.name = "json_flatten",
     ROW(flatten),
     .type = HR_OPT_BOOL,
     .def = "true",
     .text = "Nested objects become columns of their own, named a.b."},
    {.name = "json_max_depth",
     ROW(max_depth),
     .type = HR_OPT_INT,
     .def = "10",
     .flags = HR_OPT_RANGE,
     .min = 0,
     .max = 200,
     .text = "Levels of nested objects that json_flatten takes apart; deeper ones stay whole."},
    {.name = "json_flatten_separator",
     ROW(separator),
     .type = HR_OPT_STRING,
     .def = ".",
     .text = "What stands between the names of flattened columns."},
    {.name = "json_nested_text",
     ROW(nested_text),
     .type = HR_OPT_BOOL,
     .def = "true",
     .text = "Objects and arrays that stay whole are text columns of compact JSON. false: typed "
             "lists and structs."},
    {.name = "json_allow_nan",
     ROW(allow_nan),
     .type = HR_OPT_BOOL,
     .def = "false",
     .text = "Accept NaN, Infinity and -Infinity as numbers, which JSON does not have."},
    {.name = "json_array",
     ROW(array),
     .type = HR_OPT_BOOL,
     .flags = HR_OPT_WRITING,
     .def = "false",
     .text = "Write each .json file as one array of records instead of lines."},
};
const size_t hr_json_options_count = HR_COUNTOF(hr_json_options);

/* Over blanks and a byte order mark. */
static const uint8_t *first_byte(const uint8_t *head, size_t len) {
    size_t i = len >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < len && (head[i] == ' ' || head[i] == '\t' || head[i] == '\r' || head[i] == '\n')) {
        i++;
    }
    return head + i;
}

/* Sure when a whole value parses, likely when the first bytes could become a record. */
static int probe(const uint8_t *head, size_t len) {
    const uint8_t *p = first_byte(head, len);
    const uint8_t *end = head + len;
    if (p == end || (*p != '{' && *p != '[')) {
        return 0;
    }
    struct hr_j_lex lex;
    struct hr_j_token token;
    if (hr_j_lex_init(&lex, 0, NULL) != 0) {
        return 0;
    }
    lex.end = end;
    lex.newlines = true;
    lex.allow_nan = true;
    const uint8_t *q = hr_j_value(&lex, p, &token);
    const bool cut = q == NULL && lex.status == HR_J_MORE;
    hr_j_lex_release(&lex);
    const bool object =
        *p == '{' || (end - p > 1 && *first_byte(p + 1, (size_t)(end - p) - 1) == '{');
    return q != NULL ? (object ? 95 : 60) : cut ? (object ? 80 : 30) : 0;
}

static int probe_lines(const uint8_t *head, size_t len) {
    const int score = probe(head, len);
    return score > 0 && hr_j_sniff(head, len, false) == HR_J_LINES ? score - 1 : 0;
}

static int open_json(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_read_params *params, struct hr_reader **out,
                     struct hr_error *err) {
    return hr_j_open(src, opts, params, NULL, out, err);
}

static bool wants_array(const struct hr_write_opts *opts) {
    return opts->json != NULL && opts->json->array;
}

static int encoder_json(struct hr_schema *schema, const struct hr_write_opts *opts,
                        struct hr_encoder **out, struct hr_error *err) {
    return hr_j_encoder(schema, opts, wants_array(opts), out, err);
}

static int encoder_jsonl(struct hr_schema *schema, const struct hr_write_opts *opts,
                         struct hr_encoder **out, struct hr_error *err) {
    return hr_j_encoder(schema, opts, false, out, err);
}

static int writer_json(struct hr_schema *schema, const struct hr_write_opts *opts,
                       struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err) {
    (void)schema;
    return hr_j_file_writer(opts, wants_array(opts), dst, out, err);
}

static int writer_jsonl(struct hr_schema *schema, const struct hr_write_opts *opts,
                        struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err) {
    (void)schema;
    return hr_j_file_writer(opts, false, dst, out, err);
}

static const char *const suffixes_json[] = {".json", NULL};
static const char *const suffixes_jsonl[] = {".jsonl", ".ndjson", NULL};

const struct hr_format hr_format_json = {.name = "json",
                                         .suffixes = suffixes_json,
                                         .flags = HR_FMT_SPLIT,
                                         .options = hr_json_options,
                                         .n_options = HR_COUNTOF(hr_json_options),
                                         .probe = probe,
                                         .infer = hr_j_infer,
                                         .open = open_json,
                                         .encoder = encoder_json,
                                         .file_writer = writer_json,
                                         .layout = hr_j_layout};

const struct hr_format hr_format_jsonl = {.name = "jsonl",
                                          .suffixes = suffixes_jsonl,
                                          .flags = HR_FMT_SPLIT,
                                          .options = hr_json_options,
                                          .n_options = HR_COUNTOF(hr_json_options),
                                          .probe = probe_lines,
                                          .infer = hr_j_infer,
                                          .open = open_json,
                                          .encoder = encoder_jsonl,
                                          .file_writer = writer_jsonl,
                                          .layout = hr_j_layout};
