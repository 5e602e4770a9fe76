"""The picture of one benchmark: CPU seconds of every tool at every work."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

COLOURS = {
    "headrace": "#c8102e",
    "polars": "#4c78a8",
    "duckdb": "#f2b701",
    "pyarrow": "#54a24b",
    "chdb": "#7f6fb0",
    "s5cmd": "#888888",
}


def draw(record: dict[str, Any], path: Path) -> None:
    """Write the plot of a result: one group a work, one bar a tool, log scale."""
    works = record["works"]
    tools = [tool for tool in COLOURS if any(tool in found for found in works.values())]
    figure, axes = plt.subplots(figsize=(max(6.0, 1.6 * len(works)), 4.2))
    width = 0.8 / max(1, len(tools))
    for index, tool in enumerate(tools):
        places, heights = [], []
        for place, found in enumerate(works.values()):
            summary = found.get(tool, {})
            if summary.get("verdict") == "ok":
                places.append(place + index * width)
                heights.append(statistics.median(summary["cpu_s"]))
        axes.bar(places, heights, width * 0.92, label=tool, color=COLOURS[tool])
    axes.set_yscale("log")
    axes.set_ylabel("CPU seconds, less is better")
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(works))], list(works))
    axes.set_title(
        f"TPC-H lineitem, scale {record['scale']:g}, {record['versions']['cores']} cores"
    )
    axes.legend(ncols=len(tools), frameon=False, fontsize="small")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
