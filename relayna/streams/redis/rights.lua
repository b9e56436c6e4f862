-- Which of the commands that relayna uses the user of this connection may not run on these keys.
--
-- KEYS  1        a shard's feed
--       2        a stream of that shard
--       3        where a stream of that shard is sealed; all in one Cluster slot
-- Reply          the commands that are refused, in capitals
--
-- Runs none of them. Needs Redis 7.0 or any Valkey.

local wanted = {
  { 'PING' }, { 'TIME' }, { 'EXISTS', KEYS[2] }, { 'PTTL', KEYS[2] }, { 'PEXPIRETIME', KEYS[2] },
  { 'XADD', KEYS[2], '*', 'f', '' }, { 'XADD', KEYS[1], '*', 't', '' },
  { 'PEXPIRE', KEYS[2], '1', 'GT' }, { 'PEXPIRE', KEYS[1], '1', 'GT' },
  { 'XRANGE', KEYS[2], '-', '+' }, { 'XRANGE', KEYS[1], '-', '+' }, { 'XREVRANGE', KEYS[2], '+', '-' },
  { 'XINFO', 'STREAM', KEYS[2] }, { 'XLEN', KEYS[2] }, { 'XSETID', KEYS[2], '1-0' },
  { 'COPY', KEYS[2], KEYS[3] }, { 'RENAME', KEYS[3], KEYS[2] },
  { 'GET', KEYS[1] }, { 'SET', KEYS[1], '1', 'NX' },
  { 'SCAN', '0' }, { 'INFO' }, { 'MULTI' }, { 'EXEC' },
}

local refused, told = {}, {}
for _, command in ipairs(wanted) do
  if not redis.acl_check_cmd(unpack(command)) and not told[command[1]] then
    refused[#refused + 1], told[command[1]] = command[1], true
  end
end
return refused
