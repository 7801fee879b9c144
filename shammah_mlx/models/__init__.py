"""Networks, tokenizers and pretrained weights: everything that runs on MLX."""
