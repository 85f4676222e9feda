"""The digest of code: it changes with what the code does, wherever it is imported from, and with nothing else."""

import pytest

from quant.evaluation import sources


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Makes modules below a folder of their own; called with {module: text}, it forgets what was read before."""
    monkeypatch.setattr(sources, "ROOT", tmp_path)

    def write(texts):
        sources._imported.cache_clear()
        sources._text_digest.cache_clear()
        for module, text in texts.items():
            path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    yield write
    sources._imported.cache_clear()
    sources._text_digest.cache_clear()


def test_imports_are_followed_and_only_those(tree):
    tree({"quant.a": "from quant import b\nimport numpy\n", "quant.b": "import golden.c\n", "golden.c": "x = 1\n"})
    tree({"quant.d": "x = 1\n", "quant.__init__": ""})
    assert sources.closure(["quant.a"]) == {"quant.a", "quant", "quant.b", "golden.c"}
    assert sources.closure(["quant.a"], opaque=["quant.b"]) == {"quant.a", "quant", "quant.b"}
    with pytest.raises(FileNotFoundError, match="quant.nowhere"):
        sources.closure(["quant.nowhere"])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('"""Another."""\ndef f(x):\n    """Text."""\n    # remark\n    return (x + 1)\n', True),
        ('"""Doc."""\ndef f(x):\n    return x + 2\n', False),
        ('"""Doc."""\ndef f(y):\n    return y - 1\n', False),
    ],
)
def test_only_what_the_code_does_counts(tree, text, same):
    tree({"quant.a": "from quant.b import f\n", "quant.b": '"""Doc."""\ndef f(x):\n    return x + 1\n'})
    before = sources.digest(["quant.a"])
    tree({"quant.b": text})
    assert (sources.digest(["quant.a"]) == before) is same


def test_functions_are_told_apart_by_what_they_do():
    def one(x):
        """Text."""
        return x + 1

    first = sources.function_digest(one)

    def one(x):
        return x + 1  # the same

    def other(x):
        return x + 1

    assert sources.function_digest(one) == first != sources.function_digest(other)
    assert sources.function_digest(one, other) not in (first, sources.function_digest(other))


def test_the_digest_of_the_evaluation_covers_the_golden_model():
    read = sources.closure(["quant.evaluation.evaluate"])
    assert {"golden.conv", "golden.requantize", "quant.plan.input_scale"} <= read
    assert not [module for module in read if module.startswith("quant.passes")]
