"""The names by which this program recognises itself on the wire."""

OUR_VIA = "1.1 shammah"  # by this our own service knows that we want Claude's answer, and declines
SOURCE, ITSELF = "shammah-source", "itself"  # the service's header for who answered; its value when it declines
OUR_MODELS = "shammah-"  # prefix of this machine's model names: their answers are never learnt from


def local_model(preset: str) -> str:
    """Return the name under which this machine answers."""
    return f"{OUR_MODELS}{preset}"
