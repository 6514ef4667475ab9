"""One version of a model, in memory."""

import copy
import gc
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from neurovocal_tf.server import batched_graph, heaps, long_calls, refusals
from neurovocal_tf.server.version_faults import Fault, check_is_there, told_of

_WARM_UP = os.path.join("assets.extra", "tf_serving_warmup_requests")
_METADATA = os.path.join("assets.extra", "neurovocal_tf.json")
# The output by which a song's graph tells in what layout this machine sings, and of the signature
# that saves an initialiser.
_LAYOUT, _INITIALISER = "layout", "__saved_model_init_op"


class LoadedVersion:
    """A SavedModel in a session of its own, as in TensorFlow Serving:
    what it takes is free again once that is closed.

    Args:
        folder: of the version.
        num_batch_threads: batches that are computed at once; 0 for no batching.

    Raises:
        version_faults.Fault: a ValueError; it is no SavedModel that can be served.
    """

    def __init__(self, folder: str | os.PathLike[str], num_batch_threads: int) -> None:
        self.folder = os.fspath(folder)
        check_is_there(self.folder)
        with told_of("saved_model.pb cannot be read"):
            meta_graph = _read_meta_graph(self.folder)
        with told_of("batching_params.pbtxt cannot be used"):
            self._batching = (
                batched_graph.read_parameters(self.folder, num_batch_threads)
                if num_batch_threads
                else None
            )
        self._metadata = _read_metadata(self.folder)
        if self._batching:
            apart = long_calls.rows_apart(self._metadata, meta_graph.signature_def)
            with told_of("the signatures in saved_model.pb do not fit its graph"):
                batched_graph.batch_signatures(meta_graph, self._batching, apart)
        # Copies, since any part of a message keeps the whole of it in memory.
        #: Name -> SignatureDef.
        self.signatures = {
            name: copy.deepcopy(signature)
            for name, signature in meta_graph.signature_def.items()
            if signature.method_name
        }
        self._long_calls = long_calls.LongCalls(
            self._metadata, self.signatures, num_batch_threads or os.cpu_count() or 1
        )
        #: int, the layout in which this machine sings its songs, numbered as in the version's
        #: metadata; None until `warm_up` has seen one.
        self.layout: int | None = None
        if not self.signatures:
            raise Fault("saved_model.pb has no signatures, so that there is nothing to ask it for")
        graph = tf.Graph()
        with told_of("the graph in saved_model.pb cannot be computed here"), graph.as_default():
            tf.import_graph_def(meta_graph.graph_def, name="")
        # Python's own objects for the functions of the graph: nothing asks for them any more, and
        # they are a fifth of a version's memory.
        graph._functions.clear()
        # Threads of its own: with a shared pool's all held by long songs of the old version, a new
        # one would never be loaded.
        config = tf.compat.v1.ConfigProto(use_per_session_threads=True)
        # Its copies of every function leave the heap in pieces, and an export's answers are the
        # same bits without it, and as fast.
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        self._session, self._calls = tf.compat.v1.Session(graph=graph, config=config), {}
        try:
            restoring = meta_graph.saver_def
            variables = os.path.join(self.folder, "variables", "variables")
            with told_of("the weights in variables/ cannot be read"):
                self._session.run(
                    restoring.restore_op_name, {restoring.filename_tensor_name: variables}
                )
            if _INITIALISER in meta_graph.signature_def:
                initialiser = meta_graph.signature_def[_INITIALISER].outputs[_INITIALISER]
                with told_of("its initialiser fails"):
                    self._session.run(initialiser.name.partition(":")[0])
            with told_of("the signatures in saved_model.pb do not fit its graph"):
                self._calls = {
                    name: self._callable(graph, signature)
                    for name, signature in self.signatures.items()
                }
        except BaseException:
            self.close()
            raise

    @property
    def is_batched(self) -> bool:
        """Whether callers at once are computed together."""
        return self._batching is not None

    def warm_up(self) -> None:
        """Computes the requests that were exported with the model;
        one that fails is an error, as in TensorFlow Serving.
        """
        path = os.path.join(self.folder, _WARM_UP)
        if not os.path.exists(path):
            return
        with told_of(f"its warm-up, {_WARM_UP}, fails"):
            # Not by tf.data, whose iterators wait for a pool of threads that all sessions share.
            for record in tf.compat.v1.io.tf_record_iterator(path):
                request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
                inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
                answer = self.predict(request.model_spec.signature_name, inputs)
                if np.size(answer.get(_LAYOUT, ())):
                    self.layout = int(answer[_LAYOUT][0])

    @property
    def num_condition_texts(self) -> int:
        """How many texts its metadata says that may be named as a condition, "" among them."""
        texts = self._metadata.get("condition_texts")
        return len(texts) if isinstance(texts, list) else 0

    @property
    def layout_description(self) -> str:
        """What `layout` means, as the version's metadata says it;
        empty where either is not known.
        """
        layouts = self._metadata.get("layouts")
        return layouts.get(str(self.layout), "") if isinstance(layouts, dict) else ""

    def predict(
        self,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> dict[str, np.ndarray]:
        """A signature's answer.

        Args:
            signature_name: one of `signatures`.
            inputs: dict of input name -> NumPy array, of the types of the signature;
                batched with those of other callers.
            is_wanted: tells whether the caller still waits; asked now and then.

        Returns:
            dict of output name -> NumPy array.

        Raises:
            refusals.Refusal: the shapes do not fit, the graph refuses them, or the caller is gone.
        """
        signature = self.signatures[signature_name]
        # One that does not fit would fail the whole batch.
        self._check_shapes(signature, inputs)
        try:
            return self._long_calls.answer(self._compute, signature_name, inputs, is_wanted)
        except tf.errors.OpError as error:
            raise refusals.from_tensorflow(error) from error

    def close(self) -> None:
        """Frees its memory; there must be no calls any more."""
        self._session.close()
        # Graph and session hold on to each other; Python would look for such a circle only
        # after many more of them.
        del self._session, self._calls
        gc.collect()
        heaps.trim()

    def _compute(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        return self._calls[signature_name](*(inputs[name] for name in sorted(inputs)))

    def _callable(
        self, graph: tf.Graph, signature: meta_graph_pb2.SignatureDef
    ) -> Callable[..., dict[str, np.ndarray]]:
        outputs = {
            name: graph.get_tensor_by_name(tensor.name)
            for name, tensor in signature.outputs.items()
        }
        return self._session.make_callable(
            outputs,
            feed_list=[
                graph.get_tensor_by_name(signature.inputs[name].name)
                for name in sorted(signature.inputs)
            ],
        )

    def _check_shapes(
        self, signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, np.ndarray]
    ) -> None:
        for name, tensor in signature.inputs.items():
            if tensor.tensor_shape.unknown_rank:
                continue
            wanted, given = [dim.size for dim in tensor.tensor_shape.dim], np.shape(inputs[name])
            if len(wanted) != len(given) or any(
                size not in (-1, other) for size, other in zip(wanted, given, strict=True)
            ):
                shape = ",".join("?" if size == -1 else str(size) for size in wanted)
                raise refusals.invalid(
                    f"`{name}` must have the shape [{shape}]. "
                    f"Received: {name} of shape {list(given)}"
                )
        num_rows = {name: len(inputs[name]) for name in signature.inputs if np.ndim(inputs[name])}
        if self.is_batched and len(set(num_rows.values())) > 1:
            names = ", ".join(f"`{name}`" for name in sorted(num_rows))
            raise refusals.invalid(
                f"{names} must have the same first dimension. "
                f"Received: {dict(sorted(num_rows.items()))}"
            )
        limit = self._batching.max_batch_size if self._batching else None
        if limit is not None and num_rows and max(num_rows.values()) > limit:
            raise refusals.invalid(
                f"Task size {max(num_rows.values())} is larger than maximum input batch size "
                f"{limit}"
            )


def _read_metadata(folder: str) -> dict[str, Any]:
    """What an export of this package tells of itself; empty where nothing readable is told."""
    try:
        with open(os.path.join(folder, _METADATA), encoding="utf-8") as file:
            metadata = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _read_meta_graph(folder: str | os.PathLike[str]) -> meta_graph_pb2.MetaGraphDef:
    path = os.path.join(folder, "saved_model.pb")
    with open(path, "rb") as file:
        saved_model = saved_model_pb2.SavedModel()
        try:
            saved_model.ParseFromString(file.read())
        except DecodeError as error:
            raise ValueError(
                "it must hold a SavedModel, and is cut off or something else. "
                f"Received: {path}: {error}"
            ) from error
    for meta_graph in saved_model.meta_graphs:
        if tf.saved_model.SERVING in meta_graph.meta_info_def.tags:
            return meta_graph
    raise ValueError(
        f"it must hold a graph with the tag {tf.saved_model.SERVING}. Received: {path}"
    )
