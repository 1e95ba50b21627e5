import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from streams.contracts.errors import ConfigError
from streams.runtime.config import DEFAULT, Section, environment, explain, load
from streams.runtime.durations import Duration

Write = Callable[[str], Path]


class Wheel(Section):
    size: Literal["small", "large"]
    """How large, because roads differ."""

    air: Duration = Duration.of("2h")
    """How long the air lasts."""


class Bicycle(Section):
    name: str
    wheels: tuple[Wheel, ...] = Field(alias="rims", min_length=1)
    """What it rolls on."""


class Garage(Section):
    url: str = "sqlite:///a"
    """Where the list is kept."""

    doors: int = Field(default=1, ge=1)
    bicycles: tuple[Bicycle, ...] = ()
    tool: Wheel = Wheel(size="small")

    @model_validator(mode="after")
    def _check(self) -> "Garage":
        if self.doors > 10:
            raise ValueError("doors are too many for one garage: build a second")
        return self


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "garage.yaml"
        file.write_text(text)
        return file

    return write


def refused(file: Path, variables: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(Garage, file, variables or {})
    return caught.value.findings


def test_an_empty_file_gives_the_defaults(write: Write):
    assert load(Garage, write(""), {}).settings == Garage()
    assert load(Garage, None, {}).settings == Garage()


def test_every_finding_is_listed_with_path_line_and_remedy(write: Write):
    findings = refused(
        write(
            "doors: zero\n"
            "bicycles:\n"
            "  - name: red\n"
            "    rims:\n"
            "      - {size: smal}\n"
            "      - {size: large, air: 30}\n"
            "      - {aire: 1h}\n"
            "  - rims: []\n"
            "bycicles: []\n"
        )
    )
    assert findings == (
        "doors: must be a valid integer, unable to parse string as an integer, not 'zero' (garage.yaml:1)",
        "bicycles[0].rims[0].size: must be 'small' or 'large', not 'smal'; did you mean 'small'? (garage.yaml:5)",
        "bicycles[0].rims[1].air: must be a duration with a unit, for instance 90s, 15m, 1h or 30d, not 30 (garage.yaml:6)",
        "bicycles[0].rims[2].size: is required; add it: How large, because roads differ (garage.yaml:7)",
        "bicycles[0].rims[2].aire: there is no such setting; did you mean 'air'? (garage.yaml:7)",
        "bicycles[1].name: is required; add it (garage.yaml:8)",
        "bicycles[1].rims: needs at least 1 of them; add what is missing (garage.yaml:8)",
        "bycicles: there is no such setting; did you mean 'bicycles'? (garage.yaml:9)",
    )


def test_a_check_across_fields_says_what_it_says(write: Write):
    assert refused(write("doors: 11")) == ("config: doors are too many for one garage: build a second",)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("doors: [1", "isn't YAML"),
        ("doors: 'a\0b'", "isn't YAML"),
        ("- 1", "must be a mapping of settings, not list"),
        ("doors: !!python/object/apply:os.getcwd []", "isn't YAML"),
        ("[" * 40 + "]" * 40, "levels"),
        ("[" * 5_000 + "]" * 5_000, "isn't YAML"),
        ("a: &a [*a]", "levels"),
        ("x: " + "y" * 1_000_001, "larger than"),
        ("doors: 1\ndoors: 2", "doors: is given twice; keep one of them (garage.yaml:2)"),
        ("? [1, 2]\n: 3", "isn't YAML"),
    ],
)
def test_a_broken_file_is_a_finding(write: Write, text: str, part: str):
    assert part in refused(write(text))[0]


def test_a_billion_laughs_is_refused_before_it_is_built(write: Write):
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "values" in refused(write("\n".join(["a0: &a0 [x]", *levels])))[0]


def test_a_missing_file_and_one_that_is_not_text_are_findings(tmp_path: Path):
    assert "can't be read" in refused(tmp_path / "none.yaml")[0]
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    assert "isn't UTF-8" in refused(tmp_path / "bytes.yaml")[0]


def test_the_environment_overrides_and_explain_says_so(write: Write):
    file = write("doors: 2\nbicycles:\n  - name: red\n    rims: [{size: small}, {size: small}]\n")
    variables = {
        "DRIFTWAKE__BICYCLES__0__RIMS__1__SIZE": "large",
        "DRIFTWAKE__TOOL__AIR": "15m",
        "DRIFTWAKE_OTHER": "1",
        "HOME": "/x",
    }
    loaded = load(Garage, file, {**variables, "DRIFTWAKE__TOOL__SIZE": "large"})
    assert loaded.settings.bicycles[0].wheels[1].size == "large"
    assert loaded.settings.tool.air.ms == 900_000
    found = {setting.path: (setting.value, setting.origin) for setting in explain(loaded)}
    assert found["doors"] == ("2", "garage.yaml:1")
    assert found["bicycles[0].rims[0].size"] == ("small", "garage.yaml:4")
    assert found["bicycles[0].rims[1].size"] == ("large", "environment DRIFTWAKE__BICYCLES__0__RIMS__1__SIZE")
    assert found["bicycles[0].rims[1].air"] == ("2h", DEFAULT)
    assert found["tool.air"] == ("15m", "environment DRIFTWAKE__TOOL__AIR")
    assert {setting.path: setting.reason for setting in explain(loaded)}["url"] == "Where the list is kept."


def test_a_list_given_by_the_environment_names_it_for_all_items(write: Write):
    loaded = load(Garage, write("bicycles: []"), {"DRIFTWAKE__BICYCLES": "[{name: blue, rims: [{size: small}]}]"})
    found = {setting.path: setting.origin for setting in explain(loaded)}
    assert found["bicycles[0].name"] == "environment DRIFTWAKE__BICYCLES"


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("DRIFTWAKE__BICYCLES__4__NAME", "x", "leads nowhere"),
        ("DRIFTWAKE__DOORS__SIZE", "1", "leads nowhere"),
        ("DRIFTWAKE____DOORS", "1", "leads nowhere"),
        ("DRIFTWAKE__DOORS", "[1", "isn't a YAML value"),
        ("DRIFTWAKE__DOORZ", "1", "doorz: there is no such setting; did you mean 'doors'? (environment DRIFTWAKE__DOORZ)"),
    ],
)
def test_a_wrong_variable_is_a_finding_that_names_it(write: Write, name: str, value: str, part: str):
    findings = refused(write("doors: 1\nbicycles: []"), {name: value})
    assert part in findings[0]
    assert name in findings[0]


def test_a_part_of_a_config_is_read_without_the_rest(write: Write):
    class Door(Section):
        doors: int

    file = write("doors: 2\nbicycles: []\ntool: {size: small}\n")
    assert load(Door, file, {"DRIFTWAKE__URL": "x"}, only_part=True).settings.doors == 2
    with pytest.raises(ConfigError, match="doors"):
        load(Door, write("bicycles: []\n"), {}, only_part=True)


def test_passwords_are_never_shown(write: Write):
    loaded = load(Garage, write("url: postgresql://me:secret@db/x"), {})
    assert "secret" not in str(explain(loaded))
    assert "secret" not in refused(write("doors: postgresql://me:secret@db/x"))[0]


def test_the_environment_is_a_copy():
    copy = environment()
    copy["DRIFTWAKE__DOORS"] = "3"
    assert "DRIFTWAKE__DOORS" not in environment()


def test_a_section_is_immutable():
    with pytest.raises(ValidationError, match="frozen"):
        Garage().doors = 2


@given(st.integers(min_value=0, max_value=100 * 365 * 86_400_000))
def test_a_duration_reads_what_it_writes(milliseconds: int):
    duration = Duration(milliseconds)
    assert Duration.of(str(duration)) == duration
    assert duration.seconds == milliseconds / 1_000


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1 h", "1w", "99999999d", "\u0661d"])
def test_other_forms_of_duration_are_refused(text: str):
    with pytest.raises(ValueError, match="must be"):
        Duration.of(text)


def test_settings_survive_json():
    garage = Garage(bicycles=(Bicycle(name="red", rims=(Wheel(size="large", air=Duration.of("90s")),)),))
    assert Garage.model_validate_json(garage.model_dump_json(by_alias=True)) == garage


def test_a_file_of_any_text_is_read_or_refused_never_crashes(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("any")

    @given(st.text(max_size=60))
    def check(text: str) -> None:
        file = folder / "any.yaml"
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        with contextlib.suppress(ConfigError):
            load(Garage, file, {})

    check()
