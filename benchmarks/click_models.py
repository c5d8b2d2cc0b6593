"""Time and quality of the click models, beside those of others.

Usage: python benchmarks/click_models.py [--yandex DIR] [--peers [DIR]] [--serps N] [--scale 3,30] [--giant 3]

Without arguments: DBN on a simulated log, Parquet to judgments.

--yandex  a folder with trainSample and testSample of the Yandex WSCD sample (`query TAB docs : clicked docs ;`)
--peers   fits the models of CLAX to the same logs; makes their environment first, here or in DIR
--serps   pages of the simulated log; three quarters are fitted, the rest is what the figures are of
--log     a folder with train/ and test/ in the shape of the `serps` hand-off in place of the simulated log
--models  which models Yandex' log is given: all of them as it stands; --peer-models likewise, for CLAX's
--simulated-models  which models the simulated log is given, ours and CLAX's: dbn as it stands, for that it is from
--scale   instead: DBN on logs of so many million pages, with the memory of each process
--giant   with --scale, or alone: also a log of one query with so many million pages

Prints one JSON line a measurement, then tables. Ours: the clock starts when the session is up, and stops when the
judgments are written: reading, shuffling and fitting are in between. `first_s` is the first time (for the first line in
a session that has done nothing yet), `best_s` the best of the other repeats, `cpu_s` the processor time of the best,
which other programs on the machine disturb less; `fit_s`, with --yandex, the fit in one process without Spark. Peers':
`fit_s` is the fit alone, "clax 0.003" with its README's learning rate and "clax 0.01" with a faster one. `load` is the
machine's load average at the end.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmark_logs import write_simulated_log, write_yandex_split
from click_models_peers import CLAX_MODELS, ENVIRONMENT, FAST_RATE, README_RATE, fit_clax, prepare
from click_models_run import fit_alone, judge, open_session, quality
from click_models_scale import measure_sizes

from rankhammer.built_in import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("log_likelihood", "perplexity", "conditional_perplexity", "fit_s", "first_s", "best_s", "cpu_s", "load")
ORDER = ("dbn", "sdbn", "ubm", "pbm", "ccm", "dcm", "cascade", "dctr", "coec", "rctr", "gctr", "dbn_mjolnir")


def main() -> None:
    given = parse()
    with TemporaryDirectory(dir=given.folder) as folder:
        if given.scale or given.giant:
            for figures in measure_sizes(given.scale, given.giant, Path(folder), given.repeats):
                print(json.dumps({"benchmark": "click_models_scale", **figures}), flush=True)
            return
        rows = []
        for figures in measure_all(given, Path(folder)):
            rows.append(figures)
            print(json.dumps({"benchmark": "click_models", **figures}), flush=True)
    if len(rows) > 1:
        print_tables(rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--yandex", type=Path)
    parser.add_argument("--peers", type=Path, nargs="?", const=ENVIRONMENT)
    parser.add_argument("--serps", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", type=names, default=every_model())
    parser.add_argument("--peer-models", type=names, default=list(CLAX_MODELS))
    parser.add_argument("--simulated-models", type=names, default=["dbn"])
    parser.add_argument("--scale", type=lambda text: [float(size) for size in text.split(",")], default=[])
    parser.add_argument("--giant", type=float)
    parser.add_argument("--folder", type=Path, help="where logs are written, and removed at the end")
    return parser.parse_args()


def every_model() -> list[str]:
    return sorted(BUILT_IN["click_models"], key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def names(text: str) -> list[str]:
    return text.split(",")


def measure_all(given: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure ours, then theirs, on one log after the other."""
    python = prepare(given.peers) if given.peers else None
    chosen = given.simulated_models
    runs = [("simulated", given.log or write_simulated_log(folder / "log", given.serps), chosen, chosen)]
    if given.yandex:
        runs.append(("yandex", write_yandex_split(given.yandex, folder / "yandex"), given.models, given.peer_models))
    open_session()
    for name, log, ours, theirs in runs:
        for model in ours:
            yield {"input": name, "model": model, "whose": "ours", **measure(name, model, log, folder, given.repeats)}
        known = [model for model in theirs if model in CLAX_MODELS]
        if python and known:
            for rate in (README_RATE, FAST_RATE) if name == "simulated" else (FAST_RATE,):
                for figures in fit_clax(python, log, known, folder / "clax.log", rate):
                    yield {"input": name, "whose": f"clax {rate}", **figures}


def measure(name: str, model: str, log: Path, folder: Path, repeats: int) -> dict[str, Any]:
    times = [judge(model, log, folder / "judgments") for _ in range(repeats)]
    best = min(times[1:] or times)
    alone = {"fit_s": fit_alone(model, log)} if name == "yandex" else {}
    return {
        "first_s": times[0][0],
        "best_s": best[0],
        "cpu_s": best[1],
        **alone,
        **quality(model, log),
        "load": round(os.getloadavg()[0], 2),
    }


def print_tables(rows: list[dict[str, Any]]) -> None:
    """Print a Markdown table a log, and how our times compare with theirs."""
    for name in dict.fromkeys(row["input"] for row in rows):
        print(f"\n| {name} | whose | {' | '.join(COLUMNS)} |")
        print("|---|---|" + "---|" * len(COLUMNS))
        mine = [row for row in rows if row["input"] == name]
        for row in sorted(mine, key=lambda row: [found["model"] for found in mine].index(row["model"])):
            print(f"| {row['model']} | {row['whose']} | {' | '.join(str(row.get(key, '')) for key in COLUMNS)} |")
        ours = {row["model"]: row for row in mine if row["whose"] == "ours"}
        for row in mine:
            if row["whose"] != "ours" and row["model"] in ours:
                our = ours[row["model"]]
                print(
                    f"{row['model']}: Parquet to judgments takes {our['best_s'] / row['fit_s']:.2f} (first time "
                    f"{our['first_s'] / row['fit_s']:.2f}) of the fit of {row['whose']} alone; log-likelihood "
                    f"{our['log_likelihood'] - row['log_likelihood']:+.5f}"
                )


if __name__ == "__main__":
    main()
