from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from daemon.settings import DaemonSettings
from streams.runtime.config import Section


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model of the config, down from one of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from sections(field.annotation)
    for argument in get_args(annotation):
        yield from sections(argument)


def test_every_part_of_the_config_is_a_section_that_refuses_unknown_keys():
    found = set(sections(DaemonSettings))
    assert len(found) > 10
    for section in found:
        assert issubclass(section, Section), section
        assert section.model_config["extra"] == "forbid"


def test_every_setting_has_a_reason():
    missing = [
        f"{section.__name__}.{name}"
        for section in set(sections(DaemonSettings))
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert not missing


def test_defaults_are_valid_and_enough():
    model = {"name": "a", "schema": {"columns": [{"name": "x", "kind": "number"}]}}
    settings = DaemonSettings.model_validate({"models": [model]})
    assert settings.models[0].planning.autonomy == "propose"
    assert settings.models[0].delivery == "exactly_once"
    assert settings.metrics.host == "127.0.0.1"
    assert settings.broker.bootstrap is None
