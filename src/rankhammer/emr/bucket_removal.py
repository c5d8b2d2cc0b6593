"""Removes the bucket of all results, where somebody has named it twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.emr.clients import translated
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.emr.settings import EmrSettings


def require_named_twice(settings: EmrSettings, named: Sequence[str]) -> None:
    """Refuse to remove a bucket that was not named twice, or is not that of emr.yml.

    Raises:
        ConfigError: With what to write.
    """
    if list(named) != [settings.bucket] * 2:
        twice = f"--bucket {settings.bucket} --bucket {settings.bucket}"
        raise ConfigError("The bucket holds all results: it goes when it is named twice.", hint=twice)


def content(s3: Any, settings: EmrSettings) -> tuple[int, int]:
    """Return how many files a bucket has, and their bytes.

    Args:
        s3: Client.
        settings: Of emr.yml.
    """
    with translated(f"s3://{settings.bucket}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket)
        sizes = [entry["Size"] for page in pages for entry in page.get("Contents", ())]
    return len(sizes), sum(sizes)


def remove(s3: Any, settings: EmrSettings) -> None:
    """Remove every file with all its versions, and the bucket.

    Args:
        s3: Client.
        settings: Of emr.yml.

    Raises:
        ConfigError: It may not be removed.
    """
    with translated(f"s3://{settings.bucket}"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=settings.bucket):
            entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            if keys:
                s3.delete_objects(Bucket=settings.bucket, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=settings.bucket)
