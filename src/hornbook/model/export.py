"""`hornbook export`: a trained model as a folder that other tools read."""

import argparse
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from hornbook.artifacts import read_json, write_json
from hornbook.errors import ArtifactError, InputError
from hornbook.model.tokenizer_files import eos_of, write_tokenizer_files

CHECKPOINTS = "artifacts/train"
DTYPES = ("float32", "float16", "bfloat16")
_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def export(
    source: Path,
    target: Path,
    *,
    dtype: str | None = None,
    shard_bytes: int,
    tokenizer: Path | None = None,
    is_replacing: bool = False,
) -> list[str]:
    """Names of the files written to `target`: weights, configuration and tokenizer.

    Args:
        source: A folder with a model of ours or of transformers, older phi layouts included.
        target: A folder that is made, complete or not at all.
        dtype: Of the weights; None is that of the source.
        shard_bytes: The most that a file of weights holds.
        tokenizer: A folder with the tokenizer, where `source` has none.
        is_replacing: A folder at `target` that an export wrote may go.

    Raises:
        ArtifactError: The source is damaged, incomplete, or no phi; a weight is not finite.
        InputError: The target is there, or its disk is too small.
    """
    from hornbook.model.checkpoint import DTYPES as TORCH_DTYPES
    from hornbook.model.checkpoint import load_model, save_model

    _require_free(target, is_replacing=is_replacing)
    model = load_model(source, dtype=TORCH_DTYPES[dtype] if dtype else None)
    for name, parameter in model.named_parameters():
        if not parameter.isfinite().all():
            raise ArtifactError(
                f"{source}: {name} holds a value that {parameter.dtype} cannot hold or that is no "
                f"number; export with --dtype bfloat16 or float32, or look at the training run"
            )
    size = sum(parameter.nbytes for parameter in model.parameters())
    _require_room(target, size)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        words = tokenizer or source
        eos, context = eos_of(words), model.shape.context_tokens
        files = save_model(model, part, eos_token_id=eos, shard_bytes=shard_bytes)
        files += _beside(part, eos)
        files += write_tokenizer_files(words, part, context_tokens=context)
        shutil.rmtree(target, ignore_errors=True)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return files


def _beside(part: Path, eos: int | None) -> list[str]:
    """Write what generation reads; the files beside the weights."""
    ends = {} if eos is None else {"bos_token_id": eos, "eos_token_id": eos, "pad_token_id": eos}
    write_json(part / "generation_config.json", ends)
    index = ["model.safetensors.index.json"]
    return [*(name for name in index if (part / name).exists()), "config.json",
            "generation_config.json"]  # fmt: skip


def _require_free(target: Path, *, is_replacing: bool) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if not target.exists():
        return
    is_ours = target.is_dir() and (target / "generation_config.json").exists()
    if not is_replacing or not is_ours:
        remedy = "add --replace" if is_ours else "it is no exported model: name another folder"
        raise InputError(f"{target} is there already; {remedy}")


def _require_room(target: Path, size: int) -> None:
    parent = next(folder for folder in target.resolve().parents if folder.exists())
    free = shutil.disk_usage(parent).free
    if free < size * 1.01:
        raise InputError(
            f"{target} needs {size / 1e9:.2f} GB and {parent} has {free / 1e9:.2f} GB free; "
            f"free some space or name a folder elsewhere"
        )


def bytes_of(text: str) -> int:
    """A size such as 5GB, 500MB or 4GiB in bytes.

    Raises:
        InputError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]i?B)?", text, re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[(found[2] or "").upper()]) if found else 0
    if size <= 0:
        raise InputError(f"--shard-size={text}: expected a size such as 5GB, 500MB or 4GiB")
    return size


def source_of(root: Path, name: str) -> Path:
    """The folder that a variant's name or a path stands for.

    Raises:
        ArtifactError: The variant was not trained, or its artifact was edited by hand.
        InputError: It is neither a variant nor a folder with a model.
    """
    folder = root / CHECKPOINTS / name
    given = Path(name)
    if (given / "config.json").exists():
        return given
    if (folder / "config.json").exists():
        _require_recorded(root, f"train@{name}", f"{CHECKPOINTS}/{name}")
        return folder
    trained = sorted(file.parent.name for file in (root / CHECKPOINTS).glob("*/config.json"))
    known = f"trained here: {', '.join(trained)}" if trained else "nothing is trained here yet"
    raise InputError(
        f"{name} is neither a folder with config.json nor a trained variant ({known}); "
        f"`hornbook run train` trains those of dvc.yaml"
    )


def _require_recorded(root: Path, stage: str, path: str) -> None:
    from hornbook.lineage.manifest import load_lock
    from hornbook.lineage.workspace import Hasher

    entry = load_lock(root).get(stage)
    if entry is not None and Hasher(root).hash(path) != entry.out_hash:
        raise ArtifactError(
            f"{path} is not what dvc.lock records for {stage}; `dvc checkout {path}` puts the "
            f"record back, `dvc repro {stage}` makes it again"
        )


def remarks(target: Path) -> list[str]:
    """What a reader of the folder has to know, and the commands that read it."""
    config = read_json(target / "config.json")
    told = [
        f'transformers: AutoModelForCausalLM.from_pretrained("{target}")',
        f"lm_eval --model hf --model_args pretrained={target} --tasks arc_easy",
    ]
    if config["intermediate_size"] != 4 * config["hidden_size"]:
        told.append("llama.cpp cannot read it: its phi has an MLP of 4 x the width")
    elif _is_gpt2(target):
        told.append(f"python convert_hf_to_gguf.py {target}  # of llama.cpp")
    else:
        told.append(
            "llama.cpp's converter knows the tensors and the configuration, but not the rule that "
            "splits words in a fitted vocabulary (get_vocab_base_pre)"
        )
    return told


def _is_gpt2(target: Path) -> bool:
    """Whether words are split as GPT-2's."""
    file = target / "tokenizer.json"
    split = read_json(file).get("pre_tokenizer") if file.exists() else None
    return isinstance(split, dict) and split.get("type") == "ByteLevel" and split["use_regex"]


def main(arguments: Sequence[str]) -> int:
    """`hornbook export VARIANT|FOLDER TARGET`."""
    parser = argparse.ArgumentParser(
        prog="hornbook export",
        description="Write a trained model as transformers, lm-eval and llama.cpp read it: the "
        "layout of microsoft/phi-1_5, with its tokenizer.",
        epilog="examples: hornbook export phi-1_5 exported/phi-1_5 --dtype float16\n"
        "          hornbook export ~/downloads/phi-1_5 exported/phi-1_5   also from the layouts "
        "of 2023",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="a variant trained here, or a folder with config.json")
    parser.add_argument("target", type=Path, help="the folder to make")
    parser.add_argument("--dtype", choices=DTYPES, help="of the weights; default: as they are")
    parser.add_argument(
        "--shard-size", default="5GB", help="the most that a file of weights holds (%(default)s)"
    )
    parser.add_argument("--tokenizer", type=Path, help="a folder with it, where SOURCE has none")
    parser.add_argument("--replace", action="store_true", help="TARGET may be an earlier export")
    options = parser.parse_args(list(arguments))
    root = Path.cwd()
    source, target = source_of(root, options.source), options.target
    if target.resolve() in {source.resolve(), *source.resolve().parents}:
        raise InputError(f"{target} holds the source {source}; name another folder")
    files = export(
        source,
        target,
        dtype=options.dtype,
        shard_bytes=bytes_of(options.shard_size),
        tokenizer=options.tokenizer,
        is_replacing=options.replace,
    )
    lines = [f"{(target / name).stat().st_size:>15,}  {name}" for name in files]
    sys.stdout.write("\n".join([f"{target}", *lines, "", *remarks(target)]) + "\n")
    return 0
