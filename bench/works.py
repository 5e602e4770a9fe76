"""The works that are measured: where each reads, what it writes, how its result is proved."""

from __future__ import annotations

from dataclasses import dataclass

BUCKET = "bench"
OUT_BUCKET = "bench-out"


@dataclass(frozen=True)
class Work:
    """One line of the table.

    kind: parquet  the sources become Parquet below the destination
          scan     all columns of the sources are read and dropped
          list     the keys below the sources are named
    """

    name: str
    kind: str
    source: str
    data: str
    about: str
    columns: tuple[str, ...] = ()
    where: str = ""
    one_file: bool = False
    goal_cpu: float = 0.0
    goal_mib: int = 0

    def data_format(self) -> str:
        """csv, json or parquet, by the folder of the source."""
        folder = self.source.split("/")[0]
        if folder == "small":
            return "json"
        return next(form for form in ("csv", "json", "parquet") if folder.startswith(form))


FILTER = "l_orderkey between 100000 and 110000"

WORKS: dict[str, Work] = {
    work.name: work
    for work in (
        Work("csv2pq", "parquet", "csv/*.csv", "all", "8 CSV to Parquet", (), "", False, 1.4, 256),
        Work(
            "csvgz2pq", "parquet", "csvgz/*.csv.gz", "half", "4 .csv.gz to Parquet",
            goal_cpu=1.2, goal_mib=256,
        ),
        Work(
            "jsonl2pq", "parquet", "jsonl/*.jsonl", "half", "4 JSONL to Parquet",
            goal_cpu=1.0, goal_mib=256,
        ),
        Work(
            "jsonlgz2pq", "parquet", "jsonlgz/*.jsonl.gz", "half", "4 .jsonl.gz to Parquet",
            goal_cpu=1.4, goal_mib=256,
        ),
        Work(
            "pqscan", "scan", "parquet/*.parquet", "all", "Parquet, all columns",
            goal_cpu=0.45, goal_mib=256,
        ),
        Work(
            "pqcols", "scan", "parquet/*.parquet", "all", "Parquet, two columns",
            columns=("l_quantity", "l_extendedprice"), goal_cpu=0.07, goal_mib=128,
        ),
        Work(
            "pqfilter", "scan", "parquet/*.parquet", "all", "Parquet, a range of the sorted key",
            where=FILTER, goal_cpu=0.02, goal_mib=64,
        ),
        Work(
            "pq2pq", "parquet", "parquet/*.parquet", "all", "Parquet to Parquet",
            goal_cpu=1.35, goal_mib=256,
        ),
        Work(
            "small2pq", "parquet", "small/**/*.jsonl", "small", "5,000 small JSONL to one Parquet",
            one_file=True, goal_cpu=0.34, goal_mib=128,
        ),
        Work("list", "list", "many/", "many", "100,000 keys in 336 folders", goal_cpu=0.09),
    )
}  # fmt: skip
