"""What this installation and this machine have, of all that may make results differ."""

import importlib.metadata
import os
import platform
import re

import neurovocal_tf

# What a user reports with a fault, or lacks.
_LIBRARIES = (
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "pandas",
    "protobuf",
    "soundfile",
    "tensorflow-io",
)
# Of each extra for users, what it brings.
_OF_EXTRAS = {
    "aiohttp": "serve",
    "grpcio-health-checking": "serve",
    "pympi-ling": "elan",
    "mido": "music",
    "pyarrow": "parquet",
    "praat-parselmouth": "speech",
    "umap-learn": "umap",
    "apache-beam": "archive",
}
# From the least to the largest, as Linux names them. Kernels are chosen by them, and with the
# kernels the last bits of sums.
_INSTRUCTION_SETS = ("asimd", "sve", "sse4_1", "avx", "avx2", "avx512f", "amx_tile")


def version_line() -> str:
    """What `neurovocal --version` prints: the versions that make up a stack, nothing imported."""
    stack = ("tensorflow", "keras", "numpy")
    named = [f"{name} {_version(name) or '(not installed)'}" for name in stack]
    return ", ".join(
        [
            f"neurovocal_tf {neurovocal_tf.__version__}",
            f"python {platform.python_version()}",
            *named,
        ]
    )


def facts() -> dict[str, str]:
    """Name -> value, as `neurovocal info` prints them. Imports TensorFlow."""
    told = {
        "neurovocal_tf": neurovocal_tf.__version__,
        "where": os.path.dirname(neurovocal_tf.__file__),
        "python": platform.python_version(),
    }
    told |= {name: _version(name) or "not installed" for name in _LIBRARIES}
    missing = sorted({extra for name, extra in _OF_EXTRAS.items() if not _version(name)})
    told["extras"] = f"not installed: {', '.join(missing)}" if missing else "all installed"
    told["readers"] = _readers()
    told["system"] = platform.platform()
    told["processor"] = f"{_processor()}, {os.cpu_count()} cores"
    told["instruction set"] = _instruction_set()
    return told | _devices()


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _readers() -> str:
    """Which libraries recordings are read with here."""
    import soundfile

    from neurovocal_tf.audio import ffmpeg, readers

    found = [f"libsndfile {soundfile.__libsndfile_version__}"]
    if readers.decodes_in_graph():
        found.append(f"tensorflow-io {_version('tensorflow-io')} (short 16-bit WAV in training)")
    found.append("ffmpeg" if ffmpeg.is_installed() else "no ffmpeg, so no m4a, aac, wma")
    return ", ".join(found)


def _processor() -> str:
    names = _of_processor("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _instruction_set() -> str:
    """The largest that the processor has."""
    flags = set(" ".join(_of_processor("flags") + _of_processor("Features")).split())
    largest = [name for name in _INSTRUCTION_SETS if name in flags]
    return ", ".join([platform.machine(), *largest[-1:]])


def _of_processor(key: str) -> list[str]:
    """What /proc/cpuinfo has under a name, once for each core; nothing where there is no such."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return re.findall(rf"^{key}\s*: (.+)$", file.read(), re.MULTILINE)
    except OSError:
        return []


def _devices() -> dict[str, str]:
    """What TensorFlow computes on here."""
    try:
        import tensorflow as tf
    except ImportError as error:
        return {"devices": f"none: TensorFlow cannot be imported ({error})"}
    devices = tf.config.list_physical_devices()
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    told = {
        "devices": ", ".join(
            f"{device.device_type} {of_it.get('device_name', '')}".strip()
            for device, of_it in zip(devices, details, strict=True)
        )
    }
    if os.path.exists("/dev/nvidiactl") and not tf.config.list_physical_devices("GPU"):
        told["gpu"] = (
            "NVIDIA's driver is there, and TensorFlow finds no device: "
            f"pip install 'tensorflow[and-cuda]=={tf.__version__}'"
        )
    return told
