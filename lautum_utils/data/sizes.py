"""How large a task is: the images of each part, their common shape, and the bytes of them all."""

import math
from typing import NamedTuple

from lautum_utils.data.digits import SIZE
from lautum_utils.data.domains import (
    DEFAULT_LETTERS,
    EMBEDDED,
    Shape,
    extent_of,
    image_shape,
)

_USUAL_SOURCE = 9_100  # images of an embedded source, about


class Sizes(NamedTuple):
    """How many target samples each part is to have, and how many the source's test.

    test: 0 for all that there are; of letters and pairs, which are drawn, 10,000.
    """

    unlabelled: int = 4000
    labelled: int = 400
    validation: int = 500
    test: int = 2000

    @property
    def pool(self) -> int:
        """All but the test."""
        return self.unlabelled + self.labelled + self.validation


class Memory(NamedTuple):
    """Bytes: of a task's images, and of what each network that is trained and tested on it adds."""

    task: int
    network: int


def common_shape(source: str, target: str) -> Shape:
    """(channels, height, width) that the images of both domains are brought to.

    Colour if one is in colour, the size of the smaller.
    """
    channels, heights, widths = zip(image_shape(source), image_shape(target), strict=True)
    return max(channels), min(heights), min(widths)


def memory_of(source: str, target: str, swap: bool = False, sizes: Sizes | None = None) -> Memory:
    """About how many bytes a task of these domains takes, and each network beside it.

    Nearly each image is there twice: in its part, and where batches are taken from.
    """
    sizes = Sizes() if sizes is None else sizes
    images = _USUAL_SOURCE if source in EMBEDDED else extent_of(source).train
    images += sizes.pool if target in EMBEDDED else min(sizes.pool, extent_of(target).train)
    images += max(_tested(name, sizes.test) for name in (source, target))
    pixels = 2 * SIZE**2 if swap else math.prod(common_shape(source, target))
    watched = 11 * (sizes.labelled + sizes.validation)  # they, and ten times as much of features
    return Memory(task=4 * pixels * 2 * images, network=4 * pixels * watched)


def _tested(name: str, test: int) -> int:
    there = DEFAULT_LETTERS if name in EMBEDDED else extent_of(name).test
    return min(test or there, there)
