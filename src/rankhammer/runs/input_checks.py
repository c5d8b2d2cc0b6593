"""Looks at all inputs before the first stage: columns, fields, corpora, baseline and languages, without a Spark job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from rankhammer import corpora, plugins, progress
from rankhammer.analyzers.languages import ANALYZERS, WITHOUT_STEMS
from rankhammer.click_logs.columns import Columns, column_faults
from rankhammer.datasets.input_samples import InputSample, value_at
from rankhammer.datasets.input_validator import InputValidator
from rankhammer.errors import ConfigError, DataError, RankhammerError
from rankhammer.feature_sets.model import Match, MatchedTerms, Phrase
from rankhammer.feature_sources.base import ChecksFields
from rankhammer.input_guesses import column_contents
from rankhammer.queries.rules import QueryRules
from rankhammer.queries.text_language import text_language
from rankhammer.runs.click_model_checks import require_positions, require_weights
from rankhammer.runs.expected_fingerprints import checked_parameters, given_inputs
from rankhammer.runs.user_errors import user_error
from rankhammer.training.matrix_table import require_feature

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

    from rankhammer.datasets import InputDataset
    from rankhammer.feature_sets import FeatureSet

LOG, DOCUMENTS, JUDGMENTS = "click_log", "documents", "reference_judgments"
_READER, _FEATURES, _FEATURE_SET = "params:ingestion", "params:features", "params:feature_set"
_TRAINING, _LANGUAGE = "params:training", "params:language"
_JUDGMENT_EXPORT = "judgment_export"
_MAIN = "main"
_TEXTS = 300
"""Documents of a corpus whose language is looked at."""
_SHOWN = 5

Answer = TypeVar("Answer")


class Faults(list[RankhammerError]):
    """Errors that a user can fix, each once; looking goes on after each."""

    def caught(self, action: Callable[[], Answer]) -> Answer | None:
        """Do something; keep the error that it ends with.

        Args:
            action: What to do.

        Returns:
            What it returned; None after an error.
        """
        try:
            return action()
        except Exception as exc:
            cause = user_error(exc)
            if cause is None:
                raise
            self.add(cause)
            return None

    def add(self, error: RankhammerError) -> None:
        """Keep an error that is not there yet."""
        if str(error) not in map(str, self):
            self.append(error)

    def raise_all(self) -> None:
        """Raise what there is, several as one.

        Raises:
            RankhammerError: The one fault.
            ConfigError: Lists them all, each with its remedy.
        """
        if len(self) == 1:
            raise self[0]
        if self:
            lines = [f"{number}. {_indented(str(fault))}" for number, fault in enumerate(self, start=1)]
            raise ConfigError(
                "\n".join([f"{len(self)} faults stop this run before its first stage:", *lines]),
                hint="Correct all of them; `rankhammer plan` looks again in seconds.",
                faults=[*self],
            )


def _indented(text: str) -> str:
    return text.replace("\n", "\n   ")


@dataclass(frozen=True)
class InputCheck:
    """What was seen of a run's inputs.

    Args:
        faults: What the run would end with.
        notes: What is likely wrong, and stops nothing; a sentence each.
    """

    faults: Faults = field(default_factory=Faults)
    notes: list[str] = field(default_factory=list)


def check_inputs(pipeline: Pipeline, catalog: DataCatalog, *, variables: Collection[str] = ()) -> InputCheck:
    """Look at the inputs of a run and at the parameters that name something in them.

    Footers, headers and a bounded part of the rows are read, by this process; what only Spark can read, and an engine's
    records, are left to the stage that reads them.

    Args:
        pipeline: The run's nodes.
        catalog: The run's.
        variables: Names on the command line that only fill a place in other files.
    """
    seen = InputCheck()
    params = seen.faults.caught(lambda: checked_parameters(pipeline, catalog, variables=variables)) or {}
    own = {name: value for name, value in params.items() if name in pipeline.inputs()}
    samples = _samples(given_inputs(pipeline, catalog), seen.faults)
    _check_baseline(own, seen.faults)
    _check_judgment_targets(pipeline, own, seen.faults)
    seen.faults.caught(lambda: require_positions(own))
    seen.faults.caught(lambda: require_weights(own))
    log = log_columns(own)
    if LOG in samples and log is not None:
        for fault in column_faults(samples[LOG].schema, log):
            # Of what was only null nothing is known.
            kind = str(fault.values.get("type", ""))
            if ("void" not in kind) if kind else samples[LOG].lacks(str(fault.values["path"])):
                seen.faults.add(fault)
    inputs = given_inputs(pipeline, catalog)
    types = {
        name: _types(inputs[name], samples[name], seen.faults) for name in (DOCUMENTS, JUDGMENTS) if name in samples
    }
    for name, found in types.items():
        _check_table(name, found, samples[name], seen.faults)
    _check_values(inputs, samples, log, seen.faults)
    if DOCUMENTS in types:
        _check_fields(own, types[DOCUMENTS], samples[DOCUMENTS], seen.faults)
        named = _Named(inputs, samples)
        if log is not None and LOG in samples:
            _check_corpora(named, log, own, seen)
        _note_languages(named, own, seen.notes)
    return seen


def _samples(inputs: Mapping[str, InputDataset], faults: Faults) -> dict[str, InputSample]:
    found = dict[str, InputSample]()
    for name, dataset in inputs.items():
        progress.tell(f"looking at {name}")
        before = len(faults)
        faults.caught(dataset.require_found)
        sample = (
            faults.caught(dataset.sample) if len(faults) == before and name in (LOG, DOCUMENTS, JUDGMENTS) else None
        )
        if sample is not None:
            found[name] = sample
    return found


def _check_baseline(params: Mapping[str, Any], faults: Faults) -> None:
    training, feature_set = params.get(_TRAINING), params.get(_FEATURE_SET)
    if training is not None and feature_set is not None:
        names = feature_set.names
        faults.caught(lambda: require_feature(training.baseline_feature, names, parameter="training.baseline_feature"))


def _check_judgment_targets(pipeline: Pipeline, params: Mapping[str, Any], faults: Faults) -> None:
    """Refuse a run that would export judgments alone, and for no tool: it would write nothing."""
    is_alone = all(_JUDGMENT_EXPORT in node.tags for node in pipeline.nodes)
    settings = params.get(f"params:{_JUDGMENT_EXPORT}")
    if is_alone and settings is not None and not settings.targets:
        faults.add(
            ConfigError(
                "judgment_export.targets names no tool, so nothing would be written.",
                hint="Say which in conf/local/parameters/judgment_export.yml: "
                "`judgment_export: {targets: [{name: trec}]}`; docs/stages/judgment_export.md has the others.",
            )
        )


def log_columns(params: Mapping[str, Any]) -> Columns | None:
    """Return the columns that the log's reader takes; None where the reader is another one, or the log is not read."""
    if _READER not in params:
        return None
    reader = plugins.create("click_logs", params[_READER].reader)
    columns = getattr(getattr(reader, "_options", None), "columns", None)
    return columns if isinstance(columns, Columns) else None


def _types(dataset: InputDataset, sample: InputSample, faults: Faults) -> dict[str, str] | None:
    """Return the types of an input's columns by our names; None where the mapping is wrong."""
    may_have = [name for name in dataset.mapped.values() if not sample.lacks(name)]
    names = faults.caught(lambda: dataset.our_names(sample.schema.names, may_have=may_have))
    if names is None:
        return None
    kinds = {one.name: one.dataType.simpleString() for one in sample.schema.fields}
    types = {new: kinds.get(own, "void") for own in names for new in names[own]}
    return dict.fromkeys(dataset.constants, "string") | types


def _check_table(name: str, types: dict[str, str] | None, sample: InputSample, faults: Faults) -> None:
    if types is None:
        return
    for fault in InputValidator(name).faults(_known(types)):
        column = str(fault.values["column"])
        if column in types or sample.lacks(column):
            faults.add(fault)


def _check_values(
    inputs: Mapping[str, InputDataset], samples: Mapping[str, InputSample], log: Columns | None, faults: Faults
) -> None:
    """Refuse a column of which no value can be read; it takes every row, as the stage that reads it would say later."""
    looked_at = [(LOG, role, getattr(log, role, "")) for role in ("clicked", "position")] if log is not None else []
    if JUDGMENTS in inputs:
        looked_at.append((JUDGMENTS, "grade", inputs[JUDGMENTS].mapped.get("grade", "grade")))
    for name, role, column in looked_at:
        sample = samples.get(name)
        # Of the rest of a large input nothing is known.
        values = sample.values(str(column)) if sample is not None and sample.is_whole else []
        if unreadable := column_contents.first_unreadable(role, values):
            faults.add(
                DataError(
                    f"{name}: none of the {len(values)} values of column {column!r} can be read as {role!r}, such as "
                    f"{unreadable!r}.",
                    hint=f"{column_contents.values_of(role).strip()} Write them so, or map another column.",
                    column=column,
                )
            )


def _known(types: Mapping[str, str]) -> dict[str, str]:
    """Leave it open what a column is of which only nulls were seen: Spark calls it a text."""
    return {name: "string" if kind == "void" else kind for name, kind in types.items()}


def _check_fields(params: Mapping[str, Any], types: dict[str, str] | None, sample: InputSample, faults: Faults) -> None:
    """Check that documents have the fields that the feature set names."""
    features, feature_set = params.get(_FEATURES), params.get(_FEATURE_SET)
    if features is None or feature_set is None or types is None:
        return
    source = plugins.create("feature_sources", features.source)
    if not isinstance(source, ChecksFields):
        return
    for fault in source.field_faults(_known(types), feature_set):
        column = str(fault.values["column"])
        if types.get(column, "void") != "void" or (column not in types and sample.lacks(column)):
            faults.add(fault)


class _Named:
    """Names of corpora in inputs.

    Args:
        inputs: Of the run.
        samples: Of those that could be looked at.
    """

    def __init__(self, inputs: Mapping[str, InputDataset], samples: Mapping[str, InputSample]) -> None:
        self._inputs, self.samples = inputs, samples

    @property
    def column(self) -> str:
        """Documents' own column of corpora."""
        return self._inputs[DOCUMENTS].mapped.get("corpus", "corpus")

    def corpora(self, name: str, column: str, default: str) -> tuple[set[str], bool]:
        """Return the corpora that were seen in an input, and whether these are all.

        Args:
            name: Of the input.
            column: Its own column of corpora, which it may lack.
            default: Corpus of rows that name none.
        """
        sample = self.samples[name]
        if sample.lacks(column):
            return {default}, True
        texts = {str(value) for row in sample.rows if (value := value_at(row, column)) is not None}
        if sample.is_whole:
            return texts, True
        found, are_all = self._inputs[name].texts(column)
        return texts | found, are_all


def _check_corpora(named: _Named, log: Columns, params: Mapping[str, Any], seen: InputCheck) -> None:
    """Refuse a log whose corpora have no documents at all, and note those that have none."""
    if _FEATURES not in params or params[_FEATURES].source.name != "embedded":
        return
    options = getattr(plugins.create("click_logs", params[_READER].reader), "_options", None)
    default, path = str(getattr(options, "corpus", _MAIN)), str(getattr(log, "corpus", ""))
    in_log = named.corpora(LOG, path, default)[0]
    in_documents, are_all = named.corpora(DOCUMENTS, named.column, _MAIN)
    wanted = corpora.named(params.get(corpora.PARAMETER))
    looked_for = in_log if wanted is None else in_log & {*wanted}
    without = sorted(looked_for - in_documents)
    if not without or not are_all:
        return
    if len(without) == len(looked_for):
        seen.faults.add(
            ConfigError(
                f"No corpus of the click log has documents: the log has {_listed(looked_for)}, the documents have "
                f"{_listed(in_documents)}.",
                hint="Map the column that names them in both: `click_log.options.columns.corpus` and "
                "`documents.columns.corpus` in globals.yml, with the same names in both.",
            )
        )
    else:
        seen.notes.append(f"No documents are there for {_listed(without)}: these corpora will fail in features.")


def _listed(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(map(repr, known[:_SHOWN])) + more


def _note_languages(named: _Named, params: Mapping[str, Any], notes: list[str]) -> None:
    """Note texts that are in another language than queries and analyzers are set to."""
    feature_set, language = params.get(_FEATURE_SET), params.get(_LANGUAGE)
    if feature_set is None or language is None:
        return
    fields = _text_fields(feature_set)
    known = {corpus: text_language(texts) for corpus, texts in _texts(named, [*fields])}
    spoken = {corpus: one for corpus, one in known.items() if one}
    languages = QueryRules.parse(language)
    if spoken and not any(languages.of(corpus) == one for corpus, one in spoken.items()):
        theirs = ", ".join(sorted(set(spoken.values())))
        ours = ", ".join(sorted(languages.all()))
        notes.append(
            f"Documents are in {theirs}, and `language` of globals.yml is {ours}: spellings of a query are one by "
            "its stems."
        )
    for stems in sorted({one for analyzers in fields.values() for one in analyzers} - {*WITHOUT_STEMS}):
        others = {corpus: one for corpus, one in sorted(spoken.items()) if one != stems}
        stems_alone = [name for name, analyzers in fields.items() if analyzers == {stems}]
        if others and stems_alone:
            notes.append(
                f"Documents of {_listed(others)} are not in {stems.capitalize()}, and {_listed(stems_alone)} are "
                f"searched by {stems.capitalize()} stems alone: {_better_analyzer({*others.values()})}"
            )


def _better_analyzer(spoken: set[str]) -> str:
    (language, *more) = spoken
    if not more and language in ANALYZERS:
        return f"`analyzer: {language}` in feature_set.yml has theirs."
    return "`analyzer: standard` in feature_set.yml takes words as they are."


def _text_fields(feature_set: FeatureSet) -> dict[str, set[str]]:
    """Return each text field that is searched to its analyzers."""
    found: dict[str, set[str]] = {}
    for feature in feature_set.features:
        if isinstance(feature, Match | Phrase | MatchedTerms):
            found.setdefault(feature.field, set()).add(feature.analyzer)
    return found


def _texts(named: _Named, fields: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each corpus with some of its documents' texts."""
    column, has_corpora = named.column, not named.samples[DOCUMENTS].lacks(named.column)
    found: dict[str, list[str]] = {}
    for row in named.samples[DOCUMENTS].rows:
        of_corpus = found.setdefault(str(value_at(row, column)) if has_corpora else _MAIN, [])
        if len(of_corpus) < _TEXTS:
            of_corpus.append(" ".join(str(cast("dict[str, Any]", row).get(name) or "") for name in fields))
    yield from found.items()
