"""Stands in for the library of this name, whose models need a download."""
