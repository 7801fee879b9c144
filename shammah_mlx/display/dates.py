"""Show dates and durations as people read them: in the local time zone. Pure but for that zone."""

from datetime import datetime


def local_time(iso: str | None) -> str:
    """Return an ISO 8601 date as date and time in the local time zone, or a dash if there is none."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M") if iso else "-"


def local_date(at: float) -> str:
    """Return the day of a Unix time in the local time zone."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d")


def about(seconds: float) -> str:
    """Return a duration in words."""
    minutes = seconds / 60.0
    if minutes < 1.0:
        return "less than a minute"
    return f"about {minutes:.0f} min" if minutes < 90.0 else f"about {minutes / 60.0:.0f} hours"
