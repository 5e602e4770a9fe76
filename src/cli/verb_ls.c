/* cli/verb_ls.c - `headrace ls`: a folder, or with --recursive every key below it. */
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/time.h"
#include "cli/cli.h"
#include "plan/select.h"

#define OUT_FLUSH ((size_t)256 << 10)

struct listing {
    const struct hr_cli *cli;
    struct hr_buf out;
    int64_t objects, bytes;
    bool any;
    const char *glob; /* only keys of this pattern, which starts behind skip bytes; NULL: all */
    size_t skip;
};

static int flush_lines(struct listing *l, bool force, struct hr_error *err) {
    if (l->out.len < OUT_FLUSH && !force) {
        return 0;
    }
    if (l->out.len > 0 && fwrite(l->out.ptr, 1, l->out.len, stdout) != l->out.len) {
        return hr_fail(err, HR_E_IO, "could not write to standard output");
    }
    hr_buf_clear(&l->out);
    return 0;
}

static int json_line(struct listing *l, const struct hr_list_item *item, struct hr_error *err) {
    char when[48];
    const size_t n =
        hr_format_timestamp(item->info.mtime_us / 1000000,
                            (int32_t)(item->info.mtime_us % 1000000) * 1000, -1, 'T', "Z", when);
    when[n] = '\0';
    int rc = hr_buf_append_str(&l->out, "{\"key\":", err);
    if (rc == 0) {
        rc = hr_buf_append_json(&l->out, hr_slice_of(item->key, item->key_len), err);
    }
    if (rc == 0 && item->is_prefix) {
        rc = hr_buf_append_str(&l->out, ",\"folder\":true}\n", err);
    } else if (rc == 0) {
        rc = hr_buf_printf(&l->out, err,
                           ",\"size\":%lld,\"last_modified\":\"%s\",\"etag\":\"%s\"}\n",
                           (long long)item->info.size, when, item->info.etag);
    }
    return rc;
}

static int text_line(struct listing *l, const struct hr_list_item *item, struct hr_error *err) {
    int rc = hr_buf_reserve(&l->out, item->key_len * 4 + 128, err);
    if (rc != 0) {
        return rc;
    }
    char *p = (char *)l->out.ptr + l->out.len;
    if (item->is_prefix) {
        memset(p, ' ', 32);
        p += 32;
    } else {
        p += hr_format_timestamp(item->info.mtime_us / 1000000, 0, 0, ' ', "", p);
        char size[24];
        const size_t n = hr_format_i64(item->info.size, size);
        const size_t pad = n < 12 ? 12 - n : 0;
        memset(p, ' ', pad);
        memcpy(p + pad, size, n);
        p += pad + n;
        *p++ = ' ';
    }
    for (size_t i = 0; i < item->key_len; i++) { /* keys are untrusted: no control bytes */
        const unsigned char c = (unsigned char)item->key[i];
        if (c < 0x20 || c == 0x7f) {
            p += snprintf(p, 5, "\\x%02x", c);
        } else {
            *p++ = (char)c;
        }
    }
    *p++ = '\n';
    l->out.len = (size_t)(p - (char *)l->out.ptr);
    return 0;
}

static bool wanted(const struct listing *l, const struct hr_list_item *item) {
    if (l->glob == NULL) {
        return true;
    }
    size_t n = item->key_len > l->skip ? item->key_len - l->skip : 0;
    n -= n > 0 && item->is_prefix; /* a folder without its slash */
    return hr_glob_match(l->glob, item->key + l->skip, n);
}

static int show(struct listing *l, const struct hr_list_item *item, struct hr_error *err) {
    if (!wanted(l, item)) {
        return 0;
    }
    l->objects += !item->is_prefix;
    l->any = true;
    l->bytes += item->is_prefix ? 0 : item->info.size;
    const int rc = l->cli->json ? json_line(l, item, err) : text_line(l, item, err);
    return rc == 0 ? flush_lines(l, false, err) : rc;
}

static int list_folder(struct listing *l, struct hr_store *store, const char *prefix,
                       struct hr_error *err) {
    struct hr_list_page page = {0};
    char *token = NULL;
    int rc = 0;
    do {
        const struct hr_list_query q = {.prefix = prefix, .delimiter = "/", .token = token};
        rc = store->driver->list(store, &q, &page, err);
        for (size_t i = 0; rc == 0 && i < page.count; i++) {
            rc = show(l, &page.items[i], err);
        }
        hr_free(token);
        token = rc == 0 ? hr_strdup(page.next_token) : NULL;
    } while (rc == 0 && token != NULL);
    hr_list_page_release(&page);
    hr_free(token);
    return rc;
}

static int list_all(struct listing *l, struct hr_store *store, const char *prefix,
                    struct hr_error *err) {
    struct hr_lister *lister = NULL;
    const struct hr_lister_conf conf = {
        .store = store, .prefix = prefix, .width = store->caps & HR_CAP_LOCAL ? 1 : 8};
    int rc = hr_lister_open(&conf, &lister, err);
    while (rc == 0) {
        const struct hr_list_item *item;
        rc = hr_lister_next(lister, &item, err);
        if (rc == 0) {
            rc = show(l, item, err);
        }
        if (rc == 0 && hr_cancelled) {
            rc = hr_fail(err, HR_E_CANCELLED, "interrupted");
        }
    }
    hr_lister_close(lister);
    return rc == HR_END ? 0 : rc;
}

/* What to list of the place: everything below a prefix, one level of it, or what fits a pattern. */
static int list_place(struct listing *l, struct hr_store *store, const struct hr_settings *settings,
                      struct hr_error *err) {
    const struct hr_place *place = &settings->place;
    bool literal = false;
    char *head = NULL;
    const char *prefix = place->object ? place->object : place->prefix;
    int rc = hr_scan_literal(store, place, &literal, err);
    if (rc == 0 && literal) {
        prefix = place->literal;
    } else if (rc == 0 && settings->files.glob) {
        l->glob = settings->files.glob;
        l->skip = strlen(place->prefix);
        prefix = head = hr_select_list_prefix(settings);
        rc = head ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a name");
    }
    if (rc == 0) {
        const bool deep = l->glob && (strchr(l->glob, '/') || strstr(l->glob, "**"));
        rc = l->cli->recursive || deep ? list_all(l, store, prefix, err)
                                       : list_folder(l, store, prefix, err);
    }
    hr_free(head);
    return rc;
}

int hr_verb_ls(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_settings settings;
    struct hr_store *store = NULL;
    struct listing l = {.cli = cli};
    hr_error_clear(&err);
    hr_buf_init(&l.out, 0);
    int rc = hr_cli_url_settings(cli, cli->args[0], &settings, &err);
    if (rc != 0) {
        return hr_cli_fail(cli, &err);
    }
    rc = hr_run_open_store(&settings, &settings.place, true, &store, &err);
    if (rc == 0) {
        rc = list_place(&l, store, &settings, &err);
    }
    if (rc == 0) {
        rc = flush_lines(&l, true, &err);
    }
    const struct hr_place *place = &settings.place;
    const bool named = place->object || place->literal || (place->prefix && *place->prefix);
    if (rc == 0 && !l.any && named) {
        rc = hr_fail(&err, HR_E_NO_OBJECT, "could not find anything at '%s'", cli->args[0]);
        hr_error_hint(&err,
                      "check the name; `headrace ls` of the folder above shows what is there");
    }
    const int status = rc == 0 ? 0 : hr_cli_fail(cli, &err);
    if (rc == 0 && cli->recursive && !cli->json && !hr_cli_quiet(cli)) {
        char size[32];
        hr_cli_size((double)l.bytes, size, sizeof(size));
        fprintf(stderr, "%lld objects, %s\n", (long long)l.objects, size);
    }
    hr_buf_release(&l.out);
    hr_store_close(store);
    hr_settings_release(&settings);
    return status;
}
