"""Training of LeNet-5: distorted digits in shuffled batches, Adam, one cosine of the learning rate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from cnnfast.layers import CrossEntropyLoss, Sequential
from cnnfast.lenet.augment import distort
from cnnfast.lenet.data import Data, Digits
from cnnfast.lenet.model import probabilities, standardise
from cnnfast.lenet.recipe import Recipe
from cnnfast.optim import Adam

WARM_UP = 0.1
"""Share of the training in which the learning rate rises, while Adam's averages fill."""

SMOOTHING = 0.05
"""Label smoothing (Szegedy et al. 2016): fewer mistakes on scikit-learn's digits than without."""


class Epoch(NamedTuple):
    """What one epoch came to; `accuracy` on the test set is a share of 1."""

    number: int
    loss: float
    accuracy: float
    images_per_second: float


def train(net: Sequential, data: Data, recipe: Recipe, progress: Callable[[int], object]) -> Iterator[Epoch]:
    """Train `net` in place, and yield after each epoch how it went.

    The same recipe makes the same weights with any number of threads.

    Parameters
    ----------
    net : Sequential
        As `cnnfast.lenet.model.lenet5` returns it.
    data : Data
    recipe : Recipe
    progress : callable
        Called after each batch with the number of its images.
    """
    rng, optimizer = np.random.default_rng(recipe.seed), Adam(net.parameters(), lr=recipe.lr)
    criterion = CrossEntropyLoss(label_smoothing=SMOOTHING)
    count = len(data.train)
    batches = math.ceil(count / recipe.batch_size)
    for epoch in range(recipe.epochs):
        start, loss = time.perf_counter(), 0.0
        for batch, chosen in enumerate(np.array_split(rng.permutation(count), batches)):
            optimizer.lr = recipe.lr * schedule((epoch + batch / batches) / recipe.epochs)
            images = standardise(distort(data.train.images[chosen], rng))
            optimizer.zero_grad()
            loss += len(chosen) * criterion(net(images), data.train.labels[chosen])
            net.backward(criterion.backward(), input_grad=False)
            optimizer.step()
            progress(len(chosen))
        speed = count / (time.perf_counter() - start)
        yield Epoch(epoch + 1, loss / count, accuracy(net, data.test), speed)


def schedule(done: float) -> float:
    """Return the factor of the learning rate when the share `done` of the training is over.

    It rises in a line, then falls in half a cosine (Loshchilov and Hutter 2017).

    Examples
    --------
    >>> [round(schedule(done), 6) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if done < WARM_UP:
        return done / WARM_UP
    return (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))) / 2


def accuracy(net: Sequential, digits: Digits) -> float:
    """Return the share of the digits that `net` reads right."""
    answers = probabilities(net, digits.images).argmax(axis=1)
    return float(np.mean(answers == digits.labels))
