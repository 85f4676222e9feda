"""Image sets and preprocessing: labels, formats, and pictures that cannot be read."""

import numpy as np
import pytest
from PIL import Image

from golden.errors import WesnpuError
from golden.network import Preprocessing
from quant.images.image_set import open_images
from quant.images.preprocess import pixels, preprocess

HOW = Preprocessing(height=4, width=6)


def picture(path, *, size=(6, 4), seed=0, mode="RGB"):
    """Write a random lossless picture of (width, height); returns its pixels (H, W, 3)."""
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return array


def test_a_folder_of_files_with_leading_numbers(tmp_path):
    arrays = [picture(tmp_path / f"{label:04d}_n{label}.png", seed=label) for label in (7, 12, 3)]
    (tmp_path / "notes.txt").write_text("not a picture")
    images = open_images(tmp_path, HOW)
    assert images.names == ["0003_n3.png", "0007_n7.png", "0012_n12.png"] and images.labels == [3, 7, 12]
    assert images.labelled and images.ignored == ["notes.txt"] and len(images) == 3
    data, indices = images.read()
    assert indices == [0, 1, 2] and data.dtype == np.uint8
    assert np.array_equal(data, np.stack([arrays[i] for i in (2, 0, 1)]).transpose(0, 3, 1, 2))
    assert images.subset([2, 0]).labels == [12, 3]


@pytest.mark.parametrize(
    "folders, classes, labels",
    [
        (("5_cat", "11_dog"), (), [11, 5]),
        (("cat", "dog"), (), [0, 1]),
        (("cat", "dog"), ("dog", "cat"), [1, 0]),
        (("n01440764", "n01498041"), (), [0, 1]),
    ],
)
def test_labels_of_subfolders(folders, classes, labels, tmp_path):
    for folder in folders:
        picture(tmp_path / folder / "a.png")
    assert open_images(tmp_path, HOW, classes=classes).labels == labels


def test_pictures_without_labels(tmp_path):
    picture(tmp_path / "one.png")
    images = open_images(tmp_path, HOW)
    assert images.labels == [None] and not images.labelled
    assert open_images(tmp_path / "one.png", HOW).names == ["one.png"]


def test_unreadable_pictures_are_named_and_counted(tmp_path):
    for index in range(5):
        picture(tmp_path / f"{index}.png", seed=index, size=(60, 40))
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((40, 60), dtype=np.uint16)).save(tmp_path / "4.png")
    images = open_images(tmp_path, HOW)
    for _ in range(2):  # a second pass does not count twice
        data, indices = images.read()
        assert indices == [0, 2] and len(data) == 2
        assert [name for name, _ in images.unreadable] == ["1.png", "3.png", "4.png"]
        assert all(reason for _, reason in images.unreadable)


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(
        WesnpuError, match="none of 1 images can be read; the first: 1.png: cannot identify image file$"
    ):
        open_images(tmp_path, HOW).read()


def test_a_picture_smaller_than_the_crop_is_an_error(tmp_path):
    picture(tmp_path / "1.png", size=(5, 4))
    with pytest.raises(WesnpuError, match="1.png: 5x4 pixels after resizing, smaller than the crop of 6x4"):
        open_images(tmp_path, HOW).read()


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(WesnpuError, match="holds no pictures"):
        open_images(tmp_path, HOW)
    with pytest.raises(WesnpuError, match="no such file or folder"):
        open_images(tmp_path / "none", HOW)


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3)])
def test_npz(shape, tmp_path):
    data = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=data, labels=np.arange(5, dtype=np.uint8))
    how = HOW if len(shape) == 4 and shape[3] == 3 else Preprocessing(4, 6, channel_order="L")
    images = open_images(tmp_path / "set.npz", how)
    assert images.labels == [0, 1, 2, 3, 4] and images.names[1] == "set.npz[1]"
    assert np.array_equal(images.read()[0].transpose(0, 2, 3, 1), data.reshape(5, 4, 6, -1))


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"labels": np.zeros(5, np.uint8)}, "has no array 'images'"),
        ({"images": np.zeros((5, 4, 6), np.float32)}, r"images float32\(5, 4, 6\); expected uint8"),
        ({"images": np.zeros((5, 3, 4, 6), np.uint8)}, r"images uint8\(5, 3, 4, 6\); expected uint8"),
        ({"images": np.zeros((0, 4, 6), np.uint8)}, "images is empty"),
        ({"images": np.zeros((5, 4, 6), np.uint8), "labels": np.zeros(4, np.uint8)}, r"expected \(5,\) integers"),
        ({"images": np.zeros((5, 4, 6), np.uint8), "labels": np.zeros(5)}, r"labels float64\(5,\)"),
    ],
)
def test_npz_that_do_not_fit(arrays, message, tmp_path):
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(WesnpuError, match=message):
        open_images(tmp_path / "set.npz", HOW)


def test_npz_that_cannot_be_read(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((50, 4, 6), np.uint8))
    whole = (tmp_path / "set.npz").read_bytes()
    objects = tmp_path / "objects.npz"
    np.savez(objects, images=np.array([{}], dtype=object))
    with pytest.raises(WesnpuError, match="cannot be read as .npz"):
        open_images(objects, HOW)
    for data in (b"", b"no archive", whole[:200], whole[: len(whole) - 9]):
        (tmp_path / "set.npz").write_bytes(data)
        with pytest.raises(WesnpuError, match="set.npz: cannot be read as .npz"):
            open_images(tmp_path / "set.npz", HOW)


def test_normalisation_and_channel_orders(tmp_path):
    array = picture(tmp_path / "a.png")
    image = Image.open(tmp_path / "a.png")
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    how = Preprocessing(4, 6, channel_order="BGR", value_range=255.0, mean=mean, std=std)
    expected = (array[..., ::-1].astype(np.float64) / 255 - mean) / std
    result = preprocess(image, how)
    assert result.dtype == np.float32 and np.array_equal(result, expected.transpose(2, 0, 1).astype(np.float32))
    assert np.array_equal(pixels(image, Preprocessing(4, 6, channel_order="L"))[0], np.asarray(image.convert("L")))


def test_default_normalisation_maps_pixels_to_int8_exactly():
    """(pixel - 128) / 128 is the code pixel - 128 at scale 2^-7, for all 256 values."""
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    real = preprocess(image, Preprocessing(16, 16, channel_order="L"))
    assert np.array_equal(real.ravel() * 128, np.arange(256) - 128)


@pytest.mark.parametrize("size, left, top", [((12, 8), 3, 2), ((7, 4), 0, 0), ((6, 7), 0, 1)])
def test_centre_crop(size, left, top, tmp_path):
    array = picture(tmp_path / "a.png", size=size)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(pixels(image, HOW).transpose(1, 2, 0), array[top : top + 4, left : left + 6])


def test_the_shorter_side_is_resized(tmp_path):
    picture(tmp_path / "a.png", size=(30, 20))
    how = Preprocessing(height=8, width=12, resize=8)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(image.resize((12, 8), Image.Resampling.BILINEAR))
        assert np.array_equal(pixels(image, how).transpose(1, 2, 0), expected)


def test_a_picture_is_turned_as_its_exif_orientation_says(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
    turned = Image.fromarray(pixels)
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was turned: to be shown a quarter turn clockwise
    turned.save(tmp_path / "0.png", exif=exif)
    how = Preprocessing(9, 6, "L")
    images, _ = open_images(tmp_path, how).read()
    assert np.array_equal(images[0, 0], np.rot90(pixels, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_refused_and_opaque_ones_taken(mode, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, len(mode)), dtype=np.uint8)
    pixels[..., -1] = 255
    Image.fromarray(pixels, mode).save(tmp_path / "0.png")
    pixels[3, 4, -1] = 254
    Image.fromarray(pixels, mode).save(tmp_path / "1.png")
    found = open_images(tmp_path, Preprocessing(8, 8, "RGB"))
    images, indices = found.read()
    assert indices == [0] and np.array_equal(images[0, 0], pixels[..., 0])
    assert found.unreadable == [("1.png", "some pixels are transparent, so their colour depends on a background")]
