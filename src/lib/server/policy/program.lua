--[[
The fixed program of every revision. It is never generated: what differs between revisions is data, in node.toml,
directory.sqlite and shaping.toml beside this file. `init.lua` names the directory and runs this file.

KumoMTA 2026.03.04 or newer (Lua 5.4 by mlua, without the debug library).
Rules that every handler keeps: it ends with a bare `return` when it has nothing to say (`return nil` is an error to
KumoMTA); it answers for every argument; replies have at most 100 characters and never contain what a client sent.
]]
local kumo = require 'kumo'
local sqlite = require 'sqlite'

local DIRECTORY = KUMOMTA_UI_REVISION_DIRECTORY
local NODE_FORMAT, DIRECTORY_FORMAT, SUPPRESSION_FORMAT = 1, 1, 1
local OLDEST_KUMOMTA = '2026.03.04'
local MAILBOX_DOMAIN = '.mailbox.internal'
local PANEL_USER, PANEL_GROUP = 'kumomta-ui', 'kumomta-ui:panel'
local TRUSTED_GROUP = 'kumomta:http-listener-trusted-ip'
-- Unset would trust loopback and an empty list does not parse: an address that no peer has.
local NOBODY = { '255.255.255.255/32' }
-- Names the hook at which KumoMTA tells how a message ended, and so the event of that hook.
local HOOK = 'kumomta_ui'
-- No pool has this name (a name starts with a letter or digit), so it has no entries and mail waits.
local NO_POOL = '_none'

local release = tostring(kumo.version):match '^%d%d%d%d%.%d%d%.%d%d'
if release and release < OLDEST_KUMOMTA then
	error('KumoMTA ' .. release .. ' is too old. Nothing was loaded. Install ' .. OLDEST_KUMOMTA .. ' or newer.', 0)
end

local node = kumo.serde.toml_load(DIRECTORY .. '/node.toml')
if node.format ~= NODE_FORMAT then
	error('node.toml has another format than this program. Nothing was loaded. Apply the configuration again.', 0)
end
if DIRECTORY:match '[^/]+$' ~= node.revision then
	error('node.toml belongs to another revision. Nothing was loaded. Apply the configuration again.', 0)
end

-- 1. custom.lua: the operator's own hooks, loaded first so that its multi-handler events come before ours.

local function load_custom()
	local path = DIRECTORY .. '/custom.lua'
	local file, message, code = io.open(path, 'r')
	if not file then
		if code == 2 then
			return {}
		end
		error('custom.lua can not be read: ' .. tostring(message), 0)
	end
	file:close()
	local hooks = dofile(path)
	if hooks == nil then
		return {}
	end
	if type(hooks) ~= 'table' then
		error('custom.lua must return a table of hooks or nothing.', 0)
	end
	for name, hook in pairs(hooks) do
		if name ~= 'on_message' and name ~= 'queue_config' and name ~= 'path_config' then
			error('custom.lua returns an unknown hook: ' .. tostring(name), 0)
		end
		if type(hook) ~= 'function' then
			error('custom.lua: the hook ' .. name .. ' is no function.', 0)
		end
	end
	return hooks
end

local custom = load_custom()

-- 2. KumoMTA's shaping helper, with the revision's own file after the packaged one.

local shaped_path = require('policy-extras.shaping'):setup { DIRECTORY .. '/shaping.toml' }

-- 3. Look-ups in directory.sqlite.

local connection

local function directory()
	if not connection then
		connection = sqlite.open(DIRECTORY .. '/directory.sqlite')
		connection:execute 'PRAGMA query_only = 1'
		connection:execute 'PRAGMA cache_size = -512'
	end
	return connection
end

--- A key that may be looked up and kept in a cache: 1 to 254 bytes of printable ASCII.
local function is_key(key)
	return type(key) == 'string' and #key >= 1 and #key <= 254 and not key:find '[^\x21-\x7e]'
end

--- One look-up per key. What is cached is the JSON text: tables come back from a cache as userdata.
local function reader(name, capacity)
	local sql = 'SELECT value FROM ' .. name .. ' WHERE key = ?'
	-- One column only: KumoMTA answers a multi-column SELECT without a match with one empty row.
	local cached = kumo.memoize(function(_, key)
		return directory():execute(sql, key)[1]
	end, {
		name = 'kumomta_ui_' .. name,
		ttl = node.caches.ttl,
		capacity = capacity,
		invalidate_with_epoch = true
	})
	return function(key)
		if not is_key(key) then
			return nil
		end
		local json = cached(node.revision, key)
		return json and kumo.serde.json_parse(json) or nil
	end
end

local domain_of_name = reader('domain', node.caches.domains)
local bounce_host = reader('bounce_host', node.caches.domains)
local sender_of_address = reader('sender', node.caches.senders)
local tenant_of_name = reader('tenant', node.caches.senders)
local mailbox_of_address = reader('mailbox', node.caches.senders)

-- 4. Small tools.

local function refuse(code, text)
	kumo.reject(code, text:sub(1, 100))
end

local function lower(text)
	return type(text) == 'string' and text:lower() or ''
end

--- `news+tag@example.com` is `news@example.com`; nil without a tag.
local function without_tag(address)
	local user, domain = address:match '^([^+@]+)%+[^@]*@([^@]+)$'
	return user and user .. '@' .. domain
end

--- The address part of `192.0.2.1:25`, `[2001:db8::1]:25` or `[fe80::1%2]:25`, whose zone no network may carry.
local function peer_of(conn_meta)
	local from = tostring(conn_meta:get_meta 'received_from')
	local address = from:match '^%[(.+)%]:%d+$' or from:match '^(.+):%d+$' or from
	return address:match '^[^%%]*'
end

local PURPOSES = { inbound = true, submission = true, relay = true }

local function purpose_of(conn_meta)
	local purpose = conn_meta:get_meta 'x_purpose'
	return PURPOSES[purpose] and purpose or nil
end

--- After a restart is asked for, the old process's listeners run these handlers until they are drained.
local function known_purpose(conn_meta)
	local purpose = purpose_of(conn_meta)
	if not purpose then
		refuse(421, '4.3.0 this listener is not part of the configuration any more')
	end
	return purpose
end

--- Queues inside KumoMTA, which no recipient may name.
local function is_reserved(domain)
	local name = lower(domain):gsub('%.+$', '')
	for _, suffix in ipairs { '.kumomta.internal', MAILBOX_DOMAIN, '.log_hook', '.kumomta' } do
		if name == suffix:sub(2) or name:sub(-#suffix) == suffix then
			return true
		end
	end
	return false
end

local function refuse_reserved(recipient)
	if is_reserved(recipient.domain) then
		refuse(550, '5.1.2 this domain is reserved')
	end
end

-- 5. Passwords: PBKDF2-HMAC-SHA256 (RFC 8018), one block of 32 bytes.

local FORMAT = '>i8i8i8i8'

local function unhex(text)
	return (text:gsub('..', function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

--- The key is always `{ key_data = … }`: KumoMTA opens a plain string as a file.
local function hmac(key, message)
	return kumo.digest.hmac_sha256({ key_data = key }, message).bytes
end

local function derive(password, salt, iterations)
	local block = hmac(password, salt .. '\0\0\0\1')
	local a, b, c, d = string.unpack(FORMAT, block)
	for _ = 2, iterations do
		block = hmac(password, block)
		local e, f, g, h = string.unpack(FORMAT, block)
		a, b, c, d = a ~ e, b ~ f, c ~ g, d ~ h
	end
	return string.pack(FORMAT, a, b, c, d)
end

--- Equal in a time that does not depend on where they differ.
local function is_equal(left, right)
	if #left ~= 32 or #right ~= 32 then
		return false
	end
	local a, b, c, d = string.unpack(FORMAT, left)
	local e, f, g, h = string.unpack(FORMAT, right)
	return (a ~ e) | (b ~ f) | (c ~ g) | (d ~ h) == 0
end

--- One secret per process, so that a cache key says nothing about a password.
local process_secret = kumo.memoize(function()
	return kumo.uuid.new_v4().simple .. kumo.uuid.new_v4().simple
end, { name = 'kumomta_ui_process_secret', ttl = '3650 days', capacity = 1 })

--- What the running check asks about. An argument would be kept in memory and printed in error logs.
local asked

local checked = kumo.memoize(function()
	local same = is_equal(derive(asked.password, unhex(asked.salt), asked.iterations), unhex(asked.hash))
	return same and 'yes' or 'no'
end, { name = 'kumomta_ui_password', ttl = node.caches.ttl, capacity = 10000, invalidate_with_epoch = true })

local function is_plausible_password(password)
	return type(password) == 'string' and #password >= 1 and #password <= 128 and not password:find '[^\x20-\x7e]'
end

local DUMMY = { salt = ('0'):rep(32), hash = ('0'):rep(64), iterations = 1 }

--- @param verifier a sender's or the panel's { id, salt, hash, iterations }; nil costs one dummy computation
local function verify(verifier, password)
	if not is_plausible_password(password) then
		verifier, password = nil, '-'
	end
	if not verifier or not verifier.hash or not verifier.salt then
		derive(password, unhex(DUMMY.salt), DUMMY.iterations)
		return false
	end
	local iterations = verifier.iterations or 1
	if iterations == 1 then
		return is_equal(derive(password, unhex(verifier.salt), 1), unhex(verifier.hash))
	end
	asked = { password = password, salt = verifier.salt, hash = verifier.hash, iterations = iterations }
	local tag = kumo.digest.hmac_sha256({ key_data = process_secret() }, password).hex
	local result = checked(node.revision, verifier.id, tag)
	asked = nil
	return result == 'yes'
end

local function is_throttled(name, rate)
	return kumo.make_throttle('kumomta-ui-' .. name, rate):throttle().throttled
end

-- 6. Who may send as whom.

--- Refuses while the sender may not send. @return the sender's domain
local function active_domain(sender)
	local domain = domain_of_name(sender.domain)
	if not domain or not domain.ready then
		local reason = domain and domain.reason
		refuse(450, '4.7.1 the sender domain is not ready' .. (reason and ': ' .. reason or ''))
	end
	if sender.status ~= 'enabled' then
		refuse(450, '4.7.1 sending is paused for this sender')
	end
	return domain
end

--- RFC 5321 MAIL FROM: the sender's own address, also with a tag, or at its domain's bounce host.
local function check_return_path(envelope, sender, domain)
	local address = lower(envelope.email)
	if address == '' then
		refuse(550, '5.1.7 the null sender is for reports only')
	end
	if address == sender.address or without_tag(address) == sender.address then
		return
	end
	if lower(envelope.domain) == domain.bounceHost then
		local untagged = without_tag(address)
		if domain.anyReturnPath or mailbox_of_address(address) or (untagged and mailbox_of_address(untagged)) then
			return
		end
		refuse(550, '5.7.1 this bounce host takes only its accounts as MAIL FROM')
	end
	refuse(550, '5.7.1 MAIL FROM must be the sender address or at its bounce host')
end

--- The address of the one From header, lower-case. KumoMTA's accessors read the first From only and raise on lists.
local function from_address(msg)
	local read, values = pcall(function()
		return msg:get_all_named_header_values 'From'
	end)
	if not read or #values ~= 1 then
		refuse(550, '5.6.0 exactly one From header is required')
	end
	local parsed, user, domain = pcall(function()
		local from = msg:from_header()
		return from.user, from.domain
	end)
	user, domain = lower(parsed and user), lower(parsed and domain)
	local value = lower(tostring(values[1]))
	if
		-- A quoted local part comes decoded: the address has to stand there as it is read.
		value:find '"%s*@'
		or not value:find(user .. '@' .. domain, 1, true)
		or #user > 64
		or not user:find "^[a-z0-9!#$%%&'*+/=?^_`{|}~.-]+$"
		or not domain:find '^[a-z0-9._-]+$'
	then
		refuse(550, '5.6.0 From must contain one plain mail address')
	end
	return user .. '@' .. domain, domain
end

local function with_address(address)
	local sender = sender_of_address(address)
	if sender then
		sender.address = address
	end
	return sender
end

local function may_use_from(sender, address, domain)
	return address == sender.address or (sender.from == 'domain' and domain == sender.domain)
end

--- On relay hosts the From header picks the sender: its exact address, else the domain-wide sender of that domain.
local function sender_by_from(address, domain)
	local sender = with_address(address)
	if sender then
		return sender
	end
	local owner = domain_of_name(domain)
	sender = owner and owner.domainSender and with_address(owner.domainSender)
	if not sender or not may_use_from(sender, address, domain) then
		refuse(550, '5.7.1 no sender has this From address')
	end
	return sender
end

local function authenticated(conn_meta)
	local name = conn_meta:get_meta 'authn_id'
	if type(name) ~= 'string' then
		refuse(530, '5.7.0 authentication required')
	end
	local sender = with_address(name)
	if not sender then
		refuse(550, '5.7.1 this sender does not exist any more')
	end
	return sender
end

-- 7. Recipients that get no mail: two files that the panel replaces as a whole, outside of any revision.

-- Seconds. After a rename an open connection goes on reading the file that was there before.
local SUPPRESSION_AGE = 30
local SUPPRESSION_ROWS = "SELECT scope || ' ' || reason FROM suppressed WHERE address = ? AND scope IN ('', ?)"

local function open_suppression(name)
	local path = node.suppression_root .. '/' .. name
	-- KumoMTA's sqlite would make a file that is missing.
	local file, problem = io.open(path, 'r')
	if not file then
		error(problem, 0)
	end
	file:close()
	local opened = sqlite.open(path)
	opened:execute 'PRAGMA query_only = 1'
	opened:execute 'PRAGMA cache_size = -512'
	if opened:execute('PRAGMA user_version')[1] ~= SUPPRESSION_FORMAT then
		error(path .. ' has another format than this program', 0)
	end
	return opened
end

--- Of this Lua context: { at, delta, base }, or { at, problem } while they can not be read.
local suppression

local function close_suppression()
	for _, name in ipairs { 'delta', 'base' } do
		if suppression and suppression[name] then
			suppression[name]:close()
		end
	end
	suppression = nil
end

local function suppression_files()
	local age = suppression and os.time() - suppression.at
	if not age or age < 0 or age >= SUPPRESSION_AGE then
		close_suppression()
		suppression = { at = os.time() }
		-- The delta first: beside a newer base it only says again what stands there.
		suppression.delta = open_suppression 'delta.sqlite'
		suppression.base = open_suppression 'base.sqlite'
	end
	if suppression.problem then
		error(suppression.problem, 0)
	end
	return suppression
end

local function read_suppression(address, domain)
	local files = suppression_files()
	local reasons = {}
	for _, name in ipairs { 'base', 'delta' } do
		for _, row in ipairs(files[name]:execute(SUPPRESSION_ROWS, address, domain)) do
			local scope, reason = row:match '^(%S*) (.*)$'
			-- The delta comes last and wins; an empty reason there says "not any more".
			reasons[scope] = reason ~= '' and reason or nil
		end
	end
	for _, scope in ipairs { domain, '' } do
		if reasons[scope] then
			return { scope = scope, reason = reasons[scope]:match '^[a-z-]+$' or 'listed' }
		end
	end
end

--- What can not be read refuses nothing. It is counted in the metric `user_lua_latency` and told once a minute.
local function suppression_failed(problem)
	if suppression and not suppression.problem then
		local at = suppression.at
		close_suppression()
		suppression = { at = at, problem = tostring(problem) }
	end
	kumo.time.start_timer('kumomta_ui_suppression_unreadable'):done()
	if not is_throttled('suppression-unreadable', '1/min') then
		kumo.log_error('The suppression lists can not be read, so that nobody is refused: ' .. tostring(problem))
	end
end

--- @param recipient an envelope address. Its tag stays: a list names whole addresses.
--- @return { scope, reason } where a list names it
local function suppressed(recipient, domain)
	if not node.suppression_root or not domain or not domain.suppression then
		return nil
	end
	-- Of a quoted local part this is the text without its quotes.
	local address = lower(recipient.user) .. '@' .. lower(recipient.domain):gsub('%.+$', '')
	local read, entry = pcall(read_suppression, address, domain.name)
	if not read then
		suppression_failed(entry)
		return nil
	end
	return entry
end

local function refuse_suppressed(recipient, domain, which)
	local entry = suppressed(recipient, domain)
	if not entry then
		return
	end
	-- The whole name where a reply has room for it.
	local name = #entry.scope <= 40 and entry.scope or 'the sender domain'
	local list = entry.scope == '' and 'the global list' or 'the list of ' .. name
	if which then
		refuse(550, '5.7.1 recipient ' .. which .. ' is suppressed by ' .. list .. ': ' .. entry.reason)
	end
	refuse(550, '5.7.1 suppressed by ' .. list .. ': ' .. entry.reason)
end

--- Where no RCPT was judged by this domain: over HTTP, and where MAIL FROM told another domain than the From header.
--- KumoMTA can refuse a transaction only as a whole; a recipient that is taken out of it would be lost without a word.
local function refuse_suppressed_list(msg, domain)
	local recipients = msg:recipient_list()
	for index, recipient in ipairs(recipients) do
		local which = #recipients > 1 and ('%d of %d'):format(index, #recipients)
		refuse_suppressed(recipient, domain, which)
	end
end

-- 8. What happens to an accepted message.

local SIGNED_HEADERS = {
	'From', 'To', 'Cc', 'Subject', 'Date', 'Message-ID', 'Reply-To', 'In-Reply-To', 'References', 'MIME-Version',
	'Content-Type', 'Content-Transfer-Encoding', 'List-Id', 'List-Unsubscribe', 'List-Unsubscribe-Post'
}

local IS_SIGNED = {}
for _, name in ipairs(SIGNED_HEADERS) do
	IS_SIGNED[name:lower()] = true
end

local function signer(domain, selector, algorithm)
	local make = algorithm == 'ed25519' and kumo.dkim.ed25519_signer or kumo.dkim.rsa_sha256_signer
	return make {
		domain = domain,
		selector = selector,
		headers = SIGNED_HEADERS,
		over_sign = true,
		key = node.dkim_root .. '/' .. domain .. '/' .. selector .. '.key'
	}
end

local function sign(msg, domain)
	local signed, problem = pcall(function()
		for _, key in ipairs(domain.keys) do
			msg:dkim_sign(signer(domain.name, key.selector, key.algorithm))
		end
	end)
	if not signed then
		kumo.log_error('DKIM signing failed for ' .. domain.name .. ': ' .. tostring(problem))
		refuse(451, '4.7.0 the message can not be signed now')
	end
end

--- At most 1,000 new campaigns at once per tenant, refilled over an hour; a refusal is remembered for the same time.
local is_new_campaign_allowed = kumo.memoize(function(tenant, _)
	return is_throttled('campaigns-' .. tenant, '1000/h') and 'no' or 'yes'
end, { name = 'kumomta_ui_campaign', ttl = '1 hour', capacity = 100000 })

local function set_campaign(msg, tenant)
	local name = node.campaign_header
	-- A header that mail needs is never taken away.
	if not name or IS_SIGNED[name:lower()] then
		return
	end
	local read, values = pcall(function()
		local found = msg:get_all_named_header_values(name)
		msg:remove_all_named_headers(name)
		return found
	end)
	if not read then
		refuse(550, '5.6.0 the message headers can not be read')
	end
	local value = #values == 1 and tostring(values[1]) or ''
	if #value > 64 or not value:find '^[A-Za-z0-9][A-Za-z0-9._-]*$' then
		return
	end
	if is_new_campaign_allowed(tenant, value) == 'yes' then
		msg:set_meta('campaign', value)
	end
end

--- Everything after the sender is known. Signing is last: a header edited later would break the signature.
local function accept(msg, sender)
	local domain = active_domain(sender)
	check_return_path(msg:sender(), sender, domain)
	if msg:get_meta 'x_domain' ~= sender.domain then
		refuse_suppressed_list(msg, domain)
	end
	msg:set_meta('tenant', sender.tenant)
	msg:set_meta('x_sender', sender.id)
	msg:set_meta('x_domain', sender.domain)
	set_campaign(msg, sender.tenant)
	if custom.on_message then
		custom.on_message(msg)
	end
	sign(msg, domain)
end

local handlers = {}

-- 9. SMTP.

function handlers.smtp_server_connection_accepted(conn_meta)
	known_purpose(conn_meta)
	return
end

--- Asked for sender and recipient domains in the client's letter case, with '' for the null sender; kept per connection.
function handlers.get_listener_domain(name, _, conn_meta)
	local purpose = purpose_of(conn_meta)
	local domain_name = lower(name)
	if purpose == 'inbound' then
		if bounce_host(domain_name) then
			return kumo.make_listener_domain {
				relay_to = true,
				log_oob = 'LogThenRelay',
				log_arf = 'LogThenRelay'
			}
		end
		return
	end
	if purpose ~= 'submission' then
		return
	end
	local sender = sender_of_address(conn_meta:get_meta 'authn_id')
	if not sender then
		return
	end
	local domain = domain_of_name(sender.domain)
	if domain_name == sender.domain or (domain and domain_name == domain.bounceHost) then
		return kumo.make_listener_domain { relay_from = { peer_of(conn_meta) } }
	end
	return
end

--- A third failure on a connection ends it: KumoMTA itself does not limit tries.
local function login_failed(conn_meta)
	local failures = (tonumber(conn_meta:get_meta 'x_failed_logins') or 0) + 1
	conn_meta:set_meta('x_failed_logins', failures)
	if failures >= 3 then
		kumo.disconnect(421, '4.7.0 too many failed logins')
	end
	return false
end

function handlers.smtp_server_auth_plain(authz, authc, password, conn_meta)
	if known_purpose(conn_meta) ~= 'submission' then
		refuse(503, '5.5.1 this listener takes no logins')
	end
	if is_throttled('login-' .. peer_of(conn_meta), '20/min') then
		refuse(454, '4.7.0 too many logins, try again later')
	end
	local name = lower(authc)
	local sender = with_address(name)
	if sender and is_throttled('login-sender-' .. sender.id, '60/min') then
		refuse(454, '4.7.0 too many logins, try again later')
	end
	local is_right = verify(sender, password)
	if not is_right or authz ~= authc then
		return login_failed(conn_meta)
	end
	return {
		identities = {
			{ identity = sender.tenant, context = 'SmtpAuthPlainAuthorization' },
			{ identity = name, context = 'SmtpAuthPlainAuthentication' }
		}
	}
end

--- The sending domain that a return path belongs to, empty for none.
local function domain_of_path(envelope)
	local name = lower(envelope.domain)
	local host = bounce_host(name)
	return host and host.domain or (domain_of_name(name) and name) or ''
end

--- `x_domain` is remembered for the recipients of this transaction. Each MAIL FROM sets it anew.
function handlers.smtp_server_mail_from(envelope, conn_meta)
	local purpose = known_purpose(conn_meta)
	if purpose == 'submission' then
		local sender = authenticated(conn_meta)
		check_return_path(envelope, sender, active_domain(sender))
		conn_meta:set_meta('x_domain', sender.domain)
	elseif purpose == 'relay' then
		if envelope.email == '' then
			refuse(550, '5.1.7 the null sender is for reports only')
		end
		conn_meta:set_meta('x_domain', domain_of_path(envelope))
	end
	return
end

--- Whether a bounce host takes mail for this address. `address` is lower-case.
local function is_inbound_recipient(address, domain)
	local user = address:match '^(.*)@[^@]*$'
	local untagged = without_tag(address)
	return domain.anyReturnPath
		or user == 'postmaster'
		or user == 'abuse'
		or address == domain.complaint
		or mailbox_of_address(address) ~= nil
		or (untagged ~= nil and mailbox_of_address(untagged) ~= nil)
end

function handlers.smtp_server_rcpt_to(recipient, conn_meta)
	if known_purpose(conn_meta) ~= 'inbound' then
		refuse_reserved(recipient)
		refuse_suppressed(recipient, domain_of_name(conn_meta:get_meta 'x_domain'))
		return
	end
	local host = bounce_host(lower(recipient.domain))
	local domain = host and domain_of_name(host.domain)
	if not domain then
		refuse(550, '5.7.1 relaying not permitted')
	end
	if not is_inbound_recipient(lower(recipient.email), domain) then
		refuse(550, '5.1.1 no such mailbox')
	end
	return
end

--- Once per transaction, before it is split by recipient: one signature serves all of them.
function handlers.smtp_server_data(msg, conn_meta)
	local purpose = known_purpose(conn_meta)
	if purpose == 'inbound' then
		return
	end
	local sender = purpose == 'submission' and authenticated(conn_meta) or nil
	local address, domain = from_address(msg)
	if not sender then
		sender = sender_by_from(address, domain)
	elseif not may_use_from(sender, address, domain) then
		refuse(550, '5.7.1 this sender may not use this From address')
	end
	accept(msg, sender)
	return
end

local function is_report(msg)
	local is_dsn, dsn = pcall(function()
		return msg:parse_rfc3464()
	end)
	if is_dsn and dsn ~= nil then
		return true
	end
	local is_arf, arf = pcall(function()
		return msg:parse_rfc5965()
	end)
	return is_arf and arf ~= nil
end

function handlers.smtp_server_message_received(msg, conn_meta)
	if known_purpose(conn_meta) ~= 'inbound' then
		return
	end
	for _, recipient in ipairs(msg:recipient_list()) do
		local address = lower(recipient.email)
		local host = bounce_host(lower(recipient.domain))
		local untagged = without_tag(address)
		local mailbox = host and (mailbox_of_address(address) or (untagged and mailbox_of_address(untagged)))
		if host then
			msg:set_meta('x_domain', host.domain)
		end
		if mailbox then
			msg:set_meta('x_mailbox', mailbox.id)
			msg:set_meta('queue', mailbox.id .. MAILBOX_DOMAIN)
		elseif host and is_report(msg) then
			msg:set_meta('queue', 'null')
		else
			refuse(550, '5.1.1 this address takes only delivery and complaint reports')
		end
	end
	return
end

-- 10. HTTP.

--- Never nil: KumoMTA takes that for a failure of the policy. It keeps each answer for 60 seconds.
function handlers.http_server_validate_auth_basic(user, password)
	local name = lower(user)
	local credential = node.http.mode == 'credential' and node.http.credential
	if credential and name == PANEL_USER then
		local verifier = { id = PANEL_USER, salt = credential.salt, hash = credential.hash, iterations = 1 }
		if is_throttled('login-panel', '600/min') or not verify(verifier, password) then
			return false
		end
		return { identities = { { identity = name, context = 'HttpBasicAuth' } }, groups = { PANEL_GROUP } }
	end
	local sender = with_address(name)
	if sender and is_throttled('login-sender-' .. sender.id, '60/min') then
		return false
	end
	if not verify(sender, password) then
		return false
	end
	return { identities = { { identity = name, context = 'HttpBasicAuth' } } }
end

local function has_group(auth_info, group)
	for _, name in ipairs(auth_info.groups or {}) do
		if name == group then
			return true
		end
	end
	return false
end

--- The sender that logged in, nil for a trusted peer or the panel; anyone else is refused.
local function http_sender(auth_info)
	local is_panel = has_group(auth_info, PANEL_GROUP)
	for _, identity in ipairs(auth_info.identities or {}) do
		if identity.context == 'HttpBasicAuth' and not (is_panel and identity.identity == PANEL_USER) then
			local sender = with_address(lower(identity.identity))
			if not sender then
				refuse(550, '5.7.1 this sender does not exist any more')
			end
			return sender
		end
	end
	if not is_panel and not has_group(auth_info, TRUSTED_GROUP) then
		refuse(550, '5.7.1 authentication required')
	end
	return nil
end

function handlers.http_message_generated(msg, auth_info)
	local sender = http_sender(auth_info)
	for _, recipient in ipairs(msg:recipient_list()) do
		refuse_reserved(recipient)
	end
	local address, domain = from_address(msg)
	if not sender then
		sender = sender_by_from(address, domain)
	elseif not may_use_from(sender, address, domain) then
		refuse(550, '5.7.1 this sender may not use this From address')
	end
	accept(msg, sender)
	return
end

local function rules(identity, privileges, access)
	local list = {}
	for _, privilege in ipairs(privileges) do
		table.insert(list, { criteria = { Identity = identity }, privilege = privilege, access = access })
	end
	return list
end

local PANEL = { Group = PANEL_GROUP }
local ALL = { 'GET', 'POST', 'DELETE' }

--- With a panel credential, loopback alone opens nothing; transfer to another node is closed to everybody.
local CREDENTIAL_RULES = {
	['http_listener/*/api/inject'] = rules('Authenticated', { 'POST' }, 'Allow'),
	['http_listener/*/api/admin'] = rules(PANEL, ALL, 'Allow'),
	['http_listener/*/api/admin/xfer'] = rules('Any', ALL, 'Deny'),
	['http_listener/*/api/xfer'] = rules('Any', ALL, 'Deny'),
	['http_listener/*/api/machine-info'] = rules(PANEL, { 'GET' }, 'Allow'),
	['http_listener/*/metrics'] = rules(PANEL, { 'GET' }, 'Allow'),
	['http_listener/*/metrics.json'] = rules(PANEL, { 'GET' }, 'Allow')
}

function handlers.get_acl_definition(resource)
	local list = node.http.mode == 'credential' and CREDENTIAL_RULES[resource]
	if list then
		return kumo.aaa.make_access_control_list(list)
	end
	return
end

-- 11. Queues, pools, sources. They answer for every name: an error would strand spooled mail until the next restart.

local provider_of = kumo.memoize(function(_, domain)
	local found, name = pcall(function()
		local site = kumo.dns.lookup_mx(domain).site_name
		return kumo.invoke_get_egress_path_config(domain, 'unspecified', site).provider_name
	end)
	return found and name or nil
end, { name = 'kumomta_ui_provider', ttl = '5 minutes', capacity = 20000, invalidate_with_epoch = true })

local function default_pool()
	return node.default_pool or NO_POOL
end

local function mailbox_queue()
	return {
		egress_pool = default_pool(),
		refresh_strategy = 'Epoch',
		retry_interval = '1 minute',
		-- Constant: what a recipient wrote reaches no path. Only the account's id varies.
		protocol = {
			maildir_path = node.mail_root .. '/{{ meta.x_mailbox }}',
			dir_mode = tonumber('2771', 8),
			file_mode = tonumber('660', 8)
		}
	}
end

local function queue_params(domain, tenant, campaign, routing_domain)
	if not tenant and not campaign and lower(domain):sub(-#MAILBOX_DOMAIN) == MAILBOX_DOMAIN then
		return mailbox_queue()
	end
	local entry = tenant_of_name(tenant) or {}
	local destination = routing_domain or domain
	return {
		egress_pool = entry.pool or default_pool(),
		refresh_strategy = 'Epoch',
		max_message_rate = entry.rate,
		retry_interval = entry.retry,
		max_age = entry.maxAge,
		provider_name = is_key(destination) and not is_reserved(destination) and provider_of(node.revision, destination) or nil
	}
end

local function copy(params)
	local result = {}
	for key, value in pairs(params) do
		result[key] = value
	end
	return result
end

--- The operator's change of `params`; what it does wrong is logged and leaves them as they were.
local function customized(hook, make, params, ...)
	if not hook then
		return make(params)
	end
	local arguments = table.pack(...)
	local done, result = pcall(function()
		local changed = copy(params)
		return make(hook(changed, table.unpack(arguments, 1, arguments.n)) or changed)
	end)
	if done then
		return result
	end
	kumo.log_error('custom.lua: ' .. tostring(result))
	return make(params)
end

function handlers.get_queue_config(domain, tenant, campaign, routing_domain)
	local found, params = pcall(queue_params, domain, tenant, campaign, routing_domain)
	if not found then
		kumo.log_error('The directory can not be read: ' .. tostring(params))
		params = { egress_pool = default_pool(), refresh_strategy = 'Epoch' }
	end
	return customized(custom.queue_config, kumo.make_queue_config, params, domain, tenant, campaign, routing_domain)
end

function handlers.get_egress_pool(name)
	local entries = (node.pool and node.pool[name] or {}).entries or {}
	return kumo.make_egress_pool { name = name, entries = #entries > 0 and entries or nil }
end

--- Only pools name sources, and only known ones: a name that is not there belongs to no queue of this revision.
function handlers.get_egress_source(name)
	local source = node.source and node.source[name]
	if not source then
		error('This revision has no egress source of that name. Its mail waits.', 0)
	end
	return kumo.make_egress_source {
		name = name,
		source_address = source.source_address,
		ehlo_domain = source.ehlo_domain
	}
end

function handlers.get_egress_path_config(domain, source, site)
	if not custom.path_config then
		return shaped_path(domain, source, site)
	end
	local params = shaped_path(domain, source, site, true)
	return customized(custom.path_config, kumo.make_egress_path, params, domain, source, site)
end

local function delay_by_rate(msg)
	local tenant = msg:get_meta 'tenant'
	local entry = tenant_of_name(tenant)
	if entry and entry.rate then
		kumo.make_throttle('kumomta-ui-tenant-' .. tenant, entry.rate):delay_message_if_throttled(msg)
	end
end

--- A sender's overall rate. Approximate: it counts entries into ready queues. Without the directory mail still flows.
function handlers.throttle_insert_ready_queue(msg)
	local done, problem = pcall(delay_by_rate, msg)
	if not done then
		kumo.log_error('A sender rate can not be applied: ' .. tostring(problem))
	end
	return
end

--- KumoMTA can not delete one message: a rebind with `{ id = … }` moves that one to the queue that keeps nothing.
function handlers.rebind_message(msg, data)
	if data.id and data.id == msg:id() then
		msg:set_meta('queue', 'null')
	end
	return
end

-- 12. Reports of failures in delivery (RFC 3464), to our own bounce accounts and to nobody else.

-- Bytes of the original's headers, recipients and bytes of a diagnostic that a report may carry.
local MAX_HEADERS, MAX_RECIPIENTS, MAX_DIAGNOSTIC = 32768, 100, 900
-- RFC 5322 section 2.1.1, without the CRLF.
local MAX_LINE = 998

--- One line of visible ASCII: what a client or a remote server wrote may not end a line or hide in it.
local function plain(text, limit)
	return (tostring(text):gsub('[%c%s]+', ' '):gsub('[^\x20-\x7e]', '?'):sub(1, limit))
end

local function mail_date(seconds)
	return os.date('!%a, %d %b %Y %H:%M:%S +0000', math.tointeger(seconds) or 0)
end

--- KumoMTA gives an absent value as a null that is no nil and true.
local function table_or_empty(value)
	return type(value) == 'table' and value or {}
end

--- RFC 3463. A failure is never of class 2.
local function status_of(response)
	local code = table_or_empty(response.enhanced_code)
	local class, subject, detail = math.tointeger(code.class), math.tointeger(code.subject), math.tointeger(code.detail)
	if (class == 4 or class == 5) and subject and detail and subject >= 0 and subject <= 999 and detail >= 0 and detail <= 999 then
		return ('%d.%d.%d'):format(class, subject, detail)
	end
	return '5.0.0'
end

local function diagnostic_of(response)
	local code = table_or_empty(response.enhanced_code)
	local enhanced = code.class and ('%s.%s.%s '):format(code.class, code.subject, code.detail) or ''
	return plain(('%s %s%s'):format(response.code or 550, enhanced, response.content or ''), MAX_DIAGNOSTIC)
end

--- RFC 3464 section 2.3.2; with other letters than ASCII as RFC 6533 section 3 writes them in ASCII.
local function typed_address(address)
	if not address:find '[\x80-\xff]' or not utf8.len(address) then
		return 'rfc822; ' .. plain(address, 320)
	end
	local parts = {}
	for _, code in utf8.codes(address) do
		table.insert(parts, code < 128 and plain(utf8.char(code), 1) or ('\\x{%X}'):format(code))
	end
	return 'utf-8; ' .. table.concat(parts):sub(1, MAX_DIAGNOSTIC)
end

local function recipients_of(record)
	local list = type(record.recipient) == 'table' and record.recipient or { record.recipient }
	local result = {}
	for index = 1, math.min(#list, MAX_RECIPIENTS) do
		table.insert(result, tostring(list[index]))
	end
	return result
end

local function delivery_status(record, host)
	local response = table_or_empty(record.response)
	local lines = { 'Reporting-MTA: dns; ' .. host, 'Arrival-Date: ' .. mail_date(record.created), '' }
	local peer = table_or_empty(record.peer_address).name
	for _, recipient in ipairs(recipients_of(record)) do
		table.insert(lines, 'Final-Recipient: ' .. typed_address(recipient))
		table.insert(lines, 'Action: failed')
		table.insert(lines, 'Status: ' .. status_of(response))
		if type(peer) == 'string' and peer ~= '' then
			table.insert(lines, 'Remote-MTA: dns; ' .. plain(peer:gsub('%.$', ''), 255))
		end
		table.insert(lines, 'Diagnostic-Code: smtp; ' .. diagnostic_of(response))
		table.insert(lines, 'Last-Attempt-Date: ' .. mail_date(record.timestamp))
		table.insert(lines, '')
	end
	return lines
end

--- Not inside of a letter of UTF-8.
local function cut(text, limit)
	while limit > 0 and #text > limit and (text:byte(limit + 1) & 0xc0) == 0x80 do
		limit = limit - 1
	end
	return text:sub(1, limit)
end

--- One header in lines of a lawful length: broken before a space, and cut where there is none.
local function add_header(lines, name, value)
	value = value:gsub('[%c%s]+', ' ')
	if not utf8.len(value) then
		value = value:gsub('[\x80-\xff]', '?')
	end
	-- The first line keeps a part of the value, a further one begins with a space.
	local rest, first = name .. ': ' .. value:gsub('^ ', ''), #name + 3
	while #rest > MAX_LINE do
		local at = cut(rest, MAX_LINE):match '.*() [^ ]*$'
		if not at or at < first then
			rest = cut(rest, MAX_LINE)
		else
			table.insert(lines, rest:sub(1, at - 1))
			rest, first = rest:sub(at), 2
		end
	end
	table.insert(lines, rest)
end

local function headers_of(msg)
	local lines, bytes = {}, 0
	for _, header in ipairs(msg:get_all_headers()) do
		local name, value = tostring(header[1]), tostring(header[2])
		bytes = bytes + #name + #value
		if bytes > MAX_HEADERS then
			break
		end
		if #name <= 76 and name:find '^[\x21-\x39\x3b-\x7e]+$' then
			add_header(lines, name, value)
		end
	end
	return lines
end

local function explanation(record, host)
	local lines = { 'This is the mail server ' .. host .. '.', '', 'Your message could not be delivered to:', '' }
	for _, recipient in ipairs(recipients_of(record)) do
		table.insert(lines, '  ' .. plain(recipient, 320))
	end
	table.insert(lines, '')
	table.insert(lines, record.type == 'Expiration' and 'It waited for too long. The last answer was:' or 'The answer was:')
	table.insert(lines, '')
	table.insert(lines, '  ' .. diagnostic_of(table_or_empty(record.response)))
	table.insert(lines, '')
	table.insert(lines, 'Nothing more is tried for this message. Its headers follow.')
	return lines
end

--- @param to what stands in the report's To header: the return path as the message named it
local function report_text(msg, record, to, host)
	local id = kumo.uuid.new_v4().simple
	local boundary = 'report-' .. id
	local headers = table.concat(headers_of(msg), '\r\n')
	local is_ascii = not headers:find '[\x80-\xff]'
	local encoding = is_ascii and '7bit' or '8bit'
	local lines = {
		'Return-Path: <>',
		'From: Mail Delivery System <MAILER-DAEMON@' .. host .. '>',
		'To: <' .. to .. '>',
		'Subject: Undelivered mail returned to sender',
		'Date: ' .. mail_date(os.time()),
		'Message-ID: <' .. id .. '@' .. host .. '>',
		'Auto-Submitted: auto-replied',
		'MIME-Version: 1.0',
		'Content-Type: multipart/report; report-type=delivery-status; boundary="' .. boundary .. '"',
		'Content-Transfer-Encoding: ' .. encoding,
		''
	}
	local function part(kind, charset, content)
		table.insert(lines, '--' .. boundary)
		table.insert(lines, 'Content-Type: ' .. kind .. (charset and '; charset=' .. charset or ''))
		if charset == 'utf-8' then
			table.insert(lines, 'Content-Transfer-Encoding: 8bit')
		end
		table.insert(lines, '')
		table.insert(lines, content)
		table.insert(lines, '')
	end
	part('text/plain', 'us-ascii', table.concat(explanation(record, host), '\r\n'))
	part('message/delivery-status', nil, table.concat(delivery_status(record, host), '\r\n'))
	part('text/rfc822-headers', not is_ascii and 'utf-8' or nil, headers)
	table.insert(lines, '--' .. boundary .. '--')
	table.insert(lines, '')
	return table.concat(lines, '\r\n')
end

--- The enabled account that a return path at a bounce host belongs to: its own, that of its tag, or the only one of a
--- domain that takes any return path. @return its address and its mailbox
local function account_of(address, host)
	for _, account in ipairs { address, without_tag(address) or address, host.account } do
		local mailbox = mailbox_of_address(account)
		if mailbox then
			return account, mailbox
		end
	end
end

--- Only for mail that a sender of ours gave us: no stranger's MAIL FROM makes a report.
local function report_target(msg)
	local path = msg:sender()
	local address = lower(path.email)
	if address == '' or not msg:get_meta 'x_sender' or msg:get_meta 'x_mailbox' then
		return nil
	end
	local host = bounce_host(lower(path.domain))
	local domain = host and domain_of_name(host.domain)
	if not domain or not domain.reports then
		return nil
	end
	local account, mailbox = account_of(address, host)
	if not account then
		return nil
	end
	local is_plain = #path.email <= 320 and not path.email:find '[^\x21-\x7e]'
	return { account = account, mailbox = mailbox, domain = domain, to = is_plain and path.email or account }
end

--- A report may fail, but is not answered by another one.
local function is_about_report(msg)
	local kind = lower(msg:get_first_named_header_value 'Content-Type')
	return kind:find '^%s*multipart/report' ~= nil
end

local function report_failure(msg, record)
	if record.type ~= 'Bounce' and record.type ~= 'Expiration' then
		return
	end
	local target = report_target(msg)
	if not target or is_about_report(msg) then
		return
	end
	local host = node.hostname ~= '' and node.hostname or target.domain.bounceHost
	local report = kumo.make_message('', target.account, report_text(msg, record, target.to, host))
	report:set_meta('x_domain', target.domain.name)
	report:set_meta('x_mailbox', target.mailbox.id)
	report:set_meta('queue', target.mailbox.id .. MAILBOX_DOMAIN)
	kumo.inject_message(report)
end

handlers['log_disposition_' .. HOOK] = function(msg, record)
	local done, problem = pcall(report_failure, msg, record)
	if not done and not is_throttled('report-failed', '1/min') then
		kumo.log_error('A failure in delivery can not be reported: ' .. tostring(problem))
	end
	return
end

-- 13. Start.

function handlers.pre_init()
	local globs = { node.live_init }
	for _, glob in ipairs(node.monitor_globs or {}) do
		table.insert(globs, glob)
	end
	kumo.set_config_monitor_globs(globs)
	kumo.set_lruttl_cache_capacity('dkim_signer_cache', node.caches.dkim)
	kumo.set_lruttl_cache_capacity('dkim_key_cache', node.caches.dkim)
	kumo.aaa.set_acl_cache_ttl '1 minute'
	kumo.configure_log_disposition_hook {
		name = HOOK,
		per_record = { Any = { enable = false }, Bounce = { enable = true }, Expiration = { enable = true } }
	}
	return
end

local function hostname()
	return node.hostname ~= '' and node.hostname or nil
end

--- On an IPv6 listener an IPv4 peer is `::ffff:a.b.c.d` and matches no IPv4 network.
local function networks(list, is_ipv6)
	local result = {}
	for _, network in ipairs(list) do
		table.insert(result, network)
		local address, bits = network:match '^(%d+%.%d+%.%d+%.%d+)/(%d+)$'
		if is_ipv6 and address then
			table.insert(result, '::ffff:' .. address .. '/' .. math.tointeger(96 + tonumber(bits)))
		end
	end
	return #result > 0 and result or NOBODY
end

local function start_listener(listener)
	local is_ipv6 = listener.address:find(':', 1, true) ~= nil
	local tls = node.tls or {}
	kumo.start_esmtp_listener {
		listen = (is_ipv6 and '[' .. listener.address .. ']' or listener.address) .. ':' .. math.tointeger(listener.port),
		hostname = hostname(),
		relay_hosts = listener.purpose == 'relay' and networks(node.relay_hosts or {}, is_ipv6) or NOBODY,
		tls_certificate = tls.certificate,
		tls_private_key = tls.private_key,
		meta = { x_purpose = listener.purpose }
	}
end

function handlers.init()
	for _, name in ipairs { 'data', 'meta' } do
		kumo.define_spool {
			name = name,
			path = node.spool.directory .. '/' .. name,
			kind = node.spool.kind,
			min_free_space = node.spool.min_free,
			min_free_inodes = node.spool.min_free
		}
	end
	kumo.configure_local_logs {
		log_dir = node.logs.directory,
		max_segment_duration = node.logs.max_segment_duration,
		meta = { 'tenant', 'campaign', 'x_*' },
		per_record = { Delayed = { enable = false } }
	}
	kumo.configure_bounce_classifier { files = { node.share_root .. '/bounce_classifier/iana.toml' } }
	kumo.start_http_listener {
		listen = node.http.listen,
		hostname = hostname(),
		trusted_hosts = node.http.mode == 'credential' and NOBODY or { '127.0.0.1', '::1' }
	}
	for _, listener in ipairs(node.listener) do
		start_listener(listener)
	end
	return
end

-- 14. `kumod --validate`: what only kumod itself, as its own user, can see.

local TABLES = { 'domain', 'bounce_host', 'sender', 'tenant', 'mailbox' }

local function check_directory()
	local format = directory():execute('PRAGMA user_version')[1]
	if format ~= DIRECTORY_FORMAT then
		error('directory.sqlite has format ' .. tostring(format) .. ', expected ' .. DIRECTORY_FORMAT, 0)
	end
	for _, name in ipairs(TABLES) do
		local value = directory():execute('SELECT value FROM ' .. name .. ' LIMIT 1')[1]
		if value and type(kumo.serde.json_parse(value)) ~= 'table' then
			error('directory.sqlite: ' .. name .. ' holds something else than objects', 0)
		end
	end
end

local PROBE = 'From: <probe@%s>\r\nTo: <probe@%s>\r\nSubject: probe\r\n\r\nprobe\r\n'

local function check_key(key)
	local address = 'probe@' .. key.domain
	local msg = kumo.make_message(address, address, PROBE:format(key.domain, key.domain))
	-- Both constructors take the algorithm from the key.
	msg:dkim_sign(signer(key.domain, key.selector))
end

--- KumoMTA itself passes a pool that names an absent source, and then delays its mail.
local function check_pools()
	for name, pool in pairs(node.pool or {}) do
		for _, entry in ipairs(pool.entries or {}) do
			if not (node.source and node.source[entry.name]) then
				error('pool ' .. name .. ' names the absent source ' .. entry.name, 0)
			end
			handlers.get_egress_source(entry.name)
		end
		handlers.get_egress_pool(name)
	end
end

local function check_hooks()
	if custom.queue_config then
		local params = queue_params('example.com')
		kumo.make_queue_config(custom.queue_config(params, 'example.com') or params)
	end
	if custom.path_config then
		local params = shaped_path('example.com', 'unspecified', 'example.com', true)
		kumo.make_egress_path(custom.path_config(params, 'example.com', 'unspecified', 'example.com') or params)
	end
end

local function check(what, run, ...)
	local passed, problem = pcall(run, ...)
	if not passed then
		print('ERROR: ' .. what .. ': ' .. tostring(problem))
		kumo.validation_failed()
	end
end

function handlers.validate_config()
	check('directory.sqlite', check_directory)
	check('node.toml', check_pools)
	for _, key in ipairs(node.probe_key or {}) do
		check('DKIM key ' .. key.selector .. ' of ' .. key.domain, check_key, key)
	end
	check('custom.lua', check_hooks)
	return
end

-- 15. Registration, and nothing else.

local EVENTS = {
	'pre_init', 'init', 'validate_config', 'smtp_server_connection_accepted', 'get_listener_domain',
	'smtp_server_auth_plain', 'smtp_server_mail_from', 'smtp_server_rcpt_to', 'smtp_server_data',
	'smtp_server_message_received', 'http_server_validate_auth_basic', 'http_message_generated', 'get_acl_definition',
	'get_queue_config', 'get_egress_pool', 'get_egress_source', 'get_egress_path_config', 'throttle_insert_ready_queue',
	'rebind_message', 'log_disposition_' .. HOOK
}

for _, event in ipairs(EVENTS) do
	local registered, problem = pcall(kumo.on, event, handlers[event])
	if not registered then
		error(
			'custom.lua takes the event ' .. event .. ', which KumoMTA UI needs. Nothing was loaded. '
				.. 'Use a hook or another event: ' .. tostring(problem),
			0
		)
	end
end

return handlers
