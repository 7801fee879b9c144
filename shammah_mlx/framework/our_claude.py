"""Make the Claude that this program asks by its settings: whole answers, verdicts, and secrets hidden."""

from shammah_mlx.config import Config
from shammah_mlx.framework.redaction import redaction_by
from shammah_mlx.teacher.claude import Claude
from shammah_mlx.teacher.keys import Credential


def our_claude(config: Config, credential: Credential | None) -> Claude:
    """Return Claude as the settings say; without a credential each call is an outage."""
    return Claude(config.teacher, credential, judge=config.judge, redaction=redaction_by(config.privacy))
