-- Asks the pod that runs an execution to cancel it. KEYS[2] is the index of the subject,
-- KEYS[3] the record, KEYS[4] the output. ARGV[3] is the retention. The reply is the record
-- and the output.

local text, status = settled(KEYS[2], KEYS[3], tonumber(ARGV[3]))
if status == 'R' then
  text = '1R1' .. string.sub(text, 4)
  redis.call('SET', KEYS[3], text, 'KEEPTTL')
end
return {text, status == 'C' and get(KEYS[4]) or ''}
