"""Files on S3 under names that carry a hash of their content: written once, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rankhammer.digests import file_digest
from rankhammer.emr.clients import is_code, translated
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUFFIXES = (".tar.gz", ".tar.bz2")
_LARGE = 64 * 1024 * 1024
FOLDER = "artifacts"


def split_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of an s3:// or s3a:// URI."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def named_by_content(source: Path) -> str:
    """Return a file's name with the first 16 digits of its SHA-256 before its suffix."""
    suffix = next((suffix for suffix in _SUFFIXES if source.name.endswith(suffix)), source.suffix)
    return f"{source.name.removesuffix(suffix)}-{file_digest(source, 16)}{suffix}"


class Artifacts:
    """A folder of a bucket that has to belong to the account that launches."""

    def __init__(self, s3: Any, home: str, account: str, on_progress: Callable[[str], None]) -> None:
        """Ask nothing yet.

        Args:
            s3: Client of S3.
            home: URI of the folder above.
            account: Whose bucket it has to be: S3 refuses everybody else's.
            on_progress: Called with a line for each file that is written.
        """
        self._s3, self._on_progress = s3, on_progress
        self.uri = f"{home}/{FOLDER}"
        self._owner = {"ExpectedBucketOwner": account}

    def put(self, source: Path) -> str:
        """Write a file, unless one of the same content is there, and return its URI."""
        return self.put_made(named_by_content(source), lambda: source)

    def put_made(self, name: str, make: Callable[[], Path]) -> str:
        """Write a file whose name holds a hash of what it is made of; it is made only where it is not there.

        Args:
            name: Of the file.
            make: Returns it on this machine.

        Returns:
            Its URI.
        """
        uri = f"{self.uri}/{name}"
        bucket, key = split_uri(uri)
        with translated(uri):
            if not self._is_there(bucket, key):
                source = make()
                self._on_progress(f"uploading {name} ({source.stat().st_size / 1e6:.1f} MB), once")
                self._write(source, bucket, key)
        return uri

    def require(self, uri: str) -> None:
        """Refuse a file that is not there, or that this account may not read.

        Args:
            uri: On S3, in anybody's bucket.

        Raises:
            ConfigError: With its name.
        """
        from botocore.exceptions import ClientError

        bucket, key = split_uri(uri)
        with translated(uri):
            try:
                self._s3.head_object(Bucket=bucket, Key=key)
            except ClientError as exc:
                if not is_code(exc, "404", "NoSuchKey", "NoSuchBucket", "NotFound"):
                    raise
                raise ConfigError(f"There is no file {uri}.", hint="Name one that is there, or a file here.") from exc

    def _is_there(self, bucket: str, key: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._s3.head_object(Bucket=bucket, Key=key, **self._owner)
        except ClientError as exc:
            if is_code(exc, "404", "NoSuchKey", "NotFound"):
                return False
            raise
        return True

    def _write(self, source: Path, bucket: str, key: str) -> None:
        """Create the object: readers see all of it or nothing, and a second writer of the same name changes nothing."""
        from botocore.exceptions import ClientError

        if source.stat().st_size > _LARGE:
            # In parts; it appears when the last one is there, and the name is that of its content.
            self._s3.upload_file(str(source), bucket, key, ExtraArgs=self._owner)
            return
        try:
            with source.open("rb") as body:
                self._s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **self._owner)
        except ClientError as exc:
            if not is_code(exc, "PreconditionFailed", "ConditionalRequestConflict"):
                raise


class NoArtifacts:
    """Writes and asks nothing: says where files would be."""

    def __init__(self, home: str) -> None:
        self.uri = f"{home}/{FOLDER}"

    def put(self, source: Path) -> str:
        """See `Artifacts`."""
        return f"{self.uri}/{named_by_content(source)}"

    def put_made(self, name: str, make: Callable[[], Path]) -> str:  # noqa: ARG002 - not made
        """See `Artifacts`."""
        return f"{self.uri}/{name}"

    def require(self, uri: str) -> None:
        """See `Artifacts`."""
