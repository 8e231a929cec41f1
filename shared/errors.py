"""Every error Almanac raises on purpose, as one tree. A leaf is also the builtin a caller would expect.

AlmanacError
├── SchemaError(ValueError)        rows, columns or keys do not fit the declared table
├── SourceError(ValueError)        a person's file or a public data set cannot be used
├── UsageError(ValueError)         a command, option or setting that does not exist
│   └── TooLongError               what a model is asked does not fit into what it can read
├── NotYetError(LookupError)       something an earlier stage makes is missing
├── UnsafeFileError(ValueError)    a model file of an unknown type, or whose hash differs
├── MissingExtraError(ImportError) an optional package is not installed
├── BusyError(TimeoutError)        another run holds the lock for longer than we wait
└── BackendError(RuntimeError)     a store, registry or tracker failed
    └── WebError(ConnectionError)  a remote address is down, throttled or answers nonsense

The message says what happened and what to do next; a vendor's own error is the ``__cause__``.
"""


class AlmanacError(Exception):
    """Base of every error raised on purpose."""


class SchemaError(AlmanacError, ValueError):
    """Rows do not fit the table they are written to; nothing was written."""


class SourceError(AlmanacError, ValueError):
    """A file or data set given as a source cannot be used; nothing was written."""


class UsageError(AlmanacError, ValueError):
    """A command, option or setting that does not exist."""


class TooLongError(UsageError):
    """What a model is asked does not fit into what it can read; asked for less, it would answer."""


class NotYetError(AlmanacError, LookupError):
    """Something an earlier stage makes is missing."""


class UnsafeFileError(AlmanacError, ValueError):
    """A model file that must not be loaded."""


class MissingExtraError(AlmanacError, ImportError):
    """An optional package is not installed; the message names the extra."""


class BusyError(AlmanacError, TimeoutError):
    """Another run holds the lock."""


class BackendError(AlmanacError, RuntimeError):
    """A store, registry or tracker failed."""


class WebError(BackendError, ConnectionError):
    """A remote address did not give a usable answer."""
