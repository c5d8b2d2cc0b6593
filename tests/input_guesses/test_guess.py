"""Formats, columns and languages are guessed from a user's own files, and what cannot be guessed is named."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from own_shop import make_shop

from rankhammer.errors import ConfigError, DataError, SchemaError
from rankhammer.feature_sets import FeatureSet
from rankhammer.input_guesses.guess import guess_inputs
from rankhammer.input_guesses.settings_files import features_of, settings_files, write_settings


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


def columns(guesses, name="click_log"):
    return {role: guess.column for role, guess in guesses.columns()[name].items()}


def rows(n=60, **renamed):
    made = [
        {
            "serp_id": f"s{row // 3}",
            "query": ["red shoe", "blue hat", "green coat"][row // 3 % 3],
            "doc_id": f"p{row % 7}",
            "position": row % 3 + 1,
            "clicked": int(row % 3 == 0 and row % 4 < 2),
        }
        for row in range(n)
    ]
    return [{renamed.get(name, name): value for name, value in row.items()} for row in made]


def write_csv(path, given, separator=",", encoding="utf-8"):
    lines = [separator.join(given[0]), *(separator.join(map(str, row.values())) for row in given)]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return str(path)


def write_lines(path, given):
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    return str(path)


def test_a_german_shop_is_understood_whichever_file_comes_first(shop):
    guesses = guess_inputs([str(shop / name) for name in ("artikel.jsonl", "noten.csv", "klicks.csv")], given={})
    assert columns(guesses) == {
        "corpus": "Laden",
        "serp_id": "Suchanfrage-Id",
        "session_id": "Sitzung",
        "query": "Suchbegriff",
        "shown_at": "Zeitpunkt",
        "doc_id": "Artikelnummer",
        "position": "Platz",
        "clicked": "Geklickt",
    }
    assert columns(guesses, "documents") == {"doc_id": "artikelnr", "corpus": "laden"}
    judged = {"query": "Suchbegriff", "doc_id": "Artikelnummer", "grade": "Note", "corpus": "Laden"}
    assert columns(guesses, "reference_judgments") == judged
    assert {guess.confidence for guess in guesses.log.columns.values()} == {"sure"}
    assert guesses.formats["click_log"].load_args == {"header": True, "sep": ";"}


def test_languages_are_those_of_the_texts_and_set_the_analyzers(shop):
    guesses = guess_inputs([str(shop / "klicks.csv")], documents=str(shop / "artikel.jsonl"), given={})
    assert guesses.documents.languages == {"at": "german", "de": "german", "uk": "english"}
    assert guesses.language == "german"
    files = {name: yaml.safe_load(text) for name, text in settings_files(guesses).items()}
    features = FeatureSet.model_validate(files["parameters/feature_set.yml"]["feature_set"])
    assert {feature.analyzer for feature in features.features if feature.type == "match"} == {"standard", "english"}
    assert files["parameters/training.yml"]["training"]["baseline_feature"] in features.names
    assert "several languages" in settings_files(guesses)["globals.yml"]
    assert files["globals.yml"]["language"] == {"default": "german", "corpora": {"uk": "english"}}
    assert files["globals.yml"]["reference_judgments"] == {"path": None}


@pytest.mark.parametrize(
    ("language", "analyzer"), [("german", "german"), ("english", "english"), ("finnish", "standard")]
)
def test_documents_of_one_language_have_its_analyzer_where_engines_have_one(shop, language, analyzer):
    guesses = guess_inputs([str(shop / "klicks.csv")], documents=str(shop / "artikel.jsonl"), given={})
    guesses.documents.languages.update(dict.fromkeys(guesses.documents.languages, language))
    features, _ = features_of(guesses.documents)
    assert {feature["analyzer"] for feature in features if "analyzer" in feature} == {analyzer}


def test_english_names_in_json_lines_and_in_structs(tmp_path):
    nested = [
        {
            "requestId": row["serp_id"],
            "searchTerm": row["query"],
            "hit": {"sku": row["doc_id"], "rank": row["position"]},
        }
        | {"nClicks": row["clicked"]}
        for row in rows()
    ]
    found = columns(guess_inputs([write_lines(tmp_path / "log.jsonl", nested)], given={}))
    assert found == {
        "serp_id": "requestId",
        "query": "searchTerm",
        "doc_id": "hit.sku",
        "position": "hit.rank",
        "clicked": "nClicks",
    }


def test_parquet_is_read_with_its_types_and_positions_from_0_are_said(tmp_path):
    table = pa.Table.from_pylist([row | {"position": row["position"] - 1} for row in rows()])
    pq.write_table(table, tmp_path / "log.parquet")
    guesses = guess_inputs([str(tmp_path / "log.parquet")], given={})
    assert guesses.formats["click_log"].name == "parquet"
    assert guesses.log.options == {"first_position": 0}


def test_a_session_is_no_result_page(tmp_path):
    given = [row | {"visit_id": f"v{number // 9}"} for number, row in enumerate(rows(n=180))]
    found = columns(guess_inputs([write_csv(tmp_path / "log.csv", given)], given={}))
    assert (found["serp_id"], found["session_id"]) == ("serp_id", "visit_id")


def test_mjolnirs_table_is_known_by_its_columns(tmp_path):
    row = {"wikiid": "enwiki", "query": "tv", "session_id": "s", "timestamp": 1_700_000_000, "q_by_ip_day": 3}
    row |= {"hits": [{"pageid": 7}], "clicks": [{"pageid": 7}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "log.parquet")
    assert guess_inputs([str(tmp_path / "log.parquet")], given={}).log.reader == "mjolnir"


def test_users_and_addresses_are_no_sessions_for_they_may_not_be_written(tmp_path):
    more = {"visitor_id": "v{}", "client_ip": "192.0.2.{}", "user_agent": "agent{}"}
    given = [row | {name: text.format(number // 9) for name, text in more.items()} for number, row in enumerate(rows())]
    for row in given:
        row.pop("session_id", None)
    guesses = guess_inputs([write_csv(tmp_path / "log.csv", given)], given={})
    found = columns(guesses)
    assert (found["user_id"], found["address"]) == ("visitor_id", "client_ip")
    assert "session_id" not in found
    assert not any("session" in doubt for doubt in guesses.log.doubts)


def test_lists_in_rows_are_for_the_reader_of_pages(tmp_path):
    pages = [{"q": f"red shoe {n % 5}", "results": ["a", "b"], "clicks": [False, True]} for n in range(30)]
    guesses = guess_inputs([write_lines(tmp_path / "log.jsonl", pages)], given={})
    assert guesses.log.reader == "serps"
    assert columns(guesses) == {"query": "q", "doc_ids": "results", "clicked": "clicks"}


def test_ubi_and_yandex_are_recognised(tmp_path):
    query = {"query_id": "q", "user_query": "tv", "query_response_hit_ids": ["a"], "timestamp": "2024-05-01T12:00:00Z"}
    event = {"query_id": "q", "action_name": "click", "event_attributes": {"object": {"object_id": "a"}}}
    assert guess_inputs([write_lines(tmp_path / "ubi.ndjson", [query, event])], given={}).log.reader == "ubi"
    (tmp_path / "yandex").write_text("tv_1\ta,b,c:b,a;shoe_2\td,e:;")
    guesses = guess_inputs([str(tmp_path / "yandex")], given={})
    assert (guesses.log.reader, guesses.formats["click_log"].load_args) == ("yandex_wscd", {"lineSep": ";"})
    assert yaml.safe_load(settings_files(guesses)["globals.yml"])["click_log"]["options"] == {}


def test_encoding_separator_and_times_that_are_not_read_are_said(tmp_path):
    given = [row | {"query": "gr\u00fcne tasche", "datum": "01.05.2024 12:00"} for row in rows()]
    guesses = guess_inputs([write_csv(tmp_path / "log.csv", given, "\t", "cp1252")], given={})
    assert guesses.formats["click_log"].load_args == {"header": True, "sep": "\\t", "encoding": "windows-1252"}
    assert "shown_at" not in guesses.log.columns
    assert "01.05.2024" in " ".join(guesses.doubts["click_log"])


@pytest.mark.parametrize("times", [("2024-05-01T12:00:00", "01.05.2024 12:00"), ("gestern", "heute")])
def test_a_column_named_like_a_time_that_cannot_be_read_is_said(tmp_path, times):
    given = [row | {"zeitpunkt": times[number % 2]} for number, row in enumerate(rows())]
    guesses = guess_inputs([write_csv(tmp_path / "log.csv", given)], given={})
    assert "shown_at" not in guesses.log.columns
    (said,) = [doubt for doubt in guesses.doubts["click_log"] if "'zeitpunkt'" in doubt]
    assert "shown_at is left out" in said


@pytest.mark.parametrize("name", ["at", "wann"])
def test_a_column_of_times_under_a_name_that_says_nothing_is_suggested(tmp_path, name):
    given = [
        row | {name: f"2024-05-{number % 28 + 1:02}T12:00:00Z", "price": 10 + number}
        for number, row in enumerate(rows())
    ]
    log = write_csv(tmp_path / "log.csv", given)
    guesses = guess_inputs([log], given={})
    assert "shown_at" not in guesses.log.columns
    (said,) = [doubt for doubt in guesses.doubts["click_log"] if "shown_at" in doubt]
    assert f"'{name}' holds times such as '2024-05-01T12:00:00Z'" in said
    assert f"--column shown_at={name}" in said
    named = guess_inputs([log], given={"shown_at": name})
    assert columns(named)["shown_at"] == name
    assert not [doubt for doubt in named.doubts["click_log"] if "shown_at" in doubt]


def test_doubled_quotes_are_written_down_as_the_readers_escape(tmp_path):
    """Every page of the shoe has a quote within a quoted cell, as RFC 4180 doubles it."""
    given = [row | {"query": row["query"].replace("red shoe", '"12"" red, shoe"')} for row in rows()]
    log = write_csv(tmp_path / "log.csv", given)
    guesses = guess_inputs([log], given={})
    assert guesses.formats["click_log"].load_args == {"header": True, "escape": '"'}
    written = yaml.safe_load(settings_files(guesses)["globals.yml"])
    assert written["click_log"]["load_args"]["escape"] == '"'
    # The columns were described with it: the query is one cell, and its text has one quote.
    assert columns(guesses)["query"] == "query"
    assert "'12\" red, shoe'" in guesses.log.columns["query"].why
    plain = guess_inputs([write_csv(tmp_path / "plain.csv", rows())], given={})
    assert "escape" not in plain.formats["click_log"].load_args


@pytest.mark.parametrize("division", ["shop", "bereich"])
def test_ids_may_come_again_in_another_corpus(tmp_path, division):
    """Three shops with the same article numbers: `sku` names a document within its shop."""
    shops = ("de", "fr", "uk")
    searched = rows(doc_id="sku")
    log = write_csv(tmp_path / "log.csv", [row | {division: shops[n % 3]} for n, row in enumerate(searched)])
    made = [
        {"sku": f"p{n}", division: shop, "title": f"red shoe {n} of {shop}", "kind": f"k{n % 5}"}
        for shop in shops
        for n in range(20)
    ]
    documents = write_lines(tmp_path / "docs.jsonl", made)
    given = {"corpus": division} if division == "bereich" else {}
    guesses = guess_inputs([log], documents=documents, given=given)
    assert columns(guesses, "documents") == {"doc_id": "sku", "corpus": division}
    assert columns(guesses)["doc_id"] == "sku"
    named = guess_inputs([log], documents=documents, given={**given, "documents.corpus": division})
    assert named.documents.columns["corpus"].why == "as --column says"


def test_a_column_whose_values_come_again_within_a_corpus_is_no_id(tmp_path):
    made = [{"kind": f"k{n % 7}", "shop": "de", "title": f"red shoe {n}"} for n in range(60)]
    documents = write_lines(tmp_path / "docs.jsonl", made)
    log = write_csv(tmp_path / "log.csv", [row | {"shop": "de"} for row in rows()])
    with pytest.raises(SchemaError, match="no column that is clearly 'doc_id'"):
        guess_inputs([log], documents=documents, given={})


def test_what_divides_log_and_documents_alike_may_be_corpora_and_is_said(tmp_path):
    areas = ("blog", "laden", "hilfe")
    log = write_csv(tmp_path / "log.csv", [row | {"bereich": areas[n % 3]} for n, row in enumerate(rows())])
    texts = [{"doc_id": f"p{n}", "bereich": areas[n % 3], "titel": f"red shoe {n}"} for n in range(21)]
    documents = write_lines(tmp_path / "docs.jsonl", texts)
    guesses = guess_inputs([log], documents=documents, given={})
    (said,) = [doubt for doubt in guesses.doubts["click_log"] if "'bereich'" in doubt]
    assert "--column corpus=bereich" in said
    named = guess_inputs([log], documents=documents, given={"corpus": "bereich"})
    assert not [doubt for doubt in named.doubts["click_log"] if "--column corpus" in doubt]
    assert columns(named, "documents")["corpus"] == "bereich"


def test_the_field_that_names_a_document_is_set(shop):
    guesses = guess_inputs([str(shop / "klicks.csv")], documents=str(shop / "artikel.jsonl"), given={})
    written = yaml.safe_load(settings_files(guesses)["parameters/query_report.yml"])
    assert written == {"query_report": {"title_field": guesses.documents.texts[0]}}


def test_what_cannot_be_guessed_is_an_error_with_candidates_and_a_column_can_be_named(tmp_path):
    path = write_csv(tmp_path / "log.csv", rows(doc_id="x17", clicked="y"))
    with pytest.raises(SchemaError, match=r"'clicked'.*y \(whole numbers from 0 to 1\)") as caught:
        guess_inputs([path], given={"doc_id": "x17"})
    assert "--column clicked=NAME. Its values have to be true and false, 0 and 1" in caught.value.hint
    assert columns(guess_inputs([path], given={"doc_id": "x17", "clicked": "y"}))["clicked"] == "y"
    with pytest.raises(SchemaError, match="no column 'yy'"):
        guess_inputs([path], given={"clicked": "yy"})
    with pytest.raises(ConfigError, match="no such column of ours"):
        guess_inputs([path], given={"klicked": "y"})


def test_files_that_are_no_log_are_refused(tmp_path, shop):
    with pytest.raises(ConfigError, match="looks like a click log"):
        guess_inputs([str(shop / "noten.csv"), str(shop / "artikel.jsonl")], given={})
    with pytest.raises(ConfigError, match="both look like click log"):
        guess_inputs([str(shop / "klicks.csv"), str(shop / "klicks.csv")], given={})
    with pytest.raises(ConfigError, match="does not exist"):
        guess_inputs([str(tmp_path / "nowhere.csv")], given={})
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="is empty"):
        guess_inputs([str(tmp_path / "empty.csv")], given={})


def test_documents_whose_ids_are_not_those_of_the_log_are_doubted(tmp_path, shop):
    docs = [{"id": f"other{n}", "title": f"red shoe {n}", "text": "a shoe and a hat"} for n in range(30)]
    documents = write_lines(tmp_path / "docs.jsonl", docs)
    guesses = guess_inputs([str(shop / "klicks.csv")], documents=documents, given={"documents.doc_id": "id"})
    assert columns(guesses, "documents") == {"doc_id": "id"}


def test_nothing_is_written_over_unless_it_is_said(tmp_path):
    assert [path.name for path in write_settings(tmp_path, {"globals.yml": "a: 1"}, replaces=False)] == ["globals.yml"]
    with pytest.raises(ConfigError, match=r"globals.yml would be written over"):
        write_settings(tmp_path, {"globals.yml": "a: 2", "parameters/b.yml": ""}, replaces=False)
    assert (tmp_path / "globals.yml").read_text() == "a: 1"
    assert not (tmp_path / "parameters").exists()
    write_settings(tmp_path, {"globals.yml": "a: 2"}, replaces=True)
    assert (tmp_path / "globals.yml").read_text() == "a: 2"
