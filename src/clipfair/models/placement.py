"""Copies of tensors to the device that computes."""

from torch import Tensor, device


def to_device(value: Tensor, target: str | device) -> Tensor:
    """Return a tensor on ``target``; the caller does not wait for a copy to a GPU.

    The copy is made from page-locked memory, because a copy from other memory waits until it is finished.
    """
    if device(target).type == "cuda" and value.device.type == "cpu":
        value = value.pin_memory()
    return value.to(target, non_blocking=True)
