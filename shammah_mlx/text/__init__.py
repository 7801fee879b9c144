"""What words alone tell: no model, no disk."""
