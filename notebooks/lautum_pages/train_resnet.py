"""Train torchvision's ResNet-18, kept informative about images that nobody has labelled:

    python train_resnet.py SOURCE TARGET NETWORK.pt --strength 1e-3

A whole script to take as a start. SOURCE and TARGET are folders that hold a folder of images for
each class; those of the target are not looked at. Nothing is downloaded: the weights are random.
NETWORK.pt receives the states of the network and of the regularizer, which need none of the images.
"""

import argparse
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18

from lautum_utils import LautumRegularizer
from lautum_utils.files import written_whole


class Network(nn.Module):
    """Logits, and k features for the regularizer: a fixed random projection of the 512, for which a
    batch would have to be as large as 4 (512 + r)."""

    projection: Tensor

    def __init__(self, n_classes: int, k: int) -> None:
        super().__init__()
        self.trunk = resnet18(weights=None)
        self.trunk.fc = nn.Identity()
        self.head = nn.Linear(512, n_classes)
        self.register_buffer("projection", torch.linalg.qr(torch.randn(512, k))[0])

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of source images, features of target images (n, k), in one pass."""
        features = self.trunk(torch.cat((source, target)))
        return self.head(features[: len(source)]), features[len(source) :] @ self.projection


def shrunk(images: Tensor) -> Tensor:
    """What z is to be informative about: the leading components are smooth, so 16 x 16 pixels
    hold them. The pool's sums are then 768 x 768 and not, of 224 x 224, 150528 x 150528."""
    return F.adaptive_avg_pool2d(images, 16)


def endless(data: ImageFolder, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches, epoch after epoch. ValueError: fewer images than a batch has."""
    if len(data) < batch:
        raise ValueError(
            f"a batch of {batch} needs as many images, got {len(data)} in {data.root}."
        )
    # A last batch that is smaller would saturate the value: drop_last.
    loader = DataLoader(data, batch, shuffle=True, drop_last=True)
    while True:
        yield from loader


def train(options: argparse.Namespace) -> tuple[Network, LautumRegularizer]:
    """The network after the last step, and what it was regularized by."""
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = (options.size, options.size)
    look = transforms.Compose([transforms.Resize(size), transforms.ToTensor()])
    source, target = ImageFolder(options.source, look), ImageFolder(options.target, look)

    # Once through all of the target, in batches: it need not fit in memory.
    pool = (shrunk(images) for images, _ in DataLoader(target, options.batch))
    regularizer = LautumRegularizer.from_batches(pool, options.components).to(device)
    network = Network(len(source.classes), options.features).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    batches = zip(endless(source, options.batch), endless(target, options.batch), strict=True)
    for step, ((images, labels), (unlabelled, _)) in zip(
        range(options.steps), batches, strict=False
    ):
        labels, unlabelled = labels.to(device), unlabelled.to(device)
        logits, z = network(images.to(device), unlabelled)
        value = regularizer(z, regularizer.project(shrunk(unlabelled)))
        cross_entropy = F.cross_entropy(logits, labels)
        loss = cross_entropy - options.strength * value
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0 or step == options.steps - 1:
            print(f"step {step}: cross-entropy {cross_entropy:.3f}, L {value:.1f} nats")
    return network, regularizer


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line. A batch needs 4 (features + components) images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "target", "network"):
        parser.add_argument(name)
    parser.add_argument("--strength", type=float, default=1e-3)
    for name, default in {"steps": 1000, "batch": 192, "size": 64, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--components", type=int, default=16)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Train, and save the two states."""
    options = parsed(arguments)
    network, regularizer = train(options)
    with written_whole(options.network) as path:
        torch.save({"network": network.state_dict(), "regularizer": regularizer.state_dict()}, path)


if __name__ == "__main__":
    main()
