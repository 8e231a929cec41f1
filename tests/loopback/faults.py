"""Faults that a stand-in server shows when told to, the same words on each."""

import re
from dataclasses import dataclass


@dataclass
class Fault:
    pattern: re.Pattern
    what: int | str
    left: int
    headers: dict


class Faulty:
    """A server with ``lock``, and ``requests`` as (method, path, whether a token came)."""

    def fail(self, pattern, what, times=1, **headers):
        """Let the next ``times`` requests whose "METHOD path" matches fail.

        ``what``: a status (headers such as retry_after=30 go along), "timeout" (silence), "cut" (the connection ends in
        mid-request), "cut answer" (… in mid-answer), "lost" (the deed is done, the answer never comes); Hopsworks also
        knows "stale listing" (a folder seems empty).
        """
        told = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self.faults.append(Fault(re.compile(pattern), what, times, told))

    def fault(self, request):
        """Return the fault for this request, one time less of it left; None when it is to be served."""
        with self.lock:
            for fault in self.faults:
                if fault.left > 0 and fault.pattern.search(request):
                    fault.left -= 1
                    return fault
        return None

    def asked(self, pattern):
        """Return the requests so far whose "METHOD path" matches."""
        return [f"{method} {path}" for method, path, _ in self.requests if re.search(pattern, f"{method} {path}")]
