"""`neurovocal serve`, from a checkout: see neurovocal_tf/commands/serve.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("export/server.py")
