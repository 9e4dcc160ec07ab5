"""Pictures of digits: whatever the size, colours, light and margins, the form is the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnfast._command import UserError
from cnnfast.lenet.image import BOX, FIELD, ink, mnist_form, read_digit

Image = pytest.importorskip("PIL.Image")

# A seven, off the centre of a page of 80 x 60 pixels, with a stem of another width than the bar.
SEVEN = np.zeros((80, 60))
SEVEN[10:16, 12:42] = 1
SEVEN[16:50, 32:40] = 1
FORM = mnist_form(SEVEN)


def test_form() -> None:
    assert FORM.shape == (FIELD, FIELD)
    assert FORM.dtype == np.float32
    assert (FORM.min(), FORM.max()) == (0, 1)
    rows, columns = (np.flatnonzero(FORM.any(axis=axis)) for axis in (1, 0))
    assert np.ptp(rows) + 1 == BOX
    assert np.ptp(columns) + 1 == BOX * 30 / 40
    for axis in (0, 1):
        mass = FORM.sum(axis=1 - axis)
        assert abs(mass @ np.arange(FIELD) / mass.sum() - (FIELD - 1) / 2) <= 0.5
    np.testing.assert_allclose(mnist_form(FORM), FORM, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (3, 2), (20, 20)])
def test_form_of_any_shape(shape: tuple[int, int]) -> None:
    form = mnist_form(np.ones(shape))
    assert form.max() == 1
    assert max(np.ptp(axis) for axis in np.nonzero(form)) + 1 == BOX


def grey(paper: float, pen: float) -> np.ndarray:
    return np.round(paper + (pen - paper) * SEVEN)


def colours(paper: tuple[int, ...], pen: tuple[int, ...]) -> np.ndarray:
    return np.where(SEVEN[..., None] == 1, pen, paper).astype(np.uint8)


def noisy(level: float) -> np.ndarray:
    noise = level * np.random.default_rng(5).standard_normal(SEVEN.shape)
    return np.clip(grey(215, 40) + noise, 0, 255)


LIGHT = np.linspace(-40, 40, 60) + np.linspace(-20, 20, 80)[:, None]


@pytest.mark.parametrize(
    ("pixels", "tolerance"),
    [
        (grey(255, 0).astype(np.uint8), 1e-5),
        (grey(0, 255).astype(np.uint8), 1e-5),
        (grey(140, 110).astype(np.uint8), 1e-5),
        (grey(255, 0) > 100, 1e-5),
        (grey(1000, 60000).astype(np.uint16), 1e-5),
        (grey(1, 0).astype(np.float32), 1e-5),
        (colours((255, 255, 255), (10, 20, 90)), 1e-5),
        (colours((200, 40, 40), (40, 200, 40)), 1e-5),
        (colours((0, 0, 0, 0), (0, 0, 0, 255)), 1e-5),
        (colours((255, 255, 255, 0), (255, 255, 255, 255)), 1e-5),
        (colours((9, 90, 9, 255), (255, 0, 0, 255)), 1e-5),
        ((grey(180, 60) + LIGHT).astype(np.uint8), 0.05),
        ((grey(60, 180) + LIGHT).astype(np.uint8), 0.05),
        (noisy(8).astype(np.uint8), 0.25),
        (grey(255, 0).astype(np.uint8)[10:50, 12:42], 1e-5),
    ],
    ids=[
        "dark",
        "light",
        "faint",
        "bits",
        "16_bits",
        "float",
        "blue",
        "red_green",
        "alpha_black",
        "alpha_white",
        "opaque",
        "uneven_dark",
        "uneven_light",
        "noise",
        "no_margin",
    ],
)
def test_colours_and_light(tmp_path: Path, pixels: np.ndarray, tolerance: float) -> None:
    file = tmp_path / "seven.tiff"
    Image.fromarray(pixels).save(file)
    np.testing.assert_allclose(read_digit(file), FORM, atol=tolerance)


@pytest.mark.parametrize("side", [40, 800, 3000])
def test_size(tmp_path: Path, side: int) -> None:
    file = tmp_path / "seven.png"
    size = (side * 3 // 4, side)
    Image.fromarray(grey(255, 0).astype(np.uint8)).resize(size, Image.Resampling.NEAREST).save(file)
    assert np.abs(read_digit(file) - FORM).mean() < 0.02


def test_turned_by_exif(tmp_path: Path) -> None:
    file = tmp_path / "seven.png"
    image = Image.fromarray(np.rot90(grey(255, 0).astype(np.uint8)))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, exif=exif)
    np.testing.assert_allclose(read_digit(file), FORM, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 5), (6, 6)])
def test_ink_of_anything(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        found = ink(rng.integers(0, 3, shape) * 100.0)
        assert found.shape == shape
        assert found.max() in (0, 1)
        assert found.min() >= 0


def truncated(file: Path) -> None:
    Image.fromarray(noisy(30).astype(np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:600])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: None, "No such file"),
        (lambda file: file.mkdir(), "Is a directory"),
        (lambda file: file.write_text("7"), "no readable image"),
        (truncated, "no readable image"),
        (lambda file: Image.new("RGB", (9, 9), "grey").save(file), "no digit to see"),
        (lambda file: Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(file), "no digit to see"),
    ],
    ids=["missing", "folder", "text", "truncated", "even", "transparent"],
)
def test_bad_image(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    file = tmp_path / "seven.png"
    make(file)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_digit(file)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
