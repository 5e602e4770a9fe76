/* plan/lister_split.c - guessing a key in the middle of keys nobody has listed yet.
 *
 * Keys that come in large numbers are numbers in disguise: file-000123, 9f3a…, 2024-01-15. The part
 * where the first and last key of a page differ is read as a number in the smallest alphabet that
 * holds it (digits, hex, letters and digits), the page says how far a thousand keys reach, and a
 * number further on, written back into the key, is a fair guess at where to start another listing.
 * A wrong guess costs one request.
 */
#include <string.h>

#include "plan/lister_internal.h"

#define DIGITS                                                                                     \
    10 /* places looked at: 64^10 fits a double's range of exact comparisons well enough */

/* A range that seems to hold fewer pages than this is left alone. */
#define PAGES_WORTH_CUTTING 4

static const char *const alphabets[] = {
    "0123456789",
    "0123456789abcdef",
    "0123456789ABCDEF",
    "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
};

/* The smallest alphabet that holds all of text; NULL: none does. */
static const char *alphabet_of(const char *a, const char *b) {
    for (size_t i = 0; i < sizeof alphabets / sizeof *alphabets; i++) {
        if (a[strspn(a, alphabets[i])] == 0 && b[strspn(b, alphabets[i])] == 0) {
            return alphabets[i];
        }
    }
    return NULL;
}

/* Up to DIGITS places of text from its start, cut at the first '/' or extension. */
static void digits_of(const char *text, char out[DIGITS + 1]) {
    size_t n = 0;
    while (n < DIGITS && text[n] && text[n] != '/') {
        out[n] = text[n];
        n++;
    }
    out[n] = 0;
}

static double value_of(const char *digits, const char *alphabet) {
    double base = (double)strlen(alphabet);
    double value = 0;
    size_t len = strlen(digits);
    for (size_t i = 0; i < DIGITS; i++) {
        const char *at = i < len ? strchr(alphabet, digits[i]) : NULL;
        double digit = 0;
        if (at) {
            digit = (double)(at - alphabet);
        } else if (i < len) { /* not of the alphabet: the places below it */
            for (const char *p = alphabet; *p && *p < digits[i]; p++) {
                digit = (double)(p - alphabet);
            }
        }
        value = value * base + digit;
    }
    return value;
}

static bool digits_from(double value, const char *alphabet, char out[DIGITS + 1]) {
    double base = (double)strlen(alphabet);
    double top = 1;
    for (int i = 0; i < DIGITS; i++) {
        top *= base;
    }
    if (!(value >= 0) || value >= top) {
        return false;
    }
    double place = top / base;
    for (int i = 0; i < DIGITS; i++) {
        int digit = (int)(value / place);
        int last = (int)base - 1;
        digit = digit > last ? last : digit;
        out[i] = alphabet[digit];
        value -= digit * place;
        value = value < 0 ? 0 : value;
        place /= base;
    }
    out[DIGITS] = 0;
    return true;
}

/* Where the varying number starts: the common part of both keys, less the digits before it. */
static size_t number_start(const char *first, const char *last) {
    size_t at = 0;
    while (first[at] && first[at] == last[at]) {
        at++;
    }
    size_t back = 0;
    while (at > 0 && back < 6 && last[at - 1] >= '0' && last[at - 1] <= '9') {
        at--;
        back++;
    }
    return at;
}

bool hr_guess_split(const char *first, const char *last, const char *end, double ahead,
                    char out[HR_KEY_MAX]) {
    char a[DIGITS + 1];
    char b[DIGITS + 1];
    char made[DIGITS + 1];
    size_t start = number_start(first, last);
    digits_of(first + start, a);
    digits_of(last + start, b);
    /* Trailing letters (an extension) do not say which alphabet the number is in. */
    size_t a_cut = strcspn(a, ".");
    size_t b_cut = strcspn(b, ".");
    a[a_cut] = 0;
    b[b_cut] = 0;
    const char *alphabet = alphabet_of(a, b);
    if (alphabet == NULL || start + DIGITS >= HR_KEY_MAX) {
        return false;
    }
    double low = value_of(a, alphabet);
    double high = value_of(b, alphabet);
    double page = high - low;
    double guess = high + page * ahead;
    if (end && strncmp(end, last, start) == 0) {
        char limit[DIGITS + 1];
        digits_of(end + start, limit);
        double room = value_of(limit, alphabet) - high;
        if (room < page * PAGES_WORTH_CUTTING) {
            return false;
        }
        guess = high + room / 2;
    }
    if (page <= 0 || !digits_from(guess, alphabet, made)) {
        return false;
    }
    memcpy(out, last, start);
    memcpy(out + start, made, DIGITS + 1);
    return strcmp(out, last) > 0 && (end == NULL || strcmp(out, end) < 0);
}

/* ---- how many at a time ---------------------------------------------------------------------- */

#define PACE_QUICK_NS 10000000 /* a page that comes sooner says nothing against width */
#define PACE_AGAIN_PAGES 64    /* alone this long before width is tried again */

void hr_list_pace_page(struct hr_list_pace *pace, int width, int beside, int64_t ns) {
    pace->since++;
    if (beside == 1 && ns >= PACE_QUICK_NS) {
        pace->alone_ns = pace->alone_ns ? (pace->alone_ns * 3 + ns) / 4 : ns;
        if (pace->allowed == 1 && pace->since >= PACE_AGAIN_PAGES) {
            pace->allowed = 2;
        }
        return;
    }
    /* n pages at once each as quick as one alone make 1.0, a server that gains nothing 1/n. */
    pace->quick += ns < PACE_QUICK_NS ? 1 : (double)pace->alone_ns / (double)ns;
    if (++pace->judged < pace->allowed) {
        return;
    }
    const double mean = pace->quick / pace->judged;
    if (mean * 2 >= 1 + 1.0 / pace->allowed) {
        pace->allowed = pace->allowed * 2 < width ? pace->allowed * 2 : width;
    } else if (mean < 0.5) { /* half as many would have given as much */
        pace->allowed = (pace->allowed + 1) / 2;
        pace->since = 0;
    }
    pace->judged = 0;
    pace->quick = 0;
}
