"""What integers change of a net's decisions.

    the net in f32      p at every step of what it hears            decides: p >= 1/2
    its image           exported on other sound, the same steps     changed: decides otherwise
"""

import json
import pathlib
from collections.abc import Callable

import numpy as np
import rnnoise
import silero
import sound
from entry import Decider, Entry
from packages import Package

# Seconds and seeds of the sound to choose integers on, and to decide on.
SOUNDS = [(450, 1), (600, 2)]
# Bits of the weights.
BITS = ["8", "w4", "4"]
# The most that 8 bits may change, in percent. RNNoise's GRUs have relu candidates: what products
# read of h has steps of 1/16, and the probability follows the state closely.
MOST = {"Silero's LSTM and head": 0.5, "RNNoise": 0.7}
COLUMNS = ["net", "weights", "bytes", "steps"]
COLUMNS += ["speech (%)", "changed (%)", "signal to noise (dB)"]


def deciders(
    packages: dict[str, Package], entries: list[Entry], features: pathlib.Path
) -> list[Decider]:
    """Those of the entries that decide."""
    makers = {
        "Silero's LSTM and head": lambda entry, sounds: silero.decider(
            packages["silero-vad"], entry, sounds
        ),
        "RNNoise": lambda entry, sounds: rnnoise.decider(entry, features, sounds),
    }
    chosen = [entry for entry in entries if entry.name in makers]
    sounds = [sound.scene(*of) for of in SOUNDS] if chosen else []
    return [makers[entry.name](entry, sounds) for entry in chosen]


def compared(decider: Decider, gatelet: Callable, folder: pathlib.Path) -> list[list[str]]:
    """A row for each kind of weights. `gatelet` calls the program in a folder."""
    decider.entry.write(folder)
    np.save(folder / "calibrate.npy", decider.calibrate)
    np.save(folder / "heard.npy", decider.heard)
    order = ["--net", "order.json"] if decider.entry.order is not None else []
    gatelet(folder, "import", decider.entry.file[0], *order, "--out", "net.safetensors", "--force")

    def given(net: str) -> tuple[np.ndarray, list[dict]]:
        (folder / "given.npy").unlink(missing_ok=True)
        files = ["--input", "heard.npy", "--output", "given.npy"]
        said = gatelet(folder, "run", net, *files, "--json")
        numbers = np.load(folder / "given.npy").astype(np.float64)
        return numbers.reshape(len(decider.heard), -1), json.loads(said.splitlines()[-1])["outputs"]

    want, outputs = given("net.safetensors")
    # An image has no names for its outputs: they are side by side, in order.
    names = [output["name"] for output in outputs]
    output = 0 if decider.output is None else names.index(decider.output)
    column = sum(output["width"] for output in outputs[:output])
    want, rows = want[:, column], []
    for bits in BITS:
        files = ["--calibrate", "calibrate.npy", "--out", "net.gatelet"]
        more = ["--bits", bits, "--accept-loss", "--force", "--json"]
        said = gatelet(folder, "export", "net.safetensors", *files, *more)
        found = given("net.gatelet")[0][:, column]
        changed = np.mean((found >= 0.5) != (want >= 0.5))
        ratio = 10 * np.log10(np.sum(want**2) / np.sum((found - want) ** 2))
        size = json.loads(said.splitlines()[-1])["bytes"]
        parts = [f"{100 * np.mean(want >= 0.5):.1f}", f"{100 * changed:.2f}", f"{ratio:.1f}"]
        rows.append([decider.entry.name, bits, str(size), str(len(want)), *parts])
    return rows


def too_many(row: list[str]) -> str | None:
    """What is wrong with a row."""
    of = dict(zip(COLUMNS, row, strict=True))
    most = MOST[of["net"]]
    if of["weights"] != "8" or float(of["changed (%)"]) <= most:
        return None
    return f"{of['net']}: {of['changed (%)']} % of its decisions changed, at most {most} %"
