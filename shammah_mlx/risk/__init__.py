"""`max_bad_rate`: how it is kept, and what audits say about it. Pure: no model, no disk."""
