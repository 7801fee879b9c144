"""Rules over text alone: no model, no disk."""
