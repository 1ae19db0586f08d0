"""What a pickle would import and call, found without doing any of it.

The pickle is played on Python's own pickle machine with every name replaced by something inert. Names that are put
together while it plays are seen as the real machine would see them, which a list of its opcodes does not give.
"""

import bz2
import gzip
import importlib
import lzma
import pickle
import re
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
from joblib.compressor import BinaryZlibFile

from model_code.importing.formats import ImportRefused, in_a_line

NUMPY_TYPES = {name for name in np.sctypeDict if isinstance(name, str)} | {"ndarray", "dtype", "bool_"}
NUMPY_FUNCTIONS = {"abs", "absolute", "cbrt", "exp", "expm1", "log", "log10", "log1p", "log2", "sqrt", "square"}
REBUILD = {"_reconstruct", "scalar", "_frombuffer"}
BUILTINS = {
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
ABSTRACT_TYPES = {"number", "integer", "signedinteger", "unsignedinteger", "inexact", "floating", "generic"}
MASKED = {"MaskedArray", "_mareconstruct"}  # the results of a search
# What the pickles of scikit-learn pipelines name beside scikit-learn's own classes; all of it only makes values.
HARMLESS = {
    "builtins": BUILTINS,
    "__builtin__": BUILTINS,
    "_codecs": {"encode"},  # bytes in the pickles of old protocols
    "collections": {"OrderedDict", "defaultdict"},
    "copyreg": {"_reconstructor"},
    "copy_reg": {"_reconstructor"},
    "joblib.numpy_pickle": {"NumpyArrayWrapper"},
    "numpy": NUMPY_TYPES | NUMPY_FUNCTIONS | ABSTRACT_TYPES,
    **dict.fromkeys(("numpy.ma", "numpy.ma.core"), MASKED),
    **dict.fromkeys(("numpy.core.multiarray", "numpy._core.multiarray"), REBUILD),
    **dict.fromkeys(("numpy.core.numeric", "numpy._core.numeric"), REBUILD),
    **dict.fromkeys(("numpy.core._multiarray_umath", "numpy._core._multiarray_umath"), NUMPY_FUNCTIONS),
    "numpy.random._pickle": {"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"},
    "numpy.random.bit_generator": {"SeedSequence", "__pyx_unpickle_SeedSequence"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random._pcg64": {"PCG64"},
    "scipy.sparse._csr": {"csr_array", "csr_matrix"},
    "scipy.sparse._csc": {"csc_array", "csc_matrix"},
    "torch._utils": {"_rebuild_parameter", "_rebuild_tensor_v2"},
    "torch": {f"{kind}Storage" for kind in ("BFloat16", "Bool", "Double", "Float", "Half", "Int", "Long")},
}
# Their functions compute a number from numbers: the scores that selectors and searches go by.
SCORE_FUNCTIONS = {
    "sklearn.feature_selection._mutual_info",
    "sklearn.feature_selection._univariate_selection",
    "sklearn.metrics._classification",
    "sklearn.metrics._ranking",
    "sklearn.metrics._regression",
}
SELECTORS = {("sklearn.compose._column_transformer", "make_column_selector")}  # a class, for all its name
OF_SKLEARN = re.compile(r"_?[A-Z]\w*|__pyx_unpickle_\w+|newObj")
OF_TORCH = re.compile(r"torch\.nn\.modules\.(activation|batchnorm|container|dropout|flatten|linear|normalization)")


def refuse_what_is_not_known(file: Path, *, zipped: bool = False) -> None:
    """Refuses by name whatever the pickle in the file, or in a zip archive as PyTorch writes it, names and is not known
    to be harmless.
    """
    refuse_names(file, names_in(file, zipped=zipped))


def refuse_names(file: Path, names: set[tuple[str, str]]) -> None:
    outside = sorted(name for name in names if not is_harmless(*name))
    if outside:
        listed = ", ".join(f"{module}.{name}" for module, name in outside)
        raise ImportRefused(
            f"{file.name} names {listed}, which is not known to be harmless and not there where the model serves; "
            "save the model without it (of a search, its best_estimator_), or export it to ONNX"
        )


def is_harmless(module: str, name: str) -> bool:
    if module.startswith("sklearn."):
        return _may_be_named(module, name) and is_of_sklearn(module, name)
    return name in HARMLESS.get(module, ()) or (
        bool(OF_TORCH.fullmatch(module)) and name.isidentifier() and name[0].isupper()
    )


def _may_be_named(module: str, name: str) -> bool:
    """Whether scikit-learn's name is that of a class, or of a function that only computes a score."""
    score = module in SCORE_FUNCTIONS and not name.startswith("_")
    return score or (module, name) in SELECTORS or bool(OF_SKLEARN.fullmatch(name))


def is_of_sklearn(module: str, name: str) -> bool:
    """Whether scikit-learn defines it: its modules also import names that do more than hold a fitted estimator."""
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return False
    home = getattr(found, "__module__", module)
    # score functions are those that the module itself defines: it also imports functions that do more
    return home == module if module in SCORE_FUNCTIONS else home.startswith("sklearn.")


def names_in(file: Path, *, zipped: bool = False) -> set[tuple[str, str]]:
    """(module, name) of every global of a pickle or joblib file, or of the pickles in a zip archive."""
    found: set[tuple[str, str]] = set()
    try:
        for stream in zipped_pickles(file) if zipped else [opened(file)]:
            with stream:
                Inert(stream, found).load()
    except ImportRefused:
        raise
    except Exception as error:  # whatever the bytes make of the machine: they are no pickle that one could judge
        kind = "file of PyTorch" if zipped else "pickle"
        raise ImportRefused(
            f"{file.name} is no {kind} that can be scanned: {in_a_line(error)}; if it was cut off "
            "on its way, bring it again"
        ) from error
    return found


def zipped_pickles(file) -> Iterator:
    with zipfile.ZipFile(file) as archive:
        for member in archive.namelist():
            if member.endswith(".pkl"):
                yield archive.open(member)


# ---- programs of torch.export: archives of numbers and of JSON, in which torch.save's archives may lie

OF_EXPORT = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|version|\.data/\w+|models/[\w.-]+\.json|extra/[\w./-]+"
    r"|data/weights/(weight_\d+|[\w.-]+\.json)|data/constants/(tensor_\d+|[\w.-]+\.json)|data/sample_inputs/[\w.-]+\.pt)"
)


def refuse_what_is_no_program(file: Path) -> None:
    """Compiled code and pickled objects are refused by their name in the archive, and what its pickles name is held to
    the list.
    """
    found: set[tuple[str, str]] = set()
    try:
        with zipfile.ZipFile(file) as archive:
            odd = sorted(name for name in archive.namelist() if not OF_EXPORT.fullmatch(name))
            for name in archive.namelist():
                with archive.open(name) as member:
                    if zipfile.is_zipfile(member):
                        found |= names_in(member, zipped=True)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ImportRefused(
            f"{file.name} is no file of torch.export: {in_a_line(error)}; if it was cut off on its way, bring it again"
        ) from error
    if odd:
        raise ImportRefused(
            f"{file.name} holds {', '.join(odd)}, which is no part of a program's graph and numbers "
            "and could run anything; "
            "export the model with this PyTorch or a newer one, as torch.export.save does, or as ONNX"
        )
    refuse_names(file, found)


OPENED_BY = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x5d\x00": lzma.open,
    b"x": lambda file: BinaryZlibFile(str(file), "rb"),
}


def opened(file: Path):
    """The pickle's bytes, decompressed as joblib would."""
    with file.open("rb") as stream:
        first = stream.read(6)
    for magic, opener in OPENED_BY.items():
        if first.startswith(magic):
            return opener(file)
    return file.open("rb")


# ---- the inert machine


class Nothing:
    """Stands for whatever a pickle makes: it takes everything and does nothing."""

    def __new__(cls, *arguments, **named):
        made = super().__new__(cls)
        made.arguments = arguments
        return made

    def __init__(self, *arguments, **named):
        self.state = {}

    def __setstate__(self, state):
        self.state = state

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass

    def add(self, value):
        pass


class Inert(pickle._Unpickler):
    """Plays a pickle without importing or calling what it names; `found` collects the names."""

    def __init__(self, stream, found: set):
        super().__init__(stream)
        self.stream, self.found = stream, found

    def find_class(self, module, name):
        self.found.add((module, name))
        return type("Nothing", (Nothing,), {"name": (module, name)})

    def persistent_load(self, pid):
        return Nothing()

    def get_extension(self, code):
        raise ImportRefused(f"the pickle names the registered extension {code}, whatever that is; save it without")

    def load_build(self):
        super().load_build()
        made = self.stack[-1]
        if getattr(made, "name", None) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            self.skip_array(made.state)

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # noqa: RUF012 - never written to

    def skip_array(self, wrapper: dict) -> None:
        """joblib writes an array's bytes between the opcodes, or a pickle of its own for an array of objects."""
        dtype = np.dtype(str(wrapper["dtype"].arguments[0]))
        if dtype.hasobject:
            Inert(self.stream, self.found).load()
            return
        if wrapper.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        left = prod(wrapper["shape"]) * dtype.itemsize
        while left > 0:
            left -= len(self.stream.read(min(left, 1 << 20))) or left
