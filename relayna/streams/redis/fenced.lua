-- Write to the read models of one shard, if the lease is ours and nobody has written since we read.
--
-- KEYS  1        the shard's lease
--       2        the shard's models: a hash of `revision`, which grows with each write, `checkpoint`, and the
--                names of the keys that `keep` has found to be there
--       3 ..     what is written to; all in one Cluster slot
-- ARGV  1, 2     the lease's token, '' for what needs none; the revision that was read ('' for none)
--       3        milliseconds that any key outlives this write at least
--       4        milliseconds that the models outlive it at least
--       5 ..     commands, each as: its name, the number of its key in KEYS, how many words follow, the words
-- Reply          'stored'; 'lease_lost' or 'overtaken' when nothing was done
--
-- Commands are those of the server, and five more:
--   tally        field, change, whole ..   move counts; a count of 0 goes. Where the key is not there (its
--                last row has ended), it becomes what the rows written now say
--   keep         milliseconds since 1970   let the key live for so long, and write its name down; strike out
--                the name of a key that is gone
--   outlive      milliseconds since 1970   let the key live for so long, and write nothing down
--   sweep        no words                  strike out fields, but for those named h.., that are a number and a time
--                which is over
--   trim         stream id, milliseconds   forget entries before the id, except for those that are younger
-- All is done at one moment. A server without memory refuses the first write, before anything is done; what
-- else can stop it half-way is a key of another type or a right that is missing: then clear and fold anew.
-- Needs Redis 7.0 or any Valkey.

if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'lease_lost'
end
if (redis.call('HGET', KEYS[2], 'revision') or '') ~= ARGV[2] then
  return 'overtaken'
end
redis.call('HINCRBY', KEYS[2], 'revision', 1)

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local models_until = now + tonumber(ARGV[4])
local was_there = {}

local function whole(number)
  return string.format('%.0f', number)
end

local function tally(key, from, to)
  if was_there[key] == nil then
    was_there[key] = redis.call('EXISTS', key) == 1
  end
  for at = from, to, 3 do
    local change = was_there[key] and ARGV[at + 1] or ARGV[at + 2]
    if change ~= '0' and redis.call('HINCRBY', key, ARGV[at], change) == 0 then
      redis.call('HDEL', key, ARGV[at])
    end
  end
end

local function keep(key, milliseconds)
  local ends = redis.call('PEXPIRETIME', key)
  if ends == -2 then
    redis.call('HDEL', KEYS[2], key)
    return
  end
  local wanted = math.max(tonumber(milliseconds), now) + tonumber(ARGV[3])
  if ends < wanted then
    redis.call('PEXPIREAT', key, whole(wanted))
  end
  redis.call('HSET', KEYS[2], key, '')
  models_until = math.max(models_until, wanted, ends)
end

local function outlive(key, milliseconds)
  local wanted = math.max(tonumber(milliseconds), now) + tonumber(ARGV[3])
  if redis.call('PEXPIRETIME', key) < wanted then
    redis.call('PEXPIREAT', key, whole(wanted))
  end
end

local function sweep(key)
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local ends = string.match(fields[at + 1], '^%d+ (%d+)$')
    if string.sub(fields[at], 1, 1) ~= 'h' and ends and tonumber(ends) + tonumber(ARGV[3]) < now then
      redis.call('HDEL', key, fields[at])
    end
  end
end

local function trim(key, position, milliseconds)
  local youngest = now - tonumber(milliseconds)
  if tonumber(string.match(position, '^%d+')) > youngest then
    position = whole(youngest)
  end
  redis.call('XTRIM', key, 'MINID', position)
end

local at = 5
while at <= #ARGV do
  local name, key, from = ARGV[at], KEYS[tonumber(ARGV[at + 1])], at + 3
  local to = from + tonumber(ARGV[at + 2]) - 1
  if name == 'tally' then
    tally(key, from, to)
  elseif name == 'keep' then
    keep(key, ARGV[from])
  elseif name == 'outlive' then
    outlive(key, ARGV[from])
  elseif name == 'sweep' then
    sweep(key)
  elseif name == 'trim' then
    trim(key, ARGV[from], ARGV[from + 1])
  else
    redis.call(name, key, unpack(ARGV, from, to))
  end
  at = to + 1
end

if redis.call('PEXPIRETIME', KEYS[2]) < models_until then
  redis.call('PEXPIREAT', KEYS[2], whole(models_until))
end
return 'stored'
