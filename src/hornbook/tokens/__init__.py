"""Text as token ids: a byte-level BPE vocabulary, and every corpus as shards of its ids."""
