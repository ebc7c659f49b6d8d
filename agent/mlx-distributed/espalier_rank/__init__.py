"""A rank of MLX Distributed, driven by JSON lines of its agent; ../rank.py is its entry."""
