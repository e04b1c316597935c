"""What an end does, to the letter: supervision.md, sections 2, 4, 8 and 9."""

from __future__ import annotations

import trido
from tests.supervision.telling import STAY, TEMPORARY, TRANSIENT, Desk
from trido.supervision.blame import all_are, any_is, leaves
from trido.supervision.policy import Backoff, ChildPolicy


def test_a_permanent_child_that_returns_is_reported_counted_and_restarted() -> None:
    d = Desk({"a": STAY})
    assert d.ends("a", "normal") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: normal -",
        "report a 1 @0: child_terminated normal -, restarts",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: restart"]
    assert d.machine.window == (0.0,)
    assert (d.record("a").restarts, d.record("a").last_crash) == (1, None)


def test_a_permanent_child_that_crashes_is_reported_counted_and_restarted() -> None:
    d = Desk({"a": STAY})
    error = ValueError("broken")
    assert d.ends("a", "crashed", error) == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(broken)",
        "report a 1 @0: child_terminated crashed ValueError(broken), restarts",
        "start a 2",
    ]
    assert d.ready("a", "value") == ["a is running", "ChildStarted a 2 @0: restart"]
    assert d.machine.window == (0.0,)
    assert (d.record("a").last_crash, d.record("a").value) == (error, "value")


def test_a_transient_child_that_returns_is_not_reported_and_its_place_is_kept() -> None:
    d = Desk({"a": TRANSIENT, "b": STAY})
    assert d.ends("a", "normal") == ["a is stopped", "ChildEnded a 1 @0: normal -"]
    assert d.states() == {"a": "stopped", "b": "running"}
    assert d.machine.window == ()


def test_a_transient_child_that_crashes_is_restarted() -> None:
    d = Desk({"a": TRANSIENT})
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]


def test_a_temporary_child_leaves_and_only_its_crash_is_reported() -> None:
    d = Desk({"a": TEMPORARY, "b": TEMPORARY, "c": STAY})
    assert d.ends("a", "normal") == ["a is removed", "ChildEnded a 1 @0: normal -"]
    assert d.ends("b") == [
        "b is removed",
        "ChildEnded b 1 @0: crashed ValueError(b)",
        "report b 1 @0: child_terminated crashed ValueError(b)",
    ]
    assert d.states() == {"c": "running"}
    assert d.machine.window == ()


def test_a_crash_that_restart_on_does_not_cover_is_reported_and_nothing_else() -> None:
    d = Desk({"a": ChildPolicy(restart_on=(KeyError,)), "b": ChildPolicy(restart_on=(KeyError,))})
    assert d.ends("a") == [
        "a is stopped",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a)",
    ]
    assert d.ends("b", "normal") == [
        "b is restarting, and comes back",
        "ChildEnded b 1 @0: normal -",
        "report b 1 @0: child_terminated normal -, restarts",
        "start b 2",
    ]
    assert d.machine.window == (0.0,)


def test_a_group_is_restarted_only_if_restart_on_covers_all_of_it() -> None:
    d = Desk(
        {"a": ChildPolicy(restart_on=(ValueError,)), "b": ChildPolicy(restart_on=(ValueError,))}
    )
    values = ExceptionGroup("two", [ValueError("1"), ExceptionGroup("in", [ValueError("2")])])
    mixed = ExceptionGroup("two", [ValueError("1"), KeyError("2")])
    d.ends("a", "crashed", values)
    d.ends("b", "crashed", mixed)
    assert d.states() == {"a": "restarting", "b": "running"}
    d.ready("a")
    assert d.states() == {"a": "running", "b": "stopped"}


def test_an_escalate_makes_the_supervisor_give_up_at_once() -> None:
    d = Desk({"a": STAY, "b": STAY})
    error = trido.Escalate("help")
    assert d.ends("b", "escalated", error) == [
        "b is stopped",
        "ChildEnded b 1 @0: crashed Escalate(help)",
        "report b 1 @0: child_terminated crashed Escalate(help)",
        (
            "report b 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'b' raised Escalate"
        ),
        "interrupt the body",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.record("b").last_crash is error
    assert d.cause() is error
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'b' raised Escalate"
        ),
        "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'b' raised Escalate",
    ]


def test_a_crash_that_escalate_on_covers_makes_it_give_up_too_from_within_a_group() -> None:
    d = Desk({"a": ChildPolicy(escalate_on=(KeyError,)), "b": STAY})
    assert d.ends("a", "crashed", ExceptionGroup("two", [ValueError("1"), KeyError("2")])) == [
        "a is stopped",
        "ChildEnded a 1 @0: crashed ExceptionGroup(two, [ValueError('1'), KeyError('2')])",
        (
            "report a 1 @0: child_terminated crashed ExceptionGroup(two, [ValueError('1'), "
            "KeyError('2')])"
        ),
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' raised ExceptionGroup, which escalates"
        ),
        "interrupt the body",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]


def test_a_crash_that_escalate_on_does_not_cover_is_one_like_any_other() -> None:
    d = Desk({"a": ChildPolicy(escalate_on=(KeyError,))})
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]


def test_an_escalate_of_a_temporary_child_removes_its_place() -> None:
    d = Desk({"a": TEMPORARY})
    assert d.ends("a", "escalated", trido.Escalate()) == [
        "a is removed",
        "ChildEnded a 1 @0: crashed Escalate()",
        "report a 1 @0: child_terminated crashed Escalate()",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' raised Escalate"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' raised Escalate"
        ),
        "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' raised Escalate",
    ]


def test_an_escalate_of_a_child_that_is_being_stopped_gives_up_as_well() -> None:
    d = Desk({"a": STAY, "b": STAY})
    assert d.ask("stop_child", "a") == ["a is stopping", "cancel a 1 by 5: its supervisor stops it"]
    error = trido.Escalate("help")
    assert d.ends("a", "escalated", error) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed Escalate(help)",
        "report a 1 @0: shutdown_error crashed Escalate(help)",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' raised Escalate"
        ),
        "interrupt the body",
        "reply 1: done",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    assert d.cause() is error
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' raised Escalate"
        ),
        "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' raised Escalate",
    ]


def test_while_the_supervisor_stops_an_escalate_is_a_crash_during_the_stop() -> None:
    d = Desk({"a": STAY, "b": ChildPolicy(escalate_on=(KeyError,))})
    assert d.stop() == ["b is stopping", "cancel b 1 by 5: its supervisor stops it"]
    assert d.ends("b", "crashed", KeyError("k")) == [
        "b is stopped",
        "ChildStopped b 1 @0: crashed KeyError(k)",
        "report b 1 @0: shutdown_error crashed KeyError(k)",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "escalated", trido.Escalate("help")) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed Escalate(help)",
        "report a 1 @0: shutdown_error crashed Escalate(help)",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_an_escalate_while_another_child_is_awaited_is_handled_in_its_turn() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.stop()
    assert d.ends("a", "escalated", trido.Escalate("help")) == []
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        "a is stopped",
        "ChildEnded a 1 @0: crashed Escalate(help)",
        "report a 1 @0: shutdown_error crashed Escalate(help)",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_child_that_ended_before_its_turn_came_is_reported_by_how_it_ended() -> None:
    d = Desk({"a": STAY, "b": TRANSIENT, "c": TEMPORARY, "d": STAY})
    d.stop()
    assert d.ends("a", "normal") == []
    assert d.ends("b", "normal") == []
    error = ValueError("c")
    left = d.record("c")
    assert d.ends("c", "crashed", error) == []
    assert left.last_crash is None
    assert d.ends("d", "stopped") == [
        "d is stopped",
        "ChildStopped d 1 @0: stopped -",
        "c is removed",
        "ChildEnded c 1 @0: crashed ValueError(c)",
        "report c 1 @0: shutdown_error crashed ValueError(c)",
        "b is stopped",
        "ChildEnded b 1 @0: normal -",
        "a is stopped",
        "ChildEnded a 1 @0: normal -",
        "report a 1 @0: shutdown_error normal -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert left.last_crash is error


def test_a_leaked_cancelled_while_the_supervisor_stops_is_a_stop() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY})
    d.stop()
    assert d.ends("c", "crashed", trido.LeakedCancelled("leaked")) == [
        "c is stopped",
        "ChildStopped c 1 @0: stopped -",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    beside = trido.LeakedCancelled("leaked")
    beside.beside = KeyError("beside")
    assert d.ends("b", "crashed", beside) == [
        "b is stopped",
        "ChildStopped b 1 @0: crashed KeyError(beside)",
        "report b 1 @0: shutdown_error crashed KeyError(beside)",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "crashed", trido.LeakedCancelled("leaked")) == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_leaked_cancelled_at_any_other_time_is_a_crash() -> None:
    d = Desk({"a": STAY})
    assert d.ends("a", "crashed", trido.LeakedCancelled("leaked")) == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed LeakedCancelled: leaked",
        "report a 1 @0: child_terminated crashed LeakedCancelled: leaked, restarts",
        "start a 2",
    ]


def test_a_fatal_end_is_neither_reported_nor_counted_and_stops_the_others() -> None:
    d = Desk({"a": STAY, "b": TEMPORARY})
    error = SystemExit("bye")
    assert d.ends("b", "fatal", error) == [
        "b is removed",
        "ChildEnded b 1 @0: crashed SystemExit(bye)",
        "interrupt the body",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.machine.window == ()
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: fatal SystemExit(bye)",
        "finished: SystemExit(bye)",
    ]
    assert d.machine.error is error
    d.machine.forget_error()
    assert d.machine.error is None


def test_a_second_fatal_end_is_grouped_with_the_first() -> None:
    d = Desk({"a": STAY, "b": STAY})
    first, second = SystemExit(1), GeneratorExit()
    d.ends("b", "fatal", first)
    assert d.ends("a", "fatal", second) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed GeneratorExit()",
        "interrupt the body",
        (
            "SupervisorEnded @0: fatal BaseExceptionGroup(children ended fatally, "
            "[SystemExit(1), GeneratorExit()])"
        ),
        ("finished: BaseExceptionGroup(children ended fatally, [SystemExit(1), GeneratorExit()])"),
    ]
    group = d.machine.error
    assert isinstance(group, BaseExceptionGroup)
    assert (group.message, group.exceptions) == ("children ended fatally", (first, second))


def test_a_second_keyboard_interrupt_adds_nothing_nor_does_the_same_error_again() -> None:
    d = Desk({"a": STAY})
    first, other = KeyboardInterrupt(1), SystemExit(2)
    assert d.fail(first) == [
        "interrupt the body",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.fail(KeyboardInterrupt(3)) == ["interrupt the body", "kill a 1"]
    assert d.fail(other) == ["interrupt the body"]
    assert d.fail(other) == ["interrupt the body"]
    assert d.fail(first) == ["interrupt the body"]
    d.ends("a", "killed")
    group = d.machine.error
    assert isinstance(group, BaseExceptionGroup)
    assert group.exceptions == (first, other)


def test_a_system_exit_after_a_keyboard_interrupt_leaves_the_others_their_grace() -> None:
    d = Desk({"a": STAY})
    assert d.fail(SystemExit(1)) == [
        "interrupt the body",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.fail(SystemExit(2)) == ["interrupt the body"]
    assert d.fail(KeyboardInterrupt()) == ["interrupt the body", "kill a 1"]


def test_what_fails_after_the_end_changes_nothing() -> None:
    d = Desk({"a": STAY})
    d.stop()
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert d.fail(SystemExit(1)) == []
    assert d.kill() == []
    assert d.stop(cancelled=True) == []
    assert d.ask("stop_child", "a") == [
        "reply 1: SupervisorStopped: supervisor 'sup' is stopping or has stopped"
    ]
    assert (d.machine.outcome, d.machine.error) == ("shutdown", None)


def test_a_fatal_end_of_a_child_that_was_asked_to_stop_answers_whoever_asked() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "b")
    assert d.ends("b", "fatal", SystemExit(1)) == [
        "b is stopped",
        "ChildStopped b 1 @0: crashed SystemExit(1)",
        "interrupt the body",
        "reply 1: done",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]


def test_a_start_that_fails_ends_the_start_of_the_supervisor() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, ready="a")
    error = ValueError("broken")
    assert d.ends("b", "crashed", error) == [
        "b is stopped",
        "report b 1 @0: start_error crashed ValueError(broken)",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.record("b").last_crash is error
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "finished: StartFailed: child 'b' did not start: ValueError('broken')",
    ]
    assert isinstance(d.machine.error, trido.StartFailed)
    assert (d.machine.error.id, d.machine.error.reason) == ("b", error)


def test_a_child_that_returns_before_it_is_ready_has_not_started() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.ends("a", "normal") == [
        "a is stopped",
        (
            "report a 1 @0: start_error crashed NotStarted: child 'a' returned before it "
            "called task_status.started()"
        ),
        "finished: StartFailed: child 'a' did not start: NotStarted('a')",
    ]


def test_a_child_that_shuts_down_before_it_is_ready_has_not_started() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.ends("a", "normal", trido.Shutdown("done")) == [
        "a is stopped",
        "report a 1 @0: start_error crashed Shutdown(done)",
        "finished: StartFailed: child 'a' did not start: Shutdown('done')",
    ]


def test_a_child_that_is_not_ready_in_time_is_stopped_and_has_not_started() -> None:
    d = Desk({"a": ChildPolicy(start_timeout=1.5, shutdown=2.0)}, ready="")
    assert d.tick(1.4) == []
    assert d.tick(1.5) == [
        "a is stopping",
        "cancel a 1 by 3.5: child 'a' was not ready within its start_timeout of 1.5 s",
    ]
    assert d.ready("a") == []
    assert d.tick(3.5) == ["kill a 1"]
    reason = KeyError("cleanup")
    assert d.ends("a", "killed", reason) == [
        "a is stopped",
        (
            "report a 1 @3.5: start_error crashed StartTimeout: child 'a' was not ready "
            "within its start_timeout of 1.5 s"
        ),
        "finished: StartFailed: child 'a' did not start: StartTimeout('a', 1.5)",
    ]
    failed = d.machine.error
    assert isinstance(failed, trido.StartFailed)
    assert isinstance(failed.reason, trido.StartTimeout)
    assert failed.reason.__context__ is reason


def test_a_child_that_ignores_its_start_keeps_its_place_without_a_run() -> None:
    d = Desk({"a": STAY, "b": TEMPORARY, "c": STAY}, ready="")
    assert d.ends("a", "ignored", trido.Ignore("nothing to do")) == [
        "a is stopped",
        "ChildEnded a 1 @0: ignored Ignore(nothing to do)",
        "b is starting",
        "start b 1",
    ]
    assert d.ends("b", "ignored", trido.Ignore("nothing to do")) == [
        "b is removed",
        "ChildEnded b 1 @0: ignored Ignore(nothing to do)",
        "c is starting",
        "start c 1",
    ]
    d.ready("c")
    assert d.states() == {"a": "stopped", "c": "running"}
    assert d.machine.phase == "running"


def test_ignore_once_ready_is_a_crash() -> None:
    d = Desk({"a": TRANSIENT})
    assert d.ends("a", "ignored", trido.Ignore()) == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed Ignore()",
        "report a 1 @0: child_terminated crashed Ignore(), restarts",
        "start a 2",
    ]


def test_ignore_while_being_stopped_is_a_crash_during_the_stop() -> None:
    d = Desk({"a": TRANSIENT})
    d.ask("stop_child", "a")
    error = trido.Ignore("late")
    assert d.ends("a", "ignored", error) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed Ignore(late)",
        "report a 1 @0: shutdown_error crashed Ignore(late)",
        "reply 1: done",
    ]
    assert d.record("a").last_crash is error


def test_a_restart_that_is_ignored_is_not_tried_again() -> None:
    d = Desk({"a": STAY})
    d.ends("a")
    assert d.ends("a", "ignored", trido.Ignore()) == [
        "a is stopped",
        "ChildEnded a 2 @0: ignored Ignore()",
    ]


def test_a_restart_that_fails_is_tried_again_and_each_attempt_counts() -> None:
    d = Desk({"a": STAY}, max_restarts=2)
    d.ends("a")
    error = KeyError("start")
    assert d.ends("a", "crashed", error) == [
        "report a 2 @0: start_error crashed KeyError(start)",
        "a is restarting, and comes back",
        "start a 3",
    ]
    assert d.record("a").last_crash is error
    assert d.ends("a", "crashed", error) == [
        "report a 3 @0: start_error crashed KeyError(start)",
        "a is stopped",
        (
            "report a 3 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed 3 times in 5 s; limit is 2"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' crashed 3 times in 5 s; limit is 2"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed 3 "
            "times in 5 s; limit is 2"
        ),
    ]
    assert d.cause() is error


def test_a_child_that_fails_is_stopped_and_its_end_is_a_crash_by_that() -> None:
    d = Desk({"a": STAY})
    error, late = trido.Unresponsive("a", 1.0), KeyError("cleanup")
    assert d.fails("a", error) == [
        "a is stopping",
        "cancel a 1 by 5: child 'a' did not beat for 1 s",
    ]
    assert d.fails("a", KeyError("once more")) == []
    assert d.tick(4.9) == []
    assert d.tick(5.0) == ["kill a 1"]
    assert d.ends("a", "killed", late) == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @5: crashed Unresponsive: child 'a' did not beat for 1 s",
        (
            "report a 1 @5: child_terminated crashed Unresponsive: child 'a' did not beat "
            "for 1 s, restarts"
        ),
        "start a 2",
    ]
    assert d.record("a").last_crash is error
    assert error.__context__ is late


def test_a_child_that_fails_and_escalates_as_it_is_stopped_escalates() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.fails("a", KeyError("silent"))
    assert d.ends("a", "escalated", trido.Escalate("help")) == [
        "a is stopped",
        "ChildEnded a 1 @0: crashed Escalate(help)",
        "report a 1 @0: child_terminated crashed Escalate(help)",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' raised Escalate"
        ),
        "interrupt the body",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]


def test_a_child_that_fails_before_it_is_ready_cannot_escalate() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.fails("a", KeyError("silent")) == ["a is stopping", "cancel a 1 by 5: 'silent'"]
    assert d.ends("a", "escalated", trido.Escalate("help")) == [
        "a is stopped",
        "report a 1 @0: start_error crashed KeyError(silent)",
        "finished: StartFailed: child 'a' did not start: KeyError('silent')",
    ]


def test_a_child_that_fails_and_ends_fatally_ends_fatally() -> None:
    d = Desk({"a": STAY})
    d.fails("a", KeyError("silent"))
    assert d.ends("a", "fatal", SystemExit(1)) == [
        "a is stopped",
        "ChildEnded a 1 @0: crashed SystemExit(1)",
        "interrupt the body",
        "SupervisorEnded @0: fatal SystemExit(1)",
        "finished: SystemExit(1)",
    ]


def test_a_child_that_is_being_stopped_does_not_fail() -> None:
    d = Desk({"a": STAY})
    d.ask("stop_child", "a")
    assert d.fails("a", KeyError("silent")) == []


def test_what_a_run_says_that_is_no_more_or_never_was_means_nothing() -> None:
    d = Desk({"a": STAY})
    d.ends("a")
    assert d.ready("a", run=1) == []
    assert d.ends("a", run=1) == []
    d.ready("a")
    assert d.fails("a", ValueError("silent"), run=1) == []
    assert d.stuck("a", run=1) == []
    assert d.ends("a", run=1) == []
    assert d.ready("x") == []
    assert d.ends("x") == []
    assert d.fails("x", ValueError("silent")) == []
    assert d.stuck("x") == []
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    assert d.ready("a") == []
    assert d.ends("a") == []
    assert d.fails("a", ValueError("silent")) == []
    assert d.stuck("a") == []
    assert d.states() == {"a": "stopped"}


def test_uptime_of_max_seconds_begins_a_new_row_of_restarts() -> None:
    d = Desk({"a": STAY}, max_consecutive=1, max_restarts=10)
    d.ends("a")
    d.ready("a")
    d.now = 5.0
    d.ends("a")
    d.ready("a")
    d.now = 9.9
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 3 @9.9: crashed ValueError(a)",
        "report a 3 @9.9: child_terminated crashed ValueError(a)",
        "a is stopped",
        (
            "report a 3 @9.9: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed 2 times in a row; limit is 1"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @9.9: limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed 2 times in a row; limit is 1"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed 2 "
            "times in a row; limit is 1"
        ),
    ]


def test_only_uptime_of_reset_after_makes_an_attempt_the_first_again() -> None:
    d = Desk({"a": ChildPolicy(backoff=Backoff(min=1.0, reset_after=10.0))}, max_restarts=10)
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: restart"]
    d.now = 9.0
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 2 @9: crashed ValueError(a)",
        "report a 2 @9: child_terminated crashed ValueError(a), restarts",
        "RetryScheduled a 2 @9: 2 1.0",
    ]
    d.tick(10.0)
    d.ready("a")
    d.now = 20.0
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 3 @20: crashed ValueError(a)",
        "report a 3 @20: child_terminated crashed ValueError(a), restarts",
        "start a 4",
    ]


def test_any_significant_child_that_ends_for_good_stops_the_supervisor() -> None:
    significant = ChildPolicy(restart="transient", significant=True)
    d = Desk({"a": TRANSIENT, "b": significant}, auto_shutdown="any_significant")
    assert d.ends("a", "normal") == ["a is stopped", "ChildEnded a 1 @0: normal -"]
    assert d.ends("b") == [
        "b is restarting, and comes back",
        "ChildEnded b 1 @0: crashed ValueError(b)",
        "report b 1 @0: child_terminated crashed ValueError(b), restarts",
        "start b 2",
    ]
    assert d.ready("b") == ["b is running", "ChildStarted b 2 @0: restart"]
    assert d.ends("b", "normal") == [
        "b is stopped",
        "ChildEnded b 2 @0: normal -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_all_significant_children_have_to_have_ended_for_good() -> None:
    significant = ChildPolicy(restart="transient", significant=True)
    d = Desk(dict.fromkeys("abc", significant), auto_shutdown="all_significant")
    d.ask("stop_child", "a")
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
    ]
    d.ends("b")
    assert d.ends("c", "normal") == []
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 2 @0: restart",
        "c is stopped",
        "ChildEnded c 1 @0: normal -",
    ]
    assert d.ends("b", "normal") == [
        "b is stopped",
        "ChildEnded b 2 @0: normal -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_no_end_stops_a_supervisor_that_is_never_to_stop_by_itself() -> None:
    d = Desk({"a": ChildPolicy(restart="transient", significant=True)})
    assert d.ends("a", "normal") == ["a is stopped", "ChildEnded a 1 @0: normal -"]
    assert d.machine.phase == "running"


def test_nobody_who_does_not_want_to_is_told_what_goes_well() -> None:
    d = Desk({"a": TRANSIENT, "b": STAY}, ready="")
    d.machine.tells_all = False
    assert d.ready("a") == ["a is running", "b is starting", "start b 1"]
    assert d.ready("b") == ["b is running"]
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running"]
    assert d.ends("a", "normal") == ["a is stopped"]
    d.ask("stop_child", "b")
    assert d.ends("b", "stopped") == ["b is stopped", "reply 1: done"]


def test_a_child_that_leaks_before_its_turn_in_a_stop_came_is_stopped_by_that() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.stop()
    assert d.ends("a", "crashed", trido.LeakedCancelled("leaked")) == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_start_that_ends_fatally_answers_whoever_asked_for_it() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", STAY)
    assert d.ends("n", "fatal", SystemExit(1)) == [
        "n is removed",
        "ChildEnded n 1 @0: crashed SystemExit(1)",
        "interrupt the body",
        "reply 1: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: fatal SystemExit(1)",
        "finished: SystemExit(1)",
    ]


def test_what_an_error_says_is_looked_for_in_all_its_leaves() -> None:
    one, two = ValueError("1"), KeyError("2")
    group = ExceptionGroup("all", [one, ExceptionGroup("in", [two])])
    assert list(leaves(group)) == [one, two]
    assert (list(leaves(one)), list(leaves(None))) == ([one], [])
    assert all_are((ValueError, KeyError), group)
    assert all_are((ExceptionGroup,), group)
    assert not all_are((ValueError,), group)
    assert any_is((KeyError,), group)
    assert any_is((ExceptionGroup,), group)
    assert not any_is((OSError,), group)
    assert any_is((ValueError,), one)
    assert not all_are((ValueError,), None)
    assert not any_is((ValueError,), None)


def test_a_fatal_end_while_another_child_stops_hurries_nobody() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY})
    d.stop()
    assert d.ends("a", "fatal", SystemExit(1)) == [
        "a is stopped",
        "ChildEnded a 1 @0: crashed SystemExit(1)",
        "interrupt the body",
    ]
    assert d.ends("c", "stopped") == [
        "c is stopped",
        "ChildStopped c 1 @0: stopped -",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
