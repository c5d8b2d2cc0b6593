"""Nodes of the export stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rankhammer import plugins
from rankhammer.errors import CorpusFailure, DataError, ExportError, stop_if_all_failed
from rankhammer.exporters import held_back, publish
from rankhammer.pipelines.export.params import ExportParams  # noqa: TC001 - Kedro resolves it at run time
from rankhammer.storage.publication import Candidates

STAGE = "export"


def export(
    ranker: dict[str, bytes], verdicts: dict[str, bytes], lineage: dict[str, Any], params: ExportParams
) -> tuple[Candidates, list[dict[str, str]], dict[str, Any]]:
    """Write every corpus's ranker for every target; a corpus is published as a whole or not at all."""
    reasons = held_back.reasons(held_back.read_verdicts(verdicts), accepted=params.accept_worse)
    exporters = [plugins.create("exporters", choice) for choice in params.targets]
    checks = publish.Checks(params.tolerance, params.n_vectors, params.n_ties, params.gate())
    published: dict[str, bytes] = {}
    failures: list[CorpusFailure] = []
    corpora = publish.by_corpus(ranker)
    for corpus, files in corpora.items():
        try:
            published |= publish.export_corpus(corpus, files, exporters, lineage=lineage, checks=checks)
        except (ExportError, DataError) as exc:
            failures.append(CorpusFailure(corpus, STAGE, exc.message, exc.hint))
    stop_if_all_failed(failures, len(corpora))
    kept, held = publish.divide(published, reasons)
    return Candidates(kept, held), [asdict(failure) for failure in failures], publish.report_held_back(held, reasons)


def report_export(
    exported_model: dict[str, bytes], failures: list[dict[str, str]], export_held_back: dict[str, Any]
) -> dict[str, Any]:
    """Sum up targets, sizes and parity of every corpus, and why some are not current."""
    return {"corpora": publish.report(exported_model) | export_held_back, "failures": failures}
