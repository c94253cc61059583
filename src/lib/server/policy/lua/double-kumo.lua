--[[ The modules `kumo`, `sqlite` and `policy-extras.shaping` of the double, and the globals that kumod changes. ]]
local userdata, services = DOUBLE.userdata, DOUBLE.services

local function reject(code, message, disconnect)
	if math.type(code) ~= 'integer' or type(message) ~= 'string' then
		error('kumo.reject takes a code and a text', 3)
	end
	error(setmetatable({ code = code, message = message, disconnect = disconnect }, DOUBLE.Reject), 0)
end

local function log(level)
	return function(...)
		local parts = table.pack(...)
		for index = 1, parts.n do
			parts[index] = tostring(parts[index])
		end
		table.insert(DOUBLE.logs, level .. ' ' .. table.concat(parts, ' '))
	end
end

local members = {
	version = HOST.version,
	on = DOUBLE.on,
	reject = function(code, message)
		reject(code, message, 'If421')
	end,
	disconnect = function(code, message)
		reject(code, message, 'ForceDisconnect')
	end,
	memoize = services.memoize,
	make_throttle = services.throttle,
	log_error = log 'error', log_warn = log 'warn', log_info = log 'info',
	validation_failed = function()
		DOUBLE.failed = true
	end,
	serde = DOUBLE.module('kumo.serde', {
		toml_load = DOUBLE.waits(function(file)
			return HOST.toml_load(file)
		end),
		json_load = DOUBLE.waits(function(file)
			return HOST.json_load(file)
		end),
		json_parse = function(text)
			return HOST.json_parse(DOUBLE.hex(text))
		end,
		json_encode = function(value)
			return HOST.json_encode(DOUBLE.plain(value))
		end
	}),
	digest = DOUBLE.module('kumo.digest', { hmac_sha256 = services.hmac_sha256 }),
	uuid = DOUBLE.module('kumo.uuid', {
		new_v4 = function()
			return userdata('Uuid', { simple = HOST.random() })
		end
	}),
	dns = DOUBLE.module('kumo.dns', {
		lookup_mx = DOUBLE.waits(function(domain)
			if not HOST.has_mx(domain) then
				error('NXDOMAIN', 0)
			end
			return { site_name = 'mx.' .. domain }
		end)
	}),
	dkim = DOUBLE.module('kumo.dkim', { rsa_sha256_signer = DOUBLE.make_signer, ed25519_signer = DOUBLE.make_signer }),
	aaa = DOUBLE.module('kumo.aaa', {
		set_acl_cache_ttl = DOUBLE.duration,
		make_access_control_list = function(list)
			DOUBLE.check_rules(list)
			return userdata('AccessControlList', { params = list })
		end
	}),
	set_config_monitor_globs = function(globs)
		DOUBLE.configured.set_config_monitor_globs = { globs }
	end,
	set_lruttl_cache_capacity = function(name, capacity)
		if name ~= 'dkim_signer_cache' and name ~= 'dkim_key_cache' then
			error('could not set capacity for cache ' .. name, 2)
		end
		DOUBLE.configured[name] = { { capacity = capacity } }
	end,
	invoke_get_egress_path_config = DOUBLE.waits(function(domain, source, site)
		return DOUBLE.inside(DOUBLE.run('get_egress_path_config', domain, source, site), 'EgressPathConfig').params
	end),
	time = DOUBLE.module('kumo.time', {
		start_timer = function(label)
			return userdata('Timer', {
				done = function()
					DOUBLE.timed[label] = (DOUBLE.timed[label] or 0) + 1
					return 0
				end
			})
		end
	}),
	inject_message = DOUBLE.waits(DOUBLE.inject),
	make_message = function(sender, recipient, body)
		for _, address in ipairs { sender, recipient } do
			if address ~= '' and not address:find '^[^@]*[^@%s]@[^@%s]+$' and address:lower() ~= 'postmaster' then
				error('not an envelope address: ' .. address, 2)
			end
		end
		local index = DOUBLE.new_message {
			sender = DOUBLE.hex(sender),
			recipients = { DOUBLE.hex(recipient) },
			headers = HOST.parse_headers(DOUBLE.hex(body)),
			body = DOUBLE.hex(body:match '\r?\n\r?\n(.*)$' or ''),
			raw = DOUBLE.hex(body)
		}
		return DOUBLE.messages[index].userdata
	end
}

for name, constructor in pairs(DOUBLE.constructors) do
	members[name] = constructor
end

local kumo = DOUBLE.module('kumo', members)

local shaping = { configured = false }

function shaping.setup(_, files)
	if shaping.configured then
		error('shaping module has already been configured', 2)
	end
	if type(files) ~= 'table' then
		error('the shaping helper takes a list of files', 2)
	end
	for _, file in ipairs(files) do
		if not HOST.is_readable(file) then
			error('failed to read ' .. file, 0)
		end
	end
	shaping.configured = true
	DOUBLE.on('get_queue_config', function() end)
	DOUBLE.on('should_enqueue_log_record', function() end)
	return function(domain, _, _, skip_make)
		local params = { refresh_strategy = 'Epoch', connection_limit = 10, provider_name = HOST.provider(domain) }
		return skip_make and params or kumo.make_egress_path(params)
	end
end

local modules = { kumo = kumo, sqlite = services.sqlite, ['policy-extras.shaping'] = shaping }

function require(name)
	return modules[name] or error("module '" .. tostring(name) .. "' not found", 2)
end

function dofile(file)
	local text = HOST.read_file(file)
	if not text then
		error('cannot open ' .. file, 2)
	end
	local chunk, problem = load(DOUBLE.unhex(text), '@' .. file)
	if not chunk then
		error(problem, 0)
	end
	return chunk()
end

io = {
	open = function(file)
		if not HOST.is_readable(file) then
			return nil, file .. ': No such file or directory', 2
		end
		return { close = function() end }
	end,
	stdout = { flush = function() end }
}
os = { time = HOST.now, date = os.date }

function print(...)
	table.insert(DOUBLE.printed, table.concat({ ... }, '\t'))
end

-- mlua's `Lua::new()` opens no debug library.
debug = nil

--- What JavaScript may call.
function DOUBLE.bridge()
	return {
		call = DOUBLE.call,
		new_connection = DOUBLE.new_connection,
		new_message = DOUBLE.new_message,
		split = DOUBLE.split,
		view_message = DOUBLE.view_message,
		connection_meta = function(index)
			return DOUBLE.connections[index].meta
		end,
		set_connection_meta = function(index, name, value)
			DOUBLE.connections[index].meta[name] = DOUBLE.unhex(value)
		end,
		configured = function(name)
			return DOUBLE.configured[name] or {}
		end,
		observed = function()
			return {
				hmacs = DOUBLE.hmacs,
				failed = DOUBLE.failed,
				logs = DOUBLE.logs,
				printed = DOUBLE.printed,
				memo_keys = DOUBLE.memo_keys,
				timed = DOUBLE.timed
			}
		end,
		take_injected = function()
			local taken = DOUBLE.injected
			DOUBLE.injected = {}
			return taken
		end,
		registered = function()
			local counts = {}
			for name, handlers in pairs(DOUBLE.events) do
				counts[name] = #handlers
			end
			return counts
		end
	}
end
