"""What is asked of a supervisor and answered, to the letter: supervision.md, sections 4 and 7."""

from __future__ import annotations

import trido
from tests.supervision.telling import STAY, TEMPORARY, TRANSIENT, Desk
from trido.supervision import messages
from trido.supervision.policy import Backoff, ChildPolicy

LATER = ChildPolicy(backoff=Backoff(min=1.0))


def test_start_child_appends_a_child_and_answers_once_it_is_ready() -> None:
    d = Desk({"a": STAY})
    assert d.ask("start_child", "n", STAY) == ["n is starting", "start n 1"]
    assert d.ready("n", 7) == ["n is running", "ChildStarted n 1 @0: api", "reply 1: done"]
    assert list(d.states()) == ["a", "n"]
    assert (d.record("n").value, d.record("n").restarts) == (7, 0)


def test_of_a_child_that_fails_to_start_no_trace_remains_and_nothing_is_counted() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", STAY)
    assert d.ends("n", "crashed", ValueError("broken")) == [
        "n is removed",
        "reply 1: StartFailed: child 'n' did not start: ValueError('broken')",
    ]
    assert d.states() == {"a": "running"}
    assert d.machine.window == ()


def test_a_child_that_was_started_and_ends_later_keeps_its_place() -> None:
    d = Desk()
    d.ask("start_child", "n", TRANSIENT)
    d.ready("n")
    assert d.ends("n", "normal") == ["n is stopped", "ChildEnded n 1 @0: normal -"]


def test_a_child_that_ignores_its_start_is_kept_unless_it_is_temporary_or_dynamic() -> None:
    d = Desk()
    d.ask("start_child", "n", STAY)
    assert d.ends("n", "ignored", trido.Ignore()) == [
        "n is stopped",
        "ChildEnded n 1 @0: ignored Ignore()",
        "reply 1: done",
    ]
    d.ask("start_child", "t", TEMPORARY)
    assert d.ends("t", "ignored", trido.Ignore()) == [
        "t is removed",
        "ChildEnded t 1 @0: ignored Ignore()",
        "reply 2: done",
    ]


def test_a_start_nobody_waits_for_any_more_is_carried_through_and_its_failure_reported() -> None:
    d = Desk()
    d.ask("start_child", "n", STAY)
    assert d.withdraw(1) == []
    assert d.ready("n") == ["n is running", "ChildStarted n 1 @0: api"]
    d.ask("start_child", "m", STAY)
    assert d.withdraw(2) == []
    assert d.ends("m", "crashed", ValueError("broken")) == [
        "m is removed",
        "report m 1 @0: start_error crashed ValueError(broken)",
    ]


def test_a_request_that_has_not_begun_is_withdrawn_without_a_trace() -> None:
    d = Desk({"a": STAY, "b": STAY, "c": STAY})
    d.ask("stop_child", "a")
    assert d.ask("stop_child", "b") == []
    assert d.ask("stop_child", "c") == []
    assert d.machine.queued == 2
    assert d.withdraw(2) == []
    assert d.withdraw(9) == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
        "c is stopping",
        "cancel c 1 by 5: its supervisor stops it",
    ]
    assert d.states() == {"a": "stopped", "b": "running", "c": "stopping"}


def test_a_request_that_was_withdrawn_is_not_answered_by_a_stop_and_the_others_are() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ask("stop_child", "b")
    d.ask("restart_child", "b")
    assert d.withdraw(2) == []
    assert d.stop() == ["reply 3: SupervisorStopped: supervisor 'sup' is stopping or has stopped"]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]


def test_a_running_child_refuses_to_be_started_restarted_and_deleted() -> None:
    d = Desk({"a": STAY})
    assert d.ask("start_child", "a", STAY) == [
        "reply 1: ChildAlreadyStarted: child 'a' is running already"
    ]
    assert d.ask("restart_child", "a") == [
        "reply 2: ChildRunning: child 'a' is running: stop_child() it first"
    ]
    assert d.ask("delete_child", "a") == [
        "reply 3: ChildRunning: child 'a' is running: stop_child() it first"
    ]
    assert d.ask("stop_child", "a") == ["a is stopping", "cancel a 1 by 5: its supervisor stops it"]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 4: done",
    ]
    assert d.ask("stop_child", "a") == ["reply 5: done"]


def test_a_child_that_is_being_restarted_refuses_them_too_and_a_stop_cancels_the_retry() -> None:
    d = Desk({"a": LATER})
    d.ends("a")
    d.ends("a")
    assert d.ask("start_child", "a", STAY) == [
        (
            "reply 1: ChildAlreadyPresent: child 'a' is there already, without a run: "
            "restart_child() runs it, delete_child() removes it"
        )
    ]
    assert d.ask("restart_child", "a") == [
        "reply 2: ChildRestarting: child 'a' is being restarted: stop_child() it first"
    ]
    assert d.ask("delete_child", "a") == [
        "reply 3: ChildRestarting: child 'a' is being restarted: stop_child() it first"
    ]
    assert d.ask("stop_child", "a") == ["a is stopped", "reply 4: done"]


def test_a_stopped_child_can_be_restarted_and_deleted() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    assert d.ask("start_child", "a", STAY) == [
        (
            "reply 2: ChildAlreadyPresent: child 'a' is there already, without a run: "
            "restart_child() runs it, delete_child() removes it"
        )
    ]
    assert d.ask("restart_child", "a") == ["a is starting", "start a 2"]
    assert d.ready("a") == ["a is running", "ChildStarted a 2 @0: api", "reply 3: done"]
    assert (list(d.states()), d.record("a").restarts) == (["a", "b"], 0)
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    assert d.ask("delete_child", "a") == ["a is removed", "reply 5: done"]
    assert d.states() == {"b": "running"}


def test_a_parked_child_can_be_stopped() -> None:
    d = Desk({"a": ChildPolicy(on_limit="park")}, max_restarts=0)
    d.ends("a")
    assert d.ask("start_child", "a", STAY) == [
        (
            "reply 1: ChildAlreadyPresent: child 'a' is there already, without a run: "
            "restart_child() runs it, delete_child() removes it"
        )
    ]
    assert d.ask("stop_child", "a") == ["a is stopped", "reply 2: done"]
    assert d.states() == {"a": "stopped"}


def test_an_unknown_child_is_not_found() -> None:
    d = Desk()
    assert d.ask("stop_child", "x") == ["reply 1: ChildNotFound: there is no child 'x'"]
    assert d.ask("restart_child", "x") == ["reply 2: ChildNotFound: there is no child 'x'"]
    assert d.ask("delete_child", "x") == ["reply 3: ChildNotFound: there is no child 'x'"]


def test_a_failed_restart_child_keeps_the_place_and_counts_nothing() -> None:
    d = Desk({"a": STAY})
    d.ask("stop_child", "a")
    d.ends("a", "stopped")
    d.ask("restart_child", "a")
    assert d.ends("a", "crashed", ValueError("broken")) == [
        "a is stopped",
        "reply 2: StartFailed: child 'a' did not start: ValueError('broken')",
    ]
    assert d.states() == {"a": "stopped"}
    assert d.machine.window == ()


def test_stop_child_removes_temporary_children_and_dynamic_ones() -> None:
    d = Desk({"t": TEMPORARY})
    d.ask("stop_child", "t")
    assert d.ends("t", "stopped") == [
        "t is removed",
        "ChildStopped t 1 @0: stopped -",
        "reply 1: done",
    ]
    d = Desk({"a": STAY}, dynamic=True)
    d.ask("stop_child", "a")
    assert d.ends("a", "stopped") == [
        "a is removed",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
    ]


def test_a_dynamic_supervisor_has_no_more_than_max_children() -> None:
    d = Desk({"a": STAY}, dynamic=True, max_children=2)
    d.ask("start_child", "b", STAY)
    assert d.ready("b") == ["b is running", "ChildStarted b 1 @0: api", "reply 1: done"]
    assert d.ask("start_child", "c", STAY) == [
        "reply 2: MaxChildren: supervisor 'sup' has its max_children=2 already"
    ]
    d.ends("a")
    assert d.ask("start_child", "c", STAY) == []
    assert d.ready("a") == [
        "a is running",
        "ChildStarted a 2 @0: restart",
        "reply 3: MaxChildren: supervisor 'sup' has its max_children=2 already",
    ]


def test_a_child_that_has_ended_by_itself_is_handled_before_it_is_stopped() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    assert d.ends("b", "normal") == []
    assert d.ask("stop_child", "b") == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
        "b is restarting, and comes back",
        "ChildEnded b 1 @0: normal -",
        "report b 1 @0: child_terminated normal -, restarts",
        "start b 2",
    ]
    assert d.ready("b") == [
        "b is running",
        "ChildStarted b 2 @0: restart",
        "b is stopping",
        "cancel b 2 by 5: its supervisor stops it",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 2 @0: stopped -",
        "reply 2: done",
    ]


def test_a_child_whose_end_is_still_in_the_queue_is_found_dead() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ask("stop_child", "b")
    error = ValueError("b")
    assert d.ends("b", "crashed", error) == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
        "b is stopped",
        "ChildEnded b 1 @0: crashed ValueError(b)",
        "report b 1 @0: shutdown_error crashed ValueError(b)",
        "reply 2: done",
    ]
    assert d.record("b").last_crash is error
    assert d.machine.window == ()


def test_stop_child_of_a_child_that_starts_waits_for_the_start() -> None:
    d = Desk()
    d.ask("start_child", "n", STAY)
    assert d.ask("stop_child", "n") == []
    assert d.ready("n") == [
        "n is running",
        "ChildStarted n 1 @0: api",
        "reply 1: done",
        "n is stopping",
        "cancel n 1 by 5: its supervisor stops it",
    ]
    assert d.ends("n", "stopped") == [
        "n is stopped",
        "ChildStopped n 1 @0: stopped -",
        "reply 2: done",
    ]


def test_a_stop_answers_whoever_asked_for_a_start_and_for_all_not_yet_begun() -> None:
    d = Desk({"a": STAY})
    d.ask("start_child", "n", STAY)
    d.ask("start_child", "m", STAY)
    assert d.stop() == [
        "reply 2: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "reply 1: SupervisorStopped: supervisor 'sup' is stopping or has stopped",
        "n is stopping",
        "cancel n 1 by 5: its supervisor stops it",
    ]
    assert d.ask("start_child", "k", STAY) == [
        "reply 3: SupervisorStopped: supervisor 'sup' is stopping or has stopped"
    ]
    assert d.ends("n", "stopped") == [
        "n is removed",
        "a is stopping",
        "cancel a 1 by 5: its supervisor stops it",
    ]
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_a_stop_answers_whoever_asked_for_a_stop_once_that_is_done() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    assert d.stop() == []
    assert d.ends("a", "stopped") == [
        "a is stopped",
        "ChildStopped a 1 @0: stopped -",
        "reply 1: done",
        "b is stopping",
        "cancel b 1 by 5: its supervisor stops it",
    ]
    assert d.ends("b", "stopped") == [
        "b is stopped",
        "ChildStopped b 1 @0: stopped -",
        "SupervisorEnded @0: shutdown -",
        "finished: -",
    ]


def test_requests_made_of_a_supervisor_that_is_starting_wait_for_that() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.ask("start_child", "n", STAY) == []
    assert d.ready("a") == [
        "a is running",
        "ChildStarted a 1 @0: start",
        "n is starting",
        "start n 1",
    ]
    assert d.ready("n") == ["n is running", "ChildStarted n 1 @0: api", "reply 1: done"]


def test_a_supervisor_begins_once() -> None:
    d = Desk({"a": STAY}, ready="")
    assert d.feed(messages.Begin(now=0.0)) == []
    assert d.ready("a") == ["a is running", "ChildStarted a 1 @0: start"]
    assert d.feed(messages.Begin(now=0.0)) == []
    assert d.run("a") == 1


def test_a_request_that_has_begun_leaves_nothing_behind() -> None:
    d = Desk({"a": STAY, "b": STAY})
    d.ask("stop_child", "a")
    d.ask("stop_child", "b")
    d.ends("a", "stopped")
    assert d.withdraw(2) == []
    assert d.withdraw(1) == []
    assert (d.machine._waiting, d.machine._withdrawn) == (set(), set())
    assert d.ends("b", "stopped") == ["b is stopped", "ChildStopped b 1 @0: stopped -"]
