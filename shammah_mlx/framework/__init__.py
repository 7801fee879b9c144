"""The specification: training loop, policy, labels, schedules and metrics. Loads no model."""
