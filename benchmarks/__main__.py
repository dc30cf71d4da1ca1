"""Write every table of the result pages from the kept results: `python -m benchmarks`."""

from benchmarks import (
    anomalies,
    defaults,
    eth_ucy,
    imputation,
    irregular,
    latents,
    letters,
    music,
    neighbours,
    pendulum,
    speed,
    storms,
    training_on,
    without_training,
)

SCRIPTS = (
    anomalies,
    defaults,
    eth_ucy,
    imputation,
    irregular,
    latents,
    letters,
    music,
    neighbours,
    pendulum,
    speed,
    storms,
    training_on,
    without_training,
)


def main() -> None:
    for script in SCRIPTS:
        script.write_tables()


if __name__ == "__main__":
    main()
