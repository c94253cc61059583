--[[ Values of the double that live or are kept: durations, memoize, throttles, digests, SQLite, DKIM signers. ]]
local closed, userdata = DOUBLE.closed, DOUBLE.userdata

local DURATION = 'string integer float'

local function duration(value)
	if type(value) == 'number' then
		return value
	end
	local units = { second = 1, minute = 60, hour = 3600, day = 86400, s = 1, m = 60, h = 3600, d = 86400 }
	local count, unit = tostring(value):match '^(%d+)%s*(%a+)$'
	local seconds = unit and (units[unit] or units[(unit:gsub('s$', ''))])
	if not seconds then
		error('invalid duration ' .. tostring(value), 3)
	end
	return tonumber(count) * seconds
end

--- What a cache gives back for a table: its keys in no certain order, a copy on the first write.
local function shared(value)
	if type(value) ~= 'table' then
		return value
	end
	local own = value
	return userdata('MemoizedTable', {}, {
		__index = function(_, key)
			return shared(own[key])
		end,
		__newindex = function(_, key, member)
			if own == value then
				own = {}
				for each, kept in pairs(value) do
					own[each] = kept
				end
			end
			own[key] = member
		end,
		__len = function()
			local count = 0
			for _ in pairs(own) do
				count = count + 1
			end
			return count
		end,
		__pairs = function()
			local key
			return function()
				local member
				key, member = next(own, key)
				return key, shared(member)
			end
		end
	})
end

local function storable(value)
	local kind = type(value)
	if kind == 'userdata' or kind == 'function' or kind == 'thread' then
		error('memoize: a ' .. kind .. ' can not be kept', 0)
	elseif kind ~= 'table' then
		return value
	end
	local copy = {}
	for key, member in pairs(value) do
		if math.type(key) ~= 'integer' and type(key) ~= 'string' then
			error('memoize: table key ' .. tostring(key) .. ' cannot be used in a memoizable table', 0)
		end
		copy[key] = storable(member)
	end
	return copy
end

--- What `run` answered, from the second of `results` on: no value is nil, several are an array.
local function kept(results)
	if results.n < 3 then
		return storable(results[2])
	end
	local list = {}
	for index = 2, results.n do
		list[index - 1] = storable(results[index])
	end
	return list, true
end

local function key_of(...)
	local parts = {}
	for index = 1, select('#', ...) do
		local argument = select(index, ...)
		if type(argument) ~= 'string' and type(argument) ~= 'number' and argument ~= nil then
			error('memoize: an argument can not be a key', 3)
		end
		table.insert(parts, #tostring(argument) .. ':' .. type(argument) .. ':' .. tostring(argument))
	end
	return table.concat(parts, ' ')
end

local MEMOIZE = {
	name = 'string!',
	ttl = DURATION .. '!',
	capacity = 'integer!',
	invalidate_with_epoch = 'boolean',
	allow_stale_reads = 'boolean',
	retry_on_populate_timeout = 'boolean',
	populate_timeout = DURATION
}
-- Names that KumoMTA's own caches have.
local BUILT_IN = { dkim_signer_cache = true, dkim_key_cache = true, http_server_auth = true, egress_source = true }

--- One cache per name and process: the same name again is the same cache, other parameters empty it.
local function cache_named(params)
	local signature = {}
	for key in pairs(MEMOIZE) do
		table.insert(signature, key .. '=' .. tostring(params[key]))
	end
	table.sort(signature)
	local text = table.concat(signature, ' ')
	local cache = DOUBLE.caches[params.name]
	if not cache or cache.signature ~= text then
		cache = { signature = text, entries = {}, order = {} }
		DOUBLE.caches[params.name] = cache
	end
	return cache
end

local function populate(run, params, ...)
	local results = table.pack(pcall(run, ...))
	local done, value, is_list = results[1], results[2], nil
	if done then
		done, value, is_list = pcall(kept, results)
	end
	if not done then
		-- The type of a rejection is lost here: what was a 550 becomes "technical difficulties".
		value = tostring(value)
	end
	local seconds = done and duration(params.ttl) or 60
	return { failed = not done, value = value, is_list = is_list, until_time = HOST.now() + seconds }
end

local function remember(cache, capacity, key, entry)
	if not cache.entries[key] then
		table.insert(cache.order, key)
	end
	cache.entries[key] = entry
	if #cache.order > capacity then
		cache.entries[table.remove(cache.order, 1)] = nil
	end
end

--- Caches nil, false and, for 60 seconds, errors; the key is all arguments; tables come back as userdata.
local function memoize(run, params)
	closed('memoize', params, MEMOIZE)
	if BUILT_IN[params.name] then
		error('cannot use name `' .. params.name .. '` for a memoize cache', 2)
	end
	duration(params.ttl)
	cache_named(params)
	return DOUBLE.waits(function(...)
		local key = key_of(...)
		table.insert(DOUBLE.memo_keys, DOUBLE.hex(params.name .. ' ' .. key))
		if params.invalidate_with_epoch and not params.allow_stale_reads then
			key = DOUBLE.epoch .. ' ' .. key
		end
		local cache = DOUBLE.caches[params.name]
		local entry = cache.entries[key]
		if not entry or entry.until_time <= HOST.now() then
			entry = populate(run, params, ...)
			remember(cache, params.capacity, key, entry)
		end
		if entry.failed then
			error(entry.value, 0)
		elseif not entry.is_list then
			return shared(entry.value)
		end
		local list = {}
		for index, value in pairs(entry.value) do
			list[index] = shared(value)
		end
		return list
	end)
end

local UNITS = 's sec second m min minute h hr hour d day'

--- ThrottleSpec, as far as the double counts: `<count>/<unit>`, the count above 0, no plurals.
local function is_spec(spec)
	local count, unit = tostring(spec):match '^(%d+)/(%a+)$'
	return count and tonumber(count) > 0 and (' ' .. UNITS .. ' '):find(' ' .. unit .. ' ', 1, true) ~= nil
end

local function throttle(name, spec)
	if type(name) ~= 'string' or not is_spec(spec) then
		error('make_throttle: invalid throttle ' .. tostring(spec), 2)
	end
	local fields = {}
	fields.throttle = DOUBLE.waits(function()
		return { throttled = HOST.throttle(DOUBLE.hex(name), spec) }
	end)
	fields.delay_message_if_throttled = DOUBLE.waits(function(_, msg)
		local is_throttled = HOST.throttle(DOUBLE.hex(name), spec)
		local message = DOUBLE.inside(msg, 'Message').params
		if is_throttled then
			message.delays = message.delays + 1
		end
		return is_throttled
	end)
	return userdata('UserThrottle', fields)
end

local function bytes(hex)
	return userdata('BinaryResult', { hex = hex, bytes = DOUBLE.unhex(hex) })
end

--- A KeySource: a plain string is the path of a file.
local function key_source(key)
	if type(key) == 'string' then
		error('failed to read key file ' .. key:sub(1, 16) .. ': No such file or directory', 3)
	end
	return closed('KeySource', key, { key_data = 'string!' }).key_data
end

local function hmac_sha256(key, message)
	DOUBLE.hmacs = DOUBLE.hmacs + 1
	if type(message) ~= 'string' then
		error('hmac_sha256: the message must be a string', 2)
	end
	return bytes(HOST.hmac(DOUBLE.hex(key_source(key)), DOUBLE.hex(message)))
end

--- One column: a list of values, without a match empty. Several columns: without a match one empty row.
local function execute(connection, sql, ...)
	local parameters = {}
	for index = 1, select('#', ...) do
		local parameter = select(index, ...)
		if type(parameter) == 'string' then
			parameters[index] = 't' .. DOUBLE.hex(parameter)
		elseif type(parameter) == 'number' then
			parameters[index] = 'n' .. parameter
		elseif parameter == nil then
			parameters[index] = '0'
		else
			error('only numbers, strings and nil can be passed as parameter values', 2)
		end
	end
	local answer = HOST.sqlite(connection, sql, table.concat(parameters, ' '))
	if answer.problem then
		error(answer.problem, 2)
	end
	if answer.columns == 0 then
		return answer.changes
	end
	if answer.columns > 1 and answer.count == 0 then
		return { {} }
	end
	return answer.rows
end

--- An open connection keeps its file, also when another one gets its name.
local sqlite = DOUBLE.module('sqlite', {
	open = function(file)
		if not HOST.is_readable(file) then
			error('unable to open database file (code 14)', 2)
		end
		local connection = HOST.sqlite_open(file)
		local is_open = true
		return userdata('Conn', {
			execute = DOUBLE.waits(function(_, sql, ...)
				if not is_open then
					error('connection was closed', 2)
				end
				return execute(connection, sql, ...)
			end),
			close = function()
				is_open = false
				HOST.sqlite_close(connection)
			end
		})
	end
})

DOUBLE.DURATION, DOUBLE.duration = DURATION, duration
DOUBLE.services = {
	memoize = memoize,
	throttle = throttle,
	hmac_sha256 = DOUBLE.waits(hmac_sha256),
	sqlite = sqlite
}
