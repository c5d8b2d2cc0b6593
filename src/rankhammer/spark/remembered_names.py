"""Names of the JVM that plans are built of, asked for once: py4j asks the JVM again at each use."""

from __future__ import annotations

from typing import Any

from py4j.java_gateway import JavaClass, JavaMember

NAMES = ("functions", "org.apache.spark.sql.functions", "PythonUtils", "PythonSQLUtils")
"""As pyspark names them: each column of a plan is a call of one of their static methods."""


class RememberedClass(JavaClass):  # type: ignore[misc]
    """A class of the JVM that keeps its static methods, once they are known."""

    def __getattr__(self, name: str) -> Any:
        """Ask the JVM, and for a method only once."""
        found = super().__getattr__(name)
        if isinstance(found, JavaMember):
            self.__dict__[name] = found
        return found


def remember(jvm: Any) -> None:
    """Let pyspark's classes be found without asking the JVM again.

    Args:
        jvm: py4j's view of the JVM; it has these as attributes from then on.
    """
    for name in NAMES:
        found = getattr(jvm, name)
        setattr(jvm, name, RememberedClass(found._fqn, found._gateway_client))
