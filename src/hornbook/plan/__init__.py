"""`hornbook train plan`: what a training run will need, before it starts."""
