"""How well an image fits its caption in the eyes of CLIP. Hessel et al. 2021."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rsforge.data.clip_tokenizer import ClipTokenizer
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.pretrained.clip_folder import CONFIG, ClipModel, choose_text, read_clip
from rsforge.models.pretrained.json_files import read_object
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.evaluation import Batch, Figure, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.pretrained.load import check_special_ids, read_tokenizer

NAME, TOKENS = "clip_score", "tokens"
"""The figure, and the token ids of captions in batches; predictions with captions of their own have them too."""
ABSENT = "no --clip-model: name the folder of a CLIPModel"


@dataclass(frozen=True)
class ClipScorer:
    """A CLIP model with the tokenizer of its folder."""

    model: ClipModel
    tokenizer: ClipTokenizer
    folder: Path

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Token ids ``(B, N)``; longer captions lose their last pieces."""
        return self.tokenizer.encode(captions)

    def score(self, prediction: Prediction, batch: Batch) -> Tensor:
        """100 times the cosine of image and caption ``(B,)``, not below 0."""
        tokens = prediction.get(TOKENS, batch[TOKENS])
        texts = self.model.embed_texts(tokens, self.tokenizer.end)
        images = self.model.embed_images(prediction[IMAGE])
        return 100 * (images * texts).sum(1).clamp(min=0)

    @property
    def digest(self) -> str:
        """The digest of all weights."""
        parts = {"text": self.model.text, "vision": self.model.vision, "head": self.model.head}
        return checkpoint.digest_weights({name: network.state_dict() for name, network in parts.items()})

    def warn_of_long(self, captions: Sequence[str], console: Console) -> None:
        """A warning of captions whose last words CLIP does not read."""
        most = self.tokenizer.max_length
        if long := sum(count > most for count in self.tokenizer.count_tokens(captions)):
            console.warn(
                f"{long} of {len(captions)} captions have more than {most} tokens: CLIP does not read their ends"
            )


def open_scorer(folder: Path, device: torch.device, *, allow_pickle: bool) -> ClipScorer:
    """The scorer of a folder; RSF-C001, RSF-C003 or RSF-C006 for a tokenizer that is missing, foreign or another's."""
    model = read_clip(folder, allow_pickle=allow_pickle).to(device)
    tokenizer = read_tokenizer(folder)
    known = model.text.embeddings.token_embedding.num_embeddings
    if len(tokenizer) > known or tokenizer.max_length > model.text.max_length:
        found = f"{len(tokenizer)} tokens, {tokenizer.max_length} in a text; the model has {known} and "
        what = "the tokenizer is not that of the CLIP model"
        raise RsforgeError("RSF-C006", what, where=str(folder), found=f"{found}{model.text.max_length}")
    check_special_ids(tokenizer, choose_text(read_object(folder / CONFIG)), where=str(folder))
    return ClipScorer(model, tokenizer, folder)


def clip_figure(scorer: ClipScorer | None) -> Figure:
    """The figure, not measured without a scorer."""
    return Figure(NAME, "100 times the cosine", True, None if scorer is None else scorer.score)
