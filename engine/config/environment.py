"""What the environment adds to config.toml: `TREUEPOST_SECTION__KEY`, and the provider's secrets from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from engine.errors import Finding
from engine.toml.faults import Say
from engine.toml.source import TomlSource

PREFIX = "TREUEPOST_"
_SECRETS = {"api_key": "provider_api_key", "webhook_secret": "provider_webhook_secret"}
"""What never stands in the config file: key of [provider] -> its name among systemd's credentials."""
_READABLE_BY_OTHERS = 0o007


def overlay(
    source: TomlSource, model: type[BaseModel], environ: Mapping[str, str], home: Path, say: Say
) -> tuple[dict[str, Any], list[Finding]]:
    """Return the file's data with the environment's values and the provider's secrets put in, and what is wrong there.

    The key comes from TREUEPOST_PROVIDER__API_KEY, else from `api_key_file`, else from systemd's credentials; what
    webhooks are proved with comes the same way (`webhook_secret`).
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
    for name in _SECRETS if isinstance(provider, dict) else ():
        if name not in provider:
            key, more = _secret_from_file(source, name, provider, environ, home, say)
            findings += more
            if key:
                provider[name] = key
    return data, findings


def _written_down(source: TomlSource, provider: object, say: Say) -> list[Finding]:
    if not isinstance(provider, dict):
        return []
    message = say("a secret must not stand in the config file: it ends up in backups and in git")
    remedies = {
        "api_key": say("put it into a file only you can read (api_key_file = …), or into TREUEPOST_PROVIDER__API_KEY"),
        "webhook_secret": say("put it into a file only you can read (webhook_secret_file = …)"),
    }
    found = [name for name in _SECRETS if name in provider]
    for name in found:
        del provider[name]
    return [source.finding("E111", message, ("provider", name), key=True, help=remedies[name]) for name in found]


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


def _secret_from_file(
    source: TomlSource, name: str, provider: Mapping[str, Any], environ: Mapping[str, str], home: Path, say: Say
) -> tuple[str, list[Finding]]:
    folder, named = environ.get("CREDENTIALS_DIRECTORY"), provider.get(f"{name}_file")
    if isinstance(named, str) and named:
        return _read_secret(source, f"{name}_file", home / named, say)
    credential = Path(folder) / _SECRETS[name] if folder else None
    if credential is None or not credential.is_file():
        return "", []
    return credential.read_text(encoding="utf-8").strip(), []


def _read_secret(source: TomlSource, key: str, path: Path, say: Say) -> tuple[str, list[Finding]]:
    loc = ("provider", key)
    try:
        mode, secret = path.stat().st_mode, path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or "UTF-8"
        return "", [source.finding("E113", say("cannot read %(file)s: %(why)s", file=path, why=why), loc)]
    if mode & _READABLE_BY_OTHERS:
        message = say("%(file)s can be read by everybody on this machine", file=path)
        return "", [source.finding("E112", message, loc, help=f"chmod 600 {path}")]
    if not secret:
        return "", [source.finding("E113", say("%(file)s is empty", file=path), loc)]
    return secret, []
