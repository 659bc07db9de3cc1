"""Stage `train`: a mixture in, a model in the released layout and its curve out."""
