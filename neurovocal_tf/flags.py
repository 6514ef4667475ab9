"""Settings as command-line flags, and how every tool starts and ends.

What flag files and presets are, see `flag_files`.
"""

import errno
import functools
import io
import itertools
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from absl import app, flags, logging

from neurovocal_tf import config as config_lib
from neurovocal_tf import (
    earlier_settings,
    files,
    flag_files,
    flag_help,
    flag_parsers,
    greeting,
    keras_backend,
    presets,
)
from neurovocal_tf.flag_help import text_of
from neurovocal_tf.settings import is_list, number_type

# The flags that `define_path` defines are those of the tool that calls it.
flags.disclaim_key_flags()

#: What --data_dir takes, in every command; see `audio.listing.look_at`.
RECORDINGS = (
    "Recordings: a folder, searched with all folders below it; one recording; a pattern in quotes, "
    "'birds/*/song*.wav'; a list of paths, .txt; or a table with a column `file`, .csv or .parquet."
)
# What a disk says that takes no more: full, over the user's quota, a file of the largest size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
HELP_FLAGS = ("--help", "-help", "--helpshort", "-helpshort", "-h", "-?")
_FULL_HELP_FLAGS = ("--helpfull", "-helpfull")


def define(
    sections: Sequence[str] | None = None, flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Defines one flag for each setting in the named sections of `Config`, and for those named by
    themselves; None: for all settings.
    """
    known = [section for section, _ in _fields_by_section()]
    names = {field.name for _, field in config_lib.settings()}
    for section in sections or ():
        if section not in known and section not in names:
            raise ValueError(
                f"`sections` must be among {', '.join(known)}, or settings. "
                f"Received: sections={sections}"
            )
    for section, field in config_lib.settings():
        if _is_among(sections, section, field):
            _define_one(field, flag_values=flag_values, module_name=_module_of(section))


def define_preset(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines --preset."""
    flags.DEFINE_enum(
        "preset",
        None,
        [presets.AUTO, *presets.NAMES],
        "Settings that belong together, for one kind of recordings; other flags change them.",
        flag_values=flag_values,
    )


def chosen_preset(
    choose: Callable[[], tuple[str, str]], flag_values: flags.FlagValues = flags.FLAGS
) -> config_lib.Config | None:
    """The `Config` of the preset that `--preset=auto` stands for, for `config_from_flags`; None if
    another preset is given, or none.

    Args:
        choose: () -> a preset's name, and why; the user is told.
    """
    if flag_values["preset"].value != presets.AUTO:
        return None
    name, reason = choose()
    say(f"preset {name}: {reason}")
    return config_lib.Config.preset(name)


def define_path(name: str, default: str | None, help: str, **where: Any) -> flags.FlagHolder:
    """Defines a tool's own flag of a path: ~ is the home folder, and blanks around it do not count.

    Args:
        name, default, help: of the flag.    where: as of `flags.DEFINE`.
    """
    return flags.DEFINE(
        flag_parsers.PathParser(),
        name,
        default,
        help,
        serializer=flags.ArgumentSerializer(),
        **where,
    )


def config_from_flags(
    base: config_lib.Config | None = None, flag_values: flags.FlagValues = flags.FLAGS
) -> config_lib.Config:
    """The `Config` that the flags describe.

    Args:
        base: `Config` whose values hold where no flag was given;
            None: the flags' defaults hold there.

    Raises:
        ValueError: the values are out of range or contradict each other;
            the message is `Config`'s own.
    """
    names = _defined(flag_values) if base is None else given_flags(flag_values)
    return (base or config_lib.Config()).replace(
        **{name: flag_values[name].value for name in names}
    )


def given_flags(flag_values: flags.FlagValues = flags.FLAGS) -> tuple[str, ...]:
    """Names of the settings given on the command line or in flag files,
    in the order of `Config`.
    """
    return tuple(name for name in _defined(flag_values) if flag_values[name].present)


def flag_lines(config: config_lib.Config, sections: Sequence[str] | None = None) -> list[str]:
    """Every setting of `config`, or those that `define` takes under `sections`, as a line of a flag
    file, under one comment a section.
    """
    lines = []
    for section, fields in _fields_by_section():
        values = getattr(config, section)
        found = [
            f"--{f.name}={text_of(getattr(values, f.name))}"
            for f in fields
            if _is_among(sections, section, f)
        ]
        lines += [f"# {section}", *found] if found else []
    return lines


def write_flags(
    path: str | os.PathLike,
    config: config_lib.Config | None = None,
    flag_values: flags.FlagValues = flags.FLAGS,
    sections: Sequence[str] | None = None,
) -> None:
    """Writes every setting, or those of `sections`, to `path` as a flag file; `config` None:
    as the flags have them.
    """
    config = config_from_flags(flag_values=flag_values) if config is None else config
    files.write_text(path, "\n".join(flag_lines(config, sections)) + "\n")


def one_of(*holders: flags.FlagHolder, required: bool = True) -> Any:
    """The value of the one flag that is given of several; None if none is and none is required.

    Raises ValueError for more than one, or for none.
    """
    given = [holder for holder in holders if holder.value is not None]
    if len(given) > 1 or (required and not given):
        names = " or ".join(f"--{holder.name}" for holder in holders)
        raise ValueError(
            f"{names} must be given, one of them. "
            f"Received: {' and '.join(f'--{h.name}' for h in given) or 'none'}"
        )
    return given[0].value if given else None


def leave_out(asked: str, *names: str) -> None:
    """Raises ValueError for a flag among `names` that is given beside `asked`, with which it would
    do nothing.
    """
    for name in names:
        if flags.FLAGS[name].present:
            raise ValueError(f"flag --{name}: must be left out with --{asked}")


def say(line: str) -> None:
    """Tells the user a line that is no result, on standard error,
    above a progress bar where there is one.
    """
    import tqdm  # here, so that --help needs none of it

    tqdm.tqdm.write(line, file=sys.stderr)


def run(
    main: Callable[[list[str]], int | None],
    on_keras: bool = False,
    description: str | None = None,
    first: Sequence[str] | None = None,
    argv: Sequence[str] | None = None,
) -> None:
    """Parses the command line, calls `main(argv)` and exits: the one entry point of every tool.

    `argv` holds the program's name alone: stray arguments are refused. The exit code is what main
    returns; 1 after a user's mistake (ValueError, OSError, a flag's error), told in one line; 130
    after Ctrl-C. Any other exception keeps its traceback, and `--verbosity=1` shows that of a
    user's mistake too.

    Args:
        main: see above; its module is the one that has defined the tool's own flags.
        on_keras: whether main imports Keras, which then has to run on TensorFlow.
        description: what --help says first; None: the docstring of main's module.
        first: names of the flags that matter most, which --help shows, --helpfull all; None: all.
        argv: the command line; None: that of the process.
    """
    # TensorFlow, imported in main, greets with twenty lines about the machine,
    # among which a user's own would be lost.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    greeting.leave_out_of_import()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An encoding that lacks a letter of a name ends no run.
            stream.reconfigure(errors="backslashreplace")
    module = sys.modules[main.__module__]
    app.run(
        functools.partial(_guarded, main, on_keras),
        argv=None if argv is None else list(argv),
        flags_parser=functools.partial(
            _parse, module.__name__, description or module.__doc__, first
        ),
    )


def expand_flagfiles(
    arguments: Iterable[str], flag_values: flags.FlagValues = flags.FLAGS
) -> list[str]:
    """Puts the lines of each flag file, and of the files it includes,
    in the place of its `--flagfile`.

    Flags of earlier versions are brought to those of today, and the user is told.

    Raises:
        ValueError: a file cannot be read, includes itself, or has a line that is no flag.
    """
    expanded, lines = earlier_settings.arguments_as_now(
        flag_files.expanded(
            arguments, flag_files.Known(config_lib.names_of_settings(), flag_values)
        ),
        flag_values,
    )
    for line in lines:
        say(line)
    return expanded


def flags_of(
    module_name: str,
    first: Sequence[str] | None = None,
    arguments: Sequence[str] = (),
    flag_values: flags.FlagValues = flags.FLAGS,
) -> flag_help.Flags:
    """The flags of a tool, for its help.

    Args:
        module_name: of what has defined its own flags; absl has a script's under the script's name.
        first: as of `run`.
        arguments: presets, flag files and settings whose values are shown in the place of the
            defaults; all others of them do not count.

    Raises ValueError or `flags.Error` for a bad value among the arguments.
    """
    own = [_own_flag(flag) for flag in flag_values.get_flags_for_module(module_name)]
    given = flags.FlagValues()
    define(None, given)
    define_preset(given)
    given.set_gnu_getopt(True)
    given(["", *expand_flagfiles(arguments, given)], known_only=True)
    config = config_from_flags(flag_values=given)
    said = " ".join(arguments) if config != config_lib.Config() else ""
    return flag_help.Flags(own, _defined(flag_values), first, config, said)


def _own_flag(flag):
    """Name, default, help and choices of a flag that is no setting."""
    choices = getattr(flag.parser, "enum_values", ())
    # absl puts choices before a flag's help, and behind it that it may be given again.
    text = flag.help.removeprefix(f"<{'|'.join(choices)}>: ").partition(";\n    repeat this")[0]
    return flag.name, flag.default, text, " | ".join(choices)


def _define_one(field, **where):
    name, default, text = field.name, field.default, field.metadata["help"]
    kind = number_type(field)
    if is_list(field):
        flags.DEFINE(
            flag_parsers.NumberListParser(field),
            name,
            default,
            text,
            serializer=flag_parsers.TextSerializer(),
            **where,
        )
    elif field.metadata["choices"]:
        flags.DEFINE_enum(name, default, field.metadata["choices"], text, **where)
    elif kind is bool:
        flags.DEFINE_bool(name, default, text, **where)
    elif kind is int:
        flags.DEFINE_integer(name, default, text, **flag_parsers.bounds(field), **where)
    elif kind is float:
        flags.DEFINE_float(name, default, text, **flag_parsers.bounds(field), **where)
    elif field.metadata["is_path"]:
        define_path(name, default, text, **where)
    else:
        flags.DEFINE_string(name, default, text, **where)


def _parse(module_name, description, first, argv):
    before_stop = itertools.takewhile(lambda argument: argument != "--", argv[1:])
    asked = set(before_stop) & {*HELP_FLAGS, *_FULL_HELP_FLAGS}
    try:
        if asked:
            given = [argument for argument in argv[1:] if argument not in asked]
            shown = flags_of(argv[0] if module_name == "__main__" else module_name, first, given)
            program = argv[0] if argv[0].startswith("neurovocal ") else f"python {argv[0]}"
            is_full = not asked.isdisjoint(_FULL_HELP_FLAGS)
            sys.stdout.write(flag_help.help_text(description or "", shown, program, is_full))
            sys.exit(0)
        remaining = flags.FLAGS([argv[0], *expand_flagfiles(argv[1:])])
        _check_finite(flags.FLAGS)
    except (flags.Error, ValueError) as error:
        _fail(flag_parsers.plain(str(error)))
    if len(remaining) > 1:
        _fail(f"unexpected arguments: {' '.join(remaining[1:])} (flags are written --name=value)")
    return remaining


def _check_finite(flag_values):
    """Raises ValueError for a number of a tool's own flags that is none, which absl's limits let
    through; settings have a rule of their own.
    """
    for name in set(flag_values) - set(_defined(flag_values)):
        value = flag_values[name].value
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"flag --{name}={value}: must be a finite number")


def _guarded(main, on_keras, argv):
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    try:
        if on_keras:
            keras_backend.check()
        return main(argv)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except (ValueError, OSError, flags.Error, app.UsageError) as error:
        logging.debug("Where it happened:", exc_info=True)
        _fail(error)
    except Exception as error:
        # TensorFlow's writers, and a search's trials, tell of a full disk in errors of their own.
        if not any(os.strerror(number) in str(error) for number in _FULL):
            raise
        logging.debug("Where it happened:", exc_info=True)
        _fail(error)


def _fail(error):
    if isinstance(error, OSError) and error.filename is not None:
        error = f"{error.filename}: {error.strerror}"
    sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
    sys.exit(1)


def _is_among(sections, section, field):
    return sections is None or section in sections or field.name in sections


def _defined(flag_values):
    """Names of the settings that `define` has made flags of.

    A tool's own flag of the same name, such as --seed, is no setting.
    """
    names = [(field.name, _module_of(section)) for section, field in config_lib.settings()]
    return [
        name
        for name, module in names
        if name in flag_values and flag_values.find_module_defining_flag(name) == module
    ]


def _module_of(section):
    """What absl keeps as the module that has defined the flags of a section."""
    return f"{__name__}.{section}"


def _fields_by_section():
    for section, pairs in itertools.groupby(config_lib.settings(), key=lambda pair: pair[0]):
        yield section, [field for _, field in pairs]
