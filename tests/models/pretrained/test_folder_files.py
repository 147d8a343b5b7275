"""Which of the files of a part is read."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.folder_files import DIFFUSERS, TRANSFORMERS, check_variant, list_variants, open_part

SAFE = "diffusion_pytorch_model{}.safetensors"


def _write(folder, value, name):
    save_file({"w": torch.full((1,), float(value))}, folder / name)


def _value(*args, **options):
    return float(open_part(*args, **options).read("w"))


def test_the_variant_that_is_asked_for_is_read_where_it_is(tmp_path):
    _write(tmp_path, 1, SAFE.format(""))
    _write(tmp_path, 2, SAFE.format(".fp16"))
    assert _value(tmp_path, DIFFUSERS) == 1 and _value(tmp_path, DIFFUSERS, variant="fp16") == 2
    assert _value(tmp_path, DIFFUSERS, variant="non_ema") == 1
    (tmp_path / SAFE.format("")).unlink()
    assert _value(tmp_path, DIFFUSERS) == 2
    _write(tmp_path, 3, SAFE.format(".non_ema"))
    assert list_variants(tmp_path, DIFFUSERS) == ["fp16", "non_ema"]
    with pytest.raises(RsforgeError, match="several variants") as caught:
        open_part(tmp_path, DIFFUSERS)
    assert (caught.value.code, caught.value.found) == ("RSF-C001", "fp16, non_ema")
    assert "--variant" in caught.value.fix


def test_a_variant_that_no_part_has_is_refused(tmp_path):
    parts = {tmp_path / part: DIFFUSERS for part in ("unet", "vae")}
    for folder in parts:
        folder.mkdir()
        _write(folder, 1, SAFE.format(""))
    with pytest.raises(RsforgeError, match="no part of the model has a variant fp61") as caught:
        check_variant(parts, "fp61")
    assert (caught.value.code, caught.value.found) == ("RSF-C001", "plain weights alone")
    _write(tmp_path / "vae", 2, SAFE.format(".fp16-00001-of-00002"))
    check_variant(parts, "fp16")
    with pytest.raises(RsforgeError) as caught:
        check_variant(parts, "fp1")
    assert caught.value.found == "variants fp16"


@pytest.mark.parametrize("mark", ["", ".fp16"])
def test_shards_are_read_through_their_index(tmp_path, mark):
    shard = f"diffusion_pytorch_model{mark}-00001-of-00001.safetensors"
    _write(tmp_path, 4, shard)
    index = tmp_path / f"diffusion_pytorch_model.safetensors.index{mark}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"w": shard}}))
    assert _value(tmp_path, DIFFUSERS, variant=mark.strip(".") or None) == 4 == _value(tmp_path, DIFFUSERS)


def test_pickles_are_refused_unless_allowed(tmp_path):
    torch.save({"w": torch.full((1,), 5.0)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(RsforgeError, match="pickled") as caught:
        open_part(tmp_path, TRANSFORMERS)
    assert (caught.value.code, caught.value.exit) == ("RSF-C003", 4) and "--allow-pickle" in caught.value.fix
    assert _value(tmp_path, TRANSFORMERS, allow_pickle=True) == 5
    _write(tmp_path, 6, "model.safetensors")
    assert _value(tmp_path, TRANSFORMERS, allow_pickle=True) == 6
    torch.save({"w": torch.full((1,), 7.0)}, tmp_path / "shard.bin")
    index = {"weight_map": {"w": "shard.bin"}}
    (tmp_path / "diffusion_pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert _value(tmp_path, DIFFUSERS, allow_pickle=True) == 7


def test_a_part_without_weights_is_named(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").touch()
    for folder, found in [(tmp_path / "unet", "it holds config.json"), (tmp_path / "vae", "no such folder")]:
        with pytest.raises(
            RsforgeError, match=f"{folder.name}/diffusion_pytorch_model.safetensors not found"
        ) as caught:
            open_part(folder, DIFFUSERS)
        assert (caught.value.code, caught.value.found) == ("RSF-C001", found)
