"""Columns of times: what they are is decided by all of their cells."""

import numpy as np
import pyarrow as pa
import pytest

from vrnn.data.clock import Clock
from vrnn.data.io.parse_times import to_times
from vrnn.errors import DataError

DAY = 86400.0


def at(row):
    return f"a.csv, line {row + 2}"


def steps(cells, name="t"):
    return np.diff(to_times(pa.array(cells), at, name)[0]).tolist()


def test_day_first_or_month_first_is_decided_by_the_column():
    assert steps(["01/02/2024", "13/02/2024"]) == [12 * DAY]
    assert steps(["02/01/2024", "02/13/2024"]) == [12 * DAY]
    assert steps(["01/05/2024", "02/05/2024", "03/05/2024"]) == [DAY, DAY]  # the shorter way
    assert steps(["05/01/2024", "05/02/2024", "05/03/2024"]) == [DAY, DAY]


def test_offsets_and_separators_may_differ():
    assert steps(["1970-01-02T00:00:00Z", "1970-01-02 02:00:00+01:00"]) == [3600]


def test_numbers_that_are_dates_by_name_and_value():
    assert steps(["20240131", "20240201"]) == [DAY]
    assert steps(["20240131", "20240232"]) == [101]  # no date: numbers
    assert steps(["20240131", "20240201"], "frame") == [70]
    assert steps([2000366, 2001001], "date") == [DAY]


def test_durations():
    assert steps(["0 days 00:00:00.04", "1 days 00:00:01"]) == pytest.approx([DAY + 0.96])
    assert steps(["00:59:59", "01:00:00"]) == [1]


@pytest.mark.parametrize(
    "texts",
    [
        ["0 days 00:00:00.04", "1 days 00:00:01.50"],
        ["00:59:59", "101:00:00"],
        ["0:59:59", "-1:00:00"],
        ["0:00:05", "1 day, 0:00:05", "2 days, 0:00:05", "-1 day, 23:59:59"],
        ["-1 days +23:59:59", "0 days 00:00:01"],
        ["1 day 00:00:01", "2 days 00:00:01"],
    ],
    ids=lambda texts: texts[0],
)
def test_durations_come_back_as_they_were(texts):
    times, clock = to_times(pa.array(texts), at)
    assert clock.to_arrow(times).to_pylist() == texts


def test_negative_durations_are_those_of_python_and_pandas():
    for text in ("-1 day, 23:59:59", "-1 days +23:59:59", "-0:00:01"):
        assert to_times(pa.array([text]), at)[0].tolist() == [-1]


def test_a_time_of_day_is_rounded_before_midnight_begins_anew():
    clock = Clock("time of day", text="%H:%M:%S", digits=2)
    assert clock.to_text(np.array([86_399.996])) == ["00:00:00.00"]
    assert Clock("time of day", text="%H:%M:%S").to_text(np.array([86_399.99999999])) == [
        "00:00:00"
    ]


@pytest.mark.parametrize(
    "kind",
    [*map(pa.duration, ("s", "ms", "us", "ns")), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")],
    ids=str,
)  # fmt: skip
def test_durations_and_times_of_day_keep_their_type(kind):
    whole = pa.int32() if pa.types.is_time32(kind) else pa.int64()
    column = pa.array([0, 5000, 9000], whole).cast(kind)
    times, clock = to_times(column, at)
    ticks = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
    assert times == pytest.approx(np.array([0, 5000, 9000]) / ticks)
    assert clock.column.to_arrow(times).equals(column)
    if pa.types.is_time(kind):
        assert clock.to_arrow(times + 86_400).equals(column), (
            "a time of day begins anew at midnight"
        )


def test_missing_times_are_nan():
    assert np.isnan(to_times(pa.array(["1", None, "NA"]), at)[0]).tolist() == [False, True, True]


BAD = {
    "the odd cell": (
        ["2024-05-01T12:00:00", "2024-05-01T12:00:01", "2024-05-01T12:00:0x"],
        r"line 4: expected a date such as '2024-05-01T12:00:00', as in 2 of 3 rows, found .*0x'",
    ),
    "a day that no month has": (
        ["01/02/2024", "31/02/2024"],
        r"line 3: expected a date .*'31/02/2024'",
    ),
    "no time": (
        ["noon", "one"],
        "line 2: expected a time, which is a number or a date, found 'noon'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses(case):
    cells, message = BAD[case]
    with pytest.raises(DataError, match=message):
        to_times(pa.array(cells), at, "t")
