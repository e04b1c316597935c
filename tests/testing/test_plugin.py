"""The pytest plugin: virtual time, seeds and plans for async tests; nothing for others."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap

import pytest
import trio

from trido import testing

pytest_plugins = ["pytester"]

ORDER = """
    import pytest, trio

    async def order():
        came = []
        async def come(name):
            await trio.sleep(3600)
            came.append(name)
        async with trio.open_nursery() as nursery:
            for name in "abcdefgh":
                nursery.start_soon(come, name)
        return "".join(came)
"""


OTHER = """
        def test_other():
            pass
"""


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(textwrap.dedent(ORDER) + textwrap.dedent(code))
    # In this process: what it covers is counted.
    return pytester.runpytest_inprocess("-p", "no:randomly", "-p", "no:cov", *options)


@pytest.fixture(params=["with pytest-trio", "without"])
def trio_or_not(request: pytest.FixtureRequest) -> list[str]:
    return [] if request.param == "with pytest-trio" else ["-p", "no:trio"]


@pytest.mark.real_time
def test_a_marked_test_is_in_virtual_time_and_by_the_seed(
    pytester: pytest.Pytester, trio_or_not: list[str]
) -> None:
    code = """
        SEEN = []

        @pytest.fixture
        def one():
            return 1

        @pytest.mark.trido(seed=1)
        async def test_first(one):
            assert one == 1
            SEEN.append(await order())

        @pytest.mark.trido(seed=1)
        async def test_second():
            SEEN.append(await order())
            assert SEEN[0] == SEEN[1]
            assert trio.current_time() == 3600

        @pytest.mark.trido
        def test_plain():
            pass
    """
    run(pytester, code, *trio_or_not).assert_outcomes(passed=3)


@pytest.mark.real_time
def test_what_fails_says_how_to_replay_it(
    pytester: pytest.Pytester, trio_or_not: list[str]
) -> None:
    code = """
        @pytest.mark.trido(plan="clock +1s at 5s")
        async def test_fails():
            raise ValueError(await order())

        @pytest.mark.trido
        async def test_fails_too():
            raise ValueError(await order())
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(failed=2)
    told = re.search(
        r"replay it with: pytest --trido-seed=(\d+) --trido-plan='clock \+1s at 5s' (.*)",
        result.stdout.str(),
    )
    assert told is not None
    first = re.findall("ValueError: ([a-h]{8})", result.stdout.str())
    again = run(pytester, code, f"--trido-seed={told[1]}", told[2], *trio_or_not)
    again.assert_outcomes(failed=1)
    assert re.findall("ValueError: ([a-h]{8})", again.stdout.str())[0] == first[0]
    plan = run(pytester, code, "--trido-plan=clock +9s at 1s", *trio_or_not)
    assert "--trido-plan='clock +9s at 1s'" in plan.stdout.str()


@pytest.mark.real_time
def test_what_replays_it_can_be_given_to_a_shell(pytester: pytest.Pytester) -> None:
    plan = testing.FaultPlan([testing.CodeFault("crash", """it's "a\\b" """, testing.Turn(1))])
    code = f"""
        @pytest.mark.trido(plan={str(plan)!r})
        @pytest.mark.parametrize("name", ["a b"])
        async def test_fails(name):
            assert False
    """
    said = run(pytester, code).stdout.str()
    told = re.search("replay it with: (.*)", said)
    assert told is not None
    words = shlex.split(told[1])
    assert words[0] == "pytest"
    assert words[2] == f"--trido-plan={plan}"
    assert words[3].endswith("::test_fails[a b]")
    assert testing.FaultPlan.parse(words[2].partition("=")[2]) == plan


@pytest.mark.real_time
def test_a_fixture_gives_the_seed_to_tests_that_run_something_themselves(
    pytester: pytest.Pytester,
) -> None:
    code = """
        from trido import testing

        def test_fails(trido_seed):
            raise ValueError(testing.run(order, seed=trido_seed))

        def test_fails_too(trido_seed):
            raise ValueError(testing.run(order, seed=trido_seed))
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=2)
    first, second = re.findall("ValueError: ([a-h]{8})", result.stdout.str())[:2]
    assert first == second
    result.stdout.fnmatch_lines(["replay it with: pytest --trido-seed=* *::test_fails"])


@pytest.mark.real_time
def test_a_plan_that_does_not_happen_fails(
    pytester: pytest.Pytester, trio_or_not: list[str]
) -> None:
    code = """
        import trido

        @pytest.mark.trido(plan="crash order at 9999s; drop 1st signal to nobody")
        async def test_nobody():
            async with trido.open_supervisor(trido.ChildSpec(order)):
                await trio.sleep(1)

        @pytest.mark.trido(plan="clock +1s at 0s; crash order at start 2; crash order at 9999s")
        async def test_somebody():
            async with trido.open_supervisor(trido.ChildSpec(order)):
                await trio.sleep(1)

        @pytest.mark.trido(plan="clock +1s at 0s; crash order at 0.5s")
        async def test_all_of_it():
            async with trido.open_supervisor(trido.ChildSpec(order)):
                await trio.sleep(1)
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*UnknownPoint: *there is no agent or child 'nobody'*"])
    told = "*NotReached: 'crash order at start 2', 'crash order at 9999s' did not happen*"
    result.stdout.fnmatch_lines([told])


@pytest.mark.real_time
def test_a_plan_is_refused_as_soon_as_it_is_known_that_it_cannot_happen(
    pytester: pytest.Pytester, trio_or_not: list[str]
) -> None:
    code = """
        import attrs, trido

        @attrs.frozen
        class Count:
            value: int = 0

        agent = trido.Agent("agent", state=Count)

        @agent.on("add")
        def add(state: Count, data: int):
            return state

        async def starts():
            async with trido.open_runtime() as rt:
                await rt.start_agent(agent, id="a")
                await trio.sleep(1)
                print("it went on")

        @pytest.mark.trido(plan="crash a at turn 1 of ad")
        async def test_no_such_route():
            await starts()

        @pytest.mark.trido(plan="crash feed at turn 1")
        async def test_a_function_has_no_turns():
            async def feed():
                await trio.sleep(9)
            async with trido.open_supervisor(trido.ChildSpec(feed)):
                await trio.sleep(1)
                print("it went on")

        @pytest.mark.trido(plan="crash b at turn 1")
        async def test_says_who_was_not_there():
            await starts()
            assert False, "there was no crash"
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "E*UnknownPoint: 'crash a at turn 1 of ad': *; there is turn of add, start, stop",
            "E*UnknownPoint: 'crash feed at turn 1': *; there is start, stop, await, a time: *",
            "*of the plan, 'crash b at turn 1': there is no agent or child 'b'; there is *",
        ]
    )
    assert result.outlines.count("it went on") == 1


@pytest.mark.real_time
def test_a_rehearsal_is_before_the_test(pytester: pytest.Pytester, trio_or_not: list[str]) -> None:
    code = """
        TIMES = []

        async def count(name):
            async def feed():
                TIMES.append(name)
                await trio.sleep(9)
            import trido
            async with trido.open_supervisor(trido.ChildSpec(feed)):
                await trio.sleep(5)

        @pytest.mark.trido(plan="crash feed at 2s", rehearsed=True)
        async def test_twice(tmp_path):
            await count("twice")

        @pytest.mark.trido(plan="crash fed at 2s", rehearsed=True)
        async def test_once():
            await count("once")

        def test_it():
            assert TIMES == ["twice", "twice", "twice", "once"]
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*'crash fed at 2s': there is no agent or child 'fed'*"])


@pytest.mark.real_time
def test_what_a_rehearsal_would_use_up_is_refused(pytester: pytest.Pytester) -> None:
    code = """
        @pytest.mark.trido(plan="clock +1s at 2s", rehearsed=True)
        async def test_clock(mock_clock):
            pass

        @pytest.mark.trido(plan="clock +1s at 2s", rehearsed=True)
        async def test_nursery(nursery):
            pass
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*rehearsed='mock_clock' is not allowed*without async fixtures and clocks*",
            "*rehearsed='nursery' is not allowed*",
        ]
    )


@pytest.mark.real_time
def test_a_clock_that_is_not_virtual_is_refused(pytester: pytest.Pytester) -> None:
    code = """
        from trio._core._run import SystemClock

        @pytest.fixture
        def clock():
            return SystemClock()

        @pytest.mark.trido
        async def test_real(clock):
            pass
    """
    result = run(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*SpecError: *clock=*; it must be trio's MockClock*"])


@pytest.mark.real_time
def test_a_clock_that_nobody_moves_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trido.testing.plugin.PATIENCE", 0.2)
    code = """
        @pytest.mark.trido
        async def test_stands(mock_clock):
            with trio.CancelScope(shield=True):
                await trio.sleep(5)

        @pytest.mark.trido
        async def test_moved(mock_clock):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, 5)
                await trio.testing.wait_all_tasks_blocked()
                mock_clock.jump(5)
    """
    result = run(pytester, code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["E*NotOver: not over after*", "E*its time stands still unless the test moves it*"]
    )


@pytest.mark.real_time
def test_what_is_never_over_fails(
    pytester: pytest.Pytester, trio_or_not: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trido.testing.plugin.PATIENCE", 0.1)
    monkeypatch.setattr("trido.testing.plugin.MOST", 10_000)
    code = """
        @pytest.mark.trido
        async def test_stands_still():
            await trio.sleep(86_400 * 365 * 1000)
            with trio.CancelScope(shield=True):
                await trio.sleep_forever()

        @pytest.mark.trido
        async def test_spins():
            while True:
                await trio.sleep(60)
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(failed=2)
    stands = "*NotOver: not over after * at 3.1536e+10 s of virtual time: for 0.1 s of real time *"
    spins = "*NotOver: not over after 1* steps, at * s of virtual time: *all of steps=10000: *"
    result.stdout.fnmatch_lines([stands])
    result.stdout.fnmatch_lines([spins])


@pytest.mark.real_time
def test_in_trido_mode_all_tests_of_trio_are_marked(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true\ntrido_mode = true")
    code = """
        from trio.testing import MockClock

        async def test_virtual():
            await trio.sleep(3600)

        async def test_clock_of_its_own(mock_clock):
            assert trio.lowlevel.current_clock() is mock_clock

        @pytest.mark.real_time
        async def test_real():
            assert not isinstance(trio.lowlevel.current_clock(), MockClock)
    """
    run(pytester, code).assert_outcomes(passed=3)


@pytest.mark.real_time
def test_with_given_a_test_is_refused(pytester: pytest.Pytester) -> None:
    code = """
        from hypothesis import given, strategies

        @pytest.mark.trido
        @given(strategies.none())
        async def test_given(none):
            pass
    """
    result = run(pytester, code + OTHER)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["with @given, write a plain test that calls trido.testing.run"])


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("sed=1", "*trido(sed=...) is none of guarded, lasts, plan, rehearsed, seed, steps"),
        ("plan='crash'", "*'crash' is no plan*"),
        ("plan=[1]", "*faults=1 is not allowed*"),
        ("seed='1'", "*trido: seed='1' is not allowed; it must be an int >= 0"),
        ("steps=0", "*trido: steps=0 is not allowed*"),
        ("lasts='1h'", "*trido: lasts='1h' is not allowed*"),
        ("guarded=1", "*trido: guarded=1 is not allowed*"),
        (
            "'crash a at stop'",
            "trido('crash a at stop') takes its options by their names: say trido(plan='crash *')",
        ),
    ],
)
def test_a_test_whose_marker_cannot_be_meant_fails_alone(
    pytester: pytest.Pytester, trio_or_not: list[str], options: str, says: str
) -> None:
    code = f"""
        @pytest.mark.trido({options})
        async def test_never():
            print("it ran")

        @pytest.mark.trido({options})
        def test_plain():
            print("it ran")

        @pytest.mark.skip
        @pytest.mark.trido({options})
        async def test_skipped():
            pass
    """
    result = run(pytester, code + OTHER, *trio_or_not)
    result.assert_outcomes(errors=2, skipped=1, passed=1)
    result.stdout.fnmatch_lines([says, says])
    result.stdout.no_fnmatch_line("it ran")


@pytest.mark.real_time
def test_a_plan_is_for_async_tests(pytester: pytest.Pytester, trio_or_not: list[str]) -> None:
    code = """
        @pytest.mark.trido(plan="clock +1s at 0s")
        def test_plain():
            print("it ran")

        @pytest.mark.trido(seed=1)
        class TestAll:
            def test_plain(self):
                pass

            async def test_async(self):
                assert trio.current_time() == 0
    """
    result = run(pytester, code, *trio_or_not)
    result.assert_outcomes(errors=1, passed=2)
    result.stdout.fnmatch_lines(
        ["trido(plan=...) does nothing to a plain def: make it an async def, or have it call *"]
    )
    result.stdout.no_fnmatch_line("it ran")


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--trido-seed=-3", "*--trido-seed: '-3' is no seed: it must be an int >= 0"),
        ("--trido-plan=crash", "*--trido-plan: 'crash' is no plan*"),
    ],
)
def test_what_the_command_line_cannot_mean_is_told_before_any_test_runs(
    pytester: pytest.Pytester, option: str, says: str
) -> None:
    code = """
        @pytest.mark.trido
        async def test_never():
            pass
    """
    result = run(pytester, code, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([says])


@pytest.mark.real_time
def test_where_nobody_asks_for_it_it_does_nothing(pytester: pytest.Pytester) -> None:
    """Not even import trido."""
    code = """
        import sys

        def test_plain():
            assert "pytest_trido" in sys.modules
            assert "trido" not in sys.modules
    """
    pytester.makepyfile(textwrap.dedent(code))
    result = pytester.runpytest_subprocess("-p", "no:cov")
    result.assert_outcomes(passed=1)


def test_who_has_neither_pytest_nor_hypothesis_has_the_rest() -> None:
    code = (
        "import sys; sys.modules.update(pytest=None, hypothesis=None, pytest_trio=None);"
        "from trio import sleep; from trido.testing import run; print(run(sleep, 1))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "None\n"


def test_what_pytest_finds_is_outside_of_the_package() -> None:
    """Or all of trido would be imported before coverage is measured."""
    import pytest_trido  # noqa: PLC0415

    assert pytest_trido.__spec__ is not None
    assert not pytest_trido.__spec__.parent


async def test_these_very_tests_are_in_virtual_time() -> None:
    await trio.sleep(86_400)
