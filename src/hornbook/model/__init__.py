"""The language model: phi-1.5's block, its checkpoint layout, nothing else."""
