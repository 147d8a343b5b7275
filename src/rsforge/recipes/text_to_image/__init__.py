"""Text-to-image models: fine-tuned on captioned images, or trained from scratch."""
