/* tests/fuzz/fuzz_codec_gzip.c - any bytes through the gzip decoder. */
#define CODEC_FUZZ_NAME "gzip"
#include "codec_fuzz.h"
