"""A folder of small files that others read while it is replaced, such as exported rankers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kedro.io import AbstractDataset

from rankhammer.datasets.entry_options import checks_options
from rankhammer.datasets.files_dataset import check_name
from rankhammer.datasets.handoff import Fingerprint, Handoff, Marker
from rankhammer.errors import ClusterError
from rankhammer.storage.base import local_path, storage_for
from rankhammer.storage.champions import published_corpus
from rankhammer.storage.publication import CURRENT, Candidates, Champions, VersionStore
from rankhammer.storage.ranker_history import EXPORT, moves_between
from rankhammer.storage.ranker_registry import RankerRegistry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from rankhammer.storage.publication import Pointer


class PublishedDataset(AbstractDataset["dict[str, bytes] | Candidates", dict[str, bytes]]):
    """A folder of versions, each as "<corpus>/<target>/<file>" to content, and a pointer to the one that counts.

    What a run that works on some corpora (`--params corpora=...`) publishes holds the others as they were published.
    Of `Candidates` those that are held back become a version of their own, and what was published of them still counts.
    Their rankers are registered first; where only `rankhammer promote` makes one current, the current one stays.

    Examples:
        YAML:

        >>> # exported_model:
        >>> #   type: rankhammer.datasets.PublishedDataset
        >>> #   filepath: s3a://bucket/exported_model
        >>> #   keep: 3

        Python:

        >>> dataset = PublishedDataset(filepath="data/07_model_output/exported_model")
    """

    @checks_options
    def __init__(
        self,
        *,
        filepath: str,
        keep: int = 3,
        grace_h: float = 1.0,
        keep_rankers: int = 10,
        run: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            keep: Versions that stay, the current one included; at least 1.
            grace_h: Hours for which a version stays after it was replaced.
            keep_rankers: Rankers of each corpus whose files stay in the registry, the newest; at least 1.
            run: Id of the run that publishes; it stands in the pointer, not in the files.
            metadata: For plugins such as kedro-viz.

        Raises:
            ValueError: A number is too small.
        """
        for name, value, least in (("keep", keep, 1), ("grace_h", grace_h, 0), ("keep_rankers", keep_rankers, 1)):
            if value < least:
                message = f"{name} is {value}; it has to be {least} or more"
                raise ValueError(message)
        self._path = local_path(filepath).rstrip("/")
        self.metadata = metadata
        publication = VersionStore(self._path, keep=keep, grace_s=grace_h * 3600)
        self._publication, self._run = publication, run
        self.versions = publication
        self.registry = RankerRegistry(self._path, publication, keep=keep_rankers, grace_s=grace_h * 3600)
        self.handoff = PublishedHandoff(publication, self._path)

    @property
    def current_path(self) -> str:
        """Where the version that counts is found, by people and by `rankhammer deploy`."""
        return f"{self._path}/{CURRENT}"

    def load(self) -> dict[str, bytes]:
        """Return the files of the version that counts, without those that it only kept from before.

        Raises:
            DataError: Nothing was published, what was is stale, or it was changed since.
        """
        kept = self.kept()
        return {name: content for name, content in self.load_all().items() if published_corpus(name) not in kept}

    def load_all(self) -> dict[str, bytes]:
        """Return every file of the version that counts.

        Raises:
            DataError: As `load`.
        """
        self.handoff.require_expected()
        return self._publication.read(self._publication.newest())

    def kept(self) -> dict[str, str]:
        """Return the corpora that were only kept from before, each with the version that first held its files."""
        return dict(self._publication.newest().kept or {})

    def held_back(self) -> dict[str, str]:
        """Return the corpora whose newest files do not count, each with the version that these stand in."""
        return dict(self._publication.newest().held_back or {})

    def load_held_back(self, corpus: str) -> dict[str, bytes]:
        """Return the newest files of a corpus where they were held back; none where they count.

        Args:
            corpus: Its name.

        Raises:
            DataError: They were changed since.
        """
        version = self.held_back().get(corpus)
        files = self._publication.read_held_back(version) if version else {}
        return {name: content for name, content in files.items() if published_corpus(name) == corpus}

    def save(self, data: dict[str, bytes] | Candidates) -> None:
        """Publish a version.

        Raises:
            ConfigError: A file name is absolute, leaves the folder, or is reserved.
            DataError: Another user published since this run began.
        """
        new = data if isinstance(data, Candidates) else Candidates(data)
        for name in (*new.files, *new.held_back):
            check_name(name)
        made_of, before = self.handoff.made_of(), self._publication.newest()
        ids = self._register(new)
        new = _with_current(new, ids, before)
        mine = {published_corpus(name) for name in new.held_back}
        others = self._of_others(before, made_of.corpora, mine)
        kept = {corpus: (before.kept or {}).get(corpus, before.version) for corpus in map(published_corpus, others)}
        held_back = {} if made_of.corpora is None else _of_others_alone(before.held_back or {}, made_of.corpora)
        if mine:
            version = self._publication.hold_back(new.held_back, replaces=self.handoff.seen())
            held_back |= dict.fromkeys(sorted(mine), version)
        rankers = before.rankers or {}
        current = {corpus: rankers[corpus] for corpus in kept if corpus in rankers}
        current |= {corpus: ids[corpus] for corpus in map(published_corpus, new.files) if corpus in ids}
        self._publication.publish(
            {**others, **new.files},
            replaces=self.handoff.seen(),
            made_of=asdict(made_of),
            run=self._run,
            kept=kept,
            held_back=held_back,
            champions=Champions(current, moves_between(rankers, current, how=EXPORT)),
        )
        self.handoff.forget()
        if ids:
            self.registry.tidy()

    def _register(self, new: Candidates) -> dict[str, str]:
        """Keep the rankers with what was exported of them; return corpus to id."""
        if not new.rankers:
            return {}
        exported: dict[str, dict[str, bytes]] = {}
        for name, content in {**new.files, **new.held_back}.items():
            _, _, rest = name.partition("/")
            exported.setdefault(published_corpus(name), {})[rest] = content
        rankers = {corpus: ranker for corpus, ranker in new.rankers.items() if corpus in exported}
        return self.registry.register(rankers, exported, run=self._run)

    def _of_others(
        self, before: Pointer, corpora: Sequence[str] | None, held_back: Collection[str]
    ) -> dict[str, bytes]:
        """Return what is published of corpora that this run does not work on, or whose new files do not count."""
        if not before.number or (corpora is None and not held_back):
            return {}
        replaced = None if corpora is None else {*corpora} - {*held_back}
        published = self._publication.read(before)
        return {
            name: content
            for name, content in published.items()
            if (published_corpus(name) in held_back if replaced is None else published_corpus(name) not in replaced)
        }

    def _exists(self) -> bool:
        return self.handoff.is_current()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


def _with_current(new: Candidates, ids: Mapping[str, str], before: Pointer) -> Candidates:
    """Let files count that are of the very ranker that is current: only another ranker has to be promoted."""
    current = before.rankers or {}
    same = {
        corpus
        for corpus, ranker in new.rankers.items()
        if ranker.is_by_hand and corpus in ids and ids[corpus] == current.get(corpus)
    }
    moved = {name: content for name, content in new.held_back.items() if published_corpus(name) in same}
    rest = {name: content for name, content in new.held_back.items() if name not in moved}
    return Candidates({**new.files, **moved}, rest, new.rankers)


def _of_others_alone(versions: Mapping[str, str], corpora: Sequence[str]) -> dict[str, str]:
    return {corpus: version for corpus, version in versions.items() if corpus not in corpora}


class PublishedHandoff(Handoff):
    """The marker of a published folder: its newest pointer.

    Args:
        publication: The folder.
        path: Where it is.
    """

    def __init__(self, publication: VersionStore, path: str) -> None:
        super().__init__(storage_for(path), path, PurePosixPath(path).name)
        self._publication = publication
        self._seen: int | None = None

    def verify(self) -> list[str]:
        """Say what is wrong with the files of the version that counts, after reading each."""
        fault = self._publication.fault(self._publication.newest())
        return [fault] if fault else []

    def _marker(self) -> Marker | None:
        """Return what the version that counts was made of, or None where there is none."""
        fingerprint = Fingerprint.parse(self._publication.newest().made_of)
        return Marker(fingerprint, None) if fingerprint else None

    def _fault(self, marker: Marker) -> str:  # noqa: ARG002 - the pointer vouches, not a marker
        return self._publication.fault(self._publication.newest())

    def check_writable(self) -> None:
        """Find out that versions can be published, and note which one this run will replace.

        Raises:
            ClusterError: Two writers can both create a file, so neither would know that it lost.
        """
        trial = f"{self._path}/.writable-{uuid4().hex}"
        created = [self._storage.create(trial, writer) for writer in (b"first", b"second")]
        self._storage.delete(trial)
        if created != [True, False]:
            raise ClusterError(
                f"{self._path} lets two writers create one file.",
                hint="Publish to a store with conditional writes (docs/publishing.md): `paths` in globals.yml.",
            )
        self._seen = self._publication.newest().number

    def seen(self) -> int:
        """Return the number of the pointer that counted when the run began; outside of one, that of now."""
        return self._publication.newest().number if self._seen is None else self._seen

    def forget(self) -> None:
        """Let the next save replace what is there then."""
        self._seen = None
