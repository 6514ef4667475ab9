"""Flags of their own, parsed from a command line, and flag files to parse."""

from absl import flags as absl_flags

from neurovocal_tf import flags


def parsed(*arguments, sections=None):
    """Flag values of their own, parsed from a command line."""
    values = absl_flags.FlagValues()
    flags.define(sections, values)
    values(["tool", *flags.expand_flagfiles(arguments, values)])
    return values


def parsed_with_preset(*arguments):
    """The same of a tool that has every setting and --preset."""
    values = absl_flags.FlagValues()
    flags.define(None, values)
    flags.define_preset(values)
    values(["tool", *flags.expand_flagfiles(arguments, values)])
    return values


def write(path, *lines):
    """A flag file with these lines.  -> its path"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path
