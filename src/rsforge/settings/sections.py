"""How settings are built: strict sections, what an option has beside its field, flat names and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from rsforge.settings.file_keys import FileKey, FixedKey
from rsforge.unicode_text import is_unicode

Location = tuple[str, ...]
S = TypeVar("S", bound=BaseModel)


# Where a value comes from that nobody chose; what made it so may follow behind a colon.
DEFAULT = "default"


class PathText(NamedTuple):
    """Marks text that is a path unless it is one of ``words``."""

    words: tuple[str, ...] = ()


class Prefix(NamedTuple):
    """Marks a section whose options begin with ``text``: ``unet: Annotated[UNetSettings, Prefix("unet")]``.

    Two sections with equal names inside can so stand in one command: ``--vae-channels`` and ``--unet-channels``.
    In a file they are ``channels`` of their sections.
    """

    text: str


def spell_flag(field: FieldInfo, value: Any) -> Any:
    """``value``; true and false, or their words, as the choices they stand for where ``field`` may be left bare."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "bare" not in extra:
        return value
    if value is True or (isinstance(value, str) and value.lower() == "true"):
        return extra["bare"]
    if value is False or (isinstance(value, str) and value.lower() == "false"):
        return extra.get("negative")
    return value


def also(*aliases: str, **more: Any) -> dict[str, Any]:
    """What an option has beside its field: ``--aliases``, and for the shell ``bare``, ``negative``, ``metavar``.

    ``bare`` is the value of the option when none follows it, ``negative`` the value that ``--no-OPTION`` stands for,
    ``stands_for`` further flags and their values, ``metavar`` how the value is written in the help, ``choices`` what it
    may be, ``form`` what it looks like where a pattern says it; ``argument`` makes it positional.
    ``replaces`` names the field in whose place it stands: of the two the stronger source is taken.
    ``made`` is the file that is taken when nobody names one, and ``by`` the command that makes it; ``absent`` says
    what else the command takes. ``basic`` options are in the short help.
    """
    return {"aliases": list(aliases), **more}


class Section(BaseModel):
    """A frozen, strict group of settings.

    Settings of a command may say more of it: ``file_keys`` are keys of other programs' settings files and what
    they mean here, ``file_sections`` further names of sections in files and the sections that they hold,
    ``variables`` environment variables without our prefix and the options that they set, ``former`` what checkpoints
    of before mean by the settings that they do not know, where that is not today's default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    file_keys: ClassVar[tuple[FileKey | FixedKey, ...]] = ()
    file_sections: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    variables: ClassVar[Mapping[str, str]] = {}
    former: ClassVar[Mapping[str, Any]] = {}

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what coercion would hide: true for 1, an unset shell variable for the current folder."""
        field = cls.model_fields[info.field_name or ""]
        kind, value = field.annotation, spell_flag(field, value)
        if isinstance(value, bool) and kind not in (bool, bool | None):
            raise ValueError("must not be true or false")
        texts = _texts_in(value)
        if any(not text or "\0" in text for text in texts):
            raise ValueError("must not be empty or hold a NUL character")
        if not all(map(is_unicode, texts)) and not _names_paths(field):
            raise ValueError("must be Unicode text; it holds bytes that are not UTF-8, or half of a surrogate pair")
        return value


def _names_paths(field: FieldInfo) -> bool:
    """Whether values of ``field`` are paths: file systems take names that are no Unicode."""
    return any(isinstance(mark, PathText) for mark in field.metadata) or _holds_path(field.annotation)


def _holds_path(annotation: Any) -> bool:
    return annotation is Path or isinstance(annotation, PathText) or any(map(_holds_path, get_args(annotation)))


def _texts_in(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list | tuple) else [value]) if isinstance(item, str)]


class Setting(NamedTuple):
    """One option of a command: where it stands in the model, and its field with the default of this command."""

    loc: Location
    field: FieldInfo
    prefix: str = ""
    panel: str = "Options"

    @property
    def name(self) -> str:
        """The flat name, which options and environment variables spell."""
        return f"{self.prefix}_{self.loc[-1]}" if self.prefix else self.loc[-1]


@lru_cache
def settings_of(model: type[BaseModel]) -> dict[str, Setting]:
    """The settings of ``model`` by their flat names."""
    found = list(_settings(model))
    by_name = {setting.name: setting for setting in found}
    if len(by_name) != len(found):
        raise TypeError(f"{model.__name__}: two settings share a name")
    return by_name


def _settings(model: type[BaseModel]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is None:
            yield Setting((name,), field)
            continue
        prefix = next((mark.text for mark in field.metadata if isinstance(mark, Prefix)), "")
        title = (section.__doc__ or "Options").splitlines()[0].rstrip(".")
        panel = f"{title} (--{prefix}-...)" if prefix else title
        given = None if field.is_required() else field.get_default()
        for key, inner in section.model_fields.items():
            own = inner if given is None else _with_default(inner, getattr(given, key))
            yield Setting((name, key), own, prefix, panel)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that ``field`` holds, or None for a setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _with_default(field: FieldInfo, default: Any) -> FieldInfo:
    changed = copy(field)
    changed.default = default
    return changed


def nest(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` by flat name put into their sections, over what the defaults of the command's sections set."""
    tree: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if section_of(field) is not None:
            tree[name] = {} if field.is_required() else field.get_default().model_dump(exclude_unset=True)
    for name, value in {**_give_way(model, values), **values}.items():
        *sections, key = settings_of(model)[name].loc
        holder = tree[sections[0]] if sections else tree
        holder[key] = value
    return tree


def _give_way(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, None]:
    """None for settings that would stand, by a command's default, in the place of one that is given."""
    given: dict[str, None] = {}
    for name, setting in settings_of(model).items():
        extra = setting.field.json_schema_extra
        if isinstance(extra, dict) and extra.get("replaces") in values:
            given[name] = None
    return given


def flatten(settings: BaseModel | Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The values of ``settings``, as a model or as its dump, by flat name; without those that a dump lacks."""
    tree = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else settings
    values: dict[str, Any] = {}
    for name, setting in settings_of(model).items():
        *sections, key = setting.loc
        holder = tree.get(sections[0], {}) if sections else tree
        if key in holder:
            values[name] = holder[key]
    return values


def unset(settings: S, names: Iterable[str]) -> S:
    """``settings`` without the record that somebody chose the values of these flat ``names``."""
    model, forgotten = type(settings), {settings_of(type(settings))[name].loc for name in names}
    values: dict[str, Any] = {}
    for name in model.model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            own = {key for key in value.model_fields_set if (name, key) not in forgotten}
            value = type(value).model_construct(own, **dict(value))
        values[name] = value
    return model.model_construct({n for n in settings.model_fields_set if (n,) not in forgotten}, **values)


def anchor(settings: S) -> S:
    """``settings`` with every relative path joined to its ``base_dir``, which then is the current folder."""
    run = getattr(settings, "run", settings)
    base = getattr(run, "base_dir", Path())
    return _anchor_section(settings, base)


def join_paths(field: FieldInfo, value: Any, base: Path) -> Any:
    """``value`` of a setting, joined to ``base`` where it is a relative path or several of them."""
    mark = next((m for m in field.metadata if isinstance(m, PathText)), None)
    if isinstance(value, tuple):
        return tuple(join_paths(field, item, base) for item in value)
    if isinstance(value, Path):
        return base / value
    return str(base / value) if mark and isinstance(value, str) and value not in mark.words else value


def _anchor_section(settings: S, base: Path) -> S:
    values: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            values[name] = _anchor_section(value, base)
        else:
            values[name] = Path() if name == "base_dir" else join_paths(field, value, base)
    # Unlike model_copy, this keeps the record of what the user gave.
    return type(settings).model_construct(settings.model_fields_set, **values)
