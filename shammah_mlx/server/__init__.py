"""A home kept open behind Claude's Messages API."""
