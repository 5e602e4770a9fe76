/* state.json and streams.json with any byte changed, or cut anywhere. A state is refused with its
 * name, or what headrace kept in it is still whole and where it was; never is it taken for "nothing
 * was read". */
#include <string.h>

#include "dialect/dialect.h"
#include "state/band.h"
#include "support.h"

static const struct hr_dialect *const d = &hr_dialect_olake;
static const uint8_t flips[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};

static json_t *band_json(void) {
    struct hr_band *band = NULL;
    json_t *own = json_object();
    assert_int_equal(hr_band_new(86400, &band, NULL), 0);
    hr_band_begin(band, 1735689600000000);
    for (int i = 0; i < 5; i++) {
        struct hr_object_info info = {.size = i, .mtime_us = 1735689600000000 - i * 30000000000};
        char key[24];
        snprintf(key, sizeof(key), "data/k%d", i);
        snprintf(info.etag, sizeof(info.etag), "e%d", i);
        assert_int_equal(hr_band_note(band, key, &info, NULL), 0);
    }
    assert_int_equal(hr_band_finish(band, NULL), 0);
    assert_int_equal(hr_band_to_json(band, own, NULL), 0);
    json_object_set_new(own, "lineage", json_string("abcdefghjk"));
    json_object_set_new(own, "seq", json_integer(7));
    hr_band_free(band);
    return own;
}

/* Two streams, as a sync writes them. */
static void sample(struct hr_buf *out) {
    struct hr_state_doc *doc = NULL;
    struct hr_error err;
    assert_rc(d->state_read(hr_slice_str(""), "s", &doc, &err), 0, &err);
    static const char *const names[] = {"events", "users"};
    for (int i = 0; i < 2; i++) {
        struct hr_stream_state s = {.present = true,
                                    .cursor = hr_strdup("2025-01-01T00:00:00Z"),
                                    .chunks = json_array(),
                                    .headrace = band_json()};
        char hash[33];
        assert_rc(d->state_hash(&s, hash, &err), 0, &err);
        json_object_set_new(s.headrace, "hash", json_string(hash));
        assert_rc(d->state_set(doc, "s3", names[i], &s, &err), 0, &err);
        hr_stream_state_release(&s);
    }
    hr_buf_init(out, 0);
    assert_rc(d->state_write(doc, out, &err), 0, &err);
    d->state_free(doc);
}

/* What is kept of one stream, without the seal's place among its members mattering. */
static json_t *kept(const struct hr_state_doc *doc, const char *stream, bool *seen_changed) {
    struct hr_stream_state s;
    struct hr_error err;
    hr_error_clear(&err);
    if (d->state_get(doc, "s3", stream, &s, &err) != 0) {
        assert_int_equal(err.code, HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        return NULL;
    }
    assert_true(s.present);
    assert_non_null(s.headrace);
    const char *hash = json_string_value(json_object_get(s.headrace, "hash"));
    *seen_changed = strcmp(hash, s.hash) != 0;
    json_t *own = json_incref(s.headrace);
    hr_stream_state_release(&s);
    return own;
}

struct tally {
    int refused, same, other;
};

static void judge(struct hr_slice text, json_t *const want[2], struct tally *t) {
    struct hr_state_doc *doc = NULL;
    struct hr_error err;
    hr_error_clear(&err);
    if (d->state_read(text, "state.json", &doc, &err) != 0) {
        assert_int_equal(err.code, HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        assert_true(err.hint[0] != '\0');
        t->refused++;
        return;
    }
    static const char *const names[] = {"events", "users"};
    for (int i = 0; i < 2; i++) {
        bool changed = false;
        json_t *own = kept(doc, names[i], &changed);
        if (own != NULL) {
            assert_true(json_equal(own, want[i]));
            t->same += !changed;
            t->other += changed; /* what Olake sees was changed: its cursor wins, said aloud */
        } else {
            t->refused++;
        }
        json_decref(own);
    }
    d->state_free(doc);
}

static void no_byte_makes_it_forget(void **state) {
    (void)state;
    struct hr_buf text;
    struct hr_state_doc *doc = NULL;
    struct tally t = {0};
    json_t *want[2];
    bool changed;
    sample(&text);
    assert_int_equal(d->state_read(hr_buf_slice(&text), "state.json", &doc, NULL), 0);
    want[0] = kept(doc, "events", &changed);
    want[1] = kept(doc, "users", &changed);
    d->state_free(doc);
    for (size_t i = 0; i < text.len; i++) {
        for (size_t k = 0; k < sizeof(flips); k++) {
            text.ptr[i] ^= flips[k];
            judge(hr_buf_slice(&text), want, &t);
            text.ptr[i] ^= flips[k];
        }
        if (i > 0) {
            judge(hr_slice_of(text.ptr, i), want, &t);
        }
    }
    assert_true(t.refused > 5 * (int)text.len);
    assert_true(t.other > 0); /* a digit of the cursor: a document Olake might have written */
    json_decref(want[0]);
    json_decref(want[1]);
    hr_buf_release(&text);
}

/* The whole part moved to the other stream, or under another name, or twice. */
static void parts_stay_where_they_belong(void **state) {
    (void)state;
    struct hr_buf text;
    sample(&text);
    json_t *doc = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    json_t *streams = json_object_get(doc, "streams");
    json_t *first = json_object_get(json_array_get(streams, 0), "state");
    json_t *second = json_object_get(json_array_get(streams, 1), "state");
    for (int how = 0; how < 4; how++) {
        json_t *a = json_deep_copy(json_object_get(first, "_headrace"));
        json_t *b = json_deep_copy(json_object_get(second, "_headrace"));
        if (how == 0) { /* exchanged */
            json_object_set(first, "_headrace", b);
            json_object_set(second, "_headrace", a);
        } else if (how == 1) { /* another version */
            json_object_set_new(json_object_get(first, "_headrace"), "v", json_integer(3));
        } else if (how == 2) { /* under another name */
            json_object_set(first, "headrace", a);
            json_object_del(first, "_headrace");
        } else { /* without its seal */
            json_object_del(json_object_get(first, "_headrace"), "seal");
        }
        char *changed = json_dumps(doc, JSON_COMPACT);
        struct hr_state_doc *out = NULL;
        struct hr_error err;
        hr_error_clear(&err);
        assert_int_equal(d->state_read(hr_slice_str(changed), "state.json", &out, &err),
                         HR_E_STATE);
        assert_non_null(strstr(err.message, "state.json"));
        assert_true(err.hint[0] != '\0');
        free(changed);
        json_object_del(first, "headrace");
        json_object_set_new(first, "_headrace", a);
        json_object_set_new(second, "_headrace", b);
    }
    /* Written by another program with blanks and another order of members: it holds. */
    char *pretty = json_dumps(doc, JSON_INDENT(4) | JSON_SORT_KEYS);
    struct hr_state_doc *out = NULL;
    struct hr_error err;
    assert_rc(d->state_read(hr_slice_str(pretty), "state.json", &out, &err), 0, &err);
    d->state_free(out);
    free(pretty);
    json_decref(doc);
    hr_buf_release(&text);
}

/* A catalog is the user's: another document may be meant. But no change crashes, and what is
 * refused is named. */
static void no_byte_of_a_catalog_crashes(void **state) {
    (void)state;
    static const char text[] =
        "{\"selected_streams\":{\"s3\":[{\"stream_name\":\"events\",\"normalization\":true,"
        "\"partition_regex\":\"\"}]},\"streams\":[{\"stream\":{\"name\":\"events\",\"namespace\":"
        "\"s3\",\"sync_mode\":\"incremental\",\"type_schema\":{\"properties\":{\"id\":{\"type\":["
        "\"integer\",\"null\"]}}}}}]}";
    struct hr_settings settings;
    char copy[sizeof(text)];
    int refused = 0;
    assert_int_equal(hr_settings_init(&settings, NULL), 0);
    memcpy(copy, text, sizeof(text));
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        for (size_t k = 0; k < sizeof(flips); k++) {
            copy[i] = (char)(copy[i] ^ (char)flips[k]);
            json_t *doc = json_loads(copy, JSON_REJECT_DUPLICATES, NULL);
            struct hr_catalog catalog;
            struct hr_error err;
            hr_error_clear(&err);
            if (doc != NULL) {
                if (d->catalog_read(doc, "streams.json", &settings, &catalog, &err) != 0) {
                    assert_true(err.code == HR_E_STATE || err.code == HR_E_CONFIG ||
                                err.code == HR_E_NO_STREAM);
                    assert_true(err.message[0] != '\0');
                    refused++;
                } else {
                    hr_catalog_release(&catalog);
                }
            }
            json_decref(doc);
            copy[i] = text[i];
        }
    }
    assert_true(refused > 0);
    hr_settings_release(&settings);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_byte_makes_it_forget),
                                       cmocka_unit_test(parts_stay_where_they_belong),
                                       cmocka_unit_test(no_byte_of_a_catalog_crashes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
