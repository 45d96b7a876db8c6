"""Speech in noise, made up: sentences of the committed text in several voices, and noises.

    sentences    spoken by espeak-ng, with pauses between them, each as loud as it happens to be
    noise        white to brown, or a hum, for a few seconds each, 0 to 30 dB below speech
"""

import pathlib
import re
import shutil
import subprocess

import numpy as np

RATE = 48_000
TEXT = pathlib.Path(__file__).parents[2] / "corpora" / "novels.txt"
VOICES = ["en-gb+m1", "en-gb+f2", "en-us+m3", "en-us+f4", "en-gb-scotland+m7", "en-us+f1"]
# The RMS of speech, in dB of full scale.
SPEECH = -25.0


def scene(seconds: int, seed: int) -> np.ndarray:
    """[samples] float32 within +-1, at 48 kHz; another seed says other sentences."""
    random = np.random.default_rng(seed)
    count = seconds * RATE
    sound = np.zeros(count)
    lines = sentences()
    at = 0
    while at < count:
        line = lines[random.integers(len(lines))]
        voice = VOICES[random.integers(len(VOICES))]
        said = spoken(line, voice, int(random.integers(130, 200)), int(random.integers(30, 70)))
        said *= level(SPEECH + random.uniform(-10, 6)) / np.sqrt(np.mean(said**2))
        at += int(random.exponential(1.0) * RATE)
        part = sound[at : at + len(said)]
        part += said[: len(part)]
        at += len(said)
    at = 0
    while at < count:
        part = sound[at : at + int(random.uniform(4, 12) * RATE)]
        part += noise(random, len(part)) * level(SPEECH - random.uniform(0, 30))
        at += len(part)
    return np.clip(sound, -1, 1).astype(np.float32)


def level(decibels: float) -> float:
    return 10 ** (decibels / 20)


def sentences() -> list[str]:
    """Sentences of the text that take a few seconds."""
    text = re.sub(r"\s+", " ", TEXT.read_text("utf-8"))
    found = re.findall(r"[A-Z][A-Za-z ,;']{30,110}[.!?]", text)
    if not found:
        raise SystemExit(f"error: {TEXT} has no sentences")
    return found


def spoken(line: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """[samples] at 48 kHz."""
    if shutil.which("espeak-ng") is None:
        raise SystemExit("error: there is no espeak-ng; on Debian, the package espeak-ng has it")
    command = ["espeak-ng", "-v", voice, "-s", f"{speed}", "-p", f"{pitch}", "--stdout", line]
    done = subprocess.run(command, capture_output=True, check=True)
    # The lengths in the head of a file that goes to a pipe are none.
    head = done.stdout.index(b"data") + 8
    rate = int.from_bytes(done.stdout[24:28], "little")
    return resampled(np.frombuffer(done.stdout[head:], "<i2") / 32768, RATE / rate)


def resampled(sound: np.ndarray, ratio: float) -> np.ndarray:
    """So many times as many samples, by the spectrum of the whole."""
    count = round(len(sound) * ratio)
    return np.fft.irfft(np.fft.rfft(sound), count) * (count / len(sound))


def third(sound: np.ndarray) -> np.ndarray:
    """[samples] at 48 kHz -> at 16 kHz."""
    return resampled(sound, 1 / 3).astype(np.float32)


def noise(random: np.random.Generator, count: int) -> np.ndarray:
    """[count] of RMS 1: power falls with the frequency by 0 to 6 dB an octave, or a hum."""
    if random.random() < 0.2:
        t = np.arange(count) / RATE
        base = random.uniform(50, 120)
        made = sum(np.sin(2 * np.pi * base * k * t + k * k) / k for k in range(1, 12))
        made += random.normal(scale=0.05, size=count)
    else:
        frequencies = np.fft.rfftfreq(count, 1 / RATE)
        falls = np.maximum(frequencies, 40.0) ** -random.uniform(0, 1)
        made = np.fft.irfft(np.fft.rfft(random.normal(size=count)) * falls, count)
    return made / np.sqrt(np.mean(made**2))
