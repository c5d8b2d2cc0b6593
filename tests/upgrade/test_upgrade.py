"""What the version before has written is read: rankers, what was published, markers and the lock.

The folders below were written by commit 93ce655 on simulated clicks; the model is there as text. Only names of host and
user were changed. A new fixture is added for a version whose files differ; those of before stay.
"""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rankhammer.datasets import FilesDataset, PublishedDataset
from rankhammer.datasets.handoff import Fingerprint, Handoff
from rankhammer.deploy import read_exported_ranker
from rankhammer.errors import DataError
from rankhammer.exporters.parity import check_logged_scores
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.storage.base import storage_for
from rankhammer.storage.lock import OutputLock

if TYPE_CHECKING:
    from rankhammer.exporters import TrainedRanker

WRITTEN = Path(__file__).with_name("written_by_93ce655")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def before(tmp_path):
    """A copy of what the version before has left."""
    folder = tmp_path / "data"
    shutil.copytree(WRITTEN, folder)
    published = folder / "exported_model"
    # The link that it made for people; a checkout, an archive or a copy may not keep links.
    (published / "current").symlink_to("versions/000001-2c96a2ca36eb")
    text = folder / "ranker/main/model.ubj.base64"
    text.with_suffix("").write_bytes(base64.b64decode(text.read_text()))
    text.unlink()
    return folder


def ranker_of(folder: Path) -> TrainedRanker:
    return read_ranker("main", by_corpus(FilesDataset(filepath=str(folder / "ranker")).load())["main"])


def test_a_ranker_scores_what_its_training_has_logged(before):
    ranker = ranker_of(before)
    vectors, logged = ranker.logged
    assert len(logged) == 20
    check_logged_scores(ranker, vectors, logged, 1e-6)


def test_a_feature_set_has_the_version_that_it_had(before):
    ranker = ranker_of(before)
    assert ranker.feature_set.version == ranker.manifest["feature_set"]["version"] == "b83153a552dc"


def test_what_was_published_is_read_whole_by_its_pointer(before):
    published = PublishedDataset(filepath=str(before / "exported_model"))
    files = published.load()
    pointer = json.loads((before / "exported_model/pointers/000001.json").read_text())
    assert sorted(files) == pointer["files"]


def test_a_new_version_is_published_over_an_old_one_and_gets_the_next_number(before):
    published = PublishedDataset(filepath=str(before / "exported_model"))
    published.save({"main/json/model.json": b"{}"})
    numbers = sorted(path.name[:6] for path in (before / "exported_model/versions").iterdir())
    assert numbers == ["000001", "000002"]
    assert published.load() == {"main/json/model.json": b"{}"}


EXPORTED = "exported_model/current/main/opensearch_ltr-3.6"


def test_an_export_that_does_not_say_which_features_may_be_absent_is_read_by_its_lineage(before):
    exported = read_exported_ranker(str(before / EXPORTED))
    assert exported.feature_names == ("title_bm25", "text_bm25", "sold")
    assert exported.keep_absent.tolist() == [False, False, False]


@pytest.mark.parametrize("change", [{"type": "expression"}, {"name": "another"}])
def test_an_export_whose_definitions_are_not_guarded_or_not_known_is_refused_with_the_command(before, change):
    """0.1.0 tries a ranker with absent values, so it has to know; what is on a cluster can be rolled back to anyway."""
    file = before / EXPORTED / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["lineage"]["parameters"]["feature_set"]["features"][0] |= change
    file.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="lacks keep_absent: another version of Rankhammer wrote it") as refused:
        read_exported_ranker(str(before / EXPORTED))
    assert "kedro run --pipeline=export" in refused.value.hint


def test_a_marker_of_a_table_is_read_and_says_what_has_changed(before):
    handoff = Handoff(storage_for(str(before)), str(before / "training_rows"), "training_rows")
    handoff.require_current()
    recorded = handoff.recorded
    changed = {**recorded.parts, "code": "of this version"}
    handoff.expected = Fingerprint("training_rows", "another", "fold", parts=changed)
    with pytest.raises(DataError, match="is stale: code changed since node 'fold' wrote it"):
        handoff.require_current()


def test_a_lock_that_was_given_back_is_taken(before):
    (before / "lock").rename(before / ".lock")
    lock = OutputLock(str(before), heartbeat_s=60, expires_s=300)
    lock.acquire()
    lock.release()
    newest = max(before.glob(".lock/*.json"))
    assert "released_by" in json.loads(newest.read_text())


def test_the_page_on_upgrades_names_this_version():
    from rankhammer import __version__

    assert f"## {__version__}" in (ROOT / "docs" / "upgrade.md").read_text()
