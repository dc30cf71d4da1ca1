"""The tables of the page on speed, from the kept result."""

from benchmarks.common import BACKENDS, write_table

RENAMED = {"plain": "reference", "auto": "fast"}  # keys of the result that is kept


def with_names(result: dict) -> dict:
    """Return the kept result with the names of backends that the script writes today."""
    return {
        RENAMED.get(key, key): with_names(value) if isinstance(value, dict) else value
        for key, value in result.items()
    }


def ms(seconds: float) -> str:
    """Return milliseconds as text."""
    return f"{1e3 * seconds:.3g}"


def write_all(result: dict, *, windows: int, samples: int) -> None:
    """Write every table of the page."""
    result = with_names(result)
    write_training([with_names(r) for r in result["training"]])
    write_table(
        "speed-models",
        ["model", "reference", "fast", "reference over fast"],
        [
            [n, ms(r["reference"]), ms(r["fast"]), f"{r['reference'] / r['fast']:.1f}"]
            for n, r in result["systems"].items()
        ],
    )
    write_inference(result["inference"])
    write_table(
        "speed-calls",
        ["call", "time"],
        [
            [
                f"`vrnn.forecast` of {windows:,} windows, {samples} futures each",
                f"{result['scene_seconds']:.0f} s",
            ],
            *(
                [
                    f"`vrnn.observe`, one point, {count} particle{'s' * (count != '1')}{more}",
                    f"{ms(seconds)} ms",
                ]
                for key, more in {
                    "observing": "",
                    "observing categories": ", 16 categories",
                }.items()
                for count, seconds in result.get(key, {}).items()
            ),
        ],
    )
    whole = result["pedestrians"]
    write_table(
        "speed-whole-training",
        ["backend", "training", "best of 20 samples, ADE/FDE", "NLL per step"],
        [
            [
                name,
                f"{whole[name]['seconds']:.0f} s",
                f"{whole[name]['ade']:.3f}/{whole[name]['fde']:.3f}",
                f"{whole[name]['nll']:.2f}",
            ]
            for name in BACKENDS
        ],
    )
    write_growth(result["growth"])
    write_table(
        "speed-machine",
        ["processor", "vectors", "threads", "torch"],
        [[result["machine"], result["vectors"], str(result["threads"]), result["torch"]]],
    )


def write_training(results: list[dict]) -> None:
    """Write the milliseconds of a training step, and the ratios."""
    columns = ("published", "per step", "reference", "fast", "GRU", "peak")
    rows = [
        [
            ", ".join(str(n) for n in r["size"]),
            *(ms(r[name]) for name in columns),
            *(f"{r[name] / r['fast']:.1f}" for name in ("published", "per step")),
            f"{r['fast'] / r['peak']:.2f}",
        ]
        for r in results
    ]
    ratios = ["published over fast", "per step over fast", "fast over peak"]
    head = ["batch, time, x, hidden, latent", *columns, *ratios]
    write_table("speed-training", head, rows)


def write_inference(results: dict[str, dict]) -> None:
    """Write the milliseconds without gradients, and the ratios."""
    columns = ("published", "per step", "reference", "fast", "shared", "peak")
    rows = []
    for name, r in results.items():
        cells = [ms(r[key]) if key in r else "" for key in columns]
        ratios = [
            f"{r[other] / r[key]:.1f}" if {key, other} <= set(r) else ""
            for key in ("fast", "shared")
            for other in ("published", "per step")
        ]
        rows.append([name, *cells, *ratios])
    ratios = ["published over fast", "per step over fast"]
    ratios += ["published over prefix read once", "per step over prefix read once"]
    shown = ["prefix read once" if key == "shared" else key for key in columns]
    write_table("speed-inference", ["", *shown, *ratios], rows)


def write_growth(results: dict[str, dict]) -> None:
    """Write how time and memory of a training step grow."""
    names = {"time": "length (batch 64)", "batch": "batch (length 100)"}
    rows = [
        [
            names[name],
            f"{r['sizes'][0]} to {r['sizes'][-1]}",
            f"{ms(r['seconds'][0])} to {ms(r['seconds'][-1])} ms",
            f"{r['slope']:.2f}",
            f"{r['bytes'][0] / 2**20:.0f} to {r['bytes'][-1] / 2**20:.0f} MiB",
            f"{r['memory_slope']:.2f}",
        ]
        for name, r in results.items()
    ]
    head = ["over", "from, to", "time", "slope of time", "memory", "slope of memory"]
    write_table("speed-growth", head, rows)
