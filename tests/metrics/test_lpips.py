"""The perceptual distance against torchmetrics' own, with the same weights and no network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsforge.metrics.lpips import Lpips


@pytest.fixture(scope="module")
def backbone() -> dict[str, Tensor]:
    """Drawn weights of VGG16's convolutions, of a size that carries the signal through."""
    from torchvision.models import vgg16

    with torch.device("meta"):
        shapes = {k: v.shape for k, v in vgg16(weights=None).state_dict().items() if k.startswith("features.")}
    g = torch.Generator().manual_seed(0)
    return {k: torch.randn(s, generator=g) * (2 / s[1:].numel()) ** 0.5 * (len(s) > 1) for k, s in shapes.items()}


def images(seed: int) -> Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_it_is_that_of_torchmetrics_with_the_same_weights(backbone, monkeypatch) -> None:
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity, lpips
    from torchvision.models import vgg16

    def features(net: str, pretrained: bool = False) -> torch.nn.Module:
        assert (net, pretrained) == ("vgg16", True)
        with torch.device("meta"):
            layers = vgg16(weights=None).features
        layers.load_state_dict({k.removeprefix("features."): v for k, v in backbone.items()}, assign=True)
        return layers

    ours = Lpips(backbone)
    monkeypatch.setattr(lpips, "_get_tv_model_features", features)
    x, y = images(1), images(2)
    theirs = learned_perceptual_image_patch_similarity(x, y, net_type="vgg", reduction="none")
    assert theirs.shape == (2,) and (theirs > 0.01).all() and theirs[0] != theirs[1]
    torch.testing.assert_close(ours(x, y), theirs, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours(x[:1], y[:1]), theirs[:1], atol=1e-6, rtol=1e-5)


def test_equal_images_are_no_distance_apart_and_it_grows(backbone) -> None:
    network = Lpips({k.removeprefix("features."): v for k, v in backbone.items()}).train()
    x, noise = images(1), torch.randn(2, 3, 32, 48, generator=torch.Generator().manual_seed(5))
    none, little, much = (network(x, (x + s * noise).clamp(-1, 1)) for s in (0, 0.1, 0.6))
    assert none.tolist() == [0, 0] and (little > 0).all() and (much > 2 * little).all()
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(p.is_meta for p in [*network.parameters(), *network.buffers()])


def test_weights_that_do_not_fit_are_refused(backbone) -> None:
    with pytest.raises(KeyError, match=r"features\.28\.weight"):
        Lpips({k: v for k, v in backbone.items() if k != "features.28.weight"})
    with pytest.raises(RuntimeError, match="size mismatch"):
        Lpips(backbone | {"features.0.weight": torch.zeros(64, 3, 1, 1)})
