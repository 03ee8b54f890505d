
-- Copyright (C) The e-mage authors
--
-- Candidates of a search: studies that a subject may have something to do
-- with.  Hints alone, never a permission: whoever lists a study decides upon
-- its facts.  Appended to emage.lua; each call does a bounded piece of work.

local ID = 'emage:id:'

local CANDIDATES_PATIENTS = 64
local CANDIDATES_STUDIES = 4096
local CANDIDATES_NAME_MAX = 1024

-- Adds the studies of one patient, at most what is left to be had; false when
-- some were left out.

local function add_studies(answer, pid)
    local key = STUDIES .. pid
    local room = CANDIDATES_STUDIES - (#answer - 4)
    local n = redis.call('SCARD', key)

    if n == 0 then
        return true
    end

    local studies

    if n <= room then
        studies = redis.call('SMEMBERS', key)

    else
        studies = redis.call('SRANDMEMBER', key, decimal(room))
    end

    for _, uid in ipairs(studies) do
        if is_uid(uid) then
            answer[#answer + 1] = uid
        end
    end

    return n <= room
end

-- Of the patients that a relation or override of `name` (kind "care"), a keyed
-- hash (kind "id") or a pid (kind "pid") leads to: epoch, sequence, the next
-- cursor ("0": that was all), 1 if some were left out, and Study UIDs.

local function emage_candidates(keys, args)
    local kind, name, cursor = args[1], args[2], args[3]

    keys_are(keys, EPOCH, SEQ)

    if #args ~= 3 or #name < 1 or #name > CANDIDATES_NAME_MAX
       or not cursor:find('^%d+$') or #cursor > 20
    then
        fail('emage_candidates takes a kind, a name and a cursor')
    end

    local pids = {}
    local answer = {redis.call('GET', EPOCH), current_seq(), '0', 0}

    if kind == 'care' then
        local page = redis.call('SSCAN', CARE .. name, cursor, 'COUNT',
                                decimal(CANDIDATES_PATIENTS))

        answer[3] = page[1]
        pids = page[2]

    elseif kind == 'id' and not name:find('[^0-9a-f]') then
        pids = {redis.call('GET', ID .. name) or nil}

    elseif kind == 'pid' then
        pids = {name}

    else
        fail('emage_candidates takes a kind, a name and a cursor')
    end

    for _, pid in ipairs(pids) do
        if is_pid(pid) and not add_studies(answer, pid) then
            answer[4] = 1
        end
    end

    return answer
end

register('emage_candidates', emage_candidates, 'no-writes')
