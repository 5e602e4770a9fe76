/* format/csv/csv.c - the CSV and TSV leaves: their options, their probe, their slots. */
#include "format/csv/csv_internal.h"

#define AT(field) offsetof(struct hr_csv_opts, field)
#define CSV_ONLY .depends = "file_format=csv", .since = "0.1"

const struct hr_option hr_csv_options[] = {
    {.name = "csv_delimiter",
     .type = HR_OPT_STRING,
     .offset = AT(delimiter),
     CSV_ONLY,
     .text =
         "What stands between fields: one or more bytes; \\t is a tab, \\xNN any byte. Default: a "
         "comma, for TSV a tab."},
    {.name = "csv_header",
     .type = HR_OPT_BOOL,
     .offset = AT(header),
     .def = "true",
     CSV_ONLY,
     .text = "The first record holds the column names. Without it they are column_0, column_1 …"},
    {.name = "csv_encoding",
     .type = HR_OPT_STRING,
     .offset = AT(encoding),
     .def = "utf-8",
     CSV_ONLY,
     .text = "Character encoding, any name iconv knows. A byte order mark in the file wins."},
    {.name = "csv_quote",
     .type = HR_OPT_STRING,
     .offset = AT(quote),
     .def = "\"",
     CSV_ONLY,
     .text = "Quote character; empty: quotes mean nothing."},
    {.name = "csv_escape",
     .type = HR_OPT_STRING,
     .offset = AT(escape),
     CSV_ONLY,
     .text = "Escape character: the byte behind it is taken as it is, inside quotes and outside."},
    {.name = "csv_double_quote",
     .type = HR_OPT_BOOL,
     .offset = AT(double_quote),
     .def = "true",
     CSV_ONLY,
     .text = "Two quotes inside a quoted field stand for one."},
    {.name = "csv_skip_rows",
     .type = HR_OPT_INT,
     .offset = AT(skip_rows),
     .def = "0",
     .min = 0,
     .max = 1e9,
     .flags = HR_OPT_RANGE,
     .unit = "lines",
     CSV_ONLY,
     .text = "Physical lines to skip in front of the header."},
    {.name = "csv_skip_rows_after_header",
     .type = HR_OPT_INT,
     .offset = AT(skip_rows_after_header),
     .def = "0",
     .min = 0,
     .max = 1e9,
     .flags = HR_OPT_RANGE,
     .unit = "lines",
     CSV_ONLY,
     .text = "Physical lines to skip behind the header."},
    {.name = "csv_null_values",
     .type = HR_OPT_LIST,
     .offset = AT(null_values),
     CSV_ONLY,
     .text =
         "Texts that mean null; default: the empty text. A quoted field of a text column is never "
         "null, an empty field of any other column always is."},
    {.name = "csv_true_values",
     .type = HR_OPT_LIST,
     .offset = AT(true_values),
     CSV_ONLY,
     .text = "Words for true, in any case; default: true."},
    {.name = "csv_false_values",
     .type = HR_OPT_LIST,
     .offset = AT(false_values),
     CSV_ONLY,
     .text = "Words for false, in any case; default: false."},
    {.name = "csv_columns",
     .type = HR_OPT_LIST,
     .offset = AT(columns),
     CSV_ONLY,
     .text = "Column names from the first on, instead of the header's or where there is none."},
    {.name = "csv_comment",
     .type = HR_OPT_STRING,
     .offset = AT(comment),
     CSV_ONLY,
     .text = "Lines that begin with this character are skipped."},
    {.name = "csv_trim",
     .type = HR_OPT_BOOL,
     .offset = AT(trim),
     .def = "false",
     CSV_ONLY,
     .text = "Cut blanks and tabs around fields, and around the quotes of quoted ones."},
    {.name = "csv_always_quote",
     .type = HR_OPT_BOOL,
     .offset = AT(always_quote),
     .def = "false",
     .flags = HR_OPT_WRITING,
     CSV_ONLY,
     .text = "When writing: quote every field that is not null, not only those that need it."},
};
const size_t hr_csv_options_count = HR_COUNTOF(hr_csv_options);

/* ---- probe ---- */

/* Fields of each whole line outside quotes; a bid for lines that agree. */
static int probe_with(const uint8_t *head, size_t len, uint8_t delim, int high) {
    size_t fields = 1;
    size_t first = 0;
    int lines = 0;
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        if (head[i] == 0) {
            return 0;
        }
        inside ^= head[i] == '"';
        if (inside) {
            continue;
        }
        fields += head[i] == delim;
        if (head[i] == '\n' || (head[i] == '\r' && (i + 1 == len || head[i + 1] != '\n'))) {
            if (lines > 0 && fields != first) {
                return 5;
            }
            first = fields;
            fields = 1;
            lines++;
        }
    }
    if (lines == 0) {
        return 5;
    }
    return first < 2 ? 5 : lines > 1 ? high : high / 2;
}

static int csv_probe(const uint8_t *head, size_t len) {
    return len == 0 || head[0] == '{' || head[0] == '[' ? 0 : probe_with(head, len, ',', 60);
}

static int tsv_probe(const uint8_t *head, size_t len) {
    const int bid = len == 0 || head[0] == '{' ? 0 : probe_with(head, len, '\t', 62);
    return bid > 5 ? bid : 0;
}

/* ---- slots ---- */

static int csv_infer(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_infer_params *params, struct hr_schema **out,
                     struct hr_error *err) {
    return hr_csv_infer(src, opts, params, ",", out, err);
}

static int csv_open(struct hr_source *src, const struct hr_format_opts *opts,
                    const struct hr_read_params *params, struct hr_reader **out,
                    struct hr_error *err) {
    return hr_csv_open(src, opts, params, ",", out, err);
}

static int tsv_infer(struct hr_source *src, const struct hr_format_opts *opts,
                     const struct hr_infer_params *params, struct hr_schema **out,
                     struct hr_error *err) {
    return hr_csv_infer(src, opts, params, "\t", out, err);
}

static int tsv_open(struct hr_source *src, const struct hr_format_opts *opts,
                    const struct hr_read_params *params, struct hr_reader **out,
                    struct hr_error *err) {
    return hr_csv_open(src, opts, params, "\t", out, err);
}

static int csv_layout(struct hr_source *src, const struct hr_format_opts *opts,
                      struct hr_layout *out, struct hr_error *err) {
    return hr_csv_layout(src, opts, ",", out, err);
}

static int tsv_layout(struct hr_source *src, const struct hr_format_opts *opts,
                      struct hr_layout *out, struct hr_error *err) {
    return hr_csv_layout(src, opts, "\t", out, err);
}

static int csv_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                       struct hr_encoder **out, struct hr_error *err) {
    return hr_csv_encoder(schema, opts, ",", out, err);
}

static int csv_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                           struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err) {
    return hr_csv_file_writer(schema, opts, ",", dst, out, err);
}

static int tsv_encoder(struct hr_schema *schema, const struct hr_write_opts *opts,
                       struct hr_encoder **out, struct hr_error *err) {
    return hr_csv_encoder(schema, opts, "\t", out, err);
}

static int tsv_file_writer(struct hr_schema *schema, const struct hr_write_opts *opts,
                           struct hr_out *dst, struct hr_file_writer **out, struct hr_error *err) {
    return hr_csv_file_writer(schema, opts, "\t", dst, out, err);
}

static const char *const CSV_SUFFIXES[] = {".csv", NULL};
static const char *const TSV_SUFFIXES[] = {".tsv", ".tab", NULL};

const struct hr_format hr_format_csv = {
    .name = "csv",
    .suffixes = CSV_SUFFIXES,
    .flags = HR_FMT_SPLIT | HR_FMT_PROJECT,
    .options = hr_csv_options,
    .n_options = HR_COUNTOF(hr_csv_options),
    .probe = csv_probe,
    .infer = csv_infer,
    .open = csv_open,
    .encoder = csv_encoder,
    .file_writer = csv_file_writer,
    .layout = csv_layout,
};

const struct hr_format hr_format_tsv = {
    .name = "tsv",
    .suffixes = TSV_SUFFIXES,
    .flags = HR_FMT_SPLIT | HR_FMT_PROJECT,
    .options = NULL, /* csv's, which both share */
    .n_options = 0,
    .probe = tsv_probe,
    .infer = tsv_infer,
    .open = tsv_open,
    .encoder = tsv_encoder,
    .file_writer = tsv_file_writer,
    .layout = tsv_layout,
};
