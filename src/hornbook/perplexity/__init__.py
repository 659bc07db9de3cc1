"""How well each variant models each corpus, by source and by domain."""
