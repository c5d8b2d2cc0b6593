"""A log as counted click patterns: what every click model is fitted on."""
