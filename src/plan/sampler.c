/* plan/sampler.c - which objects of a stream speak for it: the first, the newest, the rest spread
 * evenly.
 *
 * The stream's length is not known while it goes by, so every 2^k-th object is kept and k grows
 * when there are CANDIDATES_MAX of them. The choice depends on the objects and their order alone.
 */
#include "base/mem.h"
#include "plan/sample.h"

#define CANDIDATES_MAX 64

struct candidate {
    struct hr_sample sample;
    uint64_t number; /* of the object in the stream */
};

struct hr_sampler {
    size_t files;
    uint64_t seen, stride;
    struct candidate kept[CANDIDATES_MAX];
    size_t n_kept;
    struct candidate newest;
    struct hr_sample chosen[CANDIDATES_MAX]; /* texts belong to kept and newest */
};

struct hr_sampler *hr_sampler_new(int64_t files) {
    struct hr_sampler *sampler = hr_calloc(1, sizeof *sampler);
    if (sampler) {
        sampler->files = files < 1 ? 1 : files > CANDIDATES_MAX ? CANDIDATES_MAX : (size_t)files;
        sampler->stride = 1;
    }
    return sampler;
}

static int fill(struct candidate *to, const struct hr_object *object, uint64_t number,
                struct hr_error *err) {
    char *key = hr_strndup(object->key, object->key_len);
    if (key == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory for samples");
    }
    hr_free(to->sample.key);
    to->number = number;
    to->sample = (struct hr_sample){
        .key = key,
        .info = object->info,
        .format = object->format,
        .codec = object->codec,
        .codec_auto = object->codec_auto,
    };
    return 0;
}

/* Every other candidate goes; from now on every other object is looked at. */
static void thin_out(struct hr_sampler *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->n_kept; i++) {
        if (i % 2 == 0) {
            s->kept[n++] = s->kept[i];
        } else {
            hr_free(s->kept[i].sample.key);
        }
    }
    for (size_t i = n; i < s->n_kept; i++) {
        s->kept[i] = (struct candidate){0};
    }
    s->n_kept = n;
    s->stride *= 2;
}

int hr_sampler_add(struct hr_sampler *s, const struct hr_object *object, struct hr_error *err) {
    uint64_t number = s->seen++;
    int rc = 0;
    if (s->newest.sample.key == NULL || object->info.mtime_us >= s->newest.sample.info.mtime_us) {
        rc = fill(&s->newest, object, number, err);
    }
    if (rc == 0 && number % s->stride == 0 && s->n_kept == CANDIDATES_MAX) {
        thin_out(s);
    }
    if (rc == 0 && number % s->stride == 0) {
        rc = fill(&s->kept[s->n_kept], object, number, err);
        s->n_kept += rc == 0;
    }
    return rc;
}

static size_t add_chosen(struct hr_sampler *s, size_t n, const struct candidate *candidate,
                         uint64_t *last) {
    if (n && candidate->number <= *last) {
        return n;
    }
    *last = candidate->number;
    s->chosen[n] = candidate->sample;
    return n + 1;
}

size_t hr_sampler_choose(struct hr_sampler *s, const struct hr_sample **out) {
    size_t n = 0;
    uint64_t last = 0;
    bool newest_done = s->files < 2;
    /* The newest takes one place; when it is a candidate anyway, the place stays free. */
    size_t spread = s->files > 1 ? s->files - 1 : 1;
    spread = s->seen <= s->files ? s->n_kept : spread;
    for (size_t i = 0; i < spread && s->n_kept; i++) {
        size_t at = s->seen <= s->files ? i : i * s->n_kept / spread;
        const struct candidate *next = &s->kept[at];
        if (!newest_done && s->newest.number <= next->number) {
            n = add_chosen(s, n, &s->newest, &last);
            newest_done = true;
        }
        n = add_chosen(s, n, next, &last);
    }
    if (!newest_done && s->newest.sample.key) {
        n = add_chosen(s, n, &s->newest, &last);
    }
    *out = s->chosen;
    return n;
}

int hr_samples_copy(struct hr_sampler *sampler, struct hr_sample **out, size_t *out_count,
                    struct hr_error *err) {
    const struct hr_sample *chosen = NULL;
    size_t count = hr_sampler_choose(sampler, &chosen);
    struct hr_sample *copy = hr_calloc(count ? count : 1, sizeof *copy);
    size_t n = 0;
    for (; copy && n < count; n++) {
        copy[n] = chosen[n];
        copy[n].key = hr_strdup(chosen[n].key);
        if (copy[n].key == NULL) {
            break;
        }
    }
    if (n < count || copy == NULL) {
        hr_samples_free(copy, n);
        return hr_fail(err, HR_E_NOMEM, "out of memory for samples");
    }
    *out = copy;
    *out_count = count;
    return 0;
}

void hr_samples_free(struct hr_sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        hr_free(samples[i].key);
    }
    hr_free(samples);
}

void hr_sampler_free(struct hr_sampler *s) {
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n_kept; i++) {
        hr_free(s->kept[i].sample.key);
    }
    hr_free(s->newest.sample.key);
    hr_free(s);
}
