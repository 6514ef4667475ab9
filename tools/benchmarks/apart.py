"""Work measured in a process of its own, whose threads are set as tools/train.py sets its own; the
peers in this one keep theirs.
"""

import collections
import contextlib
import dataclasses
import functools
import multiprocessing

_PATIENCE_S = 10.0


@contextlib.contextmanager
def variants(make, *arguments):
    """Variants that another process runs, one at a time, while this one waits.

    Args:
        make: function of a module, called there with `arguments` before TensorFlow has computed
            anything; returns `timing.Variant`s.

    Yields:
        list of `timing.Variant`. The process ends with the block.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, make, arguments), daemon=True)
    process.start()
    there.close()  # or the end of the process would not be noticed

    def let(*what):
        here.send(what)
        here.recv()

    try:
        yield [
            dataclasses.replace(
                variant,
                prepare=functools.partial(let, "prepare", index),
                run=lambda _, index=index: let("run", index),
                process_id=process.pid,
            )
            for index, variant in enumerate(here.recv())
        ]
    finally:
        here.close()
        process.join(_PATIENCE_S)
        process.kill()


def _serve(connection, make, arguments):
    made = list(make(*arguments))
    prepared = [collections.deque() for _ in made]
    connection.send([dataclasses.replace(variant, run=None, prepare=None) for variant in made])
    with contextlib.suppress(EOFError):
        while True:
            what, index = connection.recv()
            if what == "prepare":
                prepared[index].append(made[index].prepared())
            else:
                prepared[index].popleft()()
            connection.send(None)
