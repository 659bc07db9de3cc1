"""From a raw crawl to filtered text."""
