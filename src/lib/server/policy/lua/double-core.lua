--[[
A strict double of KumoMTA's Lua environment: what KumoMTA would refuse, it refuses; what KumoMTA does to values, it does.
Sources: docs.kumomta.com/reference, mod-sqlite, mod-memoize, mod-digest and smtp_server of KumoMTA.
This part: values, errors, closed tables, events. `HOST` is a table of JavaScript functions; binary travels as hex.
]]
local debug = debug
DOUBLE = { events = {}, logs = {}, printed = {}, configured = {}, memo_keys = {}, caches = {}, timed = {}, epoch = 1, hmacs = 0, failed = false }

local SINGLE, MULTIPLE = {}, {}
for name in ([[init get_listener_domain smtp_server_connection_accepted smtp_server_ehlo smtp_server_auth_plain
	smtp_server_mail_from smtp_server_rcpt_to smtp_server_data smtp_server_split_transaction smtp_server_message_received
	smtp_server_message_deferred_inject smtp_server_rewrite_response smtp_server_get_dynamic_parameters
	http_server_validate_auth_basic http_server_validate_auth_bearer http_message_generated xfer_message_received
	get_egress_pool get_egress_source get_egress_path_config rebind_message spool_message_enumerated
	smtp_client_rewrite_delivery_status shutdown_logging main]]):gmatch '%S+' do
	SINGLE[name] = true
end
for name in ([[pre_init validate_config get_queue_config should_enqueue_log_record throttle_insert_ready_queue
	requeue_message get_acl_definition]]):gmatch '%S+' do
	MULTIPLE[name] = true
end

local hex_of, byte_of = {}, {}
for code = 0, 255 do
	local hex = ('%02x'):format(code)
	hex_of[string.char(code)], byte_of[hex] = hex, string.char(code)
end

function DOUBLE.hex(text)
	return (text:gsub('.', hex_of))
end

function DOUBLE.unhex(text)
	return (text:gsub('..', byte_of))
end

--- Rejections carry a type, which only travels by plain `error`; memoize loses it.
DOUBLE.Reject = {
	__name = 'RejectError',
	__tostring = function(self)
		return ('%d %s'):format(self.code, self.message)
	end
}

--- Userdata of KumoMTA: unknown fields raise, `type` says userdata.
local userdata_of = setmetatable({}, { __mode = 'k' })

function DOUBLE.userdata(kind, fields, extra)
	local meta = { __name = kind }
	for key, value in pairs(extra or {}) do
		meta[key] = value
	end
	meta.__index = meta.__index
		or function(_, key)
			local field = fields[key]
			if field == nil then
				error(('attempt to get an unknown field %q of %s'):format(tostring(key), kind), 2)
			end
			return type(field) == 'table' and field.getter and field.getter() or field
		end
	meta.__newindex = meta.__newindex or function()
		error('attempt to change a ' .. kind, 2)
	end
	meta.__len = meta.__len or function()
		error('attempt to get length of a userdata value (' .. kind .. ')', 2)
	end
	meta.__pairs = meta.__pairs or function()
		error("bad argument #1 to 'for iterator' (table expected, got userdata)", 2)
	end
	local value = setmetatable({}, meta)
	userdata_of[value] = { kind = kind, fields = fields }
	return value
end

function DOUBLE.inside(value, kind)
	local known = userdata_of[value]
	if not known or known.kind ~= kind then
		error(('expected a %s, got %s'):format(kind, type(value)), 3)
	end
	return known.fields
end

local plain_type, plain_next = type, next

function type(...)
	if select('#', ...) > 0 and userdata_of[(...)] then
		return 'userdata'
	end
	return plain_type(...)
end

function next(value, ...)
	if userdata_of[value] then
		error("bad argument #1 to 'next' (table expected, got userdata)", 2)
	end
	return plain_next(value, ...)
end

--- Functions of KumoMTA that wait are coroutines inside: they can not run in a callback of the C library.
local callbacks = 0

local function held(run)
	return function(...)
		callbacks = callbacks + 1
		local results = table.pack(pcall(run, ...))
		callbacks = callbacks - 1
		if not results[1] then
			error(results[2], 0)
		end
		return table.unpack(results, 2, results.n)
	end
end

string.gsub, table.sort = held(string.gsub), held(table.sort)

function DOUBLE.waits(run)
	return function(...)
		if callbacks > 0 then
			error('attempt to yield across a C-call boundary', 2)
		end
		return run(...)
	end
end

--- A parameter table of KumoMTA: an unknown key, a missing one or one of another type is an error.
function DOUBLE.closed(what, params, schema)
	if type(params) ~= 'table' then
		error(what .. ': a table is required', 3)
	end
	for key, value in pairs(params) do
		local expected = schema[key]
		if expected == nil then
			error(('%s: unknown field `%s`'):format(what, tostring(key)), 3)
		end
		expected = expected:gsub('!', '')
		local kind = math.type(value) or type(value)
		if expected ~= 'any' and not (' ' .. expected .. ' '):find(' ' .. kind .. ' ', 1, true) then
			error(('%s: invalid type for `%s`: %s'):format(what, key, kind), 3)
		end
	end
	for key, expected in pairs(schema) do
		if expected:find('!', 1, true) and params[key] == nil then
			error(('%s: missing field `%s`'):format(what, key), 3)
		end
	end
	return params
end

--- A module whose unknown functions are errors.
function DOUBLE.module(name, members)
	return setmetatable(members, {
		__index = function(_, key)
			error(('KumoMTA has no %s.%s (or the double does not know it)'):format(name, tostring(key)), 2)
		end
	})
end

function DOUBLE.on(name, handler)
	if plain_type(name) ~= 'string' or plain_type(handler) ~= 'function' then
		error('kumo.on takes a name and a function', 2)
	end
	if DOUBLE.current then
		error(
			("Attempting to register an event handler via `kumo.on('%s', ...)` from within the event handler '%s'."):format(
				name,
				DOUBLE.current
			),
			2
		)
	end
	local is_hook = name:find '^log_disposition_'
	if not SINGLE[name] and not MULTIPLE[name] and not is_hook and not name:find('.', 1, true) then
		error('the double knows no event ' .. name, 2)
	end
	local list = DOUBLE.events[name] or {}
	if list[1] and not MULTIPLE[name] then
		local info = debug.getinfo(list[1], 'S')
		error(('%s event already has a handler defined at %s:%d'):format(name, info.source, info.linedefined), 2)
	end
	table.insert(list, handler)
	DOUBLE.events[name] = list
end

--- `return nil` counts one value; a bare `return` counts none.
local function results_of(name, handler, ...)
	local results = table.pack(handler(...))
	if results.n > 0 and results[1] == nil then
		error(name .. ': a handler returned nil; it must end with a bare return', 0)
	end
	return results
end

--- Handlers in their order; the first that returns a value wins.
function DOUBLE.run(name, ...)
	local before = DOUBLE.current
	DOUBLE.current = name
	for _, handler in ipairs(DOUBLE.events[name] or {}) do
		local results = results_of(name, handler, ...)
		if results.n > 0 then
			DOUBLE.current = before
			return results[1]
		end
	end
	DOUBLE.current = before
	return nil
end

--- What a handler gets for an absent value of a log record: a null that counts as true.
DOUBLE.null = DOUBLE.userdata('null', {})

local function unhexed(value)
	if type(value) == 'string' then
		return DOUBLE.unhex(value)
	elseif type(value) ~= 'table' then
		return value
	end
	local copy = {}
	for key, member in pairs(value) do
		copy[key] = unhexed(member)
	end
	return copy
end

--- A log record as log_disposition_* handlers get it (kumo-log-types, kumod/src/logging/disposition_hooks.rs).
local function record_of(value)
	local record = unhexed(value)
	for _, name in ipairs {
		'peer_address', 'egress_pool', 'egress_source', 'source_address', 'feedback_report', 'delivery_protocol',
		'reception_protocol'
	} do
		record[name] = record[name] or DOUBLE.null
	end
	record.response.enhanced_code = record.response.enhanced_code or DOUBLE.null
	record.response.command = record.response.command or DOUBLE.null
	return record
end

local function decoded(argument)
	if argument.kind == 'text' then
		return DOUBLE.unhex(argument.value)
	elseif argument.kind == 'data' then
		return argument.value
	elseif argument.kind == 'record' then
		return record_of(argument.value)
	elseif argument.kind == 'connection' then
		return DOUBLE.connections[argument.value].userdata
	elseif argument.kind == 'message' then
		return DOUBLE.messages[argument.value].userdata
	elseif argument.kind == 'address' then
		return DOUBLE.address(DOUBLE.unhex(argument.value))
	end
	return nil
end

--- Plain data for JavaScript: parameters of what KumoMTA's constructors made, tables, strings, numbers.
local function exported(value)
	local known = userdata_of[value]
	if known then
		return known.fields.params or {}
	end
	return value
end

--- What JSON can hold of a value; a table that came from a cache is read out.
function DOUBLE.plain(value)
	value = exported(value)
	local kind = type(value)
	if kind == 'function' or kind == 'thread' then
		error('cannot serialize <' .. kind .. '>', 0)
	elseif kind ~= 'table' then
		return value
	end
	local copy = {}
	for key, member in pairs(value) do
		copy[key] = DOUBLE.plain(member)
	end
	return copy
end

--- One event, as KumoMTA calls it. @return ok, value | reject | error
function DOUBLE.call(name, arguments, count)
	if not DOUBLE.events[name] then
		return { ok = true }
	end
	local values = {}
	for index = 1, count do
		values[index] = decoded(arguments[index])
	end
	DOUBLE.current = nil
	local ok, result = xpcall(function()
		return exported(DOUBLE.run(name, table.unpack(values, 1, count)))
	end, function(problem)
		if getmetatable(problem) == DOUBLE.Reject then
			return problem
		end
		return debug.traceback(tostring(problem), 2)
	end)
	DOUBLE.current = nil
	if ok then
		return { ok = true, value = result }
	end
	if getmetatable(result) == DOUBLE.Reject then
		return { ok = false, reject = { code = result.code, text = result.message, disconnect = result.disconnect } }
	end
	return { ok = false, error = tostring(result) }
end
