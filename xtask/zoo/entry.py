"""A published net, and what the table has to say of it."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Iterator

import numpy as np
import onnx
from packages import Package


@dataclasses.dataclass
class Stream:
    """One sequence, and what the net's own program makes of it, step by step."""

    # [T, n] float32, or [T] int64 of tokens.
    input: np.ndarray
    # [T, m] float32, all outputs side by side.
    expected: np.ndarray


@dataclasses.dataclass
class Entry:
    """A net: a file for `gatelet import`, and either streams or what its refusal has to name."""

    name: str
    package: Package
    operations: str
    # The file's name and its bytes.
    file: tuple[str, bytes]
    # The description for `--net`, where the file has none.
    order: dict | None = None
    streams: list[Stream] = dataclasses.field(default_factory=list)
    # Words of which the one line of the refusal has to hold one; none: the net has to come along.
    refused: list[str] = dataclasses.field(default_factory=list)
    # What the streams would be by other means, measured and not judged: its name, [T, m] of each.
    aside: tuple[str, list[np.ndarray]] | None = None

    def write(self, folder: pathlib.Path) -> None:
        """Its files, as the commands read them."""
        folder.mkdir(parents=True, exist_ok=True)
        name, content = self.file
        (folder / name).write_bytes(content)
        if self.order is not None:
            (folder / "order.json").write_text(json.dumps(self.order, indent=1))
        for k, stream in enumerate(self.streams):
            np.save(folder / f"input{k}.npy", stream.input)


@dataclasses.dataclass
class Decider:
    """A net that says at every step whether somebody speaks, and what it hears."""

    entry: Entry
    # Which of its outputs says so, by 1/2 or more; None: it has one.
    output: str | None
    # [T, n] float32: what its integers are chosen on, and what they decide on.
    calibrate: np.ndarray
    heard: np.ndarray


# What only moves numbers about, and is in every export.
PLUMBING = set("Cast Concat Constant ConstantOfShape Equal Gather Identity Pad Reshape".split())
PLUMBING |= set("And Less Not Shape Size Slice Split Squeeze Sub Transpose Unsqueeze".split())


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of its branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g)


def of_graph(model: onnx.ModelProto) -> str:
    """The operators of a graph and of its branches, as in `LSTM 128, 6 Conv`."""
    counts = collections.Counter()
    for node in nodes(model.graph):
        units = "".join(f" {a.i}" for a in node.attribute if a.name == "hidden_size")
        if node.op_type not in PLUMBING:
            counts[node.op_type + units] += 1
    # Cells first, then what there is most of.
    first = sorted(counts, key=lambda op: (" " not in op, -counts[op]))
    names = [f"{counts[op]} {op}" if counts[op] > 1 else op for op in first]
    more = len(names) - 5
    return ", ".join(names[:5]) + (f", {more} more kinds" if more > 0 else "")
