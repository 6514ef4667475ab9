"""A SavedModel's signatures behind the batching scheduler of TensorFlow, which is the one that
TensorFlow Serving uses.

A signature is one node that calls a function. In its place comes a `BatchFunction` node that calls
the same function on the rows of all who wait. It lives in the session's own resources, so that
closing the session frees its queues and threads.
"""

import dataclasses
import os
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework import node_def_pb2
    from tensorflow.core.protobuf import meta_graph_pb2

_FILE = "batching_params.pbtxt"


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """How requests are batched; the fields are those of TensorFlow Serving.

    Attributes:
        max_batch_size: rows.    batch_timeout_micros: how long a batch waits for others.
        max_enqueued_batches: beyond which callers are refused.
        allowed_batch_sizes: sizes that a batch is filled up to.
        num_batch_threads: batches at once.
    """

    max_batch_size: int = 1_000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()
    num_batch_threads: int = 2


def read_parameters(
    version_folder: str | os.PathLike[str], num_batch_threads: int
) -> BatchingParameters | None:
    """The `BatchingParameters` in a version's folder, or None where it has none.

    Raises:
        ValueError: there are some that make no sense.
    """
    path = os.path.join(version_folder, _FILE)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read())
    # BatchingParameters, whose text form this is, is a message that no package has.
    wrapped = {
        name: int(value)
        for name, value in re.findall(r"(\w+)\s*:?\s*{\s*value\s*:\s*(\d+)\s*}", text)
    }
    known = {field.name for field in dataclasses.fields(BatchingParameters)} - {"num_batch_threads"}
    sizes = tuple(int(size) for size in re.findall(r"\ballowed_batch_sizes\s*:\s*(\d+)", text))
    parameters = BatchingParameters(
        **{name: value for name, value in wrapped.items() if name in known},
        allowed_batch_sizes=sizes,
        num_batch_threads=num_batch_threads,
    )
    if sizes and (sorted(set(sizes)) != list(sizes) or sizes[-1] != parameters.max_batch_size):
        raise ValueError(
            f"`allowed_batch_sizes` must grow up to max_batch_size, {parameters.max_batch_size}. "
            f"Received: {path}: {sizes}"
        )
    return parameters


def batch_signatures(
    meta_graph: "meta_graph_pb2.MetaGraphDef",
    parameters: BatchingParameters,
    apart: Collection[str] = (),
) -> None:
    """Puts every signature that can be batched behind the scheduler, in place.

    Those whose inputs may differ in more than their rows, such as spectrograms of any length, stay
    as they are: what is batched must fit together, and they compute row by row anyway.

    Args:
        meta_graph: MetaGraphDef of a SavedModel.    parameters: `BatchingParameters`.
        apart: names of signatures that stay as they are, too.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    for name, signature in meta_graph.signature_def.items():
        calls = {tensor.name.split(":")[0] for tensor in signature.outputs.values()}
        if name in apart:
            continue
        if len(calls) == 1 and all(map(_differs_in_rows_only, signature.inputs.values())):
            _batch_node(
                nodes[calls.pop()],
                name,
                {tensor.name.split(":")[0] for tensor in signature.inputs.values()},
                parameters,
            )


def _differs_in_rows_only(tensor: "meta_graph_pb2.TensorInfo") -> bool:
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    return bool(sizes) and sizes[0] == -1 and -1 not in sizes[1:]


def _batch_node(
    node: "node_def_pb2.NodeDef", queue: str, placeholders: set[str], parameters: BatchingParameters
) -> None:
    """Turns a call of a function into a batched one."""
    arguments = [name for name in node.input if not name.startswith("^")]
    num_rows = len(placeholders)
    # What varies from call to call comes first, and then the variables;
    # else this is no graph that we know how to batch.
    is_call = node.op in ("StatefulPartitionedCall", "PartitionedCall")
    if not is_call or {name.split(":")[0] for name in arguments[:num_rows]} != placeholders:
        return
    types, outputs, function = (
        list(node.attr["Tin"].list.type),
        list(node.attr["Tout"].list.type),
        node.attr["f"].func.name,
    )
    node.op = "BatchFunction"
    node.attr.clear()
    node.attr["f"].func.name = function
    node.attr["Tin"].list.type.extend(types[:num_rows])
    node.attr["Tcaptured"].list.type.extend(types[num_rows:])
    node.attr["Tout"].list.type.extend(outputs)
    for name in (
        "num_batch_threads",
        "max_batch_size",
        "batch_timeout_micros",
        "max_enqueued_batches",
    ):
        node.attr[name].i = getattr(parameters, name)
    node.attr["allowed_batch_sizes"].list.i.extend(parameters.allowed_batch_sizes)
    # One pool of threads for all, and a queue for each.
    node.attr["shared_name"].s = b"batches"
    node.attr["batching_queue"].s = queue.encode()
    # A request in two batches would come back in two lengths, which do not fit together.
    node.attr["enable_large_batch_splitting"].b = False
