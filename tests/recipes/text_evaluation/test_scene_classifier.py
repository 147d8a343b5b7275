"""The classifier of the zero-shot accuracy: it learns what it is shown, from given weights, the same each time."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.models import resnet18
from rsforge.recipes.text_evaluation import scene_classifier
from rsforge.recipes.text_evaluation.scene_classifier import (
    ClassifierPlan,
    classify,
    find_first_weights,
    read_first_weights,
    shrink,
    train_classifier,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def narrow(monkeypatch, tmp_path):
    monkeypatch.setattr(resnet18, "WIDTHS", (4, 4, 8, 8))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


def make_images(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Dark and bright noise, and which it is."""
    labels = torch.arange(count) % 2
    noise = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    return ((noise * 80) + 150 * labels.view(-1, 1, 1, 1)).byte(), labels


def test_it_learns_its_classes_and_the_seed_alone_decides_how(monkeypatch):
    monkeypatch.setattr(scene_classifier, "LEARNING_RATE", 1e-2)
    monkeypatch.setattr(scene_classifier, "BATCH", 8)
    images, labels = make_images(17)  # a last batch of one image would have no statistics
    state = torch.get_rng_state()
    # After 6 passes the rounding of the machine decides which seeds have learnt; after 20 all of eight had.
    network = train_classifier(images, labels, ClassifierPlan(2, 20, 1), CPU)
    assert torch.equal(state, torch.get_rng_state()) and not network.training
    assert (classify(network, images, CPU) == labels).double().mean() > 0.9
    shorter = [train_classifier(images, labels, ClassifierPlan(2, 1, seed), CPU) for seed in (1, 1, 2)]
    first, again, other = (one.fc.weight for one in shorter)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_it_begins_with_the_weights_of_a_file_and_a_last_layer_of_its_own(tmp_path):
    torch.manual_seed(3)
    weights = resnet18.ResNet18(7).state_dict()
    torch.save(weights, tmp_path / "resnet18.pth")
    first = read_first_weights(tmp_path / "resnet18.pth")
    network = ClassifierPlan(2, 1, 0, first).build()
    assert torch.equal(network.conv1.weight, weights["conv1.weight"]) and network.fc.out_features == 2
    assert ClassifierPlan(2, 1, 0).build().conv1.weight.ne(weights["conv1.weight"]).any()
    without = {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}
    torch.save(without, tmp_path / "early.pth")  # so are the files of torch before 0.4.1, and that which is published
    early = ClassifierPlan(2, 1, 0, read_first_weights(tmp_path / "early.pth")).build()
    assert torch.equal(early.layer4[1].bn2.running_var, network.layer4[1].bn2.running_var)
    assert torch.equal(early.layer4[1].conv2.weight, weights["layer4.1.conv2.weight"])
    del weights["layer2.0.conv1.weight"]
    torch.save(weights, tmp_path / "resnet18.pth")
    with pytest.raises(RsforgeError) as raised:
        read_first_weights(tmp_path / "resnet18.pth")
    assert raised.value.code == "RSF-C007" and "layer2.0.conv1.weight" in raised.value.found


def test_weights_are_looked_for_in_torchs_cache(tmp_path):
    assert find_first_weights(None) is None and find_first_weights(tmp_path) == tmp_path
    path = tmp_path / "hub" / "checkpoints" / "resnet18-1.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_first_weights(None) == path
    published = path.with_name("resnet18-f37072fd.pth")
    published.touch()
    path.with_name("resnet18-z.pth").touch()
    assert find_first_weights(None) == published


def test_large_images_are_shrunk_and_small_ones_kept(monkeypatch):
    monkeypatch.setattr(scene_classifier, "LARGEST", 8)
    assert shrink(torch.zeros(1, 3, 16, 16)).shape[-1] == 8 and shrink(torch.ones(1, 3, 4, 4)).unique().tolist() == [
        255
    ]
