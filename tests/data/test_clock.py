"""Times back in the form that they came in."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from vrnn.data.clock import Clock
from vrnn.data.io.parse_times import to_times


def at(row):
    return f"a.csv, line {row + 2}"


TEXTS = [
    ["2024-05-01T12:00:00Z", "2024-05-02T00:00:00Z"],
    ["2024-05-01 12:00:00", "2024-05-02 00:00:00"],
    ["2024-05-01 12:00:00.040", "2024-05-02 00:00:00.080"],
    ["2024-05-01T12:00:00+02:00", "2024-05-02T00:00:00+02:00"],
    ["2024-05-01", "2024-05-02"],
    ["20/03/2021 00:22", "21/03/2021 01:25"],
    ["3/20/2021 1:22:03 PM", "3/20/2021 2:00:00 PM"],
    ["01.02.2024 10:00", "13.02.2024 10:00"],
    ["02-Jan-2024 10:00", "13-Jan-2024 10:00"],
    ["20240131", "20240201"],
    ["2000125", "2000366"],
]


@pytest.mark.parametrize("texts", TEXTS, ids=lambda texts: texts[0])
def test_dates_of_text_come_back_as_they_were(texts):
    times, clock = to_times(pa.array(texts), at, "date")
    expected = [int(t) for t in texts] if texts[0].isdecimal() else texts
    assert clock.to_arrow(times).to_pylist() == expected


@pytest.mark.parametrize(
    "text", [texts[0] for texts in TEXTS if "-" in texts[0] or "." in texts[0]]
)
def test_dates_are_those_of_pandas(text):
    (seconds,), _ = to_times(pa.array([text]), at, "date")
    moment = pd.to_datetime(text, dayfirst=text[2] == ".")
    moment = moment if moment.tzinfo else moment.tz_localize("UTC")
    assert seconds == pytest.approx(moment.timestamp(), abs=1e-6)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Oslo"])
def test_timestamps_keep_their_type(unit, zone):
    moments = pd.date_range("2024-03-30 22:00", periods=9, freq="1h", tz=zone).as_unit(unit)
    column = pa.array(moments)
    times, clock = to_times(column, at)
    assert clock.column.to_arrow(times).equals(column)


def test_a_zone_with_summer_time_writes_its_offsets():
    hours = [
        pd.Timestamp(t, tz=ZoneInfo("Europe/Oslo")).timestamp()
        for t in ("2024-01-01", "2024-07-01")
    ]
    texts = Clock("date", zone="Europe/Oslo").to_text(np.array(hours))
    assert texts == ["2024-01-01T00:00:00+01:00", "2024-07-01T00:00:00+02:00"]


def test_whole_numbers_stay_whole_unless_a_time_lies_between():
    _, clock = to_times(pa.array(["1", "2"]), at)
    assert clock.to_arrow(np.array([3.0])).to_pylist() == [3]
    assert clock.to_arrow(np.array([3.5])).to_pylist() == [3.5]


def test_more_of_a_date_is_written_where_the_form_has_no_place_for_it():
    days = Clock("date", text="%d/%m/%Y")
    assert days.to_text(np.array([0.0, 1.5 * 86400])) == [
        "01/01/1970T00:00:00",
        "02/01/1970T12:00:00",
    ]
