"""The 1,797 real handwritten digits that scikit-learn holds (UCI optical recognition), enlarged."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 16  # pixels a side, of the digits and of the letters
DIGITS = tuple("0123456789")
_TEST = 360  # of the 1,797


@cache
def handwritten_digits(split: str) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 16, 16) in [0, 1] and labels (n,) int64: 1,437 to train, 360 to test.

    The split is the same in every call, and no image is on both sides. The tensors are shared by
    all callers: do not write to them.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = torch.as_tensor(data.images, dtype=torch.float32, device="cpu")[:, None] / 16
    labels = torch.as_tensor(data.target, dtype=torch.int64, device="cpu")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1797), device="cpu")
    chosen = order[:_TEST] if split == "test" else order[_TEST:]
    large = F.interpolate(images[chosen], (SIZE, SIZE), mode="bilinear", align_corners=False)
    return large, labels[chosen]
