"""Import what a job needs without pandas.

pyarrow (at its first value) and scikit-learn (as it is imported) import pandas merely to ask later whether a value is a
data frame: two thirds of what a score job imports, and 40 MB. Whoever has frames imports pandas afterwards as ever.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is kept out of these imports", name=fullname)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Let nothing import pandas in the meantime; it is as if it were not installed. Where it is loaded, it stays so."""
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
