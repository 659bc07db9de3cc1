"""hornbook: the phi-1.5 experiments as one reproducible lineage graph."""
