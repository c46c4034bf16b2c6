-- Forgets an execution. KEYS[2] is the index of the subject, the rest are the record, which
-- comes first, the output and the chunks.

local list, latest = entries(KEYS[2])
local at = string.find(list, ';' .. string.sub(KEYS[3], -32), 1, true)
if at then
  list = string.sub(list, 1, at - 1) .. string.sub(list, at + width)
  set(KEYS[2], format('%013.0f', latest) .. list, latest - now)
end
for i = 3, #KEYS do
  drop(KEYS[i])
end
return {}
