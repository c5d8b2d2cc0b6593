"""Which committer ends a write to S3: one that renames, or one that completes uploads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

S3 = ("s3://", "s3a://", "s3n://")
PROTOCOL = "spark.sql.sources.commitProtocolClass"
NAME = "fs.s3a.committer.name"
_FACTORY = "mapreduce.outputcommitter.factory.scheme.s3a"
_VERSION = "mapreduce.fileoutputcommitter.algorithm.version"
_EMR_SWITCH = "spark.sql.parquet.fs.optimized.committer.optimization-enabled"
MAGIC = {
    f"spark.hadoop.{NAME}": "magic",
    f"spark.hadoop.{_FACTORY}": "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory",
    PROTOCOL: "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol",
    "spark.sql.parquet.output.committer.class": "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
}
"""Keys of the magic committer; its classes are in the jar spark-hadoop-cloud."""
_SWITCH = "spark.hadoop.fs.s3a.committer.magic.enabled"
_FOR_S3 = ("magic", "directory", "partitioned")
_FACTORIES = ("MagicS3GuardCommitterFactory", "DirectoryStagingCommitterFactory", "PartitionedStagingCommitterFactory")
_PLAIN = ("", "HadoopMapReduceCommitProtocol", "SQLHadoopMapReduceCommitProtocol")


def keys_to_set(conf: Mapping[str, str]) -> dict[str, str]:
    """Return the keys of the magic committer, with its switch where that is off."""
    return {**MAGIC, _SWITCH: "true"} if conf.get(_SWITCH) == "false" else MAGIC


class Way(Enum):
    """How files come into their place."""

    RENAMES = "renames when the job is done"
    RENAMES_IN_TASKS = "renames in each task"
    UPLOADS = "uploads that are completed"
    UNKNOWN = "a vendor's committer"


@dataclass(frozen=True)
class Committer:
    """What commits the writes of an application to S3.

    Args:
        way: How.
        said: The key and the value that decide.
    """

    way: Way
    said: str

    @property
    def renames(self) -> bool:
        """Whether each file is copied."""
        return self.way in (Way.RENAMES, Way.RENAMES_IN_TASKS)


def committer_of(
    output: str, conf: Mapping[str, str], hadoop: Mapping[str, str] | None = None, *, version: str = ""
) -> Committer:
    """Tell how writes to S3 are committed.

    Spark 4.3 itself sets the keys of the magic committer, where its driver finds spark-hadoop-cloud; an event log has
    them, what somebody submits has not.

    Args:
        output: Where to, `s3a://bucket/...`; what is behind `s3://`, vendors decide.
        conf: Spark keys; those of a session (`sql.modified.`) win.
        hadoop: Hadoop's keys, where they are known.
        version: Spark's, which names some vendors.
    """
    scheme, _, place = output.partition("://")
    found = _Keys(conf, hadoop or {}, place.partition("/")[0])
    protocol = found.get(PROTOCOL)
    if protocol.rpartition(".")[2] == "PathOutputCommitProtocol":
        return _by_factory(found)
    if protocol.rpartition(".")[2] not in _PLAIN or _is_of_vendor(found, scheme, version):
        return Committer(Way.UNKNOWN, f"{PROTOCOL}={protocol}" if protocol else "a vendor's Spark")
    if found.get(NAME) in _FOR_S3 and found.get(_FACTORY).endswith("S3ACommitterFactory"):
        # Formats without a committer of their own ask the factory, Parquet does not.
        return Committer(Way.UNKNOWN, f"{NAME}={found.get(NAME)}, and {PROTOCOL} is not set")
    return _renaming(found, f"{PROTOCOL}={protocol}" if protocol else f"{PROTOCOL} is not set")


class _Keys:
    """Looks a key up where it may stand."""

    def __init__(self, conf: Mapping[str, str], hadoop: Mapping[str, str], bucket: str) -> None:
        self._conf, self._hadoop, self._bucket = conf, hadoop, bucket

    def get(self, key: str) -> str:
        """Return a value, the bucket's own first; empty where nobody says."""
        of_bucket = key.replace("fs.s3a.", f"fs.s3a.bucket.{self._bucket}.", 1)
        return self._get(of_bucket) or self._get(key) if of_bucket != key else self._get(key)

    def _get(self, key: str) -> str:
        places = (f"sql.modified.{key}", f"sql.modified.spark.hadoop.{key}", key, f"spark.hadoop.{key}")
        found = next((self._conf[place] for place in places if place in self._conf), None)
        return (self._hadoop.get(key, "") if found is None else found).strip()


def _by_factory(found: _Keys) -> Committer:
    factory, name = found.get(_FACTORY), found.get(NAME)
    if factory.endswith(_FACTORIES):
        return Committer(Way.UPLOADS, f"{_FACTORY}={factory}")
    # S3A's own factory is Hadoop's default since 3.1.
    if name in _FOR_S3 and (not factory or factory.endswith("S3ACommitterFactory")):
        return Committer(Way.UPLOADS, f"{NAME}={name}")
    return _renaming(
        found, f"{NAME}={name or 'file'}" if not factory.endswith("FileOutputCommitterFactory") else factory
    )


def _renaming(found: _Keys, said: str) -> Committer:
    in_tasks = found.get(_VERSION) == "2"
    return Committer(Way.RENAMES_IN_TASKS if in_tasks else Way.RENAMES, said + (f", {_VERSION}=2" if in_tasks else ""))


def _is_of_vendor(found: _Keys, scheme: str, version: str) -> bool:
    """EMR and Databricks commit in ways of their own unless they are told not to."""
    is_emr = "amzn" in version or bool(found.get(_EMR_SWITCH))
    if is_emr:
        return found.get(_EMR_SWITCH).lower() != "false"
    return scheme == "s3" and "S3AFileSystem" not in found.get("fs.s3.impl")
