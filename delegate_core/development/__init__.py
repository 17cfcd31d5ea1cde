"""Development servers: an embedded control plane with the real one's interface, and the commands that steer it.

A backend brings the server, the core runs a small control interface beside it, and ``delegate submit``, ``cancel``,
``logs`` and ``status`` are its clients. Address and token of the running one are in a file that only its user can read.
"""

from delegate_core.development.address import Address, address_file
from delegate_core.development.server import DevelopmentServer, Example, ServerTask, SubmissionError

__all__ = ["Address", "DevelopmentServer", "Example", "ServerTask", "SubmissionError", "address_file"]
