"""Ask one question with the Anthropic SDK, through the local service, and say who answered.

    shammah service install --tcp 8317          # or: shammah serve --tcp 8317
    python examples/sdk_client.py "How do I undo my last git commit but keep the changes?"

The SDK needs two things: the address of the service, and the token in the home as its API key.
"""

# ruff: noqa: T201  it is a program for people to read, and prints

import argparse
import os
import sys
from pathlib import Path

import anthropic

HOME = Path(os.environ.get("SHAMMAH_HOME") or "~/.shammah").expanduser()


def main() -> None:
    """Ask, print the answer, and print who answered on standard error."""
    parser = argparse.ArgumentParser(description="Ask one question through the local service of shammah.")
    parser.add_argument("question")
    parser.add_argument("--base-url", default="http://127.0.0.1:8317", help="address of the service [%(default)s]")
    parser.add_argument("--token-file", type=Path, default=HOME / "token", help="file with the token [%(default)s]")
    parser.add_argument("--model", default="claude-sonnet-5-5", help="Claude model, part of the question [%(default)s]")
    given = parser.parse_args()
    try:
        client = anthropic.Anthropic(base_url=given.base_url, api_key=given.token_file.read_text().strip())
        response = client.messages.with_raw_response.create(
            model=given.model, max_tokens=1000, messages=[{"role": "user", "content": given.question}]
        )
    except OSError as error:
        sys.exit(f"The token cannot be read ({error}). Start the service: shammah serve --tcp 8317")
    except anthropic.APIConnectionError:
        sys.exit(f"Nothing answers at {given.base_url}. Start the service: shammah serve --tcp 8317")
    except anthropic.APIStatusError as error:
        sys.exit(f"The service answered {error.status_code}: {error.message}")
    message = response.parse()
    print("".join(block.text for block in message.content if block.type == "text"))

    headers = response.headers
    source = headers.get("shammah-source", "not a service of shammah")  # recall, decoder or claude
    covered = headers.get("shammah-covered", "nothing is promised")  # true, false, or no such header
    number = headers.get("shammah-query-id", "-")  # for `shammah why NUMBER`
    print(f"answered by: {source} ({message.model}); covered: {covered}; question: {number}", file=sys.stderr)


if __name__ == "__main__":
    main()
