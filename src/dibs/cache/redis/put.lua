-- Write an entry unless a newer one is there.
-- KEYS[1]  where
-- ARGV     the entry; its row's version; milliseconds to keep it;
--          SHA-1 of an entry that was found to be forged and counts for nothing, or ''
local there = redis.pcall('GET', KEYS[1])
local believed = type(there) == 'string'
if believed and ARGV[4] ~= '' then
  believed = redis.sha1hex(there) ~= ARGV[4]
end
if believed then
  -- 24 digits of the seal come first; then JSON, whose first item is the version.
  local read, entry = pcall(cjson.decode, string.sub(there, 25))
  if read and type(entry) == 'table' and type(entry[1]) == 'number'
      and entry[1] > tonumber(ARGV[2]) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return 1
