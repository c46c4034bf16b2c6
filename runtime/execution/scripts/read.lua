-- Reads executions of a subject. KEYS[2] is the index of the subject, the rest are records.
-- ARGV[3] is the retention. The reply has the text of each record, empty when there is none.

local reply = {}
for i = 3, #KEYS do
  reply[i - 2] = settled(KEYS[2], KEYS[i], tonumber(ARGV[3]))
end
return reply
