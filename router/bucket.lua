-- Token buckets and daily counters in Redis: what router/limits.py says, on Redis's own clock, for all processes.
--
-- A bucket is a hash: `owed`, the tokens that were taken and have not flowed back as of `at`, and `rests`, until when
-- the provider's 429 stands. Times are microseconds since 1970. A full bucket that does not rest is not kept.
--
--   take    KEYS buckets    ARGV rate burst wanted spare, for each      -> granted, wait, rest (microseconds), for each
--   give    KEYS bucket     ARGV rate tokens
--   pause   KEYS bucket     ARGV microseconds
--   count   KEYS counter    ARGV n (below 0: take back) cap seconds-to-keep    -> how many were counted

local ROUNDING = 1e-9
local MONTH = 2592000000 -- the longest that a key lives, in milliseconds

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function read(key, rate)
  local found = redis.call('HMGET', key, 'owed', 'at', 'rests')
  -- Another node's clock may be behind the one that wrote `at`: then no time has passed.
  local passed = math.max(0, now - (tonumber(found[2]) or now))
  local owed = rate > 0 and math.max(0, (tonumber(found[1]) or 0) - passed * rate / 1e6) or 0
  return owed, math.max(0, (tonumber(found[3]) or 0) - now)
end

local function keep(key, rate, owed, rest)
  local lives = math.max(rate > 0 and owed / rate * 1e3 or 0, rest / 1e3)
  if lives <= 0 then
    redis.call('DEL', key)
  else
    redis.call('HSET', key, 'owed', string.format('%.17g', owed), 'at', string.format('%.0f', now),
      'rests', string.format('%.0f', rest > 0 and now + rest or 0))
    redis.call('PEXPIRE', key, string.format('%.0f', math.min(MONTH, math.ceil(lives) + 1000)))
  end
end

local function take(key, rate, burst, wanted, spare)
  local owed, rest = read(key, rate)
  if rest > 0 then return 0, rest, rest end
  if rate <= 0 then return wanted, 0, 0 end
  burst = math.max(1, burst)
  spare = math.min(spare, burst - 1)
  local granted = math.max(0, math.min(wanted, math.floor(burst - spare - owed + ROUNDING)))
  if granted > 0 then
    owed = owed + granted
    keep(key, rate, owed, 0)
  end
  local short = owed + spare + 1 - burst
  return granted, short > ROUNDING and math.ceil(short / rate * 1e6) or 0, 0
end

local act = {}

function act.take(argument)
  local answer = {}
  for place, key in ipairs(KEYS) do
    local first = place * 4 - 3
    local granted, wait, rest =
      take(key, argument(first), argument(first + 1), argument(first + 2), argument(first + 3))
    answer[place * 3 - 2], answer[place * 3 - 1], answer[place * 3] = granted, wait, rest
  end
  return answer
end

function act.give(argument)
  local rate = argument(1)
  local owed, rest = read(KEYS[1], rate)
  keep(KEYS[1], rate, owed - argument(2), rest)
end

function act.pause(argument)
  local rests = math.max(tonumber(redis.call('HGET', KEYS[1], 'rests')) or 0, now + argument(1))
  redis.call('HSET', KEYS[1], 'rests', string.format('%.0f', rests))
  local lives = math.max(redis.call('PTTL', KEYS[1]), math.ceil((rests - now) / 1e3) + 1000)
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lives))
end

function act.count(argument)
  local counted = tonumber(redis.call('GET', KEYS[1])) or 0
  local n = argument(1)
  local granted = n < 0 and math.max(n, -counted) or math.max(0, math.min(n, argument(2) - counted))
  redis.call('SET', KEYS[1], string.format('%.0f', counted + granted), 'EX', ARGV[4])
  return granted
end

return act[ARGV[1]](function(place) return tonumber(ARGV[place + 1]) end)
