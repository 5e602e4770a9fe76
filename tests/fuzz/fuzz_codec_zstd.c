/* tests/fuzz/fuzz_codec_zstd.c - any bytes through the zstd decoder. */
#define CODEC_FUZZ_NAME "zstd"
#include "codec_fuzz.h"
