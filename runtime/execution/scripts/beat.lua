-- Says that a pod is alive, and of each execution that it runs how that stands: m when
-- there is none, g when it goes on, a when it is to be canceled, s when it was settled.
--
-- KEYS[2...] are the records. ARGV[3] is the pod.

beat(ARGV[3])
local marks = {}
for i = 2, #KEYS do
  local status, asked = head(get(KEYS[i]))
  if status == '' then
    marks[i] = 'm'
  elseif status ~= 'R' then
    marks[i] = 's'
  elseif asked == '1' then
    marks[i] = 'a'
  else
    marks[i] = 'g'
  end
end
return {table.concat(marks, '', 2, #KEYS)}
