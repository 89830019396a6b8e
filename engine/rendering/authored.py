"""What the renderer needs to know of a campaign: the words its author wrote, step by step.

`engine.campaigns.loading` stands a floor above and reads the files; this is the shape it hands down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class ButtonText(Protocol):
    """A button: its words per language and where it leads."""

    @property
    def text(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def url(self) -> Mapping[str, str] | str: ...  # noqa: D102


class MailText(Protocol):
    """The words of one mail, each per language."""

    @property
    def subject(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def preview(self) -> Mapping[str, str] | None: ...  # noqa: D102

    @property
    def body(self) -> Mapping[str, str] | None: ...  # noqa: D102

    @property
    def template(self) -> str | None: ...  # noqa: D102

    @property
    def button(self) -> ButtonText | None: ...  # noqa: D102


class StepText(Protocol):
    """One step of a campaign."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def message(self) -> MailText: ...  # noqa: D102


class TriggerWord(Protocol):
    """The trigger, by its name."""

    @property
    def on(self) -> str: ...  # noqa: D102


class CampaignText(Protocol):
    """A campaign, as far as its mails are concerned."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def kind(self) -> str: ...  # noqa: D102

    @property
    def file(self) -> str: ...  # noqa: D102

    @property
    def trigger(self) -> TriggerWord: ...  # noqa: D102

    @property
    def steps(self) -> Sequence[StepText]: ...  # noqa: D102
