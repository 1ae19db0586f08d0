"""The names that a model's file would import and call, held to a list of harmless ones before anything is opened."""

import bz2
import gzip
import importlib
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from joblib.compressor import BinaryZlibFile

from model_code.importing.formats import ImportRefused, in_a_line
from model_code.importing.inert import Inert

_NUMPY_TYPES = {name for name in np.sctypeDict if isinstance(name, str)} | {"ndarray", "dtype", "bool_"}
_NUMPY_FUNCTIONS = {"abs", "absolute", "cbrt", "exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "square"}
_REBUILD = {"_reconstruct", "scalar", "_frombuffer"}
_BUILTINS = {
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
}
_ABSTRACT_TYPES = {"number", "integer", "signedinteger", "unsignedinteger", "inexact", "floating", "generic"}
_MASKED = {"MaskedArray", "_mareconstruct"}  # the results of a search
# Names in pickles of scikit-learn pipelines beside scikit-learn's own classes; all of them only make values.
_HARMLESS = {
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "_codecs": {"encode"},  # bytes in the pickles of old protocols
    "collections": {"OrderedDict", "defaultdict"},
    "copyreg": {"_reconstructor"},
    "copy_reg": {"_reconstructor"},
    "joblib.numpy_pickle": {"NumpyArrayWrapper"},
    "numpy": _NUMPY_TYPES | _NUMPY_FUNCTIONS | _ABSTRACT_TYPES,
    **dict.fromkeys(("numpy.ma", "numpy.ma.core"), _MASKED),
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), _REBUILD),
    **dict.fromkeys(("numpy.core.numeric", "numpy._core.numeric"), _REBUILD),
    **dict.fromkeys(("numpy.core._multiarray_umath", "numpy._core._multiarray_umath"), _NUMPY_FUNCTIONS),
    "numpy.random._pickle": {"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"},
    "numpy.random.bit_generator": {"SeedSequence", "__pyx_unpickle_SeedSequence"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random._pcg64": {"PCG64"},
    "scipy.sparse._csr": {"csr_array", "csr_matrix"},
    "scipy.sparse._csc": {"csc_array", "csc_matrix"},
    "torch._utils": {"_rebuild_parameter", "_rebuild_tensor_v2"},
    "torch": {f"{kind}Storage" for kind in ("BFloat16", "Bool", "Double", "Float", "Half", "Int", "Long")},
}
# Their functions compute a number from numbers: the scores of selectors and searches.
_SCORE_FUNCTIONS = {
    "sklearn.feature_selection._mutual_info",
    "sklearn.feature_selection._univariate_selection",
    "sklearn.metrics._classification",
    "sklearn.metrics._ranking",
    "sklearn.metrics._regression",
}
_SELECTORS = {("sklearn.compose._column_transformer", "make_column_selector")}  # a class, despite its name
_OF_SKLEARN = re.compile(r"_?[A-Z]\w*|__pyx_unpickle_\w+|newObj")
_OF_TORCH = re.compile(r"torch\.nn\.modules\.(activation|batchnorm|container|dropout|flatten|linear|normalization)")


def refuse_what_is_not_known(file: Path, *, zipped: bool = False) -> None:
    """Refuse names that are not known to be harmless, in a pickle or in the pickles of PyTorch's zip archive."""
    _refuse_names(file, names_in(file, zipped=zipped))


def _refuse_names(file: Path, names: set[tuple[str, str]]) -> None:
    outside = sorted(name for name in names if not is_harmless(*name))
    if outside:
        listed = ", ".join(f"{module}.{name}" for module, name in outside)
        raise ImportRefused(
            f"{file.name} names {listed}: must be known to be harmless and be there where the model serves; save the "
            "model without it (of a search, its best_estimator_), or export it to ONNX"
        )


def is_harmless(module: str, name: str) -> bool:
    if module.startswith("sklearn."):
        return _may_be_named(module, name) and _is_of_sklearn(module, name)
    return name in _HARMLESS.get(module, ()) or (
        bool(_OF_TORCH.fullmatch(module)) and name.isidentifier() and name[0].isupper()
    )


def _may_be_named(module: str, name: str) -> bool:
    """Return whether scikit-learn's name is that of a class, or of a function that only computes a score."""
    score = module in _SCORE_FUNCTIONS and not name.startswith("_")
    return score or (module, name) in _SELECTORS or bool(_OF_SKLEARN.fullmatch(name))


def _is_of_sklearn(module: str, name: str) -> bool:
    """Return whether scikit-learn defines it: its modules also import names that do more than hold a fitted
    estimator.
    """
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return False
    home = getattr(found, "__module__", module)
    # score functions are those that the module itself defines: it also imports functions that do more
    return home == module if module in _SCORE_FUNCTIONS else home.startswith("sklearn.")


def names_in(file: Path, *, zipped: bool = False) -> set[tuple[str, str]]:
    """Return (module, name) of every global of a pickle or joblib file, or of the pickles in a zip archive."""
    if zipped:
        return _names_in_archive(file, file.name)
    return _names_of(_pickle(file), file.name, kind="pickle")


def _names_in_archive(archive: Path | IO[bytes], label: str) -> set[tuple[str, str]]:
    return _names_of(_zipped_pickles(archive), label, kind="file of PyTorch")


def _names_of(streams: Iterator[IO[bytes]], label: str, *, kind: str) -> set[tuple[str, str]]:
    names: set[tuple[str, str]] = set()
    try:
        for stream in streams:
            with stream:
                Inert(stream, names).load()
    except ImportRefused:
        raise
    except Exception as error:  # bytes that are not a pickle may raise anything
        raise ImportRefused(
            f"{label} cannot be scanned as a {kind}: {in_a_line(error)}; if it was cut off, copy it again"
        ) from error
    return names


def _pickle(file: Path) -> Iterator[IO[bytes]]:
    yield _opened(file)


def _zipped_pickles(file: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if member.endswith(".pkl"):
                yield archive.open(member)


# ---- programs of torch.export: archives of numbers and of JSON, in which torch.save's archives may lie

_OF_EXPORT = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|version|\.data/\w+|models/[\w.-]+\.json|extra/[\w./-]+"
    r"|data/weights/(weight_\d+|[\w.-]+\.json)|data/constants/(tensor_\d+|[\w.-]+\.json)|data/sample_inputs/[\w.-]+\.pt)"
)


def refuse_what_is_no_program(file: Path) -> None:
    """Refuse compiled code and pickled objects by their names in the archive, and its pickles by the names in them."""
    names: set[tuple[str, str]] = set()
    try:
        with zipfile.ZipFile(file) as archive:
            odd = sorted(name for name in archive.namelist() if not _OF_EXPORT.fullmatch(name))
            for name in archive.namelist():
                with archive.open(name) as member:
                    if zipfile.is_zipfile(member):
                        names |= _names_in_archive(member, name)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ImportRefused(
            f"{file.name} is not a file of torch.export: {in_a_line(error)}; if it was cut off, copy it again"
        ) from error
    if odd:
        raise ImportRefused(
            f"{file.name} holds {', '.join(odd)}: must hold a program's graph and numbers alone, as all else could run "
            "code; export the model with torch.export.save of this PyTorch or a newer one, or as ONNX"
        )
    _refuse_names(file, names)


_OPENED_BY: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\x00": lzma.open,
    b"x": lambda file: BinaryZlibFile(str(file), "rb"),
}


def _opened(file: Path) -> Any:
    """Open the pickle's bytes, decompressed as joblib would: a binary file."""
    with file.open("rb") as stream:
        first = stream.read(6)
    for magic, opener in _OPENED_BY.items():
        if first.startswith(magic):
            return opener(file)
    return file.open("rb")
