/* tests/fuzz/fuzz_codec_snappy.c - any bytes through the snappy decoder. */
#define CODEC_FUZZ_NAME "snappy"
#include "codec_fuzz.h"
