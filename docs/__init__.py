"""The documentation: its pages, what makes the rest of them when it is built, and what draws its pictures."""
