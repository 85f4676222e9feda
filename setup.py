"""Only what pyproject.toml cannot say: tests that lie beside the code are not installed."""

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithoutTests(build_py):
    """`build_py` that leaves out test modules."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """(package, module, file) of every module but the tests."""
        found = super().find_package_modules(package, package_dir)
        return [entry for entry in found if not entry[1].startswith(("test_", "conftest"))]


setup(cmdclass={"build_py": BuildWithoutTests})
