"""Tables of Glue, on an emulator: they are replaced in one step, and nobody else's is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("moto")

import boto3
import moto

from rankhammer.errors import ConfigError, DataError
from rankhammer.sql_tables import athena, glue
from rankhammer.sql_tables.glue import CatalogEntry, table_input

SERPS = CatalogEntry("serps", "s3a://rankers/runs/1/serps", {"serp_id": "string"}, "v1")
MATRIX = CatalogEntry(
    "training_matrix", "s3://rankers/runs/1/matrix", {"qid": "int"}, "v1", {"corpus": ["shop_de", "shop_lu"]}
)


@pytest.fixture
def aws(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "up"}.items():
        monkeypatch.setenv(name, value)
    # Of somebody who works with another emulator.
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        yield lambda service: boto3.client(service, region_name="eu-west-1")


def test_tables_are_created_once_and_replaced_where_they_have_changed(aws):
    client = aws("glue")
    assert dict(glue.publish(client, "rankers", [SERPS, MATRIX])) == dict.fromkeys(
        ("serps", "training_matrix"), "created"
    )
    assert set(dict(glue.publish(client, "rankers", [SERPS, MATRIX])).values()) == {"unchanged"}
    newer = replace(
        SERPS, location="s3a://rankers/runs/2/serps", version="v2", columns={"serp_id": "string", "n": "int"}
    )
    assert dict(glue.publish(client, "rankers", [newer])) == {"serps": "replaced"}
    found = client.get_table(DatabaseName="rankers", Name="serps")["Table"]
    assert found["StorageDescriptor"]["Location"] == "s3://rankers/runs/2/serps/"
    assert [column["Name"] for column in found["StorageDescriptor"]["Columns"]] == ["serp_id", "n"]
    # It was changed, and never away: Glue counts what it has been.
    assert found["VersionId"] == "2"
    assert {table["name"] for table in glue.listed(client, "rankers")} == {"serps", "training_matrix"}


def test_which_partitions_there_are_stands_in_the_table_itself():
    asked = table_input(MATRIX)
    assert asked["PartitionKeys"] == [{"Name": "corpus", "Type": "string"}]
    assert asked["Parameters"]["projection.corpus.values"] == "shop_de,shop_lu"
    assert asked["Parameters"]["storage.location.template"] == "s3://rankers/runs/1/matrix/corpus=${corpus}/"


def test_a_table_of_somebody_else_is_refused_before_anything_changes(aws):
    client = aws("glue")
    client.create_database(DatabaseInput={"Name": "rankers"})
    client.create_table(DatabaseName="rankers", TableInput={"Name": "serps"})
    with pytest.raises(ConfigError, match=r"rankers\.serps was not made by rankhammer"):
        list(glue.publish(client, "rankers", [MATRIX, SERPS]))
    assert glue.listed(client, "rankers") == []
    assert glue.remove(client, "rankers") == []
    assert client.get_table(DatabaseName="rankers", Name="serps")


def test_what_cannot_be_announced_is_refused_before_anything_changes(aws):
    client = aws("glue")
    wrong = replace(MATRIX, partitions={"corpus": ["shop%2Fde"]})
    with pytest.raises(DataError, match="cannot be a partition"):
        list(glue.publish(client, "rankers", [SERPS, wrong]))
    with pytest.raises(ConfigError, match="is not on S3"):
        list(glue.publish(client, "rankers", [replace(SERPS, location="data/serps")]))
    assert glue.listed(client, "rankers") == []


def test_removed_tables_take_an_empty_database_with_them(aws):
    client = aws("glue")
    list(glue.publish(client, "rankers", [SERPS]))
    assert glue.remove(client, "rankers") == ["serps"]
    assert client.get_databases()["DatabaseList"] == []
    assert glue.listed(client, "rankers") == []


def test_queries_are_kept_once(aws):
    client = aws("athena")
    kept = dict(athena.publish(client, "rankers", "primary", athena.QUERIES))
    assert set(kept.values()) == {"created"}
    assert set(dict(athena.publish(client, "rankers", "primary", athena.QUERIES)).values()) == {"unchanged"}
    (first, *_) = client.list_named_queries(WorkGroup="primary")["NamedQueryIds"]
    assert client.get_named_query(NamedQueryId=first)["NamedQuery"]["Database"] == "rankers"
