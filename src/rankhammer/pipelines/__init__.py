"""The stages as Kedro pipelines: glue only, one folder a stage."""
