-- Store a stream again in no more memory than its entries take: what is left free for appends goes.
--
-- KEYS  1        the stream
--       2        a key that exists only during this call; in the stream's Cluster slot
-- ARGV  1        milliseconds for which the stream must have been quiet, by the server's clock
--       2        frames that it may hold: more take long to copy, and have less to gain
-- Reply          'sealed', 'absent', 'busy' or 'large'
--
-- Ids, the count of entries ever added and the expiry stay as they are, and so does everyone who waits for
-- an entry; a later append is as any other. Sealing again changes nothing. Needs Redis 7.0 or any Valkey.

local length = redis.call('XLEN', KEYS[1])
if length == 0 then
  return 'absent'
end
if length > tonumber(ARGV[2]) then
  return 'large'
end

local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if now - tonumber(string.match(newest, '^%d+')) < tonumber(ARGV[1]) then
  return 'busy'
end

redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')
redis.call('RENAME', KEYS[2], KEYS[1])
return 'sealed'
