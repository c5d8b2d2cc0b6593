"""Names and sentences use the field's terms: words that were replaced do not come back (docs/glossary.md)."""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = {
    "Wish": "SubmissionSpec",
    "told": "message, or on_progress",
    "guarded": "report_user_errors",
    "want_early": "request_early_start",
    "take_in": "validate_log",
    "Intake": "ValidatedLog",
    "OutputsLeft": "PendingOutputs",
    "NumberedFiles": "AppendOnlyLog",
    "Publication": "VersionStore",
    "Walker": "CascadePrediction",
    "Behaviour": "CascadeProbabilities",
    "Tails": "Suffixes",
    "maximise": "m_step",
    "first_guess": "initial_parameters",
    "FloorModel": "BaselineModel",
    "ModelForm": "ModelIR",
    "TreeForm": "TreeEnsembleIR",
    "LinearForm": "LinearIR",
    "RankerFiles": "TrainedRanker",
    "Written": "ParsedModel",
    "Coarse": "HasRoundingLimits",
    "Explains": "Traceable",
    "NeutralJson": "PlainJson",
    "Visits": "DemoSessions",
    "FoundRun": "FinishedRun",
    "impatient": "without_retries",
    "myself": "this_process",
    "is_of": "belongs_to",
}
"""Identifiers that are not used, with what is."""
PHRASES = {
    "became of": "status",
    "sign of life": "heartbeat",
    "otherwise than": "differently from",
    "anew": "again",
    "to mend": "to fix",
    "has it not": "lacks it",
    "all the same": "anyway",
    "broke off": "was interrupted",
    "in whatever company": "independent of the others",
    "row a document": "row per document",
    "line a node": "line per node",
    "one a corpus": "one per corpus",
    "judgement": "judgment",
    "gold standard": "reference judgments",
}
"""Phrases that are not used in code, configuration and docs, with what is."""
WHERE = ("src", "docs", "conf", "dev", "benchmarks", "README.md", "CONTRIBUTING.md")
QUOTED = {"docs/glossary.md", "docs/stages/judgment_export.md"}
"""They quote such words: the glossary to forbid them, the other to name a format's own field."""
CAMEL = re.compile(r"[A-Z][a-z]+|[A-Z]+(?![a-z])")


def _files(*endings: str) -> list[Path]:
    roots = [ROOT / name for name in WHERE]
    found = [path for root in roots for path in ([root] if root.is_file() else sorted(root.rglob("*")))]
    kept = (path for path in found if path.suffix in endings and "adr" not in path.parts)
    return [path for path in kept if not any(part.endswith(".egg-info") for part in path.parts)]


@cache
def _used_names() -> dict[str, str]:
    """Every identifier of the source to a file that has it."""
    used: dict[str, str] = {}
    for path in _files(".py"):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        used |= {token.string: str(path.relative_to(ROOT)) for token in tokens if token.type == tokenize.NAME}
    return used


@pytest.mark.parametrize("name", NAMES)
def test_a_replaced_name_is_not_used(name):
    assert name not in _used_names(), f"{_used_names()[name]}: use {NAMES[name]}"


@cache
def _texts() -> dict[str, str]:
    paths = {str(path.relative_to(ROOT)): path for path in _files(".py", ".md", ".yml")}
    return {name: " ".join(path.read_text().split()) for name, path in paths.items() if name not in QUOTED}


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_replaced_phrase_is_not_used(phrase):
    has = re.compile(rf"\b{phrase}\b", re.IGNORECASE)
    found = [name for name, text in _texts().items() if has.search(text)]
    assert found == [], f"write {PHRASES[phrase]!r}"


def _classes() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in _files(".py"):
        if path.is_relative_to(ROOT / "src"):
            for name in re.findall(r"^class (\w+)", path.read_text(), re.MULTILINE):
                found.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return found


def test_a_public_class_name_has_one_meaning():
    assert {name: files for name, files in _classes().items() if len(files) > 1 and not name.startswith("_")} == {}


def test_a_trained_ranker_is_called_a_ranker():
    """`model` alone is the click model's word, or an engine's and XGBoost's own."""
    assert [
        name for name in _classes() if CAMEL.findall(name)[-2:] in (["Trained", "Model"], ["Ranking", "Model"])
    ] == []


@pytest.mark.parametrize("term", ["ranker", "current", "champion", "active in an engine", "hand-off", "fingerprint"])
def test_the_glossary_defines_the_words_that_runs_and_deployments_speak_in(term):
    assert re.search(rf"^\| {term} \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
