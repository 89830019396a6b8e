"""What the environment adds to config.toml: `TREUEPOST_SECTION__KEY`, and the provider's key from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from engine.errors import Finding
from engine.toml.faults import Say
from engine.toml.source import TomlSource

PREFIX = "TREUEPOST_"
_CREDENTIAL = "provider_api_key"
_READABLE_BY_OTHERS = 0o007


def overlay(
    source: TomlSource, model: type[BaseModel], environ: Mapping[str, str], home: Path, say: Say
) -> tuple[dict[str, Any], list[Finding]]:
    """Return the file's data with the environment's values and the provider's key put in, and what is wrong with them.

    The key comes from TREUEPOST_PROVIDER__API_KEY, else from `api_key_file`, else from systemd's credentials.
    """
    data: dict[str, Any] = {name: dict(part) if isinstance(part, dict) else part for name, part in source.data.items()}
    provider = data.get("provider")
    findings = _written_down(source, provider, say)
    for section, values in _from_environment(model, environ).items():
        if isinstance(values, dict) and isinstance(data.setdefault(section, {}), dict):
            data[section].update(values)
        else:
            data[section] = values
    provider = data.setdefault("provider", {})
    if isinstance(provider, dict) and "api_key" not in provider:
        key, more = _key_from_file(source, provider.get("api_key_file"), environ, home, say)
        findings += more
        if key:
            provider["api_key"] = key
    return data, findings


def _written_down(source: TomlSource, provider: object, say: Say) -> list[Finding]:
    if not isinstance(provider, dict) or "api_key" not in provider:
        return []
    message = say("a secret must not stand in the config file: it ends up in backups and in git")
    remedy = say("put it into a file only you can read (api_key_file = …), or into TREUEPOST_PROVIDER__API_KEY")
    del provider["api_key"]
    return [source.finding("E111", message, ("provider", "api_key"), key=True, help=remedy)]


def _from_environment(model: type[BaseModel], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the overrides as nested data; texts become numbers and dates where the model asks for them."""
    named = {name.lower(): value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    named = {name: value for name, value in named.items() if "__" in name}
    if not named:
        return {}
    from pydantic_settings import EnvSettingsSource  # noqa: PLC0415  (slow to import, and seldom needed)

    reader = EnvSettingsSource(model, env_prefix=PREFIX, env_nested_delimiter="__")  # type: ignore[arg-type]
    reader.env_vars = dict(named)
    found: dict[str, Any] = reader()
    return {section: _typed(model, section, values) for section, values in found.items()}


def _typed(model: type[BaseModel], section: str, values: object) -> object:
    part = model.model_fields[section].annotation
    if not isinstance(values, dict) or not (isinstance(part, type) and issubclass(part, BaseModel)):
        return values
    fields = {field.alias or name: field.annotation for name, field in part.model_fields.items()}
    return {name: _converted(fields.get(name), value) for name, value in values.items()}


def _converted(annotation: Any, value: object) -> object:
    if annotation is None or annotation is str or not isinstance(value, str):
        return value
    try:
        converted: object = TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return value
    return converted


def _key_from_file(
    source: TomlSource, named: object, environ: Mapping[str, str], home: Path, say: Say
) -> tuple[str, list[Finding]]:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if isinstance(named, str) and named:
        return _read_key(source, home / named, say)
    credential = Path(folder) / _CREDENTIAL if folder else None
    if credential is None or not credential.is_file():
        return "", []
    return credential.read_text(encoding="utf-8").strip(), []


def _read_key(source: TomlSource, path: Path, say: Say) -> tuple[str, list[Finding]]:
    loc = ("provider", "api_key_file")
    try:
        mode, key = path.stat().st_mode, path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or "UTF-8"
        return "", [source.finding("E113", say("cannot read %(file)s: %(why)s", file=path, why=why), loc)]
    if mode & _READABLE_BY_OTHERS:
        message = say("%(file)s can be read by everybody on this machine", file=path)
        return "", [source.finding("E112", message, loc, help=f"chmod 600 {path}")]
    if not key:
        return "", [source.finding("E113", say("%(file)s is empty", file=path), loc)]
    return key, []
