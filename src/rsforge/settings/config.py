"""What the user may say to ``rsforge config``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from rsforge.settings.sections import Section, also

COMMAND = "Command, e.g. `vae train` or vae.train."


class ConfigListSettings(Section):
    """Settings of ``rsforge config ls``."""


class ConfigCopySettings(Section):
    """Settings of ``rsforge config cp``."""

    name: str = Field(description="Shipped preset, see `rsforge config ls`.", json_schema_extra=also(argument=True))
    dest: Path | None = Field(
        None, description="File or folder to write; NAME.toml when absent.", json_schema_extra=also(argument=True)
    )
    overwrite: bool = Field(False, description="Replace an existing file.")


class ConfigShowSettings(Section):
    """Settings of ``rsforge config show``."""

    command: tuple[str, ...] = Field(description=COMMAND, json_schema_extra=also(argument=True))
    config: tuple[str, ...] = Field(
        (), description="Settings file or preset; repeatable.", json_schema_extra=also("-c")
    )
    set: tuple[str, ...] = Field((), description="KEY=VALUE; repeatable.")


class ConfigSchemaSettings(Section):
    """Settings of ``rsforge config schema``."""

    command: tuple[str, ...] = Field(description=COMMAND, json_schema_extra=also(argument=True))


class ConfigValidateSettings(Section):
    """Settings of ``rsforge config validate``."""

    files: tuple[Path, ...] = Field(description="Settings files.", json_schema_extra=also(argument=True))
