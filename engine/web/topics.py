"""What each kind of advertising is called on a page: in the words of the person who gets it."""

from __future__ import annotations

from collections.abc import Mapping

TOPICS: Mapping[str, str] = {
    "newsletter": "News from the shop",
    "product_recommendation": "Recommendations",
    "winback": "Invitations to drop by again",
    "coupon": "Vouchers and offers",
    "birthday": "Birthday greetings",
    "seasonal_greeting": "Greetings on holidays",
    "service_reminder": "Reminders when a service is due",
    "thank_you": "A word of thanks after a purchase",
    "feedback_request": "Questions about how it went",
    "review_request": "Requests for a review",
    "feedback_result": "What became of the feedback",
    "vip_offer": "Offers for regular customers",
    "loyalty_promo": "Offers on the loyalty card",
    "consent_refresh": "Questions whether mail is still welcome",
    "abandoned_cart": "Reminders of a cart left behind",
}
"""Kind -> its name; said through the catalogue."""
