"""How the times of a source are written, so that results are written in the same form."""

import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Ticks of a second in each resolution."""
DAY = 86_400
ISO = "%Y-%m-%dT%H:%M:%S"


@dataclass(frozen=True)
class Clock:
    """The form of the times of a source.

    Inside the library a time is a float64. A number stays as it is. A date becomes seconds since
    1970-01-01 UTC, and one without a zone counts as UTC. A float64 holds such seconds to a
    microsecond. Durations and times of day are seconds too; a time of day begins anew at midnight.

    Args:
        kind: what a time is.
        whole: the numbers are integers.
        unit: the resolution of dates and durations: "s", "ms", "us" or "ns".
        zone: the time zone of dates, such as "Europe/Oslo" or "+02:00"; empty without one.
        text: how dates and durations are written in a file of text, as in `strftime`, where "%j"
            counts days. Empty where they are not text. Dates are numbers such as 20240131 where
            `whole` is true.
        digits: digits of the fraction of a second in that text.
        suffix: how the zone ends that text, such as "Z".
        padded: whether that text has 05 for 5.

    >>> Clock("date", unit="s", zone="UTC").to_arrow(np.array([3600.0]))[0].as_py().isoformat()
    '1970-01-01T01:00:00+00:00'
    >>> Clock("date", text="%d/%m/%Y %H:%M").to_text(np.array([60.0]))
    ['01/01/1970 00:01']
    >>> Clock("time of day", text="%H:%M:%S").to_text(np.array([86_405.0]))
    ['00:00:05']
    """

    kind: Literal["number", "date", "duration", "time of day"] = "number"
    whole: bool = False
    unit: Literal["s", "ms", "us", "ns"] = "us"
    zone: str = ""
    text: str = ""
    digits: int = 0
    suffix: str = ""
    padded: bool = True

    def to_arrow(self, times: Float[np.ndarray, " rows"]) -> pa.Array:
        """Return times in the type of the source: integers, float64, text, timestamps or durations.

        Numbers that are not all integers stay float64.
        """
        if self.kind == "number":
            rounded = np.rint(times)
            if self.whole and np.allclose(times, rounded, rtol=0, atol=1e-9):
                return pa.array(rounded.astype(np.int64))
            return pa.array(np.asarray(times, np.float64))
        if self.text:
            texts = self.to_text(times)
            plain = self.whole and all(text.isdecimal() for text in texts)
            return pa.array([int(text) for text in texts] if plain else texts)
        if self.kind == "time of day":
            times = np.asarray(times) % DAY
        exact = min(TICKS[self.unit], TICKS["us"])
        ticks = np.rint(np.asarray(times) * exact).astype(np.int64) * (TICKS[self.unit] // exact)
        if self.kind == "date":
            return pa.array(ticks).cast(pa.timestamp(self.unit, self.zone or None))
        if self.kind == "duration":
            return pa.array(ticks).cast(pa.duration(self.unit))
        short = self.unit in ("s", "ms")
        kind = pa.time32(self.unit) if short else pa.time64(self.unit)
        return pa.array(ticks.astype(np.int32 if short else np.int64)).cast(kind)

    def to_text(self, times: Float[np.ndarray, " rows"]) -> list[str]:
        """Return dates or durations as text in the form of the source, else in ISO 8601.

        More of a date is written where the form has no place for it.
        """
        times = np.asarray(times, np.float64)
        if self.kind != "date":
            return [self._duration(t) for t in times.tolist()]
        whole = bool(np.allclose(times, np.rint(times), rtol=0, atol=1e-7))
        digits = self.digits if whole or self.digits else 6
        ticks = np.rint(times * 10**digits).astype(np.int64)
        seconds, fraction = np.divmod(ticks, 10**digits)
        moments = pa.array(seconds).cast(pa.timestamp("s", self.zone or None))
        if self.zone:
            moments = pc.local_timestamp(moments)
        form, local = self.text or ISO, moments.cast(pa.int64()).to_numpy()
        if not re.search("%[HI]", form) and (local % DAY).any():
            form += "T%H:%M:%S"
        elif not re.search("%S", form) and (local % 60).any():
            form += ":%S"
        texts = pc.strftime(moments, format=form)
        if not self.padded:
            texts = pc.replace_substring_regex(texts, r"(^|[/.\- ])0(\d)", r"\1\2")
        parts = [f".{f:0{digits}d}" if digits else "" for f in fraction.tolist()]
        suffixes = [self.suffix] * len(parts)
        if self.zone and not self.text:
            suffixes = [_offset(s) for s in (local - seconds).tolist()]
        return [f"{t}{p}{s}" for t, p, s in zip(texts.to_pylist(), parts, suffixes, strict=True)]

    def _duration(self, seconds: float) -> str:
        """Return a duration or a time of day as text."""
        digits = self.digits or (0 if abs(seconds - round(seconds)) < 1e-7 else 6)
        ticks, day = round(seconds * 10**digits), DAY * 10**digits
        if self.kind == "time of day":
            ticks %= day
        before = "-" if ticks < 0 else ""
        if "%j" in self.text:  # of a negative duration the days alone have a sign
            days, ticks = divmod(ticks, day)
            word = "day" if days in (1, -1) and "days" not in self.text else "days"
            before = f"{days} {word} " + ("+" if days < 0 else "")
            if "," in self.text:  # as Python writes them
                before = f"{days} {word}, " if days else ""
        total, fraction = divmod(abs(ticks), 10**digits)
        hours = f"{total // 3600:02d}" if self.padded else f"{total // 3600}"
        after = f".{fraction:0{digits}d}" if digits else ""
        return f"{before}{hours}:{total // 60 % 60:02d}:{total % 60:02d}{after}"

    @property
    def column(self) -> "Clock":
        """The same clock for a table that has a type for dates, such as a DataFrame."""
        return self if self.kind == "number" else replace(self, text="", digits=0, suffix="")


def _offset(seconds: int) -> str:
    """Return an offset from UTC as in ISO 8601.

    >>> _offset(7200), _offset(-1800)
    ('+02:00', '-00:30')
    """
    sign, minutes = "-" if seconds < 0 else "+", abs(seconds) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"
