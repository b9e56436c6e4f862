-- Which of the given commands the user of this connection may not run, words and keys included.
--
-- KEYS           none: nothing is touched, and no key need be allowed to ask
-- ARGV           for each command: how many words follow, the words
-- Reply          for each command: 1 when it may be run, 0 when not, -1 when the server does not know it
--
-- Runs none of them. Needs Redis 7.0 or any Valkey.

local answers = {}
local at = 1
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  local known, allowed = pcall(redis.acl_check_cmd, unpack(ARGV, at + 1, last))
  answers[#answers + 1] = known and (allowed and 1 or 0) or -1
  at = last + 1
end
return answers
