/* dialect/json_span.c - spans of JSON values in text a parser has accepted (RFC 8259).
 *
 * No checking beyond bounds: strings end at the first quote that no backslash escapes, containers
 * where their brackets close, other scalars at the next delimiter.
 */
#include "dialect/json_span.h"

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const uint8_t *skip_blanks(const uint8_t *p, const uint8_t *end) {
    while (p < end && is_blank(*p)) {
        p++;
    }
    return p;
}

static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end) {
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        }
    }
    return p < end ? p + 1 : end;
}

static const uint8_t *skip_container(const uint8_t *p, const uint8_t *end) {
    size_t depth = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
        p++;
        if (depth == 0) {
            break;
        }
    }
    return p;
}

static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end) {
    if (p < end && *p == '"') {
        return skip_string(p, end);
    }
    if (p < end && (*p == '{' || *p == '[')) {
        return skip_container(p, end);
    }
    while (p < end && *p != ',' && *p != '}' && *p != ']' && !is_blank(*p)) {
        p++;
    }
    return p;
}

bool hr_json_walk_begin(struct hr_json_walk *walk, struct hr_slice text) {
    const uint8_t *end = text.ptr + text.len;
    const uint8_t *p = skip_blanks(text.ptr, end);
    if (p == end || (*p != '{' && *p != '[')) {
        return false;
    }
    *walk = (struct hr_json_walk){p + 1, end, *p == '{'};
    return true;
}

bool hr_json_walk_next(struct hr_json_walk *walk, struct hr_slice *key, struct hr_slice *value) {
    const uint8_t *p = skip_blanks(walk->at, walk->end);
    if (p < walk->end && *p == ',') {
        p = skip_blanks(p + 1, walk->end);
    }
    if (p >= walk->end || *p == '}' || *p == ']') {
        return false;
    }
    *key = hr_slice_of(p, 0);
    if (walk->object) {
        const uint8_t *key_end = skip_value(p, walk->end);
        *key = hr_slice_of(p, (size_t)(key_end - p));
        p = skip_blanks(key_end, walk->end);
        p = skip_blanks(p < walk->end ? p + 1 : p, walk->end); /* the colon */
    }
    const uint8_t *value_end = skip_value(p, walk->end);
    *value = hr_slice_of(p, (size_t)(value_end - p));
    walk->at = value_end;
    return true;
}
