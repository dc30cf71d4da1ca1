"""What comes in goes out: results join with the input on id and time without conversion."""

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

import vrnn


def frame(ids, times):
    """Return two tracks of ten rows with a remark and a gap."""
    rows = [
        (name, t, 55 + 0.01 * k, 10 + 0.02 * k, f"remark {k}")
        for name in ids
        for k, t in enumerate(times)
    ]
    made = pd.DataFrame(rows, columns=["mmsi", "BaseDateTime", "LAT", "LON", "remark"])
    made.loc[5, ["LAT", "LON"]] = np.nan
    return made


HOURS = pd.date_range("2024-05-01", periods=10, freq="1h")
TIMES = {
    "whole numbers": np.arange(10),
    "numbers": np.arange(10) / 4,
    "ISO text": [t.isoformat() + "Z" for t in HOURS],
    "day first": HOURS.strftime("%d/%m/%Y %H:%M").tolist(),
    "days as a number": pd.date_range("2024-05-01", periods=10).strftime("%Y%m%d").astype(int),
}
IDS = {"numbers": [7, 12], "zeros in front": ["007", "012"], "text": ["a", "b"]}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("ids", IDS)
def test_csv(times, ids, tmp_path):
    given, path = frame(IDS[ids], TIMES[times]), tmp_path / "a.csv"
    given.to_csv(path, index=False)
    read = lambda p: pd.read_csv(p, dtype={"mmsi": str} if ids == "zeros in front" else None)  # noqa: E731
    given, tracks = read(path), vrnn.read_tracks(path)
    vrnn.impute(tracks, samples=5, particles=20).save(tmp_path / "filled.csv")
    vrnn.score(tracks, particles=5).save(tmp_path / "s.csv", rows=tmp_path / "rows.csv")
    for name in ("filled.csv", "rows.csv"):
        found = read(tmp_path / name)
        assert found["mmsi"].dtype == given["mmsi"].dtype
        assert found["BaseDateTime"].dtype == given["BaseDateTime"].dtype
        joined = given.merge(found, on=["mmsi", "BaseDateTime"], suffixes=("", "_2"))
        assert len(joined) == len(given) and (joined["remark"] == joined["remark_2"]).all()
    vrnn.forecast(tracks, horizon=2, samples=2).save(tmp_path / "f.csv")
    ahead = read(tmp_path / "f.csv")
    assert ahead["BaseDateTime"].dtype == given["BaseDateTime"].dtype
    assert set(ahead["mmsi"]) == set(given["mmsi"])
    assert len(ahead) == 2 * 2 * 2


@pytest.mark.parametrize("zone", [None, "Europe/Oslo"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_pandas_and_parquet(zone, unit, tmp_path):
    given = frame([7, 12], HOURS.tz_localize(zone).as_unit(unit))
    tracks = vrnn.read_tracks(given)
    filled = vrnn.impute(tracks, samples=5, particles=20)
    found = filled.to_frame()
    kind = given["BaseDateTime"].dtype
    assert isinstance(found, pd.DataFrame) and found["mmsi"].dtype == given["mmsi"].dtype
    assert found["BaseDateTime"].dtype == kind
    pd.testing.assert_series_equal(found["BaseDateTime"], given["BaseDateTime"])
    assert found["remark"].tolist() == given["remark"].tolist()
    filled.save(tmp_path / "f.parquet")
    stored = pyarrow.parquet.read_table(tmp_path / "f.parquet").to_pandas()
    if unit != "s":  # Parquet has no seconds
        assert stored["BaseDateTime"].dtype == kind
    ahead = vrnn.forecast(tracks, horizon=3, samples=2).to_frame()
    assert ahead["BaseDateTime"].dtype == kind
    assert ahead["BaseDateTime"].min() == given["BaseDateTime"].max() + pd.Timedelta("1h")


def test_longitudes_come_out_in_the_range_that_they_came_in(tmp_path):
    for shift in (0, 360):
        lon = np.array([178.0 + 0.3 * k for k in range(10)])
        lon = np.where(lon > 180, lon - 360, lon) if not shift else lon
        path = tmp_path / f"{shift}.csv"
        pd.DataFrame({"id": 1, "t": range(10), "lat": -70.0, "lon": lon}).to_csv(path, index=False)
        found = vrnn.forecast(vrnn.read_tracks(path), horizon=3, samples=4)
        assert np.abs(found.samples[..., 1] - found.history.x[0][-1, 1]).max() < 20
        written = found.to_frame()["lon"]
        assert written.between(*((-180, 180) if not shift else (0, 360))).all()


def test_futures_of_many_tracks_leave_out_the_short_ones(tmp_path):
    walks = [np.cumsum(np.ones((9, 2)), 0) + i for i in range(20)]
    tracks = vrnn.Tracks([*walks, np.zeros((1, 2))], ids=[*map(str, range(20)), "short"])
    with pytest.warns(vrnn.VrnnWarning, match=r"1 track with fewer than 2 rows .* left out: short"):
        found = vrnn.forecast(tracks, horizon=2, samples=2)
    assert found.history.ids == [str(i) for i in range(20)]
