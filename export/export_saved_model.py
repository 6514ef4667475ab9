"""`neurovocal export`, from a checkout: see neurovocal_tf/commands/export.py."""

from neurovocal_tf.commands import command_line

if __name__ == "__main__":
    command_line.run_script("export/export_saved_model.py")
