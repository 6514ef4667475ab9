"""Who may import whom, and what the package never does."""

import ast
import functools
import pathlib
import re
import runpy
import subprocess
import sys
from unittest import mock

import pytest
import setuptools

import neurovocal_tf
from neurovocal_tf import installation
from neurovocal_tf.commands import command_line
from neurovocal_tf.server import page_policy

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "neurovocal_tf"
FILES = sorted(PACKAGE.rglob("*.py"))
ALL_FILES = sorted(
    [
        *FILES,
        *(ROOT / "tools").rglob("*.py"),
        *(ROOT / "export").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
    ]
)

# The rooms of the package, folders and the files beside them, and the rooms that each may import. A
# new room adds its arrows here. What stands as "room/file" holds for that file in the place of its
# room's.
ARROWS = {
    # What all stand on.
    "earlier_settings": set(),
    "settings": {"earlier_settings"},
    "conditions": {"settings"},
    "labels": {"conditions"},
    "config_model": {"settings"},
    "config_sections": {"settings"},
    "config_segmentation": {"settings"},
    "config_texts": {"settings"},
    "config": {
        "config_model",
        "config_sections",
        "config_segmentation",
        "config_texts",
        "settings",
        "earlier_settings",
        "flag_files",
        "presets",
    },
    "files": set(),
    "ownership": {"files"},
    "imports": set(),
    "interrupts": set(),
    "keras_backend": {"imports"},
    "processors": set(),
    "greeting": {"imports"},
    "xla_log": {"greeting"},
    "array_files": set(),
    "status": set(),
    "json_numbers": set(),
    "flag_help": {"config", "presets"},
    "flag_parsers": {"flag_help", "settings"},
    "presets": {"settings"},
    "flag_files": {"presets", "earlier_settings"},
    "flags": {
        "flag_files",
        "flag_help",
        "flag_parsers",
        "presets",
        "config",
        "settings",
        "earlier_settings",
        "files",
        "greeting",
        "keras_backend",
    },
    # Sound.
    "audio": {"annotations", "config", "settings", "status"},
    "annotations": {"files"},
    "plots": {"files"},
    "segmentation": {"audio", "annotations", "plots", "config", "settings", "files"},
    "pages": {"segmentation", "audio", "annotations", "config", "files"},
    "music": {"files"},
    "music/harmony": set(),
    "music/likeness": set(),
    "data": {
        "segmentation",
        "audio",
        "annotations",
        "music",
        "array_files",
        "conditions",
        "labels",
        "config",
        "files",
    },
    # Probability.
    "rbm": set(),
    "layers": {"rbm", "conditions", "labels"},
    "model": {"layers", "rbm", "conditions", "labels"},
    # Where they meet.
    "generation": {"model", "annotations", "audio", "labels", "music", "plots", "config", "files"},
    # Of that room what hears a voice, and has another one say it.
    "generation/voice_conversion": {"discovery", "audio", "conditions", "labels"},
    "generation/units_in_graph": {"discovery"},
    "discovery": {"pages", "segmentation", "annotations", "audio", "config", "files"},
    # Of that room what needs a trained run.
    "discovery/unusual": {
        "runs",
        "generation",
        "data",
        "model",
        "segmentation",
        "audio",
        "config",
    },
    "archive": {"discovery", "segmentation", "annotations", "audio", "config", "files"},
    # Of that room what needs a trained run.
    "archive/calls": {"evaluation", "discovery", "runs", "model", "annotations", "audio", "config"},
    "runs": {
        "data",
        "model",
        "layers",
        "serving",
        "audio",
        "array_files",
        "conditions",
        "labels",
        "config",
        "files",
    },
    # Of that room what hears a run's units in recordings.
    "runs/recording_units": {"data", "discovery", "audio"},
    "runs/run_folder": {"data", "audio", "conditions", "labels", "config", "files"},
    "serving": {
        "discovery",
        "generation",
        "model",
        "segmentation",
        "audio",
        "conditions",
        "labels",
        "status",
        "files",
        "ownership",
    },
    "evaluation": {
        "discovery",
        "generation",
        "runs",
        "data",
        "model",
        "rbm",
        "segmentation",
        "audio",
        "music",
        "plots",
        "config",
        "config_sections",
        "files",
        "xla_log",
        "conditions",
        "labels",
    },
    "evaluation/baselines": {"model"},
    "evaluation/one_step": set(),
    "evaluation/song_measures": {"discovery"},
    "evaluation/song_windows": set(),
    "evaluation/frame_chain": set(),
    "evaluation/heard": {"discovery", "config"},
    "evaluation/song_drift": set(),
    "evaluation/song_likeness": set(),
    "training": {
        "config_sections",
        "evaluation",
        "discovery",
        "generation",
        "runs",
        "data",
        "model",
        "layers",
        "rbm",
        "annotations",
        "audio",
        "labels",
        "plots",
        "config",
        "settings",
        "ownership",
        "processors",
        "xla_log",
        "greeting",
        "files",
    },
    "training/optimizers": set(),
    "training/phases": set(),
    "training/averages": set(),
    # What people call in Python.
    "api": {
        "conditions",
        "training",
        "evaluation",
        "serving",
        "generation",
        "runs",
        "data",
        "model",
        "segmentation",
        "audio",
        "presets",
        "config",
        "settings",
        "files",
    },
    "api/arguments": {"audio", "presets", "config", "settings"},
    "api/sound": {"audio", "config"},
    "api/segments": {"segmentation", "audio", "config", "processors"},
    "api/stretches": set(),
    "api/found_calls": {"segmentation", "annotations", "audio", "config"},
    "api/discovered": {"discovery", "ownership"},
    "api/discovery": {"discovery", "config"},
    # Wire.
    "server": {"json_numbers"},
    "client": {"json_numbers", "status", "conditions"},
    "client/wav_output": {"files"},
    # What people type in a shell.
    "installation": {"audio"},
}
# What runs when a user types a command: it may reach every room.
ARROWS["commands"] = {name for name in ARROWS if "/" not in name}

# Rooms, and files as "room/file", that hold to few libraries beside the standard library.
LIBRARIES = {
    "settings": set(),
    "conditions": set(),
    "labels": {"numpy", "tensorflow"},
    "earlier_settings": set(),
    "config": set(),
    "files": set(),
    "interrupts": set(),
    "status": set(),
    "flag_help": set(),
    "flag_parsers": {"absl"},
    "presets": set(),
    "flag_files": set(),
    "flags": {"absl", "tqdm"},
    "client": {"numpy"},
    "json_numbers": {"numpy", "orjson"},
    "client/transports": {"numpy", "grpc", "tensorflow", "tensorflow_serving"},
    "rbm": {"tensorflow", "numpy"},
    "plots": {"numpy", "matplotlib"},
    "discovery": {"numpy", "scipy", "sklearn", "threadpoolctl"},
    "discovery/umap_view": {"numpy", "umap"},
    "discovery/unusual": {"numpy", "scipy", "tensorflow"},
    "discovery/prosody": {"numpy", "scipy", "parselmouth"},
    "annotations": {"numpy", "scipy", "tensorflow"},
    "annotations/elan": {"pympi"},
    "archive": {"apache_beam"},
    "archive/calls": {"numpy"},
    "annotations/parquet": {"pandas", "pyarrow"},
    "pages": {"numpy"},
    "model/autoregression": {"numpy", "scipy"},
    "evaluation/baselines": {"numpy", "scipy"},
    "evaluation/likelihood_baselines": {"numpy", "scipy"},
    "data/frame_sequences": {"numpy", "tensorflow"},
    "music": {"numpy"},
    "music/midi": {"numpy", "mido"},
    "api/arguments": {"numpy"},
    "api/sound": {"numpy", "scipy"},
    "api/segments": {"numpy", "pandas", "tqdm"},
    "api/stretches": {"pandas"},
    "api/found_calls": {"numpy", "pandas", "soundfile"},
    "api/discovered": {"pandas"},
    "api/discovery": {"numpy", "pandas", "tqdm"},
}
# Rooms and files whose libraries need not be installed with the package: an extra of setup.py names
# them.
WITH_AN_EXTRA = {
    "server",
    "archive",
    "annotations/elan",
    "annotations/parquet",
    "discovery/umap_view",
    "discovery/prosody",
    "music/midi",
}
WITHOUT_KERAS = {
    "server",
    "archive",
    "audio",
    "annotations",
    "segmentation",
    "pages",
    "rbm",
    "settings",
    "earlier_settings",
    "config",
    "flag_help",
    "flag_parsers",
    "flags",
    "plots",
    "data",
    "discovery",
    "evaluation/baselines",
    "model/autoregression",
    "files",
    "music",
    "runs/run_folder",
    "api/arguments",
    "api/sound",
    "api/segments",
    "api/stretches",
    "api/found_calls",
    "api/discovered",
    "api/discovery",
}


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def imports(path):
    """Dotted names of all modules imported anywhere in a file; `from a import b` gives a.b."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def place(path):
    """Room and name of a file: "room/file", or the name alone of what lies beside the rooms."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def room(path):
    return place(path).split("/")[0]


def rule(table, path):
    """What a table says of a file itself, else of its room."""
    return table.get(place(path), table.get(room(path)))


def rooms_imported(path):
    return {name.split(".")[1] for name in imports(path) if name.startswith("neurovocal_tf.")}


def libraries_imported(path):
    return (
        {name.split(".")[0] for name in imports(path)}
        - set(sys.stdlib_module_names)
        - {"neurovocal_tf"}
    )


def names_of(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def in_package(*excluded):
    return [path for path in FILES if room(path) not in ("__init__", "__main__", *excluded)]


def calls(path):
    """What a file calls: names such as print, and attributes with their object's
    name, such as sys.exit.
    """
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", in_package(), ids=names_of(in_package()))
def test_a_room_imports_only_the_rooms_it_may(path):
    assert room(path) in ARROWS, "a new room: add its arrows to this test"
    assert rooms_imported(path) - {room(path)} <= rule(ARROWS, path)


@pytest.mark.parametrize("path", in_package(), ids=names_of(in_package()))
def test_a_room_imports_only_the_libraries_it_may(path):
    libraries = rule(LIBRARIES, path)
    assert libraries is None or libraries_imported(path) <= libraries
    if {room(path), place(path)} & WITHOUT_KERAS:
        assert not {
            name for name in imports(path) if re.match(r"keras\b|tensorflow\.keras\b", name)
        }


def test_the_arrows_form_no_circle():
    left = dict(ARROWS)
    while left:
        free = {name for name, arrows in left.items() if not arrows & left.keys()}
        assert free, f"a circle among {sorted(left)}"
        left = {name: arrows for name, arrows in left.items() if name not in free}


def test_the_picture_of_the_rooms_is_true():
    rooms = {name: arrows for name, arrows in ARROWS.items() if "/" not in name}

    def reach(name):
        return rooms[name].union(*(reach(other) for other in rooms[name]))

    # What follows from another arrow is left out of it.
    direct = {
        (name, other)
        for name, arrows in rooms.items()
        for other in arrows
        if not any(other in reach(x) for x in arrows - {other})
    }
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^    (\w+) --> (\w+)$", page, re.MULTILINE)) == direct
    assert {
        name for name in rooms if not re.search(rf"^        {name}$", page, re.MULTILINE)
    } == set()


def test_what_knows_of_sound_and_what_knows_of_probability_stay_apart():
    def reach(name):
        return {name}.union(*(reach(other) for other in ARROWS[name]))

    sound, probability = (
        {"audio", "annotations", "plots", "segmentation", "pages", "music", "data"},
        {"rbm", "layers", "model"},
    )
    assert not any(
        reach(name) & probability
        for name in (*sound, "runs/run_folder", "evaluation/song_likeness", "evaluation/heard")
    )
    assert not any(
        reach(name) & sound
        for name in (*probability, "training/optimizers", "training/phases", "training/averages")
    )
    assert not reach("serving") & {"data", "runs", "training"}


def test_only_flags_and_the_commands_import_absl_flags():
    assert {room(path) for path in FILES if any(n.startswith("absl") for n in imports(path))} == {
        "flags",
        "flag_parsers",
        "commands",
    }


def test_only_the_commands_use_flags_and_nothing_imports_a_command():
    others = in_package("flags", "commands")
    assert names_of(path for path in others if "flags" in rooms_imported(path)) == []
    assert names_of(path for path in others if "commands" in rooms_imported(path)) == []


def test_a_script_of_the_checkout_only_starts_a_command():
    scripts = [ROOT / command.script for command in command_line.COMMANDS if command.script]
    for path in scripts:
        assert libraries_imported(path) == set() and rooms_imported(path) == {"commands"}, path
    developers = {ROOT / "tools" / f"{name}.py" for name in ("benchmark", "compare", "extensions")}
    there = {*(ROOT / "tools").glob("*.py"), *(ROOT / "export").glob("*.py")}
    assert there == {*scripts, *developers}


def test_every_module_of_the_commands_is_a_command():
    modules = {path.stem for path in (PACKAGE / "commands").glob("*.py")}
    assert modules - {"__init__", "command_line"} == {c.name for c in command_line.COMMANDS}


def test_only_the_commands_and_the_training_progress_write_to_the_terminal_or_exit():
    spoken = re.compile(
        r"print|input|exit|quit|sys\.exit|os\._exit|sys\.stdout\.\w+|sys\.stderr\.\w+"
    )
    assert {
        place(path)
        for path in in_package("commands")
        for name, _ in calls(path)
        if spoken.fullmatch(name)
    } <= {"flags", "training/progress"}


def test_no_pickle_and_no_code_from_strings():
    dangerous = re.compile(r"eval|exec|compile|__import__")
    picklers = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
    for path in FILES:
        assert not picklers & {name.split(".")[0] for name in imports(path)}, path
        for name, call in calls(path):
            assert not dangerous.fullmatch(name), f"{path}: {name}"
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert (
                given.get("allow_pickle", "False") == "False"
                and given.get("safe_mode", "True") == "True"
            ), path


def test_no_global_random_generator():
    keyed = (
        r"np\.random\.(default_rng|Generator|SeedSequence|Philox|PCG64)"
        r"|tf\.random\.(experimental\.)?stateless_\w+|keras\.random\.SeedGenerator"
    )
    for path in FILES:
        drawn = [
            name
            for name, _ in calls(path)
            if re.fullmatch(r"((np|numpy|tf|tensorflow|keras)\.)?random\.[\w.]+", name)
        ]
        assert [name for name in drawn if not re.fullmatch(keyed, name)] == [], path


def test_no_file_is_a_drawer_for_everything():
    assert [
        path
        for path in names_of(ALL_FILES)
        if re.search(r"(utils?|helpers?|misc|common)\.py$", path)
    ] == []


def test_no_file_of_the_project_is_longer_than_400_lines():
    measured = [
        path
        for path in ALL_FILES
        if path.name != "reference.py" and not path.name.startswith("test_")
    ]
    assert [
        path for path in measured if len(path.read_text(encoding="utf-8").splitlines()) > 400
    ] == []


@pytest.mark.parametrize("path", in_package(), ids=names_of(in_package()))
def test_every_public_function_and_class_has_a_docstring(path):
    assert ast.get_docstring(tree(path)) or not tree(path).body
    public = [
        node
        for node in tree(path).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and "overload" not in map(ast.unparse, node.decorator_list)
        # What a command's main does is said by its module, which --help prints.
        and (room(path), node.name) != ("commands", "main")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def without_hints(path):
    """Public functions and methods, with those that Python calls, that do not say of what type a
    parameter or their result is.
    """
    for owner in (
        tree(path),
        *(node for node in tree(path).body if isinstance(node, ast.ClassDef)),
    ):
        for node in owner.body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or re.match(
                r"_(?!_)", node.name
            ):
                continue
            is_bound = isinstance(owner, ast.ClassDef) and "staticmethod" not in map(
                ast.unparse, node.decorator_list
            )
            arguments = node.args
            named = [*arguments.posonlyargs, *arguments.args][
                int(is_bound) :
            ] + arguments.kwonlyargs
            given = [*named, *filter(None, (arguments.vararg, arguments.kwarg))]
            if node.returns is None or any(argument.annotation is None for argument in given):
                yield f"{getattr(owner, 'name', '')}.{node.name}".lstrip(".")


@pytest.mark.parametrize("path", FILES, ids=names_of(FILES))
def test_every_public_function_and_method_has_hints(path):
    missing = list(without_hints(path))
    assert missing == []


def test_importing_the_package_its_settings_its_flags_or_its_client_needs_no_tensorflow():
    modules = (
        "sys, neurovocal_tf, neurovocal_tf.config, neurovocal_tf.flags, "
        "neurovocal_tf.client.client, neurovocal_tf.api.sound, neurovocal_tf.api.segments, "
        "neurovocal_tf.api.discovery"
    )
    code = f"import {modules}; sys.exit(bool({{'tensorflow', 'keras'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


def test_the_index_of_public_names_is_true():
    for name, module in neurovocal_tf._MODULE_OF.items():
        path = PACKAGE / f"{module.replace('.', '/')}.py"
        if path.exists():
            named = {getattr(node, "name", None) for node in tree(path).body}
            other_names = {
                ast.unparse(target)
                for node in tree(path).body
                if isinstance(node, ast.Assign)
                for target in node.targets
            }
            assert name in named | other_names, f"{name} is not in {path}"
    assert set(neurovocal_tf.__all__) <= set(dir(neurovocal_tf))
    assert neurovocal_tf.Config().training.seed == 0


def test_editors_and_type_checkers_know_the_public_names():
    told = {
        (node.module, alias.name, alias.asname)
        for block in tree(PACKAGE / "__init__.py").body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    assert told == {
        (f"neurovocal_tf.{module}", name, name) for name, module in neurovocal_tf._MODULE_OF.items()
    }


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'neurovocal_tf' has no attribute 'Confog'"):
        neurovocal_tf.Confog  # noqa: B018


def declared():
    """The arguments of setup.py's `setup`."""
    with (
        mock.patch.object(setuptools, "setup") as setup,
        mock.patch("os.getcwd", lambda: str(ROOT)),
    ):
        runpy.run_path(str(ROOT / "setup.py"))
    return setup.call_args.kwargs


def test_every_library_that_is_imported_is_declared():
    distributions = {
        "absl": "absl-py",
        "sklearn": "scikit-learn",
        "tensorflow_io": "tensorflow-io",
        "keras_tuner": "keras-tuner",
    }
    distributions |= {"tensorflow_serving": "tensorflow-serving-api", "google": "protobuf"}
    distributions |= {"apache_beam": "apache-beam", "pympi": "pympi-ling", "umap": "umap-learn"}
    distributions |= {"parselmouth": "praat-parselmouth"}
    distributions |= {"grpc": "grpcio", "grpc_health": "grpcio-health-checking"}
    kwargs = declared()
    required = {re.split(r"[<>=!~\[; ]", line)[0] for line in kwargs["install_requires"]}
    optional = {
        re.split(r"[<>=!~\[; ]", line)[0]
        for lines in kwargs["extras_require"].values()
        for line in lines
    }
    for path in ALL_FILES:
        ours = {"tests", "tools", "export", "benchmarks", *(other.stem for other in ALL_FILES)}
        used = {distributions.get(name, name) for name in libraries_imported(path) - ours}
        assert used <= required | (
            optional if path not in FILES or {room(path), place(path)} & WITH_AN_EXTRA else set()
        ), path


def test_every_extra_for_users_is_told_by_what_it_brings():
    extras = declared()["extras_require"]
    for library, extra in installation._OF_EXTRAS.items():
        assert any(re.match(rf"{library}[<>=]", line) for line in extras[extra]), library
    of_developers = {"docs", "notebooks", "manifests", "benchmark", "test"}
    assert {*installation._OF_EXTRAS.values()} == extras.keys() - of_developers


def test_every_folder_of_the_package_is_installed():
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}
    assert set(declared()["packages"]) == folders


def test_every_file_of_a_page_is_installed():
    patterns = declared()["package_data"]["neurovocal_tf.pages"]
    pages = PACKAGE / "pages"
    installed = {path for pattern in patterns for path in pages.glob(pattern)}
    parts = {
        path for path in pages.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert parts - installed == set(pages.glob("*.py"))


def test_the_page_of_the_server_is_installed():
    patterns = declared()["package_data"]["neurovocal_tf.server"]
    folder = PACKAGE / "server"
    assert {path for pattern in patterns for path in folder.glob(pattern)} == {page_policy.PAGE}


def test_every_script_of_a_page_is_in_it_and_none_is_long():
    from neurovocal_tf.discovery import report
    from neurovocal_tf.pages import review

    scripts = sorted((PACKAGE / "pages").glob("*/*.js"))
    assert {path.name for path in scripts} == {*review._SCRIPTS, *report.SCRIPTS, "index.js"}
    for path in scripts:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400 and max(map(len, lines)) <= 100, path


def test_versions_agree():
    assert declared()["version"] == neurovocal_tf.__version__
