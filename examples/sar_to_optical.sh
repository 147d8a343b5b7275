#!/usr/bin/env bash
# From SAR and optical pairs with a table of regions and seasons to optical images of SAR images, in three commands:
# a text encoder of the prompts, a diffusion model told by SAR and prompt (its autoencoder is trained first, in the
# same folder), and images for pairs that were held out. The pairs are drawn, the models toys.
set -euo pipefail

rsforge data synth --kind pairs-csv --count 64 --size 32 --output-dir Dataset --seed 0

rsforge clip train --dataset_path Dataset --config clip-tiny --image-size 32 --epochs 5 --save_dir ./checkpoints/clip
rsforge diffusion train-sar --dataset_path Dataset --clip_checkpoint ./checkpoints/clip/best_clip.pt \
    --config diffusion-sar-tiny --epochs 10 --vae-epochs 4 --vae-perceptual no --validation-draws 8 \
    --save_dir ./checkpoints/model
rsforge sample dataset --model_checkpoint ./checkpoints/model/best_model.pt \
    --clip_checkpoint ./checkpoints/clip/best_clip.pt --dataset_path Dataset --output_dir ./results --num_samples 10 \
    --guidance_scale 1.5 --seed 1
