-- What is true of one stream, without any of its entries.
--
-- KEYS  1        the stream
-- Reply          { length, entries added, last id, PTTL, first id or '' }; nothing where no stream lies
--
-- Writes nothing. Needs Redis 7.0 or any Valkey.

local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then
  if string.find(info.err, 'no such key', 1, true) or string.find(info.err, 'WRONGTYPE', 1, true) then
    return false
  end
  return info
end
local told = {}
for at = 1, #info, 2 do
  told[info[at]] = info[at + 1]
end
local first = told['first-entry']
return {
  told['length'], told['entries-added'], told['last-generated-id'], redis.call('PTTL', KEYS[1]), first and first[1] or '',
}
