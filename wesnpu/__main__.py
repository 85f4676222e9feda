"""``wesnpu`` and ``python -m wesnpu``."""

from wesnpu.app import app


def main() -> None:
    """Run the command line; exit code 2 and one line for what a user can mend."""
    app(prog_name="wesnpu")


if __name__ == "__main__":
    main()
