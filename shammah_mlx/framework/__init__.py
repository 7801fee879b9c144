"""The specification: the loop, who answers, labels, schedules, metrics. No model, no disk."""
