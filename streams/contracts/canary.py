"""Which requests a canary answers. Anybody who has the topics can work it out again."""

from __future__ import annotations

import hashlib

import msgspec

from streams.contracts.records import CANARY, CHAMPION, Canary, Prediction, ShadowScore

_SPAN = 2.0**64


def takes(canary: Canary, key: bytes | None, request_id: str) -> bool:
    """Whether a canary answers a request: always the same for the same key, salt and weight.

    Args:
        canary: its weight and salt.
        key: the request's record key. Without one the request's id decides, so that only a repeated id stays where it was.
        request_id: the request's id.
    """
    return fraction(canary.salt, request_id.encode() if key is None else key) < canary.weight


def fraction(salt: str, key: bytes) -> float:
    """Return where a key lies between 0 and 1, evenly: its BLAKE2b hash of 8 bytes, keyed with the salt, over 2**64."""
    # Into the hash's own key goes a digest, because a salt may be longer than that takes.
    keyed = hashlib.blake2b(key, digest_size=8, key=hashlib.sha256(salt.encode()).digest())
    return int.from_bytes(keyed.digest()) / _SPAN


def as_champion(prediction: Prediction) -> Prediction:
    """Return a prediction as if the champion had answered it, the canary beside: as what monitors and judges compare.

    The champion of a canary's row stands among its shadows; a row where it gave no score stays as it is.
    """
    if prediction.route != CANARY:
        return prediction
    champion = next((shadow for shadow in prediction.shadows if shadow.name == CHAMPION), None)
    if champion is None:
        return prediction
    others = [shadow for shadow in prediction.shadows if shadow is not champion]
    canary = ShadowScore(CANARY, prediction.digest, prediction.score)
    return msgspec.structs.replace(
        prediction, route=CHAMPION, digest=champion.digest, score=champion.score, shadows=[canary, *others]
    )
