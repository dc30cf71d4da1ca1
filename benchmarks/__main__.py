"""Write every table of the result pages from the kept results: `python -m benchmarks`."""

from benchmarks import anomalies, eth_ucy, imputation, letters, music, pendulum, speed, storms


def main() -> None:
    for script in (anomalies, eth_ucy, imputation, letters, music, pendulum, speed, storms):
        script.write_tables()


if __name__ == "__main__":
    main()
