-- Reads the last entries of the index of a subject, KEYS[2]. ARGV[3] is how many.

local list = entries(KEYS[2])
return {string.sub(list, -width * ARGV[3])}
