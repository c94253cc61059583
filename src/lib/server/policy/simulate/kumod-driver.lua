--[[
A policy for `kumod --script`: it loads a revision's own program and plays the steps of one simulated message to the
handlers that it registered, with KumoMTA's own interfaces around them. Nothing listens and nothing is queued, since
neither `pre_init` nor `init` runs. What a connection holds is a plain table here; messages and addresses are KumoMTA's.
(References: kumo.on 'main', kumo.make_message, kumo.invoke_get_egress_path_config; kumod's --script is in
crates/kumod/src/main.rs. KumoMTA's own assets/resolve-shaping-domain asks for paths in the same way.)
The file that runs this one sets KUMOMTA_UI_REVISION_DIRECTORY and KUMOMTA_UI_STEPS, the path of the steps as JSON.
]]
local kumo = require 'kumo'

local handlers_of, made, rejection = {}, setmetatable({}, { __mode = 'k' }), nil
local stand_ins, stood_in = {}, {}

-- 1. What the program asks KumoMTA for is done by KumoMTA, and noted, because its values can not be read from Lua.

local register = kumo.on
function kumo.on(name, handler)
	register(name, handler)
	handlers_of[name] = handlers_of[name] or {}
	table.insert(handlers_of[name], handler)
end

for _, name in ipairs {
	'make_listener_domain', 'make_queue_config', 'make_egress_path', 'make_egress_pool', 'make_egress_source'
} do
	local make = kumo[name]
	kumo[name] = function(params)
		local value = make(params)
		made[value] = params
		return value
	end
end

--- The very error that KumoMTA raises: passed on by memoize it is another one, and no rejection any more.
local function noted(name, usual)
	local raise = kumo[name]
	kumo[name] = function(code, text, disconnect)
		local _, problem = pcall(raise, code, text, disconnect)
		rejection = { problem = problem, answer = { code = code, text = text, disconnect = disconnect or usual } }
		error(problem, 0)
	end
end

noted('reject', 'If421')
noted('disconnect', 'ForceDisconnect')

local function is_absent(path)
	local file, _, code = io.open(path, 'r')
	if file then
		file:close()
	end
	return not file and code == 2
end

--- A key that an apply is still to write is stood in for by one that signs nothing real.
local function with_stand_in(name, kind)
	local make = kumo.dkim[name]
	kumo.dkim[name] = function(params)
		if type(params.key) ~= 'string' or not stand_ins[kind] or not is_absent(params.key) then
			return make(params)
		end
		local changed = {}
		for key, value in pairs(params) do
			changed[key] = value
		end
		changed.key = { key_data = stand_ins[kind] }
		stood_in[tostring(params.selector) .. ' of ' .. tostring(params.domain)] = true
		return make(changed)
	end
end

with_stand_in('rsa_sha256_signer', 'rsa')
with_stand_in('ed25519_signer', 'ed25519')

dofile(KUMOMTA_UI_REVISION_DIRECTORY .. '/program.lua')

-- 2. Connections, messages and addresses.

local connections, messages = {}, {}

local function connection_of(meta)
	return {
		get_meta = function(_, name)
			return meta[name]
		end,
		set_meta = function(_, name, value)
			meta[name] = value
		end
	}
end

local function open_message(sender, recipients, text, meta)
	local msg = kumo.make_message(sender, recipients[1], text)
	if #recipients > 1 then
		msg:set_recipient(recipients)
	end
	for name, value in pairs(meta) do
		msg:set_meta(name, value)
	end
	table.insert(messages, { msg = msg, sender = sender })
	return {}
end

--- KumoMTA's Lua does not list a message's metas: those of these names are all that the answer needs.
local function meta_of(msg, names)
	local meta = {}
	for _, name in ipairs(names) do
		meta[name] = msg:get_meta(name)
	end
	return meta
end

local function argument_of(argument)
	local kind, value = argument.kind, argument.value
	if kind == 'connection' then
		return connections[value].userdata
	elseif kind == 'message' then
		return messages[value].msg
	elseif kind == 'address' then
		return kumo.make_message(value, value, ''):sender()
	end
	return value
end

-- 3. Events, as KumoMTA runs them: the first handler that returns a value wins.

local function run(event, ...)
	for _, handler in ipairs(handlers_of[event] or {}) do
		local results = table.pack(handler(...))
		if results.n > 0 then
			if results[1] == nil then
				error(event .. ': a handler returned nil; it must end with a bare return', 0)
			end
			return results[1]
		end
	end
end

local function plain(value)
	if type(value) == 'userdata' then
		return made[value] or {}
	end
	return value
end

local function call(event, ...)
	rejection = nil
	local done, value = pcall(run, event, ...)
	if done then
		if value == nil then
			return { kind = 'value' }
		end
		return { kind = 'value', value = plain(value) }
	elseif rejection and rawequal(rejection.problem, value) then
		return { kind = 'rejected', rejection = rejection.answer }
	end
	return { kind = 'failed', error = tostring(value):sub(1, 1000) }
end

-- 4. Steps.

local steps = {}

function steps.connection(step)
	local meta = step.meta or {}
	table.insert(connections, { meta = meta, userdata = connection_of(meta) })
	return {}
end

steps['set-meta'] = function(step)
	connections[step.connection].meta[step.name] = step.value
	return {}
end

function steps.meta(step)
	return { meta = connections[step.connection].meta }
end

function steps.message(step)
	return open_message(step.sender, step.recipients, step.text, step.meta or {})
end

function steps.split(step, names)
	local base = messages[step.message]
	return open_message(base.sender, { step.recipient }, base.msg:get_data(), meta_of(base.msg, names))
end

function steps.view(step, names)
	local msg = messages[step.message].msg
	return {
		meta = meta_of(msg, names),
		signatures = msg:get_all_named_header_values 'DKIM-Signature',
		queue = msg:queue_name(),
		id = tostring(msg:id())
	}
end

function steps.call(step)
	local values, count = {}, #(step.args or {})
	for index = 1, count do
		local read, value = pcall(argument_of, step.args[index])
		if not read then
			-- As KumoMTA's SMTP server answers an address that it can not read (crates/kumod/src/smtp_server.rs).
			local text = 'Syntax error in command or arguments'
			return { kind = 'rejected', rejection = { code = 501, text = text, disconnect = 'If421' } }
		end
		values[index] = value
	end
	return call(step.event, table.unpack(values, 1, count))
end

function steps.path(step)
	local site = kumo.dns.lookup_mx(step.domain).site_name
	return { config = kumo.invoke_get_egress_path_config(step.domain, step.source, site) }
end

kumo.on('main', function()
	local wanted = kumo.serde.json_load(KUMOMTA_UI_STEPS)
	stand_ins = wanted.standIns
	for at, step in ipairs(wanted.steps) do
		local done, answer = pcall(steps[step['do']], step, wanted.metas)
		local line = { at = at, answer = done and answer or nil, problem = not done and tostring(answer):sub(1, 300) or nil }
		print(wanted.mark .. kumo.serde.json_encode(line))
		io.stdout:flush()
	end
	for name in pairs(stood_in) do
		print(wanted.mark .. kumo.serde.json_encode { standIn = name })
	end
end)
