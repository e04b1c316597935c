"""Any number of children of one kind, added and removed while the program runs.

Watch for: a transient child that is done leaves by itself, one that crashes is started again, and
the pool takes no more than ``max_children``.

It prints::

    download('a') begins, run 1
    download('b') begins, run 1
    not now: supervisor 'downloads' has its max_children=2 already
    download('a') is done
    download('b') begins, run 2
    in the pool: download-2
    download('b') is done
    in the pool: nobody
"""

import trio

import trido


async def download(name: str, *, task_status: trio.TaskStatus[None]) -> None:
    run = trido.current_child().incarnation
    print(f"download({name!r}) begins, run {run}")
    task_status.started()
    await trio.sleep(1 if name == "a" else 2)
    if name == "b" and run == 1:
        raise ConnectionError("the server hung up")
    print(f"download({name!r}) is done")


def members(sup: trido.DynamicSupervisor[str]) -> str:
    return ", ".join(child.id for child in sup.children()) or "nobody"


async def main() -> None:
    async with trido.open_dynamic_supervisor(
        download, id="downloads", restart="transient", max_children=2
    ) as sup:
        await sup.start_child("a")
        await sup.start_child("b")
        try:
            await sup.start_child("c")
        except trido.MaxChildren as error:
            print(f"not now: {error}")
        await trio.sleep(3)
        print(f"in the pool: {members(sup)}")
        await trio.sleep(2)
        print(f"in the pool: {members(sup)}")


if __name__ == "__main__":
    trido.run(main)
