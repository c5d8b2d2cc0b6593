"""Looks at a whole click log before a run: what would be left out, what is likely wrong, what a run would end with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kedro.pipeline import Pipeline

from rankhammer import casts, pipeline_registry, plugins
from rankhammer import corpora as of_corpora
from rankhammer.click_logs.checks import corpus_failures, count_corpora, flag_pages, kept_pages
from rankhammer.click_logs.log_findings import LogFinding, find_in_counts, find_in_profile
from rankhammer.click_logs.log_profile import profile_pages
from rankhammer.click_logs.quarantine import faulty_examples, faulty_pages
from rankhammer.datasets.daily_log import DailyLog
from rankhammer.errors import ConfigError
from rankhammer.queries import QueryRules
from rankhammer.runs import run_ids, run_selection
from rankhammer.runs.expected_fingerprints import checked_parameters
from rankhammer.runs.input_checks import DOCUMENTS, LOG, Faults, check_inputs, log_columns
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.click_logs.counts import CorpusCounts
    from rankhammer.click_logs.log_profile import CorpusProfile
    from rankhammer.errors import CorpusFailure
    from rankhammer.pipelines.ingestion.params import IngestionParams
    from rankhammer.runs.project_session import ProjectSession

    OpenSession = Callable[[Mapping[str, Any]], ProjectSession]

LEVELS = ("error", "warning", "note")
_EMBEDDED = "embedded"
_ABSENT = "Names of corpora have to be written alike in `language`, in thresholds and in the log."


@dataclass(frozen=True)
class LogValidation:
    """What was found.

    Args:
        log: Path of the log.
        reader: Plugin that reads it.
        columns: Our names to the log's columns and their types, as far as the reader maps columns.
        findings: Errors first, then warnings, then notes.
        counts: Corpus to what a run would keep and leave out; empty where the log cannot be read.
        profiles: Corpus to what its kept pages look like.
    """

    log: str
    reader: str
    columns: Mapping[str, str]
    findings: Sequence[LogFinding]
    counts: Mapping[str, CorpusCounts] = field(default_factory=dict)
    profiles: Mapping[str, CorpusProfile] = field(default_factory=dict)

    @property
    def has_errors(self) -> bool:
        """Whether a run would end, or give a corpus up."""
        return any(found.level == "error" for found in self.findings)

    def facts(self) -> dict[str, Any]:
        """Return it as plain values."""
        corpora = {
            corpus: {**asdict(self.counts[corpus]), "profile": _plain(self.profiles.get(corpus))}
            for corpus in sorted(self.counts)
        }
        findings = [asdict(found) for found in self.findings]
        return {
            "log": self.log,
            "reader": self.reader,
            "columns": dict(self.columns),
            "findings": findings,
            "corpora": corpora,
        }


def validate(options: Mapping[str, Any], *, opened: OpenSession, faulty: str | None = None) -> LogValidation:
    """Read the whole log as a run would, and say what is in it; nothing is written but `faulty`.

    Args:
        options: `env`, `conf_source` and `params` of the command.
        opened: Makes a Kedro session of such options.
        faulty: Folder, which must not exist, for the pages that would be set aside: JSON lines with their reasons.

    Raises:
        ConfigError: The configuration cannot be read, or `faulty` is there already.
    """
    if faulty is not None and storage_for(faulty).exists(faulty):
        raise ConfigError(f"{faulty} is there already.", hint="Name a folder that does not exist, or remove it.")
    params = {run_selection.RUN: run_ids.ANY, **options["params"]}
    session = opened({**options, "params": params})
    with session:
        context = session.load_context()
        # Where runs have ids, nothing of one is read: its place in paths is filled, and is no parameter.
        variables = {run_selection.RUN, *getattr(context.config_loader, "variables", ())}
        look = _Look(context.catalog, variables)
        seen = check_inputs(look.pipeline, look.catalog, variables=look.variables)
        faults = Faults(seen.faults)
        read = faults.caught(lambda: look.read(faulty)) or _ReadLog()
        findings = [
            *(LogFinding("error", "", "inputs", fault.message, fault.hint) for fault in faults),
            *(LogFinding("error", one.corpus, "given up", one.error, one.hint) for one in read.failures),
            *(LogFinding("note", "", "inputs", note) for note in seen.notes),
            *read.findings(),
        ]
        findings.sort(key=lambda found: LEVELS.index(found.level))
        return LogValidation(look.path, read.reader, read.columns, findings, read.counts, read.profiles)


@dataclass(frozen=True)
class _ReadLog:
    """What was read of the log; empty where it cannot be read."""

    reader: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    reader_options: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, CorpusCounts] = field(default_factory=dict)
    failures: Sequence[CorpusFailure] = ()
    profiles: Mapping[str, CorpusProfile] = field(default_factory=dict)
    examples: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    absent: Sequence[str] = ()

    def findings(self) -> list[LogFinding]:
        """Return what counts and profiles tell, the corpora in order."""
        counted = (
            one
            for name, counts in sorted(self.counts.items())
            for one in find_in_counts(name, counts, self.reader_options, self.examples.get(name))
        )
        profiled = (one for name in sorted(self.profiles) for one in find_in_profile(name, self.profiles[name]))
        absent = (
            LogFinding("warning", name, "corpora", "It has settings of its own, and no result page is of it.", _ABSENT)
            for name in self.absent
        )
        return [*absent, *counted, *profiled]


class _Look:
    """Reads the log as ingestion would.

    Args:
        catalog: Of the environment.
        variables: Names on the command line that only fill a place in other files.
    """

    def __init__(self, catalog: Any, variables: Collection[str]) -> None:
        self.catalog, self.variables = catalog, variables
        every = pipeline_registry.register_pipelines()
        self._has_documents = catalog[DOCUMENTS].is_given
        names = ("__default__",) if self._has_documents else ("ingestion", "labeling")
        self.pipeline = Pipeline([every[name] for name in names])
        self.path = str(catalog[LOG]._describe().get("filepath") or "")

    def read(self, faulty: str | None) -> _ReadLog:
        """Read and count the whole log, eight Spark jobs or so, and write the faulty pages where they are wanted."""
        params = checked_parameters(self.pipeline, self.catalog, variables=self.variables)
        ingestion: IngestionParams = params["params:ingestion"]
        wanted = of_corpora.named(params.get(of_corpora.PARAMETER))
        table = self.catalog.load(LOG)
        table = table.whole() if isinstance(table, DailyLog) else table
        raw = plugins.create("click_logs", ingestion.reader).to_serps(table)
        bounds, visitors = ingestion.bounds(), ingestion.visitors()
        flagged = flag_pages(raw, bounds=bounds, limits=ingestion.limits(), corpora=wanted, visitors=visitors)
        counts = count_corpora(flagged, drops_abandoned=visitors.drops_abandoned)
        of_corpora.require_found(wanted, counts, lambda: of_corpora.names_in(raw))
        set_aside = faulty_pages(flagged)
        if faulty is not None:
            set_aside.write.json(faulty)
        options = plugins.options_of("click_logs", ingestion.reader)
        failures = corpus_failures(counts, bounds=bounds, reader_options=options)
        kept = kept_pages(flagged, drops_abandoned=visitors.drops_abandoned)
        documents, rules = self._documents(params), ingestion.robots
        profiles = profile_pages(kept, now=datetime.now(UTC), documents=documents, rules=rules)
        columns = _columns(table, params)
        examples = faulty_examples(set_aside)
        configured = ingestion.named_corpora() | set(QueryRules.parse(params["params:language"]).corpora)
        absent = sorted(set(of_corpora.intersect(sorted(configured), wanted) or ()) - set(counts))
        return _ReadLog(ingestion.reader.name, columns, options, counts, failures, profiles, examples, absent)

    def _documents(self, params: Mapping[str, Any]) -> DataFrame | None:
        """Return the documents that the log's are held against; an engine's are not asked for."""
        features = params.get("params:features")
        if not self._has_documents or features is None or features.source.name != _EMBEDDED:
            return None
        return casts.sound(self.catalog.load(DOCUMENTS))


def _columns(table: DataFrame, params: Mapping[str, Any]) -> dict[str, str]:
    """Return our names to the log's columns and their types; those that the log lacks are left out."""
    mapped, types = log_columns(params), dict(table.dtypes)
    if mapped is None:
        return {}
    paths = {name: getattr(mapped, name) for name in type(mapped).model_fields}
    return {
        name: f"{path} ({types.get(path) or 'in ' + path.partition('.')[0]})"
        for name, path in paths.items()
        if path in types or path.partition(".")[0] in types
    }


def _plain(profile: CorpusProfile | None) -> dict[str, Any] | None:
    if profile is None:
        return None
    days = {day.isoformat(): n for day, n in sorted(profile.days.items())}
    return asdict(profile) | {"days": days, "missing_days": [day.isoformat() for day in profile.missing_days()]}
