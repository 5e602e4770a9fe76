/* pipeline/nulls.c - null counts by column name (see nulls.h). Workers count per batch, which costs
 * nothing: vectors know their nulls; the assembler adds the tasks up. */
#include "pipeline/nulls.h"

#include <stdio.h>
#include <string.h>

static struct hr_null_count *find(const struct hr_null_counts *counts, const char *name) {
    for (size_t i = 0; i < counts->n; i++) {
        if (strcmp(counts->items[i].name, name) == 0) {
            return &counts->items[i];
        }
    }
    return NULL;
}

static struct hr_null_count *append(struct hr_null_counts *counts, const char *name) {
    if (counts->n == counts->cap) {
        const size_t cap = counts->cap ? counts->cap * 2 : 32;
        struct hr_null_count *grown = hr_reallocarray(counts->items, cap, sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        counts->items = grown;
        counts->cap = cap;
    }
    char *copy = hr_strdup(name);
    if (copy == NULL) {
        return NULL;
    }
    counts->items[counts->n] = (struct hr_null_count){.name = copy};
    return &counts->items[counts->n++];
}

int hr_nulls_add(struct hr_null_counts *counts, const struct hr_schema *schema,
                 const int64_t *nulls, const int64_t *rounded, int64_t rows, struct hr_error *err) {
    for (int i = 0; i < schema->n_fields; i++) {
        const char *name = schema->fields[i].name;
        /* Tasks mostly have the same columns in the same order. */
        struct hr_null_count *item =
            (size_t)i < counts->n && strcmp(counts->items[i].name, name) == 0 ? &counts->items[i]
                                                                              : find(counts, name);
        if (item == NULL) {
            item = append(counts, name);
        }
        if (item == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not count nulls");
        }
        item->rows += rows;
        item->nulls += nulls[i];
        item->rounded += rounded[i];
    }
    return 0;
}

int hr_nulls_copy(struct hr_null_counts *to, const struct hr_null_counts *from,
                  struct hr_error *err) {
    hr_nulls_release(to);
    for (size_t i = 0; i < from->n; i++) {
        struct hr_null_count *item = append(to, from->items[i].name);
        if (item == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not count nulls");
        }
        item->rows = from->items[i].rows;
        item->nulls = from->items[i].nulls;
        item->rounded = from->items[i].rounded;
    }
    return 0;
}

const char *hr_rounded_text(const struct hr_null_count *item, char *text, size_t size) {
    char shown[120];
    text[0] = '\0';
    if (item->rounded > 0) {
        snprintf(
            text, size,
            "column '%s': %lld values were rounded, as files with integers or decimals meet "
            "files with doubles there, and a double holds 15 digits; schema={\"%s\": \"utf8\"} "
            "keeps all digits, schema_evolution=strict refuses such files",
            hr_printable(hr_slice_str(item->name), 80, shown, sizeof(shown)),
            (long long)item->rounded, shown);
    }
    return text;
}

void hr_nulls_release(struct hr_null_counts *counts) {
    for (size_t i = 0; i < counts->n; i++) {
        hr_free(counts->items[i].name);
    }
    hr_free(counts->items);
    *counts = (struct hr_null_counts){0};
}
