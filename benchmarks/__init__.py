"""Measurements, run from a checkout; results go to LOG.md."""
