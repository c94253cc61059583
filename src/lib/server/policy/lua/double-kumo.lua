--[[ The modules `kumo`, `sqlite` and `policy-extras.shaping` of the double, and the globals that kumod changes. ]]
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

local function cidr_list(what, list)
	if #list == 0 then
		error(what .. ': an empty table does not parse as a set of networks', 3)
	end
	for _, network in ipairs(list) do
		if not HOST.is_network(network) then
			error(what .. ': invalid network ' .. tostring(network), 3)
		end
	end
end

local function maker(kind, schema, check)
	return function(params)
		closed('make ' .. kind, params, schema)
		if check then
			check(params)
		end
		return userdata(kind, { params = params })
	end
end

local function recorder(name, schema, check)
	return function(params)
		closed(name, params, schema)
		if check then
			check(params)
		end
		DOUBLE.configured[name] = DOUBLE.configured[name] or {}
		table.insert(DOUBLE.configured[name], params)
	end
end

local function reject(code, message, disconnect)
	if math.type(code) ~= 'integer' or type(message) ~= 'string' then
		error('kumo.reject takes a code and a text', 3)
	end
	error(setmetatable({ code = code, message = message, disconnect = disconnect }, DOUBLE.Reject), 0)
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

local signer = maker('Signer', {
	domain = 'string!', selector = 'string!', headers = 'table!', key = 'string!', expiration = 'integer',
	header_canonicalization = 'string', body_canonicalization = 'string', over_sign = 'boolean', ttl = DURATION
}, function(params)
	for _, header in ipairs(params.headers) do
		if header == 'From' then
			return
		end
	end
	error('DKIM: headers must include From', 3)
end)

local listener = {
	listen = 'string', hostname = 'string', relay_hosts = 'table', banner = 'string', batch_handling = 'string',
	tls_certificate = 'string table', tls_private_key = 'string table', tls_required_client_ca = 'string table',
	deferred_spool = 'boolean', deferred_queue = 'boolean', trace_headers = 'table', client_timeout = DURATION,
	data_processing_timeout = DURATION, peer = 'table', via = 'table', meta = 'table', max_messages_per_connection = 'integer',
	max_recipients_per_message = 'integer', max_message_size = 'integer', data_buffer_size = 'integer',
	invalid_line_endings = 'string', line_length_hard_limit = 'integer', allow_xclient = 'boolean',
	require_proxy_protocol = 'boolean', max_connections = 'integer'
}

local queue = {
	retry_interval = DURATION, max_retry_interval = DURATION, max_age = DURATION, egress_pool = 'string',
	max_message_rate = 'string', protocol = 'table', reap_interval = DURATION, refresh_interval = DURATION,
	refresh_strategy = 'string', strategy = 'string', timerwheel_tick_interval = DURATION, provider_name = 'string',
	shrink_policy = 'table'
}

local function check_protocol(params)
	local protocol = params.protocol
	if protocol and protocol.maildir_path then
		closed('DeliveryProto', protocol, { maildir_path = 'string!', dir_mode = 'integer', file_mode = 'integer' })
	elseif protocol and not protocol.smtp and not protocol.custom_lua and not protocol.xfer then
		error('data did not match any variant of untagged enum DeliveryProto', 3)
	end
end

local path = {
	refresh_strategy = 'string', refresh_interval = DURATION, provider_name = 'string', connection_limit = 'integer string',
	enable_tls = 'string', enable_mta_sts = 'boolean', enable_dane = 'boolean', smtp_port = 'integer',
	max_message_rate = 'string', max_connection_rate = 'string', max_deliveries_per_connection = 'integer',
	max_ready = 'integer', max_recipients_per_batch = 'integer', ehlo_domain = 'string', idle_timeout = DURATION,
	prohibited_hosts = 'table', skip_hosts = 'table', source_selection_rate = 'string', remember_broken_tls = DURATION,
	connect_timeout = DURATION, data_timeout = DURATION, data_dot_timeout = DURATION, ip_lookup_strategy = 'string'
}

local function check_rules(list)
	for _, rule in ipairs(list) do
		closed('AccessControlRule', rule, { criteria = 'table!', privilege = 'string!', access = 'string!' })
		if rule.access ~= 'Allow' and rule.access ~= 'Deny' then
			error('unknown access ' .. rule.access, 3)
		end
		closed('ACLRuleTerm', rule.criteria, { AllOf = 'table', AnyOf = 'table', Not = 'table', Identity = 'string table' })
	end
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

local kumo = DOUBLE.module('kumo', {
	version = HOST.version,
	on = DOUBLE.on,
	reject = function(code, message)
		reject(code, message, 'If421')
	end,
	disconnect = function(code, message)
		reject(code, message, 'ForceDisconnect')
	end,
	memoize = memoize,
	make_throttle = throttle,
	log_error = log 'error', log_warn = log 'warn', log_info = log 'info',
	validation_failed = function()
		DOUBLE.failed = true
	end,
	serde = DOUBLE.module('kumo.serde', {
		toml_load = function(file)
			return HOST.toml_load(file)
		end,
		json_parse = function(text)
			return HOST.json_parse(DOUBLE.hex(text))
		end
	}),
	digest = DOUBLE.module('kumo.digest', { hmac_sha256 = hmac_sha256 }),
	uuid = DOUBLE.module('kumo.uuid', {
		new_v4 = function()
			return userdata('Uuid', { simple = HOST.random() })
		end
	}),
	dns = DOUBLE.module('kumo.dns', {
		lookup_mx = function(domain)
			if not HOST.has_mx(domain) then
				error('NXDOMAIN', 0)
			end
			return { site_name = 'mx.' .. domain }
		end
	}),
	dkim = DOUBLE.module('kumo.dkim', { rsa_sha256_signer = signer, ed25519_signer = signer }),
	aaa = DOUBLE.module('kumo.aaa', {
		set_acl_cache_ttl = duration,
		make_access_control_list = function(list)
			check_rules(list)
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
	define_spool = recorder('define_spool', {
		name = 'string!', path = 'string!', kind = 'string', flush = 'boolean', min_free_space = 'string',
		min_free_inodes = 'string', rocks_params = 'table'
	}),
	configure_local_logs = recorder('configure_local_logs', {
		log_dir = 'string!', max_file_size = 'integer', back_pressure = 'integer', compression_level = 'integer',
		max_segment_duration = DURATION, meta = 'table', headers = 'table', per_record = 'table', filter_event = 'string',
		min_free_space = 'string', min_free_inodes = 'string'
	}),
	configure_bounce_classifier = recorder('configure_bounce_classifier', {
		files = 'table!', back_pressure = 'integer', pool_size = 'integer', cache_size = 'integer',
		uncategorized_cache_size = 'integer'
	}),
	start_http_listener = recorder('start_http_listener', {
		listen = 'string', hostname = 'string', use_tls = 'boolean', request_body_limit = 'integer',
		tls_certificate = 'string table', tls_private_key = 'string table', trusted_hosts = 'table'
	}, function(params)
		cidr_list('trusted_hosts', params.trusted_hosts or { '127.0.0.1' })
	end),
	start_esmtp_listener = recorder('start_esmtp_listener', listener, function(params)
		cidr_list('relay_hosts', params.relay_hosts or { '127.0.0.1' })
	end),
	make_listener_domain = maker('EsmtpDomain', {
		log_oob = 'boolean string', log_arf = 'boolean string', relay_to = 'boolean', relay_from = 'table', ttl = DURATION
	}, function(params)
		cidr_list('relay_from', params.relay_from or { '127.0.0.1' })
	end),
	make_queue_config = maker('QueueConfig', queue, check_protocol),
	make_egress_path = maker('EgressPathConfig', path),
	make_egress_source = maker('EgressSource', {
		name = 'string!', source_address = 'string', ehlo_domain = 'string', remote_port = 'integer', ttl = DURATION,
		ha_proxy_server = 'string', ha_proxy_source_address = 'string', socks5_proxy_server = 'string',
		socks5_proxy_source_address = 'string', socks5_proxy_username = 'string', socks5_proxy_password = 'any'
	}),
	make_egress_pool = maker('EgressPool', { name = 'string!', entries = 'table', ttl = DURATION }, function(params)
		for _, entry in ipairs(params.entries or {}) do
			closed('EgressPoolEntry', entry, { name = 'string!', weight = 'integer' })
		end
	end),
	invoke_get_egress_path_config = function(domain, source, site)
		return DOUBLE.inside(DOUBLE.run('get_egress_path_config', domain, source, site), 'EgressPathConfig').params
	end,
	make_message = function(sender, recipient, body)
		local index = DOUBLE.new_message {
			sender = DOUBLE.hex(sender),
			recipients = { DOUBLE.hex(recipient) },
			headers = HOST.parse_headers(DOUBLE.hex(body))
		}
		return DOUBLE.messages[index].userdata
	end
})

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

local modules = { kumo = kumo, sqlite = sqlite, ['policy-extras.shaping'] = shaping }

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
	end
}
os = { time = HOST.now }

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
				memo_keys = DOUBLE.memo_keys
			}
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
