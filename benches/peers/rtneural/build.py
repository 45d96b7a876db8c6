"""Compiles step.cpp and stream.cpp against the RTNeural that RTNEURAL_DIR names.

RTNeural (github.com/jatinchowdhury18/RTNeural, BSD 3-clause) is headers in C++ and in no package registry, so a user
brings a checkout. Its sizes are template arguments: one program a shape. Flags: those found fastest (docs/benchmarks.md
says what else was tried), and the definitions that RTNeural's own CMake makes for its back ends with
AVX.

Environment: RTNEURAL_DIR; EIGEN_DIR, a folder with Eigen/Dense [default: Debian's libeigen3-dev, else the copy that
RTNeural carries]; CXX [default: c++].
"""

import hashlib
import os
import pathlib
import platform
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = "RTNeural/lstm/lstm_eigen.h"
HOW = "git clone https://github.com/jatinchowdhury18/RTNeural, and RTNEURAL_DIR=its folder"
FLAGS = ["-std=c++17", "-O3", "-march=native", "-DNDEBUG"]
# stream.cpp makes its model in memory of zeros, which has to stay so.
ZEROS = {"stream.cpp": ["-fno-lifetime-dse"]}


class Missing(RuntimeError):
    """What is wrong, and what to do."""


def folder() -> pathlib.Path:
    """The checkout."""
    named = os.environ.get("RTNEURAL_DIR")
    if not named:
        raise Missing(f"RTNEURAL_DIR is not set; to have it: {HOW}")
    found = pathlib.Path(named).resolve()
    if not (found / HEADER).is_file():
        raise Missing(f"RTNEURAL_DIR={named} is no checkout of RTNeural, it has no {HEADER}; {HOW}")
    return found


def eigen(checkout: pathlib.Path) -> pathlib.Path:
    named = os.environ.get("EIGEN_DIR")
    places = [pathlib.Path(named)] if named else [pathlib.Path("/usr/include/eigen3"), checkout / "modules" / "Eigen"]
    for place in places:
        if (place / "Eigen" / "Dense").is_file():
            return place.resolve()
    raise Missing(f"no Eigen/Dense in {' or '.join(map(str, places))}: install libeigen3-dev, or set EIGEN_DIR")


def version() -> str:
    """Commit of the checkout and blob of the header that holds the step: the blob tells it where there is no git."""
    checkout = folder()
    content = (checkout / HEADER).read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    commit = "unknown"
    if (checkout / ".git").exists():
        ask = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
        commit = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() or commit
    return f"RTNeural commit {commit}, lstm_eigen.h blob {blob[:12]}"


def compiler() -> list[str]:
    return shlex.split(os.environ.get("CXX", "c++"))


def flags() -> str:
    """Compiler and flags, for the record."""
    said = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    return f"{said.splitlines()[0]}, {' '.join(FLAGS)}"


def includes(checkout: pathlib.Path, backend: str) -> tuple[dict, list]:
    """Definitions and folders of a back end."""
    if backend == "eigen":
        return {"RTNEURAL_USE_EIGEN": 1, "EIGEN_STACK_ALLOCATION_LIMIT": 0}, [eigen(checkout)]
    folder = checkout / "modules" / "xsimd" / "include"
    if not folder.is_dir():
        raise Missing(f"this checkout of RTNeural has no {folder}")
    return {"RTNEURAL_USE_XSIMD": 1}, [folder]


def compiled(source: str, output: pathlib.Path, backend: str, sizes: dict) -> pathlib.Path:
    """The program of a source with its sizes, compiled if anything it is made from has changed."""
    checkout = folder()
    x86 = platform.machine() in ("x86_64", "AMD64")
    extra, folders = includes(checkout, backend)
    definitions = {
        **sizes,
        "RTNEURAL_NAMESPACE": "RTNeural",
        "RTNEURAL_DEFAULT_ALIGNMENT": 32 if x86 else 16,
        **({"RTNEURAL_AVX_ENABLED": 1} if x86 else {}),
        **extra,
    }
    # -isystem: no warnings from inside their headers.
    # xsimd's buffers are aligned for the 8 numbers of AVX.
    narrow = ["-mno-avx512f"] if x86 and backend == "xsimd" else []
    own = [*FLAGS, *ZEROS.get(source, []), *narrow]
    command = [*compiler(), *own, *(f"-D{name}={value}" for name, value in definitions.items())]
    for place in [checkout, *folders]:
        command += ["-isystem", place]
    command += [HERE / source, "-o", output]
    command = [str(word) for word in command]
    try:
        text = (HERE / source).read_text()
        made_from = "\n".join([shlex.join(command), flags(), version(), text])
        stamp = output.with_suffix(".made-from")
        if output.exists() and stamp.exists() and stamp.read_text() == made_from:
            return output
        output.parent.mkdir(parents=True, exist_ok=True)
        print("$", shlex.join(command), file=sys.stderr)
        subprocess.run([*command, "-w"], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Missing(f"no compiler {error.filename}: install one (g++), or set CXX") from error
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        reason = next((line for line in lines if "error" in line), lines[-1])
        raise Missing(f"{source} does not compile against {checkout}: {reason}") from error
    stamp.write_text(made_from)
    return output


def program(target: pathlib.Path, layers: int, hidden: int, vocab: int) -> pathlib.Path:
    """step.cpp for one shape."""
    sizes = {"LAYERS": layers, "HIDDEN": hidden, "VOCAB": vocab}
    return compiled("step.cpp", target / f"{layers}x{hidden}", "eigen", sizes)


def stream(target: pathlib.Path, cell: str, hidden: int, backend: str) -> pathlib.Path:
    """stream.cpp for one shape and back end."""
    sizes = {"GRU": int(cell == "gru"), "HIDDEN": hidden}
    return compiled("stream.cpp", target / f"{cell}{hidden}-{backend}", backend, sizes)
