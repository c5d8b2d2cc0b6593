"""What a run is: its id, parameters, submissions, plan, execution and summary."""
