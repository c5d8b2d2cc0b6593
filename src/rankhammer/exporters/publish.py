"""Puts one corpus's exported ranker together: files of every target, each proved, each with its manifest."""

from __future__ import annotations

import gc
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.canonical_json import to_json
from rankhammer.corpora import corpus_in, folder_of
from rankhammer.digests import hex_digest
from rankhammer.errors import CorpusFailure, DataError, ExportError, stop_if_all_failed
from rankhammer.exporters.base import Traceable, TrainedRanker
from rankhammer.exporters.parity import NOT_ASKED, check_logged_scores, check_parity
from rankhammer.exporters.parity_samples import logged_pairs, parity_vectors
from rankhammer.exporters.targets.model_files import verification
from rankhammer.feature_sets import FeatureSet
from rankhammer.neural_model import BOOSTER_FILE, NETWORK_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from rankhammer.exporters.base import Exporter
    from rankhammer.exporters.parity_samples import Logged
    from rankhammer.exporters.threshold_samples import Vectors

    EngineGate = Callable[[TrainedRanker, Mapping[str, bytes], Logged], Any]
    """Has an engine score logged pairs by an export's files, its manifest included; see `deploy.proving`."""
    Ask = Callable[[Mapping[str, bytes]], Any]

MANIFEST, FEATURE_SET, SAMPLE = "manifest.json", "feature_set.json", "sample_vectors.json"
MODELS = (BOOSTER_FILE, NETWORK_FILE)
"""One of these holds the model."""
PARITY = "parity.json"
STAGE = "export"


@dataclass(frozen=True)
class Checks:
    """How closely exports are checked before they are published.

    Args:
        tolerance: Largest absolute difference between booster and export.
        n_vectors: Logged vectors to compare at most.
        n_ties: Splits to try on their thresholds at most.
        gate: Has an engine score logged pairs; None: no engine is asked.
    """

    tolerance: float
    n_vectors: int
    n_ties: int
    gate: EngineGate | None = None


def by_corpus(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Group files named "<folder of the corpus>/<file>" by corpus, in the order of the folders."""
    return {corpus_in(f"{folder}/"): found for folder, found in by_folder(files).items()}


def read_ranker(corpus: str, files: Mapping[str, bytes]) -> TrainedRanker:
    """Open one corpus's folder of the trained rankers.

    Args:
        corpus: Whose folder it is.
        files: File name to content.

    Raises:
        DataError: A file is missing.
    """
    model = next((name for name in MODELS if name in files), BOOSTER_FILE)
    missing = [name for name in (model, MANIFEST, FEATURE_SET, SAMPLE) if name not in files]
    if missing:
        raise DataError(
            f"The ranker of corpus {corpus!r} lacks {', '.join(missing)}; found {sorted(files)}.",
            hint="Run the training stage again.",
            corpus=corpus,
        )
    return TrainedRanker(
        corpus=corpus,
        model=files[model],
        feature_set=FeatureSet.model_validate_json(files[FEATURE_SET]),
        manifest=json.loads(files[MANIFEST]),
        sample=files[SAMPLE],
    )


def export_corpora(
    corpora: Mapping[str, Mapping[str, bytes]],
    exporters: Sequence[Exporter],
    *,
    lineage: Mapping[str, Any],
    checks: Checks,
) -> tuple[dict[str, bytes], list[CorpusFailure]]:
    """Write and prove every corpus's ranker for every target.

    Args:
        corpora: Corpus to its ranker's folder, see `export_corpus`.
        exporters: One writer a target.
        lineage: What the run was made of, JSON-able; embedded as it is.
        checks: How closely exports are checked.

    Returns:
        "<corpus>/<target>/<file>" to content, and the corpora that cannot be exported.

    Raises:
        DataError: No corpus can be.
        EngineError: The engine cannot be asked.
    """
    published: dict[str, bytes] = {}
    failures: list[CorpusFailure] = []
    for corpus, files in corpora.items():
        try:
            published |= export_corpus(corpus, files, exporters, lineage=lineage, checks=checks)
        except (ExportError, DataError) as exc:
            failures.append(CorpusFailure(corpus, STAGE, exc.message, exc.hint))
    stop_if_all_failed(failures, len(corpora))
    return published, failures


def export_corpus(
    corpus: str,
    files: Mapping[str, bytes],
    exporters: Sequence[Exporter],
    *,
    lineage: Mapping[str, Any],
    checks: Checks,
) -> dict[str, bytes]:
    """Write and prove one corpus's ranker for every target.

    Args:
        corpus: Whose ranker it is.
        files: The ranker's folder as training published it: model.ubj or model.json, manifest.json,
            feature_set.json and sample_vectors.json.
        exporters: One writer a target.
        lineage: What the run was made of, JSON-able; embedded as it is.
        checks: How closely exports are checked.

    Returns:
        "<corpus>/<target>/<file>" to content; the same input gives the same bytes.

    Raises:
        DataError: A file of the ranker is missing.
        ExportError: A target cannot express the ranker, or does not score as the booster does.
        EngineError: The engine cannot be asked.
    """
    ranker = read_ranker(corpus, files)
    sample, logged = ranker.logged
    if logged is not None:
        check_logged_scores(ranker, sample, logged, checks.tolerance)
    vectors = parity_vectors(sample, ranker, n_vectors=checks.n_vectors, n_ties=checks.n_ties)
    ask = _asking(checks.gate, ranker, logged_pairs(files[SAMPLE], sample, checks.n_vectors)) if checks.gate else None
    published: dict[str, bytes] = {}
    with no_cycle_collection():
        for exporter in exporters:
            target = _export_target(exporter, ranker, vectors, lineage, checks.tolerance, ask)
            published |= {f"{folder_of(corpus)}/{exporter.target}/{name}": content for name, content in target.items()}
    return published


@contextmanager
def no_cycle_collection() -> Iterator[None]:
    """Pause the search for reference cycles: nested trees are many small objects without any, walked each time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def report(published: Mapping[str, bytes]) -> dict[str, Any]:
    """Sum up what was published.

    Args:
        published: "<corpus>/<target>/<file>" to content.

    Returns:
        Corpus to {"targets": [{target, folder, model, n_trees or n_weights, size_bytes, parity, warnings}]}.
    """
    corpora: dict[str, Any] = {}
    for folder, files in by_folder(published).items():
        manifest = json.loads(files[MANIFEST])
        facts = {
            "target": manifest["target"],
            "folder": folder,
            **{key: manifest[key] for key in ("model", "n_trees", "n_weights") if key in manifest},
            "size_bytes": sum(map(len, files.values())),
            "parity": manifest["parity"],
            "warnings": manifest["warnings"],
        }
        corpora.setdefault(manifest["corpus"], {"targets": []})["targets"].append(facts)
    return corpora


def divide(files: Mapping[str, bytes], held_back: Collection[str]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Part the files of corpora that become current from those of corpora that do not.

    Args:
        files: "<folder of the corpus>/..." to content.
        held_back: The corpora that do not.
    """
    current = {name: content for name, content in files.items() if corpus_in(name) not in held_back}
    return current, {name: content for name, content in files.items() if name not in current}


def report_held_back(files: Mapping[str, bytes], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Sum up what was written and does not become current.

    Args:
        files: "<folder of the corpus>/<target>/<file>" to content.
        reasons: Corpus to why.

    Returns:
        Corpus to its `targets`, as in `report`, and `held_back`, the reason.
    """
    return {corpus: {**facts, "held_back": reasons[corpus]} for corpus, facts in report(files).items()}


def by_folder(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Group files by the folder that they are in, in the order of the folders."""
    folders: dict[str, dict[str, bytes]] = {}
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = files[path]
    return folders


def _asking(gate: EngineGate, ranker: TrainedRanker, logged: Logged) -> Ask:
    return lambda files: gate(ranker, files, logged)


def _export_target(
    exporter: Exporter,
    ranker: TrainedRanker,
    vectors: Vectors,
    lineage: Mapping[str, Any],
    tolerance: float,
    ask: Ask | None,
) -> dict[str, bytes]:
    files = exporter.write(ranker)
    parity = check_parity(exporter, files, ranker, vectors, tolerance=tolerance)
    facts = exporter.facts(ranker, files) if isinstance(exporter, Traceable) else {}
    manifest = {
        "corpus": ranker.corpus,
        "target": exporter.target,
        **ranker.form.facts(),
        "feature_set": {"name": ranker.feature_set.name, "version": ranker.feature_set.version},
        "keep_absent": sorted(ranker.keep_absent),
        **verification("file only", "the exporter's own rules"),
        "ranker": ranker.manifest,
        "lineage": lineage,
        "warnings": [],
        **facts,
    }
    engine: Any = ask({**files, MANIFEST: to_json({**manifest, "parity": parity})}) if ask else NOT_ASKED
    if engine != NOT_ASKED:
        manifest |= verification(
            "real engine", f"{engine['name']} {engine['version']} scored this very ranker in the export"
        )
    parity = {**parity, "engine": engine}
    files = {**files, PARITY: to_json(parity)}
    fingerprints = {name: _fingerprint(content) for name, content in files.items()}
    return {**files, MANIFEST: to_json({**manifest, "parity": parity, "files": fingerprints})}


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"sha256": hex_digest(content), "size_bytes": len(content)}
