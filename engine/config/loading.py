"""config.toml -> a frozen Config: no unknown keys, secrets from the environment or files and never from the config.

`load_config` raises Invalid with every mistake at its place; `examine_config` returns them, with the warnings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from engine.config.checks import check_config
from engine.config.environment import PREFIX, overlay
from engine.config.sections import Config, Store
from engine.errors import Finding, Invalid
from engine.language import Language
from engine.toml.findings import Reader, find_mistakes
from engine.toml.source import TomlSource, shown_path

__all__ = ["Config", "examine_config", "find_config", "load_config"]

RESERVED: dict[tuple[str, ...], str] = {
    **{("rules", key): f"rules.{key}" for key in ("priority", "when_crowded")},
}
"""Keys that are spoken for, and answered with "not in this version"."""
RESERVED_VALUES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("source", "*", "from"): ("sql", "woocommerce", "shopify", "api")
}


def find_config(explicit: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the config file: the one named, else the first that is there of those places every command looks in."""
    named = explicit or (Path(environ["TREUEPOST_CONFIG"]) if environ.get("TREUEPOST_CONFIG") else None)
    if named is not None:
        return _present(named)
    settings = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (Path("config.toml"), settings / "treuepost" / "config.toml", Path("/etc/treuepost/config.toml"))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise Invalid([_missing(Path("config.toml"))])
    return found


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read a config file with the environment's overrides and secrets; raise Invalid with every mistake."""
    config, findings = examine_config(path, environ)
    errors = [finding for finding in findings if finding.level == "error"]
    if config is None or errors:
        raise Invalid(errors)
    return config


def examine_config(path: Path, environ: Mapping[str, str]) -> tuple[Config | None, list[Finding]]:
    """Read a config file; return it, where it can be read at all, with every error and warning in it."""
    _present(path)
    say = _language(path).gettext
    try:
        source = TomlSource.read(path, say)
    except Invalid as invalid:
        return None, invalid.findings
    if not source.data:
        return None, [
            source.finding("E102", say("this file is empty"), help=say("config.example.toml shows every key"))
        ]
    home = path.absolute().parent
    data, secrets = overlay(source, Config, environ, home, say)
    reader = Reader(source, data, Config, say, RESERVED, RESERVED_VALUES, PREFIX)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        return None, [*secrets, *find_mistakes(reader, error)]
    config = _placed(config, path, environ)
    return config, [*secrets, *check_config(config, source, say)]


def _placed(config: Config, path: Path, environ: Mapping[str, str]) -> Config:
    """Return the config with its file known and a relative store path resolved against its folder."""
    file = path.absolute()
    url, default = config.store.url, Store().url
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    base = Path(state) if state and url == default else file.parent
    found = re.fullmatch(r"sqlite:///([^/].*)", url)
    store = Store(url=f"sqlite:///{base / found[1]}") if found else config.store
    return config.placed(file, store)


def _present(path: Path) -> Path:
    if not path.exists():
        raise Invalid([_missing(path)])
    return path


def _missing(path: Path) -> Finding:
    say = Language("de").gettext
    return Finding(
        shown_path(path),
        0,
        0,
        "E001",
        say("there is no config file here"),
        say("`treuepost init DIR` makes one; `--config FILE` names another place"),
    )


def _language(path: Path) -> Language:
    """Return the language to find fault in, even when the file cannot be read as TOML."""
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        return Language("de")
    return Language("en" if re.search(r'(?m)^\s*language\s*=\s*["\']en["\']', text) else "de")
