"""A change of code makes stale what stands on it, and nothing else."""

from __future__ import annotations

import re
import shutil
from functools import cache
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline

from rankhammer import plugins
from rankhammer.built_in import BUILT_IN
from rankhammer.config_loader import ConfigLoader
from rankhammer.fingerprints.handoffs import expected_fingerprints
from rankhammer.fingerprints.import_closure import Modules
from rankhammer.fingerprints.node_code import code_of
from rankhammer.pipeline_registry import BRANCHES, ON_DEMAND, STAGES, every_node, register_pipelines
from rankhammer.plugins import PluginSpec
from rankhammer.runs.parameters import check_parameters
from rankhammer.settings import CONFIG_LOADER_ARGS
from rankhammer.spark import worker_daemon

CONF = Path(__file__).parents[2] / "conf"
STATEMENT, COMMENT = "\nprint(1)\n", "\n# A remark.\n"
TRAINED = {"folding", "training", "export", "query_report"}
ALL = {*STAGES, *BRANCHES} - ON_DEMAND


class Changed(Modules):
    """Modules as they would be after a change.

    Args:
        module: The changed one.
        added: What is written at its end.
    """

    def __init__(self, module: str, added: str) -> None:
        super().__init__()
        self._module, self._added = f"rankhammer.{module}", added

    def text(self, name: str) -> str:
        return super().text(name) + (self._added if name == self._module else "")


@cache
def line() -> tuple[Any, dict[str, Any], DataCatalog]:
    """All nodes, their parameters and the catalog as conf/base has them."""
    loader = ConfigLoader(str(CONF), **{**CONFIG_LOADER_ARGS, "default_run_env": "base"})
    whole = register_pipelines()["__default__"]
    given = check_parameters(loader["parameters"], whole, known=every_node().inputs())
    return whole, given, DataCatalog.from_config(loader["catalog"])


def digests(modules: Modules, **parameters: Any) -> dict[str, tuple[str, str]]:
    """Each output's stage and digest."""
    whole, given, catalog = line()
    given = given | {f"params:{name}": value for name, value in parameters.items()}
    code = code_of(whole, parameters=given, catalog=catalog, modules=modules)
    made = expected_fingerprints(whole, parameters=given, sources={}, code=code)
    stages = {name: next(iter(node.tags & ALL)) for node in whole.nodes for name in node.outputs}
    return {name: (stages[name], fingerprint.digest) for name, fingerprint in made.items()}


def stale_outputs(module: str, added: str = STATEMENT, **parameters: Any) -> dict[str, str]:
    before, after = digests(Modules(), **parameters), digests(Changed(module, added), **parameters)
    return {name: before[name][0] for name in before if before[name] != after[name]}


def stale(module: str, added: str = STATEMENT, **parameters: Any) -> set[str]:
    return set(stale_outputs(module, added, **parameters).values())


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("cli.main", set()),
        ("runs.planning", set()),
        ("fingerprints.handoffs", set()),
        ("hooks.summary_hook", set()),
        ("demo.make", set()),
        ("built_in", set()),
        ("yarn.probe", set()),
        ("datasets.previews", set()),
        ("deploy.rolling_back", set()),
        ("pipelines.export.nodes", {"export"}),
        ("pipelines.export.pipeline", {"export"}),
        # Of training: what compares with the current rankers, which it reads as the export wrote them.
        ("exporters.publish", {"export", "query_report", "training"}),
        ("exporters.targets.opensearch_ltr", {"export"}),
        ("exporters.judgments.files", {"judgment_export"}),
        ("pipelines.training.report", {"training", "export", "query_report"}),
        ("rankers.xgboost", {"training", "export", "query_report"}),
        ("training.folds", TRAINED),
        ("feature_sources.embedded.source", {"features", *TRAINED}),
        ("click_models.dbn", ALL - {"ingestion"}),
        ("click_logs.impressions", ALL),
        ("queries.normalize", ALL),
        ("queries.overlap", ALL),
        ("analyzers.porter", ALL),
        ("schemas", ALL),
        ("datasets.table_dataset", ALL),
        ("datasets.input_validator", ALL),
    ],
)
def test_a_change_makes_stale_what_stands_on_it_and_no_more(module, stages):
    assert stale(module) == stages


@pytest.mark.parametrize("module", ["schemas", "click_models.dbn", "pipelines.ingestion.nodes"])
def test_a_comment_makes_nothing_stale(module):
    assert stale(module, COMMENT) == set()


def test_an_exporter_counts_where_it_is_asked_for_alone():
    _, given, _ = line()
    export = given["params:export"]
    assert "vespa" not in {choice.name for choice in export.targets}
    assert stale("exporters.targets.vespa") == set()
    with_vespa = export.model_copy(update={"targets": (*export.targets, PluginSpec(name="vespa", options={}))})
    assert stale("exporters.targets.vespa", export=with_vespa) == {"export"}


def test_a_plugin_whose_class_is_another_one_now_makes_stale_what_asked_for_it(monkeypatch):
    before = digests(Modules())
    monkeypatch.setitem(BUILT_IN["click_models"], "dbn", "rankhammer.click_models.dbn:Other")
    after = digests(Modules())
    assert {before[name][0] for name in before if before[name] != after[name]} == ALL - {"ingestion"}


def test_a_click_model_does_not_count_before_one_is_asked_for():
    found = stale_outputs("click_models.dbn")
    assert "counted_serps" not in found
    assert {"click_model_measures", "click_model_parameters", "judgments"} <= set(found)


def test_the_code_that_no_plugin_was_asked_of_holds_no_plugin():
    whole, _, catalog = line()
    closures: dict[str, frozenset[str]] = {}

    class Kept(Modules):
        def digest(self, roots):
            closures[",".join(sorted(roots))] = self.closure(roots)
            return ""

    code_of(whole, parameters={}, catalog=catalog, modules=Kept())
    ingestion = next(found for roots, found in closures.items() if "ingestion" in roots)
    # Days of a log are counted where they are ingested, by `click_models.counts`.
    others = {"exporters", "rankers", "deploy", "hooks", "cli.main", "demo"}
    assert {name.split(".")[1] for name in ingestion if "." in name} & others == set()


def _behind_all_stages() -> dict[str, str]:
    """Each module that a stage or a built-in plugin stands on, with its source."""
    whole, _, _ = line()
    of_plugins = {origin.module for origin in plugins.origins() if origin.distribution == "rankhammer"}
    modules = Modules()
    return {
        name: modules.text(name) for name in modules.closure({one.func.__module__ for one in whole.nodes} | of_plugins)
    }


def test_no_stage_imports_by_a_computed_name():
    computed = re.compile(r"""(import_module|__import__)\((?!["'])""")
    # What kedro-viz shows of a dataset decides no row.
    of_libraries = {"rankhammer.spark.worker_daemon", "rankhammer.datasets.preview_code"}
    found = {name for name, text in _behind_all_stages().items() if computed.search(text)}
    assert found - of_libraries == set()
    assert [name for name in worker_daemon.MODULES if name.startswith("rankhammer")] == []


def test_what_stages_read_of_the_package_beside_code_is_known():
    """The scorer that is exported with `model.json` counts byte for byte; settings of the log decide no row."""
    reads = re.compile(r"__file__|\bresources\b|get_data\(")
    # Spark's resources of a task are no files.
    known = {
        "rankhammer.exporters.targets.plain_json",
        "rankhammer.spark.session_provider",
        "rankhammer.training.slots",
    }
    assert {name for name, text in _behind_all_stages().items() if reads.search(text)} <= known
    before, after = (
        digests(Modules(), **_with_json()),
        digests(Changed("exporters.targets.scorer", COMMENT), **_with_json()),
    )
    assert {before[name][0] for name in before if before[name] != after[name]} == {"export"}


def _with_json() -> dict[str, Any]:
    export = line()[1]["params:export"]
    return {"export": export.model_copy(update={"targets": (PluginSpec(name="json"),)})}


def test_what_an_earlier_process_kept_gives_the_same_digests(tmp_path, monkeypatch):
    whole, given, catalog = line()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fresh = code_of(whole, parameters=given, catalog=catalog, modules=Modules())
    assert code_of(whole, parameters=given, catalog=catalog) == fresh
    assert len([*tmp_path.rglob("sources-*.json")]) == 1
    assert code_of(whole, parameters=given, catalog=catalog) == fresh


def _install(folder: Path, version: str, code: str) -> None:
    """Put a package with one click-log reader into a folder."""
    for old in folder.glob("*.dist-info"):
        shutil.rmtree(old)
    info = folder / f"shop_reader-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shop-reader\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[rankhammer.click_logs]\nshop = shop_reader_of_tests.reader:Reader\n")
    (folder / "shop_reader_of_tests").mkdir(exist_ok=True)
    (folder / "shop_reader_of_tests" / "__init__.py").write_text("")
    (folder / "shop_reader_of_tests" / "reader.py").write_text("from . import rows\nfrom rankhammer import errors\n")
    (folder / "shop_reader_of_tests" / "rows.py").write_text(code)
    invalidate_caches()


def _parts_of_shop(modules: Modules) -> dict[str, str]:
    line_of_one = pipeline([node(lambda params: params, "params:ingestion", "serps", name="ingest")])
    parameters = {"params:ingestion": {"reader": PluginSpec(name="shop")}}
    return code_of(line_of_one, parameters=parameters, catalog=DataCatalog(), modules=modules)["ingest"]


@pytest.mark.parametrize(
    ("version", "code", "added_to", "is_stale"),
    [
        ("1.0", "a = 1  # a remark", "", False),
        ("1.0", "a = 2", "", True),
        ("1.1", "a = 1", "", True),
        ("1.0", "a = 1", "errors", True),
        ("1.0", "a = 1", "training.folds", False),
    ],
)
def test_a_plugin_of_another_package_counts_with_its_source_its_version_and_what_it_takes_from_here(
    tmp_path, monkeypatch, version, code, added_to, is_stale
):
    monkeypatch.syspath_prepend(tmp_path)
    _install(tmp_path, "1.0", "a = 1")
    before = _parts_of_shop(Modules())
    _install(tmp_path, version, code)
    after = _parts_of_shop(Changed(added_to, STATEMENT))
    assert (before["click_logs.shop"] != after["click_logs.shop"]) == is_stale
