-- Takes one request from each bucket, or from none when one of them is spent.
--
-- KEYS are the buckets. ARGV[1] is the time in microseconds, or empty for the server's
-- clock; then come the requests per minute (the rate) and the burst of each bucket.
--
-- A bucket is the instant at which it is full again, as "micros:frac:rate": whole
-- microseconds, and a fraction of one with the rate as its denominator. All numbers are
-- integers below 2^53, so that Lua's floating point is exact. The reply is the time and
-- two numbers for each bucket, the instant at which it was full before this request.

local minute = 60000000
local floor = math.floor

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- split divides, by the rate, into whole microseconds and a fraction.
local function split(dividend, rate)
  return floor(dividend / rate), dividend % rate
end

-- read returns when a bucket is full: now when it is already, and never more than a
-- burst ahead. A fraction of another rate, of before a change of the limit, is rounded
-- up, so that nobody gains by it.
local function read(key, rate, span)
  local micros, frac, denominator = string.match(redis.call('GET', key) or '', '^(%d+):(%d+):(%d+)$')
  if not micros then
    return now, 0
  end
  micros, frac = tonumber(micros), tonumber(frac)
  if tonumber(denominator) ~= rate or frac >= rate then
    if frac > 0 then
      micros = micros + 1
    end
    frac = 0
  end
  if micros < now then
    return now, 0
  end
  local span_micros, span_frac = split(span, rate)
  if micros > now + span_micros then
    return now + span_micros, span_frac
  end
  return micros, frac
end

local reply, passes, full = {now}, true, {}
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local micros, frac = read(key, rate, minute * burst)
  reply[2 * i], reply[2 * i + 1] = micros, frac

  -- A request costs the time in which the rate allows one, and passes when that leaves
  -- the bucket no more than a burst away from being full.
  local step_micros, step_frac = split(minute, rate)
  micros, frac = micros + step_micros, frac + step_frac
  if frac >= rate then
    micros, frac = micros + 1, frac - rate
  end
  full[i] = {micros, frac, rate}
  local ahead = micros - now
  local span_micros, span_frac = split(minute * burst, rate)
  if ahead > span_micros or ahead == span_micros and frac > span_frac then
    passes = false
  end
end

if passes then
  for i, key in ipairs(KEYS) do
    local micros, frac, rate = unpack(full[i])
    -- Redis expires keys by whole milliseconds of a clock that it reads now and then. A
    -- second more makes sure that no bucket is gone before it is full.
    local ttl = floor((micros - now) / 1000) + 1000
    redis.call('SET', key, string.format('%.0f:%.0f:%.0f', micros, frac, rate), 'PX', ttl)
  end
end
return reply
