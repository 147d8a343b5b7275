"""Every command line of the five source documents and of the command tree, its head replaced by ``rsforge``.

Lines of ``COMING`` belong to commands or options that do not exist yet; who makes them moves them to ``LINES``.
"""

from __future__ import annotations

ALL = "training_data/corel/corel_all"
ONE = "training_data/corel/class_0001"
BEST = "--diffusion-checkpoint diffusion_models/best_model.pt --vae-checkpoint vae_models/best_model.pt"
CLIP = "--clip_checkpoint ./checkpoints/clip/best_clip.pt"
TRAIN_SH = (
    "diffusion finetune --pretrained-model sd --train-data-dir rsicd_images --output-dir RemoteDiff "
    "--resolution=512 --train_batch_size=1 --validation_prompt='A satellite image of a crop field' "
    "--learning_rate=1e-06 --gradient_accumulation_steps=4 --max_train_steps=3500 --max_grad_norm=1 "
    '--lr_scheduler="constant" --lr_warmup_steps=0 --mixed_precision="fp16" --gradient_checkpointing --use_ema '
    "--checkpointing_steps=500 --validation_epochs=10 --report_to=wandb"
)
MODEL = f"--model_checkpoint ./checkpoints/model/best_model.pt {CLIP}"

LINES = {
    "000": [
        "data stats --dataset-path Dataset",
        "clip train --dataset_path ../Dataset --config_file configs/clip_config.json",
        "clip train --dataset_path ../Dataset --batch_size 32 --learning_rate 1e-4 --epochs 50 "
        "--save_dir ./checkpoints/clip --log_dir ./logs/clip --vocab_size 1000 --embedding_dim 768 --max_length 77 "
        "--num_heads 12 --num_layers 12",
        "clip train --dataset_path ../Dataset --resume_from ./checkpoints/clip/clip_epoch_10.pt",
        "clip train --dataset_path ../Dataset --batch_size 32 --epochs 50 --learning_rate 1e-4 "
        "--save_dir ./checkpoints/clip",
        f"diffusion train-sar --dataset_path ../Dataset {CLIP} --config_file configs/model_config.json",
        f"diffusion train-sar --dataset_path ../Dataset {CLIP} --batch_size 4 --learning_rate 1e-4 --epochs 100 "
        "--save_dir ./checkpoints/model --log_dir ./logs/model --mixed_precision --gradient_accumulation_steps 4",
        "diffusion train-sar --dataset_path ../Dataset --resume_from ./checkpoints/model/model_epoch_20.pt",
        f"sample --mode single {MODEL} --input_image path/to/sar_image.png --region tropical --season summer "
        "--output_path generated_image.png --guidance_scale 7.5 --num_inference_steps 50",
        f"sample --mode batch {MODEL} --input_dir ./test_images --regions tropical temperate arctic --seasons winter "
        "spring summer autumn --output_dir ./generated_images --guidance_scale 7.5 --num_inference_steps 50",
        f"sample --mode dataset {MODEL} --dataset_path ../Dataset --output_dir ./dataset_results --num_samples 20 "
        "--guidance_scale 7.5 --num_inference_steps 50",
        f"sample single {MODEL} --input_image path/to/sar_image.png --region tropical --season summer --strength 0.8",
        f"sample batch {MODEL} --input_dir ./test_images --regions tropical --seasons winter --seed 1",
        f"sample dataset {MODEL} --dataset_path ../Dataset --output_dir ./results --num_samples 50",
        "diffusion train-sar --dataset_path ../Dataset --config_file configs/model_config.json --dry_run",
        "diffusion train-sar --dataset_path ../Dataset --processes 4",
        "diffusion train-sar --dataset_path ../Dataset --batch_size 2 --gradient_accumulation_steps 8 "
        "--mixed_precision --learning_rate 5e-5 --max_grad_norm 0.5 --warmup_steps 2000 --num_workers 8 --pin_memory "
        "--validate_every 10",
        f"diffusion train-sar --dataset_path ../Dataset {CLIP} --batch_size 4 --epochs 100 --learning_rate 1e-4 "
        "--mixed_precision --save_dir ./checkpoints/model",
    ],
    "001": [
        "cyclegan train --data-dir v_2 --terrains agri --max-per-terrain 1000 --lr-gen 2e-4 --lr-disc 2e-4 "
        "--batch-size 1 --epochs 100 --image-size 256 --lambda-cycle 10 --lambda-l1 100 --lambda-content 1",
        "cyclegan translate --checkpoint cyclegan_models/best_model.pt --input v_2/agri/s1 --output translated",
        "cyclegan export --checkpoint cyclegan_models/best_model.pt --output-dir exported",
    ],
    "002": [
        "diffusion finetune",
        "diffusion finetune --pretrained-model sd --train-data-dir rsicd_images --output-dir RemoteDiff",
        TRAIN_SH,
        f"{TRAIN_SH} --push_to_hub",
        f"{TRAIN_SH} --lora-rank 4 --lr 1e-4",
        "diffusion finetune --pretrained_model_name_or_path=sd --train_data_dir=rsicd_images --use_ema "
        "--resolution=224 --center_crop --random_flip --train_batch_size=1 --gradient_accumulation_steps=4 "
        "--gradient_checkpointing --max_train_steps=3500 --learning_rate=1e-06 --max_grad_norm=1 "
        "--lr_scheduler=constant --lr_warmup_steps=0 --checkpointing_steps=500 --validation_epochs=10 "
        "--validation_prompt='A satellite image of a crop field' --report_to=wandb --output_dir=RemoteDiff",
        "diffusion finetune --data-dir rsicd_images --config finetune-tiny",
        "sample --pipeline RemoteDiff --prompt field --num-inference-steps 100 --guidance-scale 7.5",
        "diffusion evaluate --pipeline RemoteDiff --data-dir rsicd_images --ddim-steps 100 --guidance-scale 7.5",
        "diffusion evaluate-text --pretrained-model sd --train-data-dir rsicd_images --max-images 100 --json",
        "data parquet-to-jsonl --parquet_path /path/to/train.parquet --output_dir /path/to/output_directory "
        "--caption_file captions.txt",
        "data captions-to-jsonl --caption_file /path/to/captions.txt --output_file metadata.jsonl",
    ],
    "003": [
        "hsi train-spectral --data-dir outputs/dataset_small --output-dir outputs/stage1_training --epochs 100 "
        "--batch-size 4 --lr 1e-4 --model spectral_sr --val-fraction 0.2",
        "hsi train-stage1 --data-dir outputs/dataset_small --model spectral_unmixing --checkpoint C",
        "hsi train-spectral --data-dir outputs/dataset_small --batch-size 1 --lr 1e-5 --sam-weight 0.2 "
        "--spectral-grad-weight 0.05",
        "hsi train-stage1",
        "hsi train-spatial --data-dir outputs/dataset_small --stage1-checkpoint C --model lightweight",
        "hsi train-stage2 --data-dir outputs/dataset_small --stage1-checkpoint C --model spatial_sr",
        "hsi train-stage2 --data-dir outputs/dataset_small --stage1-checkpoint outputs/stage1_training/best_model.pth "
        "--output-dir outputs/stage2_training --model spatial_sr --num-features 64 --num-groups 4 --num-blocks 4 "
        "--epochs 100 --batch-size 4 --lr 1e-4 --val-fraction 0.2",
        "hsi train-spatial --source truth --scale 15/2",
        "hsi train-spatial",
        "hsi evaluate --stage1-checkpoint A --stage2-checkpoint B --data-dir outputs/dataset_small --output-dir "
        "evaluation",
        "hsi evaluate --checkpoint A --data-dir outputs/dataset_small --json",
        "hsi evaluate",
        "hsi selftest",
    ],
    "004": [
        f"vae train --data-dir {ALL} --output-dir vae_models",
        f"vae train --data-dir {ONE} --output-dir vae_models/class_0001",
        f"vae train --data-dir {ALL} --output-dir vae_models --epochs 400 --latent-dim 256 --batch-size 32",
        f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models",
        f"diffusion train --vae-checkpoint vae_models/class_0001/best_model.pt --image-dir {ONE} "
        "--output-dir diffusion_models/class_0001",
        f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models "
        "--epochs 600 --batch-size 8 --grad-accum 2",
        f"sample {BEST} --output generated_images.png",
        f"sample {BEST} --num-images 32 --ddim-steps 50 --output generated_images.png",
        f"sample {BEST} --num-images 64 --ddim-steps 50 --output corel_64_images.png --nrow 8",
        f"vae train --data-dir {ALL} --output-dir /workspace/vae_models --base-dir /workspace",
        f"diffusion train --vae-checkpoint /workspace/vae_models/best_model.pt --image-dir /workspace/{ALL} "
        "--output-dir /workspace/diffusion_models --base-dir /workspace",
        "sample --diffusion-checkpoint /workspace/diffusion_models/best_model.pt --vae-checkpoint "
        "/workspace/vae_models/best_model.pt --output /workspace/generated_images.png --base-dir /workspace",
        "data prepare-classes --data-dir data/corel --base-dir .",
        f"vae train --data-dir {ALL} --output-dir vae_models --epochs 300",
        f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --output-dir diffusion_models "
        "--epochs 500",
        f"sample {BEST} --num-images 16 --output corel_generated.png",
        # What its lists of parameters and its troubleshooting add.
        f"vae train --data-dir {ALL} --base-dir . --learning-rate 1e-4 --kl-weight 1.0 --kl-warmup 150 "
        "--kl-target 25.0 --no-perceptual --perceptual-weight 0.03 --seed 42 --num-workers 0 --image-size 64",
        "vae train --resume vae_models/checkpoint_0020.pt --epochs 22",
        f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --lr 2e-4 --image-size 128 "
        "--no-ema --ema-decay 0.995 --schedule cosine --no-mixed-precision --lr-scheduler cosine --lr-min 1e-5 "
        "--early-stopping-patience 30 --early-stopping-delta 1e-5 --oscillation-window 10 "
        "--oscillation-threshold 0.0005 --num-workers 0",
        *(
            f"diffusion train --vae-checkpoint vae_models/best_model.pt --image-dir {ALL} --lr 5e-5 "
            f"--lr-scheduler {name}"
            for name in ("cosine_warm_restarts", "plateau", "none")
        ),
        "diffusion train --resume diffusion_models/checkpoint_epoch_10.pt",
        f"sample {BEST} --batch-size 4 --seed 7 --device cpu --nrow 4",
    ],
    "commands": [
        "diffusion train --vae vae_models/best_model.pt",
        "diffusion export --pipeline RemoteDiff --output-dir exported",
        "sample --ddim-steps 50",
        "sample scene --diffusion-checkpoint checkpoints/model/best_model.pt --input path/to/sar_image.png "
        "--output out.tif --tile 256 --overlap 64 --samples 3 --uncertainty",
        "data parquet-to-jsonl",
        "data synth --kind tiles --count 2 --size 16 --output-dir world --seed 1",
        "data synth --kind pairs --count 2 --size 16 --output-dir world --seed 1",
        "data synth --kind pairs-csv --count 2 --size 16 --output-dir world --seed 1",
        "data synth --kind captions --count 2 --size 16 --output-dir world --seed 1",
        "data synth --kind cube --count 1 --size 32 --output-dir world --seed 1",
        "data synth --kind scene --count 1 --size 64 --output-dir world --seed 1",
        "data audit --data-dir v_2",
        "data audit --data-dir v_2 --json",
        "data split --data-dir v_2 --by scene --val 0.2",
        "data split --data-dir Dataset --by region --val 0.2",
        "data split --data-dir v_2 --by block --val 0.2",
        "data tile --sar scenes --optical scenes --size 32 --stride 32 --layout terrain --output-dir patches",
        "data tile --sar scenes/scene_000/s1.tif --optical scenes/scene_000/s2.tif --size 32 --stride 32 "
        "--layout regions --output-dir patches",
        "data hsi-patches --input cubes --sensor landsat7 --patch-size 30 --stride 30 --output-dir hsi",
        "data hsi-patches --input cubes --sensor landsat8 --patch-size 30 --stride 30 --output-dir hsi --factor 7.5",
        "data hsi-patches --input cubes --sensor landsat9 --patch-size 30 --stride 30 --output-dir hsi",
        "hsi predict --stage1-checkpoint A --stage2-checkpoint B --input in.tif --output out.tif",
        "hsi predict --stage1-checkpoint A --input outputs/dataset_small --output predicted --project",
        "hsi predict --input in.tif --output out.img",
        "cyclegan train --data-dir v_2 --terrains agri urban --allow-gray-optical",
        "cyclegan train --data-dir synthetic --image-size 32",
        "cyclegan translate --checkpoint cyclegan_models/best_model.pt --input v_2/agri/s1 --output translated "
        "--direction sar2optical --tile 32 --overlap 8 --radiometry uint8",
        "cyclegan translate --checkpoint cyclegan_models/best_model.pt --input v_2/agri/s2 --output translated "
        "--direction optical2sar",
        "cyclegan evaluate --checkpoint cyclegan_models/best_model.pt --data-dir v_2 --json",
        "vae evaluate --checkpoint vae_models/best_model.pt --data-dir training_data/corel/corel_all --json",
        "vae reconstruct --checkpoint vae_models/best_model.pt --data-dir training_data/corel/corel_all",
        f"diffusion evaluate --checkpoint diffusion_models/best_model.pt --data-dir {ALL} --json",
        f"vae train --data-dir {ALL} --save-dir own --device cpu --report-to none --config vae-tiny --set epochs=3 "
        "--seed 1 --num-workers 0",
        f"diffusion train --data-dir {ALL} --save-dir own --device auto --report-to tensorboard --set epochs=3 "
        "--seed 1 --num-workers 0 --dry-run",
        "cyclegan train --data-dir v_2 --save-dir own --device cpu --report-to none --config cyclegan-tiny --seed 1",
        "vae train --resume",
        "diffusion train --resume",
        "cyclegan train --resume",
        "clip evaluate --checkpoint best_clip.pt --data-dir Dataset --json",
        "clip evaluate --data-dir Dataset --json",
        "clip train --dataset-path Dataset --save-dir own --device cpu --report-to none --config clip-tiny --seed 1",
        "clip train --dataset-path ../Dataset --resume",
        "config ls",
        "config cp vae-tiny",
        "config show vae train --config vae-tiny",
        "config schema vae train",
        "config validate vae-tiny",
        "demo",
        "doctor",
        "explain RSF-D001",
        "info vae_models/best_model.pt",
        "weights ls",
        "weights fetch vgg16",
        "--version",
    ],
}  # fmt: skip

COMING = {
    "commands": [
        "runs ls",
        "runs show vae_models",
        "runs diff vae_models diffusion_models",
        "report vae_models",
    ],
}  # fmt: skip
