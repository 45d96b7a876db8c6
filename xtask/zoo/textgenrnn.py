"""textgenrnn: Keras weights of two LSTMs and an attention over all their steps, which no stream has."""

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
    return [Entry("textgenrnn", package, operations, ("weights.hdf5", content), refused="")]
