"""Where results go: committers, half-written folders, sizes of files (S18 to S20)."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from rankhammer_doctor.committers import NAME, committer_of, keys_to_set
from rankhammer_doctor.findings import ConfChange, Finding, Severity
from rankhammer_doctor.units import MIB, format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.static_rules.context import ConfContext

_S3A = ("s3a://", "s3n://")
_COMMITTER = f"spark.hadoop.{NAME}"
_FILLED = "spark.hadoop.fs.s3a.bucket.{}.committer.magic.enabled"
"""Where it is true, Spark sets the other keys itself, from 3.2 on."""


def s3_committer(context: ConfContext) -> Iterator[Finding]:
    """S18: writes to S3 do not end with a rename, which S3 does not have."""
    output = context.job.output or context.conf.get("spark.sql.warehouse.dir", "")
    bucket = output.partition("://")[2].partition("/")[0]
    if not output.startswith(_S3A) or context.flag(_FILLED.format(bucket), default=False):
        return
    committer = committer_of(output, context.conf)
    if not committer.renames:
        return
    # One key of the four: Spark 4.3 sets the others, where it finds the jar; earlier ones leave it without effect.
    is_begun = context.conf.get(_COMMITTER, "file") != "file"
    yield Finding(
        rule="S18",
        severity=Severity.INFO if is_begun else Severity.WARNING,
        summary=f"{_COMMITTER} has an effect only from Spark 4.3 on, where the other keys are not set"
        if is_begun
        else "results go to S3 with the plain committer: each file is copied at the end, and may be seen half",
        place=_COMMITTER,
        evidence=(f"output: {output}", committer.said),
        remedies=("the magic committer, with the jar spark-hadoop-cloud", "write to HDFS, then s3-dist-cp"),
        changes=tuple(
            ConfChange(key, value, context.conf.get(key)) for key, value in keys_to_set(context.conf).items()
        ),
        effect="files appear when the job is complete, without a copy",
    )


def half_written(context: ConfContext) -> Iterator[Finding]:
    """S19: the output's folder is not half-written; only folders of this machine are looked at."""
    output = (context.job.output or "").removeprefix("file://")
    if not output or "://" in output:
        return
    folder = Path(output)
    files = [path for path in folder.glob("*") if not path.name.startswith(".")] if folder.is_dir() else []
    if files and not (folder / "_SUCCESS").exists():
        yield Finding(
            rule="S19",
            severity=Severity.WARNING,
            summary="the output folder has files and no _SUCCESS: an earlier write was interrupted",
            place=output,
            evidence=(f"{len(files)} entries",),
            remedies=(f"rm -r -- {quote(output)}",),
            effect="readers do not take half a table for a whole one",
        )


def file_sizes(context: ConfContext) -> Iterator[Finding]:
    """S20: files are neither tiny nor huge."""
    job, limits = context.job, context.thresholds["S20"]
    if not job.output_size or not job.output_files:
        return
    each = job.output_size / job.output_files
    if limits["min_file_mb"] * MIB <= each <= limits["max_file_mb"] * MIB:
        return
    wanted = max(1, -(-job.output_size // (128 * MIB)))
    key = "spark.sql.adaptive.advisoryPartitionSizeInBytes"
    yield Finding(
        rule="S20",
        severity=Severity.WARNING,
        summary=f"files of {format_bytes(each)} are planned",
        place="job.output_files",
        arithmetic=(
            f"{format_bytes(job.output_size)} / {job.output_files} files = {format_bytes(each)}",
            f"{format_bytes(job.output_size)} / 128 MiB = {wanted} files",
        ),
        remedies=(f"repartition({wanted}) before the write", f"{key}=128m, or spark.sql.files.maxRecordsPerFile"),
        changes=(ConfChange(key, "128m", context.conf.get(key)),),
        effect="readers list and open fewer files, or share them",
    )
