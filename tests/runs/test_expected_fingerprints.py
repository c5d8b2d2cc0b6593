"""What a run has to refuse before it works out what it would make."""

from __future__ import annotations

import pytest
from kedro.pipeline import node, pipeline

from rankhammer.datasets.handoff import Fingerprint
from rankhammer.errors import ConfigError
from rankhammer.pipeline_registry import register_pipelines
from rankhammer.runs.expected_fingerprints import _behind_lineage, _require_chosen

EXPORT = pipeline([node(lambda ranker: ranker, "ranker", "exported_model", name="export")])
FOLD = pipeline([node(lambda rows, corpora: rows, ["feature_rows", "params:corpora"], "training_rows", name="fold")])


def trained_on(corpora: list[str] | None) -> dict[str, Fingerprint]:
    return {"exported_model": Fingerprint("exported_model", "1", "export", choices={"fold": corpora})}


def test_a_choice_of_corpora_is_refused_where_nothing_would_follow_it():
    for made in (["a"], None):
        with pytest.raises(ConfigError, match="this run has neither") as caught:
            _require_chosen(EXPORT, ["b"], trained_on(made))
    assert "--pipeline=train --params corpora=b" in caught.value.hint


def test_a_choice_that_was_made_before_or_is_made_in_the_run_is_none_to_refuse():
    _require_chosen(EXPORT, ["a"], trained_on(["a"]))
    _require_chosen(EXPORT, None, trained_on(["a"]))
    _require_chosen(FOLD, ["b"], {})


def test_the_lineage_speaks_of_the_code_behind_the_export_alone():
    behind = _behind_lineage(register_pipelines()["__default__"])
    assert behind[0] == "ingest"
    assert behind[-1] == "export"
    assert not [name for name in behind if name.startswith("report_") or name in ("export_judgments", "evaluate")]
    assert _behind_lineage(EXPORT) == []
