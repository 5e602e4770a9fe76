/* format/json/json_types.h - which types values have: a tree that grows as values are seen.
 *
 * Used twice: to infer a schema from a sample, and by the reader to say which wider schema a batch
 * would have needed. Level 3, private to this folder.
 */
#ifndef HR_FORMAT_JSON_TYPES_H
#define HR_FORMAT_JSON_TYPES_H

#include "batch/schema.h"
#include "format/json/json_lex.h"

#define HR_J_COLUMNS_MAX 10000 /* columns of a schema */
#define HR_J_MEMBERS_MAX                                                                           \
    1000 /* keys of a nested object; more of them: a map in disguise, kept as text */
#define HR_J_LEVELS_MAX 32 /* typed nesting; deeper values are kept as text */

/* How values become types. */
struct hr_j_rules {
    bool strings;     /* look for dates and timestamps in strings */
    bool decimal;     /* decimals instead of doubles */
    bool nested_text; /* objects and arrays are JSON text */
    bool flatten;     /* objects become dotted columns … */
    int flatten_max;  /* … down to this depth */
    const char *separator;
};

struct hr_j_member;

/* What was seen in one place. */
struct hr_j_types {
    bool null, object, array, opaque; /* opaque: nested, but only as text */
    struct hr_type scalar;            /* meet of all scalars, HR_T_NULL none */
    struct hr_j_types *item;          /* of arrays */
    struct hr_j_member **members;     /* of objects, in the order first seen */
    int n_members, cap_members;
    uint32_t *index; /* open addressing over members, 1-based; NULL while there are few */
    uint32_t index_mask;
};

struct hr_j_member {
    struct hr_j_types types;
    size_t name_len;
    char name[];
};

void hr_j_types_release(struct hr_j_types *types);
/* The member of this name, added when new; NULL: no memory. */
struct hr_j_types *hr_j_types_member(struct hr_j_types *types, const char *name, size_t len);

/* Note one checked value at level `level` (0: a record, 1: a value of a record). `lex` walks it
 * again: the lexer that checked it, its window unmoved. */
int hr_j_types_note(struct hr_j_types *types, const struct hr_j_rules *rules, int level,
                    struct hr_j_lex *lex, const struct hr_j_token *token, struct hr_error *err);
/* The type of one scalar: what inference would answer. */
struct hr_type hr_j_scalar_type(const struct hr_j_token *token, const struct hr_j_rules *rules);

/* Columns for the members of `types` (a record), flattened or nested as the rules say. */
int hr_j_types_schema(const struct hr_j_types *types, const struct hr_j_rules *rules,
                      struct hr_schema **out, struct hr_error *err);
/* One column of this name. */
int hr_j_types_field(const struct hr_j_types *types, const struct hr_j_rules *rules,
                     const char *name, struct hr_field *out, struct hr_error *err);

/* The name a key has as a column: escapes decoded, NUL replaced (names are C strings). dst has room
 * for 3 * raw.len + 1; returns the length. */
size_t hr_j_key_name(const struct hr_j_token *key, char *dst);

#endif
