/* tests/fuzz/fuzz_codec_bzip2.c - any bytes through the bzip2 decoder. */
#define CODEC_FUZZ_NAME "bzip2"
#include "codec_fuzz.h"
