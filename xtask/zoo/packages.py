"""The fetched packages: their files, version and licence, read in place."""

import dataclasses
import email.message
import pathlib
import tarfile
import tomllib
import zipfile


@dataclasses.dataclass(frozen=True)
class Package:
    """What a net came from."""

    name: str
    version: str
    licence: str
    # Path inside the package -> bytes.
    files: dict[str, bytes]

    def ending(self, end: str) -> dict[str, bytes]:
        """The files whose path ends so."""
        return {path: content for path, content in self.files.items() if path.endswith(end)}

    def file(self, end: str) -> bytes:
        """The one file whose path ends so."""
        (content,) = self.ending(end).values()
        return content


def licence(metadata: email.message.Message) -> str:
    """What a Python package says of its licence: the field, or the classifier."""
    said = metadata["License-Expression"] or metadata["License"]
    if not said:
        classifiers = metadata.get_all("Classifier") or []
        said = next(c.split(" :: ")[-1] for c in classifiers if c.startswith("License ::"))
    for name, short in [("Apache", "Apache-2.0"), ("MIT", "MIT")]:
        if name in said:
            return short
    return said


def of_metadata(content: bytes, files: dict[str, bytes]) -> Package:
    """A Python package with its own account of itself."""
    metadata = email.message_from_bytes(content)
    return Package(metadata["Name"], metadata["Version"], licence(metadata), files)


def wheel(path: pathlib.Path) -> Package:
    """A `.whl`, which is a zip."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    metadata = next(name for name in files if name.endswith(".dist-info/METADATA"))
    return of_metadata(files[metadata], files)


def source(path: pathlib.Path) -> Package:
    """A `.tar.gz`."""
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        files = {member.name: archive.extractfile(member).read() for member in members}
    metadata = next(name for name in files if name.count("/") == 1 and name.endswith("PKG-INFO"))
    return of_metadata(files[metadata], files)


def crate(folder: pathlib.Path) -> Package:
    """A crate, unpacked by cargo."""
    about = tomllib.loads((folder / "Cargo.toml").read_text())["package"]
    files = [path for path in folder.rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    return Package(about["name"], about["version"], about["license"], files)


def fetched(folder: pathlib.Path, crates: list[pathlib.Path]) -> dict[str, Package]:
    """All packages, by their names in lower case with hyphens."""
    wheels = [wheel(path) for path in folder.glob("*.whl")]
    sources = [source(path) for path in folder.glob("*.tar.gz")]
    packages = [*wheels, *sources, *map(crate, crates)]
    return {package.name.lower().replace("_", "-"): package for package in packages}
