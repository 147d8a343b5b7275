"""Landmarks move with the content of an image."""

from __future__ import annotations

import numpy as np

from rsforge.data.splits import landmarks
from rsforge.data.splits.landmarks import find_landmarks, match_landmarks
from tests.worlds.cut_patches import draw_texture

TEXTURE = draw_texture(96, 96, 0).astype(np.float32)


def places_of(marks) -> dict[tuple[int, int], int]:
    return {tuple(place): int(word) for place, word in zip(marks.places.tolist(), marks.words.tolist(), strict=True)}


def test_a_part_has_the_landmarks_of_the_whole():
    whole, part = places_of(find_landmarks(TEXTURE)), places_of(find_landmarks(TEXTURE[13:, 22:]))
    moved = {(row + 13, col + 22): word for (row, col), word in part.items() if min(row, col) > 16}
    assert len(moved) > 20 and all(whole.get(place) == word for place, word in moved.items())


def test_brightness_changes_nothing_and_a_negative_changes_every_word():
    marks, brighter = find_landmarks(TEXTURE), find_landmarks(TEXTURE * 1.5 + 20)
    assert places_of(marks).items() <= places_of(brighter).items()
    negative = places_of(find_landmarks(-TEXTURE))
    assert all(negative[place] >> 48 != word >> 48 for place, word in places_of(marks).items())
    assert negative.keys() == places_of(marks).keys() and not places_of(marks).items() & negative.items()


def test_flat_and_tiny_images_have_no_landmarks():
    for image in (np.full((40, 40), 7, np.float32), TEXTURE[:12, :90], np.zeros((1, 1), np.float32)):
        assert not len(find_landmarks(image).words)
    assert match_landmarks([]) == [] and match_landmarks([find_landmarks(TEXTURE[:12])]) == []


def test_of_too_many_landmarks_the_strongest_are_kept(monkeypatch):
    every = find_landmarks(TEXTURE)
    monkeypatch.setattr(landmarks, "MOST_LANDMARKS", 30)
    kept = find_landmarks(TEXTURE)
    assert len(kept.words) == 30 < len(every.words) and kept.places.tolist() == sorted(kept.places.tolist())
    assert places_of(kept).items() <= places_of(every).items()


def test_images_are_laid_on_each_other_by_most_landmarks():
    first, other = find_landmarks(TEXTURE[:64, :64]), find_landmarks(draw_texture(64, 64, 1).astype(np.float32))
    second = find_landmarks(TEXTURE[11:75, 30:94])
    match, *others = match_landmarks([first, other, second])
    assert match[:4] == (0, 2, 11, 30) and match.votes > 10
    assert all(one.votes < 4 for one in others)


def test_many_copies_are_linked_in_a_chain():
    copies = [find_landmarks(TEXTURE)] * 40
    matches = match_landmarks(copies)
    assert {(one.first, one.second) for one in matches} >= {(k, k + 1) for k in range(39)}
    assert len(matches) < 40 * landmarks.NEIGHBOURS + 1 and {one[2:4] for one in matches} == {(0, 0)}
