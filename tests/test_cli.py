"""The command line: bad input is one line and exit code 2, and nothing is left behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnnfast
from cnnfast import cli
from cnnfast.lenet import data, model


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that must fail as bad input does, and return its one line."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("cnnfast: ")
    assert error.endswith("\n")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "required: COMMAND"),
        ("nonsense", "invalid choice: 'nonsense'"),
        ("lenet --epochs 0", "--epochs: '0' (expected a whole number from 1"),
        ("lenet --epochs 1.5", "--epochs: '1.5'"),
        ("lenet --epochs", "--epochs: expected one argument"),
        ("lenet --batch-size -4", "--batch-size: '-4'"),
        ("lenet --threads 0", "--threads: '0'"),
        ("lenet --threads 2147483648", "--threads: '2147483648'"),
        ("lenet --lr 0", "--lr: '0' (expected a number above 0)"),
        ("lenet --lr nan", "--lr: 'nan'"),
        ("lenet --lr inf", "--lr: 'inf'"),
        ("lenet --seed -1", "--seed: '-1' (expected a whole number from 0"),
        ("lenet --seed 4294967296", "--seed: '4294967296'"),
        ("lenet --save net.pt", "--save: 'net.pt' (expected a name that ends in .npz)"),
        ("lenet --colour", "unrecognized arguments: --colour"),
        ("lenet --data nowhere.npz", "nowhere.npz: No such file"),
        ("predict", "required: WEIGHTS, IMAGE"),
        ("predict net.npz", "required: IMAGE"),
        ("predict nowhere.npz seven.png", "nowhere.npz: No such file"),
        ("info please", "unrecognized arguments: please"),
    ],
)
def test_bad_arguments(capsys: pytest.CaptureFixture[str], arguments: str, message: str) -> None:
    assert message in refused(capsys, *arguments.split())


@pytest.mark.parametrize(
    ("option", "make", "message"),
    [
        ("--save", lambda folder: folder / "no" / "net.npz", "No such file"),
        ("--save", lambda folder: folder / "folder.npz", "not a regular file"),
        ("--save", lambda folder: folder / "file" / "net.npz", "Not a directory"),
        ("--save", lambda folder: folder / ("n" * 250 + ".npz"), "File name too long"),
        ("--plot", lambda folder: folder / "no" / "net.png", "No such file"),
        ("--plot", lambda folder: folder / "folder.png", "not a regular file"),
        ("--plot", lambda folder: folder / "net.txt", "unknown kind of picture (expected"),
        ("--plot", lambda folder: folder / "net", "unknown kind of picture"),
    ],
)
def test_unwritable_output_is_found_before_the_work(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    make: Callable[[Path], Path],
    message: str,
) -> None:
    if option == "--plot":
        pytest.importorskip("matplotlib")
    for name in ("folder.npz", "folder.png"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(data, "load", lambda *_: pytest.fail("the data are read"))
    path = make(tmp_path)
    assert f"cnnfast: {path}: {message}" in refused(capsys, "lenet", option, path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("module", "package", "arguments"),
    [
        ("sklearn.datasets", "scikit-learn", ("lenet",)),
        ("tqdm", "tqdm", ("lenet", "--data", "digits.npz")),
        ("matplotlib", "matplotlib", ("lenet", "--plot", "net.png")),
        ("PIL", "Pillow", ("predict", "weights.npz", "seven.png")),
    ],
)
def test_missing_extra(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    package: str,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("cnnfast._picture", "cnnfast.lenet.plot"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(cnnfast, "_picture", raising=False)
    images, labels = np.zeros((1, 28, 28), np.uint8), np.zeros(1, int)
    np.savez("digits.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    model.save(model.lenet5(), Path("weights.npz"))
    expected = f"cnnfast: this needs {package}: pip install 'cnnfast[lenet]'\n"
    assert refused(capsys, *arguments) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.bias"), "missing 0.bias"),
        (lambda state: state.update(extra=np.zeros(1)), "unexpected extra"),
        (lambda state: state.update({"9.weight": np.zeros((84, 84))}), "9.weight has shape (84, 84)"),
        (lambda state: state.update({"9.bias": np.zeros(84, complex)}), "9.bias is complex128"),
        (lambda state: state.update({"9.bias": np.array([None])}), "damaged .npz file"),
    ],
)
def test_weights_of_another_net(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, np.ndarray]], object],
    message: str,
) -> None:
    state = model.lenet5().state_dict()
    change(state)
    path = tmp_path / "weights.npz"
    np.savez(path, **state)
    error = refused(capsys, "predict", path, "seven.png")
    assert str(path) in error
    assert message in error


def test_weights_are_no_array_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "weights.npz"
    for content in (b"", b"text", b"\x93NUMPY"):
        path.write_bytes(content)
        assert "not an .npz file" in refused(capsys, "predict", path, "seven.png")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (PermissionError(13, "No"), 2)])
def test_interruption(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cnnfast, "show_config", fail)
    assert cli.main(["info"]) == code
    assert "Traceback" not in capsys.readouterr().err


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_info_as_a_module_loads_no_extra() -> None:
    result = python("-X", "importtime", "-m", "cnnfast", "info")
    assert result.returncode == 0
    assert result.stdout.startswith(f"cnnfast {cnnfast.__version__}")
    for extra in ("sklearn", "matplotlib", "tqdm", "PIL", "torch"):
        assert f"| {extra}" not in result.stderr.replace("  ", "")


def test_nobody_reads_the_output() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with io.FileIO(writer, "w") as pipe:
        result = subprocess.run([sys.executable, "-um", "cnnfast", "info"], stdout=pipe, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("command", ["lenet", "predict", "bench", "info"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    assert f"usage: cnnfast {command}" in capsys.readouterr().out
