-- Append entries to one key, where `append.lua` cannot have all of its keys on one node of a cluster.
--
-- KEYS  1        a task's stream, or a shard's feed
-- ARGV  1, 2     milliseconds it outlives this append; entries it keeps at least
--       3        'ended' when that may also be sooner than it is now, else ''
--       4        the entries' field: 'f' for frames, 't' for references
--       5 ..     the entries
-- Reply          for each entry in the order given: its stream id, or the error's text in a list of one
--
-- As in `append.lua`: an entry that fails harms no other, an expiry is moved on, and shortened only by the
-- end of the task.

local replies = {}
local appended, created = false, false

for position = 5, #ARGV do
  local id = redis.pcall('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[2], '*', ARGV[4], ARGV[position])
  if not id then
    id = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', ARGV[4], ARGV[position])
    created = created or type(id) == 'string'
  end
  if type(id) == 'table' then
    replies[#replies + 1] = { id.err }
  else
    replies[#replies + 1], appended = id, true
  end
end

if created or (appended and ARGV[3] == 'ended' and redis.call('PTTL', KEYS[1]) >= 0) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
elseif appended then
  redis.call('PEXPIRE', KEYS[1], ARGV[1], 'GT')
end

return replies
