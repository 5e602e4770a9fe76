/* tests/fuzz/fuzz_codec_lz4_raw.c - any bytes through the lz4-raw decoder. */
#define CODEC_FUZZ_NAME "lz4-raw"
#include "codec_fuzz.h"
