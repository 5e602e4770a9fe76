/* tests/fuzz/fuzz_codec_zlib.c - any bytes through the zlib decoder. */
#define CODEC_FUZZ_NAME "zlib"
#include "codec_fuzz.h"
