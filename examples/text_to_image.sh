#!/usr/bin/env bash
# From a Parquet file of captioned images to a text-to-image model that diffusers loads, and its fine-tuning on other
# images, as a published Stable Diffusion folder would be fine-tuned. The images are drawn, the models toys.
set -euo pipefail

rsforge data synth --kind captions --count 96 --size 32 --output-dir drawn --seed 0
rsforge data parquet-to-jsonl --parquet_path drawn --output_dir output_directory --resolution 32 --captions all

rsforge diffusion finetune --data-dir output_directory/rsicd_images --output-dir small --config finetune-tiny \
    --max-train-steps 60 --vae-perceptual no --validation-draws 8 --report-to none

rsforge data synth --kind captions --count 32 --size 32 --output-dir others --seed 1
rsforge data parquet-to-jsonl --parquet_path others --output_dir other_directory --resolution 32

export MODEL_NAME=small DATA_DIR=other_directory/rsicd_images OUTPUT_DIR=RemoteDiff
rsforge diffusion finetune --resolution=32 --train_batch_size=4 --gradient_accumulation_steps=2 --max_train_steps=20 \
    --learning_rate=1e-04 --max_grad_norm=1 --lr_scheduler=constant --lr_warmup_steps=0 --mixed_precision=fp16 \
    --gradient_checkpointing --use_ema --checkpointing_steps=10 --validation_epochs=10 --validation-draws 8 \
    --validation_prompt="a satellite image of farmland" --report_to=none
rsforge sample --pipeline RemoteDiff --prompt "a coast with a sandy beach" --num-inference-steps 10 \
    --guidance-scale 3 --num-images 4 --seed 1 --output coast.png

# The same images as adapters of a few thousand weights beside the frozen model, for this and other programs.
rsforge diffusion finetune --output-dir fields --lora-rank 4 --lr 1e-3 --resolution=32 --train_batch_size=4 \
    --gradient_accumulation_steps=1 --max_train_steps=20 --validation-draws 8 --report_to=none
rsforge sample --pipeline small --lora fields/pytorch_lora_weights.safetensors:0.8 --prompt "a coast with a sandy beach" \
    --num-inference-steps 10 --guidance-scale 3 --num-images 4 --seed 1 --output adapted.png
rsforge diffusion export --checkpoint fields/best_model.pt --title "Drawn scenes" --license cc0-1.0 --output-dir exported
