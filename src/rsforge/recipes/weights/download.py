"""A published file, downloaded whole and unchanged or not at all."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator
from urllib import error, request

from rsforge import __version__, durable
from rsforge.errors import RsforgeError
from rsforge.models.published_weights import PublishedWeights

CHUNK = 2**20
# The handlers of the web alone: an address that redirects to a file of this machine or to FTP is refused.
HANDLERS = (
    request.ProxyHandler,
    request.HTTPHandler,
    request.HTTPSHandler,
    request.HTTPDefaultErrorHandler,
    request.HTTPRedirectHandler,
    request.HTTPErrorProcessor,
    request.UnknownHandler,
)


def download(weights: PublishedWeights, source: str, *, timeout: float, on_mib: Callable[[int], None]) -> None:
    """Write ``source`` to the path of ``weights``, once its size and SHA-256 are seen to be those published.

    ``timeout`` is in seconds without an answer; ``on_mib`` is called with 1 for every MiB. RSF-E011 where the address
    does not answer, breaks off or gives other bytes: then nothing has the name of the file.
    """
    digest, received = hashlib.sha256(), 0
    with durable.open_atomic(weights.path) as file:
        for chunk in _read(weights, source, timeout):
            received += len(chunk)
            if received > weights.size:
                raise _failure(weights, source, f"more than the published {weights.size} bytes")
            digest.update(chunk)
            file.write(chunk)
            on_mib(1)
        if received < weights.size:
            raise _failure(weights, source, f"{received} of the published {weights.size} bytes")
        if digest.hexdigest() != weights.sha256:
            raise _failure(weights, source, f"SHA-256 {digest.hexdigest()}, published is {weights.sha256}")


def _read(weights: PublishedWeights, source: str, timeout: float) -> Iterator[bytes]:
    """The bytes of ``source`` as they arrive; what is amiss with the connection is RSF-E011."""
    opener = request.OpenerDirector()
    for handler in HANDLERS:
        opener.add_handler(handler())
    asked = request.Request(source, headers={"User-Agent": f"rsforge/{__version__}"})
    try:
        with opener.open(asked, timeout=timeout) as answer:
            while chunk := answer.read(CHUNK):
                yield chunk
    except error.HTTPError as problem:
        problem.close()
        raise _failure(weights, source, f"HTTP {problem.code} {problem.reason}") from problem
    except (OSError, ValueError, http.client.HTTPException) as problem:
        raise _failure(weights, source, _describe(problem)) from problem


def _describe(problem: Exception) -> str:
    reason = getattr(problem, "reason", problem)
    return f"{type(reason).__name__}: {reason}" if str(reason) else type(reason).__name__


def _failure(weights: PublishedWeights, source: str, found: str) -> RsforgeError:
    return RsforgeError(
        "RSF-E011",
        f"the weights of {weights.name} could not be downloaded",
        where=source,
        found=found,
        kept="nothing was written",
        fix=f"try again, name a mirror with --source URL, or bring the file from another machine to {weights.path}",
    )
