"""Images to compare."""

from torch import Tensor

FIRST_CLASS = {"digits": "0", "letters": "A"}


def image_set(x: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in x}
