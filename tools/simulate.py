"""`neurovocal simulate`, from a checkout: see neurovocal_tf/commands/simulate.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("tools/simulate.py")
