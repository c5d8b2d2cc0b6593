"""The ingestion stage: Kedro glue around `rankhammer.click_logs` and `rankhammer.query_norm`."""
