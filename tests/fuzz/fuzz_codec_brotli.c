/* tests/fuzz/fuzz_codec_brotli.c - any bytes through the brotli decoder. */
#define CODEC_FUZZ_NAME "brotli"
#include "codec_fuzz.h"
