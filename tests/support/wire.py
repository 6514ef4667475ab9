"""A client's connection to endpoints, without a server between them."""

import tensorflow as tf

from neurovocal_tf.client import transports


class Wire:
    """Endpoints as a client reaches them, in its words."""

    def __init__(self, endpoints):
        self._signatures = endpoints.signatures

    def predict(self, signature, inputs):
        specs = self._signatures[signature].input_signature
        if inputs.keys() != {spec.name for spec in specs}:
            raise transports.Refused("other inputs", f"{sorted(inputs)}")
        rows = [tf.convert_to_tensor(inputs[spec.name], spec.dtype) for spec in specs]
        return {k: v.numpy() for k, v in self._signatures[signature](*rows).items()}

    def input_sizes(self, signature):
        specs = self._signatures[signature].input_signature
        return {spec.name: tuple(spec.shape[1:]) for spec in specs}
