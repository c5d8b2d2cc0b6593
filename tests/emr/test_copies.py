"""Results that a job leaves on the disks of its cluster, and their way to S3."""

from __future__ import annotations

import sys

import pytest
from launching import the_cluster, write

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]

JOB = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "part-0.csv").write_text(sys.argv[2])
if sys.argv[2] == "broken":
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part-1.csv").write_text("half")
"""


@pytest.mark.parametrize("text", ["whole", "broken"])
def test_results_are_copied_after_the_job_and_a_copy_that_fails_is_a_failure(on_s3, text):
    site = on_s3
    site.set(node__python=sys.executable)
    out, target = site.folder / "out", f"s3://my-search-rankers/reports/{text}"
    code, said = site.run("launch", "--script", write(site, JOB), f"--copy=file://{out}={target}", "--", str(out), text)
    copied = [key for key in site.objects(f"reports/{text}/") if key.endswith("part-0.csv")]
    pointers = site.objects(f"reports/{text}/pointers/")
    if text == "whole":
        assert code == 0, said + site.aws.node.log()
        assert [site.read(key) for key in copied] == ["whole"]
        assert len(pointers) == 1
        assert "| s3a://my-search-rankers/reports/whole/versions/000001-" in said
    else:
        assert code == 2, said
        assert "half-written" in said
        assert not copied
        assert not pointers
    assert the_cluster(site).state.startswith("TERMINATED")
