"""One registry for everything that can be swapped: built-ins and entry points are loaded by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rankhammer.errors import PluginError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = ("click_logs", "click_models", "feature_sources", "rankers", "exporters", "judgment_exporters")

BUILT_IN: dict[str, dict[str, str]] = {
    "click_logs": {
        "impressions": "rankhammer.click_logs.impressions:Impressions",
        "serps": "rankhammer.click_logs.serps:Serps",
        "ubi": "rankhammer.click_logs.ubi:Ubi",
        "yandex_wscd": "rankhammer.click_logs.yandex_wscd:YandexWscd",
    },
    "click_models": {
        "cascade": "rankhammer.click_models.cascade:Cascade",
        "ccm": "rankhammer.click_models.ccm:Ccm",
        "coec": "rankhammer.click_models.coec:Coec",
        "dbn": "rankhammer.click_models.dbn:Dbn",
        "dbn_mjolnir": "rankhammer.click_models.dbn_conformance:DbnMjolnir",
        "dcm": "rankhammer.click_models.dcm:Dcm",
        "dctr": "rankhammer.click_models.dctr:Dctr",
        "gctr": "rankhammer.click_models.gctr:Gctr",
        "pbm": "rankhammer.click_models.pbm:Pbm",
        "rctr": "rankhammer.click_models.rctr:Rctr",
        "sdbn": "rankhammer.click_models.sdbn:Sdbn",
        "ubm": "rankhammer.click_models.ubm:Ubm",
    },
    "feature_sources": {
        "elasticsearch": "rankhammer.engines.search_nodes:Elasticsearch",
        "embedded": "rankhammer.engines.embedded:Embedded",
        "opensearch": "rankhammer.engines.search_nodes:OpenSearch",
        "solr": "rankhammer.engines.search_nodes:Solr",
    },
    "rankers": {
        "linear": "rankhammer.rankers.linear:LinearRanker",
        "xgboost": "rankhammer.rankers.xgboost:XGBoostRanker",
    },
    "exporters": {
        "opensearch_ltr": "rankhammer.exporters.opensearch_ltr:OpenSearchLtr",
        "elasticsearch_ltr": "rankhammer.exporters.elasticsearch_ltr:ElasticsearchLtr",
        "ranklib": "rankhammer.exporters.ranklib:RankLib",
        "solr_ltr": "rankhammer.exporters.solr_ltr:SolrLtr",
        "elastic_native": "rankhammer.exporters.elastic_native:ElasticNative",
        "vespa": "rankhammer.exporters.vespa:Vespa",
        "json": "rankhammer.exporters.neutral_json:NeutralJson",
    },
    "judgment_exporters": {
        "srw": "rankhammer.exporters.judgments.srw:Srw",
        "quepid": "rankhammer.exporters.judgments.quepid:Quepid",
        "trec": "rankhammer.exporters.judgments.trec:Trec",
    },
}


class Choice(BaseModel):
    """A strategy named in the parameters: a registered short name, and options of its own.

    Args:
        name: The plugin's registered name.
        options: Checked against the plugin's own options model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="registered name of the plugin")
    options: dict[str, Any] = Field(default_factory=dict, description="options of this plugin alone")


def of_group(group: str, *others: str) -> AfterValidator:
    """Check a `Choice` field against a plugin group when parameters are read: a typo stops a run before any node.

    Args:
        group: One of GROUPS.
        others: Names that stand for something else than a plugin.

    Returns:
        For use in `Annotated[Choice, of_group("click_models")]`; the field raises PluginError as `create` does.
    """

    def check(choice: Choice) -> Choice:
        if choice.name not in others:
            create(group, choice)
        return choice

    return AfterValidator(check)


@dataclass(frozen=True)
class PluginInfo:
    """One registered plugin, loadable or not.

    Args:
        group: One of GROUPS.
        name: Registered name.
        distribution: The package that provides it.
        version: That package's version.
        summary: First line of the class's docstring; empty when it cannot be loaded.
        error: Why it cannot be loaded; empty when it can.
    """

    group: str
    name: str
    distribution: str
    version: str
    summary: str = ""
    error: str = ""


@dataclass(frozen=True)
class _Registration:
    point: metadata.EntryPoint
    distribution: str
    version: str


def create(group: str, choice: Choice) -> Any:
    """Load a plugin, check its options and make it.

    Args:
        group: One of GROUPS.
        choice: The plugin's name and options.

    Returns:
        An instance of the plugin's class.

    Raises:
        PluginError: The name is unknown, the plugin cannot be imported, or an option is wrong.
    """
    plugin = load(group, choice.name)
    try:
        options = plugin.Options.model_validate(choice.options)
    except ValidationError as exc:
        raise PluginError(
            f"Options of {group} plugin {choice.name!r} are wrong: {_first_fault(exc)}",
            hint=f"Its options are: {', '.join(plugin.Options.model_fields) or 'none'}.",
            group=group,
            name=choice.name,
        ) from exc
    return plugin(options)


def load(group: str, name: str) -> Any:
    """Import one plugin's class.

    Raises:
        PluginError: The name is unknown (with the closest one), or the import fails (with who provides it).
    """
    known = {found.point.name: found for found in _registrations(group)}
    if name not in known:
        raise PluginError(f"Unknown {group} plugin {name!r}.", hint=did_you_mean(name, known), group=group, name=name)
    return _import(group, known[name])


def names(group: str) -> list[str]:
    """Return the registered names of a group, in order."""
    return [found.point.name for found in _registrations(group)]


def installed() -> list[PluginInfo]:
    """List every registered plugin; a broken one is listed with its error and hides no other."""
    return [_inspect(group, found) for group in GROUPS for found in _registrations(group)]


def _registrations(group: str) -> Iterator[_Registration]:
    """Built-ins first, then entry points, in name order: the first of a name wins."""
    if group not in GROUPS:
        raise PluginError(f"Unknown plugin group {group!r}.", hint=did_you_mean(group, GROUPS), group=group)
    from rankhammer import __version__

    full_group = f"rankhammer.{group}"
    for name, target in BUILT_IN[group].items():
        yield _Registration(metadata.EntryPoint(name, target, full_group), "rankhammer", __version__)
    for point in sorted(metadata.entry_points(group=full_group), key=lambda point: point.name):
        if point.name not in BUILT_IN[group]:
            dist = point.dist
            yield _Registration(point, dist.name if dist else "unknown", dist.version if dist else "unknown")


def _import(group: str, found: _Registration) -> Any:
    try:
        return found.point.load()
    except Exception as exc:
        raise PluginError(
            f"{group} plugin {found.point.name!r} of {found.distribution} {found.version} cannot be loaded: "
            f"{type(exc).__name__}: {exc}",
            hint=f"Reinstall or remove {found.distribution}; the other plugins are not affected.",
            group=group,
            name=found.point.name,
        ) from exc


def _inspect(group: str, found: _Registration) -> PluginInfo:
    facts = (group, found.point.name, found.distribution, found.version)
    try:
        plugin = _import(group, found)
    except PluginError as exc:
        return PluginInfo(*facts, error=exc.message)
    return PluginInfo(*facts, summary=(plugin.__doc__ or "").strip().split("\n", 1)[0])


def _first_fault(error: ValidationError) -> str:
    fault = error.errors()[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']} (got {fault['input']!r})"
