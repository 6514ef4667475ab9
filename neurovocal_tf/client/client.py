"""A client of an exported model behind a TensorFlow Serving model server.

Over REST it needs NumPy alone, not TensorFlow.
"""

from neurovocal_tf.client.readings import Reading
from neurovocal_tf.client.songs import Singing


class Client(Singing, Reading):
    """A model's endpoints (see `endpoints.Endpoints`), one row a call; `predict` takes batches.

    For one thread.

    All methods raise `transports.Refused`, a ValueError, with the server's own words for what it
    refuses, OSError where it cannot be reached or takes longer than `timeout_s`, and ValueError for
    a row that could not be answered, with the reason its status tells.

    Args:
        server: "http://HOST:PORT" (REST) or "grpc://HOST:PORT".    model: its name there.
        version: int; None: the newest.
        timeout_s: seconds, of each request.
        condition: who sings or is listened to, or what else a model with conditions has learned:
            {"individual": "gy6or6"}, "individual=gy6or6", or several of these; None: the unknown of
            each. An attribute, too, which counts for all that follows.
    """
