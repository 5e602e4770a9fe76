"""CSV, TSV and text: every option through `copy`, held to Python, pyarrow, DuckDB and Polars."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import Headrace, Result

Rows = list[dict[str, Any]]
Read = Callable[..., Rows]


def settings(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture
def run(tmp_path: Path, headrace_local: Headrace) -> Callable[..., Result]:
    """`run(data, name=…, csv_x=…)` copies the bytes to out.parquet and gives how it ended."""

    def go(data: str | bytes, name: str = "in.csv", **options: str) -> Result:
        raw = data.encode() if isinstance(data, str) else data
        (tmp_path / name).write_bytes(raw)
        (tmp_path / "out.parquet").unlink(missing_ok=True)
        words = settings(options)
        return headrace_local("copy", name, "out.parquet", *words, cwd=tmp_path)

    return go


@pytest.fixture
def read(tmp_path: Path, run: Callable[..., Result]) -> Read:
    """The rows of what `run` wrote."""

    def go(data: str | bytes, name: str = "in.csv", **options: str) -> Rows:
        result = run(data, name, **options)
        assert result.code == 0, result.err
        return pq.read_table(tmp_path / "out.parquet").to_pylist()

    return go


# ---- encodings ---------------------------------------------------------------------------------

JAPANESE = "n,t\n1,日本語\n2,表ソ能\n"
ENCODED = [
    ("utf-8", None, JAPANESE),
    ("utf-8-sig", None, JAPANESE),
    ("utf-16", None, JAPANESE),
    ("utf-32", None, JAPANESE),
    ("utf-16-le", "utf-16le", JAPANESE),
    ("utf-16-be", "UTF-16BE", JAPANESE),
    ("utf-32-le", "utf-32le", JAPANESE),
    ("shift_jis", "shift_jis", JAPANESE),
    ("cp932", "cp932", JAPANESE),
    ("euc_jp", "euc-jp", JAPANESE),
    ("iso2022_jp", "iso-2022-jp", JAPANESE),
    ("gb18030", "gb18030", JAPANESE),
    ("latin1", "latin1", "n,t\n1,é\n2,ÿ\n"),
    ("cp1252", "windows-1252", "n,t\n1,€“x”\n2,naïve\n"),
    ("koi8_r", "koi8-r", "n,t\n1,Привет\n"),
    ("cp037", "cp037", "n,t\n1,é\n"),
]


def simple(text: str) -> Rows:
    return [{"n": int(r["n"]), "t": r["t"]} for r in csv.DictReader(io.StringIO(text))]


@pytest.mark.parametrize(("python", "option", "text"), ENCODED, ids=[e[0] for e in ENCODED])
def test_encodings(read: Read, python: str, option: str | None, text: str) -> None:
    options = {"csv_encoding": option} if option else {}
    assert read(text.encode(python), **options) == simple(text)
    lines = text.encode(python)
    assert [r["line"] for r in read(lines, "in.txt", **options)] == text.splitlines()


def test_a_byte_order_mark_wins_over_the_option(read: Read) -> None:
    marks = [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ]
    for mark, encoding in marks:
        data = mark + JAPANESE.encode(encoding)
        for option in ("utf-8", "shift_jis", "utf-16be", "utf-32"):
            assert read(data, csv_encoding=option) == simple(JAPANESE), (encoding, option)
        assert read(mark) == []


def test_broken_text_names_its_place(run: Callable[..., Result]) -> None:
    cut = run("a\n1".encode("utf-16")[:-1])
    assert cut.code == 5
    assert "byte: 6" in cut.err
    wrong = run(b"a,b\n1,x\n2,\xff\n")
    assert wrong.code == 5
    assert "line: 3" in wrong.err
    assert "csv_encoding" in wrong.err
    hole = run(b"a,b\n1,\x81\n", csv_encoding="cp1252")
    assert hole.code == 5
    assert "line: 2" in hole.err
    unknown = run("a\n", csv_encoding="klingon")
    assert unknown.code == 2
    assert "iconv -l" in unknown.err


# ---- how records are cut -----------------------------------------------------------------------


def test_one_option_at_a_time(read: Read) -> None:
    one = [{"a": 1, "b": 2}]
    assert read("a;b\n1;2\n", csv_delimiter=";") == one
    assert read("a\tb\n1\t2\n", csv_delimiter="\\t") == one
    assert read("a::b\n1::2\n", csv_delimiter="::") == one
    assert read("a\x01b\n1\x012\n", csv_delimiter="\\x01") == one
    assert read("a¦b\n1¦2\n", csv_delimiter="¦") == one
    assert read("a¦b\n1¦2\n".encode("latin1"), csv_delimiter="¦", csv_encoding="latin1") == one
    assert read("a\tb\n1\t2\n", "in.tsv") == one
    assert read("1,2\n", csv_header="false") == [{"column_0": 1, "column_1": 2}]
    assert read("1,2\n", csv_header="false", csv_columns="a,b") == one
    assert read("x,b\n1,2\n", csv_columns="a") == one
    assert read("junk\n\na,b\n1,2\n", csv_skip_rows="1") == one
    assert read('"two\nlines",x\na,b\n1,2\n', csv_skip_rows="2") == one
    assert read("a,b\nunits,m\n1,2\n", csv_skip_rows_after_header="1") == one
    assert read("#c\na,b\n#1,9\n1,2\n#", csv_comment="#") == one
    assert read(" a , b \n 1 , 2 \n", csv_trim="true") == one
    assert read("a,b\n'1,x',2\n", csv_quote="'") == [{"a": "1,x", "b": 2}]
    assert read('a,b\n"1,2"\n', csv_quote="") == [{"a": '"1', "b": '2"'}]
    assert read('a,b\n"x\\"y",2\n', csv_escape="\\") == [{"a": 'x"y', "b": 2}]
    assert read("a,b\nx\\,y,2\n", csv_escape="\\") == [{"a": "x,y", "b": 2}]
    assert read('a,b\n"x"y,2\n', csv_double_quote="false") == [{"a": "xy", "b": 2}]
    nulls = read("a,b\nNA,-\n1,x\n,y\n", csv_null_values="NA,-")
    assert nulls == [{"a": None, "b": None}, {"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    words = read("a\nYES\nno\n", csv_true_values="yes", csv_false_values="no")
    assert words == [{"a": True}, {"a": False}]


def test_wrong_options_are_refused(run: Callable[..., Result]) -> None:
    for options in (
        {"csv_quote": "é"},
        {"csv_delimiter": "a\\x0ab"},
        {"csv_delimiter": '"'},
        {"csv_quote": "5"},
        {"csv_escape": "n"},
        {"csv_comment": ","},
        {"csv_delimiter": "x" * 17},
        {"csv_columns": "a,b,c"},
        {"csv_skip_rows": "-1"},
    ):
        result = run("a,b\n1,2\n", **options)
        assert result.code == 2, options
        assert next(iter(options)) in result.err


def test_headers(read: Read, run: Callable[..., Result]) -> None:
    assert read("a,a,,a\n1,2,3,4\n") == [{"a": 1, "a_1": 2, "column_2": 3, "a_2": 4}]
    assert read("a,a_1,a\n1,2,3\n") == [{"a": 1, "a_1": 2, "a_2": 3}]
    assert read("a,b\n") == []
    assert read("\n\na,b\n\n1,2\n\n") == [{"a": 1, "b": 2}]
    wide = ",".join(f"c{i}" for i in range(10000))
    (row,) = read(wide + "\n" + ",".join(map(str, range(10000))) + "\n")
    assert list(row.values()) == list(range(10000))
    wider = run(wide + ",x\n" + "1," * 10000 + "1\n")
    assert wider.code == 5
    assert "10000" in wider.err


def test_bad_records_are_named_not_filled_up(run: Callable[..., Result], read: Read) -> None:
    for data, line in (("a,b\n1,2\n3\n", 3), ("a,b\n1,2,\n", 2), ('a,b\n"\n\n",1\n3\n', 5)):
        result = run(data)
        assert result.code == 5
        assert f"line: {line}\n" in result.err
    assert read("a,b\n1,2\n3\n4,5\n", on_error="skip") == [{"a": 1, "b": 2}, {"a": 4, "b": 5}]
    torn = run('a,b\n1,2\n3,"x\n4,5\n')
    assert torn.code == 5
    assert "quoted field that opens at line 3" in torn.err


def test_line_ends_and_odd_bytes(read: Read) -> None:
    two = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    for end in ("\n", "\r\n", "\r"):
        assert read(end.join(["a,b", "1,2", "3,4"])) == two
        assert read(end.join(["a,b", "1,2", "3,4", ""])) == two
    assert read("a,b\r\n1,2\n3,4\r\n") == two
    assert read("a,b\nx\ry,2\n") == [{"a": "x\ry", "b": 2}]
    assert read('a,b\n"x\0y",2\n') == [{"a": "x\0y", "b": 2}]
    assert read('a,b\n5" pipe,"x"y"\n') == [{"a": '5" pipe', "b": 'xy"'}]
    assert read("a\n1\n\n2\n") == [{"a": 1}, {"a": None}, {"a": 2}]
    assert read('a,b\n"",\nx,\n') == [{"a": "", "b": None}, {"a": "x", "b": None}]


# ---- against a plain definition ----------------------------------------------------------------


class Plain:
    """CSV cut one character at a time: slow, and nothing like the program's engines."""

    def __init__(self, text: str, delimiter: str, quote: str, escape: str, **flags: bool) -> None:
        self.text, self.delimiter, self.quote, self.escape = text, delimiter, quote, escape
        self.double, self.trim, self.comment = flags["double"], flags["trim"], flags["comment"]
        self.newline = self.find_newline()
        self.at = 0

    def find_newline(self) -> str:
        inside = carriage = False
        for c in self.text:
            inside ^= c == self.quote
            if c == "\n" and not inside:
                return "\n"
            carriage |= c == "\r" and not inside
        return "\r" if carriage else "\n"

    def here(self, at: int) -> str:
        """What stands at a place: delimiter, newline, end, or the character."""
        if at >= len(self.text) or self.text[at] == self.newline:
            return "\n"
        return "," if self.text.startswith(self.delimiter, at) else ""

    def blanks(self, at: int) -> int:
        while self.trim and at < len(self.text) and self.text[at] in " \t" and not self.here(at):
            at += 1
        return at

    def quoted(self) -> str:
        out = ""
        while self.at < len(self.text):
            c = self.text[self.at]
            pair = self.text[self.at + 1 : self.at + 2]
            self.at += 1
            if c == self.escape and pair:
                out += pair
                self.at += 1
            elif c != self.quote:
                out += c
            elif self.double and pair == self.quote:
                out += c
                self.at += 1
            else:
                return out
        raise EOFError

    def bare(self) -> str:
        out, kept = "", 0
        while not self.here(self.at):
            c = self.text[self.at]
            self.at += 1
            if c == self.escape and self.at < len(self.text):
                out += self.text[self.at]
                kept = len(out)
                self.at += 1
            else:
                out += c
        if self.here(self.at) == "\n" and self.newline == "\n" and out[kept:].endswith("\r"):
            out = out[:-1]
        return out[:kept] + (out[kept:].rstrip(" \t") if self.trim else out[kept:])

    def field(self) -> tuple[str, bool]:
        start = self.blanks(self.at)
        if self.quote and self.text[start : start + 1] == self.quote:
            self.at = start + 1
            inner = self.quoted()
            return inner + self.bare(), True
        self.at = start
        return self.bare(), False

    def records(self) -> list[list[tuple[str, bool]]]:
        out = []
        while self.at < len(self.text):
            if self.comment and self.text[self.at] == "#":
                end = self.text.find(self.newline, self.at)
                self.at = len(self.text) if end < 0 else end + 1
                continue
            record = [self.field()]
            while self.here(self.at) == ",":
                self.at += len(self.delimiter)
                record.append(self.field())
            self.at += 1
            out.append(record)
        return out


def plain_rows(records: list[list[tuple[str, bool]]]) -> list[list[str | None]] | None:
    """Values of the good records behind the header; None: nothing but blank lines."""
    blank = [("", False)]
    while records and records[0] == blank:
        records = records[1:]
    if not records:
        return None
    width = len(records[0])
    good = [r for r in records[1:] if len(r) == width and (width == 1 or r != blank)]
    return [[None if text == "" and not quoted else text for text, quoted in r] for r in good]


def odd_csv(rand: random.Random, dialect: dict[str, Any], columns: int) -> str:
    delimiter, quote, escape = dialect["delimiter"], dialect["quote"], dialect["escape"]
    bits = [delimiter] * 4 + ["\n"] * 3 + ["a", "b", "xy", " ", "1", quote, quote, escape, "#"]
    bits.append(rand.choice(["\r\n", "\r", "\t", "é", "\x0b"]))

    def field() -> str:
        kind = rand.random()
        if kind < 0.5:
            return rand.choice(["a", "bc", "", "x y", " p ", "1.5"])
        inner = "".join(rand.choice(bits) for _ in range(rand.randrange(4)))
        if kind > 0.8 or not quote:
            return inner
        inner = inner.replace(escape, escape * 2) if escape else inner
        return quote + inner.replace(quote, quote * 2 if dialect["double"] else "") + quote

    rows = [delimiter.join(f"c{i}" for i in range(columns))]
    rows += [delimiter.join(field() for _ in range(columns)) for _ in range(rand.randrange(6))]
    if rand.random() < 0.2:
        rows.insert(rand.randrange(len(rows) + 1), "")
    end = rand.choice(["\n", "\n", "\r\n", "\r"])
    return end.join(rows) + rand.choice(["", end, end + end])


@pytest.mark.parametrize("seed", range(4))
def test_random_dialects_equal_a_plain_definition(
    run: Callable[..., Result], tmp_path: Path, seed: int
) -> None:
    rand = random.Random(seed)
    compared = 0
    for _ in range(80):
        dialect: dict[str, Any] = {
            "delimiter": rand.choice([",", ",", ";", "\t", "::", "|", "ab"]),
            "quote": rand.choice(['"', '"', "'", ""]),
            "escape": rand.choice(["", "", "\\"]),
            "double": rand.random() < 0.7,
            "trim": rand.random() < 0.3,
            "comment": rand.random() < 0.3,
        }
        text = odd_csv(rand, dialect, rand.choice([1, 2, 2, 3]))
        result = run(
            text,
            infer_types="false",
            on_error="skip",
            csv_delimiter=dialect["delimiter"].replace("\t", "\\t"),
            csv_quote=dialect["quote"],
            csv_escape=dialect["escape"],
            csv_comment="#" if dialect["comment"] else "",
            csv_double_quote=str(dialect["double"]).lower(),
            csv_trim=str(dialect["trim"]).lower(),
        )
        try:
            want = plain_rows(Plain(text, **dialect).records())
        except EOFError:
            assert result.code == 5, (text, dialect)
            continue
        if want is None:
            continue
        assert result.code == 0, (text, dialect, result.err)
        table = pq.read_table(tmp_path / "out.parquet")
        got = [list(row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]
        assert got == want, (text, dialect)
        compared += 1
    assert compared > 40


# ---- splits ------------------------------------------------------------------------------------


def big_rows(kind: str, rand: random.Random) -> list[tuple[str, str]]:
    words = {
        "plain": ["x", "a b", "1,5", 'q"q', "long " * 40],
        "breaks": ["x", "a\nb", "\n\n\n", '"\n"', "1,2\n3,4\n5", "\n1,x\n" * 30],
        "returns": ["x", "a\rb", "\r\r", 'q\r"\n', "y" * 60],
        "one field": ["1,2\n" * 500000, "z"],
    }[kind]
    count = {"plain": 40000, "breaks": 40000, "returns": 100000, "one field": 4}[kind]
    return [
        (str(i), words[i] if count == 4 and i < 2 else rand.choice(words)) for i in range(count)
    ]


@pytest.mark.parametrize("kind", ["plain", "breaks", "returns", "one field"])
def test_a_file_in_many_tasks_equals_the_whole(
    read: Read, kind: str, tmp_path: Path, headrace_local: Headrace
) -> None:
    rows = big_rows(kind, random.Random(7))
    for end in ("\n", "\r\n", "\r"):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["id", "w"])
        writer.writerows((int(i), w) for i, w in rows)
        got = read(text.getvalue(), task_mb="1")
        assert [(str(r["id"]), r["w"]) for r in got] == rows, end


def test_splits_with_every_option_that_skips(read: Read) -> None:
    lines = [f"{i},é{i}" + ("\n# note," if i % 7 == 0 else "") for i in range(100000)]
    text = "junk\nid,w\nunits,x\n" + "\n".join(lines)
    got = read(
        text.encode("latin1"),
        task_mb="1",
        csv_encoding="latin1",
        csv_skip_rows="1",
        csv_skip_rows_after_header="1",
        csv_comment="#",
    )
    assert [(r["id"], r["w"]) for r in got] == [(i, f"é{i}") for i in range(100000)]
    escaped = "id,w\n" + "".join(f"{i},a\\,\\\n\\\\{i}\n" for i in range(100000))
    got = read(escaped, task_mb="1", csv_escape="\\")
    assert [r["w"] for r in got] == [f"a,\n\\{i}" for i in range(100000)]
    got = read("\n".join(f"{i},é" for i in range(200000)).encode("utf-16"), csv_header="false")
    assert [r["column_0"] for r in got] == list(range(200000))


# ---- types -------------------------------------------------------------------------------------

TYPES = [
    (["1", "-7", ""], "int64"),
    (["9223372036854775807", "-9223372036854775808"], "int64"),
    (["9223372036854775808"], "decimal128(38, 0)"),
    (["9" * 38, "1"], "decimal128(38, 0)"),
    (["9" * 39], "string"),
    (["1", "2.5", "1e3", "-0", ".5"], "double"),
    (["NaN", "inf", "-Infinity", "1"], "double"),
    (["1.5", "1e400"], "string"),
    (["1.5", "9" * 40], "string"),
    (["007", "1"], "string"),
    (["+1"], "string"),
    (["0x10"], "string"),
    (["1_000"], "string"),
    (["1,000"], "string"),
    ([" 1"], "string"),
    (["true", "FALSE", "True"], "bool"),
    (["true", "1"], "string"),
    (["0001-01-01", "9999-12-31"], "date32[day]"),
    (["2024-02-30"], "string"),
    (["10000-01-01"], "string"),
    (["01/02/2024"], "string"),
    (["2024-01-15-ABC", "2024-01-15"], "string"),
    (["2024-01-01", "2024-01-01 10:00"], "timestamp[us]"),
    (["2024-01-01T10:00:00.123456"], "timestamp[us]"),
    (["2024-01-01T10:00:00.123456789"], "timestamp[ns]"),
    (["2024-01-01T10:00:00+05:30", "2024-01-01 10:00:00Z"], "timestamp[us, tz=UTC]"),
    (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00"], "string"),
    (["2016-12-31T23:59:60Z"], "string"),
    (["10:00:00"], "string"),
    (["1", "x"], "string"),
]


@pytest.mark.parametrize(("texts", "want"), TYPES, ids=[t[0][-1][:30] for t in TYPES])
def test_types_by_the_sample_and_by_late_values(
    run: Callable[..., Result], tmp_path: Path, texts: list[str], want: str
) -> None:
    """The same type and values whether a value stood in the sample or far behind it."""
    lines = [f'{i},"{text}"' if "," in text else f"{i},{text}" for i, text in enumerate(texts)]
    results = []
    for many in (1, 1200):
        data = "i,v\n" + "\n".join([lines[0]] * many + lines[1:]) + "\n"
        result = run(data)
        assert result.code == 0, result.err
        column = pq.read_table(tmp_path / "out.parquet").column("v")
        results.append((str(column.type), column.cast("string").to_pylist()[-len(texts) :]))
    assert results[0] == results[1]
    assert results[0][0] == want
    if want == "string":
        assert results[0][1] == texts


def test_infer_options(run: Callable[..., Result], tmp_path: Path) -> None:
    def types(data: str, **options: str) -> list[str]:
        assert run(data, **options).code == 0
        return [str(f.type) for f in pq.read_schema(tmp_path / "out.parquet")]

    assert types("a,b\n1,true\n", infer_types="false") == ["string", "string"]
    assert types("a\n1.25\n12.5\n", infer_decimal="true") == ["decimal128(18, 2)"]
    late = "a\n" + "1\n" * 1500 + "1.25\n"
    assert types(late, infer_decimal="true")[0].startswith("decimal128(")
    assert types(late) == ["double"]
    assert types("a,b\n007,1\n", schema='{"a": "int64", "b": "utf8"}') == ["int64", "string"]


# ---- other readers, and writing ----------------------------------------------------------------


def test_csv_spectrum_equals_its_json(read: Read, corpus: Path) -> None:
    files = sorted((corpus / "csv-spectrum").rglob("*.csv"))
    assert len(files) >= 10
    for path in files:
        (twin,) = (corpus / "csv-spectrum").rglob(f"{path.stem}.json")
        want = json.loads(twin.read_text())
        got = read(path.read_bytes(), infer_types="false")
        if path.stem == "location_coordinates":  # its JSON is one object with another number
            assert want.pop("Contact Phone Number") != got[0].pop("Contact Phone Number")
            want = [want]
        assert [{k: v or "" for k, v in row.items()} for row in got] == want, path.name


def tricky() -> Rows:
    rand = random.Random(3)
    words = ["plain", 'quo"te', "a,b", "two\nlines", "cr\rlf\r\n", "\ttab", "ünïcode", " x ", ""]
    floats = [0.1, -2.5, 1e300, 5e-324, 1 / 3, 123456.789, 0.30000000000000004]
    return [
        {"id": i, "w": rand.choice([*words, None]), "x": rand.choice([*floats, None])}
        for i in range(500)
    ]


def test_others_read_our_csv_and_tsv(tmp_path: Path, headrace_local: Headrace) -> None:
    rows = tricky()
    pq.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    for name, delimiter in (("t.csv", ","), ("t.tsv", "\t")):
        headrace_local.ok("copy", "t.parquet", name, cwd=tmp_path)
        path = tmp_path / name
        with path.open(newline="") as file:
            plain = list(csv.DictReader(file, delimiter=delimiter))
        want = [{k: "" if v is None else str(v) for k, v in r.items()} for r in rows]
        assert [{**r, "x": r["x"] and str(float(r["x"]))} for r in plain] == want
        arrow = pyarrow.csv.read_csv(
            path,
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
        assert arrow.to_pylist() == rows
        duck = duckdb.read_csv(str(path), sep=delimiter, header=True, quotechar='"')
        assert [r[0] for r in duck.fetchall()] == [r["id"] for r in rows]
        pola = polars.read_csv(path, separator=delimiter)
        assert pola["x"].to_list() == [r["x"] for r in rows]


def test_always_quote_and_codecs(tmp_path: Path, headrace_local: Headrace) -> None:
    rows = tricky()
    pq.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    headrace_local.ok("copy", "t.parquet", "plain.csv", cwd=tmp_path)
    want = (tmp_path / "plain.csv").read_bytes()
    for name, inflate in (("t.csv.gz", gzip.decompress), ("t.csv.bz2", bz2.decompress)):
        headrace_local.ok("copy", "t.parquet", name, cwd=tmp_path)
        assert inflate((tmp_path / name).read_bytes()) == want
    quoted = ["--set", "csv_always_quote=true"]
    headrace_local.ok("copy", "t.parquet", "q.csv", *quoted, cwd=tmp_path)
    first = (tmp_path / "q.csv").read_text().split("\n", 1)[0]
    assert first == '"id","w","x"'
    for name in ("q.csv", "t.csv.gz", "t.csv.bz2"):
        headrace_local.ok("copy", name, "back.parquet", cwd=tmp_path)
        assert pq.read_table(tmp_path / "back.parquet").to_pylist() == rows


def test_numbers_and_dates_are_quoted_where_a_mark_is_in_them(
    tmp_path: Path, headrace_local: Headrace
) -> None:
    """A delimiter, quote or comment that stands in a number does not tear it."""
    table = pyarrow.table({"n": [-5, 7], "x": [1.5, -2e300], "d": ["2024-01-31", "0001-02-03"]})
    table = table.set_column(2, "d", table["d"].cast("date32"))
    pq.write_table(table, tmp_path / "t.parquet")
    for name, value in (
        ("csv_delimiter", "-"),
        ("csv_delimiter", "."),
        ("csv_comment", "-"),
        ("csv_comment", "7"),
    ):
        words = ["--set", f"destination.{name}={value}"]
        headrace_local.ok("copy", "t.parquet", "t.csv", *words, cwd=tmp_path)
        words = ["--set", f"{name}={value}"]
        headrace_local.ok("copy", "t.csv", "back.parquet", *words, cwd=tmp_path)
        assert pq.read_table(tmp_path / "back.parquet").to_pylist() == table.to_pylist(), words


def test_text_is_one_row_a_line(read: Read, run: Callable[..., Result]) -> None:
    def lines(data: bytes) -> list[str]:
        return [row["line"] for row in read(data, "in.txt")]

    assert lines(b"\n\nx\r\ny\rz\n") == ["", "", "x", "y\rz"]
    assert lines(b"\n") == [""]
    assert lines(b"a\rb\rc") == ["a", "b", "c"]
    assert lines(b'a\0b\n"c,d') == ["a\0b", '"c,d']
    assert lines(b"\xef\xbb\xbfa\n") == ["a"]
    bad = run(b"ok\n\xff\n", "in.txt")
    assert bad.code == 5
    assert "line: 2" in bad.err
    rand = random.Random(1)
    many = [rand.choice(["", "x", "z" * 300, "é,é"]) for _ in range(40000)]
    got = read("\n".join(many) + "\n", "in.txt", task_mb="1")
    assert [row["line"] for row in got] == many


# ---- first lines that are no header ------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what", "remedy"),
    [
        (b'{"a":1,"b":2}\n{"a":3,"b":4}\n', "it is JSON", "file_format=json"),
        (b'[\n{"a":1}\n]\n', "it is JSON", "file_format=json"),
        (b"<?xml version='1.0'?>\n<Error>AccessDenied</Error>\n", "it is XML", "error page"),
        (b"<table>\n<row a='1'/>\n</table>\n", "it is XML", "file_pattern"),
        (b"<!doctype html><p>404</p>\n", "it is HTML", "error page"),
        ("a,b\n1,2\n".encode("utf-16-be"), "name 1 holds a NUL byte", "csv_encoding=utf-16le or"),
        (b"sep=;\r\na;b\r\n1;2\r\n", "names the delimiter", 'csv_delimiter to ";"'),
        (b"sep=,\na,b\n1,2\n", "names the delimiter", 'csv_delimiter to ","'),
        (gzip.compress(b"a\n1\n", mtime=0) * 2, "not valid UTF-8", "begins as gzip data does"),
    ],
)
def test_a_first_line_that_is_no_header(
    run: Callable[..., Result], data: bytes, what: str, remedy: str
) -> None:
    name = "in.csv"
    if data[:2] == b"\x1f\x8b":
        data, name = gzip.compress(data), "in.csv.gz"
    result = run(data, name)
    assert result.code == 5
    assert what in result.err
    assert remedy in result.err
    assert name in result.err


def test_the_remedies_work(read: Read) -> None:
    assert read(b'{"a":1}\n', file_format="json") == [{"a": 1}]
    utf16 = "a,b\n1,2\n".encode("utf-16-be")
    assert read(utf16, csv_encoding="utf-16be") == [{"a": 1, "b": 2}]
    sep = b"sep=;\r\na;b\r\n1;2\r\n"
    assert read(sep, csv_skip_rows="1", csv_delimiter=";") == [{"a": 1, "b": 2}]


def test_a_doubtful_delimiter_is_told(run: Callable[..., Result]) -> None:
    for mark in (";", "|", "\t"):
        told = run(f"a{mark}b\n1{mark}2\n")
        assert told.code == 0
        assert "the only column of 'in.csv'" in told.err
        assert 'csv_delimiter to "' + mark.replace("\t", "\\t") + '"' in told.err
        assert "only column" not in run(f"a{mark}b\n1{mark}2\n", csv_delimiter=",").err
