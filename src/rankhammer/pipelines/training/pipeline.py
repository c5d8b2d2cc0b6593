"""The training stage: training rows to a ranker a corpus, and how well it ranks."""

from __future__ import annotations

from kedro.pipeline import Pipeline, node, pipeline

from rankhammer.pipelines.training import comparing, nodes

PARAMS, FEATURES = "params:training", "params:feature_set"
SEED, LANGUAGE = "params:random_state", "params:language"


def create_pipeline() -> Pipeline:
    """Build the matrix, search parameters, train the rankers, measure and report them."""
    return pipeline(
        [
            node(
                nodes.build_training_matrix,
                inputs=["training_rows", "reference_judgments", PARAMS, FEATURES, LANGUAGE],
                outputs=["training_matrix", "reference_counts"],
                name="build_training_matrix",
            ),
            node(
                nodes.tune,
                inputs=["training_matrix", PARAMS, SEED, "tuning_checkpoints"],
                outputs=["tuning_trials", "tuning_failures"],
                name="tune",
            ),
            node(
                nodes.train_ranker,
                inputs=[
                    *("training_matrix", "tuning_trials", "tuning_failures", "reference_counts"),
                    *(PARAMS, FEATURES, SEED),
                ],
                outputs=["ranker", "oracle_ranker", "training_failures", "reference_found"],
                name="train_ranker",
            ),
            node(
                nodes.evaluate,
                inputs=["training_matrix", "ranker", "oracle_ranker", "reference_judgments", PARAMS, LANGUAGE],
                outputs="evaluation",
                name="evaluate",
            ),
            node(
                comparing.compare_with_current,
                inputs=[
                    *("training_matrix", "ranker", "reference_judgments", "current_rankers"),
                    *(PARAMS, LANGUAGE, SEED),
                ],
                outputs="current_comparison",
                name="compare_with_current",
            ),
            node(
                nodes.report_training,
                inputs=["evaluation", "tuning_trials", "ranker", "training_failures", "reference_found", PARAMS, SEED],
                outputs=[
                    *("training_report", "ndcg_comparison", "feature_importance", "ndcg_summary", "verdicts"),
                    *("tuning_history", "tuning_parallel", "tuning_rounds"),
                ],
                name="report_training",
            ),
            node(
                comparing.compare_runs,
                inputs=["training_report", "run_history"],
                outputs="ndcg_by_run",
                name="compare_runs",
            ),
        ]
    )
