"""Counts and fractions in words."""


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "track"), plural(1200, "row")
    ('1 track', '1,200 rows')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def percent(fraction: float) -> str:
    """Return a fraction in percent.

    >>> percent(0.5), percent(0.0123), percent(0.00001)
    ('50 %', '1.2 %', 'under 0.1 %')
    """
    return "under 0.1 %" if 0 < fraction < 0.001 else f"{100 * fraction:.2g} %"
