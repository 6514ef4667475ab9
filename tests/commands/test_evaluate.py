"""Where an evaluation is written."""

import os
from types import SimpleNamespace

from command_modules import functions_of


def test_what_is_told_of_one_alone_does_not_replace_what_is_told_of_all():
    folder = functions_of("evaluate")["_folder"]

    def folder_of(*condition):
        told = {"_WORKDIR": "run", "_CONDITION": list(condition) or None}
        folder.__globals__.update({name: SimpleNamespace(value=x) for name, x in told.items()})
        return folder()

    assert folder_of() == "run"
    assert folder_of("bird=a") == os.path.join("run", "bird=a")
    assert folder_of("bird=a", "context=../b c") == os.path.join("run", "bird=a,context=..%2Fb%20c")
