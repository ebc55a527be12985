"""Networks: many side by side give what each gives alone, and one can be taken out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lautum_utils.training import networks
from lautum_utils.training.layers import DomainNorm, StackedConv, StackedLinear
from lautum_utils.training.networks import NETWORKS, TrainedNetwork


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 16, 32)])
@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_networks_are_the_networks_one_by_one(
    name: str, shape: tuple[int, int, int]
) -> None:
    seeds, x = [7, 8, 9], torch.rand(3, 5, *shape)
    network = NETWORKS[name](shape, 10, seeds)
    features = network.features(x)
    assert features.shape == (3, 5, network.widths[-1])
    assert (features >= 0).all()
    assert network.head(features).shape == (3, 5, 10)
    assert torch.equal(network(x), network.head(features))
    alone = torch.cat(
        [NETWORKS[name](shape, 10, [seed])(x[i : i + 1]) for i, seed in enumerate(seeds)]
    )
    torch.testing.assert_close(network(x), alone, rtol=1e-6, atol=1e-6)
    assert not torch.allclose(alone[0], NETWORKS[name](shape, 10, [8])(x[:1])[0]), (
        "another seed, another network"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_of_a_model_does_not_depend_on_the_others(name: str) -> None:
    network, x = NETWORKS[name]((1, 16, 16), 10, [0, 1, 2]), torch.rand(3, 4, 1, 16, 16)

    def gradients(x: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(network(x)[1].square().sum(), list(network.parameters())))

    changed = x.clone()
    changed[0], changed[2] = 0.3, 0.9
    for one, other in zip(gradients(x), gradients(changed), strict=True):
        torch.testing.assert_close(one[1], other[1])
        assert one[1].abs().max() > 0
        assert one[[0, 2]].abs().max() == 0


def test_stacked_layers_are_those_of_torch() -> None:
    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(seed) for seed in range(3)]

    convolution, linear = StackedConv(2, 5, 2, generators()), StackedLinear(6, 4, generators())
    maps, x = torch.rand(7, 3, 2, 9, 12), torch.rand(3, 7, 6)
    assert linear.bias.shape == (3, 1, 16), (
        "padded, so that an optimizer rounds alike wherever a model stands"
    )
    assert (linear.bias[..., 4:] == 0).all()
    y = convolution(maps.flatten(1, 2))
    assert y.shape == (7, 15, 5, 6)
    for g in range(3):
        expected = F.conv2d(
            maps[:, g], convolution.weight[g], convolution.bias[g], stride=2, padding=1
        )
        torch.testing.assert_close(y[:, 5 * g : 5 * (g + 1)], expected)
        torch.testing.assert_close(linear(x)[g], x[g] @ linear.weight[g] + linear.bias[g, 0, :4])
    for parameter, fan_in in ((convolution.weight, 18), (linear.weight, 6)):
        assert 0.8 / fan_in**0.5 < parameter.abs().max() <= 1 / fan_in**0.5
        assert abs(parameter.mean()) < 0.3 / fan_in**0.5
    linear(x).square().sum().backward()
    assert linear.bias.grad is not None
    assert (linear.bias.grad[..., :4] != 0).all()
    assert (linear.bias.grad[..., 4:] == 0).all()


@pytest.mark.parametrize("k", [1, 4, 10, 16, 17, 32, 47])
def test_bias_of_a_linear_layer_is_padded_to_sixteens_and_used_up_to_its_size(k: int) -> None:
    linear = StackedLinear(6, k, [torch.Generator().manual_seed(seed) for seed in range(2)])
    assert linear.bias.shape[-1] % 16 == 0
    assert 0 <= linear.bias.shape[-1] - k < 16
    assert torch.equal(linear(torch.zeros(2, 3, 6)), linear.bias[..., :k].expand(2, 3, k))
    assert 0 < linear.bias[..., :k].abs().max() <= 6**-0.5


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_run_forward_and_backward_on_another_device(name: str) -> None:
    network = NETWORKS[name]((1, 16, 16), 10, [0, 1]).to("meta")
    network.replace_head(7, [0, 1])
    y = network(torch.empty(2, 3, 1, 16, 16, device="meta"))
    y.sum().backward()
    assert y.shape == (2, 3, 7)
    assert all(p.grad is not None and p.grad.is_meta for p in network.parameters())


def test_new_head_is_fixed_by_its_seeds_and_leaves_the_features_alone() -> None:
    network, other = (NETWORKS["mlp"]((1, 16, 16), 10, [seed, 5]) for seed in (0, 1))
    x = torch.rand(2, 3, 1, 16, 16)
    features, logits = network.features(x), network(x)
    network.replace_head(10, [3, 4])
    other.replace_head(10, [3, 4])
    assert torch.equal(network.features(x), features)
    assert torch.equal(network.head(features), other.head(features))
    assert not torch.allclose(network(x), logits)


@pytest.mark.parametrize("name", ["cnn", "large_cnn"])
def test_a_convolutional_network_is_its_layers_one_after_the_other(name: str) -> None:
    network = NETWORKS[name]((3, 9, 12), 10, [0, 1]).double()
    x = torch.rand(2, 4, 3, 9, 12, dtype=torch.float64)
    for g in range(2):
        h = x[g]
        for convolution in network.convolutions:  # type: ignore[attr-defined]
            h = F.conv2d(
                h, convolution.weight[g], convolution.bias[g], stride=convolution.stride, padding=1
            )
            h = F.relu(F.group_norm(h, 8) if name == "large_cnn" else h)
        h = h.mean((2, 3)) if name == "large_cnn" else h.flatten(1)
        last = network.last  # type: ignore[attr-defined]
        expected = F.relu(h @ last.weight[g] + last.bias[g, 0, : last.weight.shape[-1]])
        torch.testing.assert_close(network.features(x)[g], expected)


def test_a_domain_norm_follows_the_formula_for_each_sample_by_itself() -> None:
    share = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    norm = DomainNorm(3, share)
    h = torch.randn(3, 7, 3, 4, dtype=torch.float64) + 1
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += torch.rand_like(parameter)
    got = norm(h, 5)
    for g, weight in enumerate(share):
        for i in range(7):
            normal = (h[g, i] - h[g, i].mean()) / (h[g, i].var(unbiased=False) + 1e-5).sqrt()
            domain = int(i >= 5)
            branch = norm.gain[g, domain, 0] * normal + norm.offset[g, domain, 0]
            torch.testing.assert_close(
                got[g, i], (1 - weight) * h[g, i] + weight * branch, rtol=1e-12, atol=1e-12
            )
    assert torch.equal(got[0], h[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_taken_out_of_a_stack_are_copies_in_the_order_asked_for(name: str) -> None:
    network, x = NETWORKS[name]((1, 16, 16), 10, [0, 1, 2]), torch.rand(3, 4, 1, 16, 16)
    network.normalize(torch.tensor([0.0, 0.3, 1.0]))
    before = network(x)
    rows = [2, 0, 2]
    taken = network.take(torch.tensor(rows))
    assert torch.equal(taken(x[rows]), before[rows])
    with torch.no_grad():
        for parameter in taken.parameters():
            parameter += 1
    assert torch.equal(network(x), before)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_network_is_asked_without_the_axis_of_the_stack(name: str) -> None:
    stack, images = NETWORKS[name]((1, 16, 16), 10, [4]), torch.rand(5, 1, 16, 16)
    network = TrainedNetwork(stack)
    features = network.features(images)
    assert isinstance(network, nn.Module)
    assert torch.equal(features, stack.features(images[None])[0])
    assert torch.equal(network.head(features), stack.head(features[None])[0])
    assert torch.equal(network(images), network.head(features))
    assert network(images).shape == (5, 10)


def test_a_trained_network_looks_at_many_images_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = TrainedNetwork(NETWORKS["cnn"]((1, 16, 16), 3, [0])), torch.rand(10, 1, 16, 16)
    whole = network(x)
    monkeypatch.setattr(networks, "AT_ONCE", 4)
    torch.testing.assert_close(network(x), whole)
    assert network.features(x).shape == (10, 64)
