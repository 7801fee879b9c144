"""`max_bad_rate`: how the bound is kept, and what audits show about it. Pure: no model, no disk."""
