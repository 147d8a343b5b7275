"""The perceptual features, against torchvision's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from rsforge.errors import RsforgeError
from rsforge.models.vgg import VggFeatures, find_vgg16, load_vgg16


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """A whole classifier's names, with the classifier itself kept small."""
    torch.manual_seed(3)
    state = dict(VggFeatures().state_dict())
    return state | {"features.17.weight": torch.zeros(2), "classifier.0.weight": torch.zeros(2)}


def _saved(path: Path, state: object, **options: bool) -> Path:
    torch.save(state, path, **options)
    return path


def test_torchvision_computes_the_same() -> None:
    from torchvision.models import vgg16
    from torchvision.transforms.functional import normalize

    torch.manual_seed(5)
    with torch.device("meta"):
        theirs = vgg16(weights=None).features[:16].eval()
    ours = VggFeatures()
    theirs.to_empty(device="cpu").load_state_dict(ours.features.state_dict(), strict=True)
    x = torch.rand(2, 3, 32, 40) * 2 - 1
    with torch.no_grad():
        expected = theirs(normalize((x + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        torch.testing.assert_close(ours(x), expected, atol=1e-5, rtol=1e-5)
    assert expected.shape == (2, 256, 8, 10)
    assert expected.std() > 1e-3


def test_it_is_frozen_and_lets_gradients_through() -> None:
    features = VggFeatures().train()
    assert not any(module.training for module in features.modules())
    assert not any(p.requires_grad for p in features.parameters())
    x = torch.zeros(1, 3, 16, 16, requires_grad=True)
    features(x).sum().backward()
    assert x.grad is not None and x.grad.any()
    assert {name.split(".")[0] for name in features.state_dict()} == {"features"}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("bare", [True, False], ids=["features alone", "whole"])
def test_a_file_of_torchvision_is_read(tmp_path: Path, weights: dict[str, Tensor], zipped: bool, bare: bool) -> None:
    features = {k.removeprefix("features."): v for k, v in weights.items() if "classifier" not in k}
    path = _saved(tmp_path / "vgg16-x.pth", features if bare else weights, _use_new_zipfile_serialization=zipped)
    loaded = load_vgg16(path).state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in loaded)


def _refused(path: Path) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        load_vgg16(path)
    assert str(path) in caught.value.where
    return caught.value


def test_layers_that_are_missing_or_misshapen_are_refused(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    missing = {k: v for k, v in weights.items() if k != "features.7.bias"}
    error = _refused(_saved(tmp_path / "a.pth", missing))
    assert (error.code, "features.7.bias" in error.found) == ("RSF-C007", True)
    misshapen = weights | {"features.14.weight": torch.zeros(256, 256, 1, 1)}
    error = _refused(_saved(tmp_path / "b.pth", misshapen))
    assert (error.code, "14.weight" in error.found) == ("RSF-C007", True)


def test_no_file_and_foreign_files_are_told_apart(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    assert _refused(tmp_path / "none.pth").code == "RSF-C001"
    assert _refused(tmp_path).code == "RSF-E008"
    text = tmp_path / "text.pth"
    text.write_text("no weights at all")
    empty = tmp_path / "empty.pth"
    empty.touch()
    whole = _saved(tmp_path / "cut.pth", weights)
    whole.write_bytes(whole.read_bytes()[:5000])
    foreign = [
        text,
        empty,
        whole,
        _saved(tmp_path / "c.pth", [1]),
        _saved(tmp_path / "d.pth", {"features.0.weight": 1}),
    ]
    assert [_refused(path).code for path in foreign] == ["RSF-C003"] * 5


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickled object was executed",))


def test_pickled_objects_are_refused_and_not_executed(tmp_path: Path) -> None:
    assert _refused(_saved(tmp_path / "trap.pth", _Trap())).code == "RSF-C003"


def test_weights_are_found_in_the_cache_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    assert find_vgg16() is None
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "vgg19-397923af.pth").touch()
    (folder / "vgg16-abc.pth.partial").touch()
    assert find_vgg16() is None
    for name in ("vgg16-1.pth", "vgg16-9.pth", "vgg16-5.pth"):
        (folder / name).touch()
    assert find_vgg16() == folder / "vgg16-9.pth"
    (folder / "vgg16-397923af.pth").touch()
    assert find_vgg16() == folder / "vgg16-397923af.pth"
