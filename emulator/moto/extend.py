"""How an addition changes moto: a method replaced that can still call the original, a new one, or a whole service."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from moto import backend_index, backends
from moto.core.base_backend import BackendDict

Method = Callable[..., Any]


def override(target: type) -> Callable[[Method], Method]:
    """Replace the method of ``target`` that has the name of the decorated function.

    The function takes the original method first, then ``self``.

    Raises:
        AttributeError: ``target`` has no such method (any more): the addition must be reviewed.
    """

    def replace(function: Method) -> Method:
        original = getattr(target, function.__name__)

        @functools.wraps(original)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return function(original, self, *args, **kwargs)

        setattr(target, function.__name__, method)
        return function

    return replace


def override_property(target: type) -> Callable[[Method], Method]:
    """Replace the property of ``target`` that has the name of the decorated function, which takes ``self``.

    Raises:
        AttributeError: ``target`` has no such property (any more).
    """

    def replace(function: Method) -> Method:
        if not isinstance(getattr(target, function.__name__), property):
            raise AttributeError(f"{target.__name__}.{function.__name__} is no property")
        setattr(target, function.__name__, property(function))
        return function

    return replace


def add(target: type) -> Callable[[Method], Method]:
    """Add the decorated function to ``target`` as a method.

    Raises:
        AttributeError: ``target`` has one by now: the addition can go.
    """

    def put(function: Method) -> Method:
        if hasattr(target, function.__name__):
            raise AttributeError(f"{target.__name__} already has {function.__name__}")
        setattr(target, function.__name__, function)
        return function

    return put


def add_service(name: str, instances: BackendDict[Any], url_pattern: str) -> None:
    r"""Make moto serve a service that it does not have.

    Args:
        name: of the module that moto would have.
        instances: the service's backends, by account and region.
        url_pattern: of its hosts, such as ``https?://access-analyzer\.(.+)\.amazonaws\.com``.

    Raises:
        AttributeError: moto has the service by now: remove the addition.
    """
    if name in backends.list_of_moto_modules():
        raise AttributeError(f"moto already has {name}")
    original = backends.get_backend
    backends.get_backend = lambda asked: instances if asked == name else original(asked)
    backend_index.backend_url_patterns.append((name, re.compile(url_pattern)))
