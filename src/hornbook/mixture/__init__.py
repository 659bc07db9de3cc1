"""What a variant is trained on, and in which order: a manifest and a stateless sampler."""
