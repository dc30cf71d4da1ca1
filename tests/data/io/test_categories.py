"""Categories: an input for each, the same ones for later files, and what is refused."""

import numpy as np
import pytest

import vrnn
from vrnn.errors import DataError

COLUMNS = vrnn.Columns(u=("kind", "load"))
ROWS = "id,t,x,y,kind,load\n"


def written(path, *rows: str):
    path.write_text(ROWS + "\n".join(rows), encoding="utf-8")
    return path


def test_text_among_the_inputs_becomes_categories(tmp_path):
    path = written(
        tmp_path / "a.csv", "1,0,0,0,tug,1", "1,1,0,0,,2", "2,0,0,0, ferry ,3", "2,1,0,0,NA,4"
    )
    tracks = vrnn.read_tracks(path, COLUMNS)
    assert tracks.u_names == ("kind=ferry", "kind=tug", "load")
    np.testing.assert_array_equal(tracks.u[0], [[0, 1, 1], [np.nan, np.nan, 2]])
    np.testing.assert_array_equal(tracks.u[1], [[1, 0, 3], [np.nan, np.nan, 4]])


def test_later_files_get_the_inputs_of_the_training(tmp_path):
    path = written(tmp_path / "b.csv", "1,0,0,0,tug,1", "1,1,0,0,tug,2")
    trained = vrnn.Columns(u=("kind=ferry", "kind=tug", "load"))
    np.testing.assert_array_equal(vrnn.read_tracks(path, trained).u[0], [[0, 1, 1], [0, 1, 2]])
    strange = written(tmp_path / "c.csv", "1,0,0,0,tug,1", "1,1,0,0,sub,2")
    with pytest.raises(
        DataError,
        match=r"line 3, column 'kind': expected one of the categories ferry, tug, found 'sub'",
    ):
        vrnn.read_tracks(strange, trained)


def test_files_of_a_folder_share_their_categories(tmp_path):
    written(tmp_path / "a.csv", "1,0,0,0,tug,1", "1,1,0,0,tug,2")
    written(tmp_path / "b.csv", "1,0,0,0,ferry,1", "1,1,0,0,ferry,2")
    tracks = vrnn.read_tracks(tmp_path, COLUMNS)
    assert tracks.u_names == ("kind=ferry", "kind=tug", "load")
    assert [u[0].tolist() for u in tracks.u] == [[0, 1, 1], [1, 0, 1]]


def test_a_dataframe_with_categories():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"id": [1, 1], "t": [0, 1], "x": [0.0, 1], "y": [0.0, 1], "kind": ["tug", None]}
    )
    tracks = vrnn.read_tracks(frame, vrnn.Columns(u=("kind",)))
    assert tracks.u_names == ("kind=tug",)
    assert tracks.u[0][0, 0] == 1
    assert np.isnan(tracks.u[0][1, 0])


def test_what_is_refused(tmp_path):
    mixed = written(tmp_path / "mixed.csv", "1,0,0,0,3,1", "1,1,0,0,tug,2")
    with pytest.raises(DataError, match="line 3, column 'kind': expected a number, found 'tug'"):
        vrnn.read_tracks(mixed, COLUMNS)
    names = written(tmp_path / "names.csv", *(f"{i},0,0,0,name{i},1" for i in range(101)))
    with pytest.raises(
        DataError, match="101 different texts; expected numbers, or at most 100 categories"
    ):
        vrnn.read_tracks(names, COLUMNS)
    text = written(tmp_path / "text.csv", "1,0,left,0,tug,1")
    with pytest.raises(DataError, match="column 'x': expected a number, found 'left'"):
        vrnn.read_tracks(text, COLUMNS)


def test_other_categories_are_not_taken_for_those_of_the_training(tmp_path):
    one = vrnn.read_tracks(
        written(
            tmp_path / "a.csv",
            *(f"{i},{t},{t},0,{'ab'[i % 2]},1" for i in range(12) for t in range(5)),
        ),
        COLUMNS,
    )
    other = vrnn.read_tracks(
        written(
            tmp_path / "b.csv",
            *(f"{i},{t},{t},0,{'bc'[i % 2]},1" for i in range(12) for t in range(5)),
        ),
        COLUMNS,
    )
    settings = vrnn.TrainConfig(steps=1)
    model = vrnn.train(one, config=vrnn.RNNConfig(2, hidden=3), training=settings, quiet=True).model
    for use in (
        lambda: vrnn.score(other, model=model),
        lambda: vrnn.train(one, config=vrnn.RNNConfig(2), training=settings, val=other),
    ):
        with pytest.raises(
            DataError, match="the inputs kind=a, kind=b, load, the data has kind=b, kind=c, load"
        ):
            use()


def test_a_model_learns_what_a_category_does():
    """Two categories that move in opposite directions, told apart by nothing else."""
    random = np.random.default_rng(0)
    sign = np.where(np.arange(80) % 2, 1.0, -1.0)
    x = [np.cumsum(s + 0.3 * random.normal(size=(8, 2)), 0) for s in sign]
    u = [np.tile([[s < 0, s > 0]], (8, 1)).astype(float) for s in sign]
    tracks = vrnn.Tracks(x, u=u, u_names=("way=back", "way=on"))
    settings = vrnn.TrainConfig(steps=200, learning_rate=5e-3)
    model = vrnn.train(
        tracks, config=vrnn.VRNNConfig(2, hidden=16, latent_dim=2), training=settings, quiet=True
    ).model
    for way, mean in (("on", 1.0), ("back", -1.0)):
        drawn = vrnn.generate(model=model, count=200, steps=4, inputs={"way": way})
        steps = np.diff(np.stack(drawn.x), axis=1)
        np.testing.assert_allclose(steps.mean((0, 1)), [mean, mean], atol=0.2)
        assert drawn.u_names == ("way=back", "way=on")
