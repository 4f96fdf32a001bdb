"""A GPU for tests on machines without one: its tensors have shape, type and device, but no values.

Tensors on ``cuda:0`` are torch's fake tensors, which refuse to be mixed with tensors of another device.
Tensors on the CPU are real. Whatever makes the CPU wait for a GPU is recorded: reading a number, copying to
the CPU, copying from memory that is not page-locked. A value that is read is 1, or False.
"""

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

GPU = "cuda:0"
ATEN = torch.ops.aten


class SimulatedGpu:
    """A context in which ``cuda:0`` exists; ``waits`` lists what made the CPU wait, with the line of code."""

    def __init__(self):
        self.waits: list[str] = []
        self._modes = (FakeTensorMode(allow_non_fake_inputs=True), _Operations(self.waits))
        self._before = FakeTensor.tolist, Tensor.backward

    def __enter__(self):
        FakeTensor.tolist = lambda tensor: tensor.cpu().tolist()  # one transfer, as on a GPU
        Tensor.backward = _backward
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error):
        for mode in reversed(self._modes):
            mode.__exit__(*error)
        FakeTensor.tolist, Tensor.backward = self._before


class _Operations(TorchDispatchMode):
    """Compute on the CPU what is on the CPU, record waits, and leave the rest to the fake tensors."""

    def __init__(self, waits: list[str]):
        super().__init__()
        self.waits, self.pinned = waits, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if operation is not torch.ops.prim.device.default:
            with self:
                found = operation.decompose(*args, **kwargs)  # in inference mode torch has not done so
            if found is not NotImplemented:
                return found
        if operation is ATEN._pin_memory.default:
            copy = _on_the_cpu(torch.clone, args, {})
            self.pinned.append(copy)
            return copy
        if not _uses_gpu(args, kwargs):
            return _on_the_cpu(operation, args, kwargs)
        if operation is ATEN._local_scalar_dense.default:
            self._record("a number is read")
            return False if args[0].dtype == torch.bool else 1
        if operation is ATEN._to_copy.default:
            target = torch.device(kwargs.get("device") or args[0].device)
            if target.type == "cpu":
                self._record("copy to the CPU")
                return _value(args[0].shape, kwargs.get("dtype") or args[0].dtype)
            self._record_upload(args[0], waits=not kwargs.get("non_blocking"))
        return operation(*args, **kwargs)

    def _record_upload(self, source: Tensor, *, waits: bool) -> None:
        is_large = source.nbytes > 2**16  # CUDA stages smaller copies
        is_pinned = any(source is one for one in self.pinned)
        if source.device.type == "cpu" and (waits or (is_large and not is_pinned)):
            self._record("copy to the GPU")

    def _record(self, what: str) -> None:
        places = [frame for frame in traceback.extract_stack() if "/clipfair/" in frame.filename]
        where = f"{Path(places[-1].filename).name}: {places[-1].line}" if places else "elsewhere"
        self.waits.append(f"{what} ({where})")


def _uses_gpu(args: Sequence, kwargs: Mapping) -> bool:
    leaves = tree_leaves((args, kwargs))
    devices = [leaf.device if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    return any(isinstance(device, torch.device) and device.type == "cuda" for device in devices)


def _on_the_cpu(operation, args, kwargs):
    with _disable_current_modes():
        return operation(*args, **kwargs)


def _value(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Ones, or False: flags of this project mark what is wrong."""
    with _disable_current_modes():
        return torch.zeros(shape, dtype=dtype) if dtype == torch.bool else torch.ones(shape, dtype=dtype)


@torch.no_grad()
def _backward(loss: Tensor) -> None:
    """Compute all gradients, node by node, because torch's own engine asks for the streams of a real GPU."""
    gradients = {loss.grad_fn: [torch.ones_like(loss)]}
    for node in reversed(_nodes_below(loss.grad_fn)):
        given = gradients.pop(node)
        if hasattr(node, "variable"):
            _accumulate(node.variable, given[0])
            continue
        found = node(*given)
        found = found if isinstance(found, tuple) else (found,)
        for (below, place), gradient in zip(node.next_functions, found, strict=True):
            if below is not None:
                sums = gradients.setdefault(below, [None] * len(below._input_metadata))
                if gradient is not None:
                    gradient = _fitted(gradient, below._input_metadata[place])
                    sums[place] = gradient if sums[place] is None else sums[place] + gradient


def _fitted(gradient: Tensor, like) -> Tensor:
    """The gradient summed over broadcast dimensions, in the type of what it is the gradient of."""
    return gradient.sum_to_size(tuple(like.shape)).to(like.dtype)


def _nodes_below(root) -> list:
    """The nodes of a graph, each after all nodes that it leads to."""
    ordered, entered, waiting = [], set(), [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        if is_done:
            ordered.append(node)
        elif node not in entered:
            entered.add(node)
            waiting.append((node, True))
            waiting += [(below, False) for below, _ in node.next_functions if below is not None]
    return ordered


def _accumulate(parameter: Tensor, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
    for hook in (parameter._post_accumulate_grad_hooks or {}).values():
        hook(parameter)
