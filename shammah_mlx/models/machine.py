"""Say what this machine can hold, and whether the decoder that is set fits."""

import os

import msgspec

from shammah_mlx.config import LoraConfig
from shammah_mlx.errors import WeightsError
from shammah_mlx.models.backend import mx
from shammah_mlx.models.memory import DEFAULT, PROPOSALS, Machine, Need, Proposal, Size, find_need, find_room, propose
from shammah_mlx.models.stored import find_folder, read_size
from shammah_mlx.models.training_copy import KEPT
from shammah_mlx.models.weights import Weights, weights_folder


class Outlook(msgspec.Struct, frozen=True):
    """A machine, the decoder that is set, and the one proposed."""

    machine: Machine
    room_bytes: int  # what a decoder may take
    model: str  # as in `[lora] model`
    name: str
    need: Need | None
    unknown: str  # why `need` is not known
    proposed: Proposal
    proposed_need: Need

    @property
    def fits(self) -> bool | None:
        """Say whether the decoder that is set fits; None if that is not known."""
        return None if self.need is None else self.need.learning_bytes <= self.room_bytes


def this_machine() -> Machine:
    """Return what this machine has."""
    if mx.default_device() != mx.cpu and mx.metal.is_available():
        said = mx.device_info()
        return Machine(int(said["memory_size"]), int(said["max_recommended_working_set_size"]))
    return Machine(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None)


def look(lora: LoraConfig, machine: Machine) -> Outlook:
    """Return what a machine can hold, beside the decoder that is set; no model is loaded."""
    size, unknown = _find_size(lora.model)
    need = None if size is None else find_need(size, lora, KEPT, machine)
    proposed = propose(machine, lora, KEPT)
    return Outlook(
        machine,
        find_room(machine),
        lora.model,
        lora.model or DEFAULT.name,
        need,
        unknown,
        proposed,
        find_need(proposed.size, lora, KEPT, machine),
    )


def _find_size(model: str) -> tuple[Size | None, str]:
    """Return how large a decoder is, or why that is not known; those proposed are known before they are fetched."""
    try:
        return read_size(find_folder(model) if model else Weights(weights_folder()).decoder), ""
    except WeightsError as error:
        size = next((proposal.size for proposal in PROPOSALS if proposal.model == model), None)
        return size, "" if size is not None else error.message
