"""What pictures show, and whether they are tidy."""

import itertools

import numpy as np

from vrnn.data.synthetic import Crossroads

PNG = b"\x89PNG"
WORLD = Crossroads()
WALKS = np.stack(WORLD.sample(6).x)
FUTURES = WORLD.future(WALKS[:, :8], 12, 20)


def assert_tidy(fig):
    """No title, panel with its labels, or legend lies over another or over the edge."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(fig).draw()
    parts = [axis.get_tightbbox() for axis in fig.axes if axis.axison]
    parts += [legend.get_window_extent() for legend in fig.legends]
    parts += [fig._suptitle.get_window_extent()] if fig._suptitle else []
    for part in parts:
        assert part.x0 >= -1 and part.y0 >= -1
        assert part.x1 <= fig.bbox.x1 + 1 and part.y1 <= fig.bbox.y1 + 1
    for one, two in itertools.combinations(parts, 2):
        width, height = (
            min(one.x1, two.x1) - max(one.x0, two.x0),
            min(one.y1, two.y1) - max(one.y0, two.y0),
        )
        assert min(width, height) <= 1


def texts(fig):
    return [t.get_text() for t in fig.legends[0].texts]
