"""Names of fields that a query or a template would take for something else."""

from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.dialects.elastic_features import feature_extractors
from rankhammer.feature_sets.dialects.ltr_features import plugin_features
from rankhammer.feature_sources.remote.named_queries import NamedQueries
from rankhammer.feature_sources.remote.options import SearchOptions

WRITERS = [
    plugin_features,
    feature_extractors,
    lambda features: NamedQueries(SearchOptions(url="http://search:9200"), features),
]


def feature_set(kind, field):
    return FeatureSet.model_validate({"name": "t", "features": [{"name": "x", "type": kind, "field": field}]})


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", ["match", "phrase", "matched_terms", "field_value"])
@pytest.mark.parametrize("field", ["{{keywords}}", "a{{#b", "a}}", "title*", "title^9", "a\nb"])
def test_a_field_whose_name_has_a_meaning_is_refused_for_each_target(write, kind, field):
    with pytest.raises(ConfigError, match=r"Feature 'x': .* has a meaning in a query") as caught:
        write(feature_set(kind, field))
    assert "alias" in caught.value.hint


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("field", ["title.english", 'it\'s "it"', "日本", "a b", "{field}", "back\\slash", "@time"])
def test_any_other_name_stands_for_itself(write, field):
    assert write(feature_set("match", field))
