"""Every exported ranker has an entry and its files; which one is current changes in one step, and is remembered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from rankhammer.datasets import PublishedDataset
from rankhammer.errors import DataError
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage
from rankhammer.storage.champions import make_current
from rankhammer.storage.publication import Candidates, NewRanker, VersionStore
from rankhammer.storage.ranker_history import PROMOTION, ROLLBACK, RankerHistory

LINEAGE = {"rankhammer": "0.1.0", "code": "c0de", "inputs": {"click_log": "1f2e"}}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "exported_model"


def dataset(root, **options) -> PublishedDataset:
    return PublishedDataset(filepath=str(root), **options)


def ranker(number: int, *, by_hand: bool = False) -> NewRanker:
    return NewRanker({"model.ubj": b"%d" % number}, LINEAGE, {"verdict": "better"}, is_by_hand=by_hand)


def export(root, *, by_hand: bool = False, text: str = "", run: str | None = None, keep: int = 10, **numbers: int):
    """Export a ranker of each corpus, as the stage does, and return their ids."""
    files = {f"{corpus}/json/model.json": f"{n}{text}".encode() for corpus, n in numbers.items()}
    rankers = {corpus: ranker(n, by_hand=by_hand) for corpus, n in numbers.items()}
    published = dataset(root, run=run, keep_rankers=keep, grace_h=0)
    published.save(Candidates({}, files, rankers) if by_hand else Candidates(files, {}, rankers))
    return {corpus: made.id for corpus, made in rankers.items()}


def current(root) -> dict[str, bytes]:
    return {name.partition("/")[0]: content for name, content in dataset(root).load_all().items()}


def promote(
    root, corpus: str, ranker_id: str, how: str = PROMOTION, published: PublishedDataset | None = None, **about
):
    published = published or dataset(root)
    entry = next(one for one in published.registry.history().entries(corpus) if one.ranker == ranker_id)
    before = published.versions.newest()
    return make_current(entry, published.versions, published.registry, before=before, how=how, about=about)


def test_every_exported_ranker_has_an_entry_with_its_files_and_what_it_comes_from(root):
    ids = export(root, de=1, fr=2, run="20261129T070000Z-ab12")
    registry = dataset(root).registry
    entries = {entry.corpus: entry for entry in registry.history().entries()}
    assert {corpus: entry.ranker for corpus, entry in entries.items()} == ids
    entry = entries["de"]
    assert registry.read_trained(entry) == {"model.ubj": b"1"}
    assert registry.read_exported(entry) == {"json/model.json": b"1"}
    assert (entry.run, entry.code, entry.inputs) == ("20261129T070000Z-ab12", "c0de", {"click_log": "1f2e"})
    assert entry.evidence == {"verdict": "better"}
    assert VersionStore(str(root)).newest().rankers == ids


def test_the_same_export_again_writes_nothing(root):
    export(root, de=1)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    export(root, de=1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_ranker_that_is_exported_for_more_engines_has_one_entry_with_the_last_files(root):
    ids = export(root, de=1)
    assert export(root, de=1, text=" for more") == ids
    registry = dataset(root).registry
    (entry,) = registry.history().entries()
    assert registry.read_exported(entry) == {"json/model.json": b"1 for more"}
    assert len(registry.history().moves()) == 1


def test_by_hand_a_new_ranker_waits_and_what_is_current_stays(root):
    export(root, de=1)
    new = export(root, de=2, by_hand=True)
    assert current(root) == {"de": b"1"}
    assert dataset(root).held_back().keys() == {"de"}
    promote(root, "de", new["de"], reason="a gain")
    assert current(root) == {"de": b"2"}
    assert dataset(root).held_back() == {}
    assert dataset(root).kept() == {}
    # What is current is exported again without being promoted again, also with other files.
    export(root, de=2, by_hand=True, text=" again")
    assert current(root) == {"de": b"2 again"}


def test_by_hand_nothing_is_current_before_the_first_promotion(root):
    new = export(root, de=1, fr=1, by_hand=True)
    assert current(root) == {}
    promote(root, "de", new["de"])
    assert current(root) == {"de": b"1"}
    assert dataset(root).held_back().keys() == {"fr"}


def test_a_promotion_leaves_other_corpora_and_what_the_version_was_made_of(root):
    old = export(root, de=1, fr=1)
    new = export(root, de=2, by_hand=True)
    made_of = VersionStore(str(root)).newest().made_of
    # fr was not exported in the second run and is gone, as without a registry.
    assert current(root) == {"de": b"1"}
    pointer = promote(root, "de", new["de"])
    assert pointer.made_of == made_of
    assert pointer.rankers == new
    assert pointer.moves == [{"corpus": "de", "ranker": new["de"], "before": old["de"], "how": PROMOTION}]


def test_an_older_ranker_can_be_current_and_the_newest_is_then_held_back(root):
    old = export(root, de=1)
    export(root, de=2)
    promote(root, "de", old["de"], ROLLBACK)
    assert current(root) == {"de": b"1"}
    published = dataset(root)
    assert published.load_held_back("de") == {"de/json/model.json": b"2"}
    assert published.kept() == {"de": published.versions.newest().version}


def test_every_move_is_remembered_after_its_pointer_was_deleted(root):
    ids = [export(root, de=n)["de"] for n in range(30)]
    assert len(list((root / "pointers").iterdir())) < 30
    moves = dataset(root).registry.history().moves("de")
    assert [move["ranker"] for move in moves] == ids
    assert [move["before"] for move in moves] == [None, *ids[:-1]]
    assert all(move["at"] and move["by"]["token"] for move in moves)


def test_moves_between_known_rankers_are_remembered_too(root):
    ids = [export(root, de=n % 2)["de"] for n in range(25)]
    assert [move["ranker"] for move in dataset(root).registry.history().moves()] == ids
    assert len(dataset(root).registry.history().entries()) == 2


def test_what_was_rolled_back_is_no_champion_any_more():
    steps = [("a", "export"), ("b", "promotion"), ("c", "promotion"), ("b", ROLLBACK)]
    moves = [
        {"pointer": n, "corpus": "de", "ranker": name, "before": None, "how": how}
        for n, (name, how) in enumerate(steps)
    ]
    assert RankerHistory([{"moves": moves}]).champions("de") == ["a", "b"]
    again = {"pointer": 9, "corpus": "de", "ranker": "a", "before": "b", "how": ROLLBACK}
    assert RankerHistory([{"moves": moves}], [again]).champions("de") == ["a"]


def test_of_many_rankers_the_newest_the_current_and_the_one_before_keep_their_files(root):
    old = export(root, de=0)["de"]
    champion = export(root, de=1)["de"]
    waiting = [export(root, de=n, by_hand=True, keep=2)["de"] for n in range(2, 7)]
    history = dataset(root).registry.history()
    kept = {entry.ranker for entry in history.entries() if dataset(root).registry.is_kept(entry)}
    assert kept == {old, champion, *waiting[-2:]}
    assert len(history.entries()) == 7
    gone = next(entry for entry in history.entries() if entry.ranker == waiting[0])
    with pytest.raises(DataError, match="are not kept any more"):
        dataset(root).registry.read_trained(gone)


def test_files_stay_for_a_while_after_they_were_written(root):
    ids = [export(root, de=n, by_hand=True)["de"] for n in range(3)]
    published = dataset(root, keep_rankers=1, grace_h=1)
    published.save(Candidates({}, {"de/json/model.json": b"3"}, {"de": ranker(3, by_hand=True)}))
    entries = published.registry.history().entries()
    assert [entry.ranker for entry in entries if published.registry.is_kept(entry)] == [*ids, ranker(3).id]


def test_files_that_were_changed_are_refused(root):
    export(root, de=1)
    (path,) = root.glob("rankers/de/*/trained/model.ubj")
    path.write_bytes(b"?")
    registry = dataset(root).registry
    (entry,) = registry.history().entries()
    with pytest.raises(DataError, match="were changed since it was registered"):
        registry.read_trained(entry)


def test_who_promotes_after_another_has_published_is_refused_and_changes_nothing(root):
    export(root, de=1)
    new = export(root, de=2, by_hand=True)
    published = dataset(root)
    entry = published.registry.history().entries("de")[-1]
    before = published.versions.newest()
    export(root, de=3)
    with pytest.raises(DataError, match="published 00000") as caught:
        make_current(entry, published.versions, published.registry, before=before, how=PROMOTION, about={})
    assert "rankhammer rankers" in caught.value.hint
    assert current(root) == {"de": b"3"}
    assert new["de"] not in [move["ranker"] for move in published.registry.history().moves()]


def test_a_ranker_that_another_user_has_deleted_while_it_was_promoted_has_its_files(root, monkeypatch):
    export(root, de=1)
    new = export(root, de=2, by_hand=True)
    published = dataset(root)
    publish = VersionStore.publish

    def delete_first(self, *given, **options):
        LocalStorage().delete(str(root / "rankers/de" / new["de"]))
        return publish(self, *given, **options)

    monkeypatch.setattr(VersionStore, "publish", delete_first)
    promote(root, "de", new["de"], published=published)
    assert published.registry.is_kept(published.registry.history().entries("de")[-1])


@pytest.mark.parametrize("n_written", range(6))
def test_an_export_that_dies_leaves_what_was_current_and_the_next_one_ends_it(root, monkeypatch, n_written):
    old = export(root, de=1)
    create, write, written = LocalStorage.create, LocalStorage.write, []

    def die_after(self, path, content):
        if len(written) == n_written:
            raise KeyboardInterrupt
        written.append(path)
        return (create if path.endswith(".json") and ("/registry/" in path or "/pointers/" in path) else write)(
            self, path, content
        )

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", die_after)
        patch.setattr(LocalStorage, "create", die_after)
        try:
            export(root, de=2)
        except KeyboardInterrupt:
            assert current(root) == {"de": b"1"}
            assert VersionStore(str(root)).newest().rankers == old
    new = export(root, de=2)
    assert current(root) == {"de": b"2"}
    registry = dataset(root).registry
    assert [entry.ranker for entry in registry.history().entries()] == [old["de"], new["de"]]
    assert all(map(registry.is_kept, registry.history().entries()))
    assert [move["ranker"] for move in registry.history().moves()] == [old["de"], new["de"]]


KILLED = """
import os, signal, sys
from rankhammer.datasets import PublishedDataset
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.champions import make_current
root, when = sys.argv[1:]
published = PublishedDataset(filepath=root)
entry = published.registry.history().entries("de")[-1]
append = AppendOnlyLog.append
def killed(self, content, *, after):
    if "pointers" in self.path(1):
        if when == "after":
            append(self, content, after=after)
        os.kill(os.getpid(), signal.SIGKILL)
    return append(self, content, after=after)
AppendOnlyLog.append = killed
before = published.versions.newest()
make_current(entry, published.versions, published.registry, before=before, how="promotion", about={"reason": "r"})
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_promotion_that_is_killed_around_its_switch_loses_nothing(root, when):
    old = export(root, de=1)
    new = export(root, de=2, by_hand=True)
    done = subprocess.run([sys.executable, "-c", KILLED, str(root), when], env={**os.environ}, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    moved = when == "after"
    assert current(root) == {"de": b"2" if moved else b"1"}
    assert VersionStore(str(root)).newest().rankers == (new if moved else old)
    history = dataset(root).registry.history()
    assert [move["ranker"] for move in history.moves()] == [old["de"], *([new["de"]] if moved else [])]
    assert all(map(dataset(root).registry.is_kept, history.entries()))
    if not moved:
        promote(root, "de", new["de"])
    assert current(root) == {"de": b"2"}
    assert [move["how"] for move in dataset(root).registry.history().moves()] == ["export", "promotion"]


def test_of_many_who_register_at_once_none_is_lost(root):
    published = dataset(root)

    def register(n: int) -> None:
        published.registry.register({f"c{n}": ranker(n)}, {f"c{n}": {"json/m": b"%d" % n}}, run=None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(register, range(24)))
    assert {entry.corpus for entry in published.registry.history().entries()} == {f"c{n}" for n in range(24)}


def test_an_entry_that_was_damaged_is_named_and_left_out(root, caplog):
    export(root, de=1)
    export(root, de=2)
    path = sorted((root / "registry").iterdir())[0]
    path.write_text(path.read_text().replace("c0de", "c0df"))
    assert [entry.ranker for entry in dataset(root).registry.history().entries()] == [ranker(2).id]
    assert caplog.text.count("the rankers in it are not listed") == 1


@pytest.mark.parametrize("damage", [{"evidence": 1}, {"corpus": None}, {"inputs": []}, {"at": 5}])
def test_an_entry_of_the_wrong_types_is_none(damage):
    entry = {"corpus": "de", "ranker": "a", "trained": "a1", "exported": "b2"}
    assert len(RankerHistory([{"rankers": [entry]}]).entries()) == 1
    assert RankerHistory([{"rankers": [entry | damage, 7], "moves": [None, {"pointer": "x"}]}]).entries() == []
    assert RankerHistory([{"rankers": 5, "moves": [None, {"pointer": "x"}], "comparisons": [1]}]).moves() == []


def test_a_registry_of_a_newer_version_is_refused(root):
    export(root, de=1)
    (root / "registry/000009.json").write_text('{"format": 2}')
    with pytest.raises(DataError, match="is of a newer version"):
        dataset(root).registry.history()


def test_pointers_of_before_there_was_a_registry_are_read(root):
    dataset(root).save({"de/json/model.json": b"0"})
    path = root / "pointers/000001.json"
    path.write_text(
        json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k not in ("rankers", "moves")})
    )
    new = export(root, de=1)
    assert dataset(root).registry.history().moves()[0]["before"] is None
    assert VersionStore(str(root)).newest().rankers == new
    assert AppendOnlyLog(LocalStorage(), str(root / "registry")).numbers() == [1]
