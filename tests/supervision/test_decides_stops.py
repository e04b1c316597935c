"""Stops and kills, to the letter: supervision.md, section 6."""

from __future__ import annotations

import math

from tests.supervision.telling import STAY, TEMPORARY, TRANSIENT, Desk
from trido.supervision.policy import BRUTAL_KILL, Backoff, ChildPolicy

LATE = ChildPolicy(shutdown=0, start_timeout=1.0)


def test_children_stop_one_at_a_time_in_reverse_and_whoever_outlives_its_grace_is_killed() -> None:
    d = Desk({"a": STAY, "b": ChildPolicy(shutdown=1.0)})
    assert d.stop() == ["b is stopping", "cancel b 1 by 1: its supervisor stops it"]
    assert d.machine.next_deadline() == 1.0
    assert d.tick(0.9) == []
    assert d.tick(1.0) == ["kill b 1"]
    assert d.machine.next_deadline() == math.inf
    d.now = 2.0
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @2: killed -",
        "report b 1 @2: shutdown_error killed -",
        "a is stopping",
        "cancel a 1 by 7: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @2: stopped -",
        "SupervisorEnded @2: shutdown -",
        "finished: -",
    ]


def test_children_of_a_dynamic_supervisor_stop_at_the_same_time() -> None:
    d = Desk({"a": STAY, "b": ChildPolicy(shutdown=1.0)}, dynamic=True)
    assert d.stop() == [
        "b is stopping",
        "cancel b 1 by 1: its supervisor stops it",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "normal") == [
        "a is removed",
        "ChildStopped a 1 @0: normal -",
        "report a 1 @0: shutdown_error normal -",
    ]
    assert d.tick(1.0) == ["kill b 1"]
    assert d.ends("b", "killed") == [
        "b is removed",
        "ChildStopped b 1 @1: killed -",
        "report b 1 @1: shutdown_error killed -",
        "SupervisorEnded @1: shutdown -",
        "finished: -",
    ]


def test_no_grace_kills_at_once_and_is_reported_and_a_brutal_kill_is_not() -> None:
    d = Desk({"a": ChildPolicy(shutdown=BRUTAL_KILL), "b": ChildPolicy(shutdown=0)})
    assert d.stop() == ["b is stopping", "kill b 1"]
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @0: killed -",
        "report b 1 @0: shutdown_error killed -",
        "a is stopping",
        "kill a 1",
    ]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @0: killed -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_crash_after_a_brutal_kill_is_reported() -> None:
    d = Desk({"a": ChildPolicy(shutdown=BRUTAL_KILL)})
    d.stop()
    error = KeyError("cleanup")
    assert d.ends("a", "crashed", error) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed KeyError(cleanup)",
        "report a 1 @0: shutdown_error crashed KeyError(cleanup)",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert d.record("a").last_crash is error


def test_only_a_permanent_child_is_reported_for_returning_when_it_was_to_be_cancelled() -> None:
    d = Desk({"a": STAY, "b": TRANSIENT, "t": TEMPORARY})
    d.stop()
    assert d.ends("t", "normal") == [
        "t is removed",
        "ChildStopped t 1 @0: normal -",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    assert d.ends("b", "normal") == [
        "b is stopped",
        "ChildStopped b 1 @0: normal -",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "normal") == [
        "a is stopped",
        "ChildStopped a 1 @0: normal -",
        "report a 1 @0: shutdown_error normal -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_start_that_is_stopped_and_returns_is_not_reported() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.stop() == ["a is stopping", "cancel a 1 by 5: its supervisor stops it"]
    assert d.ends("a", "normal") == [
        "a is stopped",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_kill_ends_the_grace_of_all_in_reverse_order() -> None:
    d = Desk({"a": STAY, "b": STAY})
    assert d.kill() == ["b is stopping", "kill b 1"]
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @0: killed -",
        "report b 1 @0: shutdown_error killed -",
        "a is stopping",
        "kill a 1",
    ]
    assert d.kill() == []
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @0: killed -",
        "report a 1 @0: shutdown_error killed -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_kill_kills_the_one_that_is_being_stopped() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.stop()
    assert d.kill() == ["kill b 1"]
    assert d.tick(5.0) == []
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @5: stopped -",
        "a is stopping",
        "kill a 1",
    ]


def test_a_kill_kills_a_child_that_is_stopped_for_failing() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.fails("a", KeyError("silent"))
    assert d.kill() == ["kill a 1", "b is stopping", "kill b 1"]
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @0: killed -",
        "report b 1 @0: shutdown_error killed -",
    ]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed KeyError(silent)",
        "report a 1 @0: shutdown_error crashed KeyError(silent)",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_stop_joins_the_stop_of_a_child_that_fails() -> None:
    d = Desk({"a": STAY, "b": ChildPolicy(shutdown=0)})
    d.fails("a", KeyError("silent"))
    assert d.ask("stop_child", "a") == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed KeyError(silent)",
        "report a 1 @0: shutdown_error crashed KeyError(silent)",
        "reply 1: done",
    ]
    assert d.fails("b", KeyError("silent")) == ["b is stopping", "kill b 1"]
    assert d.ask("stop_child", "b") == []


def test_a_stop_after_a_kill_leaves_a_failing_child_nothing() -> None:
    d = Desk({"a": ChildPolicy(shutdown=9.0), "b": STAY}, dynamic=True)
    d.fails("a", KeyError("silent"))
    d.tick(8.0)
    assert d.kill() == ["kill a 1", "b is stopping", "kill b 1"]


def test_a_stop_joins_a_stop_in_progress_with_its_remaining_grace() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.now = 3.0
    assert d.stop() == []
    assert d.tick(5.0) == ["kill a 1"]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @5: killed -",
        "report a 1 @5: shutdown_error killed -",
        "reply 1: done",
        "b is stopping",
        "cancel b 1 by 10: its supervisor stops it",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @5: stopped -",
        "SupervisorEnded @5: shutdown -",
        "finished: -",
    ]


def test_outer_cancellation_bounds_the_stop_by_shutdown_timeout() -> None:
    d = Desk({"a": STAY, "b": STAY}, shutdown_timeout=2.0)
    d.now = 1.0
    assert d.stop(cancelled=True) == ["b is stopping", "cancel b 1 by 6: its supervisor stops it"]
    assert d.machine.next_deadline() == 3.0
    d.now = 2.0
    assert d.stop(cancelled=True) == []
    assert d.machine.next_deadline() == 3.0
    assert d.tick(2.9) == []
    assert d.tick(3.0) == ["kill b 1"]
    assert d.machine.next_deadline() == math.inf
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @3: killed -",
        "report b 1 @3: shutdown_error killed -",
        "a is stopping",
        "kill a 1",
    ]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @3: killed -",
        "report a 1 @3: shutdown_error killed -",
        "SupervisorEnded @3: cancelled -",
        "finished: -",
    ]


def test_a_stop_that_was_not_a_cancellation_has_no_bound_until_it_is_cancelled_too() -> None:
    d = Desk({"a": STAY}, shutdown_timeout=2.0)
    d.stop()
    assert d.machine.next_deadline() == 5.0
    assert d.stop(cancelled=True) == []
    assert d.machine.next_deadline() == 2.0
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_stop_of_a_supervisor_that_starts_cancels_the_start_and_begins_no_other() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, ready="a")
    assert d.stop() == ["b is stopping", "cancel b 1 by 5: its supervisor stops it"]
    assert d.ready("b") == []
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert d.machine.phase == "ended"


def test_a_start_that_fails_while_it_is_cancelled_is_a_crash_during_the_stop() -> None:
    d = Desk({"a": STAY}, ready="")
    d.stop()
    error = KeyError("start")
    assert d.ends("a", "crashed", error) == [
        "a is stopped",
        "report a 1 @0: shutdown_error crashed KeyError(start)",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert d.record("a").last_crash is error


def test_a_stop_gives_up_the_restart_of_a_group_and_stops_what_is_up() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, strategy="one_for_all")
    d.ends("b")
    d.ends("c", "stopped")
    assert d.stop() == ["c is stopped", "a is stopping"]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "b is stopped",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_stop_gives_up_a_retry() -> None:
    d = Desk({"a": ChildPolicy(backoff=Backoff(min=1.0)), "b": STAY})
    d.ends("a")
    d.ends("a")
    assert d.stop() == ["b is stopping", "cancel b 1 by 5: its supervisor stops it"]
    assert d.tick(1.0) == []
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @1: stopped -",
        "a is stopped",
        "SupervisorEnded @1: shutdown -",
        "finished: -",
    ]


def test_a_second_stop_changes_nothing() -> None:
    d = Desk({"a": STAY})
    d.stop()
    assert d.stop() == []


def test_a_run_that_cannot_be_killed_is_a_zombie_and_the_stop_goes_on_without_it() -> None:
    d = Desk({"a": STAY, "b": ChildPolicy(shutdown=0), "c": STAY})
    d.stop()
    assert d.ends("c", "stopped") == [
        "c is stopped",
        "ChildStopped c 1 @0: stopped -",
        "b is stopping",
        "kill b 1",
    ]
    assert d.stuck("b") == [
        "b is zombie",
        "unkillable b 1",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.stuck("b") == []
    assert d.fails("b", KeyError("silent")) == []
    assert d.ready("b") == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "only zombies are left",
    ]
    assert d.machine.phase == "stopping"
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @0: killed -",
        "report b 1 @0: shutdown_error killed -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]
    assert d.machine.phase == "ended"


def test_a_group_restart_waits_for_a_zombie_and_everything_else_is_served() -> None:
    d = Desk({"a": ChildPolicy(shutdown=0), "b": STAY}, strategy="one_for_all")
    d.ends("b")
    assert d.stuck("a") == ["a is zombie, and comes back", "unkillable a 1"]
    assert d.states() == {"a": "zombie", "b": "restarting"}
    assert d.ask("start_child", "n", TEMPORARY) == ["n is starting", "start n 1"]
    assert d.ready("n") == ["n is running", "ChildStarted n 1 @0: api", "reply 1: done"]
    assert d.ends("a", "killed") == [
        "a is stopped, and comes back",
        "ChildStopped a 1 @0: killed -",
        "report a 1 @0: shutdown_error killed -",
        "n is stopping",
        "cancel n 1 by 5: its supervisor stops it",
    ]
    assert d.ends("n", "stopped") == [
        "n is removed",
        "ChildStopped n 1 @0: stopped -",
        "a is starting",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: restart", "start b 2"]
    assert d.ready("b") == ["b is running", "ChildStarted b 2 @0: restart"]


def test_a_zombie_that_does_not_start_in_time_fails_the_start_of_its_supervisor_at_once() -> None:
    d = Desk({"a": STAY, "b": LATE}, ready="a")
    assert d.tick(1.0) == ["b is stopping", "kill b 1"]
    assert d.stuck("b") == [
        "b is zombie",
        "unkillable b 1",
        (
            "report b 1 @1: start_error crashed StartTimeout: child 'b' was not ready within "
            "its start_timeout of 1 s"
        ),
        "a is stopping",
        "cancel a 1 by 6: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @1: stopped -",
        "only zombies are left",
    ]
    assert d.ends("b", "killed") == [
        "b is stopped",
        "report b 1 @1: shutdown_error killed -",
        "finished: StartFailed: child 'b' did not start: StartTimeout('b', 1.0)",
    ]


def test_whoever_asked_for_a_child_that_becomes_a_zombie_is_answered_once_it_ends() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", LATE)
    assert d.tick(1.0) == ["n is stopping", "kill n 1"]
    assert d.stuck("n") == ["n is zombie", "unkillable n 1"]
    assert d.ask("stop_child", "a") == ["a is stopping", "cancel a 1 by 6: its supervisor stops it"]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @1: stopped -",
        "reply 2: done",
    ]
    assert d.ends("n", "killed") == [
        "n is removed",
        "reply 1: StartFailed: child 'n' did not start: StartTimeout('n', 1.0)",
    ]


def test_a_zombie_whose_start_nobody_waits_for_any_more_is_reported() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", LATE)
    d.tick(1.0)
    d.stuck("n")
    assert d.withdraw(1) == []
    assert d.ends("n", "killed") == [
        "n is removed",
        (
            "report n 1 @1: start_error crashed StartTimeout: child 'n' was not ready within "
            "its start_timeout of 1 s"
        ),
    ]


def test_a_stop_answers_whoever_asked_for_a_child_that_is_a_zombie() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", LATE)
    d.tick(1.0)
    d.stuck("n")
    assert d.stop() == [
        "reply 1: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "a is stopping",
        "cancel a 1 by 6: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @1: stopped -",
        "only zombies are left",
    ]
    assert d.ends("n", "killed") == [
        "n is removed",
        (
            "report n 1 @1: shutdown_error crashed StartTimeout: child 'n' was not ready "
            "within its start_timeout of 1 s"
        ),
        "SupervisorEnded @1: shutdown -",
        "finished: -",
    ]


def test_a_zombie_that_was_being_started_can_be_stopped_and_then_did_not_start() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", LATE)
    d.tick(1.0)
    d.stuck("n")
    assert d.ask("stop_child", "n") == []
    assert d.ends("n", "killed") == [
        "n is removed",
        (
            "report n 1 @1: shutdown_error crashed StartTimeout: child 'n' was not ready "
            "within its start_timeout of 1 s"
        ),
        "reply 2: done",
        "reply 1: StartFailed: child 'n' did not start: StartTimeout('n', 1.0)",
    ]


def test_everybody_who_waits_for_a_zombie_to_stop_is_answered_once_it_has() -> None:
    d = Desk({"a": ChildPolicy(shutdown=0)})
    assert d.ask("stop_child", "a") == ["a is stopping", "kill a 1"]
    assert d.stuck("a") == ["a is zombie", "unkillable a 1"]
    assert d.ask("stop_child", "a") == []
    assert d.ask("restart_child", "a") == [
        "reply 3: ChildRunning: child 'a' is running: stop_child() it first"
    ]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @0: killed -",
        "report a 1 @0: shutdown_error killed -",
        "reply 1: done",
        "reply 2: done",
    ]
    assert d.ask("stop_child", "a") == ["reply 4: done"]


def test_an_automatic_restart_that_becomes_a_zombie_goes_on_when_it_ends() -> None:
    d = Desk({"a": LATE})
    d.ends("a")
    assert d.tick(1.0) == ["kill a 2"]
    assert d.stuck("a") == ["a is zombie", "unkillable a 2"]
    assert d.ends("a", "killed") == [
        "a is restarting",
        (
            "report a 2 @1: start_error crashed StartTimeout: child 'a' was not ready within "
            "its start_timeout of 1 s"
        ),
        "a is restarting, and comes back",
        "start a 3",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 3 @1: restart"]


def test_a_supervisor_child_may_be_stuck_of_its_own_accord() -> None:
    d = Desk({"a": ChildPolicy(kind="supervisor", shutdown=math.inf), "b": STAY})
    assert d.stuck("a") == ["a is zombie", "unkillable a 1"]
    assert d.ends("a", "normal") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: normal -",
        "report a 1 @0: child_terminated normal -, restarts",
        "start a 2",
    ]


def test_a_zombie_that_ends_fatally_is_no_more() -> None:
    d = Desk({"a": ChildPolicy(shutdown=0), "b": STAY})
    d.ask("stop_child", "a")
    d.stuck("a")
    assert d.ends("a", "fatal", SystemExit(1)) == [
        "a is stopped",
        "ChildStopped a 1 @0: crashed SystemExit(1)",
        "interrupt the body",
        "reply 1: done",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        "SupervisorEnded @0: fatal SystemExit(1)",
        "finished: SystemExit(1)",
    ]


def test_a_child_that_is_a_zombie_of_its_own_accord_neither_fails_nor_becomes_ready() -> None:
    inner = ChildPolicy(kind="supervisor")
    d = Desk({"a": inner, "b": inner}, ready="a")
    d.stuck("a")
    assert d.fails("a", KeyError("silent")) == []
    d.ask("start_child", "n", STAY)
    d.ready("b")
    d.ask("start_child", "m", inner)
    d.ready("n")
    assert d.stuck("m") == ["m is zombie", "unkillable m 1"]
    assert d.ready("m") == []
    assert d.states()["m"] == "zombie"


def test_two_zombies_are_waited_for_last_and_both() -> None:
    d = Desk({"a": ChildPolicy(shutdown=0), "b": ChildPolicy(shutdown=0)})
    d.stop()
    assert d.stuck("b") == ["b is zombie", "unkillable b 1", "a is stopping", "kill a 1"]
    assert d.stuck("a") == ["a is zombie", "unkillable a 1", "only zombies are left"]
    assert d.ends("b", "killed") == [
        "b is stopped",
        "ChildStopped b 1 @0: killed -",
        "report b 1 @0: shutdown_error killed -",
        "only zombies are left",
    ]
    assert d.ends("a", "killed") == [
        "a is stopped",
        "ChildStopped a 1 @0: killed -",
        "report a 1 @0: shutdown_error killed -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_zombie_that_did_not_start_in_time_is_asked_to_stop_only_once() -> None:
    late = ChildPolicy(shutdown=2.0, start_timeout=1.0)
    d = Desk({"a": STAY, "b": late}, ready="a")
    assert d.tick(1.0) == [
        "b is stopping",
        "cancel b 1 by 3: child 'b' was not ready within its start_timeout of 1 s",
    ]
    assert d.tick(3.0) == ["kill b 1"]
    assert d.stuck("b") == [
        "b is zombie",
        "unkillable b 1",
        (
            "report b 1 @3: start_error crashed StartTimeout: child 'b' was not ready within "
            "its start_timeout of 1 s"
        ),
        "a is stopping",
        "cancel a 1 by 8: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @3: stopped -",
        "only zombies are left",
    ]


def test_a_zombie_that_was_being_started_and_ends_fatally_answers_whoever_asked() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", LATE)
    d.tick(1.0)
    d.stuck("n")
    assert d.ends("n", "fatal", SystemExit(1)) == [
        "n is removed",
        "ChildEnded n 1 @1: crashed SystemExit(1)",
        "interrupt the body",
        "reply 1: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "a is stopping",
        "cancel a 1 by 6: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @1: stopped -",
        "SupervisorEnded @1: fatal SystemExit(1)",
        "finished: SystemExit(1)",
    ]


def test_a_restart_by_request_that_becomes_a_zombie_and_ends_fatally_answers_once() -> None:
    d = Desk({"a": LATE, "b": STAY})
    d.ask("stop_child", "a")
    d.ends("a", "killed")
    d.ask("restart_child", "a")
    d.tick(1.0)
    d.stuck("a")
    assert d.ends("a", "fatal", SystemExit(1)) == [
        "a is stopped",
        "ChildEnded a 2 @1: crashed SystemExit(1)",
        "interrupt the body",
        "reply 2: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "b is stopping",
        "cancel b 1 by 6: its supervisor stops it",
    ]


def test_a_zombie_that_ends_while_another_child_stops_hurries_nobody() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": ChildPolicy(shutdown=0)})
    d.stop()
    assert d.stuck("c") == [
        "c is zombie",
        "unkillable c 1",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    assert d.ends("c", "killed") == [
        "c is stopped",
        "ChildStopped c 1 @0: killed -",
        "report c 1 @0: shutdown_error killed -",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]


def test_a_supervisor_that_is_stopped_before_it_began_has_nothing_to_stop() -> None:
    d = Desk({"a": STAY}, begun=False)
    assert d.machine.next_deadline() == math.inf
    assert d.stop() == ["SupervisorEnded @0: shutdown -", "finished: -"]


def test_a_kill_after_the_end_is_none() -> None:
    d = Desk()
    assert d.stop() == ["SupervisorEnded @0: shutdown -", "finished: -"]
    assert d.kill() == []
    assert d.machine.next_deadline() == math.inf


def test_whoever_is_being_killed_is_not_killed_once_more() -> None:
    d = Desk({"a": ChildPolicy(shutdown=0)})
    assert d.stop() == ["a is stopping", "kill a 1"]
    assert d.kill() == []
