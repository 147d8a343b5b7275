"""Images that are drawn once: kept with how they were drawn, found again, and never mixed with others."""

from __future__ import annotations

import pytest
import torch

from rsforge.errors import RsforgeError
from rsforge.recipes.text_evaluation.drawn_images import check_drawn, draw_images
from tests.worlds.consoles import RecordingConsole


class Painter:
    """Images of one grey each, by their number; counts what it was asked for."""

    def __init__(self, broken: int = -1) -> None:
        self.asked: list[int] = []
        self.broken = broken

    def __call__(self, numbers):
        self.asked += numbers
        if self.broken in numbers:
            raise KeyboardInterrupt
        return torch.stack([torch.full((3, 4, 4), -1 + n / 10) for n in numbers])


def draw(painter, place, record=None, *, overwrite=False, console=None):
    console = console or RecordingConsole()
    record = record or {"seed": 1}
    return draw_images(painter, 5, place, record, console, batch_size=2, overwrite=overwrite)


def test_images_in_memory_and_in_a_folder_are_the_same(tmp_path):
    kept, stored = draw(Painter(), None), draw(Painter(), tmp_path)
    assert torch.equal(kept.read([4, 0]), stored.read([4, 0]))
    assert stored.read([4])[0, 0, 0, 0] == pytest.approx(-0.6, abs=1 / 127)


def test_an_interrupted_drawing_goes_on_where_it_stopped(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        draw(Painter(broken=2), tmp_path)
    painter, console = Painter(), RecordingConsole()
    images = draw(painter, tmp_path, console=console)
    assert painter.asked == [2, 3, 4] and console.has_line("2 of 5 images were drawn before")
    assert torch.equal(images.read(range(5)), draw(Painter(), None).read(range(5)))


def test_images_that_were_drawn_otherwise_are_refused_or_replaced(tmp_path):
    draw(Painter(), tmp_path)
    check_drawn(tmp_path, {"seed": 1}, overwrite=False)
    for check in (lambda: draw(Painter(), tmp_path, {"seed": 2}), lambda: check_drawn(tmp_path, {}, overwrite=False)):
        with pytest.raises(RsforgeError, match="drawn otherwise") as raised:
            check()
        assert raised.value.code == "RSF-U004" and "--overwrite" in raised.value.fix
    painter = Painter()
    draw(painter, tmp_path, {"seed": 2}, overwrite=True)
    assert painter.asked == [0, 1, 2, 3, 4]


def test_images_that_are_not_finite_are_named_and_not_kept(tmp_path):
    with pytest.raises(RsforgeError) as raised:
        draw(lambda numbers: torch.full((len(numbers), 3, 4, 4), torch.nan), tmp_path)
    assert raised.value.code == "RSF-T004" and not list((tmp_path / "drawn").glob("*.png"))
    console = RecordingConsole()
    draw(lambda numbers: torch.zeros(len(numbers), 3, 4, 4), tmp_path, console=console)
    assert console.has_line("5 images have one colour everywhere (000000.png")
