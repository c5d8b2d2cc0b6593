"""Make the demo: two corpora, their simulated click logs and the truth, as three folders of Parquet."""

from __future__ import annotations

import json
import os
import platform
import shutil
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankhammer.demo import corpus, simulate, truth
from rankhammer.demo.queries import Intent, make_intents, pick_spellings, popularity
from rankhammer.demo.simulate import Pool, Users, robot_pages, search_pages
from rankhammer.digests import hex_digest
from rankhammer.errors import DataError
from rankhammer.storage.state_files import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator

_LOG_FILES = 4
_MANIFEST = "_demo.json"
_REFERENCE = pa.schema(
    [("corpus", pa.string()), ("query", pa.string()), ("doc_id", pa.string()), ("grade", pa.int32())]
)


@dataclass(frozen=True)
class CorpusSize:
    """How much of everything one corpus gets.

    Args:
        n_intents: Different things that people look for.
        n_serps: Result pages shown to people.
        n_robots: Sessions of robots.
        robot_serps: Result pages that each robot asks for, all in one day.
        n_candidates: Documents that the site's search may show for a query.
        n_shown: Results a page.
    """

    n_intents: int
    n_serps: int
    n_robots: int
    robot_serps: int = 300
    n_candidates: int = 30
    n_shown: int = 10


SIZES: Mapping[str, CorpusSize] = {
    "stdlib": CorpusSize(n_intents=800, n_serps=40_000, n_robots=5),
    "network": CorpusSize(n_intents=240, n_serps=8_000, n_robots=1),
}
"""Size of each corpus of the demo."""

LIST_NOISE = 1.4
ROBOT_CLICK_RATE = 0.3


@dataclass(frozen=True)
class CorpusSummary:
    """What was made for one corpus.

    Args:
        n_documents: Documents in the corpus.
        n_intents: Different things that people look for.
        n_queries: Their spellings.
        n_serps: Result pages, those of robots included.
        n_robot_serps: Result pages asked for by robots.
        n_impressions: Rows of the click log.
        n_clicks: Clicks, those of robots included.
    """

    n_documents: int
    n_intents: int
    n_queries: int
    n_serps: int
    n_robot_serps: int
    n_impressions: int
    n_clicks: int


@dataclass(frozen=True)
class DemoSummary:
    """What `make_demo` made or found.

    Args:
        path: The folder.
        fingerprint: Of the library's sources, the sizes, the seed and the code.
        made: False when the folder already held this very demo.
        corpora: Counts by corpus.
    """

    path: Path
    fingerprint: str
    made: bool
    corpora: Mapping[str, CorpusSummary]

    def __str__(self) -> str:
        lines = [
            f"  {name}: {found.n_documents} documents, {found.n_queries} queries, {found.n_serps} result pages with "
            f"{found.n_clicks} clicks, {found.n_robot_serps} of the pages asked for by robots"
            for name, found in self.corpora.items()
        ]
        return "\n".join([f"The demo {'is now' if self.made else 'was already'} in {self.path}:", *lines])


@dataclass(frozen=True)
class _Tables:
    documents: pa.Table
    click_log: pa.Table
    reference_judgments: pa.Table
    summary: CorpusSummary


def make_demo(out: Path, *, random_state: int = 42, sizes: Mapping[str, CorpusSize] = SIZES) -> DemoSummary:
    """Make the demo's input, unless the folder holds it already.

    Args:
        out: Folder to make; gets documents/, click_log/ and reference_judgments/. It appears whole or not at all.
        random_state: Seed: the same library, sizes and seed give the same bytes.
        sizes: Corpus name (of `corpus.CORPORA`) to its size.

    Returns:
        Where it is and what it holds.

    Raises:
        DataError: The folder holds something else, or the library's sources are not installed.
    """
    fingerprint = _fingerprint(random_state, sizes)
    found = _read_manifest(out)
    if found.get("fingerprint") == fingerprint:
        return DemoSummary(out, fingerprint, False, {k: CorpusSummary(**v) for k, v in found["corpora"].items()})
    library = corpus.read_library({name: corpus.CORPORA[name] for name in sizes})
    tables = {name: _make_corpus(name, library[name], size, random_state) for name, size in sizes.items()}
    corpora = {name: made.summary for name, made in tables.items()}
    _publish(out, tables, {"fingerprint": fingerprint, "corpora": {k: asdict(v) for k, v in corpora.items()}})
    return DemoSummary(out, fingerprint, True, corpora)


def _make_corpus(name: str, documents: pa.Table, size: CorpusSize, random_state: int) -> _Tables:
    """Make one corpus; each random part has a stream of its own, so that a change in one leaves the others alone."""
    if documents.num_rows < size.n_candidates:
        raise DataError(
            f"Corpus {name!r}: found {documents.num_rows} documented objects in the standard library's sources.",
            hint="Install Python with its library's .py files; a zipped or stripped library has no texts to read.",
            corpus=name,
        )
    streams = np.random.SeedSequence([random_state, zlib.crc32(name.encode())]).spawn(3)
    for_intents, for_truth, for_log = (np.random.default_rng(stream) for stream in streams)
    intents = make_intents(documents, n_intents=size.n_intents, rng=for_intents)
    queries = [intent.spellings[0] for intent in intents]
    pool = truth.make_pool(documents, queries, n_candidates=size.n_candidates, rng=for_truth)
    click_log = _click_log(name, documents, intents, pool, size, for_log)
    reference = _reference(name, documents, intents, pool)
    return _Tables(documents, click_log, reference, _summary(documents, intents, click_log, size))


def _click_log(
    name: str, documents: pa.Table, intents: list[Intent], pool: Pool, size: CorpusSize, rng: Generator
) -> pa.Table:
    query = rng.choice(len(intents), size=size.n_serps, p=popularity(len(intents)))
    pages = search_pages(pool, query, users=Users(), n_shown=size.n_shown, noise=LIST_NOISE, rng=rng)
    parts = [(pages, simulate.people(size.n_serps, rng), pick_spellings(intents, query, rng))]
    if size.n_robots:
        n_serps = size.n_robots * size.robot_serps
        noise = robot_pages(
            pool, n_serps=n_serps, n_shown=size.n_shown, noise=LIST_NOISE, click_rate=ROBOT_CLICK_RATE, rng=rng
        )
        visits = simulate.robots(size.n_robots, size.robot_serps, rng)
        parts.append((noise, visits, pick_spellings(intents, noise.query, rng)))
    return simulate.impressions(name, documents["doc_id"].to_pylist(), parts)


def _reference(name: str, documents: pa.Table, intents: list[Intent], pool: Pool) -> pa.Table:
    """Write the truth under the usual spelling of each intent."""
    intent, row, grade = truth.reference_rows(pool)
    queries = pa.array([found.spellings[0] for found in intents]).take(pa.array(intent))
    columns = [pa.repeat(name, len(row)), queries, documents["doc_id"].take(pa.array(row)), pa.array(grade)]
    return pa.table(columns, schema=_REFERENCE).sort_by([("query", "ascending"), ("doc_id", "ascending")])


def _summary(documents: pa.Table, intents: list[Intent], click_log: pa.Table, size: CorpusSize) -> CorpusSummary:
    return CorpusSummary(
        n_documents=documents.num_rows,
        n_intents=len(intents),
        n_queries=sum(len(intent.spellings) for intent in intents),
        n_serps=size.n_serps + size.n_robots * size.robot_serps,
        n_robot_serps=size.n_robots * size.robot_serps,
        n_impressions=click_log.num_rows,
        n_clicks=click_log["clicked"].to_numpy().sum().item(),
    )


def _fingerprint(random_state: int, sizes: Mapping[str, CorpusSize]) -> str:
    """Hash what decides the bytes, without reading the library: version, names and sizes of its files, this code."""
    code = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    library = [
        (source.name, source.path.stat().st_size) for name in sizes for source in corpus.sources(corpus.CORPORA[name])
    ]
    facts = [platform.python_version(), np.__version__, pa.__version__, random_state, library, code]
    wanted = {name: asdict(size) for name, size in sizes.items()}
    return hex_digest(json.dumps([*facts, wanted]))


def _read_manifest(out: Path) -> dict[str, Any]:
    """Read what a folder holds; a folder that is not a demo's is never touched."""
    path = out / _MANIFEST
    if path.is_file():
        content, fault = parse(path.read_bytes())
        if content is not None:
            return content
        raise DataError(f"{path} {fault}.", hint=f"Remove the folder: rm -r {out}", path=str(path))
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise DataError(
            f"{out} holds something other than a demo.", hint="Name another folder, or empty this one.", path=str(out)
        )
    return {}


def _write(rows: pa.Table, folder: Path, *, n_files: int) -> None:
    """Write a table in files of equal length, in order; Spark reads each by a core of its own."""
    n_rows = -(-len(rows) // n_files)
    for number in range(n_files):
        pq.write_table(rows.slice(number * n_rows, n_rows), folder / f"part-{number}.parquet")


def _publish(out: Path, tables: Mapping[str, _Tables], manifest: Mapping[str, Any]) -> None:
    """Write beside the folder, then swap: a reader sees the old demo or the new one."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (out.with_name(f".{out.name}-{os.getpid()}-{part}") for part in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    for table in ("documents", "click_log", "reference_judgments"):
        (fresh / table).mkdir(parents=True)
        whole = pa.concat_tables([getattr(made, table) for made in tables.values()])
        _write(whole, fresh / table, n_files=_LOG_FILES if table == "click_log" else 1)
    (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True), encoding="utf-8")
    if out.exists():
        out.rename(old)
    fresh.rename(out)
    shutil.rmtree(old, ignore_errors=True)
