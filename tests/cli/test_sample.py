"""The bundled input is what the generator makes, and has all that the demo is to show."""

import pytest

import trido
from trido.cli import application, sample
from trido.cli.lines import Letter, Refusal, read
from trido.cli.source import BUNDLED


def test_the_bundled_file_is_the_generators(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sample.main()
    assert capfdbinary.readouterr().out == BUNDLED.read_bytes()


def test_what_is_in_it() -> None:
    app = application.load()
    agents = {spec.child_id: spec for spec in app.desk().children}
    found: dict[str, int] = {}
    for line, raw in enumerate(sample.lines(), 1):
        letter = read(line, raw, frozenset(app.ADDRESSES))
        if isinstance(letter, Refusal):
            fate = "malformed"
        else:
            agent = agents[app.ADDRESSES[letter.kind]]
            assert isinstance(agent, trido.AgentSpec)
            fate = fate_of(agent.agent, letter)
        found[fate] = found.get(fate, 0) + 1
    assert sum(found.values()) == 2000
    # About one in a hundred each; and the default restart limit can bear the crashes.
    assert 15 <= found["malformed"] <= 30
    assert 10 <= found["invalid"] <= 25
    assert 15 <= found["crashes"] <= 30
    assert found["rejected"] >= 1


def fate_of(agent: "trido.Agent[object]", letter: Letter) -> str:
    signal = trido.Signal(letter.kind, letter.data)
    try:
        agent.cmd(agent.state.initial, signal)
    except trido.InvalidData:
        return "invalid"
    except trido.Reject:
        return "rejected"
    except Exception:
        return "crashes"
    return "handled"
