"""textgenrnn: weights of Keras for two LSTMs and an attention over all their steps.

The file says nothing of how its layers follow each other, and a stream has no end over which
attention could be taken: it is refused.
"""

import io

import h5py
from entry import Entry
from packages import Package


def entries(packages: dict[str, Package]) -> list[Entry]:
    """The file of weights, as published."""
    package = packages["textgenrnn"]
    content = package.file("textgenrnn_weights.hdf5")
    with h5py.File(io.BytesIO(content)) as file:
        layers = [str(name, "ascii") for name in file.attrs["layer_names"]]
    operations = "layers " + ", ".join(layers)
    refused = ["weights only", "attention"]
    return [Entry("textgenrnn", package, operations, ("weights.hdf5", content), refused=refused)]
