"""The command line: its options, what each command prints, and how errors look.

What a command works with is imported when it runs, so that the others start at once.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import cnnfast
from cnnfast import bench
from cnnfast._command import UserError, check_writable, needs
from cnnfast.lenet.recipe import Recipe

if TYPE_CHECKING:
    from cnnfast.layers import Sequential
    from cnnfast.lenet.data import Data
    from cnnfast.lenet.train import Epoch

T = TypeVar("T", int, float)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints look as those about any other bad input."""

    def error(self, message: str) -> NoReturn:
        """Raise `message` for `main` to show."""
        raise UserError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Its arguments; those of the process by default.

    Returns
    -------
    int
        The exit code: 0, 1 after a benchmark with a wrong result, 2 after bad input, 130 after
        Ctrl-C, 141 when nobody reads the output.
    """
    try:
        args = parser().parse_args(argv)
        code: int | None = args.run(args)
    except UserError as error:
        print(f"cnnfast: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"cnnfast: {error}", file=sys.stderr)
        return 2
    return code or 0


def parser() -> Parser:
    """Return the parser of all commands; its result has the command's function as ``run``."""
    top = Parser(prog="cnnfast", description="Fast convolution on a CPU.")
    top.add_argument("--version", action="version", version=f"cnnfast {cnnfast.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, does, add_arguments, run in (
        ("lenet", "train LeNet-5 on real handwritten digits", add_lenet_arguments, run_lenet),
        ("predict", "read the digit in each image file", add_predict_arguments, run_predict),
        ("bench", "time every op and compare it with its peers", bench.add_arguments, bench.run),
        ("info", "print what a bug report needs", lambda _: None, run_info),
    ):
        command = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        add_arguments(command)
        command.set_defaults(run=run)
    return top


def add_lenet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``cnnfast lenet``."""
    usual = Recipe()
    for name, kind, metavar, default, does in (
        ("--data", Path, "PATH", None, "an .npz file like Keras' mnist.npz, or a folder with the "
         "four IDX files of MNIST (without: scikit-learn's digits, a fifth of them held out)"),
        ("--epochs", positive_int, "N", usual.epochs, "how often each digit is seen"),
        ("--batch-size", positive_int, "N", usual.batch_size, "digits a step"),
        ("--lr", positive_float, "RATE", usual.lr, "highest learning rate of Adam"),
        ("--seed", seed, "N", usual.seed, "the same seed gives the same net"),
        ("--threads", positive_int, "N", None, "at most so many (without: all CPUs)"),
        ("--save", npz_path, "FILE", None, "write the weights to this .npz file"),
        ("--plot", Path, "FILE", None, "draw the training into this .png, .svg or .pdf file"),
    ):  # fmt: skip
        shown = "" if default is None else " (%(default)s)"
        parser.add_argument(name, type=kind, metavar=metavar, default=default, help=does + shown)


def add_predict_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``cnnfast predict``."""
    parser.add_argument("weights", type=Path, metavar="WEIGHTS", help="what lenet --save wrote")
    parser.add_argument("images", type=Path, metavar="IMAGE", nargs="+", help="one digit in each")


def run_lenet(args: argparse.Namespace) -> None:
    """Train, print how it goes, then save and draw what was asked for."""
    from cnnfast.lenet import data, model

    if args.plot:
        with needs("matplotlib"):
            from cnnfast import _picture
            from cnnfast.lenet.plot import draw
        _picture.check_format(args.plot)
    for path in filter(None, (args.save, args.plot)):
        check_writable(path)
    digits = data.load(args.data, args.seed)
    recipe = Recipe(args.epochs, args.batch_size, args.lr, args.seed)
    with cnnfast.threads(args.threads or cnnfast.get_num_threads()):
        cnnfast.manual_seed(recipe.seed)
        net = model.lenet5()
        history = train_visibly(net, digits, recipe)
        if args.save:
            model.save(net, args.save)
        if args.plot:
            _picture.save(args.plot, lambda: draw(net, digits, history))
    print(f"test accuracy {100 * history[-1].accuracy:.2f} %")


def train_visibly(net: Sequential, digits: Data, recipe: Recipe) -> list[Epoch]:
    """Train under a progress bar, print a line an epoch, and return what came of each."""
    with needs("tqdm"):
        from tqdm import tqdm
    from cnnfast.lenet.train import train

    train_count, test_count = len(digits.train), len(digits.test)
    print(f"{train_count:,} digits to learn, {test_count:,} to test with, from {digits.source}; ", end="")
    print(f"threads: {cnnfast.get_num_threads()}")
    history = []
    images = recipe.epochs * train_count
    with tqdm(total=images, unit=" images", unit_scale=True, leave=False, disable=None) as bar:
        for epoch in train(net, digits, recipe, bar.update):
            bar.write(
                f"epoch {epoch.number:{len(str(recipe.epochs))}}  loss {epoch.loss:.4f}  "
                f"test accuracy {100 * epoch.accuracy:.2f} %  {epoch.images_per_second:,.0f} images/s"
            )
            sys.stdout.flush()
            history.append(epoch)
    return history


def run_predict(args: argparse.Namespace) -> None:
    """Print what the net reads in each image."""
    import numpy as np

    from cnnfast.lenet import image, model

    net = model.load(args.weights)
    digits = np.stack([image.read_digit(path) for path in args.images])[:, None]
    for path, answer in zip(args.images, model.probabilities(net, digits), strict=True):
        digit = answer.argmax()
        print(f"{path}: {digit} ({100 * answer[digit]:.1f} %)")


def run_info(args: argparse.Namespace) -> None:
    """Print the configuration."""
    cnnfast.show_config()


def positive_int(text: str) -> int:
    """Return the whole number in `text`, at least 1 and not more than C's int holds."""
    return _number(int, text, 1, 2**31, "a whole number from 1 to 2147483647")


def seed(text: str) -> int:
    """Return the whole number in `text`, of 32 bits without sign as scikit-learn takes them."""
    return _number(int, text, 0, 2**32, "a whole number from 0 to 4294967295")


def positive_float(text: str) -> float:
    """Return the number in `text`, more than 0."""
    return _number(float, text, sys.float_info.min, math.inf, "a number above 0")


def _number(kind: Callable[[str], T], text: str, least: float, end: float, expected: str) -> T:
    try:
        number = kind(text)
    except ValueError:
        number = kind("-1")
    if not least <= number < end:
        raise argparse.ArgumentTypeError(f"{text!r} (expected {expected})")
    return number


def npz_path(text: str) -> Path:
    """Return the path in `text`, which must say that the file is an .npz."""
    path = Path(text)
    if path.suffix != ".npz":
        raise argparse.ArgumentTypeError(f"{text!r} (expected a name that ends in .npz)")
    return path
