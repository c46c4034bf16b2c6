-- Ends a claim of an idempotency key, KEYS[2], that is still the claimant's or that Redis
-- lost. ARGV[3] is the claimant's word, ARGV[4] how long to keep ARGV[5], the value; an
-- empty one frees the key.

local text = get(KEYS[2])
if text == '' or string.match(text, '^1P%x+ (%x+) ') == ARGV[3] then
  if ARGV[5] == '' then
    drop(KEYS[2])
  else
    set(KEYS[2], ARGV[5], tonumber(ARGV[4]))
  end
end
return {}
