"""The features stage: Kedro glue around `rankhammer.engines` and `rankhammer.feature_sets`."""
