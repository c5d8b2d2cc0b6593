"""The JVM is asked once for the names that plans are built of."""

from __future__ import annotations

import pytest
from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import functions as F


def test_the_second_column_asks_for_no_name(spark, monkeypatch):
    client = SparkContext._gateway._gateway_client
    asked = []
    send = client.send_command

    def build():
        return F.when(F.col("a").isNull() & ~F.lit(True), F.array("a")).otherwise(None)

    first = build()
    monkeypatch.setattr(client, "send_command", lambda command, *given: asked.append(command) or send(command, *given))
    assert str(build()) == str(first)
    # "c" is a call, "r" a question about a name.
    kinds = {command.partition("\n")[0] for command in asked}
    assert "c" in kinds
    assert "r" not in kinds


def test_a_name_that_is_not_there_is_an_error_each_time(spark):
    functions = SparkContext._jvm.functions
    for _ in range(2):
        with pytest.raises(Py4JError, match="no_such_function does not exist"):
            _ = functions.no_such_function
