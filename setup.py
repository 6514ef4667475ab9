"""Packaging of neurovocal_tf."""

import pathlib
import re

from setuptools import find_packages, setup

ROOT = pathlib.Path(__file__).resolve().parent
VERSION = re.search(
    r'^__version__ = "(.+)"$',
    (ROOT / "neurovocal_tf" / "__init__.py").read_text(encoding="utf-8"),
    re.MULTILINE,
)[1]
README = ROOT / "README.md"

# Two stacks. tensorflow-io's last release, 0.37.1, loads with TensorFlow 2.16 and 2.17 only, which
# are built against NumPy 1 and have wheels up to CPython 3.12. From 3.13 on, the first TensorFlow
# without it whose messages and health service agree on one protobuf, and NumPy 2.
FIRST = 'python_version < "3.13"'
SECOND = 'python_version >= "3.13"'
TENSORFLOW = (f">=2.16.1,<2.18; {FIRST}", f">=2.21,<2.22; {SECOND}")

# For `neurovocal serve`. Later versions of the health service need a newer protobuf than TensorFlow
# 2.17 takes; earlier ones of aiohttp wait for ever for a request's head.
SERVE = [
    "aiohttp>=3.14",
    f"grpcio-health-checking>=1.62,<1.63; {FIRST}",
    f"grpcio-health-checking>=1.76; {SECOND}",
    "protobuf",
]

# For ELAN's files of annotations.
ELAN = ["pympi-ling>=1.70"]
# For MIDI files, from and to piano rolls.
MUSIC = ["mido>=1.3"]

# For tables in Parquet. From 19 on it needs NumPy 2; 18.1 is the first for Python 3.13.
PARQUET = [f"pyarrow>=15,<19; {FIRST}", f"pyarrow>=18.1; {SECOND}"]
# For the pitch of speech. Its licence is GPL-3.0-or-later, unlike this package's.
SPEECH = ["praat-parselmouth>=0.4.5"]
DOCS = ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26", "ruff>=0.6"]
NOTEBOOKS = ["ipykernel>=6", "ipywidgets>=8", "nbclient>=0.10", "nbformat>=5.10"]
# The schemas that export/serving/ is held to. Later versions of the one are twice as large.
MANIFESTS = ["check-jsonschema>=0.29", "kubernetes-validate>=1.28,<1.29", "pyyaml"]

setup(
    name="neurovocal_tf",
    version=VERSION,
    description="Learns how vocalizations unfold in time with an RNN-RBM, and sings new ones.",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(str(ROOT), include=["neurovocal_tf", "neurovocal_tf.*"]),
    package_data={
        "neurovocal_tf": ["py.typed"],
        "neurovocal_tf.pages": ["base.css", "*/*.html", "*/*.css", "*/*.js"],
        "neurovocal_tf.server": ["page/index.html"],
        "neurovocal_tf.presets": ["*.flags"],
    },
    entry_points={
        "console_scripts": ["neurovocal = neurovocal_tf.commands.command_line:run"],
    },
    # TensorFlow has no release for 3.14, only a candidate of one, which pip would take.
    python_requires=">=3.10,<3.14",
    install_requires=[
        "absl-py>=2.1",
        "grpcio>=1.62",
        # The optimisers override what Keras keeps private: looked through in 3.12, which is the
        # newest for Python 3.10, and in 3.15.
        "keras>=3.12,<3.16",
        # The chief and the workers of a search build on what it keeps to itself.
        "keras-tuner>=1.4.7,<1.5",
        "matplotlib>=3.8",
        f"numpy>=1.26,<2; {FIRST}",
        f"numpy>=2.1,<3; {SECOND}",
        "orjson>=3.9",
        # What `serve` asks pip for, where the extra is missing; Keras needs it too.
        "packaging>=23",
        "pandas>=2.1",
        "scikit-learn>=1.4",
        "scipy>=1.11",
        # TensorBoard 2.17 imports pkg_resources, which setuptools dropped in version 82.
        f"setuptools<82; {FIRST}",
        "soundfile>=0.12",
        "soxr>=0.3.7",
        "tensorboard",
        *(f"tensorflow{version}" for version in TENSORFLOW),
        f"tensorflow-io==0.37.1; {FIRST}",
        # The messages of the warm-up requests; of the same TensorFlow,
        # or pip would bring a newer one.
        *(f"tensorflow-serving-api{version}" for version in TENSORFLOW),
        "threadpoolctl>=3.2",
        "tqdm>=4.66",
    ],
    extras_require={
        "serve": SERVE,
        "elan": ELAN,
        # Another view of the map in the report of `neurovocal discover`.
        "umap": ["umap-learn>=0.5.5"],
        "parquet": PARQUET,
        # For `neurovocal segment_archive`. Beam brings pyarrow; earlier ones were not tried.
        "archive": ["apache-beam>=2.77,<3", *PARQUET],
        "speech": SPEECH,
        "music": MUSIC,
        # `mkdocs build` makes docs/ a site; ruff breaks long signatures in its reference.
        "docs": DOCS,
        # For the notebooks in examples/.
        "notebooks": NOTEBOOKS,
        # For the tests of export/serving/.
        "manifests": MANIFESTS,
        # A peer of tools/benchmark.py, which does without it too.
        "benchmark": ["torch>=2.4"],
        "test": [
            "hypothesis>=6.100",
            "mypy>=1.10",
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
            *SERVE,
            *ELAN,
            *PARQUET,
            *SPEECH,
            *MUSIC,
        ],
    },
)
