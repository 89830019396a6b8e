"""The rights of a person: access, correction, erasure, retention, and the proof of what was done."""
