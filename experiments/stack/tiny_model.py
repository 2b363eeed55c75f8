"""The tiny random-weight model that the real vLLM serves where no weights can be had.

Only `config.json` and a tokenizer are written; vLLM fills the weights itself with `--load-format dummy`.
What is measured with it is the engine (scheduler, continuous batching, KV cache, streaming, metrics):
the text is meaningless.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WORDS_FILE = Path(__file__).with_name("words.txt")
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# A space before role and content, not a newline: so each first word is a " word" like every other.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|> {{ message['role'] }} {{ message['content'] }}<|im_end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant{% endif %}"
)


@dataclass(frozen=True, slots=True)
class TinyShape:
    """The size of the model: what sets the time of a step.

    The default was chosen by measurement on one core of a Xeon with AMX: a decode step takes 18 ms at batch 1
    and 23 ms at batch 16, and the engine saturates at about 550 tokens/s, long before the processes around
    it. 8×512 gave 10 ms, of which half was Python; 12×512 gave 15 to 22 ms.
    """

    layers: int = 8
    width: int = 768
    heads: int = 12
    kv_heads: int = 4
    feed_forward: int = 2304
    context_tokens: int = 8192

    @property
    def label(self) -> str:
        """The size as reports print it, for example `8×768 random weights`."""
        return f"{self.layers}×{self.width} random weights"


def build(directory: Path, shape: TinyShape | None = None) -> Path:
    """Write the model's files into `directory` (made if needed) and return it.

    One of `common_words` after a space is exactly one token, so prompts can be made to a token
    count. Any other printable ASCII text falls apart into smaller pieces; what is not ASCII
    becomes the end-of-text token.
    """
    shape = shape or TinyShape()
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(directory / "tokenizer.json"))
    _write(directory / "tokenizer_config.json", _tokenizer_config(shape))
    _write(directory / "config.json", _config(shape, tokenizer.get_vocab_size()))
    _write(directory / "generation_config.json", {"eos_token_id": 2, "pad_token_id": 0})
    _write(directory / "shape.json", asdict(shape))
    return directory


def common_words() -> tuple[str, ...]:
    """Lower-case English words, each once, each one token of the tiny model."""
    return tuple(WORDS_FILE.read_text(encoding="utf-8").split())


def _tokenizer() -> Tokenizer:
    """Byte-level pairs merged until each common word is one token; every token decodes to visible text."""
    # Only here: all that start an engine know this module, and few of them build the model.
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL_TOKENS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=20_000,
        min_frequency=0,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=[*(chr(code) for code in range(33, 127)), "Ġ", "Ċ"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([" " + " ".join(common_words())], trainer)
    return tokenizer


def _config(shape: TinyShape, vocabulary: int) -> dict[str, object]:
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.context_tokens,
        "vocab_size": vocabulary,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "use_cache": True,
    }


def _tokenizer_config(shape: TinyShape) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": CHAT_TEMPLATE,
        "eos_token": SPECIAL_TOKENS[2],
        "pad_token": SPECIAL_TOKENS[0],
        "model_max_length": shape.context_tokens,
        "clean_up_tokenization_spaces": False,
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
