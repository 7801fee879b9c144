"""The names by which this program recognises itself on the wire."""

OUR_VIA = "1.1 shammah"  # so that a service of ours knows that it would be asked for Claude's answer, and declines
SOURCE, ITSELF = "shammah-source", "itself"  # the header of the service that says who answered, and how it declines
OUR_MODELS = "shammah-"  # how the names begin under which this machine answers: never to be learnt from


def local_model(preset: str) -> str:
    """Return the name under which this machine answers."""
    return f"{OUR_MODELS}{preset}"
