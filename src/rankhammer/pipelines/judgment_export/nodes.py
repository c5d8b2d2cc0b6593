"""Nodes of the judgment export."""

from __future__ import annotations

# Kedro resolves every annotation of a node at run time.
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import plugins
from rankhammer.exporters.judgments import JudgmentFiles
from rankhammer.pipelines.judgment_export.params import JudgmentExportParams  # noqa: TC001
from rankhammer.schemas import EARLIER, PERIOD


def export_judgments(judgments: DataFrame, params: JudgmentExportParams) -> JudgmentFiles:
    """Write every corpus's graded judgments for every target; the work is done while they are saved.

    Judgments of days that are held out are left out.
    """
    if PERIOD in judgments.columns:
        judgments = judgments.where(judgments[PERIOD] == EARLIER).drop(PERIOD)
    return JudgmentFiles(judgments, [plugins.create("judgment_exporters", choice) for choice in params.targets])
