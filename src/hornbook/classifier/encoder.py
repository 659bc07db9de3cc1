"""Embeddings by a Hugging Face encoder in a folder: no network, no code of its own, no pickle."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hornbook.classifier.features import DIGITS
from hornbook.errors import InputError

TEXTS_AT_ONCE = 16


class Encoder:
    """Means of the last layer over the tokens of a text."""

    def __init__(self, folder: Path, *, max_tokens: int) -> None:
        """Load from `folder`.

        Raises:
            InputError: The folder is no encoder with safetensors weights and a tokenizer.
        """
        os.environ["HF_HUB_OFFLINE"] = "1"
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.set_num_threads(1)  # sums of several threads round otherwise than those of one
        self.max_tokens = max_tokens
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            self.model = AutoModel.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=torch.float32,
            ).eval()  # fmt: skip
        except (OSError, ValueError) as error:
            raise InputError(
                f"data.encoder={folder} is no Hugging Face encoder with a tokenizer and weights "
                f"as safetensors ({error}); classifier.embedding.kind=projection needs none"
            ) from error
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        if self.tokenizer.pad_token is None:
            raise InputError(
                f"the tokenizer in data.encoder={folder} has neither a pad_token nor an eos_token; "
                f"name one in its tokenizer_config.json"
            )

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector a text, [texts, width]; zeros for a text without tokens."""
        parts = [
            self._batch(texts[start : start + TEXTS_AT_ONCE])
            for start in range(0, len(texts), TEXTS_AT_ONCE)
        ]
        return np.round(np.concatenate(parts), DIGITS)

    def _batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import torch

        fed = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.max_tokens,
            return_tensors="pt",
        )  # fmt: skip
        mask = fed["attention_mask"]
        if not mask.any():
            return np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            states = self.model(input_ids=fed["input_ids"], attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return ((states * weights).sum(1) / weights.sum(1).clamp(min=1)).numpy()
