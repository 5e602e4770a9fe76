/* config/nearest.c - "did you mean": the known name nearest to a misspelt one.
 *
 * Optimal string alignment distance (insert, delete, replace, swap of neighbours) over names whose
 * case,
 * '_' and '-' are taken out, so that AccessKeyId finds access_key_id at once. A name counts as near
 * when at most a third of its letters differ.
 */
#include <ctype.h>

#include "config/option.h"

#define NAME_MAX_LEN 48

static size_t plain(const char *name, char *out) {
    size_t n = 0;
    for (; *name && n < NAME_MAX_LEN; name++) {
        if (*name != '_' && *name != '-' && *name != ' ') {
            out[n++] = (char)tolower((unsigned char)*name);
        }
    }
    return n;
}

static int min2(int a, int b) {
    return a < b ? a : b;
}

static int distance(const char *a, size_t a_len, const char *b, size_t b_len) {
    int rows[3][NAME_MAX_LEN + 1];
    int *before = rows[0];
    int *last = rows[1];
    int *now = rows[2];
    for (size_t j = 0; j <= b_len; j++) {
        last[j] = (int)j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int cost = a[i - 1] != b[j - 1];
            now[j] = min2(min2(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = min2(now[j], before[j - 2] + 1);
            }
        }
        int *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}

const char *hr_nearest_name(const char *name, const char *const *names, size_t count) {
    char wanted[NAME_MAX_LEN];
    char other[NAME_MAX_LEN];
    size_t wanted_len = plain(name, wanted);
    const char *best = NULL;
    const size_t allowed = (wanted_len + 2) / 3;
    int best_distance = (int)allowed + 1;
    for (size_t i = 0; i < count; i++) {
        size_t other_len = plain(names[i], other);
        if (other_len > wanted_len + allowed || wanted_len > other_len + allowed) {
            continue; /* as far apart as their lengths at least */
        }
        int d = distance(wanted, wanted_len, other, other_len);
        if (d < best_distance) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}
