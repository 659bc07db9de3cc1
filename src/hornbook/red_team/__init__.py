"""Answers to prompts that a model should not take as they come, labelled by a judge and by hand."""
