/* batch/export.c - batches and schemas as Arrow C Data (headrace/arrow.h): buffers are moved, not
 * copied. https://arrow.apache.org/docs/format/CDataInterface.html */
#include <stdio.h>
#include <string.h>

#include "batch/vec.h"

/* ---- schema ---- */

struct schema_private {
    struct hr_buf format;
    char *name;
    char *metadata;
};

static void release_schema(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i] != NULL) {
            if (schema->children[i]->release != NULL) {
                schema->children[i]->release(schema->children[i]);
            }
            hr_free(schema->children[i]);
        }
    }
    hr_free(schema->children);
    struct schema_private *priv = schema->private_data;
    if (priv != NULL) {
        hr_buf_release(&priv->format);
        hr_free(priv->name);
        hr_free(priv->metadata);
        hr_free(priv);
    }
    schema->release = NULL;
}

static int format_text(struct hr_type t, struct hr_buf *out, struct hr_error *err) {
    static const char *const plain[HR_T_COUNT] = {
        [HR_T_NULL] = "n",  [HR_T_BOOL] = "b",    [HR_T_I8] = "c",     [HR_T_I16] = "s",
        [HR_T_I32] = "i",   [HR_T_I64] = "l",     [HR_T_U8] = "C",     [HR_T_U16] = "S",
        [HR_T_U32] = "I",   [HR_T_U64] = "L",     [HR_T_F16] = "e",    [HR_T_F32] = "f",
        [HR_T_F64] = "g",   [HR_T_UTF8] = "u",    [HR_T_BINARY] = "z", [HR_T_DATE32] = "tdD",
        [HR_T_LIST] = "+l", [HR_T_STRUCT] = "+s", [HR_T_MAP] = "+m"};
    static const char units[] = "smun";
    switch ((enum hr_type_id)t.id) {
    case HR_T_DEC128: return hr_buf_printf(out, err, "d:%d,%d", t.precision, t.scale);
    case HR_T_DEC256: return hr_buf_printf(out, err, "d:%d,%d,256", t.precision, t.scale);
    case HR_T_FIXED: return hr_buf_printf(out, err, "w:%d", t.width);
    case HR_T_TIME32:
    case HR_T_TIME64: return hr_buf_printf(out, err, "tt%c", units[t.unit]);
    case HR_T_I64:
        return t.ext == HR_EXT_DURATION ? hr_buf_printf(out, err, "tD%c", units[t.unit])
                                        : hr_buf_append_str(out, "l", err);
    case HR_T_TS: return hr_buf_printf(out, err, "ts%c:%s", units[t.unit], t.utc ? "UTC" : "");
    default: return hr_buf_append_str(out, plain[t.id], err);
    }
}

static int export_children(const struct hr_field *fields, int n, struct ArrowSchema *out,
                           struct hr_error *err);

static int export_field(const struct hr_field *field, struct ArrowSchema *out,
                        struct hr_error *err) {
    memset(out, 0, sizeof(*out));
    struct schema_private *priv = hr_calloc(1, sizeof(*priv));
    if (priv == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow schema");
    }
    out->private_data = priv;
    out->release = release_schema;
    hr_buf_init(&priv->format, 64);
    priv->name = hr_strdup(field->name);
    int rc = priv->name ? format_text(field->type, &priv->format, err)
                        : hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow schema");
    if (rc == 0) {
        out->format = hr_buf_cstr(&priv->format);
        out->name = priv->name;
        out->flags = field->nullable ? ARROW_FLAG_NULLABLE : 0;
        rc = export_children(field->children, field->n_children, out, err);
    }
    if (rc != 0) {
        release_schema(out);
    }
    return rc;
}

static int export_children(const struct hr_field *fields, int n, struct ArrowSchema *out,
                           struct hr_error *err) {
    if (n == 0) {
        return 0;
    }
    out->children = hr_calloc((size_t)n, sizeof(*out->children));
    if (out->children == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow schema");
    }
    out->n_children = n;
    int rc = 0;
    for (int i = 0; rc == 0 && i < n; i++) {
        out->children[i] = hr_calloc(1, sizeof(*out->children[i]));
        rc = out->children[i] ? export_field(&fields[i], out->children[i], err)
                              : hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow schema");
    }
    return rc;
}

int hr_schema_export(const struct hr_schema *schema, struct ArrowSchema *out,
                     struct hr_error *err) {
    char empty[1] = "";
    const struct hr_field root = {.name = empty,
                                  .type = {.id = HR_T_STRUCT},
                                  .n_children = schema->n_fields,
                                  .children = schema->fields};
    return export_field(&root, out, err);
}

/* ---- arrays ---- */

struct array_private {
    void *owned[3]; /* buffers from hr_big_alloc */
    const void *buffers[3];
};

static void release_array(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i] != NULL) {
            if (array->children[i]->release != NULL) {
                array->children[i]->release(array->children[i]);
            }
            hr_free(array->children[i]);
        }
    }
    hr_free(array->children);
    struct array_private *priv = array->private_data;
    for (int i = 0; priv != NULL && i < 3; i++) {
        hr_big_free(priv->owned[i]);
    }
    hr_free(priv);
    array->release = NULL;
}

static int new_array(struct ArrowArray *out, int64_t n_children, struct hr_error *err) {
    memset(out, 0, sizeof(*out));
    struct array_private *priv = hr_calloc(1, sizeof(*priv));
    if (priv == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow array");
    }
    out->private_data = priv;
    out->buffers = priv->buffers;
    out->release = release_array;
    if (n_children > 0) {
        out->children = hr_calloc((size_t)n_children, sizeof(*out->children));
        if (out->children == NULL) {
            return hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow array");
        }
        out->n_children = n_children;
        for (int64_t i = 0; i < n_children; i++) {
            out->children[i] = hr_calloc(1, sizeof(*out->children[i]));
            if (out->children[i] == NULL) {
                return hr_fail(err, HR_E_NOMEM, "could not allocate an Arrow array");
            }
        }
    }
    return 0;
}

/* Shapes first (may fail), then the move (cannot): a failed export leaves the batch whole. */
static int shape(const struct hr_vec *vec, struct ArrowArray *out, struct hr_error *err) {
    int rc = new_array(out, vec->n_children, err);
    for (int i = 0; rc == 0 && i < vec->n_children; i++) {
        rc = shape(&vec->children[i], out->children[i], err);
    }
    return rc;
}

static int prepare(struct hr_vec *vec, struct hr_error *err) {
    /* Offsets must exist even for zero values. */
    int rc = hr_vec_reserve(vec, 0, err);
    for (int i = 0; rc == 0 && i < vec->n_children; i++) {
        rc = prepare(&vec->children[i], err);
    }
    return rc;
}

static void move_vec(struct hr_vec *vec, struct ArrowArray *out) {
    struct array_private *priv = out->private_data;
    const struct hr_type type = vec->field->type;
    out->length = vec->len;
    out->null_count = vec->nulls;
    int n = 0;
    if (type.id != HR_T_NULL) {
        priv->owned[n] = vec->validity;
        out->buffers[n++] = vec->validity;
    } else {
        out->null_count = vec->len;
        hr_big_free(vec->validity);
    }
    if (hr_type_bytes(type) || type.id == HR_T_LIST || type.id == HR_T_MAP) {
        priv->owned[n] = vec->offsets;
        out->buffers[n++] = vec->offsets;
    }
    if (!hr_type_nested(type) && type.id != HR_T_NULL) {
        priv->owned[n] = vec->data;
        out->buffers[n++] = vec->data;
    }
    out->n_buffers = n;
    vec->validity = vec->data = NULL;
    vec->offsets = NULL;
    vec->validity_cap = vec->data_cap = vec->offsets_cap = vec->data_len = 0;
    vec->len = vec->nulls = 0;
    for (int i = 0; i < vec->n_children; i++) {
        move_vec(&vec->children[i], out->children[i]);
    }
}

int hr_batch_export(struct hr_batch *batch, struct ArrowArray *out, struct hr_error *err) {
    const int n = batch->schema->n_fields;
    int rc = new_array(out, n, err);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = prepare(&batch->vecs[i], err);
        if (rc == 0) {
            rc = shape(&batch->vecs[i], out->children[i], err);
        }
    }
    if (rc != 0) {
        if (out->release != NULL) {
            release_array(out);
        }
        return rc;
    }
    out->length = batch->len;
    out->n_buffers = 1;
    for (int i = 0; i < n; i++) {
        move_vec(&batch->vecs[i], out->children[i]);
    }
    batch->len = 0;
    return 0;
}
