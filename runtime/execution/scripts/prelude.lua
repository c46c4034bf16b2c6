-- What the scripts below share; it is put in front of each. They call nothing but GET, SET
-- and TIME, so that a Redis that serves limits serves executions with the same rights, and
-- touch no key that is not in KEYS.
--
-- KEYS[1] is the table of pods. ARGV[1] is the time in milliseconds, or empty for the
-- server's clock. ARGV[2] is the lease: how long after its last beat a pod counts as alive.

local floor, format = math.floor, string.format

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end
local lease = tonumber(ARGV[2])

local function get(key)
  return redis.call('GET', key) or ''
end

local function set(key, value, ms)
  redis.call('SET', key, value, 'PX', format('%.0f', math.max(ms, 1)))
end

local function drop(key)
  set(key, '', 1)
end

-- The table of pods is "SINCE/LAST" and a line "POD:BEAT" for each: since when pods beat
-- without a gap, when one did last, and when each did. A gap is one of all pods: Redis was
-- away, or everybody was. It says nothing against any of them, so nobody is given up until
-- all had a lease's time to beat again.

-- remembered is how long a pod that is gone stays in the table.
local remembered = 3600000

local function pods()
  local text = get(KEYS[1])
  local since, last = string.match(text, '^(%d+)/(%d+)\n')
  since, last = tonumber(since), tonumber(last)
  local steady = last and math.abs(now - last) <= lease / 3
  return text, steady and since
end

local function beat(pod)
  local text, since = pods()
  local lines = {format('%.0f/%.0f\n', since or now, now), format('%s:%.0f\n', pod, now)}
  for other, at in string.gmatch(text, '(%x+):(%d+)\n') do
    if other ~= pod and now - at < remembered then
      lines[#lines + 1] = other .. ':' .. at .. '\n'
    end
  end
  set(KEYS[1], table.concat(lines), remembered)
end

-- gone says whether a pod has not beaten for a lease, although others could.
local function gone(pod)
  local text, since = pods()
  if not since or now - since < lease then
    return false
  end
  local at = string.match(text, pod .. ':(%d+)\n')
  return not at or now - at > lease
end

-- The index of a subject has an entry for each of its executions, in the order of their
-- beginnings: ";", the id, r while it runs or x, and when it expires. In front of them is
-- when the last one does.

local width = 47

local function entries(key)
  local text = get(key)
  return string.sub(text, 14), tonumber(string.sub(text, 1, 13)) or 0
end

-- enter adds an entry, or replaces it.
local function enter(key, id, state, expires)
  local list, latest = entries(key)
  local entry = ';' .. id .. state .. format('%013.0f', expires)
  local at = string.find(list, ';' .. id, 1, true)
  if at then
    list = string.sub(list, 1, at - 1) .. entry .. string.sub(list, at + width)
  else
    list = list .. entry
  end
  latest = math.max(latest, expires)
  set(key, format('%013.0f', latest) .. list, latest - now)
end

-- A record is "1", a letter for the status, 1 when it is to be canceled or else 0, the pod,
-- the time of its end or 0, the number of its last event and, after a line feed, what no
-- script needs to know. The letter ? stands for one that only another version can read.

local function head(text)
  if text == '' then
    return ''
  end
  local status, asked, pod, rest = string.match(text, '^1(%u)([01])(%x+) %d+( %d+\n.*)$')
  return status or '?', asked, pod, rest
end

-- settled reads a record. When it still runs on a pod that is gone it ends here, with the
-- letter L, and is kept for the retention.
local function settled(index, key, retention)
  local text = get(key)
  local status, asked, pod, rest = head(text)
  if status ~= 'R' or not gone(pod) then
    return text, status
  end
  text = format('1L%s%s %.0f', asked, pod, now) .. rest
  set(key, text, retention)
  enter(index, string.sub(key, -32), 'x', now + retention)
  return text, 'L'
end
