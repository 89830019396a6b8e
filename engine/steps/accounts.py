"""At which account of the provider calls are made, as a keyed mark: of a call to one account, another knows nothing.

The identical call under another account's key would be a new one and mail everybody again, and a look-up there would
say "no" of a mail that has gone. So would one in another message stream of the same account, where a provider has such.
The mark is made of the provider's key and stream, and cannot be turned back into them.
"""

from __future__ import annotations

from engine.steps.shop import Shop

_PURPOSE = "provider account"
_LENGTH = 32


def account(app: Shop) -> str:
    """Return the mark of the account that calls are made at now."""
    return app.keyring.hmac(_PURPOSE, _key(app))[:_LENGTH]


def is_ours(app: Shop, mark: str) -> bool:
    """Say whether this mark is of the account that calls are made at now; calls of older versions bear none."""
    return not mark or mark in {known[:_LENGTH] for known in app.keyring.hmacs(_PURPOSE, _key(app))}


def _key(app: Shop) -> str:
    provider = app.config.provider
    return f"{provider.use}\0{provider.secret}\0{provider.message_stream}"
