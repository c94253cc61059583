--[[ Parameter tables of KumoMTA's constructors and configuring functions: closed, as there. ]]
local closed, userdata, DURATION = DOUBLE.closed, DOUBLE.userdata, DOUBLE.DURATION

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

local signer = maker('Signer', {
	domain = 'string!', selector = 'string!', headers = 'table!', key = 'string! table', expiration = 'integer',
	header_canonicalization = 'string', body_canonicalization = 'string', over_sign = 'boolean', ttl = DURATION
}, function(params)
	if type(params.key) == 'table' then
		closed('KeySource', params.key, { key_data = 'string!' })
	end
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
	connection_limit = 'integer string', additional_connection_limits = 'table', max_connection_rate = 'string',
	max_message_rate = 'string', additional_message_rate_throttles = 'table', source_selection_rate = 'string',
	additional_source_selection_rates = 'table', max_deliveries_per_connection = 'integer', max_ready = 'integer',
	max_recipients_per_batch = 'integer', consecutive_connection_failures_before_delay = 'integer', smtp_port = 'integer',
	enable_tls = 'string', enable_mta_sts = 'boolean', enable_dane = 'boolean', enable_pipelining = 'boolean',
	enable_rset = 'boolean', tls_prefer_openssl = 'boolean', tls_certificate = 'string table',
	tls_private_key = 'string table', openssl_cipher_list = 'string', openssl_cipher_suites = 'string',
	openssl_options = 'string', rustls_cipher_suites = 'table', remember_broken_tls = DURATION,
	opportunistic_tls_reconnect_on_failed_handshake = 'boolean', connect_timeout = DURATION, banner_timeout = DURATION,
	auth_timeout = DURATION, ehlo_timeout = DURATION, mail_from_timeout = DURATION, rcpt_to_timeout = DURATION,
	data_timeout = DURATION, data_dot_timeout = DURATION, rset_timeout = DURATION, starttls_timeout = DURATION,
	idle_timeout = DURATION, system_shutdown_timeout = DURATION, smtp_auth_plain_username = 'string',
	smtp_auth_plain_password = 'string table', allow_smtp_auth_plain_without_tls = 'boolean', prohibited_hosts = 'table',
	skip_hosts = 'table', ip_lookup_strategy = 'string', ehlo_domain = 'string', refresh_interval = DURATION,
	refresh_strategy = 'string', provider_name = 'string', use_lmtp = 'boolean', reconnect_strategy = 'string',
	readyq_pool_name = 'string', low_memory_reduction_policy = 'string', no_memory_reduction_policy = 'string',
	try_next_host_on_transport_error = 'boolean', ignore_8bit_checks = 'boolean', dispatcher_wakeup_strategy = 'string',
	maintainer_wakeup_strategy = 'string', aggressive_connection_opening = 'boolean'
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

local RECORD_KINDS = {}
for kind in ([[Reception Delivery Bounce TransientFailure Expiration AdminBounce OOB Feedback Rejection AdminRebind
	DeferredInjectionRebind Delayed XferOut XferIn Any]]):gmatch '%S+' do
	RECORD_KINDS[kind] = true
end

DOUBLE.constructors = {
	define_spool = recorder('define_spool', {
		name = 'string!', path = 'string!', kind = 'string', flush = 'boolean', min_free_space = 'string',
		min_free_inodes = 'string', rocks_params = 'table'
	}),
	configure_local_logs = recorder('configure_local_logs', {
		log_dir = 'string!', max_file_size = 'integer', back_pressure = 'integer', compression_level = 'integer',
		max_segment_duration = DURATION, meta = 'table', headers = 'table', per_record = 'table', filter_event = 'string',
		min_free_space = 'string', min_free_inodes = 'string'
	}),
	configure_log_disposition_hook = recorder('configure_log_disposition_hook', {
		name = 'string!', per_record = 'table'
	}, function(params)
		for kind, record in pairs(params.per_record or {}) do
			if not RECORD_KINDS[kind] then
				error('per_record: unknown variant ' .. tostring(kind), 3)
			end
			closed('LogRecordParams', record, {
				enable = 'boolean', suffix = 'string', log_dir = 'string', template = 'string', segment_header = 'string'
			})
		end
	end),
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
	end)
}
DOUBLE.make_signer, DOUBLE.check_rules = signer, check_rules
