"""Models for other programs, from their checkpoints alone."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import rsforge as package
from rsforge.errors import RsforgeError
from tests.worlds.clip import write_checkpoint as write_clip
from tests.worlds.cyclegan import write_checkpoint

HEAVY = ("torch", "torchvision", "pydantic", "numpy", "PIL", "rasterio", "pandas", "pyarrow", "scipy", "torchmetrics")
README = Path(__file__).parents[3] / "README.md"


def snippets() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def test_each_kind_does_what_its_class_says(job, tmp_path):
    vae = package.load(job.vae / "best_model.pt", package.LoadedAutoencoder)
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    assert vae.kind == "vae" and vae.image_size == 16 and vae.encode(x).shape == (2, 8)
    assert torch.equal(vae.reconstruct(x), vae.network(x).clamp(-1, 1))
    sampler = package.load(str(job.diffusion / "best_model.pt"), package.LoadedSampler, device="cpu")
    drawn = sampler.draw(18, seed=3, steps=2)
    assert drawn.shape == (18, 3, 16, 16) and torch.allclose(sampler.draw(2, seed=3, steps=2), drawn[:2], atol=1e-5)
    write_checkpoint(tmp_path / "gan.pt")
    gan = package.load(tmp_path / "gan.pt", package.LoadedTranslator)
    optical = gan.to_optical(torch.zeros(1, 1, 64, 32))
    assert optical.shape == (1, 3, 64, 32) and gan.to_sar(optical).shape == (1, 1, 64, 32)
    with pytest.raises(ValueError, match="multiples of"):
        gan.to_sar(torch.zeros(1, 3, 30, 32))


def test_drawn_images_that_are_not_finite_are_refused(job):
    sampler = package.load(job.diffusion / "best_model.pt", package.LoadedSampler, device="cpu")
    broken = replace(sampler, pipeline=replace(sampler.pipeline, mean=sampler.pipeline.mean + torch.nan))
    with pytest.raises(RsforgeError, match="2 images of the model are not finite") as caught:
        broken.draw(2, seed=3, steps=2)
    assert caught.value.code == "RSF-T004" and caught.value.where == "image 0; image 1"


def test_a_text_encoder_brings_its_words_and_its_template(tmp_path):
    nets, _ = write_clip(tmp_path / "clip.pt")
    text = package.load(tmp_path / "clip.pt", package.LoadedTextEncoder, device="cpu")
    prompt = text.template.format({"region": "arctic"})
    context, mask = text.encode([prompt, ""])
    assert context.shape == (2, 12, 8) and mask.sum(1).tolist() == [5, 2]
    torch.testing.assert_close(context, nets["text_encoder"].eval()(text.tokenizer.encode([prompt, ""])).detach())


def test_a_model_of_another_kind_is_refused(job):
    with pytest.raises(RsforgeError, match="of kind vae") as caught:
        package.load(job.vae / "best_model.pt", package.LoadedSampler)
    assert caught.value.code == "RSF-C004"
    assert isinstance(package.load(job.vae / "best_model.pt"), package.LoadedAutoencoder)


def test_the_package_alone_imports_no_torch():
    code = "import sys, rsforge; assert 'torch' not in sys.modules; rsforge.load; assert 'torch' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_the_snippets_of_the_readme_are_typed(tmp_path):
    """Heavy libraries are not followed, which leaves what the snippets are about: our own signatures."""
    pytest.importorskip("mypy")
    heavy = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\nignore_missing_imports = True\n" for name in HEAVY)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\nfollow_imports = silent\n{heavy}")
    files = [tmp_path / f"snippet_{number}.py" for number in range(len(snippets()) + 1)]
    for file, text in zip(files, [*snippets(), "import rsforge\n\nrsforge.load(3)\n"], strict=True):
        file.write_text(text)
    line = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", ".cache", *map(str, files)]
    source = str(Path(package.__file__).parents[1])
    told = subprocess.run(line, cwd=tmp_path, env={"MYPYPATH": source}, capture_output=True, text=True, check=False)
    (error, *_) = told.stdout.splitlines()
    assert f"{files[-1].name}:3: error" in error and "Found 1 error in 1 file" in told.stdout, told.stdout + told.stderr


def test_the_first_snippet_of_the_readme_runs(job, monkeypatch, tmp_path, capsys):
    (tmp_path / "vae_models").symlink_to(job.vae)
    (tmp_path / "diffusion_models").symlink_to(job.diffusion)
    monkeypatch.chdir(tmp_path)
    (snippet,) = [text for text in snippets() if "rsforge.load" in text]
    exec(compile(snippet, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("torch.Size([4, 3, 16, 16])")
