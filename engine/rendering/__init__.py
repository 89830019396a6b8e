"""Turns a campaign and a customer into one mail: subject, preview, HTML, text and headers."""
