"""What is said before and after an erasure, to the owner and to the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.opening import Translate
from engine.cli.output import say, shown

if TYPE_CHECKING:
    from engine.app import Premises
    from engine.steps.privacy.forgetting import Erased
    from engine.steps.privacy.subjects import Subject


def say_beforehand(shop: Premises, subject: Subject, until: str, _: Translate) -> None:
    """Say what an erasure takes, what stays and why, before it is asked for."""
    from engine.steps.privacy.forgetting import is_shared

    say(_("This is about %(who)s.", who=subject.name or ", ".join(map(shown, subject.emails.values()))), err=True)
    say(
        _("This goes: name, addresses, birthday, tags, articles, contracts, texts of mails and what is in outbox/."),
        err=True,
    )
    if until:
        say(
            _("This stays until %(day)s, without a name: which mails went out when and on which ground.", day=until),
            err=True,
        )
    say(_("This stays: a check value of each address, so that nobody writes there again."), err=True)
    if is_shared(shop, subject):
        say(_("An address is shared: nobody there gets advertising before they agree anew."), err=True)
    say(_("Not in our hands: invoices, your source files, their *.refused.csv, and what the provider keeps."), err=True)
    span = shop.config.privacy.backups.words(shop.config.shop.language)
    say(
        _("Backups hold the person until they are older than %(span)s; putting one back erases again.", span=span),
        err=True,
    )


def say_erased(shop: Premises, done: Erased, until: str, _: Translate) -> None:
    """Say what an erasure came to, and print the answer to send."""
    say(_("Erased."))
    if done.skipped:
        say(_("%(count)s waiting mails were struck out.", count=done.skipped))
    if done.in_doubt:
        say(
            _(
                "%(count)s mails are not settled yet: their text stays until they are; `privacy purge` ends it.",
                count=done.in_doubt,
            )
        )
    if done.shared:
        say(_("An address is shared: nobody there gets advertising before they agree anew."))
    for file in done.traces:
        say(_("%(file)s still shows the address: stop what has the store open and say `privacy purge`.", file=file))
    if not done.emptied:
        say(_("The store's log could not be emptied while others read: `privacy purge` does it later."))
    _say_answer(shop.config.privacy.backups.words(shop.config.shop.language), until, _)


def _say_answer(backups: str, until: str, _: Translate) -> None:
    """Print what the owner sends the person (law W13)."""
    say()
    say(_("The answer to send:"))
    say()
    say(_("Your data are deleted, except:"))
    say("– " + _("invoices, as long as the law demands;"))
    if until:
        say("– " + _("proof of your earlier consent until %(day)s (locked, without your name);", day=until))
    say("– " + _("a check value of your address that cannot be read back, so that we do not write to you again."))
    say(_("In backups they are gone after %(span)s at the latest.", span=backups))
