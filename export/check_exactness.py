"""`neurovocal check_exactness`, from a checkout: see neurovocal_tf/commands/check_exactness.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("export/check_exactness.py")
