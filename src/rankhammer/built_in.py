"""The plugins that come with Rankhammer: group and name to module and class.

No import leads to this table's modules, and no stage depends on the table: see `import_closure`.
"""

from __future__ import annotations

BUILT_IN: dict[str, dict[str, str]] = {
    "click_logs": {
        "clicks_only": "rankhammer.click_logs.clicks_only:ClicksOnly",
        "impressions": "rankhammer.click_logs.impressions:Impressions",
        "mjolnir": "rankhammer.click_logs.mjolnir:Mjolnir",
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
        "elasticsearch": "rankhammer.feature_sources.engine_sources:Elasticsearch",
        "embedded": "rankhammer.feature_sources.embedded.source:Embedded",
        "opensearch": "rankhammer.feature_sources.engine_sources:OpenSearch",
        "solr": "rankhammer.feature_sources.engine_sources:Solr",
    },
    "rankers": {
        "baseline": "rankhammer.rankers.baseline:BaselineRanker",
        "blend": "rankhammer.rankers.blend:BlendRanker",
        "catboost": "rankhammer.rankers.catboost:CatBoostRanker",
        "lightgbm": "rankhammer.rankers.lightgbm:LightGBMRanker",
        "linear": "rankhammer.rankers.linear:LinearRanker",
        "neural": "rankhammer.rankers.neural:NeuralRanker",
        "selected": "rankhammer.rankers.selected:SelectedRanker",
        "xgboost": "rankhammer.rankers.xgboost:XGBoostRanker",
    },
    "exporters": {
        "opensearch_ltr": "rankhammer.exporters.targets.opensearch_ltr:OpenSearchLtr",
        "elasticsearch_ltr": "rankhammer.exporters.targets.elasticsearch_ltr:ElasticsearchLtr",
        "ranklib": "rankhammer.exporters.targets.ranklib:RankLib",
        "solr_ltr": "rankhammer.exporters.targets.solr_ltr:SolrLtr",
        "elastic_native": "rankhammer.exporters.targets.elastic_native:ElasticNative",
        "vespa": "rankhammer.exporters.targets.vespa:Vespa",
        "json": "rankhammer.exporters.targets.plain_json:PlainJson",
    },
    "judgment_exporters": {
        "srw": "rankhammer.exporters.judgments.srw:Srw",
        "quepid": "rankhammer.exporters.judgments.quepid:Quepid",
        "trec": "rankhammer.exporters.judgments.trec:Trec",
    },
}
