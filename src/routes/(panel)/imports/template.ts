/** Shown as the example and offered as the file to start from. */
export const template = `domain,sender,pool,from_policy,limit,password,dkim
news.example.com,letter,main,address,50000/hour,,yes
news.example.com,offers,main,domain,,,
shop.example.com,orders@shop.example.com,,,,a password of 16 or more,no
`;

export const columns = [
	{ name: 'domain', is: 'needed', text: 'A domain that exists, or a new one.' },
	{
		name: 'sender',
		is: '',
		text: 'The part before the @, or the whole address. Without it the line is about the domain alone.'
	},
	{
		name: 'pool',
		is: '',
		text: 'The name of a pool. Empty: the default pool of Settings; an existing sender keeps its own.'
	},
	{
		name: 'from_policy',
		is: '',
		text: 'address (default): From is its own address. domain: any address of the domain.'
	},
	{ name: 'limit', is: '', text: 'Like 1000/hour: per second, minute, hour or day.' },
	{
		name: 'password',
		is: '',
		text: '16 to 128 printable ASCII characters. Empty: a new sender has none yet, an existing one keeps its own.'
	},
	{ name: 'dkim', is: '', text: 'yes or no: whether a key is made. Empty: yes for a new domain.' }
];
