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

--- Caches nil, false and, for 60 seconds, errors; the key is all arguments; tables come back as userdata.
local function shared(value)
	if type(value) ~= 'table' then
		return value
	end
	return userdata('MemoizedTable', {}, {
		__index = function(_, key)
			return shared(value[key])
		end,
		__len = function()
			return #value
		end
	})
end

local function memoize(run, params)
	closed('memoize', params, {
		name = 'string!',
		ttl = DURATION .. '!',
		capacity = 'integer!',
		invalidate_with_epoch = 'boolean',
		allow_stale_reads = 'boolean',
		retry_on_populate_timeout = 'boolean',
		populate_timeout = DURATION
	})
	local cache = {}
	DOUBLE.caches[params.name] = cache
	return function(...)
		local parts = { params.name }
		for index = 1, select('#', ...) do
			local argument = select(index, ...)
			if type(argument) ~= 'string' and type(argument) ~= 'number' and argument ~= nil then
				error('memoize: an argument can not be a key', 2)
			end
			table.insert(parts, #tostring(argument) .. ':' .. tostring(argument))
		end
		local key = table.concat(parts, ' ')
		table.insert(DOUBLE.memo_keys, DOUBLE.hex(key))
		local entry = cache[key]
		if not entry or entry.until_time <= HOST.now() then
			local done, value = pcall(run, ...)
			-- The type of a rejection is lost here: what was a 550 becomes "technical difficulties".
			entry = {
				failed = not done,
				value = done and value or (not done and tostring(value)) or value,
				until_time = HOST.now() + (done and duration(params.ttl) or 60)
			}
			cache[key] = entry
		end
		if entry.failed then
			error(entry.value, 0)
		end
		return shared(entry.value)
	end
end

local function throttle(name, spec)
	if type(name) ~= 'string' or not tostring(spec):find '^%d+/%a+$' then
		error('make_throttle: invalid throttle ' .. tostring(spec), 2)
	end
	local fields = {}
	function fields.throttle()
		return { throttled = HOST.throttle(DOUBLE.hex(name), spec) }
	end
	function fields.delay_message_if_throttled(_, msg)
		local is_throttled = HOST.throttle(DOUBLE.hex(name), spec)
		local message = DOUBLE.inside(msg, 'Message').params
		if is_throttled then
			message.delays = message.delays + 1
		end
		return is_throttled
	end
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
local function execute(file, sql, ...)
	if select('#', ...) > 1 then
		error('the double binds one parameter at most', 2)
	end
	local parameter = ...
	if parameter ~= nil and type(parameter) ~= 'string' and type(parameter) ~= 'number' then
		error('only numbers, strings and nil can be passed as parameter values', 2)
	end
	local answer = HOST.sqlite(file, sql, parameter and DOUBLE.hex(tostring(parameter)) or '', parameter ~= nil)
	if answer.problem then
		error(answer.problem, 2)
	end
	if answer.columns > 1 and answer.count == 0 then
		return { {} }
	end
	return answer.rows
end

local sqlite = DOUBLE.module('sqlite', {
	open = function(file)
		return userdata('Conn', {
			execute = function(_, sql, ...)
				return execute(file, sql, ...)
			end
		})
	end
})

DOUBLE.DURATION, DOUBLE.duration = DURATION, duration
DOUBLE.services = { memoize = memoize, throttle = throttle, hmac_sha256 = hmac_sha256, sqlite = sqlite }
