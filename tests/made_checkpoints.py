"""Tiny checkpoints as others publish them: an exported phi, a GPT-2, one like Llama."""

from pathlib import Path
from typing import Any

import torch

TEXT = "def add(a, b):\n    return a + b  # 12 + 30 = 42\n\n\tOnce upon a time, there was a fox.\n"
WORDS = "the sky is blue, Once two men say no to them; what sinks in water? Answer: a stone."
CONTEXT = 64
EOS = "<|endoftext|>"


def write_phi(folder: Path, *, context_tokens: int = CONTEXT) -> Path:
    """A phi in the released layout, as `hornbook export` writes it."""
    from hornbook.model.checkpoint import save_model
    from hornbook.model.config import Model
    from hornbook.model.export import export
    from hornbook.model.phi import Phi
    from hornbook.tokens.vocabulary import fit, save

    made = fit([TEXT, WORDS] * 4, vocab_size=400, whole_numbers_to=20, min_frequency=2,
               eos_text=EOS)  # fmt: skip
    shape = Model(
        layers=2, width=48, heads=4, rotary_channels=6, mlp_width=192,
        context_tokens=context_tokens, norm_eps=1e-5, rope_theta=10000.0, init_std=0.2,
    )  # fmt: skip
    trained = folder.with_name(f"{folder.name}-trained")
    trained.mkdir(parents=True)
    save(made, trained, kind="fit", vocab_size=made.tokens + 5)
    model = Phi(shape, vocab_size=made.tokens + 5, attention="explicit")
    model.initialise(0)
    save_model(model, trained, eos_token_id=made.eos)
    export(trained, folder, shard_bytes=10**9)
    return folder


def write_gpt2(folder: Path, **changed: Any) -> Path:
    """A GPT-2 with random weights and a byte-level tokenizer trained on a few words."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    fitted = ByteLevelBPETokenizer()
    fitted.train_from_iterator([TEXT, WORDS] * 4, vocab_size=330, special_tokens=[EOS])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=fitted._tokenizer,
        eos_token=EOS,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"n_layer": 2, "n_embd": 32, "n_head": 4, "n_positions": CONTEXT,
             "vocab_size": len(tokenizer), "initializer_range": 0.3, "eos_token_id": 0}  # fmt: skip
    GPT2LMHeadModel(GPT2Config(**(shape | changed))).save_pretrained(folder)
    return folder


def write_llama(folder: Path) -> Path:
    """A Llama with random weights, whose tokenizer puts <s> first and blanks into tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([TEXT, WORDS] * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        num_hidden_layers=2, hidden_size=32, intermediate_size=64, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, vocab_size=len(fast),
        initializer_range=0.3, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
