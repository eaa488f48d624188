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

"""`zeroco info`: what this installation has, what it lacks, and how to get that."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path
import platform
import subprocess
import sys
from typing import Any

from zeroco_ros import __version__

HELP = "versions, devices, backends, shipped weights, and what is missing"
DESCRIPTION = """\
Versions, devices, backends, shipped weights, and what is missing with the way to
install it. Works in an installation with holes: nothing has to be importable."""

# module, distribution, what it is for, how to get it
_LIBRARIES = (
    ("torch", "torch", "the network", "pip install torch (https://pytorch.org/get-started)"),
    ("numpy", "numpy", "arrays", "pip install numpy"),
    ("cv2", "opencv-python", "refinement, pictures", "pip install opencv-python"),
    ("PIL", "pillow", "image files", "pip install pillow"),
    ("safetensors", "safetensors", "our model files", "pip install safetensors"),
    ("yaml", "pyyaml", "parameter files", "pip install pyyaml"),
    ("tqdm", "tqdm", "progress bars", "pip install tqdm"),
    ("rosbags", "rosbags", "reading and writing bags", "pip install rosbags"),
    ("skimage", "scikit-image", "photographs for the demo", "pip install scikit-image"),
)
# A child process does it: rclpy's libraries, once loaded, stay and log.
_ROS_PROBE = """
import json, rclpy, sensor_msgs.msg, diagnostic_msgs.msg
from zeroco_ros.ros import compat
rmw = rclpy.get_rmw_implementation_identifier()
print(json.dumps({"rmw": rmw, **compat.in_use()}))
"""
_ROS_INSTALL = (
    "source a ROS 2 distribution (source /opt/ros/DISTRO/setup.bash), or on x86-64 Linux "
    "pip install 'zeroco_ros[ros]'"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the report."""
    report = gather()
    print(json.dumps(report, indent=2) if args.json else as_text(report))
    return 0


def gather() -> dict[str, Any]:
    """
    Return the report as plain values.

    package, libraries, ros, devices, backends, weights, missing.
    """
    libraries = {name: _library(module, name) for module, name, _, _ in _LIBRARIES}
    ros = _ros()
    weights = _weights(readable=libraries["safetensors"]["problem"] is None)
    return {
        "package": {"version": __version__, "python": platform.python_version()},
        "system": platform.platform(),
        "libraries": libraries,
        "ros": ros,
        "devices": {"cpu": cpu(), **_torch_devices()},
        "backends": _backends(libraries["torch"]["problem"]),
        "weights": weights,
        "missing": _missing(libraries, ros["problem"], bool(weights)),
    }


def _missing(
    libraries: dict[str, Any], ros_problem: str | None, has_weights: bool
) -> list[dict[str, str]]:
    """Return what is missing or broken, what it is for, and how to install it."""
    holes = [
        (name, purpose, install, libraries[name]["problem"])
        for _, name, purpose, install in _LIBRARIES
    ]
    holes.append(("rclpy", "the nodes, zeroco play and zeroco demo", _ROS_INSTALL, ros_problem))
    if not has_weights:
        install = "reinstall the package, or train some with zeroco train"
        problem = "no .safetensors file in zeroco_ros/weights"
        holes.append(("default weights", "every estimate without --weights", install, problem))
    names = ("what", "for", "install", "problem")
    return [dict(zip(names, hole, strict=True)) for hole in holes if hole[-1]]


def _library(module: str, distribution: str) -> dict[str, Any]:
    """Version, and the problem if it cannot be imported; tells absent from broken."""
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        return {"version": None, "problem": f"not installed (no module {error.name})"}
    except Exception as error:  # a broken binary fails with whatever its loader raises
        return {"version": None, "problem": f"installed but broken: {_first_line(error)}"}
    version = getattr(imported, "__version__", None) or _distribution_version(distribution)
    return {"version": version, "problem": None}


def _distribution_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ros() -> dict[str, Any]:
    """ROS 2 as a node would find it: what imports, and which of the libraries with a stand-in."""
    found: dict[str, str] = {}
    problem = None
    command = [sys.executable, "-c", _ROS_PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            found = json.loads(done.stdout.splitlines()[-1])
        else:
            lines = done.stderr.strip().splitlines()
            problem = lines[-1] if lines else f"the probe ended with code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        problem = _first_line(error)
    return {
        "distribution": os.environ.get("ROS_DISTRO"),
        "rclpy": _distribution_version("rclpy"),
        "problem": problem,
        "rmw": found.get("rmw"),
        "message_filters": _origin(found.get("message_filters")),
        "cv_bridge": _origin(found.get("cv_bridge")),
    }


def _origin(file: str | None) -> str | None:
    if file is None:
        return None
    ours = Path(__file__).resolve().parents[1] in Path(file).resolve().parents
    return "built-in stand-in" if ours else file


def cpu() -> dict[str, Any]:
    """Model, cores usable by this process, and whether it computes in bf16."""
    model, flags = platform.processor() or platform.machine(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                model = value.strip()
            elif name.strip() in ("flags", "Features"):
                flags = value
    bf16 = sorted({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    return {"model": model, "cores": cores, "bf16": bf16 or None}


def _torch_devices() -> dict[str, Any]:
    """CUDA as torch sees it, and torch's thread count."""
    try:
        import torch
    except Exception:
        return {"cuda": None, "cuda_problem": "torch cannot be imported"}
    threads = {"torch_threads": torch.get_num_threads()}
    if torch.version.cuda is None:
        return {**threads, "cuda": None, "cuda_problem": "this PyTorch is a CPU build"}
    if not torch.cuda.is_available():
        problem = "no usable GPU (driver missing, or none visible)"
        return {**threads, "cuda": None, "cuda_problem": problem}
    found = []
    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        found.append(
            {
                "name": device.name,
                "capability": f"{device.major}.{device.minor}",
                "memory_gib": round(device.total_memory / 2**30, 1),
            }
        )
    return {**threads, "cuda": found, "cuda_version": torch.version.cuda, "cuda_problem": None}


def _backends(torch_problem: str | None) -> dict[str, str]:
    """Return what can run the network now, as `--backend` calls it."""
    if torch_problem is not None:
        problem = f"not usable: {torch_problem}"
        return {"torch": problem, **dict.fromkeys(("onnx", "tensorrt"), "not usable: needs torch")}
    from zeroco_ros.engine.available import onnx_absence, onnx_providers, tensorrt_absence

    report = {"torch": "ready"}
    found = {
        "onnx": ("onnxruntime", onnx_absence(), onnx_providers),
        "tensorrt": ("tensorrt", tensorrt_absence(), lambda: ["cuda"]),
    }
    for name, (library, absence, providers) in found.items():
        if absence is not None:
            report[name] = f"not usable: {absence.what}: {absence.remedy}"
            continue
        version = _distribution_version(library) or "of unknown version"
        on = ", ".join(providers())
        report[name] = f"ready for an engine of `zeroco export` ({library} {version} on {on})"
    return report


def _weights(readable: bool) -> list[dict[str, Any]]:
    """Return the shipped model files with their size, sha256 and license."""
    from zeroco_ros.weights import shipped

    report = []
    for name, path in shipped().items():
        content = path.read_bytes()
        entry = {
            "name": name,
            "megabytes": round(len(content) / 1e6, 2),
            "sha256": hashlib.sha256(content).hexdigest(),
            "license": _license(path) if readable else None,
        }
        report.append(entry)
    return report


def _license(path: Path) -> str | None:
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            noted = (file.metadata() or {}).get("license")
        return None if noted is None else str(json.loads(noted))
    except Exception as error:
        return f"unreadable: {_first_line(error)}"


def as_text(report: dict[str, Any]) -> str:
    """Return the report for people: one fact per line, what is missing last."""
    devices, ros = report["devices"], report["ros"]
    cpu = devices["cpu"]
    lines = [f"zeroco_ros {report['package']['version']}"]
    add = lambda name, value: lines.append(f"  {name:<16} {value}")  # noqa: E731
    add("python", f"{report['package']['python']} on {report['system']}")
    for name, library in report["libraries"].items():
        add(name, library["version"] or library["problem"] or "version unknown")
    lines.append("ROS 2")
    add("rclpy", ros["problem"] or f"{ros['rclpy'] or 'found'}")
    add("distribution", ros["distribution"] or "none sourced (ROS_DISTRO is not set)")
    for name in ("rmw", "message_filters", "cv_bridge"):
        add(name, ros[name] or "unknown without rclpy")
    lines.append("devices")
    bf16 = f"bf16 ({', '.join(cpu['bf16'])})" if cpu["bf16"] else "no bf16 instructions"
    add("cpu", f"{cpu['model']}, {cpu['cores']} cores, {bf16}")
    for gpu in devices["cuda"] or []:
        add("cuda", f"{gpu['name']}, {gpu['memory_gib']} GiB, capability {gpu['capability']}")
    if devices["cuda_problem"]:
        add("cuda", devices["cuda_problem"])
    lines.append("backends")
    for name, state in report["backends"].items():
        add(name, state)
    lines.append("weights")
    for file in report["weights"]:
        add(
            file["name"],
            f"{file['megabytes']} MB, license {file['license']}, sha256 {file['sha256']}",
        )
    lines.append("missing" if report["missing"] else "nothing is missing")
    for hole in report["missing"]:
        add(hole["what"], f"for {hole['for']}: {hole['install']}")
    return "\n".join(lines)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
