"""The ingestion stage: Kedro glue around `rankhammer.click_logs` and `rankhammer.queries`."""
