"""A small model server for trying an export out: what TensorFlow Serving answers over gRPC and
REST, from one process in Python.
"""
