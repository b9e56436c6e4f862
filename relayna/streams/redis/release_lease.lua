-- Give up the right to write the read models of one shard.
--
-- KEYS  1        the lease
-- ARGV  1        its token
-- Reply          1, or 0 when it was not ours any more, and was left alone

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
