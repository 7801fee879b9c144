"""Write amounts of money, one way everywhere. What was spent never reads as nothing."""

LEAST_SHOWN = 0.0001  # US dollars: a check costs a fifth of that, and more digits would be hard to read


def in_dollars(usd: float | None) -> str:
    """Return an amount of US dollars for people: four decimals below a dollar, two from there on.

    None, a price that is not known, is "unpriced", never free.
    """
    if usd is None:
        return "unpriced"
    if 0.0 < usd < LEAST_SHOWN:
        return f"under ${LEAST_SHOWN}"
    if usd == 0.0:
        return "$0"
    return f"${usd:.4f}" if round(usd, 4) < 1.0 else f"${usd:,.2f}"


def cost_note(usd: float | None, *, is_estimated: bool = False) -> str:
    """Return what was paid, in brackets and with a space before them; nothing if nothing was paid."""
    if usd == 0.0:
        return ""
    return f" ({'about ' if is_estimated and usd is not None else ''}{in_dollars(usd)})"
