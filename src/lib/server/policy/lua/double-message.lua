--[[ Connections, envelope addresses and messages of the double. ]]
DOUBLE.connections, DOUBLE.messages = {}, {}

--- Queue names are made of these: they must be strings.
local NAMING = { queue = true, tenant = true, campaign = true, routing_domain = true }

local function meta_of(store)
	local meta = {}
	for key, value in pairs(store) do
		meta[key] = value
	end
	return meta
end

--- RFC 5321 section 4.1.1.3: postmaster needs no domain. A quoted local part shows decoded, the address as it came.
function DOUBLE.address(text)
	if text:lower() == 'postmaster' then
		text = 'Postmaster'
	end
	local user, domain = text:match '^(.*)@([^@]*)$'
	local quoted = user and user:match '^"(.*)"$'
	user = quoted and quoted:gsub('\\(.)', '%1') or user or text:lower()
	return DOUBLE.userdata('EnvelopeAddress', {
		email = text,
		user = user,
		domain = domain or '',
		params = { email = text }
	}, {
		__tostring = function()
			return text
		end
	})
end

function DOUBLE.new_connection(meta)
	local connection = { meta = meta_of(meta) }
	connection.userdata = DOUBLE.userdata('ConnectionMetaData', {
		get_meta = function(_, name)
			return connection.meta[name]
		end,
		set_meta = function(_, name, value)
			connection.meta[name] = value
		end
	})
	table.insert(DOUBLE.connections, connection)
	return #DOUBLE.connections
end

local function headers_of(message, name)
	local found = {}
	for _, header in ipairs(message.headers) do
		if header.name:lower() == name:lower() then
			table.insert(found, header.value)
		end
	end
	return found
end

--- Encoded words show decoded.
local function unstructured(value)
	return value:find('=?', 1, true) and DOUBLE.unhex(HOST.unstructured(DOUBLE.hex(value))) or value
end

--- Accessors raise unless the header is one simple address.
local function header_address(message, name)
	local first = headers_of(message, name)[1]
	if not first then
		return nil
	end
	local parsed = HOST.parse_addresses(DOUBLE.hex(first))
	if parsed.problem then
		error('failed to parse header ' .. name .. ': ' .. parsed.problem, 0)
	end
	local function field(key)
		return {
			getter = function()
				if parsed.count == 0 then
					error('no addresses', 0)
				elseif parsed.count > 1 then
					error('is not a simple single address', 0)
				elseif parsed.is_group then
					error('is not a simple address', 0)
				end
				return DOUBLE.unhex(parsed[key])
			end
		}
	end
	return DOUBLE.userdata('HeaderAddressList', { user = field 'user', domain = field 'domain', email = field 'email' })
end

--- What signing puts before the message, the last signature first; without the parts that only a key can make.
local function signature_headers(message)
	local values = {}
	for _, signature in ipairs(message.signatures) do
		local text = 'v=1; d=%s; s=%s; h=%s'
		local value = text:format(signature.domain, signature.selector, table.concat(signature.headers, ':'))
		table.insert(values, 1, value)
	end
	return values
end

--- `campaign:tenant@domain!routing domain`, or what the meta `queue` says.
local function queue_name(message)
	local meta = message.meta
	if meta.queue then
		return meta.queue
	end
	local domain = (message.recipients[1] or ''):match '@([^@]*)$' or ''
	local owner = (meta.campaign and meta.campaign .. ':' or '') .. (meta.tenant or '')
	return (owner ~= '' and owner .. '@' or '') .. domain:lower() .. (meta.routing_domain and '!' .. meta.routing_domain or '')
end

--- What was read as bytes is not what it was any more.
local function unsigned(message)
	message.raw = nil
	if #message.signatures > 0 then
		error('a header was edited after DKIM signing: the signature is broken', 3)
	end
end

local function methods_of(message)
	local methods = { params = {} }
	function methods.id()
		return message.id
	end
	function methods.get_meta(_, name)
		return message.meta[name]
	end
	function methods.set_meta(_, name, value)
		if NAMING[name] and type(value) ~= 'string' then
			error('meta ' .. name .. ' must be a string', 2)
		end
		message.meta[name] = value
	end
	function methods.sender()
		return DOUBLE.address(message.sender)
	end
	function methods.recipient_list()
		local list = {}
		for index, recipient in ipairs(message.recipients) do
			list[index] = DOUBLE.address(recipient)
		end
		return list
	end
	function methods.recipient()
		local list = methods.recipient_list()
		return #list == 1 and list[1] or #list > 1 and list or nil
	end
	function methods.set_recipient(_, recipients)
		message.recipients = type(recipients) == 'table' and recipients or { recipients }
	end
	function methods.get_data()
		if message.raw and #message.signatures == 0 then
			return message.raw
		end
		local lines = {}
		for _, value in ipairs(signature_headers(message)) do
			table.insert(lines, 'DKIM-Signature: ' .. value)
		end
		for _, header in ipairs(message.headers) do
			table.insert(lines, header.name .. ': ' .. header.value)
		end
		return table.concat(lines, '\r\n') .. '\r\n\r\n' .. message.body
	end
	function methods.queue_name()
		return queue_name(message)
	end
	function methods.get_all_named_header_values(_, name)
		local values = headers_of(message, name)
		if name:lower() == 'dkim-signature' then
			table.move(signature_headers(message), 1, #message.signatures, #values + 1, values)
		end
		for index, value in ipairs(values) do
			values[index] = unstructured(value)
		end
		return values
	end
	--- Decoded and in one line each.
	function methods.get_all_headers()
		local list = {}
		for _, value in ipairs(signature_headers(message)) do
			table.insert(list, { 'DKIM-Signature', value })
		end
		for _, header in ipairs(message.headers) do
			table.insert(list, { header.name, unstructured(header.value) })
		end
		return list
	end
	function methods.get_first_named_header_value(_, name)
		local value = headers_of(message, name)[1]
		return value and unstructured(value)
	end
	function methods.from_header()
		return header_address(message, 'From')
	end
	function methods.remove_all_named_headers(_, name)
		unsigned(message)
		local kept = {}
		for _, header in ipairs(message.headers) do
			if header.name:lower() ~= name:lower() then
				table.insert(kept, header)
			end
		end
		message.headers = kept
	end
	function methods.prepend_header(_, name, value)
		unsigned(message)
		table.insert(message.headers, 1, { name = name, value = value })
	end
	function methods.append_header(_, name, value)
		unsigned(message)
		table.insert(message.headers, { name = name, value = value })
	end
	function methods.parse_rfc3464()
		return HOST.report_kind(DOUBLE.hex(headers_of(message, 'Content-Type')[1] or '')) == 'delivery-status' and {} or nil
	end
	function methods.parse_rfc5965()
		return HOST.report_kind(DOUBLE.hex(headers_of(message, 'Content-Type')[1] or '')) == 'feedback-report' and {} or nil
	end
	function methods.dkim_sign(_, signer)
		local params = DOUBLE.inside(signer, 'Signer').params
		if type(params.key) == 'string' and not HOST.is_readable(params.key) then
			error('failed to read DKIM key ' .. params.key, 0)
		end
		table.insert(message.signatures, {
			domain = params.domain,
			selector = params.selector,
			key = type(params.key) == 'string' and params.key or '',
			headers = params.headers,
			over_sign = params.over_sign == true
		})
	end
	for name, method in pairs(methods) do
		if name ~= 'id' and name ~= 'params' then
			methods[name] = DOUBLE.waits(method)
		end
	end
	return methods
end

--- @param given sender and recipients and headers as hex, meta as plain data
function DOUBLE.new_message(given)
	local message = {
		id = given.id or ('%032x'):format(#DOUBLE.messages + 1),
		sender = DOUBLE.unhex(given.sender),
		recipients = {},
		headers = {},
		body = given.body and DOUBLE.unhex(given.body) or '',
		raw = given.raw and DOUBLE.unhex(given.raw),
		meta = meta_of(given.meta or {}),
		signatures = {},
		delays = 0
	}
	for index, recipient in ipairs(given.recipients) do
		message.recipients[index] = DOUBLE.unhex(recipient)
	end
	for index, header in ipairs(given.headers) do
		message.headers[index] = { name = DOUBLE.unhex(header[1]), value = DOUBLE.unhex(header[2]) }
	end
	local fields = methods_of(message)
	fields.params = message
	message.userdata = DOUBLE.userdata('Message', fields)
	table.insert(DOUBLE.messages, message)
	return #DOUBLE.messages
end

--- One message per recipient, as KumoMTA splits a transaction.
function DOUBLE.split(index, recipient)
	local base = DOUBLE.messages[index]
	local headers = {}
	for position, header in ipairs(base.headers) do
		headers[position] = { DOUBLE.hex(header.name), DOUBLE.hex(header.value) }
	end
	local copy = DOUBLE.new_message {
		sender = DOUBLE.hex(base.sender),
		recipients = { recipient },
		headers = headers,
		body = DOUBLE.hex(base.body),
		meta = base.meta
	}
	DOUBLE.messages[copy].signatures = base.signatures
	return copy
end

--- `kumo.inject_message`: stored, and put into the queue that its name says.
DOUBLE.injected = {}

function DOUBLE.inject(msg)
	local message = DOUBLE.inside(msg, 'Message').params
	table.insert(DOUBLE.injected, {
		sender = DOUBLE.hex(message.sender),
		recipients = { DOUBLE.hex(message.recipients[1] or ''), DOUBLE.hex(message.recipients[2] or '') },
		queue = DOUBLE.hex(queue_name(message)),
		meta = message.meta,
		data = DOUBLE.hex(msg:get_data())
	})
end

function DOUBLE.view_message(index)
	local message = DOUBLE.messages[index]
	local headers = {}
	for position, header in ipairs(message.headers) do
		headers[position] = { DOUBLE.hex(header.name), DOUBLE.hex(header.value) }
	end
	return {
		id = message.id,
		meta = message.meta,
		signatures = message.signatures,
		headers = headers,
		delays = message.delays
	}
end
