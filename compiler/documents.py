"""What the documents made from a table have in common: how bits are told, and how the files are written."""

from pathlib import Path

from golden.files import write_whole

DOCS = Path(__file__).resolve().parent.parent / "docs"


def bit_range(low: int, width: int) -> str:
    """"high:low", or the one bit."""
    return f"{low + width - 1}:{low}" if width > 1 else str(low)


def write_documents(documents: dict[Path, str]) -> None:
    """Write every file whole and print its path."""
    for path, text in documents.items():
        write_whole(path, text.encode())
        print(path)
