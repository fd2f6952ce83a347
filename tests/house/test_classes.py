"""A module class is abstract or final, and nobody overrides a concrete method."""

import abc
import importlib
import inspect

import equinox as eqx
import pytest

from tests.house.tree import modules

COOPERATIVE = {"__init__", "__check_init__"}
ABSTRACTS = ("__abstractmethods__", "__abstractvars__", "__abstractclassvars__")


def is_abstract(cls):
    return any(getattr(cls, names, ()) for names in ABSTRACTS)


def bases(cls):
    return [base for base in cls.__mro__[1:] if issubclass(base, eqx.Module) and base is not eqx.Module]


def written_methods(cls):
    """The names that the class statement itself defines; generated methods have no source file."""
    found = set()
    for name, value in vars(cls).items():
        value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        value = inspect.unwrap(getattr(value, "method", value))
        if inspect.isfunction(value) and value.__module__ == cls.__module__ and value.__code__.co_filename[0] != "<":
            found.add(name)
    return found


def complaints(cls):
    for base in bases(cls):
        if not is_abstract(base):
            yield f"{cls.__qualname__} subclasses {base.__qualname__}, which is concrete and so final"
        concrete = {n for n in written_methods(base) if not getattr(vars(base)[n], "__isabstractmethod__", False)}
        for name in sorted((written_methods(cls) & concrete) - COOPERATIVE):
            yield f"{cls.__qualname__}.{name} overrides the concrete {base.__qualname__}.{name}"


def classes_in(module):
    waiting = list(vars(module).values())
    while waiting:
        value = waiting.pop()
        if inspect.isclass(value) and value.__module__ == module.__name__:
            waiting += [inner for inner in vars(value).values() if inspect.isclass(inner)]
            if issubclass(value, eqx.Module):
                yield value


@pytest.fixture(scope="module")
def classes():
    return [cls for name in modules() for cls in classes_in(importlib.import_module(name))]


def test_every_module_class_is_abstract_or_final(classes):
    assert classes
    assert sorted(complaint for cls in classes for complaint in complaints(cls)) == []


class AbstractVoice(eqx.Module):
    pitch: eqx.AbstractVar[float]

    @abc.abstractmethod
    def say(self): ...

    def shout(self):
        return self.say().upper()


class Alto(AbstractVoice):
    pitch: float = 1.0

    def say(self):
        return "a"


class Soprano(Alto):
    pass


class Tenor(AbstractVoice):
    pitch: float = 0.5

    def say(self):
        return "t"

    def shout(self):
        return "T!"


def test_the_check_passes_a_final_class_and_sees_both_faults():
    assert list(complaints(Alto)) == []
    assert list(complaints(Soprano)) == ["Soprano subclasses Alto, which is concrete and so final"]
    assert list(complaints(Tenor)) == ["Tenor.shout overrides the concrete AbstractVoice.shout"]
