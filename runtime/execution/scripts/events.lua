-- Reads an execution and its events after one. KEYS[2] is the index of the subject, KEYS[3]
-- the record, and the rest are the chunks from the one on that the next event is in.
-- ARGV[3] is the retention, ARGV[4] the number of that one event. The reply is the record
-- and the first chunk that there is.

local text = settled(KEYS[2], KEYS[3], tonumber(ARGV[3]))
local last = string.match(text, '^1%u%d%x+ %d+ (%d+)\n')
if last and tonumber(last) > tonumber(ARGV[4]) then
  for i = 4, #KEYS do
    local chunk = get(KEYS[i])
    if chunk ~= '' then
      return {text, chunk}
    end
  end
end
return {text, ''}
