"""The package as users install it: the files, the extras, the versions of Python."""
