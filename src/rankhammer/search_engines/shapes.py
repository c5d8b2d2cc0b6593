"""What answers have to hold, one shape a question; they may hold more."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rankhammer.search_engines.answer import Shape


class ClusterHealth(Shape):
    """Of `_cluster/health`."""

    cluster_name: str


class _Searches(Shape):
    query_total: int


class _Indices(Shape):
    search: _Searches


class _Node(Shape):
    indices: _Indices


class Nodes(Shape):
    """Of `_nodes/stats/indices/search`; a cluster that has searched nothing yet leaves all of it out."""

    nodes: dict[str, _Node] = Field(default_factory=dict)


class _Count(Shape):
    count: int = 0


class Metrics(Shape):
    """Of Solr's `admin/metrics`: per core and name a number, or an object with its `count`."""

    metrics: dict[str, dict[str, int | _Count]]


class Stores(Shape):
    """Of `_ltr`: feature stores by name."""

    stores: dict[str, Any]


class Plugin(Shape):
    """A row of `_cat/plugins`."""

    component: str
    version: str


class Version(Shape):
    """What a product says of its version; a distribution of Elasticsearch has no `distribution`."""

    number: str
    distribution: str | None = None


class About(Shape):
    """Of `/`."""

    version: Version


class _Definition(Shape):
    definition: Any


class _Features(Shape):
    features: list[dict[str, Any]]


class _Model(Shape):
    model: _Definition
    feature_set: _Features


class _ModelSource(Shape):
    model: _Model


class StoredModel(Shape):
    """Of `_ltr/_model/<name>`."""

    source: _ModelSource = Field(alias="_source")


class StoredDocument(Shape):
    """Of `<index>/_doc/<id>`."""

    seq_no: int = Field(alias="_seq_no")
    primary_term: int = Field(alias="_primary_term")
    source: dict[str, Any] = Field(alias="_source")


class Deployment(Shape):
    """An entry of a record of deployments: what a rollback needs of it."""

    name: str
    store: str | None = None
    index: str = ""
    example: str = "{}"


class Deployments(Shape):
    """A record of deployments."""

    active: str
    deployments: list[Deployment]


class _ElementSettings(Shape):
    uuid: str
    number_of_shards: Annotated[str, Field(pattern=r"^[1-9]\d{0,8}$")] | Annotated[int, Field(ge=1)]


class _Settings(Shape):
    index: _ElementSettings


class _Alias(Shape):
    filter: dict[str, Any] | None = None


class IndexFacts(Shape):
    """Of `GET <index>`, one index of it."""

    settings: _Settings
    mappings: dict[str, Any] = Field(default_factory=dict)
    aliases: dict[str, _Alias] = Field(default_factory=dict)


class _Value(Shape):
    value: float | None = None


class _Total(Shape):
    value: int


class _Hits(Shape):
    total: _Total


class Count(Shape):
    """Of a search that counts records."""

    hits: _Hits
    aggregations: dict[str, _Value]


class CatIndex(Shape):
    """A row of `_cat/indices`."""

    index: str


class SolrFeature(Shape):
    """A stored feature of Solr."""

    name: str


class SolrFeatures(Shape):
    """Of a feature store of Solr."""

    features: list[SolrFeature] = Field(default_factory=list)


class SolrStoredModel(Shape):
    """A stored model of Solr."""

    name: str
    features: list[SolrFeature] = Field(default_factory=list)
    params: dict[str, Any] = Field(default_factory=dict)


class SolrModels(Shape):
    """Of Solr's models."""

    models: list[SolrStoredModel] = Field(default_factory=list)


class _Lucene(Shape):
    version: str = Field("", alias="solr-spec-version")


class SolrAbout(Shape):
    """Of Solr's `admin/info/system`."""

    lucene: _Lucene
    mode: str = ""


class _ParamSets(Shape):
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)


class _SetVersion(Shape):
    v: int


class ParamSet(Shape):
    """A set of parameters, with its version, that holds a record as a text."""

    version: _SetVersion = Field(alias="")
    record: str | None = None


class SolrParams(Shape):
    """Of Solr's `config/params/<name>`."""

    response: _ParamSets


class _JudgmentList(Shape):
    status: str = ""
    metadata: dict[str, Any] | None = None


class _FoundList(Shape):
    id: str = Field("", alias="_id")
    source: _JudgmentList = Field(alias="_source")


class _FoundHits(Shape):
    hits: list[_FoundList] = Field(default_factory=list)


class FoundLists(Shape):
    """Of a search for judgment lists; what filter_path leaves empty is not there."""

    hits: _FoundHits = _FoundHits()


class ImportedList(Shape):
    """Of an import of the workbench."""

    judgment_id: str
