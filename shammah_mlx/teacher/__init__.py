"""Claude and its stand-ins, its replies, and its key."""
