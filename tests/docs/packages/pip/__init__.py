"""Stands in for pip, which would need a package index; `__main__` says what is looked at instead."""
