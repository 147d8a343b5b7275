"""What the tests of ``rsforge doctor`` share: its findings on this machine, and pretended versions of packages."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

import pytest

from rsforge.recipes.console import SilentConsole
from rsforge.recipes.tools.doctor import examine
from rsforge.settings.tools import DoctorSettings


@pytest.fixture
def examine_all() -> Callable[[], dict[str, Any]]:
    return lambda: examine(DoctorSettings(), SilentConsole())


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend versions of packages; None is not installed."""
    real = metadata.version

    def pretend(**versions: str | None) -> None:
        def version(name: str) -> str:
            if versions.get(name, "") is None:
                raise metadata.PackageNotFoundError(name)
            return versions.get(name) or real(name)

        monkeypatch.setattr(metadata, "version", version)

    return pretend
