"""MEMORY: SQL is executed here and nowhere else."""
