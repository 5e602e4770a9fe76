#!/usr/bin/env python3
"""Make the files of this folder with fastavro, each with NAME.json: what a reader must find (the name
up to its first dot, so that one table stands for all codecs).

Needs fastavro, cramjam and backports.zstd from PyPI. Records are written without fastavro's conversion of
logical types where the plain number is the value, so that the JSON holds what is stored: integers for
dates and times, text for decimals and UUIDs, "x:" and hex for bytes. A union of several types is
expected as the plain value. `"refused"` in place of records is a word of the message.
"""

import decimal
import json
import random
import uuid
from pathlib import Path

import fastavro

HERE = Path(__file__).parent
CODECS = ["null", "deflate", "snappy", "zstandard", "bzip2"]


def logical(avro_type, name, **more):
    return {"type": avro_type, "logicalType": name, **more}


TYPES = {
    "type": "record",
    "name": "types",
    "namespace": "org.example",
    "doc": "every type there is",
    "fields": [
        {"name": "nul", "type": "null"},
        {"name": "boo", "type": "boolean"},
        {"name": "int", "type": "int", "default": 3},
        {"name": "lon", "type": "long"},
        {"name": "flo", "type": "float"},
        {"name": "dou", "type": "double"},
        {"name": "byt", "type": "bytes"},
        {"name": "str", "type": "string"},
        {"name": "opt", "type": ["null", "string"]},
        {"name": "opt2", "type": ["long", "null"]},
        {"name": "one", "type": ["int"]},
        {"name": "wide", "type": ["null", "int", "long"]},
        {"name": "uni", "type": ["null", "string", "double", {"type": "array", "items": "int"}]},
        {
            "name": "col",
            "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN", "BLUE"]},
        },
        {"name": "again", "type": ["null", "org.example.Colour"]},
        {"name": "fix", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "fix2", "type": ["null", "Four"]},
        {"name": "arr", "type": {"type": "array", "items": ["null", "long"]}},
        {"name": "map", "type": {"type": "map", "values": "double"}},
        {
            "name": "rec",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Inner",
                    "fields": [
                        {"name": "a", "type": "int"},
                        {
                            "name": "b",
                            "type": {"type": "array", "items": {"type": "map", "values": "string"}},
                        },
                        {
                            "name": "c",
                            "type": [
                                "null",
                                {
                                    "type": "record",
                                    "name": "Leaf",
                                    "fields": [{"name": "z", "type": "boolean"}],
                                },
                            ],
                        },
                    ],
                },
            ],
        },
        {"name": "recs", "type": {"type": "array", "items": "Inner"}},
        {"name": "day", "type": logical("int", "date")},
        {"name": "tms", "type": logical("int", "time-millis")},
        {"name": "tus", "type": logical("long", "time-micros")},
        {"name": "sms", "type": logical("long", "timestamp-millis")},
        {"name": "sus", "type": ["null", logical("long", "timestamp-micros")]},
        {"name": "sns", "type": logical("long", "timestamp-nanos")},
        {"name": "lms", "type": logical("long", "local-timestamp-millis")},
        {"name": "lus", "type": logical("long", "local-timestamp-micros")},
        {"name": "dec", "type": logical("bytes", "decimal", precision=10, scale=2)},
        {"name": "dec2", "type": ["null", logical("bytes", "decimal", precision=60, scale=20)]},
        {
            "name": "dfx",
            "type": {
                "type": "fixed",
                "name": "Money",
                "size": 9,
                **logical("fixed", "decimal", precision=20, scale=4),
            },
        },
        {"name": "uid", "type": logical("string", "uuid")},
        {"name": "dur", "type": {**logical("fixed", "duration"), "name": "Dur", "size": 12}},
        {"name": "odd", "type": logical("string", "no-such-type")},
    ],
}


def inner(rnd, n):
    return {
        "a": n,
        "b": [{f"k{i}": "v" * i for i in range(rnd.randrange(4))} for _ in range(rnd.randrange(3))],
        "c": rnd.choice([None, {"z": n % 2 == 0}]),
    }


def row(rnd, n):
    big = rnd.choice(
        [
            0,
            1,
            -1,
            63,
            -64,
            64,
            8191,
            -8192,
            2**31 - 1,
            -(2**31),
            2**55,
            -(2**62),
            2**63 - 1,
            -(2**63),
        ]
    )
    small = max(-(2**31), min(2**31 - 1, big))
    digits = rnd.randrange(-(10**10) + 1, 10**10)
    return {
        "nul": None,
        "boo": n % 3 == 0,
        "int": small,
        "lon": big,
        "flo": n / 4,
        "dou": n / 3,
        "byt": bytes(rnd.randrange(256) for _ in range(n % 7)),
        "str": "żółw " * (n % 5),
        "opt": None if n % 2 else f"row {n}",
        "opt2": None if n % 5 == 0 else big,
        "one": n,
        "wide": rnd.choice([None, 5, 2**40]),
        "uni": rnd.choice([None, "text", 2.5, [1, 2, n]]),
        "col": rnd.choice(["RED", "GREEN", "BLUE"]),
        "again": rnd.choice([None, "BLUE"]),
        "fix": bytes([n % 256, 1, 2, 3]),
        "fix2": rnd.choice([None, b"abcd"]),
        "arr": [rnd.choice([None, i * big % 1000]) for i in range(n % 9)],
        "map": {f"key {i}": i / 8 for i in range(n % 4)},
        "rec": None if n % 4 == 0 else inner(rnd, n),
        "recs": [inner(rnd, i) for i in range(n % 3)],
        "day": n * 365 - 1000,
        "tms": n * 1000 % 86400000,
        "tus": n * 12345678 % 86400000000,
        "sms": n * 10**10 - 10**12,
        "sus": None if n % 3 == 0 else n * 10**13,
        "sns": n * 10**16,
        "lms": -n * 10**9,
        "lus": n * 10**12,
        "dec": decimal.Decimal(digits).scaleb(-2),
        "dec2": rnd.choice(
            [None, decimal.Decimal(digits**5).scaleb(-20, decimal.Context(prec=70))]
        ),
        "dfx": decimal.Decimal(digits * 10**8).scaleb(-4, decimal.Context(prec=40)),
        "uid": str(uuid.UUID(int=rnd.getrandbits(128))),
        "dur": bytes([n % 256, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0, 0]),
        "odd": "plain",
    }


def plain(value):
    if isinstance(value, bytes):
        return "x:" + value.hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def write(name, schema, records, codec="null", interval=16000, sync=None):
    expected = records if isinstance(records, dict) else {"records": [plain(r) for r in records]}
    with open(HERE / f"{name}.avro", "wb") as out:
        fastavro.writer(
            out,
            schema,
            [] if isinstance(records, dict) else records,
            codec=codec,
            sync_interval=interval,
            sync_marker=sync or bytes(range(16)),
            strict=False,
        )
    if codec in ("null", "xz"):
        (HERE / f"{name}.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")


def main():
    rnd = random.Random(5)
    rows = [row(rnd, n) for n in range(40)]
    for codec in CODECS:
        write("types" if codec == "null" else f"types.{codec}", TYPES, rows, codec, interval=3000)
    write("empty", TYPES, [])
    write("string", "string", ["a", "", "żółw"])
    write("union", ["null", "int", "string"], [None, 1, "x", None])
    write("array", {"type": "array", "items": "long"}, [[1, 2], [], [-(2**63)]])
    write("enum", {"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["B", "A"])
    same = {"type": "record", "name": "P", "fields": [{"name": "x", "type": "double"}]}
    write(
        "namespaces",
        {
            "type": "record",
            "name": "a.b.R",
            "fields": [
                {"name": "p", "type": {**same, "namespace": "c"}},
                {"name": "q", "type": "c.P"},
                {"name": "r", "type": {**same}},
                {"name": "s", "type": "P"},
                {"name": "t", "type": "a.b.P"},
            ],
        },
        [{k: {"x": i + ord(k) / 2} for k in "pqrst"} for i in range(3)],
    )
    tree = {
        "type": "record",
        "name": "Node",
        "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "Node"]}],
    }
    write("recursive", tree, {"refused": "contains itself"})
    deep = "int"
    for _ in range(70):
        deep = {"type": "array", "items": deep}
    write("deep", deep, {"refused": "deeper than 64 levels"})
    nested = "int"
    value = 7
    for _ in range(60):
        nested = {"type": "array", "items": nested}
        value = [value]
    write("deep-60", nested, [value, []])
    write("xz", "int", {"refused": "xz is not built in"}, codec="xz")


main()
