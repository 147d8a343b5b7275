"""What is published is named by its digest, and looked for in torch's cache alone."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.published_weights import INCEPTION, PUBLISHED


@pytest.mark.parametrize("weights", PUBLISHED.values(), ids=str)
def test_the_name_of_the_file_begins_its_digest_as_torch_checks_it(weights):
    assert len(weights.sha256) == 64
    assert weights.file.removesuffix(".pth").rpartition("-")[2] == weights.sha256[:8]
    assert weights.source.startswith("https://") and weights.source.endswith(weights.file)


def test_files_of_either_program_are_found_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    assert INCEPTION.find() is None and str(tmp_path / "checkpoints") in INCEPTION.where_looked()
    (tmp_path / "checkpoints").mkdir()
    for name in ("pt_inception-2015-12-05-6726825d.pth", INCEPTION.file):
        (tmp_path / "checkpoints" / name).touch()
        assert INCEPTION.find().name == name
