"""What is done around a library's first import, whenever that comes."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


def around(name: str, wrapped: Callable[[Callable[[], None]], None]) -> None:
    """Has the first import of a library made by a function; by itself this imports nothing.

    Args:
        name: of the library, which has not been imported.
        wrapped: is given what imports it, and calls that.
    """
    sys.meta_path.insert(0, _Finder(name, wrapped))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds a library as others do, once."""

    def __init__(self, name: str, wrapped: Callable[[Callable[[], None]], None]) -> None:
        self._name, self._wrapped = name, wrapped

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._wrapped(  # type: ignore[method-assign]
                lambda: run(module)
            )
        return spec
