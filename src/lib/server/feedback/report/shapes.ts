/** A form of report that is text for people, as one kind of server writes it. */
export interface Shape {
	name: string;
	/** Any of them, somewhere in the text. */
	signs: RegExp;
	/** A line that names a failed recipient: the first group holds the address. */
	mention: RegExp;
}

const address = String.raw`[^\s"'<>()\[\]:;,@\\]{1,64}@[^\s"'<>()\[\]:;,@\\/=]{1,253}`;
const line = (pattern: string, flags = 'i') => new RegExp(pattern.replaceAll('ADDRESS', `(${address})`), flags);

/** The first that fits is taken; `any` at the end takes what has no form of its own. */
export const shapes: Shape[] = [
	{
		// cr.yp.to/proto/qsbmf.txt: a paragraph for each recipient, which begins with `<address>:`.
		name: 'qmail',
		signs: /^Hi\. This is the .{0,100}(?:qmail|program at)|qmail-send|This is a permanent error; I've given up/im,
		mention: line('^<ADDRESS>:')
	},
	{
		name: 'postfix',
		signs: /This is the (?:Postfix|mail system|\S{1,30} program) at (?:host )?\S/i,
		mention: line(String.raw`^\s{0,8}<ADDRESS>(?: \(expanded from [^)]{1,400}\))?(?::|,? ?\()`)
	},
	{
		name: 'exim',
		signs: /This message was created automatically by (?:the )?(?:mail delivery software|mail system)/i,
		mention: line(String.raw`^\s{1,8}ADDRESS(?:$|\s*\(|:)`)
	},
	{
		name: 'sendmail',
		signs: /-{3,} ?(?:The following addresses had|Transcript of session follows)/i,
		mention: line(String.raw`^\s{0,8}(?:<ADDRESS>|"\|[^"]{1,200}")|^\d{3} (?:\d\.\d{1,3}\.\d{1,3} )?<?ADDRESS>?\.\.\.`)
	},
	{
		name: 'gmail',
		signs:
			/Technical details of (?:permanent|temporary) failure|Your message wasn't delivered to|The response from the remote server was|There was a (?:temporary )?problem delivering your message to|Delivery to the following recipients? (?:has been delayed|failed permanently)/i,
		mention: line(
			String.raw`(?:wasn't delivered to|problem delivering your message to|while delivering to)\s+<?ADDRESS|^\s{1,8}ADDRESS\s*$`
		)
	},
	{
		name: 'yahoo',
		signs: /unable to deliver your message to the following address/i,
		mention: line(String.raw`^\s{0,4}<ADDRESS>:?`)
	},
	{
		name: 'exchange',
		signs:
			/Delivery has failed to these recipients|did not reach the following recipient|Diagnostic information for administrators|couldn't be delivered|Generating server:|delivery to the following recipients? (?:has been delayed|failed)/i,
		mention: line(
			String.raw`^\s{0,8}(?:[^<>@\n]{0,100}\()?<?ADDRESS[)>]?\s*(?:<mailto:[^>]{1,320}>|\(mailto:[^)]{1,320}\)|\[mailto:[^\]]{1,320}\])?\s*(?:$| on [A-Z])|message to (?:<mailto:)?ADDRESS\S{0,200} couldn't be delivered`
		)
	},
	{
		name: 'lotus',
		signs:
			/-{3,} ?Failure Reasons ?-{3,}|not listed in (?:the )?(?:Domino Directory|public Name & Address Book)|Lotus Notes/i,
		mention: line(String.raw`(?:^|[\s(<])ADDRESS(?:[\s)>,.]|$)`)
	},
	{ name: 'any', signs: /(?:)/, mention: line(String.raw`(?:^|[\s(<"':])ADDRESS(?:[\s)>"',.;:]|$)`) }
];

/** Where the returned message begins: what stands behind it is not the server's word. */
export const originalMark =
	/^\s*(?:-{2,}|={3,}|\*{3,}|_{3,})?\s*(?:This is a copy of (?:the|your) message|Below this line is a copy|Enclosed is a copy|(?:The )?(?:original|returned|unsent|undelivered) (?:e-?mail )?(?:message|mail)(?: headers?| follows| below| attached){0,2}\s*[-=*_:.]*\s*$|Original (?:message )?headers|(?:The )?(?:message )?headers? (?:of (?:the|your) (?:original )?message )?follows?|Message (?:header|contents|text) follows?|Message from yahoo|Forwarded message|Your message (?:header|reads)|Start of returned|Returned (?:content|mail)\s*[-=:]*\s*$)/i;

/** Text that says the server keeps trying. */
export const delaySigns =
	/warning message only|WARNING ONLY|do not need to resend|has not yet been delivered|will (?:keep|continue) (?:on )?trying|will (?:be )?retr(?:y|ied)|still (?:be )?(?:being )?(?:retried|trying)|(?:has been|is) delayed|delivery (?:is )?delayed|delivery incomplete|could not send message for past|temporary problem delivering|noch nicht zugestellt/i;

/** Text that says it gave up, whatever else it says. */
export const failureSigns =
	/permanent (?:fatal )?(?:error|failure)|failed permanently|giv(?:en|ing) up|will be deleted from queue|could not be delivered(?! (?:yet|for past))|wasn't delivered|couldn't be (?:delivered|found)|delivery has failed|did not reach the following|retry time(?:out)? (?:not reached )?(?:for any host )?(?:after a long failure period|exceeded)/i;
