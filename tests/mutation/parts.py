"""What is changed, and which tests are to notice."""

from __future__ import annotations

from typing import Final, final

from attrs import frozen


@final
@frozen
class Part:
    """Files that are changed, and tests in rounds: the quick ones first.

    A later round sees only what the ones before it have not noticed. What begins with a dash is an
    option of pytest.
    """

    sources: tuple[str, ...]
    rounds: tuple[tuple[str, ...], ...]


def _conformance(names: str) -> tuple[str, ...]:
    return tuple(f"tests/conformance/test_{name}.py" for name in names.split())


_DECISION = tuple(
    f"trido/supervision/{name}.py"
    for name in (
        "decision",
        *(
            f"deciding/{name}"
            for name in "memory stopping restarting starting ending steps requests".split()
        ),
        *"policy tables alarms blame records messages explain".split(),
    )
)
_SHELL = tuple(
    f"trido/supervision/{name}.py"
    for name in "supervisor working carrying report child statistics bus reading spot".split()
)
# It counts steps, of 16,000 children.
_NOT_C094 = "--deselect=tests/conformance/test_f_api.py::test_C094_steps_grow_linearly"
_PURE = (
    "tests/supervision/test_decides_*.py",
    "tests/supervision/test_explained.py",
    "tests/supervision/test_policy.py",
    "tests/faults/test_decision_paths.py",
)


def _files(room: str, names: str) -> tuple[str, ...]:
    return tuple(f"{room}{name}.py" for name in names.split())


_SUPERVISION = "trido/supervision/"
_AGENTS = "trido/agents/"
_TESTS = "tests/agents/test_"

PARTS: Final[dict[str, Part]] = {
    "decision": Part(
        _DECISION,
        (
            (*_PURE, *_conformance("explain")),
            ("tests/faults/test_decision_machine.py",),
        ),
    ),
    "supervisor": Part(
        _SHELL,
        (
            _files("tests/supervision/test_", "heard ports read settings asked task"),
            (
                *_files("tests/supervision/test_", "internals edges places"),
                *_conformance("f_api block_and_api"),
                _NOT_C094,
            ),
            (
                *_conformance("observers b_restart_types g_auto_shutdown how_a_run_ends"),
                *_conformance("h_trio stop_and_kill heartbeat"),
                *_files("tests/runtime/test_", "runtime spot"),
            ),
        ),
    ),
    "runs": Part(
        _files(_SUPERVISION, "block nested shell incarnation"),
        (
            (
                *_files("tests/supervision/test_", "blocks function_runs shields settings ports"),
                *_conformance("how_a_run_ends h_trio block_and_api"),
            ),
            (
                *_files("tests/supervision/test_", "places internals edges"),
                *_conformance(
                    "a_startup b_restart_types e_shutdown heartbeat stop_and_kill run_signals"
                ),
            ),
        ),
    ),
    "specs": Part(
        _files(_SUPERVISION, "spec functions shields current errors draw log signals place"),
        (
            _files("tests/supervision/test_", "words_of_specs words_of_the_log errors shields"),
            (
                *_files("tests/supervision/test_", "policy shared_policies settings"),
                *_conformance("explain observers a_startup"),
                *_files("tests/supervision/test_", "internals edges ports"),
            ),
            _conformance("block_and_api stop_and_kill run_signals"),
        ),
    ),
    "agents": Part(
        _files(_AGENTS, "definition handlers routing patterns state turn glance"),
        (
            _files(_TESTS, "words_of_definitions handlers routes index glance_compiled routing"),
            _files(_TESTS, "definition turn patterns glance"),
        ),
    ),
    "values": Part(
        _files(
            _AGENTS, "action sequences policies breaker family running timing kept limits versions"
        )
        + _files(_AGENTS, "signal directive where address stamps frozen errors action_errors"),
        (
            _files(_TESTS, "words_of_values words_of_errors signals_travel stamps"),
            _files(_TESTS, "timing policies directives action signal frozen_lists")
            + _files(_TESTS, "words_of_definitions"),
        ),
    ),
    "data": Part(
        _files(_AGENTS, "schema shapes"),
        (_files(_TESTS, "words_of_shapes"), _files(_TESTS, "schema shapes")),
    ),
    "codec": Part(
        (
            *_files(
                f"{_AGENTS}codec/",
                "text coder collection texts times record union compiler signals vocabulary "
                "upgrading state inputs timers replies known builtin directives codec errors",
            ),
            *_files(_AGENTS, "codec_errors"),
        ),
        (
            (
                *_files(_TESTS, "codec_of_signals codec_of_turns codec_words codec_edges"),
                *_files(_TESTS, "codec_forms codec codec_state"),
                "-mnot hypothesis",
            ),
            _files(_TESTS, "codec_state codec codec_forms"),
            _files("tests/runtime/test_", "durable_plain_turns durable_machine"),
        ),
    ),
    "messages": Part(
        _files(_AGENTS, "secrets cloudevents binary attributes jsontext plain json_schema"),
        (
            (
                *_files(_TESTS, "secrets secrets_in_short cloudevents json_schema plain"),
                *_files(_TESTS, "messages_in_full messages_at_the_edge"),
                "-mnot hypothesis",
            ),
            _files(_TESTS, "secrets cloudevents json_schema plain secrets_in_short"),
            _files(_TESTS, "signal signals_travel codec codec_forms"),
        ),
    ),
    "undo": Part(
        _files("trido/runtime/", "undo former"),
        (_files("tests/runtime/test_", "undo former"), ("tests/runtime/test_actions.py",)),
    ),
    "cron": Part(
        _files(_AGENTS, "cron crontext"),
        (_files(_TESTS, "words_of_timers cron_days"), _files(_TESTS, "cron")),
    ),
    "journal": Part(
        (
            *_files("trido/journal/", "rules checks operations rows layout"),
            "trido/runtime/ahead.py",
        ),
        (("tests/journal/test_words_of_writes.py", "tests/runtime/test_ahead.py"),),
    ),
}
