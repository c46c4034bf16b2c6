-- Reads an execution. KEYS[2] is the index of the subject, KEYS[3] the record, KEYS[4] the
-- output. ARGV[3] is the retention. The reply is the record and the output.

local text, status = settled(KEYS[2], KEYS[3], tonumber(ARGV[3]))
return {text, status == 'C' and get(KEYS[4]) or ''}
