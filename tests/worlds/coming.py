"""The settings files that the first document shows, as it shows them."""

from __future__ import annotations

CLIP_CONFIG = """{
    "model": {
        "vocab_size": 1000,
        "embedding_dim": 768,
        "max_length": 77,
        "num_heads": 12,
        "num_layers": 12
    },
    "training": {
        "batch_size": 32,
        "learning_rate": 1e-4,
        "weight_decay": 0.01,
        "epochs": 50,
        "warmup_steps": 1000,
        "save_every": 5
    },
    "data": {
        "train_split": 0.8,
        "num_workers": 4,
        "pin_memory": true
    }
}
"""
MODEL_CONFIG = """{
    "clip_config": {
        "n_vocab": 1000,
        "n_embd": 768,
        "max_length": 77,
        "n_head": 12,
        "n_layers": 12
    },
    "diffusion_config": {
        "in_channels": 8,
        "out_channels": 4,
        "model_channels": 320,
        "attention_resolutions": [4, 2, 1],
        "num_res_blocks": 2,
        "channel_mult": [1, 2, 4, 4],
        "num_heads": 8,
        "use_spatial_transformer": true,
        "context_dim": 768
    },
    "training": {
        "batch_size": 4,
        "learning_rate": 1e-4,
        "weight_decay": 0.01,
        "epochs": 100,
        "warmup_steps": 2000,
        "save_every": 10,
        "validate_every": 5,
        "mixed_precision": true,
        "gradient_accumulation_steps": 4,
        "max_grad_norm": 1.0
    },
    "data": {
        "train_split": 0.8,
        "num_workers": 4,
        "pin_memory": true
    }
}
"""
