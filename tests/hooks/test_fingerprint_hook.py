"""A report counts only when it is complete and made of what this run would make it of."""

from __future__ import annotations

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.json import JSONDataset

from rankhammer.datasets.handoff import Fingerprint
from rankhammer.hooks import FingerprintHook, SummaryHook

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
