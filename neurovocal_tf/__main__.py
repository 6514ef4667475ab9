"""`python -m neurovocal_tf`, the same as `neurovocal`."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run()
