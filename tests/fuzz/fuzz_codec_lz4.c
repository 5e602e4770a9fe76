/* tests/fuzz/fuzz_codec_lz4.c - any bytes through the lz4 decoder. */
#define CODEC_FUZZ_NAME "lz4"
#include "codec_fuzz.h"
