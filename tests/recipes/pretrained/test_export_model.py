"""Models exported with their adapters: the library draws the same from them."""

from __future__ import annotations

import json

import pytest
import torch

from rsforge import durable
from rsforge.engine.checkpoint import digest_weights
from rsforge.errors import RsforgeError
from rsforge.models.pretrained.write_adapter import write_kohya
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.export_model import EXPORTED, check_place, export_model, is_edited, seal
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.model_card import ModelFacts
from rsforge.samplers.noise_source import SeededNoise
from tests.worlds.adapters import make_updates
from tests.worlds.pretrained_model import make_model
from tests.worlds.stable_diffusion import SIZE, draw_theirs, load_pipeline, source_pipeline

PROMPTS = ["a river!", "trees"]
RECORD = {"file": "a", "weight": 1.0, "layers": 1, "sha256": "5"}
PIXEL = 2 / 255  # of images in [-1, 1]


def test_the_library_draws_the_same_with_the_adapter_merged(source, family, tmp_path):
    model, file, target = load_pretrained(source), tmp_path / "adapter.safetensors", tmp_path / "exported"
    updates = make_updates(model.unet, ("to_q", "to_k", "to_v", "to_out.0"), rank=2, alpha=4.0)
    write_kohya(file, {"unet": updates})
    records = merge_adapters(model, [(file, 0.8)])
    export_model(model, target, ModelFacts("X", {"pipeline": "somewhere"}, adapters=records))
    latents = SeededNoise(5, [0, 1]).draw(torch.empty(2, 4, SIZE, SIZE))
    options = {"steps": 3, "guidance_scale": 2.0}
    theirs = draw_theirs(load_pipeline(target), latents, PROMPTS, **options)
    pipeline = model.pipeline()
    ours = pipeline.draw([0, 1], pipeline.walk("ddim", 3), seed=5, guide=model.guide(PROMPTS, 2.0))
    assert (ours - theirs).abs().max() < 1e-4  # a hundredth of a grey level
    before = draw_theirs(source_pipeline(family, "DDIMScheduler"), latents, PROMPTS, **options)
    assert (ours - before).abs().max() > PIXEL


def test_card_and_provenance_lie_beside_the_parts(tmp_path):
    model, target = make_model(), tmp_path / "out"
    facts = ModelFacts("A title", {"pipeline": "p"}, adapters=[RECORD], license="mit",
                       datasets=("d",), metrics={"fid": 3.0}, settings={"lr": 1.0})  # fmt: skip
    files = export_model(model, target, facts)
    assert [path.relative_to(target).as_posix() for path in files] == EXPORTED and EXPORTED[-1] == "model_index.json"
    assert {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()} == {*EXPORTED, durable.LOCK}
    assert "# A title" in (target / "README.md").read_text()
    told = json.loads((target / "rsforge.json").read_text())
    assert told["weights"]["unet"] == digest_weights(load_pretrained(target).unet.state_dict())
    assert (told["source"], told["license"], told["datasets"]) == ({"pipeline": "p"}, "mit", ["d"])
    assert (told["adapters"][0]["sha256"], told["metrics"], told["settings"]) == ("5", {"fid": 3.0}, {"lr": 1.0})


def test_what_is_there_stays_unless_it_is_to_be_replaced(tmp_path, monkeypatch):
    model, target, facts = make_model(), tmp_path / "out", ModelFacts("X", {})
    target.mkdir()
    (target / "README.md").write_text("mine")
    with pytest.raises(RsforgeError, match=r"holds README\.md already") as caught:
        export_model(model, target, facts)
    assert caught.value.code == "RSF-U004" and (target / "README.md").read_text() == "mine"
    export_model(model, target, facts, overwrite=True)
    with pytest.raises(RsforgeError, match="holds a model already"):
        check_place(target, overwrite=False)
    calls = []

    def fail(operation):
        calls.append(operation)
        if operation == "rename" and calls.count("rename") == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", fail)
    with pytest.raises(OSError, match="No space"):
        export_model(model, target, facts, overwrite=True)
    # The new card stands beside no model, not beside the one of before.
    assert not (target / "model_index.json").exists() and not list(target.rglob(f"{durable.TEMPORARY}*"))


def test_a_card_tells_by_itself_whether_a_person_changed_it(tmp_path):
    card, written = tmp_path / "README.md", seal("# Fields\n")
    assert not is_edited(tmp_path)
    card.write_text(written)
    assert not is_edited(tmp_path) and written.startswith("# Fields\n")
    for changed in (written + "\n", written.replace("Fields", "Rivers"), "# Fields\n", "", "\u00e9"):
        card.write_text(changed)
        assert is_edited(tmp_path)
    card.write_bytes(b"\xff")
    assert is_edited(tmp_path)
