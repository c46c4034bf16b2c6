-- Writes an execution of this pod: a new one, what happened since, or its end.
--
-- KEYS[2] is the index of the subject, KEYS[3] the record, KEYS[4] the output, and the rest
-- are chunks of events. ARGV[3] is how long to keep them, [4] the pod, [5] the status, [6]
-- the time of the end, [7] the last event, [8] what else is in the record, [9] the output,
-- or empty. [10] is how many executions a subject may have, when this is a new one, or
-- empty. [11...] are the values of the chunks; an empty one stays as it is, and is kept as
-- long as the rest.
--
-- The reply is a mark as in beat.lua, or f when there is no room for a new one; and the id
-- of the execution that had to go to make room, or empty.

local keep, pod, status, bound = tonumber(ARGV[3]), ARGV[4], ARGV[5], tonumber(ARGV[10])
local index, record, output = KEYS[2], KEYS[3], KEYS[4]

-- room takes from the index, when it is full, the first execution that has expired or ended;
-- the latter has to go.
local function room()
  local list, latest = entries(index)
  if #list / width < bound then
    return true, ''
  end
  for at = 1, #list, width do
    local entry = string.sub(list, at, at + width - 1)
    local state, expired = string.sub(entry, 34, 34), tonumber(string.sub(entry, 35)) <= now
    if expired or state == 'x' then
      list = string.sub(list, 1, at - 1) .. string.sub(list, at + width)
      set(index, format('%013.0f', latest) .. list, latest - now)
      return true, expired and '' or string.sub(entry, 2, 33)
    end
  end
  return false, ''
end

local victim = ''
local before, asked = head(get(record))
if bound then
  local free
  free, victim = room()
  if not free then
    return {'f', ''}
  end
  beat(pod)
elseif before ~= '' and before ~= 'R' then
  return {'s', ''}
end

set(record, '1' .. status .. (asked or '0') .. pod .. ' ' .. ARGV[6] .. ' ' .. ARGV[7] .. '\n' .. ARGV[8], keep)
if ARGV[9] ~= '' then
  set(output, ARGV[9], keep)
end
for i = 5, #KEYS do
  local value = ARGV[i + 6]
  if value == '' then
    value = get(KEYS[i])
  end
  if value ~= '' then
    set(KEYS[i], value, keep)
  end
end
if status ~= 'R' then
  enter(index, string.sub(record, -32), 'x', now + keep)
elseif before == '' then
  enter(index, string.sub(record, -32), 'r', now + keep)
end
return {asked == '1' and 'a' or 'g', victim}
