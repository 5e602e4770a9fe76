/* format/format_table.c - the formats there are, one line each, and how one is found.
 *
 * Adding a format is one folder with its `const struct hr_format` and one line in FORMATS
 * (docs/adding-a-format.md). The order matters only where two formats bid equally on a probe: the
 * first wins.
 */
#include "format/format.h"

#include <string.h>
#include <strings.h>

static const struct hr_format *const FORMATS[] = {
    &hr_format_csv,  &hr_format_tsv,     &hr_format_json, &hr_format_jsonl,
    &hr_format_text, &hr_format_parquet, &hr_format_avro,
};

static const struct {
    const char *alias, *name;
} ALIASES[] = {
    {"ndjson", "jsonl"}, {"txt", "text"},   {"pq", "parquet"},       {"parq", "parquet"},
    {"line", "text"},    {"lines", "text"}, {"json-lines", "jsonl"},
};

static bool same(const char *name, size_t len, const char *text) {
    return strlen(text) == len && strncasecmp(name, text, len) == 0;
}

const struct hr_format *hr_format_by_name(const char *name, size_t len) {
    for (size_t i = 0; i < HR_COUNTOF(ALIASES); i++) {
        if (same(name, len, ALIASES[i].alias)) {
            name = ALIASES[i].name;
            len = strlen(name);
            break;
        }
    }
    for (size_t i = 0; i < HR_COUNTOF(FORMATS); i++) {
        if (same(name, len, FORMATS[i]->name)) {
            return FORMATS[i];
        }
    }
    return NULL;
}

static bool ends_with(const char *key, size_t len, const char *suffix) {
    const size_t n = strlen(suffix);
    return len >= n && strncasecmp(key + len - n, suffix, n) == 0;
}

const struct hr_format *hr_format_by_key(const char *key, size_t len) {
    size_t cut = 0;
    if (hr_codec_by_key(key, len, &cut) != NULL && cut < len) {
        len -= cut;
    }
    for (size_t i = 0; i < HR_COUNTOF(FORMATS); i++) {
        for (const char *const *s = FORMATS[i]->suffixes; *s != NULL; s++) {
            if (ends_with(key, len, *s)) {
                return FORMATS[i];
            }
        }
    }
    return NULL;
}

const struct hr_format *hr_format_by_probe(const uint8_t *head, size_t len) {
    const struct hr_format *best = NULL;
    int best_bid = 0;
    for (size_t i = 0; i < HR_COUNTOF(FORMATS); i++) {
        const int bid = FORMATS[i]->probe != NULL ? FORMATS[i]->probe(head, len) : 0;
        if (bid > best_bid) {
            best_bid = bid;
            best = FORMATS[i];
        }
    }
    return best;
}

const struct hr_format *const *hr_format_all(size_t *out_count) {
    *out_count = HR_COUNTOF(FORMATS);
    return FORMATS;
}

int hr_format_opts_init(struct hr_format_opts *opts, struct hr_error *err) {
    *opts = (struct hr_format_opts){0};
    int rc = hr_options_defaults(hr_csv_options, hr_csv_options_count, &opts->csv, err);
    if (rc == 0) {
        rc = hr_options_defaults(hr_json_options, hr_json_options_count, &opts->json, err);
    }
    if (rc == 0) {
        rc = hr_options_defaults(hr_parquet_options, hr_parquet_options_count, &opts->parquet, err);
    }
    if (rc == 0) {
        rc = hr_options_defaults(hr_avro_options, hr_avro_options_count, &opts->avro, err);
    }
    if (rc != 0) {
        hr_format_opts_release(opts);
    }
    return rc;
}

void hr_format_opts_release(struct hr_format_opts *opts) {
    hr_options_release(hr_csv_options, hr_csv_options_count, &opts->csv);
    hr_options_release(hr_json_options, hr_json_options_count, &opts->json);
    hr_options_release(hr_parquet_options, hr_parquet_options_count, &opts->parquet);
    hr_options_release(hr_avro_options, hr_avro_options_count, &opts->avro);
    *opts = (struct hr_format_opts){0};
}

void hr_write_opts_init(struct hr_write_opts *opts) {
    *opts = (struct hr_write_opts){
        .row_group_rows = 122880,
        .row_group_bytes = (uint64_t)64 << 20,
        .page_bytes = (uint64_t)1 << 20,
        .dictionary = true,
        .statistics = true,
        .page_index = true,
        .parquet_version = 2,
    };
}

void hr_block_release(struct hr_block *block) {
    hr_big_free(block->data);
    if (block->free_meta != NULL && block->meta != NULL) {
        block->free_meta(block->meta);
    }
    *block = (struct hr_block){0};
}
