"""A report counts only when it is complete and made of what this run would make it of."""

from __future__ import annotations

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from kedro_datasets.json import JSONDataset

from rankhammer.datasets import CheckpointDataset, HistoryDataset, PublishedDataset, StateDataset
from rankhammer.datasets.handoff import Fingerprint
from rankhammer.errors import ConfigError
from rankhammer.hooks import FingerprintHook, SummaryHook
from rankhammer.hooks.fingerprint_hook import bind_checkpoints
from rankhammer.runs.catalog_entries import require_entries

REPORT = "training_report"


def hooked(catalog: DataCatalog, digest: str) -> FingerprintHook:
    """A hook as `before_pipeline_run` leaves it."""
    hook = FingerprintHook()
    hook._catalog, hook._expected = catalog, {REPORT: Fingerprint(REPORT, digest, "report_training")}
    return hook


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    names = (REPORT, "report_fingerprints")
    return DataCatalog({name: JSONDataset(filepath=str(tmp_path / f"{name}.json")) for name in names})


def save(hook: FingerprintHook, catalog: DataCatalog, report: dict) -> None:
    hook.before_dataset_saved(REPORT, node=None)
    catalog[REPORT].save(report)
    hook.after_dataset_saved(REPORT, node=None)


def test_a_report_that_is_cut_off_while_it_is_written_again_is_missing(catalog):
    hook = hooked(catalog, "1")
    save(hook, catalog, {"corpora": {}})
    assert hook.is_current(REPORT, catalog)
    hook.before_dataset_saved(REPORT, node=None)
    assert not hooked(catalog, "1").is_current(REPORT, catalog)


def test_a_report_of_other_parameters_is_left_out_of_the_closing_table(catalog):
    save(hooked(catalog, "1"), catalog, {"corpora": {}})
    assert SummaryHook(hooked(catalog, "1"))._load(catalog, REPORT) == {"corpora": {}}
    assert SummaryHook(hooked(catalog, "2"))._load(catalog, REPORT) is None


def test_nothing_is_recorded_of_what_no_run_expects(catalog):
    hook = hooked(catalog, "1")
    catalog["other"] = MemoryDataset()
    hook.before_dataset_saved("other", node=None)
    hook.after_dataset_saved("other", node=None)
    assert not catalog["report_fingerprints"].exists()


def test_half_of_a_report_is_removed_where_a_run_fails_in_it(catalog, tmp_path):
    hook = hooked(catalog, "1")
    save(hook, catalog, {"corpora": {}})
    hook.on_pipeline_error(catalog)
    assert (tmp_path / f"{REPORT}.json").exists()
    hook.before_dataset_saved(REPORT, node=None)
    (tmp_path / f"{REPORT}.json").write_text('{"corp')
    hook.on_pipeline_error(catalog)
    assert not (tmp_path / f"{REPORT}.json").exists()


@pytest.mark.parametrize("content", ["", '{"a', "[1]", '{"training_report": 3}'])
def test_a_record_of_reports_that_cannot_be_read_lets_them_be_made_again(catalog, tmp_path, content):
    catalog["report_fingerprints"] = StateDataset(filepath=str(tmp_path / "report_fingerprints.json"))
    (tmp_path / "report_fingerprints.json").write_text(content)
    hook = hooked(catalog, "1")
    assert not hook.is_current(REPORT, catalog)
    save(hook, catalog, {"corpora": {}})
    assert hook.is_current(REPORT, catalog)


def test_a_failed_run_is_added_to_the_history_and_leaves_the_summary_of_the_one_before(tmp_path):
    summary, history = (str(tmp_path / name) for name in ("run_summary.json", "history"))
    published = PublishedDataset(filepath=str(tmp_path / "out"))
    catalog = DataCatalog(
        {
            "run_summary": StateDataset(filepath=summary),
            "run_history": HistoryDataset(filepath=history),
            "exported_model": published,
        }
    )
    catalog["run_summary"].save({"run": "before"})
    hook = SummaryHook(FingerprintHook())
    about = {"env": None, "runtime_params": {"day": "2026-11-28"}}
    hook.before_pipeline_run(about)
    hook.on_pipeline_error(OSError(28, "No space left on device", "/out/a"), about, catalog)
    (failed,) = catalog["run_history"].load()
    assert (failed["state"], failed["params"]) == ("failed", {"day": "2026-11-28"})
    assert "A disk is full" in failed["error"]
    assert catalog["run_summary"].load() == {"run": "before"}
    (tmp_path / "history").rename(tmp_path / "gone")
    (tmp_path / "history").write_text("a file where a folder must be")
    hook.on_pipeline_error(ValueError("x"), about, catalog)


def test_a_run_whose_results_would_be_kept_nowhere_is_refused_with_the_entry_that_was_meant(catalog):
    pipeline = Pipeline([node(lambda: 1, None, "serps", name="ingest")])
    for name in ("serp", "run_summary", "run_history"):
        catalog[name] = MemoryDataset()
    with pytest.raises(ConfigError, match="no entry 'serps'") as caught:
        require_entries(pipeline, catalog)
    assert "Did you mean 'serp'?" in caught.value.hint
    catalog["serps"] = MemoryDataset()
    require_entries(pipeline, catalog)


def test_what_a_node_has_kept_is_of_its_outputs_and_gone_once_all_of_them_are_written(catalog, tmp_path):
    catalog["kept"] = CheckpointDataset(filepath=str(tmp_path / "kept"))
    pipeline = Pipeline([node(lambda _: (1, 2), "kept", ["trials", "failures"], name="tune")])
    expected = {name: Fingerprint(name, f"digest of {name}", "tune") for name in ("trials", "failures")}
    hook = hooked(catalog, "1")
    hook._checkpoints = bind_checkpoints(pipeline, catalog, expected)
    folder = catalog["kept"].load()
    assert folder.made_of == "digest of trials"
    folder.open("search").write(0, "tasks", "results")
    hook.after_dataset_saved("trials", node=pipeline.nodes[0])
    assert folder.open("search").read(0, "tasks") == "results"
    hook.after_dataset_saved("failures", node=pipeline.nodes[0])
    assert not (tmp_path / "kept").exists()
