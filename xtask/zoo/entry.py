"""A published net, and what the table has to say of it."""

import collections
import dataclasses
import json
import pathlib

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
    # A word that the one line of the refusal has to hold; None: the net has to come along.
    refused: str | None = None
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


# What only moves numbers about, and is in every export.
PLUMBING = set("Cast Concat Constant ConstantOfShape Equal Gather Identity Pad Reshape".split())
PLUMBING |= set("And Less Not Shape Size Slice Split Squeeze Sub Transpose Unsqueeze".split())


def of_graph(model: onnx.ModelProto) -> str:
    """The operators of a graph and of its branches, as in `6 Conv, LSTM 128`."""

    def nodes(graph):
        for node in graph.node:
            units = "".join(f" {a.i}" for a in node.attribute if a.name == "hidden_size")
            yield node.op_type + units
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    yield from nodes(attribute.g)

    counts = collections.Counter(op for op in nodes(model.graph) if op not in PLUMBING)
    # Cells first, then what there is most of.
    first = sorted(counts, key=lambda op: (" " not in op, -counts[op]))
    names = [f"{counts[op]} {op}" if counts[op] > 1 else op for op in first]
    more = len(names) - 5
    return ", ".join(names[:5]) + (f", {more} more kinds" if more > 0 else "")
