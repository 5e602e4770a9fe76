#!/usr/bin/env bash
# The main job on the example lake, with no server: check, discover, sync, sync again, one new file.
# Everything happens below .demo/ of the repository; run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
headrace=$PWD/${BUILD:-build}/headrace
demo=$PWD/.demo

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
    printf '$ headrace %s\n' "$*"
    "$headrace" --no-color "$@"
}

rm -rf "$demo"
mkdir -p "$demo"
cp -r examples/lake examples/olake "$demo/"
rm -r "$demo/lake/shop/new"
sed -i "s|\"local_path\": \"out\"|\"local_path\": \"$demo/out\"|" "$demo/olake/destination.json"
cd "$demo/olake"

say "1. A lake: the folder lake/ stands for the object store, shop is a bucket in it"
run ls --recursive ../lake/shop/

say "2. check: can it be read, can the destination be written?"
run check --config source.json
run check --config source.json --destination destination.json

say "3. discover: every folder is a stream; streams.json holds columns and types"
run discover --config source.json >catalog.log
run schema ../lake/shop/sales/orders/

say "4. sync: everything is new"
sync=(sync --config source.json --catalog streams.json --destination destination.json
    --state state.json)
run "${sync[@]}"

say "5. sync again: nothing is"
run "${sync[@]}"

say "6. one file arrives; only it is read"
cp ../../examples/lake/shop/new/2024-04.csv ../lake/shop/sales/orders/
run "${sync[@]}"

say "7. the result: typed Parquet tables"
run ls --recursive ../out/
orders=$(find ../out -type d -name orders)
run head --columns order_id,customer_id,placed_at,item,quantity,price "$orders/"
printf 'orders: '
run count "$orders/" | tail -n 1

say "Next: point source.json at a bucket of yours (README.md, five-minute tour)"
