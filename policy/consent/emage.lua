#!lua name=emage

-- Copyright (C) The e-mage authors
--
-- The functions that read and change records in Redis (docs/records.md).
-- Everything is checked and read before the first write: a function that
-- fails has changed nothing.  Documents are never encoded again here.

local VERSION = 4

local PREFIX = 'emage:{0}:'
local STUDY = PREFIX .. 'study:'
local PATIENT = PREFIX .. 'patient:'
local STUDIES = PREFIX .. 'patient-studies:'
local CARE = 'emage:care:'
local SEQ = PREFIX .. 'seq'
local EPOCH = PREFIX .. 'epoch'
local LEASES = PREFIX .. 'leases'
local CHANGES = PREFIX .. 'changes'
local RECONCILED = PREFIX .. 'reconciled'

local CHANGES_MAX = 10000
local DOCUMENT_MAX = 262144
local NUMBER_MAX = 9007199254740991

local function fail(text)
    error({err = 'EMAGE ' .. text})
end

-- arguments

local function keys_are(keys, ...)
    local names = {...}

    if #keys < #names then
        fail('wrong number of keys')
    end

    for i = 1, #names do
        if keys[i] ~= names[i] then
            fail('key ' .. i .. ' is not ' .. names[i])
        end
    end
end

local function is_pid(s)
    return type(s) == 'string' and #s == 32 and not s:find('[^0-9a-f]')
end

local function is_uid(s)
    return type(s) == 'string' and #s >= 1 and #s <= 64
           and not s:find('[^0-9.]')
end

local function is_token(s)
    return type(s) == 'string' and #s >= 1 and #s <= 64
           and not s:find('[^0-9A-Za-z._-]')
end

local function number(s, what)
    if type(s) ~= 'string' or not s:find('^%d+$') or #s > 16 then
        fail(what .. ' is not a number')
    end

    local n = tonumber(s)

    if n > NUMBER_MAX then
        fail(what .. ' is too large')
    end

    return n
end

local function decimal(n)
    return string.format('%.0f', n)
end

-- state of the partition

local function run_id()
    return redis.call('INFO', 'server'):match('run_id:(%x+)')
end

local function is_reconciled()
    local id = run_id()

    return id ~= nil and redis.call('GET', RECONCILED) == id
           and redis.call('EXISTS', EPOCH) == 1
end

local function current_seq()
    local s = redis.call('GET', SEQ)

    if not s then
        return 0
    end

    return number(s, SEQ)
end

-- Newest first; an entry is "seq:pid:nonce".  `back` counts from the newest.

local function change_at(back)
    local entry = redis.call('LINDEX', CHANGES, decimal(back))

    if not entry then
        return nil
    end

    local seq, pid, nonce = entry:match('^(%d+):([^:]*):([^:]+)$')

    if not seq then
        fail('damaged entry in ' .. CHANGES)
    end

    return number(seq, CHANGES), pid, nonce
end

-- documents

-- Returns the decoded document, "deleted" ones too, or fails.

local function decode(json, what)
    if type(json) ~= 'string' or #json > DOCUMENT_MAX then
        fail(what .. ' is too large')
    end

    if not json:find('^{') or not json:find('}$') then
        fail(what .. ' is not a JSON object')
    end

    local ok, doc = pcall(cjson.decode, json)

    if not ok or type(doc) ~= 'table' then
        fail(what .. ' is not JSON')
    end

    local version = doc.version

    if type(version) ~= 'number' or version < 1 or version > NUMBER_MAX
       or version % 1 ~= 0
    then
        fail(what .. ' has no version')
    end

    if not is_pid(doc.pid) then
        fail(what .. ' has no pid')
    end

    return doc
end

-- What a key of a document names: "study" or "patient", and which.

local function key_names(key)
    if key:sub(1, #STUDY) == STUDY then
        local uid = key:sub(#STUDY + 1)

        if is_uid(uid) then
            return 'study', uid
        end
    end

    if key:sub(1, #PATIENT) == PATIENT then
        local pid = key:sub(#PATIENT + 1)

        if is_pid(pid) then
            return 'patient', pid
        end
    end

    fail('key is no record: ' .. key)
end

local function check(kind, name, pid, version, json)
    local doc = decode(json, kind .. ' ' .. name)

    if doc.version ~= version then
        fail(kind .. ' ' .. name .. ': version is not base + 1')
    end

    if doc.pid ~= pid then
        fail(kind .. ' ' .. name .. ': pid of another patient')
    end

    if kind == 'study' and doc.study ~= name then
        fail(kind .. ' ' .. name .. ': study UID of another study')
    end

    if kind == 'patient' and name ~= pid then
        fail(kind .. ' ' .. name .. ': key of another patient')
    end

    return doc
end

-- A deletion leaves the version, so that numbers never repeat.

local function tombstone(kind, name, pid, version)
    local study = (kind == 'study') and '"study":"' .. name .. '",' or ''

    return '{"version":' .. decimal(version) .. ',' .. study .. '"pid":"'
           .. pid .. '","deleted":true}'
end

-- hints: which subjects a patient's relations and overrides name

local function subjects(doc)
    local set = {}

    for _, kind in ipairs({'relations', 'overrides'}) do
        local list = doc and doc[kind]

        for _, entry in ipairs(type(list) == 'table' and list or {}) do
            if type(entry) == 'table' and type(entry.subject) == 'string' then
                set[entry.subject] = true
            end
        end
    end

    return set
end

local function is_set(key)
    local t = redis.call('TYPE', key)['ok']

    if t ~= 'none' and t ~= 'set' then
        fail(key .. ' is no set')
    end
end

-- A write that is ready: {key, kind, name, pid, json, old, new}.

local function check_hints(write)
    is_set(STUDIES .. write.pid)

    if write.old and write.old.pid ~= write.pid then
        is_set(STUDIES .. write.old.pid)
    end

    if write.kind == 'patient' then
        for subject in pairs(subjects(write.old)) do
            is_set(CARE .. subject)
        end

        for subject in pairs(subjects(write.new)) do
            is_set(CARE .. subject)
        end
    end
end

local function store(write)
    local old, new = write.old, write.new

    redis.call('SET', write.key, write.json)

    if write.kind == 'study' then
        if old and old.pid ~= write.pid then
            redis.call('SREM', STUDIES .. old.pid, write.name)
        end

        redis.call(new and 'SADD' or 'SREM', STUDIES .. write.pid, write.name)

        return
    end

    local before, after = subjects(old), subjects(new)

    for subject in pairs(before) do
        if not after[subject] then
            redis.call('SREM', CARE .. subject, write.pid)
        end
    end

    for subject in pairs(after) do
        redis.call('SADD', CARE .. subject, write.pid)
    end
end

-- The document at a key: its text, decoded form and version (0: none).

local function current(key)
    local json = redis.call('GET', key)

    if not json then
        return nil, nil, 0
    end

    local doc = decode(json, key)

    return json, doc, doc.version
end

-- functions

local function emage_version(keys, args)
    return VERSION
end

local function emage_facts(keys, args)
    local uid = args[1]

    if #args ~= 1 or not is_uid(uid) then
        fail('emage_facts takes a Study UID')
    end

    keys_are(keys, STUDY .. uid, EPOCH, SEQ)

    local epoch = redis.call('GET', EPOCH)
    local seq = current_seq()
    local study = redis.call('GET', keys[1])

    if not study then
        return {epoch, seq, false, false}
    end

    local doc = decode(study, 'study ' .. uid)

    if doc.deleted then
        return {epoch, seq, false, false}
    end

    return {epoch, seq, study, redis.call('GET', PATIENT .. doc.pid)}
end

local function emage_lease(keys, args)
    keys_are(keys, EPOCH, SEQ, CHANGES, LEASES, RECONCILED)

    local node, epoch, nonce = args[1], args[2], args[4]

    if #args ~= 4 or not is_token(node) or #epoch > 64 or #nonce > 64 then
        fail('emage_lease takes node, epoch, sequence and nonce')
    end

    local applied = number(args[3], 'sequence')

    if not is_reconciled() then
        return {'unreconciled'}
    end

    local now = redis.call('GET', EPOCH)
    local seq = current_seq()
    local newest, _, newest_nonce = change_at(0)

    if newest ~= seq then
        return {'unreconciled'}
    end

    if epoch ~= now then
        return {'flush', now, seq, newest_nonce}
    end

    if applied > seq then
        return {'fence', seq}
    end

    local at, _, at_nonce = change_at(seq - applied)

    if not at then
        return {'flush', now, seq, newest_nonce}
    end

    if at ~= applied or at_nonce ~= nonce then
        return {'fence', seq}
    end

    if applied == seq then
        local value = decimal(seq)

        if redis.call('HGET', LEASES, node) ~= value then
            redis.call('HSET', LEASES, node, value)
        end

        return {'granted', seq}
    end

    local answer = {'behind', seq, newest_nonce}
    local seen = {}
    local entries = redis.call('LRANGE', CHANGES, 0, decimal(seq - applied - 1))

    for _, entry in ipairs(entries) do
        local pid = entry:match('^%d+:([^:]*):')

        if not is_pid(pid) then
            return {'flush', now, seq, newest_nonce}
        end

        if not seen[pid] then
            seen[pid] = true
            answer[#answer + 1] = pid
        end
    end

    return answer
end

-- Whether a change was made: its nonce stands among the last changes.

local function was_made(pid, nonce)
    local tail = ':' .. pid .. ':' .. nonce

    for _, entry in ipairs(redis.call('LRANGE', CHANGES, 0, CHANGES_MAX - 1)) do
        if entry:sub(-#tail) == tail then
            return true
        end
    end

    return false
end

local function with_holders(status, seq)
    local answer = {status, seq}
    local leases = redis.call('HGETALL', LEASES)

    for i = 1, #leases, 2 do
        answer[#answer + 1] = leases[i]
        answer[#answer + 1] = number(leases[i + 1], LEASES)
    end

    return answer
end

-- Reads and checks one document of a change; nil when its base is not the
-- current version.

local function prepare(key, pid, base, json)
    local kind, name = key_names(key)
    local old_json, old, version = current(key)
    local new = nil

    if json == '' then
        json = tombstone(kind, name, pid, base + 1)

    else
        new = check(kind, name, pid, base + 1, json)
    end

    if version ~= base then
        return nil
    end

    -- under the old pid nodes would go on with what they know of it

    if old and old.pid ~= pid then
        fail(kind .. ' ' .. name .. ': it is another patient\'s')
    end

    local write = {key = key, kind = kind, name = name, pid = pid,
                   json = json, old = old, new = new}

    check_hints(write)

    return write
end

local function emage_change(keys, args)
    keys_are(keys, SEQ, CHANGES, LEASES, EPOCH, RECONCILED)

    local pid, nonce = args[1], args[2]
    local n = #keys - 5

    if not is_pid(pid) or not is_token(nonce) then
        fail('emage_change takes pid and nonce')
    end

    if n < 1 or n > 8 or #args ~= 2 + 2 * n then
        fail('emage_change takes a base and a document for each key')
    end

    if not is_reconciled() then
        return {'unreconciled'}
    end

    local seq = current_seq()
    local newest = change_at(0)

    if newest ~= seq then
        return {'unreconciled'}
    end

    local writes, stale, seen = {}, nil, {}

    for i = 1, n do
        local key = keys[5 + i]
        local base = number(args[1 + 2 * i], 'base')

        if seen[key] then
            fail('key given twice: ' .. key)
        end

        seen[key] = true

        writes[i] = prepare(key, pid, base, args[2 + 2 * i])
        stale = stale or (not writes[i] and i) or nil
    end

    if stale then
        if was_made(pid, nonce) then
            return with_holders('ok', seq)
        end

        return {'conflict', stale}
    end

    seq = seq + 1

    local answer = with_holders('ok', seq)

    for i = 1, n do
        store(writes[i])
    end

    redis.call('SET', SEQ, decimal(seq))
    redis.call('LPUSH', CHANGES, decimal(seq) .. ':' .. pid .. ':' .. nonce)
    redis.call('LTRIM', CHANGES, 0, CHANGES_MAX - 1)

    return answer
end

local function behind(seq)
    local nodes = {}
    local leases = redis.call('HGETALL', LEASES)

    for i = 1, #leases, 2 do
        if number(leases[i + 1], LEASES) < seq then
            nodes[#nodes + 1] = leases[i]
        end
    end

    return nodes
end

local function emage_holders(keys, args)
    keys_are(keys, LEASES)

    return behind(number(args[1], 'sequence'))
end

local function emage_expire(keys, args)
    keys_are(keys, LEASES)

    local nodes = behind(number(args[1], 'sequence'))

    for _, node in ipairs(nodes) do
        redis.call('HDEL', LEASES, node)
    end

    return #nodes
end

local function emage_identify(keys, args)
    local pid, json = args[1], args[2]

    if #args ~= 2 or not is_pid(pid) then
        fail('emage_identify takes a pid and a patient')
    end

    if #keys ~= 2 or keys[2] ~= PATIENT .. pid
       or not (keys[1] == '' or keys[1]:find('^emage:id:%x+$'))
    then
        fail('emage_identify takes an id key and a patient key')
    end

    local new = check('patient', pid, pid, 1, json)

    if not is_reconciled() then
        return {'unreconciled'}
    end

    if keys[1] ~= '' then
        local known = redis.call('GET', keys[1])

        if known then
            if not is_pid(known) then
                fail('damaged ' .. keys[1])
            end

            local _, doc = current(PATIENT .. known)

            if doc and not doc.deleted then
                return {'ok', known}
            end
        end
    end

    if redis.call('EXISTS', keys[2]) == 1 then
        fail('pid is in use')
    end

    local write = {key = keys[2], kind = 'patient', name = pid, pid = pid,
                   json = json, old = nil, new = new}

    check_hints(write)
    store(write)

    if keys[1] ~= '' then
        redis.call('SET', keys[1], pid)
    end

    return {'ok', pid}
end

-- For reconcile alone: a document that the ledgers or the store have, and
-- Redis has not.  Refused once the server is reconciled: from then on there is
-- emage_change.

local function emage_offer(keys, args)
    local pid, json = args[1], args[3]
    local version = number(args[2] or '', 'version')

    if #keys ~= 1 or #args ~= 3 or not is_pid(pid) or version < 1 then
        fail('emage_offer takes a key, pid, version and document')
    end

    if is_reconciled() then
        return 'reconciled'
    end

    local kind, name = key_names(keys[1])
    local old_json, old, have = current(keys[1])
    local new = nil

    if json == '' then
        json = tombstone(kind, name, pid, version)

    else
        new = check(kind, name, pid, version, json)
    end

    if have > version or (have == version and old_json == json) then
        return 'kept'
    end

    local write = {key = keys[1], kind = kind, name = name, pid = pid,
                   json = json, old = old, new = new}

    check_hints(write)
    store(write)

    return 'stored'
end

local function emage_reconciled(keys, args)
    keys_are(keys, EPOCH, RECONCILED, SEQ)

    local epoch, id = args[1], args[2]

    if #args ~= 3 or not is_token(epoch) then
        fail('emage_reconciled takes epoch, run id and sequence')
    end

    local floor = number(args[3], 'sequence')

    if id ~= run_id() then
        fail('this is another server process')
    end

    local seq = current_seq()

    if floor > seq then
        seq = floor
    end

    seq = seq + 1

    -- reads first: a key of another type must fail before anything is written

    redis.call('LLEN', CHANGES)

    redis.call('SET', SEQ, decimal(seq))
    redis.call('LPUSH', CHANGES, decimal(seq) .. ':-:' .. epoch)
    redis.call('LTRIM', CHANGES, 0, CHANGES_MAX - 1)
    redis.call('DEL', LEASES)
    redis.call('SET', EPOCH, epoch)
    redis.call('SET', RECONCILED, id)

    return 'ok'
end

local function register(name, callback, ...)
    redis.register_function{function_name = name, callback = callback,
                            flags = {...}}
end

register('emage_version', emage_version, 'no-writes')
register('emage_facts', emage_facts, 'no-writes')
register('emage_holders', emage_holders, 'no-writes')

-- Taking rights away must work on a server that is short of memory.

register('emage_lease', emage_lease, 'allow-oom')
register('emage_change', emage_change, 'allow-oom')
register('emage_expire', emage_expire, 'allow-oom')

register('emage_identify', emage_identify)
register('emage_offer', emage_offer)
register('emage_reconciled', emage_reconciled)
