"""How much memory a decoder takes, whether a machine has it, and which decoder to propose for a machine.

Decides from numbers alone: knows neither MLX nor the disk.
"""

import msgspec

from shammah_mlx.config import LoraConfig

GB = 2**30  # bytes, as Apple counts memory
HALF, FULL = 2, 4  # bytes a number
CPU_SHARE = 0.75  # of the memory without a GPU; other programs need the rest, as macOS assumes for a GPU too
MARGIN = 0.9  # of what MLX may hold; from there on mlx-lm warns that it gets slow
PROGRAM = 500_000_000  # bytes: Python, the embedder, and the encoders that judge drafts
STEP_COPIES = 6  # of the adapters: Adam's moments, the gradient in three forms, the adapters that answers still use
BY_WIDTH, BY_HIDDEN = 10, 5  # numbers kept for a gradient: of a layer's width, and of its feed-forward block's
LOGIT_COPIES = 3  # logits, their softmax, their gradient


class Machine(msgspec.Struct, frozen=True):
    """What a machine has."""

    memory_bytes: int
    wired_bytes: int | None  # what MLX may keep wired for the GPU; None: there is no GPU


class Size(msgspec.Struct, frozen=True):
    """How large a decoder is."""

    stored_bytes: int  # its weights as they are stored
    parameters: int
    adapted: int  # inputs + outputs of all linear layers in its blocks: the parameters of adapters of rank 1
    layers: int
    width: int
    hidden: int  # width of the feed-forward block
    heads: int
    cached: int  # keys and values of one token in one layer
    vocabulary: int


class Need(msgspec.Struct, frozen=True):
    """How much memory a decoder takes, about."""

    answering_bytes: int
    learning_bytes: int  # while it answers


class Proposal(msgspec.Struct, frozen=True):
    """A decoder for machines from a size on."""

    name: str
    model: str  # as in `[lora] model`
    license: str
    from_bytes: int  # of memory
    size: Size


PROPOSALS = (  # the largest first; sizes from each config.json, 4 bits with scales are 4.5
    Proposal(
        "Qwen3 4B Instruct, 4 bits",
        "mlx-community/Qwen3-4B-Instruct-2507-4bit",
        "Apache-2.0",
        16 * 10**9,  # not GB: some machines keep a little of their memory to themselves
        Size(2_263_000_000, 4_022_000_000, 57_344 * 36, 36, 2_560, 9_728, 32, 2 * 8 * 128, 151_936),
    ),
    Proposal(  # the one of 3 B may not be used commercially
        "Qwen2.5 1.5B Instruct, 4 bits",
        "mlx-community/Qwen2.5-1.5B-Instruct-4bit",
        "Apache-2.0",
        8 * 10**9,
        Size(869_000_000, 1_544_000_000, 41_216 * 28, 28, 1_536, 8_960, 12, 2 * 2 * 128, 151_936),
    ),
    Proposal(
        "SmolLM2 135M Instruct",
        "",
        "Apache-2.0",
        0,
        Size(98_000_000, 134_500_000, 10_176 * 30, 30, 576, 1_536, 9, 2 * 3 * 64, 49_152),
    ),
)
DEFAULT = PROPOSALS[-1]


def find_need(size: Size, lora: LoraConfig, kept: int, machine: Machine) -> Need:
    """Return what a decoder takes on a machine; `kept` is the longest text whose activations are all kept.

    A GPU works on the weights as they are stored, a CPU on 32 bits each. Measured on a CPU: SmolLM2 with a step of 160
    tokens 859 MB, 13 % less than this; Qwen2.5-Coder-1.5B in 4 bits with one of 128 tokens 2.26 GB, 2 % more.
    """
    on_gpu = machine.wired_bytes is not None
    weights = size.stored_bytes if on_gpu else FULL * size.parameters
    adapters = FULL * lora.rank * size.adapted
    cache = (HALF if on_gpu else FULL) * lora.max_tokens * size.layers * size.cached
    answering = weights + adapters + cache
    if not lora.rank:
        return Need(answering, answering)  # it learns nothing
    text = min(kept, lora.max_tokens)
    kept_numbers = BY_WIDTH * size.width + BY_HIDDEN * size.hidden + size.heads * text
    activations = FULL * text * size.layers * kept_numbers  # fp32 on a GPU too, since the adapters are
    logits = FULL * LOGIT_COPIES * lora.max_draft_tokens * size.vocabulary
    return Need(answering, answering + STEP_COPIES * adapters + activations + logits)


def find_room(machine: Machine) -> int:
    """Return how many bytes a decoder may take."""
    held = CPU_SHARE * machine.memory_bytes if machine.wired_bytes is None else machine.wired_bytes
    return max(0, int(MARGIN * held) - PROGRAM)


def propose(machine: Machine, lora: LoraConfig, kept: int) -> Proposal:
    """Return the largest decoder that is made for such a machine and fits; without a GPU larger ones are too slow."""
    if machine.wired_bytes is None:
        return DEFAULT
    room = find_room(machine)
    fitting = (
        proposal
        for proposal in PROPOSALS
        if proposal.from_bytes <= machine.memory_bytes
        and find_need(proposal.size, lora, kept, machine).learning_bytes <= room
    )
    return next(fitting, DEFAULT)
