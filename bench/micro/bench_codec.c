/* bench/micro/bench_codec.c - CPU-seconds per GB of text for every codec, beside the floors.
 *
 * The text is made here: lines with the columns and widths of TPC-H lineitem. A file named on the
 * command line is used instead (its first 64 MiB). Prints `name value unit [floor]`. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "codec/codec.h"

enum { TEXT_LEN = 32 << 20, FILE_MAX = 64 << 20, RUNS = 3 };

static double cpu_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static uint64_t seed = 42;
static uint64_t next_random(void) {
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    return z ^ (z >> 27);
}
static unsigned below(unsigned n) {
    return (unsigned)(next_random() % n);
}

static void make_text(struct hr_buf *buf) {
    static const char *const modes[] = {"TRUCK", "MAIL", "REG AIR", "AIR", "FOB", "RAIL", "SHIP"};
    static const char *const instr[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                        "TAKE BACK RETURN"};
    static const char *const words[] = {
        "furiously", "carefully",   "quickly",      "special",  "requests",
        "deposits",  "accounts",    "packages",     "regular",  "express",
        "pending",   "ironic",      "final",        "blithely", "slyly",
        "even",      "theodolites", "instructions", "sleep",    "haggle",
        "nag",       "among the",   "above",        "across",   "according to the"};
    unsigned key = 1;
    while (buf->len < TEXT_LEN) {
        key += below(4) == 0 ? 1 + below(28) : 0;
        int rc = hr_buf_printf(
            buf, NULL,
            "%u,%u,%u,%u,%u,%u.%02u,0.0%u,0.0%u,%c,%c,199%u-%02u-%02u,199%u-%02u-%02u,%s,%s,\"",
            key, below(200000), below(10000), 1 + below(7), 1 + below(50), 900 + below(100000),
            below(100), below(10), below(9), "NAR"[below(3)], "OF"[below(2)], 2 + below(7),
            1 + below(12), 1 + below(28), 2 + below(7), 1 + below(12), 1 + below(28),
            instr[below(4)], modes[below(7)]);
        for (unsigned n = 2 + below(4); n > 0 && rc == 0; n--) {
            rc = hr_buf_printf(buf, NULL, "%s%s", words[below(25)], n > 1 ? " " : "\"\n");
        }
        if (rc != 0) {
            exit(1);
        }
    }
}

static void read_text(const char *path, struct hr_buf *buf) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || hr_buf_reserve(buf, FILE_MAX, NULL) != 0) {
        fprintf(stderr, "bench_codec: could not read %s\n", path);
        exit(1);
    }
    buf->len = fread(buf->ptr, 1, FILE_MAX, file);
    fclose(file);
}

static void print(const char *codec, const char *what, double seconds, size_t bytes, double floor) {
    char name[80];
    snprintf(name, sizeof(name), "codec.%s.%s", codec, what);
    printf("%s %.3f s/GB", name, seconds / ((double)bytes / 1e9));
    if (floor > 0) {
        printf(" %.2f", floor);
    }
    printf("\n");
}

static double stream_once(const struct hr_codec *codec, const struct hr_buf *packed, size_t want) {
    struct hr_source *src = NULL;
    struct hr_slice slice;
    double start = cpu_now();
    struct hr_source *inner = hr_source_mem("bench", packed->ptr, packed->len, 1 << 20);
    size_t got = 0;
    if (inner == NULL || hr_codec_source(codec, inner, NULL, &src, NULL) != 0) {
        exit(1);
    }
    while (hr_source_next(src, &slice, NULL) == 0) {
        got += slice.len;
    }
    hr_source_close(src);
    if (got != want) {
        fprintf(stderr, "bench_codec: %s gave %zu bytes for %zu\n", codec->name, got, want);
        exit(1);
    }
    return cpu_now() - start;
}

struct floors {
    const char *codec;
    double stream, block;
};

static void bench(const struct hr_codec *codec, const struct hr_buf *text) {
    static const struct floors floors[] = {{"gzip", 0.97, 0.81},    {"zstd", 0.74, 0.67},
                                           {"lz4-raw", 0, 0.22},    {"lz4-hadoop", 0.22, 0},
                                           {"snappy-raw", 0, 0.76}, {"snappy", 0.76, 0},
                                           {"brotli", 1.90, 0},     {"bzip2", 21.4, 0}};
    struct floors floor = {0};
    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        floor = strcmp(floors[i].codec, codec->name) == 0 ? floors[i] : floor;
    }
    /* bzip2 is forty times slower than the rest: a tenth of the text will do. */
    size_t len = strcmp(codec->name, "bzip2") == 0 ? text->len / 10 : text->len;
    struct hr_slice in = hr_slice_of(text->ptr, len);
    struct hr_buf packed;
    hr_buf_init(&packed, (size_t)1 << 30);
    double encode = 1e9, stream = 1e9, block = 1e9;
    size_t cap = 0;
    uint8_t *out = hr_big_alloc(len, &cap);
    for (int run = 0; run < RUNS; run++) {
        hr_buf_clear(&packed);
        double start = cpu_now();
        if (hr_codec_encode(codec, 0, in, &packed, NULL) != 0) {
            exit(1);
        }
        double took = cpu_now() - start;
        encode = took < encode ? took : encode;
        took = stream_once(codec, &packed, len);
        stream = took < stream ? took : stream;
        start = cpu_now();
        size_t made = len;
        if (codec->decode_block(hr_buf_slice(&packed), out, &made, NULL) != 0 || made != len) {
            exit(1);
        }
        took = cpu_now() - start;
        block = took < block ? took : block;
    }
    print(codec->name, "decode_stream", stream, len, floor.stream);
    print(codec->name, "decode_block", block, len, floor.block);
    print(codec->name, "encode", encode, len, 0);
    printf("codec.%s.ratio %.2f x\n", codec->name, (double)len / (double)packed.len);
    hr_big_free(out);
    hr_buf_release(&packed);
}

int main(int argc, char **argv) {
    struct hr_buf text;
    hr_buf_init(&text, (size_t)1 << 30);
    if (argc > 1) {
        read_text(argv[1], &text);
    } else {
        make_text(&text);
    }
    size_t count = 0;
    const struct hr_codec *const *all = hr_codec_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (all[i]->missing == NULL) {
            bench(all[i], &text);
        }
    }
    hr_buf_release(&text);
    hr_codec_thread_release();
    return 0;
}
