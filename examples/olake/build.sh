#!/usr/bin/env bash
# Olake's `./build.sh driver-s3 VERB ...` with headrace behind it: swap the program, keep the files.
set -euo pipefail
if [ "${1:-}" != driver-s3 ]; then
    echo "usage: build.sh driver-s3 spec|check|discover|sync|clear-destination [options]" >&2
    exit 2
fi
shift
headrace=${HEADRACE:-$(dirname "$0")/../../build/headrace}
exec "$headrace" "$@"
