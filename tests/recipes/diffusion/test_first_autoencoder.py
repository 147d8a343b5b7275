"""The autoencoder that is trained first: on the training pairs alone, and not twice."""

from __future__ import annotations

import shutil

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.recipes.diffusion.first_autoencoder import BothModalities
from tests.worlds.commands import rsforge
from tests.worlds.sar_diffusion import LINE

CPU = torch.device("cpu")
VAE = "--vae {} "


class NumberedPairs:
    """Pairs whose SAR image is all their number, and whose optical image is its negative."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"pair {index}"

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((1, 2, 2), float(key[1])), torch.full((3, 2, 2), -float(key[1]))


@pytest.mark.parametrize(
    ("count", "share", "expected"),
    [(4, 1.0, [0, 1, 2, 3]), (10, 0.2, [0, 5]), (7, 0.5, [0, 1, 3, 5]), (3, 0.01, [0]), (0, 0.5, [])],
)
def test_a_share_of_the_sar_images_is_taken_evenly_behind_all_optical_ones(count, share, expected):
    both = BothModalities(NumberedPairs(count), 1, share)
    images = [both[0, index] for index in range(len(both))]
    assert all(image.shape == (3, 2, 2) for image in images)
    assert [float(image[0, 0, 0]) for image in images] == [*(-k for k in range(count)), *expected]
    names = [*(f"pair {k} (optical)" for k in range(count)), *(f"pair {k} (SAR)" for k in expected)]
    assert [both.name(index) for index in range(len(both))] == names


def test_an_autoencoder_that_was_trained_before_is_not_trained_again(sar_world, tmp_path, capsys):
    shutil.copytree(sar_world.model / "autoencoder", tmp_path / "run" / "autoencoder")
    before = (tmp_path / "run" / "autoencoder" / "best_model.pt").read_bytes()
    assert rsforge(LINE + "--epochs 1", sar_world.pairs, sar_world.clip, tmp_path / "run") == 0
    assert "finished   already" in capsys.readouterr().err
    assert (tmp_path / "run" / "autoencoder" / "best_model.pt").read_bytes() == before


def test_the_autoencoder_learns_from_training_pairs_alone_and_from_both_modalities(sar_world):
    states = [checkpoint.load(sar_world.model / name) for name in ("autoencoder/best_model.pt", "best_model.pt")]
    for side in ("train", "held_out"):
        assert states[0]["images"][side] == 2 * states[1]["images"][side]


def test_what_cannot_be_trained_is_refused_before_an_autoencoder_is_replaced(sar_world, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(sar_world.model, run)
    before = (run / "autoencoder" / "best_model.pt").read_bytes()
    for words in ("--rotate-deg 10", "--unet-num-heads 3"):
        assert rsforge(f"{LINE} --overwrite {words}", sar_world.pairs, sar_world.clip, run) == 2
    assert (run / "autoencoder" / "best_model.pt").read_bytes() == before
    assert (run / "latest_model.pt").is_file()


def test_a_run_that_is_in_the_way_is_said_before_an_autoencoder_is_trained(sar_world, tmp_path, capsys):
    (tmp_path / "latest_model.pt").write_bytes(b"mine")
    assert rsforge(LINE, sar_world.pairs, sar_world.clip, tmp_path) == 2
    assert "RSF-U004" in capsys.readouterr().err and not (tmp_path / "autoencoder").exists()
