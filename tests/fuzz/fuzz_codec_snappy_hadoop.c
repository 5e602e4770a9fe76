/* tests/fuzz/fuzz_codec_snappy_hadoop.c - any bytes through the snappy-hadoop decoder. */
#define CODEC_FUZZ_NAME "snappy-hadoop"
#include "codec_fuzz.h"
