"""Plain advice on a set of tracks, one function for each subject."""

from collections.abc import Iterator

from vrnn.data.describe.description import Description
from vrnn.data.tidy import IRREGULAR
from vrnn.data.wording import percent, plural
from vrnn.errors import Function, Setting, Text

FEW_TRACKS = 50
"""With fewer tracks a network overfits."""
WIDE_SCALES = 30.0
"""Standard deviations of two columns that differ by this factor deserve a warning."""


def advise(d: Description) -> list[Text]:
    """Return what hinders training, then a window for evaluation; one or two sentences each."""
    rules = (_size, _identity, _time, _missing, _binary, _scale, _outliers, _window)
    return [sentence for rule in rules for sentence in rule(d)]


def _named(ids: tuple[str, ...]) -> str:
    """Return the first ids in a list of any length."""
    return ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")


def _size(d: Description) -> Iterator[Text]:
    if d.tracks == 1 and d.rows >= 200:
        yield (
            "All rows are one track. If they are several, map the column that tells them apart: ",
            Setting("Columns.id", "COLUMN"),
            ".",
        )
    elif d.tracks < FEW_TRACKS:
        yield (
            f"Only {plural(d.tracks, 'track')} ({plural(d.rows, 'row')}): "
            "a network will learn them by heart. "
            "Hold some tracks out to see it, and keep the model small."
        )


def _identity(d: Description) -> Iterator[Text]:
    if d.repeated:
        yield (
            f"{plural(len(d.repeated), 'id')} ({_named(d.repeated)}) stand for several tracks: "
            "give each its own, or results cannot be told apart."
        )
    if d.single:
        yield (
            f"{plural(len(d.single), 'track')} of a single row ({_named(d.single)}): "
            "training leaves them out."
        )


def _time(d: Description) -> Iterator[Text]:
    if d.gaps:
        yield (
            f"{plural(d.gaps, 'gap')} in time, the longest {d.longest_gap} steps: gaps of up to 10 "
            "steps are filled with missing rows, and tracks are split at longer ones (",
            Function("tidy"),
            ").",
        )
    if d.irregular > IRREGULAR * d.steps:
        yield (
            f"{percent(d.irregular / d.steps)} of time steps are no multiple of {d.step:.6g}: "
            "positions are interpolated at that step (",
            Function("tidy"),
            "), or ",
            Setting("time_input", True),
            " makes the time between rows an input.",
        )
    elif d.irregular:
        yield (
            f"{plural(d.irregular, 'time step')} of {d.steps:,} no multiple of {d.step:.6g}: "
            "windows stop there; drop these rows if they are extra."
        )


def _missing(d: Description) -> Iterator[Text]:
    empty = [c.name for c in d.columns if c.missing == 1]
    if empty:
        yield f"No value at all in {', '.join(empty)}: is it the right column?"
    if d.incomplete and not any(c.role == "x" for c in d.columns if c.missing == 1):
        yield (
            f"{percent(d.incomplete)} of rows lack an observed value: "
            "training and forecasting accept that, "
            "windows for evaluation take complete rows alone."
        )


def _binary(d: Description) -> Iterator[Text]:
    if d.binary:
        yield (
            "All observed values are 0 or 1: train with ",
            Setting("emission", "bernoulli"),
            ". It scores every row and leaves the values as they are, without displacement or "
            "standardisation.",
        )


def _scale(d: Description) -> Iterator[Text]:
    # a key that no piece here plays may sound in the next
    constant = [c.name for c in d.columns if c.low == c.high and not (d.binary and c.role == "x")]
    if constant:
        yield f"Constant: {', '.join(constant)}. It tells a model nothing; leave it out."
    spreads = [c for c in d.columns if c.role == "x" and c.spread > 0 and not c.binary]
    if spreads:
        small, large = min(spreads, key=lambda c: c.spread), max(spreads, key=lambda c: c.spread)
        if large.spread > WIDE_SCALES * small.spread:
            yield (
                f"{large.name} varies {large.spread / small.spread:,.0f} times as much as "
                f"{small.name}: keep standardisation on, and read errors column by column."
            )


def _outliers(d: Description) -> Iterator[Text]:
    if d.worst:
        yield (
            f"{plural(d.outliers, 'step')} out of proportion, "
            f"the first to look at in track {d.worst.track} at time {d.worst.time:.10g}: "
            "a jump, a swapped id, or a wrong coordinate?"
        )


def _window(d: Description) -> Iterator[Text]:
    if not d.observe:
        yield (
            "Most tracks have no 4 consecutive complete rows "
            f"(the longest has {plural(d.longest, 'row')}): "
            "forecasts cannot be evaluated on windows. "
            "Fill or resample the tracks, or check the id and time columns."
        )
    else:
        yield (
            "Windows for evaluation: ",
            Setting("observe", d.observe),
            " ",
            Setting("horizon", d.horizon),
            f" gives {plural(d.windows, 'window')} from {plural(d.windowed, 'track')}.",
        )
