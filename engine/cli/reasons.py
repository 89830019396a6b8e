"""The owner's words for what is law in the program: kinds of mail, bases, and what stands between us and a mail.

Every sentence here is a key of the catalogue; the English one is what `[shop] language = "en"` shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain.words import Basis, Reason

KINDS: Mapping[str, str] = {
    "newsletter": "Newsletter",
    "product_recommendation": "Product recommendation",
    "winback": "Welcome back",
    "coupon": "Voucher",
    "birthday": "Birthday",
    "seasonal_greeting": "Seasonal greeting",
    "service_reminder": "Service without a contract",
    "thank_you": "Thanks",
    "feedback_request": "Asking for an opinion",
    "review_request": "Asking for a review",
    "feedback_result": "What became of your feedback",
    "vip_offer": "Offer for regulars",
    "loyalty_promo": "Loyalty card: offer",
    "consent_refresh": "Renewing consent",
    "abandoned_cart": "Abandoned cart",
    "order_confirmation": "Order confirmation",
    "invoice": "Invoice",
    "shipping": "Shipping notice",
    "contract_appointment": "Service under contract",
    "loyalty_statement": "Loyalty card: balance",
    "recall": "Recall",
    "security_notice": "Security notice",
    "dsr_response": "Answer to a privacy request",
    "doi_request": "Please confirm your sign-up",
}

BASES: Mapping[Basis, str] = {
    Basis.CONSENT: "consent",
    Basis.EXISTING_CUSTOMER: "existing customer",
    Basis.CONTRACT: "contract",
}

PURCHASES: Mapping[str, str] = {
    "open": "is open",
    "concluded": "was concluded",
    "cancelled": "was cancelled",
    "returned": "was returned",
    "revoked": "was revoked",
}
"""What has become of a purchase."""

REASONS: Mapping[Reason, str] = {
    Reason.NO_ADDRESS: "no e-mail address",
    Reason.UNSENDABLE_ADDRESS: "address cannot be sent to",
    Reason.HARD_BOUNCE: "mailbox is dead",
    Reason.LEGAL_BLOCK: "blocked for legal reasons",
    Reason.SUPPRESSED: "blocked by you",
    Reason.OBJECTION: "objected to advertising",
    Reason.COMPLAINT: "reported a mail as spam",
    Reason.ERASED: "asked to be erased",
    Reason.WITHDRAWN: "took the consent back",
    Reason.NO_CONSENT: "missing: consent",
    Reason.NOT_CONFIRMED: "signed up, never confirmed",
    Reason.UNPROVEN: "consent without proof",
    Reason.CONSENT_NOT_FOR_KIND: "consent does not name this kind of mail",
    Reason.STALE_CONSENT: "consent was not used for too long",
    Reason.RESTRICTED: "processing is restricted",
    Reason.LEGAL_HOLD: "kept for a case: nothing is sent",
    Reason.PAUSED_BY_PERSON: "asked for a pause",
    Reason.MINOR: "too young",
    Reason.SPECIAL_CATEGORY: "sensitive goods need a consent of their own",
    Reason.KIND_NEEDS_CONSENT: "missing: consent (a purchase is not enough for this)",
    Reason.NO_PURCHASE: "missing: a purchase or consent",
    Reason.PURCHASE_NOT_CONCLUDED: "no purchase was concluded",
    Reason.ADDRESS_NOT_FROM_SALE: "missing: proof that the address came with a purchase",
    Reason.NOTICE_MISSING: "missing: notice with the order, or consent",
    Reason.STALE_CUSTOMER: "last purchase is too long ago",
    Reason.ADVERTISES_MISSING: "missing: what the mail advertises (advertises)",
    Reason.ADVERTISES_EVERYTHING: "advertises everything: not similar to the purchase",
    Reason.CATEGORY_NOT_SIMILAR: "advertises goods that are not similar to the purchase",
    Reason.NO_CONTRACT: "missing: contract with a number or date",
    Reason.CONTRACT_OVER: "contract is over",
    Reason.UNKNOWN_KIND: "unknown kind of mail",
    Reason.KEY_BROKEN: "secret.key does not belong to this store",
    Reason.PERMISSION_FAILED: "a fault in the rules: nothing is sent",
}
"""Why somebody may not be written to."""

REMEDIES: Mapping[Reason, str] = {
    Reason.NO_CONSENT: "Ask for consent with the next order: a box of its own, not ticked, that names what you send.",
    Reason.NOTICE_MISSING: (
        "Let a sentence stand beside the e-mail field that one may object (treuepost wording print auftragsschein), "
        "and enter shown_from: every order from that day on counts, earlier ones never do."
    ),
    Reason.KIND_NEEDS_CONSENT: (
        "Greetings need a box of their own; a purchase is never enough: treuepost wording print geburtstag."
    ),
    Reason.NO_PURCHASE: "Let people sign up in the shop: treuepost wording print aushang prints the poster.",
    Reason.ADVERTISES_MISSING: 'Say in the campaign what it advertises: advertises = ["…"].',
    Reason.ADVERTISES_EVERYTHING: (
        "An offer on everything needs consent. Limit it to what is similar to the purchase: advertises = [...]."
    ),
    Reason.CATEGORY_NOT_SIMILAR: (
        "What is similar you decide in [legal.similarity] of config.toml; in doubt ask your lawyer."
    ),
    Reason.ADDRESS_NOT_FROM_SALE: (
        "Only an address given with the order counts: bring the column email_from_sale along with the purchases."
    ),
    Reason.STALE_CONSENT: "Whoever was not written to for so long must sign up again, by themselves.",
    Reason.STALE_CUSTOMER: "The next order counts again.",
    Reason.SPECIAL_CATEGORY: (
        "Name these goods in the text beside the box and in [wording.ID] special_categories: new consents then count."
    ),
    Reason.NO_ADDRESS: "Ask for the e-mail address with the next order.",
    Reason.NOT_CONFIRMED: "Whoever signed up and never confirmed must sign up again. A reminder would be advertising.",
    Reason.UNPROVEN: (
        "A consent counts with its text, both times, its source and its proof: describe the text in [wording.ID] and "
        "import the consents with all columns."
    ),
    Reason.CONSENT_NOT_FOR_KIND: (
        "Name this kind of mail in the text beside the box and in [wording.ID]: new consents then count."
    ),
    Reason.NO_CONTRACT: "Bring the contract's number or date along in the column contract_ref of the service items.",
    Reason.CONTRACT_OVER: "Where a contract was renewed, bring contract_until up to date.",
    Reason.HARD_BOUNCE: "Ask for a new address. If the mailbox works again: treuepost suppress remove ADDRESS.",
}
"""How there will be more of them, where there is a lawful way."""
