"""What every hand-off of a run would be made of, computed before anything runs.

A hand-off's digest covers the parameters and inputs of the node that writes it, the digests of the hand-offs that
the node reads, and its code (see `node_code`). Two equal digests mean equal rows, on any machine and however often a
run was killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from rankhammer import corpora
from rankhammer.canonical_json import to_text
from rankhammer.datasets.handoff import Fingerprint
from rankhammer.digests import hex_digest
from rankhammer.pipeline_registry import short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

    Corpora = Sequence[str] | None

T = TypeVar("T")


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON-able value or pydantic model, keys in order."""
    return hex_digest(to_text(plain(value)))


def plain(value: Any) -> Any:
    """Turn pydantic models inside a value into plain JSON types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def expected_fingerprints(
    pipeline: Pipeline,
    *,
    parameters: Mapping[str, Any],
    sources: Mapping[str, str],
    code: Mapping[str, Mapping[str, str]],
    choices: Mapping[str, Corpora] | None = None,
) -> dict[str, Fingerprint]:
    """Compute what each dataset of a pipeline would be made of.

    Args:
        pipeline: Every node from the raw inputs on, also those that this run leaves out.
        parameters: Value of each `params:` input.
        sources: Digest of each raw input.
        code: Node, without its stage, to the parts of its code, each with its digest, see `node_code.code_of`.
        choices: Nodes that this run leaves out to the corpora that they worked on, see `known_choices`; for all others
            the parameters say it.

    Returns:
        Dataset name to fingerprint, for every output of the pipeline.
    """
    made: dict[str, Fingerprint] = {}
    for node in pipeline.nodes:
        writer = short_name(node)
        parts = {**code[writer]} | {name: _part(name, made, parameters, sources) for name in node.inputs}
        chosen: dict[str, Corpora] = {}
        for name in node.inputs:
            chosen |= made[name].choices if name in made else {}
        if corpora.PARAMETER in node.inputs:
            chosen[writer] = (choices or {}).get(writer, corpora.named(parameters.get(corpora.PARAMETER)))
            parts[corpora.PARAMETER] = digest(chosen[writer])
        behind = _sources_behind(node, made, sources)
        for name in node.outputs:
            made[name] = Fingerprint(name, digest([name, parts]), writer, parts, behind, chosen)
    return made


def _part(name: str, made: Mapping[str, Fingerprint], parameters: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    if name in made:
        return made[name].digest
    return digest(parameters[name]) if name in parameters else sources.get(name, "absent")


def _sources_behind(node: Node, made: Mapping[str, Fingerprint], sources: Mapping[str, str]) -> dict[str, str]:
    behind = {name: sources[name] for name in node.inputs if name in sources}
    for name in node.inputs:
        if name in made:
            behind |= made[name].sources
    return behind


def known_sources(
    read_now: Iterable[str], recorded: Iterable[Fingerprint | None], stamp: Callable[[str], str]
) -> dict[str, str]:
    """Decide which state of each raw input the run's fingerprints refer to.

    An input that this run reads is looked at; one that only earlier stages read is taken as they recorded it, so
    that `--pipeline=train` keeps working while the log grows.

    Args:
        read_now: Raw inputs that nodes of this run read.
        recorded: Fingerprints of the finished hand-offs that this run starts from, in pipeline order.
        stamp: Digests one raw input.

    Returns:
        Raw input to digest.
    """
    sources = _first_of_each(fingerprint.sources for fingerprint in recorded if fingerprint)
    return sources | {name: stamp(name) for name in read_now}


def known_choices(run: Iterable[str], recorded: Iterable[Fingerprint | None]) -> dict[str, Corpora]:
    """Tell which corpora the nodes worked on that a run leaves out.

    That is for the run that made their hand-offs to say: another choice now does not make them stale.

    Args:
        run: Names of the nodes of this run, without their stage.
        recorded: As for `known_sources`.

    Returns:
        Node to its choice.
    """
    choices = _first_of_each(fingerprint.choices for fingerprint in recorded if fingerprint)
    return {node: choice for node, choice in choices.items() if node not in set(run)}


def _first_of_each(mappings: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """Put several together; the first one that has a name counts."""
    return {name: value for one in reversed([*mappings]) for name, value in one.items()}
