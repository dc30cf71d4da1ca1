"""ETH/UCY pedestrians: one row `frame ped x y` for each pedestrian and frame, without a header."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from vrnn.data.io.parse_cells import to_numbers
from vrnn.data.io.table import Columns, Table, make_table
from vrnn.data.io.text_file import read_text
from vrnn.errors import DataError

NAMES = ("t", "id", "x", "y")
USUAL = Columns(id="id", t="t", x=("x", "y"))


def read_eth_ucy(path: Path) -> Table:
    r"""Return rows of four numbers separated by tabs or spaces.

    The numbers are frame, pedestrian, x and y in metres. Time is the frame number; in the usual
    files 10 frames are 0.4 s.

    Raises:
        DataError: a line that does not have four fields.

    Source: Pellegrini et al. 2009 and Lerner et al. 2007, in the form of the benchmark that leaves
    out one scene at a time.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("0\t1.0\t8.46\t3.59\n10\t1.0\t9.57\t3.79\n")
    >>> read_eth_ucy(path).columns["t"].to_pylist()
    ['0', '10']
    """
    rows = [
        (i, fields)
        for i, line in enumerate(read_text(path).splitlines(), 1)
        if (fields := line.split())
    ]
    for line, fields in rows:
        if len(fields) != 4:
            raise DataError(
                f"{path}, line {line}: expected 4 fields (frame, pedestrian, x, y), "
                f"found {len(fields)}; is the line cut off?"
            )
    lines = np.array([line for line, _ in rows])
    columns = dict(zip(NAMES, np.array([f for _, f in rows], dtype=object).T, strict=True))
    table = make_table(str(path), columns, lines, USUAL)
    # "1.0" and "1" are the same pedestrian
    numbers = to_numbers(table.columns["id"], lambda row: f"{table.at(row)}, field 2 (pedestrian)")
    return replace(table, columns=table.columns | {"id": pa.array(numbers, from_pandas=True)})
