"""Tiny Stable Diffusion models of both families, made by the libraries that publish them, as folders and as files."""

from __future__ import annotations

import json
import shutil
import warnings
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from tests.worlds.clip_tokens import vocabulary, write_tables

END = "<|endoftext|>"
SIZE = 8  # of latents
FAMILIES = {
    "1.x": {
        "unet": {"attention_head_dim": 8, "cross_attention_dim": 64},
        "text": {"hidden_size": 64, "num_attention_heads": 1, "num_hidden_layers": 2, "hidden_act": "quick_gelu"},
        "pad": END,
        "scheduler": {"prediction_type": "epsilon"},
    },
    "2.x": {
        "unet": {"attention_head_dim": (1, 2), "cross_attention_dim": 128, "use_linear_projection": True,
                 "block_out_channels": (64, 128)},
        "text": {"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 3, "hidden_act": "gelu"},
        "pad": "!",
        "scheduler": {"prediction_type": "v_prediction"},
    },
}  # fmt: skip
PNDM = {
    "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1,
    "set_alpha_to_one": False,
}  # fmt: skip


def quietly(function):
    """What the libraries say of their own future is not of interest."""

    def silent(*args, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **options)

    return silent


@quietly
def make_parts(family: str, **unet_options):
    """The library's networks, moved off their first values so that no shortcut can imitate them."""
    import diffusers
    import transformers

    facts = FAMILIES[family]
    torch.manual_seed(3)
    unet = diffusers.UNet2DConditionModel(
        **{"block_out_channels": (32, 64), **facts["unet"], **unet_options}, sample_size=SIZE, layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=2 * SIZE,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    words = vocabulary()
    ids = {"bos_token_id": words["<|startoftext|>"], "eos_token_id": words[END], "pad_token_id": words[facts["pad"]]}
    config = transformers.CLIPTextConfig(
        vocab_size=len(words), intermediate_size=4 * facts["text"]["hidden_size"], **facts["text"], **ids
    )
    text = transformers.CLIPTextModel(config)
    with torch.no_grad():
        for network in (unet, vae, text):
            for parameter in network.eval().parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape))
    return unet, vae, text


@quietly
def make_pipeline(family: str, tokenizer_folder: Path, scheduler: str = "PNDMScheduler", **options):
    import diffusers
    import transformers

    unet, vae, text = make_parts(family)
    write_tables(
        tokenizer_folder,
        config={"model_max_length": 77, "pad_token": FAMILIES[family]["pad"], "tokenizer_class": "CLIPTokenizer"},
    )
    own = {"skip_prk_steps": True} if scheduler == "PNDMScheduler" else {}
    return diffusers.StableDiffusionPipeline(
        unet=unet, vae=vae, text_encoder=text, safety_checker=None, feature_extractor=None,
        requires_safety_checker=False, tokenizer=transformers.CLIPTokenizer.from_pretrained(tokenizer_folder),
        scheduler=getattr(diffusers, scheduler)(**PNDM, **own, **FAMILIES[family]["scheduler"], **options),
    )  # fmt: skip


@lru_cache
def source_folder(family: str) -> Path:
    """The folder that the library saves, made once a process; copy what is changed."""
    folder = Path(mkdtemp(prefix="stable-diffusion-"))
    quietly(make_pipeline(family, folder / "words").save_pretrained)(folder / "model")
    return folder / "model"


def copy_folder(family: str, target: Path) -> Path:
    shutil.copytree(source_folder(family), target)
    return target


def edit_json(path: Path, **changes) -> None:
    """Change keys of a JSON file; None removes one."""
    value = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not None}))


@lru_cache
def source_pipeline(family: str, scheduler: str | None = None):
    """The library's pipeline of ``source_folder``, loaded once a process."""
    return load_pipeline(source_folder(family), scheduler)


@quietly
def load_pipeline(folder: Path, scheduler: str | None = None):
    """The library's pipeline of a folder, drawing by its own scheduler or by another of the same configuration."""
    import diffusers

    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    if scheduler:
        config = pipeline.scheduler.config
        # What the pipeline itself corrects of schedulers that it loads.
        own = {"clip_sample": False} if scheduler == "DDIMScheduler" else {}
        pipeline.scheduler = getattr(diffusers, scheduler).from_config(config, **own)
    return pipeline


@quietly
def draw_theirs(pipeline, latents, prompts, *, steps, guidance_scale, negative=None, guidance_rescale=0.0):
    """Images of the library in [-1, 1] from ``latents``."""
    images = pipeline(
        prompts, latents=latents.clone(), num_inference_steps=steps, guidance_scale=guidance_scale,
        guidance_rescale=guidance_rescale, negative_prompt=negative, height=2 * SIZE, width=2 * SIZE, output_type="pt",
    ).images  # fmt: skip
    return images * 2 - 1
