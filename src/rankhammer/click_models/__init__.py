"""Click models: what people's clicks say about documents, freed from where the documents were shown.

Models are numpy classes (`base.ClickModel`), one file each; `fit` runs one over a whole log, and the other verbs work
on what it returns.
"""

from rankhammer.click_models.base import (
    ClickModel,
    ClusterFit,
    CorpusFit,
    CountedSerps,
    Relevance,
    log_likelihood,
)
from rankhammer.click_models.counts.pattern_counts import (
    SHARE_COLUMNS,
    count_serps,
    count_shares,
    merge_shares,
    share_columns,
)
from rankhammer.click_models.evaluation import Criterion, ModelChoice, choose_model, evaluate_held_out, measure
from rankhammer.click_models.fitting import FittedClickModel, fit, fit_counted
from rankhammer.click_models.grading import check_cuts, cuts_by_corpus, judge
from rankhammer.click_models.predicting import (
    predict_clicks,
    predict_conditional_clicks,
    predict_relevance,
    sample,
)
from rankhammer.click_models.sampling import corpus_sizes

__all__ = [
    "SHARE_COLUMNS",
    "ClickModel",
    "ClusterFit",
    "CorpusFit",
    "CountedSerps",
    "Criterion",
    "FittedClickModel",
    "ModelChoice",
    "Relevance",
    "check_cuts",
    "choose_model",
    "corpus_sizes",
    "count_serps",
    "count_shares",
    "cuts_by_corpus",
    "evaluate_held_out",
    "fit",
    "fit_counted",
    "judge",
    "log_likelihood",
    "measure",
    "merge_shares",
    "predict_clicks",
    "predict_conditional_clicks",
    "predict_relevance",
    "sample",
    "share_columns",
]
