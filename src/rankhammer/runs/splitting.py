"""Cuts a data set into a smaller one: its result pages, documents and grades, and an environment that runs on them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import yaml
from kedro.pipeline import Pipeline
from pyspark.sql import functions as F

from rankhammer import casts, pipeline_registry, plugins
from rankhammer.canonical_json import to_json
from rankhammer.click_logs.faults import NOT_A_PAGE
from rankhammer.click_logs.visitors import ADDRESS, USER
from rankhammer.datasets.daily_log import DailyLog
from rankhammer.errors import ConfigError, DataError
from rankhammer.queries import add_query_columns
from rankhammer.runs import run_ids, run_selection
from rankhammer.runs.expected_fingerprints import checked_parameters
from rankhammer.runs.input_checks import DOCUMENTS, JUDGMENTS, LOG, check_inputs
from rankhammer.schemas import RAW_SERPS
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from rankhammer.click_logs.sessions import DayRange
    from rankhammer.pipelines.ingestion.params import IngestionParams
    from rankhammer.runs.project_session import ProjectSession

    OpenSession = Callable[[Mapping[str, Any]], ProjectSession]

_BUCKETS = 1_000_000
_PAGE = tuple(name for name in RAW_SERPS.columns if name != "fault")


@dataclass(frozen=True)
class Cut:
    """What of a data set is kept.

    Args:
        days: UTC days of the pages; a page without a time is in all.
        share: Share of query clusters, 0 to 1: those whose hash is below it, so that a smaller share is part of a
            larger one.
        seed: Of that hash.
        shown_only: Whether documents that no kept page shows, and no grade names, are left out.
    """

    days: DayRange
    share: float = 1.0
    seed: int = 0
    shown_only: bool = False


@dataclass(frozen=True)
class SplitFacts:
    """What was written.

    Args:
        n_pages: Result pages.
        n_set_aside: Faulty pages that were left out.
        n_documents: None where there are none.
        n_judgments: Likewise.
    """

    n_pages: int
    n_set_aside: int
    n_documents: int | None
    n_judgments: int | None


def split(options: Mapping[str, Any], *, folder: str, settings: str, cut: Cut, opened: OpenSession) -> SplitFacts:
    """Write the part of a data set, and the environment's globals.yml.

    The log is written as result pages, which reader `serps` reads: sound ones, those of robots included. Users and
    addresses are hashed by a salt that is not kept. Documents and grades are those of the chosen corpora; grades also
    those of the chosen clusters.

    Args:
        options: `env`, `conf_source` and `params` of the command; `corpora` among the parameters chooses corpora.
        folder: New folder for the data.
        settings: New file for the configuration.
        cut: What is kept.
        opened: Makes a Kedro session of such options.

    Returns:
        What was written.

    Raises:
        ConfigError: Something is there already, or the configuration cannot be read.
        DataError: No page is left.
    """
    for place in (folder, settings):
        if storage_for(place).exists(place):
            raise ConfigError(f"{place} is there already.", hint="Name one that does not exist, or remove it.")
    session = opened({**options, "params": {run_selection.RUN: run_ids.ANY, **options["params"]}})
    with session:
        context = session.load_context()
        variables = {run_selection.RUN, *getattr(context.config_loader, "variables", ())}
        source = _Source(context.catalog, variables)
        facts = source.write(folder, cut)
        text = _settings(folder, source, has_judgments=facts.n_judgments is not None)
        storage_for(settings).write(settings, text.encode())
        storage_for(folder).write(f"{folder}/split.json", to_json({**asdict(facts), "from": source.path}))
    return facts


class _Source:
    """The data set that is cut.

    Args:
        catalog: Of the environment.
        variables: Names on the command line that only fill a place in other files.
    """

    def __init__(self, catalog: Any, variables: set[str]) -> None:
        self._catalog = catalog
        every = pipeline_registry.register_pipelines()
        self.has_documents = catalog[DOCUMENTS].is_given
        names = ("__default__",) if self.has_documents else ("ingestion", "labeling")
        pipeline = Pipeline([every[name] for name in names])
        check_inputs(pipeline, catalog, variables=variables).faults.raise_all()
        params = checked_parameters(pipeline, catalog, variables=variables)
        self._ingestion: IngestionParams = params["params:ingestion"]
        self.language: Any = params["params:language"]
        self._corpora: list[str] | None = params.get("params:corpora")
        self.path = str(catalog[LOG]._describe().get("filepath") or "")

    def write(self, folder: str, cut: Cut) -> SplitFacts:
        """Write what is kept; a Spark job for each table, and one that counts each."""
        flagged = self._flagged().persist()
        n_set_aside = flagged.where(F.col("fault").isNotNull() & (F.col("fault") != NOT_A_PAGE)).count()
        sound = flagged.where(F.col("fault").isNull()).drop("fault")
        outside = cut.days.outside()
        if outside is not None:
            sound = sound.where(~outside | F.col("shown_at").isNull())
        pages = self._of_clusters(sound, cut).select(*sound.columns)
        pages.write.parquet(f"{folder}/click_log")
        written = pages.sparkSession.read.schema(pages.schema).parquet(f"{folder}/click_log")
        n_pages = written.count()
        if not n_pages:
            storage_for(folder).delete(folder)
            of = f" of {', '.join(self._corpora)}" if self._corpora else ""
            hint = "Take more days, other corpora, or a larger share of the clusters."
            raise DataError(f"No result page is left{of}.", hint=hint)
        judgments = self._judgments(folder, cut)
        documents = self._documents(folder, cut, written, judgments)
        counts = [None if table is None else table.count() for table in (documents, judgments)]
        flagged.unpersist()
        return SplitFacts(n_pages, n_set_aside, *counts)

    def _flagged(self) -> DataFrame:
        """Return pages with their faults, users and addresses hashed; nothing is dropped as a robot's."""
        from rankhammer.click_logs.faults import within_limits
        from rankhammer.click_logs.visitors import hash_visitors

        params, log = self._ingestion, self._catalog.load(LOG)
        table = log.whole() if isinstance(log, DailyLog) else log
        raw = self._chosen(plugins.create("click_logs", params.reader).to_serps(table))
        limited = within_limits(raw, params.limits())
        hashed = hash_visitors(limited, params.visitors().salt)
        kept = [name for name in (USER, ADDRESS) if name in hashed.columns]
        return hashed.select(*_PAGE, "fault", *kept)

    def _chosen(self, table: DataFrame) -> DataFrame:
        return table if self._corpora is None else table.where(F.col("corpus").isin(self._corpora))

    def _of_clusters(self, table: DataFrame, cut: Cut) -> DataFrame:
        if cut.share >= 1:
            return table
        named = add_query_columns(table, language=self.language)
        place = F.pmod(F.xxhash64(F.lit(cut.seed).cast("bigint"), "corpus", "query_cluster_id"), F.lit(_BUCKETS))
        return named.where(place < round(cut.share * _BUCKETS))

    def _judgments(self, folder: str, cut: Cut) -> DataFrame | None:
        table = self._catalog.load(JUDGMENTS) if self.has_documents else None
        if table is None:
            return None
        kept = self._of_clusters(self._chosen(table), cut).select(*table.columns)
        kept.write.parquet(f"{folder}/reference_judgments")
        found: DataFrame = kept.sparkSession.read.schema(kept.schema).parquet(f"{folder}/reference_judgments")
        return found

    def _documents(self, folder: str, cut: Cut, pages: DataFrame, judgments: DataFrame | None) -> DataFrame | None:
        if not self.has_documents:
            return None
        table = self._chosen(casts.sound(self._catalog.load(DOCUMENTS)))
        if cut.shown_only:
            shown = pages.select("corpus", F.explode("doc_ids").alias("doc_id"))
            graded = shown.limit(0) if judgments is None else judgments.select("corpus", F.col("doc_id").cast("string"))
            table = table.join(shown.union(graded).distinct(), ["corpus", "doc_id"], "left_semi")
        table.write.parquet(f"{folder}/documents")
        found: DataFrame = table.sparkSession.read.schema(table.schema).parquet(f"{folder}/documents")
        return found


def _settings(folder: str, source: _Source, *, has_judgments: bool) -> str:
    def table(name: str) -> dict[str, Any]:
        return {"path": f"{folder}/{name}", "format": "parquet", "load_args": {}, "columns": {}}

    log = {"path": f"{folder}/click_log", "format": "parquet", "load_args": {}, "reader": "serps", "options": {}}
    values: dict[str, Any] = {
        "paths": {"root": f"{folder}/run"},
        "click_log": log,
        "documents": table(DOCUMENTS) if source.has_documents else {"path": None},
        "reference_judgments": table(JUDGMENTS) if has_judgments else {"path": None},
        "language": source.language,
    }
    text: str = yaml.safe_dump(values, sort_keys=False)
    return f"# A part of {source.path}, cut by `rankhammer split`.\n{text}"
