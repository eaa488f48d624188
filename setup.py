# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""ament_python package: `colcon build` on a ROS 2 machine, `pip install .` anywhere else."""

from pathlib import Path
import re

from setuptools import find_packages, setup

NAME = "zeroco_ros"
HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / NAME / "__init__.py").read_text()).group(1)


def share(folder: str, pattern: str) -> tuple[str, list[str]]:
    """One data_files entry: the files of `folder` under share/<package>/."""
    files = sorted(str(path.relative_to(HERE)) for path in (HERE / folder).glob(pattern))
    return (f"share/{NAME}/{folder}", files)


setup(
    name=NAME,
    version=VERSION,
    description="Dense correspondence and multi-frame depth from cross-view completion, for ROS 2",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    maintainer="zeroco_ros developers",
    maintainer_email="maintainers@zeroco-ros.invalid",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: [
            "py.typed",
            "weights/*.safetensors",
            "weights/*.md",
            "**/*.yaml",
            "estimate/parity_pairs/*.png",
            "report/*.css",
            "report/*.js",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        share("launch", "*.launch.py"),
        share("config", "*.yaml"),
        share("config", "*.xml"),
        share("config/rviz", "*.rviz"),
    ],
    install_requires=[
        "apsw>=3.40",
        "backports.zstd>=1.0; python_version < '3.14'",
        "lz4>=4",
        "numpy>=1.22",
        "opencv-python>=4.6",
        "pillow>=9",
        "pyyaml>=5.4",
        "rosbags>=0.11.9",
        "safetensors>=0.4",
        "scikit-image>=0.22",
        "scipy>=1.10",
        "torch>=2.6",  # from here on reading a checkpoint with weights_only is safe
        "tqdm>=4.60",
    ],
    extras_require={
        # Real ROS 2 from PyPI wheels (x86-64 Linux), for machines without a ROS distribution.
        "ros": [
            "ros-rclpy[fastrtps]>=7.1",
            "ros-sensor-msgs>=5.3",
            "ros-stereo-msgs>=5.3",
            "ros-diagnostic-msgs>=5.3",
            "ros-nav-msgs>=5.3",
            "ros-std-srvs>=5.3",
        ],
        # Pictures of `zeroco eval robustness` and `zeroco eval confidence`.
        "eval": ["matplotlib>=3.5"],
        # `zeroco export`, `zeroco check`, and running an exported engine (that needs onnxruntime
        # only; onnxruntime-gpu on a GPU).
        "onnx": ["onnx>=1.16", "onnxruntime>=1.18", "onnxscript>=0.5"],
        # `zeroco replay --engine ray`: bags of a fleet on a Ray cluster.
        "ray": ["ray>=2.9"],
        # `colcon test` runs pytest where this extra asks for it.
        "test": ["psutil>=5.9", "pytest>=8,<9", "pytest-timeout>=2.3"],
        "dev": [
            "colcon-common-extensions>=0.3",
            "mypy>=1.10",
            "psutil>=5.9",
            "pytest>=8,<9",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "ruff>=0.6",
            "types-PyYAML",
            "types-tqdm",
        ],
    },
    entry_points={
        "console_scripts": [
            "zeroco = zeroco_ros.cli:main",
            "flow_node = zeroco_ros.ros.flow_node:main",
            "depth_node = zeroco_ros.ros.depth_node:main",
        ],
    },
    zip_safe=False,
)
