"""The schema, step by step. Each file in versions/ is one step and never changes once released."""
