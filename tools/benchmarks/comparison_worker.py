"""What is timed in one checkout, a piece of work at a time, whenever the comparison asks for it.

Its text is run in that checkout.

Arguments: a kind of work, `train`, `answer` or `segment`, and what it needs. A line on stdin names
what to do; the answer, a line on stdout, is how many seconds it took. The first answer comes
unasked, when everything is set up.
"""

import os
import runpy
import sys
import time


class Turns:
    """The conversation with the comparison; while this process waits for its turn
    it does nothing else.
    """

    def __init__(self):
        # What tools print is no answer.
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def wait(self):
        """The name of what to do next. Ends the process when nothing comes any more."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        return line.strip()

    def took(self, seconds):
        """Answers."""
        print(seconds, file=self._answers, flush=True)

    def serve(self, work):
        """Does what it is asked to, of a dict of name -> function."""
        self.took(0.0)
        while True:
            run = work[self.wait()]
            began = time.perf_counter()
            run()
            self.took(time.perf_counter() - began)


def train(turns, run, data_dir, workdir):
    """An epoch's training steps, data included, and nothing else:
    a run of its own, with the settings of another.
    """
    import keras

    import neurovocal_tf

    with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
        config = neurovocal_tf.Config.from_json(file.read())
    # One long phase, so that every epoch does the same.
    config = config.replace(
        learning_rates=(1e-3,),
        epochs_per_rate=(100_000,),
        cd_steps=(10,),
        epochs=100_000,
        num_song_checks=0,
    )
    neurovocal_tf.share_out_cores(config)

    class EpochByEpoch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            # What validates and records the epoch before has been done since its last step.
            turns.took(self.ended - self.began if epoch else 0.0)
            turns.wait()
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.ended = time.perf_counter()

    neurovocal_tf.train(config, data_dir, workdir, callbacks=[EpochByEpoch()], pictures=False)


def answer(turns, version, recording, num_frames, *row_counts):
    """Calls of an export, which TensorFlow alone loads:
    songs of so many rows, and one recording's segments and scores.
    """
    import tensorflow as tf

    signatures = tf.saved_model.load(version).signatures
    with open(recording, "rb") as file:
        audio = tf.constant([file.read()])

    def generate(num_rows):
        songs = {
            "num_frames": tf.fill([num_rows], int(num_frames)),
            "temperature": tf.ones([num_rows]),
        }
        signatures["generate"](seed=tf.range(num_rows, dtype=tf.int64), **songs)[
            "spectrogram"
        ].numpy()

    work = {f"generate_{rows}": lambda rows=int(rows): generate(rows) for rows in row_counts}
    work["segment_audio"] = lambda: signatures["segment_audio"](audio_bytes=audio)["onsets"].numpy()
    work["score_audio"] = lambda: signatures["score_audio"](audio_bytes=audio)["score"].numpy()
    turns.serve(work)


def segment(turns, data_dir, out):
    """tools/segment.py on a folder of recordings, from its `main` on:
    what a process needs to start is left out.
    """
    from absl import flags

    # A checkout to compare with may still have all of the tool in its script.
    of_package = os.path.join("neurovocal_tf", "commands", "segment.py")
    script = of_package if os.path.exists(of_package) else os.path.join("tools", "segment.py")
    tool = runpy.run_path(script, run_name="segment")
    flags.FLAGS(["segment.py", f"--data_dir={data_dir}", f"--out={out}", "--workers=1"])
    count = iter(range(1_000_000))

    def run():
        # What is in a folder already would not be segmented again.
        flags.FLAGS.out = os.path.join(out, str(next(count)))
        tool["main"](["segment.py"])

    turns.serve({"segment_folder": run})


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    {"train": train, "answer": answer, "segment": segment}[kind](Turns(), *arguments)
