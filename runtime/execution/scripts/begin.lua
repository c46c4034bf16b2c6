-- Claims an idempotency key, KEYS[2], unless somebody has. ARGV[3] is how long, [4] the pod,
-- [5] a word that only the claimant knows, [6] the fingerprint of the call.
--
-- A key is "1P", the pod, the word and the fingerprint while the call is under way, and then
-- "1D", the fingerprint and the answer after a line feed, or "1N" and the fingerprint when
-- the answer is not kept, or the pod ended meanwhile. The reply is fresh, flight, mismatch, replay, lost, or unknown
-- when only another version can read it; and the answer.

local text = get(KEYS[2])
local kind, fingerprint, pod = string.match(text, '^1([DN])(%x+)')
if not kind then
  kind, pod, fingerprint = string.match(text, '^1(P)(%x+) %x+ (%x+)$')
end
if text ~= '' and not kind then
  return {'unknown', ''}
elseif text ~= '' and fingerprint ~= ARGV[6] then
  return {'mismatch', ''}
elseif kind == 'D' then
  return {'replay', string.sub(text, string.find(text, '\n', 1, true) + 1)}
elseif kind == 'N' then
  return {'lost', ''}
elseif kind == 'P' and not gone(pod) then
  return {'flight', ''}
elseif kind == 'P' then -- nobody knows how far the pod came: it is not made again
  set(KEYS[2], '1N' .. fingerprint, tonumber(ARGV[3]))
  return {'lost', ''}
end
beat(ARGV[4])
set(KEYS[2], '1P' .. ARGV[4] .. ' ' .. ARGV[5] .. ' ' .. ARGV[6], tonumber(ARGV[3]))
return {'fresh', ''}
