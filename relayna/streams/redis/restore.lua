-- Bring frames back as they were, with their ids, into a stream that is not there.
--
-- KEYS  1        the shard's feed
--       2        the stream; in the feed's Cluster slot
-- ARGV  1        the id that the stream's newest frame must have: '' when there must be no stream
--       2        milliseconds the stream outlives this
--       3, 4, 5  milliseconds the feed outlives it; references it keeps at least; the stream's reference
--       6        how many frames were ever added to the stream, with these
--       7 ..     for each frame, oldest first: its id, the frame
-- Reply          how many frames were added; -1 when the stream is not as it must be, and nothing was done
--
-- Long streams come in several calls. An expiry is set with the first one. Needs Redis 7.0 or any Valkey.

local newest = ''
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for at = 1, #info, 2 do
    if info[at] == 'last-generated-id' then
      newest = info[at + 1]
    end
  end
end
if newest ~= ARGV[1] then
  return -1
end

local id
for position = 7, #ARGV, 2 do
  id = redis.call('XADD', KEYS[2], ARGV[position], 'f', ARGV[position + 1])
end
redis.call('XSETID', KEYS[2], id, 'ENTRIESADDED', ARGV[6])

if newest == '' then
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  local created = redis.call('EXISTS', KEYS[1]) == 0
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 't', ARGV[5])
  if created then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
  else
    redis.call('PEXPIRE', KEYS[1], ARGV[3], 'GT')
  end
end
return (#ARGV - 6) / 2
