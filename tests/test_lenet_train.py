"""Training from end to end on small made-up digits: it learns, repeats itself, and writes whole files."""

from __future__ import annotations

import doctest
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest

from cnnfast import cli
from cnnfast.lenet import augment, data, model, train

pytest.importorskip("tqdm")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Ten figures that are easy to tell apart: bars of three lengths and heights, and noise."""
    rng = np.random.default_rng(8)
    arrays = {}
    for part, count in (("train", 400), ("test", 100)):
        labels = np.arange(count) % 10
        images = rng.integers(0, 40, (count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[5 + label // 4 * 7 : 10 + label // 4 * 7, 5 : 10 + label % 4 * 5] = 255
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    # In the picture this name must not be taken for a formula.
    path = tmp_path / "digits$_{$.npz"
    np.savez(path, **arrays)
    return path


EPOCH = re.compile(r"epoch +\d  loss \d+\.\d{4}  test accuracy \d+\.\d\d %  [\d,]+ images/s")


def test_from_digits_to_prediction(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image_module, _ = pytest.importorskip("PIL.Image"), pytest.importorskip("matplotlib")
    weights, picture, seven = (digits.with_name(name) for name in ("net.npz", "net.png", "seven.png"))
    options = ["--data", digits, "--epochs", 8, "--batch-size", 10, "--save", weights, "--plot", picture]
    assert cli.main(["lenet", *map(str, options)]) == 0
    out, error = capsys.readouterr()
    first, *epochs, last = out.splitlines()
    assert first.startswith("400 digits to learn, 100 to test with, ")
    assert len(epochs) == 8
    assert all(EPOCH.fullmatch(line) for line in epochs)
    accuracy = re.fullmatch(r"test accuracy (\d+\.\d\d) %", last)
    assert accuracy
    assert float(accuracy[1]) >= 90
    assert error == ""
    assert {path.name for path in digits.parent.iterdir()} == {digits.name, "net.npz", "net.png"}
    assert picture.read_bytes().startswith(b"\x89PNG")

    test = data.load(digits, 0).test
    net = model.load(weights)
    assert 100 * train.accuracy(net, test) == pytest.approx(float(accuracy[1]))

    image_module.fromarray(np.pad(np.full((30, 12), 255, np.uint8), 9)).save(seven)
    assert cli.main(["predict", str(weights), str(seven), str(seven)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(re.escape(str(seven)) + r": \d \(\d+\.\d %\)", lines[0])


def test_same_net_for_seed_and_any_threads(digits: Path) -> None:
    nets = []
    for seed, threads in ((5, 1), (5, 2), (5, 3), (6, 1)):
        path = digits.with_name("net.npz")
        options = ["--data", digits, "--epochs", 1, "--seed", seed, "--threads", threads, "--save", path]
        assert cli.main(["lenet", *map(str, options)]) == 0
        with np.load(path) as weights:
            nets.append(dict(weights))
    for name, array in nets[0].items():
        np.testing.assert_array_equal(array, nets[1][name])
        np.testing.assert_array_equal(array, nets[2][name])
        assert not np.array_equal(array, nets[3][name])


def test_weights_are_torch_s_and_the_file_is_an_ordinary_one(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    path.write_text("old")
    model.save(model.lenet5(), path)
    with np.load(path) as weights:
        shapes = {name: array.shape for name, array in weights.items()}
    assert shapes["0.weight"] == (6, 1, 5, 5)
    assert shapes["3.weight"] == (16, 6, 5, 5)
    assert shapes["6.weight"] == (120, 16, 5, 5)
    assert shapes["9.weight"] == (84, 120)
    assert shapes["11.weight"] == (10, 84)
    assert sum(np.prod(shape) for shape in shapes.values()) == 61_706
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_writing_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.npz"
    path.write_text("old")

    def interrupted(file: object, **arrays: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.save(model.lenet5(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_distortion(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((5, 1, 32, 30), np.float32)
    images[:, :, 6:-6, 6:-6] = rng.random((5, 1, 20, 18))
    before = images.copy()
    first, again, other = (augment.distort(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.shape == images.shape
    assert all(np.abs(a - b).max() > 0.1 for a, b in zip(first, other, strict=True))
    assert abs(first.mean() / images.mean() - 1) < 0.2
    for name in ("ROTATION", "SCALE", "SHEAR", "SHIFT"):
        monkeypatch.setattr(augment, name, 0.0)
    np.testing.assert_array_equal(augment.distort(images, rng), images)


def test_shift_moves_a_whole_image(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROTATION", "SCALE", "SHEAR"):
        monkeypatch.setattr(augment, name, 0.0)
    monkeypatch.setattr(augment, "SHIFT", 2.0)
    y, x = np.mgrid[:32, :32].astype(np.float32)
    ramps = np.stack([y, x])[:, None]
    moved = (augment.distort(ramps, rng) - ramps)[:, 0, 3:-3, 3:-3]
    np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1, :1], moved.shape), atol=1e-5)
    assert np.abs(moved).max() <= 2


@pytest.mark.parametrize("module", [model, train])
def test_examples(module: object) -> None:
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
