"""The command line: one file a command. Nothing here decides; slow packages are imported inside the commands."""
