"""Find out whether the runs that claimed an output have ended: from a claim's text, or because nobody renews it."""

import time

from w2vspark.base.log import get_logger, key_values
from w2vspark.output.claim_folder import Folder
from w2vspark.output.claim_holder import parse, refusal


def ended_claims(
    folder: Folder, output_uri: str, renew_seconds: float, stale_seconds: float
) -> dict[int, bytes] | None:
    """The claims of ended runs that nobody has taken away, {number: text}; None when one was taken away meanwhile.

    Raises OutputError when a run is alive. A claim that proves neither is watched for up to ``stale_seconds`` on our
    own clock: a run that renews it is alive.
    """
    ended = {}
    for number in folder.standing():
        text = _wait_for_end(folder, number, output_uri, renew_seconds, stale_seconds)
        if text is None:
            return None
        ended[number] = text
    return ended


def _wait_for_end(
    folder: Folder, number: int, output_uri: str, renew_seconds: float, stale_seconds: float
) -> bytes | None:
    seen = folder.read(number)
    if seen is None:
        return None
    holder = parse(seen.text)
    if holder is not None and holder.is_dead(seen.lock_is_free):
        return seen.text
    age = holder.age() if holder is not None and holder.locked else None
    if age is not None and age < 1.5 * renew_seconds:  # its process exists and has just renewed it
        raise refusal(output_uri, folder.uri(number), holder)
    get_logger().warning(key_values(event="waiting_for_claim", claim=folder.uri(number), at_most_seconds=stale_seconds))
    still, last = 0.0, time.monotonic()
    while still < stale_seconds:
        time.sleep(min(1, renew_seconds / 2))
        now = time.monotonic()
        still += min(now - last, renew_seconds)  # if we were paused, the holder may have been paused too
        last = now
        again = folder.read(number)
        if again is None:
            return None
        holder = parse(again.text)
        if holder is not None and holder.is_dead(again.lock_is_free):
            return again.text
        if again.text != seen.text:
            raise refusal(output_uri, folder.uri(number), holder)
    return seen.text
