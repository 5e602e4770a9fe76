/* tests/fuzz/fuzz_codec_snappy_raw.c - any bytes through the snappy-raw decoder. */
#define CODEC_FUZZ_NAME "snappy-raw"
#include "codec_fuzz.h"
