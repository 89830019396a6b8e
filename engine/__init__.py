"""Treuepost: an automated e-mail campaign engine that keeps existing customers coming back."""

__version__ = "0.1.0"
