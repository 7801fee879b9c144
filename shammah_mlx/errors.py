"""The failures a user can act on: one sentence, one hint, one exit code each."""


class ShammahError(Exception):
    """Say what is wrong and what the user can do about it."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BadInputError(ShammahError):
    """A query, a setting or a stream file cannot be used as it is."""


class BadStateError(ShammahError):
    """Something under the home is damaged, foreign or in use."""


class WeightsError(ShammahError):
    """Pretrained weights are missing, could not be fetched, or are not what they should be."""


class TeacherError(ShammahError):
    """Claude could not answer, and nothing else did."""

    exit_code = 4
