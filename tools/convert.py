"""`neurovocal convert`, from a checkout: see neurovocal_tf/commands/convert.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("tools/convert.py")
