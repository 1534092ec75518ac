"""Where an owner's memory lies in Redis, and the scripts that change it in one step.

Everything of an owner shares one hash tag (its partition), so that the scripts stay legal in a
Redis Cluster. Only cache keys carry a TTL: no eviction policy that spares the others takes a turn.

    yychat:v1:{pNN}:outbox          stream  the partition's jobs that are not delivered yet
    yychat:v1:{pNN}:states          hash    due, by, until, attempts of those jobs
    yychat:v1:{pNN}:dead            hash    job id -> job that was given up
    yychat:v1:{pNN}:erased          hash    tenant -> when everything of it was erased
    yychat:v1:{pNN}:meta:OWNER      hash    epoch, gen, seq, erased_at; mem0: counts the changes
                                            of what mem0 has of the owner
    yychat:v1:{pNN}:turns:OWNER     hash    turn id -> stored turn
    yychat:v1:{pNN}:order:OWNER     zset    turn id by seq
    yychat:v1:{pNN}:pending:OWNER   hash    job id -> turn on its way to the native memory, empty
                                            for another; @job id -> its stream entry
    yychat:v1:owners:TENANT         set     owner keys, for erasing a tenant
    yychat:v1:active                set     partitions that may have jobs
    yychat:v1:secret                string  fingerprint of the owner secret that all share

Jobs for mem0 lie under :mem0:outbox, :mem0:states, :mem0:dead, :mem0:pending:OWNER beside them, and
their partitions in active:mem0; see outbox_redis.py.
"""

import zlib
from functools import cache

PARTITIONS = 64
GROUP = "workers"
ACTIVE = "yychat:v1:active"
SECRET = "yychat:v1:secret"


def partition_of(owner: str) -> int:
    return zlib.crc32(owner.encode()) % PARTITIONS


@cache
def tag(partition: int) -> str:
    return f"yychat:v1:{{p{partition:02d}}}"


def outbox(partition: int) -> str:
    return f"{tag(partition)}:outbox"


def dead(partition: int) -> str:
    return f"{tag(partition)}:dead"


def states(partition: int) -> str:
    return f"{tag(partition)}:states"


def erased(partition: int) -> str:
    return f"{tag(partition)}:erased"


def of_owner(what: str, owner: str) -> str:
    """The key of *what* (meta, turns, order, pending) of one owner."""
    return f"{tag(partition_of(owner))}:{what}:{owner}"


def of_any(what: str) -> str:
    """A pattern for the keys of *what*, of all owners."""
    return f"yychat:v1:{{p*}}:{what}:*"


def owners(tenant: str) -> str:
    return f"yychat:v1:owners:{tenant}"


# A fresh owner's epoch and generation begin at a random number (the caller's): were Redis emptied,
# counting from one again could make a warm index believe that nothing had changed.
_BORN = """
local function born(meta, seed)
  if redis.call('HSETNX', meta, 'epoch', seed) == 1 then redis.call('HSETNX', meta, 'gen', seed) end
end
"""

_GONE = """
local function gone(meta, marks, tenant, at)
  local own, all = redis.call('HGET', meta, 'erased_at'), redis.call('HGET', marks, tenant)
  return math.max(tonumber(own or -1), tonumber(all or -1)) >= tonumber(at)
end
"""

# Puts a job into its partition's stream, and its entry's id where an erasure finds it. Entries are
# read by position: id, who, job.
_ENQUEUE = """
local function enqueue(outbox, pending, id, who, job, now)
  local time = redis.call('TIME')
  local entry = redis.call(
    'XADD', outbox, '*', 'id', id, 'who', who, 'job', job, 'put_at', now,
    'order', string.format('%.0f', time[1] * 1000000 + time[2]))
  redis.call('HSET', pending, '@' .. id, entry)
end
"""

# KEYS outbox, pending, meta, erased   ARGV job id, job, turn, at, seed, who, now, tenant
# Gives -1 for a turn that was answered before an erasure.
PUT = (
    _BORN
    + _GONE
    + _ENQUEUE
    + """
if gone(KEYS[3], KEYS[4], ARGV[8], ARGV[4]) then return -1 end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[3]) == 0 then return 0 end
born(KEYS[3], ARGV[5])
enqueue(KEYS[1], KEYS[2], ARGV[1], ARGV[6], ARGV[2], ARGV[7])
redis.call('HINCRBY', KEYS[3], 'gen', 1)
return 1
"""
)

# KEYS meta, turns, order, erased   ARGV turn id, stored turn, at, keep, seed, tenant
# Gives -1 for a turn that was answered before an erasure.
APPEND = (
    _BORN
    + _GONE
    + """
if gone(KEYS[1], KEYS[4], ARGV[6], ARGV[3]) then return -1 end
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then return 0 end
born(KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[1], 'seq', 1), ARGV[1])
redis.call('HINCRBY', KEYS[1], 'gen', 1)
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[4])
if over > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[3], over)
  for i = 1, #oldest, 2 do redis.call('HDEL', KEYS[2], oldest[i]) end
end
return 1
"""
)

# KEYS meta, turns, order, pending   ARGV epoch, gen, after
# Gives {epoch, gen} where nothing changed, else {epoch, gen, seqs, stored turns, pending turns}.
LOOK = """
local now = redis.call('HMGET', KEYS[1], 'epoch', 'gen')
local epoch, gen = now[1] or '0', now[2] or '0'
if epoch == ARGV[1] and gen == ARGV[2] then return {epoch, gen} end
local after = epoch == ARGV[1] and ARGV[3] or '0'
local found = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. after, '+inf', 'WITHSCORES')
local seqs, turns, pending = {}, {}, {}
for i = 1, #found, 2 do
  local turn = redis.call('HGET', KEYS[2], found[i])
  if turn then seqs[#seqs + 1] = found[i + 1]; turns[#turns + 1] = turn end
end
local waiting = redis.call('HGETALL', KEYS[4])
for i = 1, #waiting, 2 do
  if string.sub(waiting[i], 1, 1) ~= '@' and waiting[i + 1] ~= '' then
    pending[#pending + 1] = waiting[i + 1]
  end
end
return {epoch, gen, seqs, turns, pending}
"""

# KEYS meta, turns, order, pending, outbox, dead, states   ARGV at, seed, group
# Forgets everything of an owner; gives how many turns that were.
ERASE = (
    _BORN
    + """
local ids = {}
for _, id in ipairs(redis.call('HKEYS', KEYS[2])) do ids[id] = true end
local waiting = redis.call('HGETALL', KEYS[4])
for i = 1, #waiting, 2 do
  if string.sub(waiting[i], 1, 1) == '@' then
    redis.call('XACK', KEYS[5], ARGV[3], waiting[i + 1])
    redis.call('XDEL', KEYS[5], waiting[i + 1])
  else
    local id = waiting[i]
    ids[id] = true
    redis.call('HDEL', KEYS[6], id)
    redis.call('HDEL', KEYS[7], id .. ':due', id .. ':by', id .. ':until', id .. ':attempts')
  end
end
redis.call('DEL', KEYS[2], KEYS[3], KEYS[4])
born(KEYS[1], ARGV[2])
redis.call('HSET', KEYS[1], 'erased_at', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HINCRBY', KEYS[1], 'gen', 1)
local count = 0
for _ in pairs(ids) do count = count + 1 end
return count
"""
)

# What is delivered leaves the stream, so that a stream is what still waits, in order. The consumer
# group says in whose hands an entry is; how long, and when it is due, stands in the hash of states.

# KEYS meta, turns, order, pending, outbox, dead, states   ARGV at, seed, group
# Forgets again what an owner's erasure at that time had reached: a restored backup, or a late
# delivery, may have brought it back. What was answered later stays.
ERASE_AGAIN = (
    _BORN
    + """
local erased = tonumber(redis.call('HGET', KEYS[1], 'erased_at') or -1)
local at, count = tonumber(ARGV[1]), 0
if erased >= at then return 0 end
local turns = redis.call('HGETALL', KEYS[2])
for i = 1, #turns, 2 do
  if cmsgpack.unpack(turns[i + 1]).turn.at <= at then
    redis.call('HDEL', KEYS[2], turns[i])
    redis.call('ZREM', KEYS[3], turns[i])
    count = count + 1
  end
end
local waiting = redis.call('HGETALL', KEYS[4])
for i = 1, #waiting, 2 do
  local id, raw = waiting[i], waiting[i + 1]
  if string.sub(id, 1, 1) ~= '@' and raw ~= '' and cmsgpack.unpack(raw).at <= at then
    local entry = redis.call('HGET', KEYS[4], '@' .. id)
    if entry then
      redis.call('XACK', KEYS[5], ARGV[3], entry)
      redis.call('XDEL', KEYS[5], entry)
    end
    redis.call('HDEL', KEYS[4], id, '@' .. id)
    redis.call('HDEL', KEYS[6], id)
    redis.call('HDEL', KEYS[7], id .. ':due', id .. ':by', id .. ':until', id .. ':attempts')
    count = count + 1
  end
end
born(KEYS[1], ARGV[2])
redis.call('HSET', KEYS[1], 'erased_at', ARGV[1])
if count > 0 then
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  redis.call('HINCRBY', KEYS[1], 'gen', 1)
end
return count
"""
)

# KEYS outbox, states   ARGV group, worker, now, until, limit, window
# Gives {job, attempts} for everything taken: due, in nobody else's hands, and with no earlier
# entry of the same owner and memory left behind.
CLAIM = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local group, worker, now = ARGV[1], ARGV[2], tonumber(ARGV[3])
redis.pcall('XGROUP', 'CREATE', KEYS[1], group, '0')
redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', ARGV[6], 'STREAMS', KEYS[1], '>')
local blocked, taken = {}, {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[6])) do
  local id, who, job = entry[2][2], entry[2][4], entry[2][6]
  local state = redis.call('HMGET', KEYS[2], id .. ':due', id .. ':by', id .. ':until')
  local free = tonumber(state[1] or 0) <= now
    and (tonumber(state[3] or -1) < now or state[2] == worker)
  if free and not blocked[who] and #taken < tonumber(ARGV[5]) then
    redis.call('XCLAIM', KEYS[1], group, worker, 0, entry[1], 'JUSTID')
    redis.call('HSET', KEYS[2], id .. ':by', worker, id .. ':until', ARGV[4])
    taken[#taken + 1] = {job, redis.call('HINCRBY', KEYS[2], id .. ':attempts', 1)}
  else
    blocked[who] = true
  end
end
return taken
"""

# KEYS outbox, states   ARGV worker, now, until, window
RENEW = """
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[4])) do
  local id = entry[2][2]
  local state = redis.call('HMGET', KEYS[2], id .. ':by', id .. ':until')
  if state[1] == ARGV[1] and tonumber(state[2] or -1) >= tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[2], id .. ':until', ARGV[3])
  end
end
return 1
"""

_FORGET = """
local function forget(outbox, pending, states, group, id)
  local entry = redis.call('HGET', pending, '@' .. id)
  if not entry then return false end
  redis.call('XACK', outbox, group, entry)
  redis.call('XDEL', outbox, entry)
  redis.call('HDEL', pending, '@' .. id)
  redis.call(
    'HDEL', states, id .. ':due', id .. ':by', id .. ':until', id .. ':attempts')
  return true
end
"""

# KEYS outbox, pending, states   ARGV group, job id
DONE = (
    _FORGET
    + """
forget(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
return redis.call('HDEL', KEYS[2], ARGV[2])
"""
)

# KEYS outbox, pending, states, dead   ARGV group, job id, job
# A dead letter stays among the pending: what was answered is recalled, delivered or not.
BURY = (
    _FORGET
    + """
if forget(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then
  redis.call('HSET', KEYS[4], ARGV[2], ARGV[3])
end
return 1
"""
)

# KEYS states, pending   ARGV job id, due, attempts
RETRY = """
if redis.call('HEXISTS', KEYS[2], '@' .. ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[1] .. ':due', ARGV[2], ARGV[1] .. ':attempts', ARGV[3],
    ARGV[1] .. ':until', -1)
end
return 1
"""

# KEYS outbox, pending, dead   ARGV job id, job, turn, who, now
# A dead letter back among the living.
REVIVE = (
    _ENQUEUE
    + """
if redis.call('HDEL', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
enqueue(KEYS[1], KEYS[2], ARGV[1], ARGV[4], ARGV[2], ARGV[5])
return 1
"""
)

# KEYS dead, pending, meta   ARGV job id
DROP = """
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'epoch', 1)
redis.call('HINCRBY', KEYS[3], 'gen', 1)
return 1
"""

# KEYS meta, turns, order   ARGV before
# Lets the oldest go that were answered before; gives how many.
EXPIRE = """
local gone = 0
while true do
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
  if not oldest then return gone end
  local raw = redis.call('HGET', KEYS[2], oldest)
  if raw and cmsgpack.unpack(raw).turn.at >= tonumber(ARGV[1]) then return gone end
  redis.call('ZREM', KEYS[3], oldest)
  redis.call('HDEL', KEYS[2], oldest)
  gone = gone + 1
end
"""
