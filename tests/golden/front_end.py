#!/usr/bin/env python3
"""Makes the golden vectors of tests/golden/front_end.rs: features of sound in f64, from their
definitions, apart from the engine.

    pip install -r tests/golden/requirements.txt && python3 tests/golden/front_end.py

The sound is a second of something like a voice with pauses, noise, and an impulse, at 16 kHz. A
frame is the newest samples after every hop, behind silence. The result is committed.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

RATE = 16_000
HERE = pathlib.Path(__file__).parent
# Name, frame, hop, low, high, bands, coefficients (0 for log-mel).
RECIPES = [
    ("logmel", 512, 256, 20, 7_600, 40, 0),
    ("mfcc", 512, 320, 20, 7_600, 40, 13),
    ("padded", 400, 160, 0, 8_000, 24, 0),
]


def sound(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 1.7 * t)) / RATE
    formants = [(550, 140, 1.0), (1_400, 220, 0.5), (2_700, 300, 0.2)]
    voice = np.zeros(RATE)
    for harmonic in range(1, 40):
        size = sum(a * np.exp(-(((130 * harmonic - f) / w) ** 2)) for f, w, a in formants)
        voice += size * np.sin(harmonic * pitch)
    voice *= 7_000 * np.maximum(np.sin(2 * np.pi * 2.3 * t), 0) ** 2
    noise = rng.normal(size=RATE) * np.where(t > 0.8, 1_500, 4)
    x = voice + noise
    x[100] = 30_000
    return np.clip(np.round(x), -32_768, 32_767)


def features(x, frame, hop, low, high, bands, coefficients) -> np.ndarray:
    points = max(64, 1 << (frame - 1).bit_length())
    line = np.concatenate([np.zeros(frame - hop), x])
    frames = np.lib.stride_tricks.sliding_window_view(line, frame)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(frames * window, points)) ** 2
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    middles = 700 * (10 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595) - 1)
    f = np.arange(points // 2 + 1) * RATE / points
    triangles = [np.interp(f, middles[b : b + 3], [0, 1, 0], 0, 0) for b in range(bands)]
    levels = np.log2(1 + power @ np.array(triangles).T / points)
    if coefficients == 0:
        return levels
    j, b = np.arange(coefficients)[:, None], np.arange(bands)
    cosines = np.sqrt(2 / bands) * np.cos(np.pi * j * (2 * b + 1) / (2 * bands))
    cosines[0] /= np.sqrt(2)
    return levels @ cosines.T


def main() -> None:
    x = sound(np.random.default_rng(7))
    tensors = {"sound": x.astype(np.int16)}
    for name, *recipe in RECIPES:
        tensors[name] = features(x, *recipe).astype(np.float32)
    save_file(tensors, HERE / "front_end.safetensors")


main()
