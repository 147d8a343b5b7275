"""What ``rsforge doctor`` finds out about the packages that rsforge and its extras require."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any, NamedTuple

from rsforge.recipes.tools.doctor_findings import INSTALL, Finding, report_missing, report_ok

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


class Requirement(NamedTuple):
    """One requirement in the metadata of a package: name, bounds of the version, and the extra that needs it."""

    name: str
    bounds: str
    extra: str

    def is_met_by(self, version: str) -> bool:
        bounds = re.findall(r"(>=|<=|==|!=|>|<)\s*([\d.]+)(?![\d.*])", self.bounds)
        return all(COMPARE[sign](_release_numbers(version), _release_numbers(bound)) for sign, bound in bounds)


def _release_numbers(version: str) -> tuple[int, ...]:
    """The numbers of a release without trailing zeros, so that 2.10 equals 2.10.0 and 2.13.0+cpu equals 2.13."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(n) for n in re.sub(r"(\.0)+$", "", release[0]).split(".")) if release else ()


def read_requirements(package: str) -> Iterator[Requirement]:
    """The requirements of ``package``; none where it is not installed."""
    try:
        lines = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return
    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        name = re.match(r"[\w.-]+", requirement)
        if name is not None:
            bounds = re.sub(r"\[.*?\]|[()\s]", "", requirement[name.end() :])
            yield Requirement(name[0], bounds, extra[1] if extra else "")


def examine_packages() -> dict[str, Finding]:
    needed = [r for r in read_requirements("rsforge") if not r.extra]
    if not needed:
        return {"rsforge": report_missing("not installed, or without its metadata", f"{INSTALL} -e .")}
    return {r.name: _examine_package(r, f"{INSTALL} '{r.name}{r.bounds}'") for r in needed}


def examine_extras() -> dict[str, Finding]:
    optional = [r for r in read_requirements("rsforge") if r.extra]
    return {f"{r.extra}.{r.name}": _examine_package(r, f"{INSTALL} 'rsforge[{r.extra}]'") for r in optional}


def _examine_package(requirement: Requirement, fix: str) -> Finding:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return report_missing("not installed", fix)
    if not requirement.is_met_by(version):
        return report_missing(f"{version} is installed, needed is {requirement.bounds}", fix)
    return report_ok(f"{version} ({requirement.bounds})")
