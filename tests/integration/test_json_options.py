"""JSON and JSON lines: every option through `copy`, held to Python, pyarrow, DuckDB and Polars."""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from conftest import Headrace, Result

Rows = list[dict[str, Any]]
FLAT = {"json_flatten": "true"}


@pytest.fixture
def run(tmp_path: Path, headrace_local: Headrace) -> Callable[..., Result]:
    """`run(data, name=…, json_x=…)` copies the bytes to out.parquet and gives how it ended."""

    def go(data: str | bytes, name: str = "in.json", **options: str) -> Result:
        raw = data.encode() if isinstance(data, str) else data
        (tmp_path / name).write_bytes(raw)
        (tmp_path / "out.parquet").unlink(missing_ok=True)
        words = [w for key, value in options.items() for w in ("--set", f"{key}={value}")]
        return headrace_local("copy", name, "out.parquet", *words, cwd=tmp_path)

    return go


@pytest.fixture
def read(tmp_path: Path, run: Callable[..., Result]) -> Callable[..., Rows]:
    """The rows of what `run` wrote."""

    def go(data: str | bytes, name: str = "in.json", **options: str) -> Rows:
        result = run(data, name, **options)
        assert result.code == 0, result.err
        return pq.read_table(tmp_path / "out.parquet").to_pylist()

    return go


def test_json_test_suite(run: Callable[..., Result], corpus: Path) -> None:
    """y_ is read, n_ is refused with a place, i_ ends one way or the other."""
    files = sorted((corpus / "json-test-suite").rglob("*.json"))
    kinds = {kind: [f for f in files if f.name.startswith(kind)] for kind in ("y_", "n_", "i_")}
    assert len(kinds["y_"]) == 95
    assert len(kinds["n_"]) == 188
    for path in kinds["y_"]:
        result = run(path.read_bytes())
        assert result.code == 0, (path.name, result.err)
    for path in kinds["n_"]:
        data = path.read_bytes()
        if not data:
            continue  # an empty object is left out of the selection, whatever its format
        if not data.removeprefix(b"\xef\xbb\xbf").strip():
            assert run(data).code == 0, path.name  # blanks alone are no rows
            continue
        result = run(data)
        assert result.code == 5, path.name
        assert "byte: " in result.err, path.name
    for path in kinds["i_"]:
        assert run(path.read_bytes()).code in (0, 5), path.name


def test_shapes_of_files(read: Callable[..., Rows], run: Callable[..., Result]) -> None:
    want = [{"a": 1}, {"a": 2}]
    for text in (
        '{"a":1}\n{"a":2}\n',
        '{"a":1}\r\n\r\n{"a":2}',
        '{"a":1}{"a":2}',
        '[{"a":1},{"a":2}]',
        '[\n {\n  "a": 1\n },\n {\n  "a": 2\n }\n]\n',
        '{\n "a": 1\n}\n{\n "a": 2\n}\n',
        '\ufeff[{"a":1},{"a":2}]',
    ):
        assert read(text) == want, text
        assert read(text, "in.jsonl") == want, text
        assert read(text, json_lines="auto") == want
    assert read('{"a":1}\n{"a":2}', json_lines="lines") == want
    assert read('{"a":1}\n{"a":2}', json_lines="document") == want
    assert run('{"a":\n1}', json_lines="lines").code == 5
    assert run('[{"a":1}]', json_lines="lines").code == 5
    assert read("[1,2]") == [{"value": 1}, {"value": 2}]
    assert read("[]") == []
    assert len(read("[{},{}]", json_lines="document", metadata_columns="_row")) == 2
    utf16 = run('{"a":1}'.encode("utf-16"))
    assert utf16.code == 5
    assert "iconv" in utf16.err


def test_values_are_exact(read: Callable[..., Rows]) -> None:
    rows = read('{"a":9223372036854775807}\n{"a":-9223372036854775808}')
    assert [r["a"] for r in rows] == [2**63 - 1, -(2**63)]
    rows = read('{"a":18446744073709551615}\n{"a":-1}')
    assert [r["a"] for r in rows] == [Decimal(2**64 - 1), Decimal(-1)]
    assert read(f'{{"a":{"9" * 40}}}') == [{"a": "9" * 40}]
    assert read(f'{{"a":1.5}}\n{{"a":{"9" * 40}}}') == [{"a": "1.5"}, {"a": "9" * 40}]
    assert read('{"a":1e400}') == [{"a": "1e400"}]
    (row,) = read('{"a":-0.0,"b":5e-324,"c":0.1e-400,"d":1E2,"e":0.30000000000000004}')
    assert math.copysign(1, row.pop("a")) == -1
    assert row == {"b": 5e-324, "c": 0.0, "d": 100.0, "e": 0.30000000000000004}
    digits = "0.1234567890123456789012"
    assert read(f'{{"a":{digits}}}', infer_decimal="true") == [{"a": Decimal(digits)}]
    escapes = '{"a":"\\u00e9\\ud83d\\ude00\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"}'
    assert read(escapes) == [json.loads(escapes)]
    assert read('{"a":"x\\ud800y"}') == [{"a": "x\ufffdy"}]
    assert read('{"a":"007"}\n{"a":"1"}') == [{"a": "007"}, {"a": "1"}]
    assert read('{"a":1,"a":2}\n{"a":3,"a":null}') == [{"a": 2}, {"a": None}]
    assert read('{"a":1}\n{"b":2}') == [{"a": 1, "b": None}, {"a": None, "b": 2}]
    assert read('{"a":1}\n{"a":"x"}\n{"a":true}') == [{"a": "1"}, {"a": "x"}, {"a": "true"}]
    huge = "é\n" * 3_000_000
    assert read(json.dumps({"a": huge, "b": 1})) == [{"a": huge, "b": 1}]


def test_not_a_number_is_an_option(read: Callable[..., Rows], run: Callable[..., Result]) -> None:
    text = '{"a":NaN}\n{"a":-Infinity}\n{"a":Infinity}\n{"a":1}'
    refused = run(text)
    assert refused.code == 5
    assert "line: 1" in refused.err
    values = [r["a"] for r in read(text, json_allow_nan="true")]
    assert math.isnan(values[0])
    assert values[1:] == [-math.inf, math.inf, 1.0]


def test_flatten(read: Callable[..., Rows], run: Callable[..., Result]) -> None:
    text = '{"a":{"b":{"c":{"d":1}},"x":[{"y":1}]},"z":2}'
    (row,) = read(text, **FLAT)
    assert row == {"a.b.c.d": 1, "a.x": [{"y": 1}], "z": 2}
    (row,) = read(text, **FLAT, json_max_depth="2")
    assert row == {"a.b.c": {"d": 1}, "a.x": [{"y": 1}], "z": 2}
    (row,) = read(text, **FLAT, json_max_depth="0")
    assert row == json.loads(text)
    (row,) = read(text, json_flatten="false")
    assert row == json.loads(text)
    (row,) = read(text, **FLAT, json_flatten_separator="__")
    assert list(row) == ["a__b__c__d", "a__x", "z"]
    assert read('{"a.b":2,"a":{"b":1}}', **FLAT) == [{"a.b": 1}]
    assert read('{"a":{"b":1},"a.b":2}', **FLAT) == [{"a.b": 2}]
    assert read('{"a":{"b":1}}\n{"a":2}', **FLAT) == [
        {"a": None, "a.b": 1},
        {"a": 2, "a.b": None},
    ] or read('{"a":{"b":1}}\n{"a":2}', **FLAT) == [{"a.b": 1, "a": None}, {"a.b": None, "a": 2}]
    (row,) = read(text, json_nested_text="true")
    assert json.loads(row["a"]) == json.loads(text)["a"]
    assert run(text, json_max_depth="201").code == 2


def test_depth_is_bounded(read: Callable[..., Rows], run: Callable[..., Result]) -> None:
    def nested(levels: int) -> str:
        return '{"a":' + "[" * levels + "]" * levels + "}"

    assert len(read(nested(255), json_nested_text="true")) == 1
    for levels in (256, 200000):
        deep = run(nested(levels))
        assert deep.code == 5
        assert "nested too deep" in deep.err


def test_bad_lines_name_their_place(run: Callable[..., Result], read: Callable[..., Rows]) -> None:
    good = '{"a":1}\n'
    for bad in (
        '{"a":}',
        "5",
        '{"a":1',
        '{"a":01}',
        "{'a':1}",
        '{"a":1}x',
        '{"a":"\\x"}',
        '{"a" 1}',
    ):
        data = good * 2 + bad + "\n" + '{"a":3}\n'
        result = run(data, "in.jsonl")
        assert result.code == 5, bad
        assert "line: 3\n" in result.err, bad
        rows = read(data, "in.jsonl", on_error="skip")
        assert [r["a"] for r in rows] == [1, 1, 3], bad
    raw = run(b'{"a":"\xff"}\n', "in.jsonl")
    assert raw.code == 5
    assert "UTF-8" in raw.err
    cut = run('[{"a":1},{"a":2}')
    assert cut.code == 5
    assert "cut off" in cut.err


def documents(count: int) -> Rows:
    rand = random.Random(9)
    texts = ["", "a", 'é\n{"x":1}', '\\"', "[", "l" * 300, "\u2028", "\x7f"]
    return [
        {
            "id": i,
            "w": rand.choice([*texts, None]),
            "x": rand.choice([0.1, -2.5, 1 / 3, 1e300, None]),
            "n": rand.choice([None, {"k": [1, 2], "t": "}"}, {"k": [], "t": None}]),
        }
        for i in range(count)
    ]


@pytest.mark.parametrize("shape", ["lines", "crlf", "array", "pretty", "one after another"])
def test_a_file_in_many_tasks_equals_the_whole(read: Callable[..., Rows], shape: str) -> None:
    rows = documents(30000)
    texts = [json.dumps(r, ensure_ascii=r["id"] % 2 == 0) for r in rows]
    text = {
        "lines": lambda: "\n".join(texts),
        "crlf": lambda: "\r\n".join(t + "\r\n" * (i % 5 == 0) for i, t in enumerate(texts)),
        "array": lambda: "[" + ",".join(texts) + "]",
        "pretty": lambda: json.dumps(rows, indent=1),
        "one after another": lambda: "".join(json.dumps(r, indent=2) for r in rows),
    }[shape]()
    assert read(text, "in.jsonl" if shape == "crlf" else "in.json", task_mb="1") == rows


def test_late_values_give_the_type_the_sample_would(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    pairs = [
        ("1", "1.5", "double"),
        ("1", "9223372036854775808", "decimal128(38, 0)"),
        ("1.5", "9" * 40, "string"),
        ("1", '"x"', "string"),
        ("true", "1", "string"),
        ('"2024-01-01"', '"2024-01-01T10:00:00"', "timestamp[us]"),
        ('"2024-01-01T10:00:00Z"', '"2024-01-01T10:00:00"', "string"),
        ('{"k":1}', '{"k":"z"}', "struct<k: string>"),
        ("[1]", "[1.5]", "list<element: double>"),
    ]
    for first, second, want in pairs:
        results = []
        for many in (1, 1200):
            result = run(f'{{"v":{first}}}\n' * many + f'{{"v":{second}}}\n', "in.jsonl")
            assert result.code == 0, result.err
            column = pq.read_table(tmp_path / "out.parquet").column("v")
            results.append((str(column.type), column.to_pylist()[-2:]))
        assert results[0] == results[1]
        assert results[0][0] == want


def test_others_read_what_we_write(tmp_path: Path, headrace_local: Headrace) -> None:
    rows = documents(500)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    headrace_local.ok("copy", "in.jsonl", "out.jsonl", cwd=tmp_path)
    headrace_local.ok("copy", "in.jsonl", "out.jsonl.gz", cwd=tmp_path)
    array = ["--set", "json_array=true"]
    headrace_local.ok("copy", "in.jsonl", "out.json", *array, cwd=tmp_path)
    plain = (tmp_path / "out.jsonl").read_bytes()
    assert [json.loads(line) for line in plain.splitlines()] == rows
    assert gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()) == plain
    assert json.loads((tmp_path / "out.json").read_text()) == rows
    for name in ("out.jsonl", "out.json"):
        path = str(tmp_path / name)
        assert [r[0] for r in duckdb.read_json(path).fetchall()] == [r["id"] for r in rows]
    pola = polars.read_ndjson(tmp_path / "out.jsonl")
    assert pola["x"].to_list() == [r["x"] for r in rows]
    assert pola["w"].to_list() == [r["w"] for r in rows]
