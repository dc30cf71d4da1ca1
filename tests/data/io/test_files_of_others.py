"""Files as common tools write them: read without a setting, or refused with the way out."""

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import vrnn
from vrnn.errors import DataError

A, B = [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]
HOUR = 3600.0


def first_four(path: Path) -> tuple:
    """Return ids, rows of each, times from the first one on, and the names of the positions."""
    tracks = vrnn.read_tracks(path)
    times = [(t - tracks.times[0][0]).tolist() for t in tracks.times]
    return tracks.ids, [x.tolist() for x in tracks.x], times, tracks.x_names


TEXT_FILES = {
    "semicolons and decimal commas": (
        "a.csv",
        "id;t;x;y\na;0;1,0;2,0\na;1;3,0;4,0\nb;0;5,0;6,0\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "tabs": (
        "a.tsv",
        "id\tt\tx\ty\na\t0\t1\t2\na\t1\t3\t4\nb\t0\t5\t6\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "bars": (
        "a.txt",
        "id|t|x|y\na|0|1|2\na|1|3|4\nb|0|5|6\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "blanks": (
        "a.dat",
        "id   t  x  y\na 0 1  2\na 1 3  4\nb 0 5  6\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "comments": (
        "a.csv",
        "# by a device\n# 2024\nid,t,x,y\na,0,1,2\n# lost\na,1,3,4\nb,0,5,6\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "day first": (
        "a.csv",
        "ID,pos_timestamp,longitude,latitude\n1,20/03/2021 00:00,1,2\n1,20/03/2021 01:00,3,4\n"
        "2,20/03/2021 00:00,5,6\n",
        (["1", "2"], [A, B], [[0, HOUR], [0]], ("longitude", "latitude")),
    ),
    "month first": (
        "a.csv",
        "Device Id,Date,x,y\n1,3/20/2021 1:00:00 PM,1,2\n1,3/20/2021 2:00:00 PM,3,4\n"
        "2,3/20/2021 1:00:00 PM,5,6\n",
        (["1", "2"], [A, B], [[0, HOUR], [0]], ("x", "y")),
    ),
    "date and time of day in two columns": (
        "a.csv",
        "id,date,time,x,y\na,2024-01-01,23:30:00,1,2\na,2024-01-02,00:30:00,3,4\n"
        "b,2024-01-01,23:30:00,5,6\n",
        (["a", "b"], [A, B], [[0, HOUR], [0]], ("x", "y")),
    ),
    "year and day of the year": (
        "a.csv",
        "id,date,lat,lon\n1,2000365,1,2\n1,2001001,3,4\n2,2000365,5,6\n",
        (["1", "2"], [A, B], [[0, 48 * HOUR], [0]], ("lat", "lon")),
    ),
    "Movebank": (
        "a.csv",
        "event-id,visible,timestamp,location-long,location-lat,individual-local-identifier\n"
        "9,true,2009-02-11 12:00:00.000,1,2,Anna\n8,false,2009-02-11 12:30:00.000,99,9,Anna\n"
        "7,true,2009-02-11 13:00:00.000,3,4,Anna\n6,true,2009-02-11 12:00:00.000,5,6,Bo\n",
        (["Anna", "Bo"], [A, B], [[0, HOUR], [0]], ("location-long", "location-lat")),
    ),
    "MarineCadastre": (
        "a.csv",
        "MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading,VesselName\n"
        "367,2020-01-01T00:00:00,1,2,5.1,90,511,ANE\n367,2020-01-01T01:00:00,3,4,102.3,90,88,ANE\n"
        "368,2020-01-01T00:00:00,5,6,0,360,511,BO\n",
        (["367", "368"], [A, B], [[0, HOUR], [0]], ("LAT", "LON")),
    ),
    "Danish AIS": (
        "a.csv",
        "# Timestamp,Type of mobile,MMSI,Latitude,Longitude,SOG\n"
        "01/02/2024 00:00:00,Class A,219,1,2,3\n01/02/2024 01:00:00,Class A,219,3,4,3\n"
        "01/02/2024 00:00:00,Class B,220,5,6,3\n",
        (["219", "220"], [A, B], [[0, HOUR], [0]], ("Latitude", "Longitude")),
    ),
    "Multiple Object Tracking": (
        "gt.txt",
        "1,1,1,2,10,20,1,-1,-1,-1\n2,1,3,4,10,20,1,-1,-1,-1\n1,2,5,6,10,20,1,-1,-1,-1\n",
        (["1", "2"], [A, B], [[0, 1], [0]], ("bb_left", "bb_top")),
    ),
    "TrackMate": (
        "spots.csv",
        "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_T,FRAME\n"
        "Label,Spot ID,Track ID,Quality,X,Y,T,Frame\nLabel,ID,Track,Q,X,Y,T,F\n,,,,(um),(um),(s),\n"
        "ID1,1,0,9,1,2,0,0\nID2,2,0,9,3,4,1,1\nID3,3,1,9,5,6,0,0\n",
        (["0", "1"], [A, B], [[0, 1], [0]], ("POSITION_X", "POSITION_Y")),
    ),
    "OpenSky": (
        "a.csv",
        "time,icao24,lat,lon,velocity,heading,callsign\n1500000000,4b1,1,2,9,9,AB1\n"
        "1500003600,4b1,3,4,9,9,AB1\n1500000000,4b2,5,6,9,9,CD2\n",
        (["4b1", "4b2"], [A, B], [[0, HOUR], [0]], ("lat", "lon")),
    ),
    "SUMO": (
        "fcd.csv",
        "timestep_time;vehicle_angle;vehicle_id;vehicle_lane;vehicle_x;vehicle_y\n"
        "0.00;;;;;\n1.00;90;a;e_0;1.00;2.00\n1.00;90;b;e_0;5.00;6.00\n2.00;90;a;e_0;3.00;4.00\n",
        (["a", "b"], [A, B], [[0, 1], [0]], ("vehicle_x", "vehicle_y")),
    ),
    "players side by side": (
        "frames.csv",
        "period_id,timestamp,frame_id,ball_x,ball_y,home_1_x,home_1_y,away_1_x,away_1_y\n"
        "1,0 days 00:00:00,0,1,2,5,6,,\n1,0 days 00:00:01,1,3,4,,,,\n",
        (["ball", "home_1"], [A, B], [[0, 1], [0]], ("x", "y")),
    ),
    "vehicles in transit": (
        "a.csv",
        "id,trip_id,vehicle_id,timestamp,latitude,longitude\n1,7,1,1700000000,1,2\n"
        "2,8,1,1700000000,5,6\n3,7,1,1700003600,3,4\n",
        (["7", "8"], [A, B], [[0, HOUR], [0]], ("latitude", "longitude")),
    ),
    "names of forecasting libraries": (
        "a.csv",
        "unique_id,ds,x,y\nA,2024-01-01,1,2\nA,2024-01-02,3,4\nB,2024-01-01,5,6\n",
        (["A", "B"], [A, B], [[0, 24 * HOUR], [0]], ("x", "y")),
    ),
    "both coordinates in one column": (
        "a.csv",
        'Timestamp,UTC,Callsign,Position,Altitude\n1,2024-01-01T00:00:01Z,F1,"1.0,2.0",0\n'
        '2,2024-01-01T00:00:02Z,F1,"3.0,4.0",0\n1,2024-01-01T00:00:01Z,F2,"5.0,6.0",0\n',
        (["F1", "F2"], [A, B], [[0, 1], [0]], ("lat", "lon")),
    ),
    "GPX": (
        "a.gpx",
        '<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><name>a</name>'
        '<trkseg><trkpt lat="1" lon="2"><time>2024-01-01T00:00:00Z</time></trkpt>'
        '<trkpt lat="3" lon="4"><time>2024-01-01T01:00:00Z</time></trkpt></trkseg></trk>'
        '<trk><name>b</name><trkseg><trkpt lat="5" lon="6"><time>2024-01-01T00:00:00Z</time>'
        "</trkpt></trkseg></trk></gpx>",
        (["a", "b"], [A, B], [[0, HOUR], [0]], ("lat", "lon")),
    ),
    "KML": (
        "a.kml",
        '<kml xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>'
        "<gx:Track><when>2024-01-01T00:00:00Z</when><when>2024-01-01T01:00:00Z</when>"
        "<gx:coord>2 1 0</gx:coord><gx:coord>4 3 0</gx:coord></gx:Track>"
        "<gx:Track><when>2024-01-01T00:00:00Z</when><gx:coord>6 5 0</gx:coord></gx:Track>"
        "</Document></kml>",
        (["0", "1"], [A, B], [[0, HOUR], [0]], ("lat", "lon")),
    ),
    "GeoJSON points": (
        "a.geojson",
        '{"type": "FeatureCollection", "features": ['
        + ", ".join(
            f'{{"type": "Feature", "properties": {{"id": "{i}", "time": {t}}}, '
            f'"geometry": {{"type": "Point", "coordinates": [{x}, {y}]}}}}'
            for i, t, x, y in (("a", 0, 1, 2), ("a", 1, 3, 4), ("b", 0, 5, 6))
        )
        + "]}",
        (["a", "b"], [A, B], [[0, 1], [0]], ("lon", "lat")),
    ),
    "GeoLife": (
        "a.plt",
        "Geolife\nWGS 84\nAltitude\nReserved\n0,2,255\n0\n"
        + "1,2,0,492,39744.1,2008-10-23,02:00:00\n3,4,0,492,39744.1,2008-10-23,03:00:00\n",
        (["0"], [A], [[0, HOUR]], ("lat", "lon")),
    ),
}


@pytest.mark.parametrize("kind", TEXT_FILES)
def test_read_without_a_setting(kind, write):
    name, text, expected = TEXT_FILES[kind]
    assert first_four(write(text, name)) == expected


FRAME = pd.DataFrame({"id": ["a", "a", "b"], "t": [0, 1, 0], "x": [1.0, 3, 5], "y": [2.0, 4, 6]})
TABLE = (["a", "b"], [A, B], [[0, 1], [0]], ("x", "y"))


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst", "zip"])
def test_compressed(ending, tmp_path):
    raw, path = FRAME.to_csv(index=False).encode(), tmp_path / f"a.csv.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", raw)
    elif ending == "zst":
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(raw)
    else:
        pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending]
        path.write_bytes(pack(raw))
    assert first_four(path) == TABLE
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(DataError, match=r"a\.csv\.\w+: expected a file compressed as"):
        vrnn.read_tracks(path)


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_columnar(ending, tmp_path):
    path, table = tmp_path / f"a.{ending}", pa.Table.from_pandas(FRAME)
    write = {"parquet": pyarrow.parquet.write_table, "feather": pyarrow.feather.write_feather}
    write[ending](table, path)
    assert first_four(path) == TABLE
    packed = tmp_path / f"b.{ending}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert first_four(packed) == TABLE
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.write(path)
    assert first_four(tmp_path / "c.zip") == TABLE
    packed.write_bytes(packed.read_bytes()[:30])
    with pytest.raises(DataError, match=rf"b\.{ending}\.gz: expected a file compressed as gz"):
        vrnn.read_tracks(packed)


def test_points_of_geoparquet(tmp_path):
    def point(lon, lat):
        return b"\x01\x01\0\0\0" + np.array([lon, lat], float).tobytes()

    table = pa.table({"id": ["a", "a"], "t": [0, 1], "geometry": [point(1, 2), point(3, 4)]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert first_four(tmp_path / "a.parquet") == (["a"], [A], [[0, 1]], ("lon", "lat"))


def test_a_folder_a_pattern_and_files_without_ids(tmp_path):
    for name in ("mon", "tue"):
        (tmp_path / f"{name}.csv").write_text("t,x,y\n0,1,2\n1,3,4\n")
    assert vrnn.read_tracks(tmp_path).ids == ["mon", "tue"]
    assert vrnn.read_tracks(tmp_path / "m*.csv").ids == ["mon"]


def test_what_is_left_out_is_counted(write):
    path = write(TEXT_FILES["Movebank"][1])
    assert "1 row marked as outliers left out" in vrnn.read_tracks(path).origin.notes[0]
    path = write("id,t,x,y\na,1,3,4\na,0,1,2\nb,0,5,6\n,0,5,6\nb,,7,8\n")
    notes = vrnn.read_tracks(path).origin.notes
    assert notes == (
        "1 row without a time left out, the first in line 6",
        "1 row without an id left out, the first in line 5",
        "the rows of 1 track are sorted by time",
    )


def test_values_that_ships_send_for_unknown(write):
    text = TEXT_FILES["MarineCadastre"][1]
    tracks = vrnn.read_tracks(write(text), vrnn.Columns(u=("SOG", "Heading")))
    np.testing.assert_array_equal(tracks.u[0], [[5.1, np.nan], [np.nan, 88]])


def test_one_bad_track_among_many_is_named_and_left_out(write):
    rows = "".join(f"w{i},{t},{t},{i}\n" for i in range(200) for t in range(2))
    tracks = vrnn.read_tracks(write(f"id,t,x,y\n{rows}bad,0,oops,1\nbad,1,2,1\n"))
    assert len(tracks) == 200
    assert tracks.origin.notes[0].startswith("1 track with a bad cell left out (bad): ")
    assert "line 402, column 'x': expected a number, found 'oops'" in tracks.origin.notes[0]


UNCLEAR = {
    "two texts": (
        "who,kind,t,x,y\nA,tug,0,1,2\nA,tug,1,2,3\nB,tug,0,50,60\nC,sub,0,1,1\n",
        r"name it: Columns\(id='who'\)$",
    ),
    "no positions": ("id,t,depth,heat,salt\na,0,1,2,3\n", "expected columns of positions"),
    "no header": ("2 1 48 9.5 6.4 -6.8\n3 1 72 8.5 4.9 -6.9\n", "name the columns in order: "),
    "a spreadsheet": (b"PK\x03\x04\0\0", "binary content"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_unclear_files_are_refused_once(kind, write):
    text, message = UNCLEAR[kind]
    with pytest.raises(DataError, match=message):
        vrnn.read_tracks(write(text))


def test_columns_by_number(write):
    path = write("2 1 48 1 2 -6\n3 1 72 3 4 -6\n2 2 48 5 6 -6\n", "cells.txt")
    names = ("frame", "track", "seconds", "x", "y", "z")
    tracks = vrnn.read_tracks(path, vrnn.Columns(names=names))
    assert (tracks.ids, [x.tolist() for x in tracks.x]) == (["1", "2"], [A, B])


def test_an_index_of_pandas(tmp_path):
    for index in (["id"], ["t"], ["id", "t"]):
        tracks = vrnn.read_tracks(FRAME.set_index(index))
        assert (tracks.ids, [x.tolist() for x in tracks.x]) == (["a", "b"], [A, B])


def test_ids_with_zeros_in_front_stay_apart(write):
    rows = "".join(f"{i},{t},{i},{t}\n" for i in range(7, 90) for t in range(2))
    tracks = vrnn.read_tracks(write(f"id,t,x,y\n{rows}007,0,1,1\n007,1,2,2\n"))
    assert {"7", "007"} <= set(tracks.ids)


def test_longitudes_do_not_jump(write):
    text = "id,t,lat,lon\n1,0,-78,179.5\n1,1,-78,-179.5\n1,2,-78,-178.5\n2,0,-78,-179.9\n"
    tracks = vrnn.read_tracks(write(text))
    assert tracks.x[0][:, 1].tolist() == [179.5, 180.5, 181.5]
    assert tracks.x[1][:, 1].tolist() == [-179.9]
    assert tracks.origin.wrap("lon", tracks.x[0][:, 1]).tolist() == [179.5, -179.5, -178.5]


def track(name, *points):
    """Return a track of GPX."""
    inside = "".join(
        f'<trkpt lat="{lat}" lon="{lon}"><time>2024-01-0{day}T00:00:00Z</time></trkpt>'
        for day, lat, lon in points
    )
    return f"<trk><name>{name}</name><trkseg>{inside}</trkseg></trk>"


def test_tracks_of_one_name_stay_apart(write):
    text = f"<gpx>{track('Run', (1, 1, 2), (2, 3, 4))}{track('Run', (3, 5, 6))}</gpx>"
    assert first_four(write(text, "a.gpx"))[:2] == (["Run", "Run/1"], [A, B])


def test_ids_that_look_like_decimals_stay_apart(write):
    rows = "".join(f"{name},{t},1,{t}\n" for name in ("1.1", "1.10") for t in range(3))
    assert vrnn.read_tracks(write(f"id,t,x,y\n{rows}")).ids == ["1.1", "1.10"]
    rows = "".join(f"{name}.0,{t},1,{t}\n" for name in (7, 8) for t in range(3))
    assert vrnn.read_tracks(write(f"id,t,x,y\n{rows}")).ids == ["7", "8"]


@pytest.mark.parametrize("date", ["20240131", "2024-01-31"])
def test_dates_of_digits_join_their_time_of_day(write, date):
    rows = f"a,{date},23:00:00,1,2\na,{date[:-2]}30,22:00:00,3,4\n"
    tracks = vrnn.read_tracks(write(f"id,date,time,x,y\n{rows}"))
    assert np.diff(tracks.times[0]).tolist() == [25 * HOUR]


def test_parts_of_a_body_are_not_tracks_of_their_own(write):
    names = "individual,t,nose_x,nose_y,tail_x,tail_y,mid_x,mid_y\n"
    rows = "".join(f"{who},{t},1,2,3,4,5,6\n" for who in "ab" for t in range(3))
    with pytest.raises(DataError, match="expected columns of positions"):
        vrnn.read_tracks(write(names + rows))


def test_ids_that_only_count_rows_with_a_hole_are_no_ids(write):
    rows = "".join(f"{i},{i},{i}\n" for i in (0, 1, 2, 4, 5))
    assert vrnn.read_tracks(write(f"id,x,y\n{rows}")).lengths.tolist() == [5]


def test_the_mean_of_longitudes_is_taken_across_the_antimeridian(write):
    rows = "1,0,0,179.9\n1,1,0,179.95\n1,1,0,-179.95\n1,2,0,-179.9\n"
    tracks = vrnn.read_tracks(write(f"id,t,lat,lon\n{rows}"), duplicates="mean")
    np.testing.assert_allclose(tracks.x[0][:, 1], [179.9, 180.0, 180.1])


def test_times_of_lines_of_geojson(write):
    line = {
        "type": "Feature",
        "properties": {"coordinateProperties": {"times": [5, 7]}},
        "geometry": {"type": "LineString", "coordinates": [[1, 2], [3, 4]]},
    }
    several = {
        "type": "Feature",
        "properties": {"coordTimes": [[1, 2], [4]]},
        "geometry": {"type": "MultiLineString", "coordinates": [A, B]},
    }
    for feature, times in ((line, [[5, 7]]), (several, [[1, 2], [4]])):
        tracks = vrnn.read_tracks(write(json.dumps(feature), "a.geojson"))
        assert [t.tolist() for t in tracks.times] == times


def test_names_for_text_whose_first_cell_is_a_word(write):
    path = write("anna,0,1,2\nanna,1,3,4\n")
    assert vrnn.read_tracks(path, vrnn.Columns(names=("id", "t", "x", "y"))).ids == ["anna"]


def test_a_folder_with_dates_and_times_of_day(tmp_path):
    for day in (1, 2):
        rows = f"a,2024-01-0{day},10:00:00,1,2\na,2024-01-0{day},11:00:00,3,4\n"
        (tmp_path / f"{day}.csv").write_text(f"id,date,time,x,y\n{rows}")
    assert vrnn.read_tracks(tmp_path).ids == ["1/a", "2/a"]


def test_an_index_without_a_name_is_no_time(write):
    frame = FRAME.rename(columns={"t": "time"}).iloc[[2, 0, 1]]
    tracks = vrnn.read_tracks(write(frame.to_csv()))
    assert (tracks.ids, tracks.origin.t) == (["b", "a"], "time")
    assert tracks.times[1].tolist() == [0, 1]


def test_names_with_units_and_signs(write):
    text = "Nr,TID,PID,x [micron],y [micron],t [sec]\n1,1,1,1,2,0\n2,1,2,3,4,1\n3,2,1,5,6,0\n"
    assert first_four(write(text))[:3] == (["1", "2"], [A, B], [[0, 1], [0]])
    text = " \tTrack n°\tSlice n°\tX\tY\n1\t1\t1\t1\t2\n2\t1\t2\t3\t4\n3\t2\t1\t5\t6\n"
    assert first_four(write(text, "a.tsv"))[:3] == (["1", "2"], [A, B], [[0, 1], [0]])


def test_an_id_with_holes_comes_after_one_without(write):
    rows = "".join(f"{'' if t < 2 else 7},9,{t},{t},1\n" for t in range(6))
    assert vrnn.read_tracks(write(f"trip_id,vehicle_id,t,x,y\n{rows}")).lengths.tolist() == [6]


def test_day_and_time_of_day_in_german(write):
    text = "Tier;Datum;Uhrzeit;x;y\nReh;03.05.2021;06:00;1,5;2\nReh;13.05.2021;07:00;3;4\n"
    tracks = vrnn.read_tracks(write(text), vrnn.Columns(id="Tier"))
    assert np.diff(tracks.times[0]).tolist() == [10 * 24 * HOUR + HOUR]


def test_wrong_endings_are_named(tmp_path):
    pyarrow.parquet.write_table(pa.Table.from_pandas(FRAME), tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"rename it to a\.parquet"):
        vrnn.read_tracks(tmp_path / "a.csv")
    (tmp_path / "b.parquet").write_text(FRAME.to_csv())
    with pytest.raises(DataError, match=r"expected a Parquet file.* rename it to b\.csv"):
        vrnn.read_tracks(tmp_path / "b.parquet")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "c.plt").write_text(TEXT_FILES["GeoLife"][1])
    (tmp_path / "top").mkdir()
    (tmp_path / "inner").rename(tmp_path / "top" / "inner")
    with pytest.raises(DataError, match=r"top/\*\*/\*\.plt'"):
        vrnn.read_tracks(tmp_path / "top")
    assert vrnn.read_tracks(f"{tmp_path}/top/**/*.plt").lengths.tolist() == [2]
    with pytest.raises(DataError, match="no file matches"):
        vrnn.read_tracks(tmp_path / "top" / "*.gpx")


def test_ids_that_begin_anew_in_each_recording_are_told_apart(write):
    rows = [(r, i, f, f + r, i) for r in (1, 2) for i in (0, 1) for f in range(3)]
    text = pd.DataFrame(rows, columns=["recordingId", "trackId", "frame", "xCenter", "yCenter"])
    tracks = vrnn.read_tracks(write(text.to_csv(index=False)))
    assert tracks.ids == ["1/0", "1/1", "2/0", "2/1"] and tracks.origin.id == "recordingId/trackId"
    assert tracks.x[2].tolist() == [[2, 0], [3, 0], [4, 0]]
    assert {"recordingId", "trackId"} <= tracks.origin.extra.keys()
    # if the recording does not tell tracks apart, the error about repeated rows remains
    text["recordingId"] = 1
    with pytest.raises(DataError, match="repeat an id and a time"):
        vrnn.read_tracks(write(text.to_csv(index=False)))


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_ids_that_begin_anew_in_one_file_of_a_folder_are_told_apart_there(names, write, tmp_path):
    """The other file has a single recording, or ids that are used once."""
    rows = [(r, i, f, f + r, i) for r in (1, 2) for i in (0, 1) for f in range(3)]
    text = pd.DataFrame(rows, columns=["recordingId", "trackId", "frame", "xCenter", "yCenter"])
    write(text.to_csv(index=False), names[0])
    text["trackId"] += 10 * text["recordingId"]
    write(text.to_csv(index=False), names[1])
    tracks = vrnn.read_tracks(tmp_path)
    assert tracks.lengths.tolist() == [3] * 8 and len(set(tracks.ids)) == 8


def test_a_position_of_a_ship_is_missing_where_one_of_its_columns_is(write):
    """Some write latitude 91 with longitude 0 for unknown; a real longitude of 0 is kept."""
    text = "MMSI,BaseDateTime,LAT,LON\n1,2020-01-01T00:00:00,51,0\n1,2020-01-01T01:00:00,91,0\n"
    (x,) = vrnn.read_tracks(write(text)).x
    assert np.array_equal(x, [[51, 0], [np.nan, np.nan]], equal_nan=True)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("month_first", [True, False])
def test_files_of_one_day_each_share_the_order_of_day_and_month(tmp_path, month_first, apart):
    form = "%m/%d/%Y" if month_first else "%d/%m/%Y"
    for day in range(1, 15):
        times = pd.date_range(f"2024-03-{day:02d}", periods=3, freq="8h")
        date, clock = times.strftime(form), times.strftime("%H:%M:%S")
        cells = {"date": date, "time": clock} if apart else {"t": date + " " + clock}
        table = pd.DataFrame({"id": "a", **cells, "x": range(3), "y": 0})
        table.to_csv(tmp_path / f"day{day:02d}.csv", index=False)
    tracks = vrnn.read_tracks(tmp_path)
    starts = np.array([t[0] for t in tracks.times])
    assert np.diff(starts).tolist() == [24 * HOUR] * 13


def test_names_of_months_do_not_decide_the_order_of_numbers(tmp_path):
    rows = lambda days: "".join(f"a,{day},{i},0\n" for i, day in enumerate(days))  # noqa: E731
    named = [f"{day:02d} Mar 2024" for day in range(1, 9)]
    (tmp_path / "a.csv").write_text("id,t,x,y\n" + rows(named))
    numbers = [f"03/{day}/2024" for day in range(11, 16)]
    (tmp_path / "b.csv").write_text("id,t,x,y\n" + rows(numbers))
    tracks = vrnn.read_tracks(tmp_path)
    assert [np.diff(t).tolist() for t in tracks.times] == [[24 * HOUR] * 7, [24 * HOUR] * 4]


def test_times_of_day_go_on_after_midnight(write):
    clock = ["23:59:58", "23:59:59", "00:00:00", "00:00:01"]
    rows = "".join(f"{i},{t},{k},0\n" for i in "ab" for k, t in enumerate(clock))
    tracks = vrnn.read_tracks(write(f"id,time,x,y\n{rows}"))
    assert [np.diff(t).tolist() for t in tracks.times] == [[1, 1, 1]] * 2
    assert [x[:, 0].tolist() for x in tracks.x] == [[0, 1, 2, 3]] * 2
    assert tracks.origin.notes[-1] == "times of day pass midnight in 2 tracks: days are counted on"
    assert tracks.origin.clock.to_arrow(tracks.times[0]).to_pylist() == clock
    # numbers of seconds are no times of day, nor are durations of another type
    seconds = pd.DataFrame(
        {"id": "a", "t": pd.to_timedelta([0, 50000, 80000, 100], "s"), "x": range(4), "y": 0}
    )
    assert vrnn.read_tracks(seconds).times[0].tolist() == [0, 100, 50000, 80000]
    # rows out of order are sorted instead
    mixed = "a,23:00:00,2,0\na,01:00:00,0,0\na,22:30:00,1,0\na,20:00:00,1,0\n"
    tracks = vrnn.read_tracks(write(f"id,time,x,y\n{mixed}"))
    assert np.diff(tracks.times[0]).tolist() == [19 * HOUR, 2.5 * HOUR, HOUR / 2]


def test_times_of_day_go_on_after_midnight_where_the_newest_row_comes_first(write):
    """In one track of two, and in one that passes midnight twice."""
    forward = ["23:59:58", "23:59:59", "00:00:00", "00:00:01"]
    twice = ["14:00:00", "22:00:00", "06:00:00", "14:00:00", "22:00:00", "06:00:00"][::-1]
    rows = [
        f"{i},{t}"
        for i, clock in zip("abc", (forward, forward[::-1], twice), strict=True)
        for t in clock
    ]
    text = "".join(f"{row},{k},0\n" for k, row in enumerate(rows))
    tracks = vrnn.read_tracks(write(f"id,time,x,y\n{text}"))
    steps = [np.diff(t).tolist() for t in tracks.times]
    assert steps == [[1] * 3, [1] * 3, [8 * HOUR] * 5]
    assert [x[:, 0].tolist() for x in tracks.x] == [[0, 1, 2, 3], [7, 6, 5, 4], [*range(13, 7, -1)]]


@pytest.mark.parametrize("number", ["1,234.5", "1,234,567", "1 234.5"])
def test_marks_between_thousands_are_named(write, number):
    rows = "".join(f'{i},{t},"{number}",0\n' for i in range(2) for t in range(3))
    with pytest.raises(DataError, match=r"expected a number.*without thousands separators"):
        vrnn.read_tracks(write(f"id,t,x,y\n{rows}"), vrnn.Columns(x=("x", "y")))


def test_times_of_day_are_times_under_any_name(write):
    rows = "".join(
        f"{rec},{i},23:59:{58 + t},{t},{rec}\n" for rec in (1, 2) for i in "ab" for t in range(2)
    )
    tracks = vrnn.read_tracks(write(f"recording,ship,clock,x,y\n{rows}"))
    assert (tracks.origin.t, tracks.ids) == ("clock", ["1/a", "1/b", "2/a", "2/b"])
    assert [np.diff(t).tolist() for t in tracks.times] == [[1]] * 4
