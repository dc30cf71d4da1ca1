"""`vrnn doctor` on good data."""


def test_doctor(run, folder):
    text = run("doctor", folder / "walks.csv")
    assert "tracks        24" in text
    assert "--observe 8 --horizon 12 gives 24 windows" in text
    assert "tracks        24" in run(
        "doctor", folder / "ships.csv", "--id mmsi --t when --x lon lat"
    )
    assert "Columns" not in run("doctor", folder / "walks.csv", "--id", "None", "--t", "None")
