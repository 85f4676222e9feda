"""``wesnpu`` and ``python -m wesnpu``."""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before NumPy is imported: small machines are slower with more

from wesnpu.app import app  # noqa: E402


def main() -> None:
    """Run the command line; exit code 2 and one line for what a user can mend."""
    app(prog_name="wesnpu")


if __name__ == "__main__":
    main()
