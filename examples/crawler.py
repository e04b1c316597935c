"""A crawler that is polite: so many at once, so many a second, and one server's trouble is its own.

Each site has an agent that knows what it has seen, and asks for what is new. Fetching is an action;
its `Limit` and its `Rate` have a name, so they are shared by whoever says it. A page that cannot be
had is tried twice and then left.

Watch for: never more than two requests are under way, and never more than four begin in a second,
however many pages are known. A page that two others link to is fetched once. One that is gone ends
nothing.

It prints::

    tea: ['tea/', 'tea/black', 'tea/green', 'tea/shops'], not ['tea/gone']
    rice: ['rice/', 'rice/red', 'rice/wild'], not []
    9 requests, 2 at once at most, 4 in a second at most
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import trio
from attrs import evolve, frozen

import trido

# The world outside --------------------------------------------------------------------------------

WEB: Final[Mapping[str, tuple[str, ...]]] = {
    "tea/": ("tea/green", "tea/black", "tea/gone"),
    "tea/green": ("tea/", "tea/shops"),
    "tea/black": ("tea/shops",),
    "tea/shops": (),
    "rice/": ("rice/red", "rice/wild"),
    "rice/red": ("rice/",),
    "rice/wild": (),
}


class Network:
    def __init__(self) -> None:
        self.open = self.most = 0
        self.begun: list[float] = []

    async def get(self, page: str) -> tuple[str, ...]:
        self.open += 1
        self.most = max(self.most, self.open)
        self.begun.append(trio.current_time())
        try:
            await trio.sleep(0.3)
            if page not in WEB:
                raise ConnectionError("no answer")
            return WEB[page]
        finally:
            self.open -= 1

    def most_in_a_second(self) -> int:
        """A request may take a moment to get here, so that a second is a little less."""
        return max(
            sum(begun <= other < begun + 0.95 for other in self.begun) for begun in self.begun
        )


network: Final = Network()


@frozen
class Page:
    url: str
    links: tuple[str, ...] = ()


@trido.action(
    "page.fetch",
    timeout=5.0,
    retry=trido.Retry(2, on=ConnectionError, backoff=trido.Backoff(min=0.5)),
    policies=[trido.Limit("network", 2), trido.Rate(4, per=1.0, name="network")],
)
async def fetch(url: str) -> Page:
    return Page(url, await network.get(url))


# The agent of one site ----------------------------------------------------------------------------


@frozen
class Site:
    seen: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    failed: tuple[str, ...] = ()


site = trido.Agent("site", state=Site, recover="committed")


@site.on("site.crawl")
def crawl(state: Site, url: str) -> trido.Decision[Site]:
    return ask_for(state, [url])


@site.on("page.fetched")
def fetched(state: Site, page: Page) -> trido.Decision[Site]:
    return ask_for(evolve(state, open=state.open - {page.url}), page.links)


@site.on("page.failed")
def failed(state: Site, why: trido.RunFailed) -> trido.Decision[Site]:
    url = why.params
    return evolve(state, open=state.open - {url}, failed=(*state.failed, url))


def ask_for(state: Site, urls: Iterable[str]) -> trido.Decision[Site]:
    new = [url for url in dict.fromkeys(urls) if url not in state.seen]
    runs = [trido.Run(fetch, url, ok="page.fetched", error="page.failed") for url in new]
    return evolve(state, seen=state.seen.union(new), open=state.open.union(new)), runs


async def main() -> None:
    async with trido.open_runtime() as rt:
        refs = [await rt.start_agent(site, id=id) for id in ("tea", "rice")]
        for ref in refs:
            await ref.call(crawl.signal(f"{ref.id}/"))
        for ref in refs:
            state = await ref.wait_for(lambda state: not state.open)
            print(f"{ref.id}: {sorted(state.seen - {*state.failed})}, not {list(state.failed)}")
    print(f"{len(network.begun)} requests, {network.most} at once at most,", end=" ")
    print(f"{network.most_in_a_second()} in a second at most")


if __name__ == "__main__":
    trido.run(main)
