-- Find the leaves of an index in which members lie, or would lie.
--
-- KEYS  1        the index: a sorted set of leaves, all scores 0, each of which begins with its first member
-- ARGV  1 ..     members, in their order
-- Reply          the leaves, in order, each once: for each member the last one that does not begin after it, and for
--                those before all leaves the first of all; none when there is none
--
-- Reads only. Needs Redis 7.0 or any Valkey.

local found = {}
local last = nil
for number = 1, #ARGV do
  -- 0xFF is after whatever follows the first member of a leaf.
  local leaf = redis.call('ZRANGE', KEYS[1], '(' .. ARGV[number] .. '\255', '-', 'BYLEX', 'REV', 'LIMIT', 0, 1)[1]
    or redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if leaf and leaf ~= last then
    found[#found + 1] = leaf
    last = leaf
  end
end
return found
