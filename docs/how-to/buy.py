"""Buy over HTTP: ``python buy.py URL ITEM ...``."""

from __future__ import annotations

import sys

import httpx  # noqa: ASYNC127  it is what most programs use


def main(url: str, *items: str) -> None:
    """Print what each item came to."""
    with httpx.Client(base_url=url) as client:
        for item in items:
            answer = client.post(f"/sell/{item}")
            print(item, answer.status_code, answer.text)


if __name__ == "__main__":
    main(*sys.argv[1:])
