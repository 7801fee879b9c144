"""Neural networks: arrays in, arrays out. They know no optimizer, tokenizer or policy."""
