"""Nodes of the export stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rankhammer import plugins
from rankhammer.exporters import held_back, publish
from rankhammer.pipelines.export.params import ExportParams  # noqa: TC001 - Kedro resolves it at run time
from rankhammer.storage.publication import Candidates, NewRanker


def export(
    ranker: dict[str, bytes], verdicts: dict[str, bytes], lineage: dict[str, Any], params: ExportParams
) -> tuple[Candidates, list[dict[str, str]], dict[str, Any]]:
    """Write every corpus's ranker for every target; a corpus is published as a whole or not at all."""
    exporters = [plugins.create("exporters", choice) for choice in params.targets]
    checks = publish.Checks(params.tolerance, params.n_vectors, params.n_ties, params.gate())
    corpora, evidence = publish.by_corpus(ranker), held_back.read_verdicts(verdicts)
    published, failures = publish.export_corpora(corpora, exporters, lineage=lineage, checks=checks)
    worse = held_back.reasons(evidence, accepted=params.accept_worse)
    reasons = held_back.by_hand(worse, filter(params.is_by_hand, corpora))
    kept, held = publish.divide(published, reasons)
    rankers = {
        corpus: NewRanker(files, lineage, evidence.get(corpus, {}), is_by_hand=params.is_by_hand(corpus))
        for corpus, files in corpora.items()
    }
    said = [asdict(failure) for failure in failures]
    return Candidates(kept, held, rankers), said, publish.report_held_back(held, reasons)


def report_export(
    exported_model: dict[str, bytes], failures: list[dict[str, str]], export_held_back: dict[str, Any]
) -> dict[str, Any]:
    """Sum up targets, sizes and parity of every corpus, and why some are not current."""
    # A ranker that is current already is published again, although only a command makes one current.
    return {"corpora": export_held_back | publish.report(exported_model), "failures": failures}
