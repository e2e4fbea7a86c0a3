-- Add to a count that runs out, and begin it where there is none.
-- KEYS[1]  whose
-- ARGV     how much to add (0 only asks, less takes back); milliseconds that a new one lives
local amount, lives = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left > 0 then
  local number = redis.pcall('INCRBY', KEYS[1], amount)
  if type(number) == 'number' then
    return {number, left}
  end
end
-- Absent, or without an end, or no number: none of these was left there by this script.
if amount <= 0 then
  return {0, 0}
end
redis.call('SET', KEYS[1], amount, 'PX', lives)
return {amount, lives}
