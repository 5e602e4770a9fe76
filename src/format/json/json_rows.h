/* format/json/json_rows.h - [template] the predicting engine, compiled once per instruction set.
 *
 * Included by json_rows_avx2.c and json_rows_scalar.c, which define JK(name), JT (the target of
 * every function) and the primitives: same_bytes, take_string, take_i64, take_f64, take_date,
 * pass_string. Primitives answer NULL for anything but the common shape, well formed; then the
 * exact functions of json_put.c read the value again and decide.
 *
 * Reading ahead: between two keys p < end is checked once. A pattern is at most 32 bytes here, a
 * number 17, a string load 32, so no load reaches further than HR_PAD behind the window; what was
 * read there decides nothing, because p is then beyond the end and the record asks for more.
 */

JT static inline const uint8_t *JK(scalar)(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                                           const uint8_t *p) {
    (void)json;
    switch (col->kind) {
    case HR_JC_I64: return JK(take_i64)(p, (int64_t *)(void *)col->data + idx);
    case HR_JC_F64: return JK(take_f64)(p, (double *)(void *)col->data + idx);
    case HR_JC_UTF8: return *p == '"' ? JK(take_string)(json, col, idx, p + 1) : NULL;
    case HR_JC_DATE: return JK(take_date)(p, (int32_t *)(void *)col->data + idx);
    case HR_JC_BOOL:
        if (memcmp(p, "true", 4) == 0) {
            hr_bit_set(col->data, idx);
            return p + 4;
        }
        if (memcmp(p, "false", 5) == 0) {
            hr_bit_clear(col->data, idx);
            return p + 5;
        }
        return NULL;
    default: return NULL;
    }
}

/* As scalar, for callers that have no more than p < end. */
JT static const uint8_t *JK(scalar_within)(struct hr_json *json, struct hr_j_col *col, int64_t idx,
                                           const uint8_t *p) {
    const uint8_t *end = json->frame.lex.end;
    p = p < end ? JK(scalar)(json, col, idx, p) : NULL;
    return p != NULL && p < end ? p : NULL;
}

JT static const uint8_t *JK(object)(struct hr_json *json, struct hr_j_scope *scope,
                                    struct hr_j_shape *shape, const uint8_t *p);

/* The value of slot at p. */
JT static inline const uint8_t *JK(value)(struct hr_json *json, struct hr_j_scope *scope,
                                          struct hr_j_shape *shape, struct hr_j_slot *slot,
                                          const uint8_t *p) {
    struct hr_j_col *col = slot->col;
    if (col == NULL) {
        if (*p == '"' && !json->params->want_all) {
            const uint8_t *q = JK(pass_string)(p + 1, json->frame.lex.end);
            if (q != NULL) {
                return q;
            }
        }
        return hr_j_slot_value(json, scope, shape, slot, p);
    }
    const uint8_t *q = JK(scalar)(json, col, scope->idx, p);
    if (q == NULL) {
        return hr_j_slot_value(json, scope, shape, slot, p);
    }
    hr_j_claim(json, scope, col);
    return q;
}

/* Is p at the slot's key? Moves p to the value. */
JT static inline bool JK(at_key)(const struct hr_j_slot *slot, const uint8_t **p,
                                 const uint8_t *end) {
    if (!JK(same_bytes)(*p, slot)) {
        return false;
    }
    if (hr_unlikely(slot->pattern_len > HR_J_PATTERN)) {
        if ((size_t)(end - *p) < slot->pattern_len ||
            memcmp(*p, slot->long_pattern, slot->pattern_len) != 0) {
            return false;
        }
    }
    *p += slot->pattern_len;
    return true;
}

JT static const uint8_t *JK(object)(struct hr_json *json, struct hr_j_scope *scope,
                                    struct hr_j_shape *shape, const uint8_t *p) {
    const uint8_t *end = json->frame.lex.end;
    struct hr_j_link *link = &shape->first;
    for (;;) {
        struct hr_j_slot *slot = link->next;
        if (hr_unlikely(slot == NULL || !JK(at_key)(slot, &p, end))) {
            slot = link->other;
            if (slot == NULL || !JK(at_key)(slot, &p, end)) {
                struct hr_j_slot *found; /* apart, so that slot can stay in a register */
                p = hr_j_key(json, shape, link, p, &found);
                slot = found;
                if (p == NULL || slot == NULL) {
                    return p;
                }
            }
        }
        p = JK(value)(json, scope, shape, slot, p);
        if (hr_unlikely(p == NULL)) {
            return NULL;
        }
        if (hr_unlikely(p >= end)) {
            return hr_j_cut(&json->frame.lex, "an object is not closed");
        }
        if (*p == '}') {
            return p + 1;
        }
        link = &slot->after;
    }
}
