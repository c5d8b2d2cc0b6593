"""Rules of a published export."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from rankhammer import plugins
from rankhammer.built_in import BUILT_IN
from rankhammer.errors import DataError, ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.exporters.targets.plain_json import PlainJson, PlainJsonOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPORTERS = (OpenSearchLtr(OpenSearchLtrOptions()), PlainJson(PlainJsonOptions()))
LINEAGE = {"code": "abc", "inputs": {"click_log": "123"}, "parameters": {"random_state": 42}}


def export(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return publish.export_corpus("de/wiki", files, EXPORTERS, lineage=LINEAGE, checks=publish.Checks(1e-5, 20, 20))


@pytest.fixture(scope="module")
def published(trained: Any) -> dict[str, bytes]:
    return export(trained.folder())


def test_the_same_ranker_gives_the_same_bytes(trained: Any, published: dict[str, bytes]) -> None:
    shuffled = dict(reversed(trained.folder().items()))

    assert export(shuffled) == published


def test_every_target_has_a_folder_with_its_manifest_and_parity(published: dict[str, bytes]) -> None:
    folders = publish.by_folder(published)

    assert {folder: sorted(files) for folder, files in folders.items()} == {
        "de%2Fwiki/json": ["feature_set.json", "manifest.json", "model.json", "parity.json", "scorer.py"],
        "de%2Fwiki/opensearch_ltr-3.6": [
            "feature_set.json",
            "manifest.json",
            "model.json",
            "parity.json",
            "rescore_query.json",
        ],
    }


def test_a_manifest_says_where_its_files_come_from_and_how_they_were_proved(published: dict[str, bytes]) -> None:
    files = publish.by_folder(published)["de%2Fwiki/opensearch_ltr-3.6"]
    manifest = json.loads(files.pop("manifest.json"))

    assert manifest["corpus"] == "de/wiki"
    assert manifest["lineage"] == LINEAGE
    assert manifest["ranker"] == {"seed": 7}
    assert manifest["n_trees"] == 8
    assert manifest["proved_by"] == "contract"
    assert manifest["parity"] == json.loads(files["parity.json"])
    assert manifest["missing_values"]["rule"] == "right"
    assert manifest["constant"] >= 0
    assert {name: facts["sha256"] for name, facts in manifest["files"].items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }


def test_the_report_sums_up_every_target(published: dict[str, bytes]) -> None:
    (corpus, facts), *others = publish.report(published).items()

    assert (corpus, others) == ("de/wiki", [])
    assert [target["target"] for target in facts["targets"]] == ["json", "opensearch_ltr-3.6"]
    assert [target["folder"] for target in facts["targets"]] == ["de%2Fwiki/json", "de%2Fwiki/opensearch_ltr-3.6"]
    assert all(target["parity"]["passed"] and target["size_bytes"] > 0 for target in facts["targets"])


@pytest.mark.parametrize("name", ["model.ubj", "manifest.json", "feature_set.json", "sample_vectors.json"])
def test_a_missing_file_is_named(trained: Any, name: str) -> None:
    files = trained.folder()
    del files[name]

    with pytest.raises(DataError, match=name):
        export(files)


def test_nothing_is_returned_when_one_target_fails(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainJson, "score", lambda *_: [0.0])

    with pytest.raises(ExportError, match="scores of shape"):
        export(trained.folder())


def test_every_built_in_target_passes_the_gate_and_says_how_it_was_proved(hostile: Any) -> None:
    exporters = [plugins.create("exporters", plugins.PluginSpec(name=name)) for name in BUILT_IN["exporters"]]

    published = publish.export_corpus(
        "main", hostile.folder(), exporters, lineage=LINEAGE, checks=publish.Checks(1e-5, 200, 2000)
    )

    folders = publish.by_folder(published)
    manifests = {folder.split("/")[1]: json.loads(files["manifest.json"]) for folder, files in folders.items()}
    assert manifests.keys() == {exporter.target for exporter in exporters}
    assert {target: one["proved_by"] for target, one in manifests.items()} == {
        "json": "real engine",
        "solr_ltr": "real engine",
        "opensearch_ltr-3.6": "contract",
        "elasticsearch_ltr-1.5.10": "contract",
        "ranklib-opensearch-3.6": "file only",
        "elastic_native": "file only",
        "vespa": "file only",
    }
    not_run = {target for target, one in manifests.items() if one["proof"].endswith("has not run it")}
    assert not_run == {"elasticsearch_ltr-1.5.10", "ranklib-opensearch-3.6", "elastic_native", "vespa"}
    assert all(one["parity"]["n_traced"] == 10 for one in manifests.values())
