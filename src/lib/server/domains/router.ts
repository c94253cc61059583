import { byId, removed } from '../core/inputs.ts';
import { reader, router, writer } from '../core/trpc.ts';
import * as dns from '../dns/service.ts';
import * as inputs from './inputs.ts';
import * as service from './service.ts';

export const domainsRouter = router({
	list: reader
		.input(inputs.listDomains)
		.output(inputs.domainPage)
		.query(({ ctx, input }) => service.listDomains(ctx.app.db, input)),
	get: reader
		.input(byId)
		.output(inputs.domainItem)
		.query(({ ctx, input }) => service.getDomain(ctx.app.db, input.id)),
	create: writer(inputs.createDomain)
		.output(inputs.domainItem)
		.mutation(({ ctx, input }) => service.createDomain(ctx.app, input)),
	update: writer(inputs.updateDomain)
		.output(inputs.domainItem)
		.mutation(({ ctx, input }) => service.updateDomain(ctx.app, input)),
	impact: reader
		.input(byId)
		.output(inputs.domainImpact)
		.query(({ ctx, input }) => service.domainImpact(ctx.app.db, input.id)),
	remove: writer(inputs.removeDomain)
		.output(removed)
		.mutation(({ ctx, input }) => service.removeDomain(ctx.app, input)),
	dns: reader
		.input(byId)
		.output(dns.dnsRecords)
		.query(({ ctx, input }) => dns.domainRecords(ctx.app.db, input.id)),
	checkDns: reader
		.input(byId)
		.output(dns.checkedDnsRecords)
		.query(({ ctx, input }) => dns.checkDomain(ctx.app, input.id))
});
