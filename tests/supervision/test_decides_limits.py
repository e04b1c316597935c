"""Restart limits, backoff and strategies, to the letter: supervision.md, sections 1, 3 and 5."""

from __future__ import annotations

import math

import trido
from tests.supervision.telling import STAY, TEMPORARY, TRANSIENT, Desk
from trido.supervision.policy import Backoff, ChildPolicy


def test_one_restart_more_than_the_limit_is_reported_and_the_others_stop_in_reverse() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, max_restarts=0)
    error = ValueError("broken")
    assert d.ends("b", "crashed", error) == [
        "b is restarting",
        "ChildEnded b 1 @0: crashed ValueError(broken)",
        "report b 1 @0: child_terminated crashed ValueError(broken)",
        "b is stopped",
        (
            "report b 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'b' crashed once in 5 s; limit is 0"
        ),
        "interrupt the body",
        "c is stopping",
        "cancel c 1 by 5: its supervisor stops it",
    ]
    assert d.cause() is error
    assert d.ends("c", "stopped") == [
        "c is stopped",
        "ChildStopped c 1 @0: stopped -",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]


def test_a_supervisor_that_gives_up_after_a_normal_end_has_no_cause() -> None:
    d = Desk({"a": STAY}, max_restarts=0)
    assert d.ends("a", "normal", trido.Shutdown("done")) == [
        "a is restarting",
        "ChildEnded a 1 @0: normal Shutdown(done)",
        "report a 1 @0: child_terminated normal Shutdown(done)",
        "a is stopped",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' ended once in 5 s; limit is 0"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' ended once in 5 s; limit is 0"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' ended once "
            "in 5 s; limit is 0"
        ),
    ]
    assert d.cause() is None


def test_a_supervisor_child_that_gave_up_is_the_cause_though_that_is_a_normal_end() -> None:
    d = Desk({"a": ChildPolicy(kind="supervisor")}, max_restarts=0)
    inner = trido.RestartLimitExceeded("a", "w", "crashed")
    assert d.ends("a", "normal", inner) == [
        "a is restarting",
        (
            "ChildEnded a 1 @0: normal RestartLimitExceeded: supervisor 'a' gave up: child "
            "'w' crashed"
        ),
        (
            "report a 1 @0: child_terminated normal RestartLimitExceeded: supervisor 'a' "
            "gave up: child 'w' crashed"
        ),
        "a is stopped",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed once in 5 s; limit is 0"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' crashed once in 5 s; limit is 0"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed "
            "once in 5 s; limit is 0"
        ),
    ]
    assert d.cause() is inner


def test_a_group_of_supervisors_that_gave_up_is_the_cause_too() -> None:
    d = Desk({"a": STAY}, max_restarts=0)
    inner = trido.RestartLimitExceeded("x", "w", "crashed")
    group = ExceptionGroup("two", [inner, inner])
    d.ends("a", "normal", group)
    assert d.cause() is group


def test_only_restarts_within_max_seconds_count() -> None:
    d = Desk({"a": STAY}, max_restarts=1, max_seconds=2.5)
    d.ends("a")
    d.ready("a")
    d.now = 2.75
    d.ends("a")
    assert d.machine.window == (2.75,)
    d.ready("a")
    d.now = 5.25
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 3 @5.25: crashed ValueError(a)",
        "report a 3 @5.25: child_terminated crashed ValueError(a)",
        "a is stopped",
        (
            "report a 3 @5.25: shutdown limit RestartLimitExceeded: supervisor 'sup' gave "
            "up: child 'a' crashed 2 times in 2.5 s; limit is 1"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @5.25: limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed 2 times in 2.5 s; limit is 1"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed 2 "
            "times in 2.5 s; limit is 1"
        ),
    ]


def test_no_limit_keeps_no_window() -> None:
    d = Desk({"a": STAY}, max_restarts=math.inf)
    for _ in range(10):
        d.ends("a")
        d.ready("a")
    assert d.machine.window == ()
    assert d.states() == {"a": "running"}


def test_max_consecutive_counts_the_restarts_of_one_child_in_a_row_however_slow() -> None:
    d = Desk({"a": STAY, "b": STAY}, max_restarts=math.inf, max_consecutive=1)
    d.ends("a")
    d.ready("a")
    d.ends("b")
    d.ready("b")
    d.now = 4.5
    assert d.ends("a", "normal") == [
        "a is restarting",
        "ChildEnded a 2 @4.5: normal -",
        "report a 2 @4.5: child_terminated normal -",
        "a is stopped",
        (
            "report a 2 @4.5: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' ended 2 times in a row; limit is 1"
        ),
        "interrupt the body",
        "b is stopping",
        "cancel b 2 by 9.5: its supervisor stops it",
    ]


def test_a_limit_that_is_broken_at_once_says_once() -> None:
    d = Desk({"a": STAY}, max_restarts=math.inf, max_consecutive=0)
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a)",
        "a is stopped",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed once in a row; limit is 0"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' crashed once in a row; limit is 0"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed "
            "once in a row; limit is 0"
        ),
    ]


def test_a_child_that_parks_has_a_window_of_its_own_and_leaves_its_siblings_alone() -> None:
    d = Desk({"a": ChildPolicy(on_limit="park"), "b": STAY}, max_restarts=1)
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]
    d.ready("a")
    d.ends("b")
    d.ready("b")
    assert (d.machine.window, d.record("a").window) == ((0.0,), (0.0,))
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 2 @0: crashed ValueError(a)",
        "report a 2 @0: child_terminated crashed ValueError(a)",
        "a is parked",
        "ChildParked a 2 @0: ValueError(a)",
    ]
    assert d.states() == {"a": "parked", "b": "running"}


def test_restart_child_gives_a_parked_child_an_empty_window_and_a_new_row() -> None:
    d = Desk({"a": ChildPolicy(on_limit="park")}, max_restarts=1, max_consecutive=1)
    d.ends("a")
    d.ready("a")
    d.ends("a")
    assert d.ask("restart_child", "a") == ["a is starting", "start a 3"]
    assert d.ready("a") == ["a is running", "ChildStarted a 3 @0: api", "reply 1: done"]
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 3 @0: crashed ValueError(a)",
        "report a 3 @0: child_terminated crashed ValueError(a), restarts",
        "start a 4",
    ]


def test_restart_child_of_a_child_that_is_only_stopped_forgives_nothing() -> None:
    d = Desk({"a": ChildPolicy(on_limit="park")}, max_restarts=1, max_consecutive=1)
    d.ends("a")
    d.ready("a")
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    d.ask("restart_child", "a")
    d.ready("a")
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 3 @0: crashed ValueError(a)",
        "report a 3 @0: child_terminated crashed ValueError(a)",
        "a is parked",
        "ChildParked a 3 @0: ValueError(a)",
    ]


def test_a_significant_child_that_is_parked_has_ended_for_good() -> None:
    policy = ChildPolicy(restart="transient", significant=True, on_limit="park")
    d = Desk({"a": policy, "b": STAY}, max_restarts=0, auto_shutdown="all_significant")
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a)",
        "a is parked",
        "ChildParked a 1 @0: ValueError(a)",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]


def test_backoff_puts_the_second_attempt_off_and_each_later_one_longer() -> None:
    d = Desk({"a": ChildPolicy(backoff=Backoff(min=1.0, jitter=0.5))}, max_restarts=math.inf)
    assert d.ends("a") == [
        "a is restarting, and comes back",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a), restarts",
        "start a 2",
    ]
    assert d.ends("a", u=0.5) == [
        "report a 2 @0: start_error crashed ValueError(a)",
        "a is restarting, and comes back",
        "RetryScheduled a 2 @0: 2 1.25",
    ]
    assert d.machine.next_deadline() == 1.25
    assert d.tick(1.0) == []
    assert d.tick(1.25) == ["start a 3"]
    assert d.ends("a", u=0.0) == [
        "report a 3 @1.25: start_error crashed ValueError(a)",
        "a is restarting, and comes back",
        "RetryScheduled a 3 @1.25: 3 2.0",
    ]
    assert d.machine.next_deadline() == 3.25
    assert d.tick(3.25) == ["start a 4"]
    assert d.ready("a") == ["a is running", "ChildStarted a 4 @3.25: restart"]
    assert d.machine.next_deadline() == math.inf


def test_a_group_is_stopped_at_once_and_started_after_the_backoff() -> None:
    backoff = Backoff(min=1.0)
    d = Desk({"a": STAY, "b": ChildPolicy(backoff=backoff), "c": STAY}, strategy="rest_for_one")
    d.ends("b")
    assert d.ends("c", "stopped") == [
        "c is stopped, and comes back",
        "ChildStopped c 1 @0: stopped -",
        "start b 2",
    ]
    d.ready("b")
    d.ready("c")
    assert d.ends("b") == [
        "b is restarting, and comes back",
        "ChildEnded b 2 @0: crashed ValueError(b)",
        "report b 2 @0: child_terminated crashed ValueError(b), restarts",
        "RetryScheduled b 2 @0: 2 1.0",
        "c is stopping, and comes back",
        "cancel c 2 by 5: its supervisor stops it",
    ]
    assert d.ends("c", "stopped") == [
        "c is stopped, and comes back",
        "ChildStopped c 2 @0: stopped -",
    ]
    assert d.tick(1.0) == ["start b 3"]
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 3 @1: restart",
        "c is starting",
        "start c 3",
    ]
    assert d.ready("c") == ["c is running", "ChildStarted c 3 @1: restart"]


def test_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() -> None:
    d = Desk({"a": STAY, "t": TEMPORARY, "b": STAY, "c": TRANSIENT}, strategy="one_for_all")
    assert d.ends("b") == [
        "b is restarting, and comes back",
        "ChildEnded b 1 @0: crashed ValueError(b)",
        "report b 1 @0: child_terminated crashed ValueError(b), restarts",
        "c is stopping, and comes back",
        "cancel c 1 by 5: its supervisor stops it",
    ]
    assert d.ends("c", "stopped") == [
        "c is stopped, and comes back",
        "ChildStopped c 1 @0: stopped -",
        "t is stopping",
        "cancel t 1 by 5: its supervisor stops it",
    ]
    assert d.ends("t", "killed") == [
        "t is removed",
        "ChildStopped t 1 @0: killed -",
        "report t 1 @0: shutdown_error killed -",
        "a is stopping, and comes back",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "normal") == [
        "a is stopped, and comes back",
        "ChildStopped a 1 @0: normal -",
        "report a 1 @0: shutdown_error normal -",
        "a is starting",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: restart", "start b 2"]
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 2 @0: restart",
        "c is starting",
        "start c 2",
    ]
    assert d.ready("c") == ["c is running", "ChildStarted c 2 @0: restart"]
    assert [d.record(id).restarts for id in "abc"] == [1, 1, 1]
    assert d.machine.window == (0.0,)


def test_a_member_that_fails_in_a_group_restart_is_the_one_that_is_tried_again() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY}, strategy="rest_for_one")
    d.ends("a")
    d.ends("c", "stopped")
    d.ends("b", "stopped")
    assert d.ready("a") == [
        "a is running",
        "ChildStarted a 2 @0: restart",
        "b is starting",
        "start b 2",
    ]
    error = KeyError("start")
    assert d.ends("b", "crashed", error) == [
        "b is restarting",
        "report b 2 @0: start_error crashed KeyError(start)",
        "b is restarting, and comes back",
        "start b 3",
    ]
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 3 @0: restart",
        "c is starting",
        "start c 2",
    ]
    assert d.ready("c") == ["c is running", "ChildStarted c 2 @0: restart"]


def test_a_group_restart_before_whose_subject_a_member_fails_gives_up_the_subject() -> None:
    d = Desk({"a": STAY, "b": STAY}, strategy="one_for_all", max_restarts=1)
    d.ends("b")
    d.ends("a", "stopped")
    assert d.ends("a", "crashed", KeyError("start")) == [
        "a is restarting",
        "b is stopped",
        "report a 2 @0: start_error crashed KeyError(start)",
        "a is stopped",
        (
            "report a 2 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed 2 times in 5 s; limit is 1"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' crashed 2 times in 5 s; limit is 1"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed 2 "
            "times in 5 s; limit is 1"
        ),
    ]


def test_a_child_stopped_by_request_comes_back_with_its_group() -> None:
    d = Desk({"a": STAY, "b": STAY}, strategy="one_for_all")
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    assert d.ends("b") == [
        "b is restarting, and comes back",
        "ChildEnded b 1 @0: crashed ValueError(b)",
        "report b 1 @0: child_terminated crashed ValueError(b), restarts",
        "a is starting",
        "start a 2",
    ]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: restart", "start b 2"]


def test_a_crash_of_a_member_that_is_already_back_waits_for_the_rest_and_counts_anew() -> None:
    d = Desk({"a": STAY, "b": STAY}, strategy="one_for_all")
    d.ends("b")
    d.ends("a", "stopped")
    d.ready("a")
    d.now = 1.0
    assert d.ends("a") == []
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 2 @1: restart",
        "a is restarting, and comes back",
        "ChildEnded a 2 @1: crashed ValueError(a)",
        "report a 2 @1: child_terminated crashed ValueError(a), restarts",
        "b is stopping, and comes back",
        "cancel b 2 by 6: its supervisor stops it",
    ]
    assert d.machine.window == (1.0, 0.0)


def test_a_retry_whose_chain_is_over_means_nothing() -> None:
    d = Desk({"a": ChildPolicy(backoff=Backoff(min=1.0))})
    d.ends("a")
    assert d.ends("a") == [
        "report a 2 @0: start_error crashed ValueError(a)",
        "a is restarting, and comes back",
        "RetryScheduled a 2 @0: 2 1.0",
    ]
    assert d.ask("stop_child", "a") == ["a is stopped", "reply 1: done"]
    assert d.tick(1.0) == []
    assert d.states() == {"a": "stopped"}
    assert d.machine.next_deadline() == math.inf


def test_a_restart_of_a_child_that_is_gone_by_then_is_given_up_with_it() -> None:
    d = Desk({"a": ChildPolicy(restart="transient", backoff=Backoff(min=1.0))}, dynamic=True)
    d.ends("a")
    d.ends("a")
    assert d.ask("stop_child", "a") == ["a is removed", "reply 1: done"]
    assert d.tick(1.0) == []


def test_a_dynamic_child_that_is_over_the_limit_leaves() -> None:
    d = Desk({"a": STAY}, dynamic=True, max_restarts=0)
    assert d.ends("a") == [
        "a is restarting",
        "ChildEnded a 1 @0: crashed ValueError(a)",
        "report a 1 @0: child_terminated crashed ValueError(a)",
        "a is removed",
        (
            "report a 1 @0: shutdown limit RestartLimitExceeded: supervisor 'sup' gave up: "
            "child 'a' crashed once in 5 s; limit is 0"
        ),
        "interrupt the body",
        (
            "SupervisorEnded @0: limit RestartLimitExceeded: supervisor 'sup' gave up: child "
            "'a' crashed once in 5 s; limit is 0"
        ),
        (
            "finished: RestartLimitExceeded: supervisor 'sup' gave up: child 'a' crashed "
            "once in 5 s; limit is 0"
        ),
    ]


def test_children_of_a_supervisor_that_forgets_leave_once_they_have_ended() -> None:
    d = Desk({"a": TRANSIENT, "b": TRANSIENT}, forgets=True)
    assert d.ends("a", "normal") == ["a is removed", "ChildEnded a 1 @0: normal -"]
    assert d.stop() == ["b is stopping", "cancel b 1 by 5: its supervisor stops it"]
    assert d.ends("b", "stopped") == [
        "b is removed",
        "ChildStopped b 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_request_to_stop_the_child_a_group_waits_for_gives_up_the_whole_group() -> None:
    later = ChildPolicy(backoff=Backoff(min=1.0))
    d = Desk({"a": STAY, "b": later}, strategy="one_for_all")
    d.ends("b")
    d.ends("a", "stopped")
    d.ready("a")
    d.ready("b")
    d.ends("b")
    assert d.ends("a", "stopped") == [
        "a is stopped, and comes back",
        "ChildStopped a 2 @0: stopped -",
    ]
    assert d.ask("stop_child", "b") == ["b is stopped", "a is stopped", "reply 1: done"]
    assert d.tick(1.0) == []


def test_a_member_that_is_deleted_before_its_group_comes_back_does_not() -> None:
    later = ChildPolicy(backoff=Backoff(min=1.0))
    d = Desk({"a": STAY, "b": later}, strategy="one_for_all")
    d.ends("b")
    d.ends("a", "stopped")
    d.ready("a")
    d.ready("b")
    d.ends("b")
    d.ends("a", "stopped")
    assert d.ask("delete_child", "a") == ["a is removed", "reply 1: done"]
    assert d.stop() == ["b is stopped", "SupervisorEnded @0: shutdown -", "finished: -"]
