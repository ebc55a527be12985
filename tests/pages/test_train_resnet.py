"""The script that one takes as a start for a loop of one's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lautum_pages import train_resnet
from PIL import Image

from lautum_utils import LautumRegularizer

SIZES = {"steps": 1, "batch": 12, "size": 16, "features": 2, "components": 1}
TINY = [f"--{name}={number}" for name, number in SIZES.items()]


def folder_of_images(folder: Path, seed: int) -> str:
    """Two classes of seven images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (14, 16, 16, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    return str(folder)


@pytest.mark.filterwarnings("error::lautum_utils.SmallSampleWarning")
def test_it_trains_on_folders_regularized_and_saves_what_loads_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [folder_of_images(tmp_path / name, seed) for seed, name in enumerate("st")]
    found = {}
    for strength in ("0", "1e-2"):
        path = tmp_path / f"{strength}.pt"
        train_resnet.main([*folders, str(path), *TINY, f"--strength={strength}"])
        found[strength] = torch.load(path, weights_only=True)
    assert capsys.readouterr().out.count("nats") == 2
    regularizer = LautumRegularizer.from_state_dict(found["0"]["regularizer"])
    assert regularizer.components.shape == (3 * 16 * 16, 1)
    without, with_it = (found[strength]["network"] for strength in found)
    with torch.device("meta"):
        assert with_it.keys() == train_resnet.Network(2, 2).state_dict().keys()
    assert torch.equal(without["projection"], with_it["projection"])
    assert not torch.equal(without["trunk.conv1.weight"], with_it["trunk.conv1.weight"])
    with pytest.raises(ValueError, match="a batch of 15 needs as many images, got 14 in "):
        next(train_resnet.endless(train_resnet.ImageFolder(folders[0]), 15))
