"""How many requests a key may make.

A bucket for each key that fills evenly, kept by the broker so that all API processes share it, as one moment in time: when the
bucket would be full (the generic cell rate algorithm). If the broker is away, everybody may pass: it limits greed, and is no lock.
"""

import logging
import time

import redis

from records.errors import RateError
from records.queue import redis_url

logger = logging.getLogger(__name__)

_TAKE = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local each, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or at), at)
local after = full + each
if after - at > depth then
  return {0, tostring(full - at), tostring(after - at - depth)}
end
redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - at) * 1000) + 1000)
return {1, tostring(after - at), '0'}
"""
_AT_ONCE = 10
"""A key may use up this part of a minute's requests at once."""
_PATIENCE = 0.2
_AWAY = 5.0


class Limiter:
    """Counts requests.

    Args:
        broker: URL of Redis or Valkey.
        per_minute: requests of one key; 0 for any number.
    """

    def __init__(self, broker: str, per_minute: int) -> None:
        self._most = max(1, per_minute // _AT_ONCE)
        self._each = 60 / per_minute if per_minute else 0.0
        connection = redis.Redis.from_url(redis_url(broker), socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE)
        self._take = connection.register_script(_TAKE)
        self._away_until = 0.0

    def take(self, key_id: str) -> dict[str, str]:
        """Count one request. Gives the headers that tell how many are left.

        Raises:
            RateError: there were too many; its `retry_after` says when the next may come.
        """
        if not self._each or time.monotonic() < self._away_until:
            return {}
        try:
            passed, used, wait = self._take(keys=[f"pretext:rate:{key_id}"], args=[self._each, self._most * self._each])
        except redis.RedisError as error:
            logger.warning("the broker is away (%s); requests are not counted", error)
            self._away_until = time.monotonic() + _AWAY
            return {}
        left = int(self._most - float(used) / self._each + 1e-6)
        headers = {
            "RateLimit-Limit": str(self._most),
            "RateLimit-Remaining": str(max(0, left)),
            "RateLimit-Reset": str(int(float(used)) + 1),
        }
        if not passed:
            raise RateError(retry_after=float(wait), headers=headers)
        return headers
