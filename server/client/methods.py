"""How functions that pass their arguments on keep a name, signature and docstring, for editors and notebooks."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args

F = TypeVar("F", bound=Callable[..., Any])

_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)


def with_keywords_of(build: Callable[..., Any], named: Callable[..., Any], wrapper: F) -> F:
    """Show a wrapper with the parameters of `build`, and with the name, docstring and result of `named`."""
    result = inspect.signature(named).return_annotation
    return _shown(wrapper, named, inspect.signature(build).replace(return_annotation=result))


def as_method(build: Callable[..., Any], wrapper: F) -> F:
    """Show a wrapper as a method with the name, docstring and parameters of what makes its call."""
    signature = inspect.signature(build)
    parameters = [_SELF, *signature.parameters.values()]
    answer = get_args(signature.return_annotation)[-1]  # of Call[answer], or a page's Sequence[entry]
    result = inspect.signature(wrapper).return_annotation
    if isinstance(result, TypeVar):
        result = answer
    elif getattr(result, "__parameters__", ()):
        result = result[answer]
    return _shown(wrapper, build, signature.replace(parameters=parameters, return_annotation=result))


def _shown(wrapper: F, named: Callable[..., Any], signature: inspect.Signature) -> F:
    for name, value in {"__name__": named.__name__, "__doc__": named.__doc__, "__signature__": signature}.items():
        setattr(wrapper, name, value)
    return wrapper
