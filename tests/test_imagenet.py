"""``make cosim-imagenet`` without its model: the pictures it draws, and what it refuses."""

import numpy as np
import pytest

from wesnpu import imagenet


def test_pictures_are_drawn_from_the_seed() -> None:
    drawn = imagenet.drawn_pictures(2, 5)
    assert drawn.shape == (2, 3, 224, 224) and drawn.dtype == np.uint8 and drawn.std() > 50
    assert np.array_equal(drawn, imagenet.drawn_pictures(2, 5))
    assert not np.array_equal(drawn, imagenet.drawn_pictures(2, 6))


def test_there_are_always_enough_to_calibrate_on() -> None:
    assert len(imagenet.pictures(None, 1, 0)) == imagenet.CALIBRATION
    assert len(imagenet.pictures(None, imagenet.CALIBRATION + 3, 0)) == imagenet.CALIBRATION + 3


@pytest.mark.parametrize("arguments", [["--limit", "0"], ["--config", "huge"], ["--images", "nowhere"]])
def test_refusals_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert imagenet.main(arguments) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and arguments[1] in error
