"""Tasks of a small shop, for the tests of the harness."""

from dataclasses import dataclass

from mainspring import Queue, RateLimit, RetryRun, task

sent: list[str] = []
slow = Queue("slow", rate=RateLimit(1, "1m"))


@dataclass
class Order:
    id: int
    email: str


@task
async def send_receipt(order: Order) -> str:
    await deliver(order.email)
    return "ok"


async def deliver(address: str) -> None:
    sent.append(address)


@task
async def fulfil(order: Order) -> list[str]:
    shrink = await resize.trigger(f"{order.id}.png", width=200)
    receipt = await send_receipt.trigger(order)
    return [await shrink.result(), await receipt.result()]


@task
def resize(path: str, width: int) -> str:
    return scaled(path, width)


def scaled(path: str, width: int) -> str:
    return f"{path}@{width}"


@task(queue=slow)
async def paced(n: int) -> int:
    return n


@task
async def twice() -> str:
    if not sent:
        sent.append("first")
        raise RetryRun(after="1h")
    return "second"
