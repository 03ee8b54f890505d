
-- Copyright (C) The e-mage authors
--
-- Sessions of viewers (docs/records.md).  A session belongs to the epoch in
-- which it was opened: a server that was started anew, wiped or put back in
-- time knows none of before.  Appended to emage.lua.

local SESSION = PREFIX .. 'session:'

local SESSION_MAX = 16384
local SESSION_TTL_MAX = 31622400000

local function is_hash(s)
    return type(s) == 'string' and #s == 64 and not s:find('[^0-9a-f]')
end

local function is_session(key)
    if type(key) ~= 'string' or key:sub(1, #SESSION) ~= SESSION
       or not is_hash(key:sub(#SESSION + 1))
    then
        fail('key is no session')
    end
end

local function decode_session(json)
    local ok, doc = pcall(cjson.decode, json)

    if not ok or type(doc) ~= 'table' or type(doc.epoch) ~= 'string'
       or type(doc.idle) ~= 'number' or type(doc.expires) ~= 'number'
       or doc.idle < 1 or doc.idle > SESSION_TTL_MAX
       or doc.expires < 0 or doc.expires > NUMBER_MAX
    then
        fail('session is not understood')
    end

    return doc
end

-- The time at which a session ends unless it is used again, ms since 1970.

local function session_ends(doc)
    local t = redis.call('TIME')
    local now = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)

    return math.min(now + doc.idle, doc.expires), now
end

local function emage_session_open(keys, args)
    keys_are(keys, keys[1], EPOCH, RECONCILED)
    is_session(keys[1])

    local json = args[1]

    if #args ~= 1 or #json > SESSION_MAX then
        fail('emage_session_open takes a session')
    end

    local doc = decode_session(json)

    if not is_reconciled() or redis.call('GET', EPOCH) ~= doc.epoch then
        return {'unreconciled'}
    end

    if redis.call('EXISTS', keys[1]) == 1 then
        return {'exists'}
    end

    redis.call('SET', keys[1], json, 'PXAT', decimal(session_ends(doc)))

    return {'ok'}
end

-- Reads a session for one who uses it, which puts its idle end off: epoch,
-- sequence, the session or nil, and for how many ms it then lasts.

local function emage_session_use(keys, args)
    keys_are(keys, keys[1], EPOCH, SEQ)
    is_session(keys[1])

    local epoch = redis.call('GET', EPOCH)
    local seq = current_seq()
    local json = redis.call('GET', keys[1])

    if not json then
        return {epoch, seq, false, 0}
    end

    local doc = decode_session(json)

    if doc.epoch ~= epoch then
        return {epoch, seq, false, 0}
    end

    local ends, now = session_ends(doc)

    if ends <= now then
        return {epoch, seq, false, 0}
    end

    redis.call('PEXPIREAT', keys[1], decimal(ends))

    return {epoch, seq, json, ends - now}
end

-- A change like any other to the nodes: they apply it by the session's name,
-- the first half of its hash.

local function emage_session_end(keys, args)
    keys_are(keys, keys[1], SEQ, CHANGES, LEASES, EPOCH, RECONCILED)
    is_session(keys[1])

    local nonce = args[1]

    if #args ~= 1 or not is_token(nonce) then
        fail('emage_session_end takes a nonce')
    end

    if not is_reconciled() then
        return {'unreconciled'}
    end

    local seq = current_seq()

    if change_at(0) ~= seq then
        return {'unreconciled'}
    end

    if redis.call('EXISTS', keys[1]) == 0 then
        return with_holders('none', seq)
    end

    seq = seq + 1

    local answer = with_holders('ok', seq)
    local name = keys[1]:sub(#SESSION + 1, #SESSION + 32)

    redis.call('DEL', keys[1])
    redis.call('SET', SEQ, decimal(seq))
    redis.call('LPUSH', CHANGES, decimal(seq) .. ':' .. name .. ':' .. nonce)
    redis.call('LTRIM', CHANGES, 0, CHANGES_MAX - 1)

    return answer
end

register('emage_session_use', emage_session_use, 'allow-oom')
register('emage_session_end', emage_session_end, 'allow-oom')
register('emage_session_open', emage_session_open)
