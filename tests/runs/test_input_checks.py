"""Every input is looked at before the first stage, and one message has all that is wrong with them."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from rankhammer.datasets import InputDataset
from rankhammer.datasets.input_files import InputFile, list_input_files
from rankhammer.datasets.input_samples import MAX_SCANNED_BYTES, InputSample, read_sample
from rankhammer.errors import ConfigError
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipeline_registry import register_pipelines
from rankhammer.pipelines.features.params import FeaturesParams
from rankhammer.pipelines.ingestion.params import IngestionParams
from rankhammer.pipelines.judgment_export.params import JudgmentExportParams
from rankhammer.runs import input_checks
from rankhammer.runs.click_model_checks import require_weights
from rankhammer.runs.input_checks import check_inputs

TEXT = "das ist aus Wolle und mit einer Naht"
DOCS = [
    {
        "id": f"p{n}",
        "shop": "de",
        "title": f"rote Schuhe {n}",
        "price": 3.5,
        "text": "das ist aus Wolle und mit einer Naht",
    }
    for n in range(20)
]
LOG = "seite;frage;artikel;platz;klick;laden\ns1;rote schuhe;p1;1;0;{0}\ns1;rote schuhe;p2;2;1;{0}\n"
COLUMNS = {"serp_id": "seite", "query": "frage", "doc_id": "artikel", "position": "platz", "clicked": "klick"}
FEATURES = [
    {"name": "title_bm25", "type": "match", "field": "title"},
    {"name": "price", "type": "field_value", "field": "price"},
]


class Case:
    """A run's inputs and parameters; what a test changes is what is wrong."""

    def __init__(self, folder):
        self.folder = folder
        self.docs, self.shop = DOCS, "de"
        self.columns, self.documents = {**COLUMNS, "corpus": "laden"}, {"doc_id": "id", "corpus": "shop"}
        self.features, self.baseline, self.language = FEATURES, "title_bm25", "german"
        self.judgments, self.reader, self.click_model = None, "impressions", "dbn"

    def check(self, monkeypatch):
        (self.folder / "log.csv").write_text(LOG.format(self.shop))
        (self.folder / "docs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.docs))
        csv = {"header": True, "sep": ";"}
        catalog = DataCatalog(
            {
                "click_log": InputDataset(filepath=str(self.folder / "log.csv"), file_format="csv", load_args=csv),
                "documents": InputDataset(
                    filepath=str(self.folder / "docs.jsonl"),
                    file_format="json",
                    columns=self.documents,
                    constants={"corpus": "main"},
                ),
                "reference_judgments": InputDataset(
                    filepath=self.judgments, file_format="csv", load_args={"header": True}, optional=True
                ),
                "parameters": MemoryDataset({}),
            }
        )
        reader = {"name": self.reader, "options": {"columns": self.columns}}
        labeling = type("Labeling", (), {"click_model": _spec({"name": self.click_model})})
        params = {
            "params:ingestion": IngestionParams.model_construct(reader=_spec(reader)),
            "params:labeling": labeling,
            "params:features": FeaturesParams.model_construct(source=_spec({"name": "embedded"})),
            "params:feature_set": FeatureSet.model_validate({"name": "shop", "features": self.features}),
            "params:training": type("Training", (), {"baseline_feature": self.baseline}),
            "params:language": self.language,
        }
        monkeypatch.setattr(input_checks, "checked_parameters", lambda *_, **__: params)
        return check_inputs(Pipeline([register_pipelines()["__default__"]]), catalog)


def _spec(given):
    from rankhammer.plugins import PluginSpec

    return PluginSpec.model_validate(given)


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def messages(found):
    return [fault.message for fault in found.faults]


def test_sound_inputs_have_no_fault(case, monkeypatch):
    case.features = [feature | ({"analyzer": "standard"} if feature["type"] == "match" else {}) for feature in FEATURES]
    found = case.check(monkeypatch)
    assert messages(found) == found.notes == []


@pytest.mark.parametrize(("click_model", "n_faults"), [("dbn", 1), ("pbm", 1), ("dctr", 0)])
def test_clicks_alone_are_no_log_for_a_click_model_of_positions(case, monkeypatch, click_model, n_faults):
    case.reader, case.click_model = "clicks_only", click_model
    case.columns = {name: case.columns[name] for name in ("serp_id", "query", "doc_id", "corpus")}
    found = case.check(monkeypatch)
    assert len(found.faults) == n_faults
    assert all("has no impressions" in fault.message and "dctr" in fault.hint for fault in found.faults)


@pytest.mark.parametrize(
    ("click_model", "measured", "words"),
    [("dbn", False, "'dbn' would take them for equal"), ("coec", True, "held_out measures"), ("coec", False, "")],
)
def test_weighted_clicks_are_for_click_through_models_alone(click_model, measured, words):
    reader = _spec({"name": "ubi", "options": {"action_weights": {"purchase": 5}}})
    held_out = type("HeldOut", (), {"enabled": measured})
    labeling = type("Labeling", (), {"click_model": _spec({"name": click_model}), "held_out": held_out})
    params = {"params:ingestion": IngestionParams.model_construct(reader=reader), "params:labeling": labeling}
    faults = input_checks.Faults()
    faults.caught(lambda: require_weights(params))
    assert len(faults) == bool(words)
    assert all(words in fault.message and "coec" in fault.hint for fault in faults)


def test_all_faults_are_in_one_message_with_their_remedies(case, monkeypatch):
    case.columns |= {"query": "suche", "clicked": "klicks"}
    case.features = [
        *FEATURES,
        {"name": "brand", "type": "match", "field": "brand"},
        FEATURES[0] | {"name": "x", "field": "price"},
    ]
    case.baseline, case.judgments = "body_bm25", str(case.folder / "nowhere.csv")
    found = case.check(monkeypatch)
    with pytest.raises(ConfigError) as error:
        found.faults.raise_all()
    text = str(error.value)
    assert text.startswith("6 faults stop this run before its first stage:\n1. ")
    words = ("nowhere.csv does not exist", "'body_bm25', which is not in", "'suche'", "'klicks'", "'brand'", "'price'")
    assert [word for word in words if word not in text] == []
    assert text.count("Hint:") == 7


@pytest.mark.parametrize(
    ("grades", "n_faults"), [(("gut", "1.5"), 1), (("95", "-1"), 1), (("gut", "2.0"), 0), (("", "3"), 0)]
)
def test_grades_none_of_which_can_be_read_stop_a_run_before_its_first_stage(case, monkeypatch, grades, n_faults):
    case.judgments = str(case.folder / "grades.csv")
    lines = [f"de,rote schuhe,p{n},{grade}" for n, grade in enumerate(grades)]
    (case.folder / "grades.csv").write_text("\n".join(["corpus,query,doc_id,grade", *lines]) + "\n")
    found = case.check(monkeypatch)
    assert len(found.faults) == n_faults
    assert all("can be read as 'grade'" in fault.message and "from 0 to 31" in fault.hint for fault in found.faults)


def test_clicks_none_of_which_can_be_read_stop_a_run_before_its_first_stage(case, monkeypatch):
    case.columns |= {"clicked": "frage"}
    (message,) = [message for message in messages(case.check(monkeypatch)) if "'clicked'" in message]
    assert (
        message == "click_log: none of the 2 values of column 'frage' can be read as 'clicked', such as 'rote schuhe'."
    )


def test_a_single_fault_is_raised_as_it_is(case, monkeypatch):
    case.baseline = "title"
    with pytest.raises(Exception, match=r"training\.baseline_feature names feature 'title'") as error:
        case.check(monkeypatch).faults.raise_all()
    assert "Did you mean 'title_bm25'?" in str(error.value)


def test_corpora_of_the_log_need_documents(case, monkeypatch):
    case.shop = "uk"
    (message,) = messages(case.check(monkeypatch))
    assert message == "No corpus of the click log has documents: the log has 'uk', the documents have 'de'."
    case.documents = {"doc_id": "id"}
    assert "the documents have 'main'" in messages(case.check(monkeypatch))[0]


@pytest.mark.parametrize(("names", "n_faults"), [(("judgment_export",), 1), (("labeling", "judgment_export"), 0)])
def test_judgments_that_are_exported_alone_need_a_tool(monkeypatch, names, n_faults):
    params = {"params:judgment_export": JudgmentExportParams(targets=())}
    monkeypatch.setattr(input_checks, "checked_parameters", lambda *_, **__: params)
    found = check_inputs(Pipeline([register_pipelines()[name] for name in names]), DataCatalog({}))
    assert len(found.faults) == n_faults


def test_languages_that_differ_from_the_settings_are_noted(case, monkeypatch):
    case.features = [*FEATURES, {"name": "text_bm25", "type": "match", "field": "text"}]
    case.language = "english"
    found = case.check(monkeypatch)
    assert messages(found) == []
    assert [note.partition(",")[0] for note in found.notes] == [
        "Documents are in german",
        "Documents of 'de' are not in English",
    ]


def test_a_field_that_only_few_of_many_json_documents_have_is_no_fault(case, monkeypatch):
    case.docs = [*DOCS[:1] * 6000, DOCS[0] | {"sold": 7}, *DOCS[:1] * 6000]
    case.features = [*FEATURES, {"name": "sold", "type": "field_value", "field": "sold"}]
    assert messages(case.check(monkeypatch)) == []
    case.features = [*FEATURES, {"name": "sold", "type": "field_value", "field": "soldd"}]
    assert "names the field 'soldd'" in messages(case.check(monkeypatch))[0]
    assert sum(map(len, map(json.dumps, case.docs))) < MAX_SCANNED_BYTES


def test_parquet_types_are_those_that_spark_reads(tmp_path):
    table = pa.table({"a": [1], "b": [1.5], "c": ["x"], "d": [[True]], "e": [{"f": 1}]})
    (tmp_path / "day=1").mkdir()
    pq.write_table(table, tmp_path / "day=1" / "part.parquet")
    sample = read_sample(list_input_files(str(tmp_path)), "parquet", {})
    types = {field.name: field.dataType.simpleString() for field in sample.schema.fields}
    kinds = {
        "a": "bigint",
        "b": "double",
        "c": "string",
        "d": "array<boolean>",
        "e": "struct<f:bigint>",
        "day": "string",
    }
    assert types == kinds
    assert sample.is_whole
    assert sample.values("e.f") == [1]


class Elsewhere:
    """A filesystem of another machine: it hands out parts of a file, and counts their bytes."""

    def __init__(self, content):
        self.content, self.n_read = content, 0

    def read_range(self, path, start, length):
        self.n_read += length
        return self.content[start : start + length]


@pytest.mark.parametrize("n_rows", [10, 200_000])
def test_of_large_files_elsewhere_only_the_footer_is_read(tmp_path, n_rows):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"corpus": [f"c{n % 3}{n}" for n in range(n_rows)]}), path)
    storage = Elsewhere(path.read_bytes())
    file = InputFile("hdfs://nn/log.parquet", "", path.stat().st_size, storage)
    sample = read_sample([file], "parquet", {})
    assert sample.schema.names == ["corpus"]
    assert len(sample.rows) == (10 if n_rows == 10 else 0)
    assert sample.is_whole == (n_rows == 10)
    assert storage.n_read < 1 << 17


def test_a_log_elsewhere_whose_rows_are_not_seen_has_no_fault(case, monkeypatch):
    case.columns.pop("corpus")
    monkeypatch.setattr(InputSample, "lacks", lambda *_: False)
    monkeypatch.setattr(InputSample, "values", lambda *_: [])
    assert [message for message in messages(case.check(monkeypatch)) if "No corpus" in message] == []
