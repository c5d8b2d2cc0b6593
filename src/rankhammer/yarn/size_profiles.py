"""Corpora by the profile that their size asks for: one submission a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError, DataError
from rankhammer.yarn.resources import AUTO, profile_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.yarn.resources import ResourceSettings


def by_profile(rows: Mapping[str, int], settings: ResourceSettings) -> dict[str, list[str]]:
    """Group corpora by profile.

    Args:
        rows: Corpus to its judged rows, as features_report.json tells them (`n_rows`).
        settings: The section `resources` of cluster.yml; the first of its rules that a corpus is small enough for
            decides, and `profile` for corpora that no rule is for.

    Returns:
        Profile to names in order; profiles that no corpus asks for are left out. They come in the order of
        `settings.profiles`, smallest first, and `auto` last: many small corpora are done before the large ones begin.

    Raises:
        ConfigError: There are no rules.
        DataError: There are no corpora.
    """
    if not settings.rules:
        raise ConfigError(
            "resources.rules is empty, so no size asks for a profile.",
            hint="In conf/<env>/cluster.yml: rules: [{max_rows: 200000, profile: small}, {profile: large}].",
        )
    if not rows:
        raise DataError("The size of no corpus is known.", hint="Run `kedro run --pipeline=collect` first.")
    asked = {corpus: profile_for(rows[corpus], settings) for corpus in sorted(rows)}
    groups = {name: [corpus for corpus, profile in asked.items() if profile == name] for name in _order(settings)}
    return {name: corpora for name, corpora in groups.items() if corpora}


def _order(settings: ResourceSettings) -> list[str]:
    return [*settings.profiles, AUTO]
