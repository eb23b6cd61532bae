/* What Redis runs in one step. Keys of calls are made inside the scripts: one server, no cluster.
 */
#include "sinks/live/scripts.h"

#include <stddef.h>

/* KEYS[1] the hash of positions; ARGV prefix, batch (view.h), now in ms, expiry in seconds, seconds
 * for which a closed call is remembered. Nothing happens when a position is not as expected.
 * Members of the set of a business that were not heard of for the expiry are swept out as others
 * come. */
static const char WRITE[] =
    "local prefix, batch = ARGV[1], cjson.decode(ARGV[2])\n"
    "local now, expiry = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "for _, m in ipairs(batch.moves) do\n"
    "  local at = redis.call('HGET', KEYS[1], m[1]) or '-1'\n"
    "  if at ~= m[2] then\n"
    "    return redis.error_reply('CONFLICT partition ' .. m[1] .. ' is at ' .. at .. ', not ' .. "
    "m[2])\n"
    "  end\n"
    "end\n"
    "for _, m in ipairs(batch.moves) do redis.call('HSET', KEYS[1], m[1], m[3]) end\n"
    "for _, c in ipairs(batch.calls) do\n"
    "  local key, set = prefix .. 'call:' .. c.id, prefix .. 'calls:' .. c.business\n"
    "  local was = redis.call('HGET', key, 'business_id')\n"
    "  if was and was ~= c.business then redis.call('ZREM', prefix .. 'calls:' .. was, c.id) end\n"
    "  if c.closed then\n"
    "    redis.call('DEL', key)\n"
    "    redis.call('ZREM', set, c.id)\n"
    "    redis.call('SET', prefix .. 'closed:' .. c.id, '1', 'EX', ARGV[5])\n"
    "  else\n"
    "    redis.call('HSET', key, unpack(c.fields))\n"
    "    redis.call('EXPIRE', key, expiry)\n"
    "    redis.call('ZADD', set, now, c.id)\n"
    "    redis.call('ZREMRANGEBYSCORE', set, '-inf', '(' .. string.format('%.0f', now - expiry * "
    "1000))\n"
    "    redis.call('EXPIRE', set, expiry)\n"
    "  end\n"
    "end\n"
    "return 'OK'\n";

/* ARGV prefix, ids. Of each: the state that WRITE stored, 'closed', or ''. */
static const char LOAD[] =
    "local out = {}\n"
    "for i = 2, #ARGV do\n"
    "  if redis.call('EXISTS', ARGV[1] .. 'closed:' .. ARGV[i]) == 1 then\n"
    "    out[i - 1] = 'closed'\n"
    "  else\n"
    "    out[i - 1] = redis.call('HGET', ARGV[1] .. 'call:' .. ARGV[i], 'fold') or ''\n"
    "  end\n"
    "end\n"
    "return out\n";

const char *const tl_live_scripts[] = {[TL_LIVE_WRITE] = WRITE, [TL_LIVE_LOAD] = LOAD, NULL};
