"""Whether a result holds the right rows: a count and a checksum of every column.

Run as a process of its own, outside the timed part: `verify.py URL...` prints one JSON object.
Columns are compared by value, not by type: a decimal equals the double of the same value, a date
the text of the same day.
"""

from __future__ import annotations

import json
import sys

from duck import connect


def checksum_sql(name: str, type_name: str) -> str:
    """An aggregate of one column that does not depend on the order of rows or its exact type."""
    quoted = f'"{name}"'
    if name.endswith("date") or type_name in ("DATE", "TIMESTAMP"):
        return f"sum(hash(left({quoted}::VARCHAR, 10))::HUGEINT)::VARCHAR"
    if type_name.startswith(("VARCHAR", "BLOB")):
        return f"sum(hash({quoted}::VARCHAR)::HUGEINT)::VARCHAR"
    return f"sum({quoted}::DOUBLE)"


def checksums(relation: str) -> dict[str, object]:
    """Row count and one checksum per column of a table expression."""
    connection = connect()
    described = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
    columns = [(row[0], row[1]) for row in described]
    parts = ", ".join(checksum_sql(name, type_name) for name, type_name in columns)
    row = connection.execute(f"SELECT count(*), {parts} FROM {relation}").fetchone()
    assert row is not None
    return {"rows": row[0], **{name: row[i + 1] for i, (name, _) in enumerate(columns)}}


def differences(wanted: dict[str, object], got: dict[str, object]) -> list[str]:
    """What differs, in words; sums of doubles may differ in their last digits."""
    found = []
    for name, value in wanted.items():
        other = got.get(name)
        same = other == value
        if isinstance(value, float) and isinstance(other, (int, float)):
            same = abs(other - value) <= 1e-9 * max(abs(value), 1.0)
        if not same:
            found.append(f"{name}: {other} instead of {value}")
    return found


if __name__ == "__main__":
    json.dump(checksums(sys.argv[1]), sys.stdout)
