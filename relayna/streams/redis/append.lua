-- Append frames to streams of one shard, and leave a reference to each stream in the shard's feed.
--
-- KEYS  1        the shard's feed
--       2 ..     the streams, each named once; all in the feed's Cluster slot
-- ARGV  1, 2     milliseconds a stream outlives this append; frames it keeps at least
--       3        milliseconds it outlives this append when its task goes on
--       4, 5     milliseconds the feed outlives this append; references it keeps at least
--       6 ..     for each stream in the order of KEYS: its reference, what its frames tell of the task
--                ('open', 'ended' or ''), how many frames follow, the frames
-- Reply 1        '' or, when references could not be left, the error's text
--       2 ..     for each frame in the order given: its stream id, or the error's text in a list of one
--
-- A frame that fails harms no other. Ids are the server's. An expiry is moved on, and shortened only by
-- the end of the task (docs/decisions/0011-open-tasks-are-kept-longer.md); a stream without one was
-- persisted by hand and stays so. Needs Redis 7.0 or any Valkey.

local function add(key, fuse, field, value)
  local id = redis.pcall('XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', fuse, '*', field, value)
  if id then
    return id, false
  end
  return redis.pcall('XADD', key, 'MAXLEN', '~', fuse, '*', field, value), true
end

local function keep(key, milliseconds, created)
  if created then
    redis.call('PEXPIRE', key, milliseconds)
  else
    redis.call('PEXPIRE', key, milliseconds, 'GT')
  end
end

local function keep_ended(key, milliseconds, created)
  if created or redis.call('PTTL', key) >= 0 then
    redis.call('PEXPIRE', key, milliseconds)
  end
end

local replies = { '' }
local referred, feed_created = false, false
local at = 6

for number = 2, #KEYS do
  local key, reference, tells, count = KEYS[number], ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local appended, created = false, false
  for position = at + 3, at + 2 + count do
    local id, is_new = add(key, ARGV[2], 'f', ARGV[position])
    if type(id) == 'table' then
      replies[#replies + 1] = { id.err }
    else
      replies[#replies + 1] = id
      appended, created = true, created or is_new
    end
  end
  at = at + 3 + count
  if appended then
    if tells == 'ended' then
      keep_ended(key, ARGV[1], created)
    else
      keep(key, tells == 'open' and ARGV[3] or ARGV[1], created)
    end
    local id, is_new = add(KEYS[1], ARGV[5], 't', reference)
    if type(id) == 'table' then
      replies[1] = id.err
    else
      referred, feed_created = true, feed_created or is_new
    end
  end
end

if referred then
  keep(KEYS[1], ARGV[4], feed_created)
end

return replies
