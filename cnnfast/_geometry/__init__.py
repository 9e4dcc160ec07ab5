"""Arithmetic of arguments: n-tuples, paddings, output sizes, and every message about a shape.  No arrays here."""
