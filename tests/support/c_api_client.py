"""A client in no one's Python: loads a SavedModel through TensorFlow's C API with ctypes,
and calls its signatures.

    python -I c_api_client.py LIBRARIES VERSION CALLS RESULTS

LIBRARIES is the folder of libtensorflow_cc, CALLS a JSON list of {"inputs": [[node, array], ...],
"outputs": [[node, index], ...]} where an array is {"dtype", "shape", "values"}. RESULTS gets a list
of lists of arrays in the same form, or an error's text in the place of a list. Values are base64:
of the array's bytes, or one for each string.
"""

import base64
import ctypes
import json
import math
import os
import sys

# TF_DataType of tensorflow/c/tf_datatype.h and bytes of an element; a TF_TString has 24.
DTYPES = {"float32": (1, 4), "int32": (3, 4), "string": (7, 24), "int64": (9, 8), "bool": (10, 1)}
NAMES = {code: name for name, (code, _) in DTYPES.items()}
POINTERS = (
    "TF_NewStatus TF_Message TF_NewSessionOptions TF_NewGraph TF_LoadSessionFromSavedModel "
    "TF_GraphOperationByName TF_AllocateTensor TF_TensorData TF_StringGetDataPointer"
)


class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class Session:
    """A SavedModel's graph and its session."""

    def __init__(self, libraries, folder):
        ctypes.CDLL(os.path.join(libraries, "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
        self.c = ctypes.CDLL(os.path.join(libraries, "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
        for name in POINTERS.split():
            getattr(self.c, name).restype = ctypes.c_void_p
        self.c.TF_Dim.restype = ctypes.c_int64
        self.c.TF_StringGetSize.restype = self.c.TF_TensorByteSize.restype = ctypes.c_size_t
        self.status = ctypes.c_void_p(self.c.TF_NewStatus())
        self.graph = ctypes.c_void_p(self.c.TF_NewGraph())
        options, tags = (
            ctypes.c_void_p(self.c.TF_NewSessionOptions()),
            (ctypes.c_char_p * 1)(b"serve"),
        )
        self.session = ctypes.c_void_p(
            self.c.TF_LoadSessionFromSavedModel(
                options, None, folder.encode(), tags, 1, self.graph, None, self.status
            )
        )
        self.check()

    def check(self):
        if self.c.TF_GetCode(self.status):
            raise RuntimeError(ctypes.string_at(self.c.TF_Message(self.status)).decode())

    def run(self, inputs, outputs):
        nodes = (Output * len(inputs))(*(self.output(node, 0) for node, _ in inputs))
        fed = (ctypes.c_void_p * len(inputs))(*(self.tensor(**array) for _, array in inputs))
        wanted = (Output * len(outputs))(*(self.output(*output) for output in outputs))
        results = (ctypes.c_void_p * len(outputs))()
        self.c.TF_SessionRun(
            self.session,
            None,
            nodes,
            fed,
            len(inputs),
            wanted,
            results,
            len(outputs),
            None,
            0,
            None,
            self.status,
        )
        self.check()
        return [self.array(ctypes.c_void_p(result)) for result in results]

    def output(self, node, index):
        return Output(self.c.TF_GraphOperationByName(self.graph, node.encode()), index)

    def tensor(self, dtype, shape, values):
        code, width = DTYPES[dtype]
        dims = (ctypes.c_int64 * len(shape))(*shape)
        size = width * math.prod(shape)
        tensor = self.c.TF_AllocateTensor(code, dims, len(shape), ctypes.c_size_t(size))
        place = self.c.TF_TensorData(ctypes.c_void_p(tensor))
        if dtype != "string":
            ctypes.memmove(place, base64.b64decode(values), size)
            return tensor
        for i, value in enumerate(map(base64.b64decode, values)):
            string = ctypes.c_void_p(place + i * width)
            self.c.TF_StringInit(string)
            self.c.TF_StringCopy(string, value, ctypes.c_size_t(len(value)))
        return tensor

    def array(self, tensor):
        dtype = NAMES[self.c.TF_TensorType(tensor)]
        shape = [self.c.TF_Dim(tensor, i) for i in range(self.c.TF_NumDims(tensor))]
        place = self.c.TF_TensorData(tensor)
        if dtype != "string":
            values = base64.b64encode(
                ctypes.string_at(place, self.c.TF_TensorByteSize(tensor))
                if math.prod(shape)
                else b""
            ).decode()
            return {"dtype": dtype, "shape": shape, "values": values}
        strings = [ctypes.c_void_p(place + i * DTYPES[dtype][1]) for i in range(math.prod(shape))]
        texts = [
            ctypes.string_at(
                self.c.TF_StringGetDataPointer(string), self.c.TF_StringGetSize(string)
            )
            for string in strings
        ]
        return {
            "dtype": dtype,
            "shape": shape,
            "values": [base64.b64encode(text).decode() for text in texts],
        }


def main(libraries, folder, calls, results):
    session, answers = Session(libraries, folder), []
    with open(calls, encoding="utf-8") as file:
        for call in json.load(file):
            try:
                answers.append(session.run(**call))
            except RuntimeError as error:
                answers.append(str(error))
    assert not {"tensorflow", "keras", "numpy", "neurovocal_tf"} & set(sys.modules)
    with open(results, "w", encoding="utf-8") as file:
        json.dump(answers, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
