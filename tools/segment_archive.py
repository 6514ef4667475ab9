"""`neurovocal segment_archive`, from a checkout: see neurovocal_tf/commands/segment_archive.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("tools/segment_archive.py")
