"""Errors that a user can act on.

Every message says what was given, what is allowed and what to do. The `zeroco` command prints them
as one line and exits with code 2; a node logs them and refuses the transition.
"""


class ZerocoError(Exception):
    """Base of all errors caused by input rather than by a fault in this package."""


class ImageError(ZerocoError):
    """An image or flow file that is missing, unreadable, too small or of an unsupported kind."""


class WeightsError(ZerocoError):
    """A model file that is missing, truncated, unsafe or of an unknown architecture."""


class ConfigError(ZerocoError):
    """An option or parameter outside its allowed values."""


class BagError(ZerocoError):
    """A bag that is missing, truncated or holds nothing usable."""


class BackendError(ZerocoError):
    """A device, library or engine that is needed and is not available."""
