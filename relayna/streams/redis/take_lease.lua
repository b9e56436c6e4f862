-- Take the right to write the read models of one shard, or keep it for longer.
--
-- KEYS  1        the lease
-- ARGV  1        who asks; names one process at one time
--       2        milliseconds for which it is theirs
-- Reply          the lease's token, or nothing when it is somebody else's
--
-- The token is `owner:microseconds`: renewing keeps it, taking the lease anew makes another. Needs Redis 7.0
-- or any Valkey.

local token = redis.call('GET', KEYS[1])
if token and string.match(token, '^(.*):%d+$') ~= ARGV[1] then
  return false
end
if not token then
  local clock = redis.call('TIME')
  token = ARGV[1] .. ':' .. clock[1] .. string.format('%06d', tonumber(clock[2]))
end
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
