"""N completions through a plain `AsyncOpenAI`, 32 at a time: URL N TRANSPORT."""

import asyncio
import sys

from openai import AsyncOpenAI, DefaultAioHttpClient, DefaultAsyncHttpxClient


async def main(url: str, count: int, transport: str) -> None:
    """Workers that share one iterator."""
    http = DefaultAioHttpClient() if transport == "aiohttp" else DefaultAsyncHttpxClient()
    client = AsyncOpenAI(api_key="none", base_url=url, max_retries=0, http_client=http)
    todo = iter(range(count))

    async def work() -> None:
        for number in todo:
            await client.chat.completions.create(
                model="procedural",
                messages=[{"role": "user", "content": f"Write a passage about topic {number}."}],
                temperature=0.0,
                max_tokens=400,
            )

    await asyncio.gather(*(work() for _ in range(32)))
    await client.close()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
