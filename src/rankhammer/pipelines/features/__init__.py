"""The features stage: Kedro glue around `rankhammer.feature_sources` and `rankhammer.feature_sets`."""
