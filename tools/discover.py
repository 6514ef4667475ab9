"""`neurovocal discover`, from a checkout: see neurovocal_tf/commands/discover.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("tools/discover.py")
