"""The bucket of all results goes only when it is named twice."""

from __future__ import annotations

import boto3
import moto
import pytest

from rankhammer.emr import bucket_removal
from rankhammer.emr.settings import read_settings
from rankhammer.errors import ConfigError

SETTINGS = read_settings({"region": "us-east-1", "bucket": "rankers"})


@pytest.mark.parametrize("named", [("rankers",), ("rankers", "other"), ("rankers",) * 3, ("other", "other")])
def test_a_bucket_that_is_not_named_twice_stays(named):
    with pytest.raises(ConfigError, match="named twice"):
        bucket_removal.require_named_twice(SETTINGS, named)


def test_a_bucket_goes_with_all_versions(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "up"}.items():
        monkeypatch.setenv(name, value)
    bucket_removal.require_named_twice(SETTINGS, ("rankers", "rankers"))
    with moto.mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="rankers")
        s3.put_bucket_versioning(Bucket="rankers", VersioningConfiguration={"Status": "Enabled"})
        for content in (b"old", b"newer"):
            s3.put_object(Bucket="rankers", Key="a", Body=content)
        assert bucket_removal.content(s3, SETTINGS) == (1, 5)
        bucket_removal.remove(s3, SETTINGS)
        assert s3.list_buckets()["Buckets"] == []
