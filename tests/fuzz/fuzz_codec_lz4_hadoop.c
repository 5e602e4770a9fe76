/* tests/fuzz/fuzz_codec_lz4_hadoop.c - any bytes through the lz4-hadoop decoder. */
#define CODEC_FUZZ_NAME "lz4-hadoop"
#include "codec_fuzz.h"
