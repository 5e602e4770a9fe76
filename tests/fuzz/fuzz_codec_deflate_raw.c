/* tests/fuzz/fuzz_codec_deflate_raw.c - any bytes through the deflate-raw decoder. */
#define CODEC_FUZZ_NAME "deflate-raw"
#include "codec_fuzz.h"
