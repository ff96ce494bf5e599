import { readFileSync } from "node:fs";
import { shippedPriceBook } from "../adapters/catalogue/shipped-prices.ts";
import {
	ownerCeiling,
	ownerPriceBook,
} from "../adapters/price-book/owner-rows.ts";
import { canonicalJson } from "../adapters/runtime/canonical-json.ts";
import { priceIds } from "../adapters/vendors/all.ts";
import { openAuthorizer } from "../adapters/vendors/authorizer.ts";
import {
	loopbackClient,
	loopbackPriceBook,
} from "../adapters/vendors/loopback.ts";
import { type FoundVendor, findVendors } from "../adapters/vendors/registry.ts";
import { spoken } from "../adapters/wire/all.ts";
import { openContinuations } from "../adapters/wire/continuations.ts";
import { openConversations } from "../adapters/wire/conversations.ts";
import { openCrossings } from "../adapters/wire/crossing.ts";
import { openReadings } from "../adapters/wire/reading.ts";
import {
	ceilingPriceBook,
	freePriceBook,
	layeredPriceBook,
} from "../contexts/credits/index.ts";
import {
	type ActiveVendor,
	describeFault,
	type Gateway,
	type LedgerDeciders,
	openGateway,
	openSubstrates,
	type Report,
	type Substrates,
} from "../contexts/gateway/index.ts";
import type { Head } from "../contexts/log/index.ts";
import type { RoutingDesk } from "../contexts/routing/index.ts";
import { Fault, type Outcome } from "../kernel/outcome.ts";
import type { HttpClient } from "../ports/http-client.ts";
import type {
	HttpHandler,
	HttpServer,
	Listening,
} from "../ports/http-server.ts";
import type { PriceBook } from "../ports/price-book.ts";
import type { WireProtocol } from "../ports/wire-protocol.ts";
import { assertSafeToListen, type Config } from "./config.ts";
import type { Environment } from "./home.ts";
import { joinFleet, type Ledger } from "./ledger.ts";
import { openRouting } from "./routing.ts";
import { followOthers } from "./studio/follow.ts";
import {
	type Instance,
	type LeaseTimes,
	leaseTimes,
	openInstance,
} from "./studio/instance.ts";
import { lookAtReadiness } from "./studio/readiness.ts";
import { openRoutes } from "./studio/routes.ts";
import type { Sequencing } from "./studio/sequencing.ts";

/** The gateway over a ledger, and the server that offers it. */
export interface Studio {
	readonly gateway: Gateway;
	readonly substrates: Substrates;
	readonly vendors: readonly FoundVendor[];
	readonly protocols: readonly WireProtocol[];
	readonly desk: RoutingDesk;
	/** This run among the others on its store. */
	readonly instance: Pick<Instance, "holder" | "onDuty" | "replicas">;
	/** What decides for this run: itself, or another replica. */
	readonly head: Head<LedgerDeciders>;
	/** Its part in who decides for all. */
	role(): ReturnType<Sequencing["role"]>;
	/** Resolves holds that earlier runs left, then accepts connections. Returns the base address. */
	listen(): Promise<string>;
	/** From now on a load balancer is told to send no more calls; those that come are served. */
	withdraw(): void;
	/** Stops accepting, lets calls under way finish, then closes. `waiting` is told how many are left, now and then. */
	drain(waiting?: (calls: number) => void): Promise<void>;
	/** Aborts the calls under way (what was delivered is paid), then closes. */
	stop(): Promise<void>;
}

export async function openStudio(options: {
	readonly ledger: Ledger;
	readonly config: Config;
	readonly environment: Environment;
	readonly version: string;
	readonly report: Report;
	/** How long this run may be silent before others act for it. */
	readonly leaseTimes?: LeaseTimes;
}): Promise<Studio> {
	const { ledger, config, environment, report } = options;
	const { log, clock, chance, digest, store } = ledger;
	const fleet =
		store.kind === "sqlite" || config.replica.peer === "off"
			? undefined
			: await joinFleet(ledger, {
					version: options.version,
					peer: config.replica.peer,
					lease: (options.leaseTimes ?? leaseTimes).lease,
					report,
				});
	const head = fleet?.head ?? ledger.head;
	const role = () => fleet?.sequencing.role() ?? "alone";
	const edges = await openEdges();
	const vendors = findVendors({ environment, configured: config.vendors });
	const crossings = openCrossings(spoken);
	const [first, ...others] = spoken;
	const protocols = [first.wire, ...others.map(({ wire }) => wire)] as const;
	const prices = await openPrices(config, vendors);
	const desk = await openRouting({ ledger, config, vendors, prices, report });
	const substrates = openSubstrates({
		vendors: vendors.filter(({ on }) => on).map(active),
		off: Object.fromEntries(
			vendors
				.filter(({ on }) => !on)
				.map(({ vendor, whyNot }) => [vendor.id, whyNot ?? "it is off"]),
		),
		aliases: config.models,
		prices,
		crossings,
	});
	const client = loopbackClient(edges.client);
	const following = followOthers(ledger, report);
	const instance = openInstance({
		leases: store.leases(),
		chance,
		oneMachine: store.kind === "sqlite",
		name: environment.DOS_INSTANCE || undefined,
		note: () => JSON.stringify({ position: head.position() }),
		times: options.leaseTimes,
		report,
	});
	const gateway = openGateway({
		head,
		log,
		clock,
		chance,
		digest,
		client,
		answers: ledger.store.answers(),
		crossings,
		continuations: openContinuations(spoken),
		readings: openReadings(spoken),
		substrates,
		desk,
		holds: config.holds,
		attempts: config.retries,
		...(config.shadow.length > 0 && {
			shadow: {
				rules: config.shadow,
				conversations: openConversations(spoken),
			},
		}),
		cachePrice: config.cache.price,
		canonicalJson,
		crowd: {
			calls: config.limits.calls,
			bytes: config.limits.callBytes,
			queue: config.limits.queue,
			wait: config.limits.queueWait,
		},
		timeouts: config.timeouts,
		bodyBytes: config.limits.bodyBytes,
		requestsPerMinute: config.limits.requestsPerMinute,
		holder: instance.holder,
		gone: instance.gone,
		onDuty: instance.onDuty,
		replicas: instance.replicas,
		report,
	});
	gateway.metrics.gauge(
		"dos_log_lag_events",
		"Events that the log had at the last look and that were not folded here.",
		following.lag,
	);
	gateway.metrics.gauge(
		"dos_replicas",
		"Processes that serve this log.",
		instance.replicas,
	);
	gateway.metrics.gauge(
		"dos_on_duty",
		"1 where the background duties are done.",
		() => (instance.onDuty() ? 1 : 0),
	);
	gateway.metrics.gauge(
		"dos_forwarding",
		"1 where another replica writes to the log for this one.",
		() => (role() === "follower" ? 1 : 0),
	);
	let listening: Listening | undefined;
	let draining = false;

	function onFault(fault: unknown): void {
		report(`A request failed inside: ${describeFault(fault)}`);
	}

	async function close(): Promise<void> {
		following.end();
		await listening?.stop();
		client.close();
		await fleet?.sequencing.end();
		await instance.end();
	}

	return {
		gateway,
		substrates,
		vendors,
		protocols,
		desk,
		instance,
		head,
		role,
		async listen() {
			assertSafeToListen(config.listen);
			await instance.begin();
			await fleet?.sequencing.begin();
			await gateway.recover();
			const { host, port, tls } = config.listen;
			listening = await edges.server.listen(
				{
					host,
					port,
					...(tls && {
						tls: {
							key: readPem(tls.key),
							certificate: readPem(tls.certificate),
						},
					}),
					limits: config.limits,
					onFault,
				},
				underLease(
					instance,
					openRoutes({
						gateway,
						substrates,
						protocols,
						clock,
						version: options.version,
						hosts: hostNames(config),
						refresh: () => head.refresh(),
						learn: (command, intent) =>
							head.execute("learning", command, intent),
						draining: () => draining,
						readiness: () =>
							lookAtReadiness(following, draining, config.replica.readyWithin),
						replicas: instance.replicas,
						onFault,
					}),
				),
			);
			return `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${listening.port}`;
		},
		withdraw() {
			draining = true;
		},
		async drain(waiting = () => {}) {
			draining = true;
			const told = setInterval(() => waiting(gateway.inFlight()), 1_000);
			try {
				await listening?.drain();
			} finally {
				clearInterval(told);
			}
			await gateway.stop();
			await close();
		},
		async stop() {
			draining = true;
			await gateway.stop();
			await close();
		},
	};
}

/**
 * A call that arrives after this process stood still waits until the lease that its hold will name is sure again.
 * Should the store not answer, it goes on: its hold then names none.
 */
function underLease(
	{ lapsed, renew }: Pick<Instance, "lapsed" | "renew">,
	handler: HttpHandler,
): HttpHandler {
	return (request, response) =>
		request.method === "POST" && lapsed()
			? renew().then(() => handler(request, response))
			: handler(request, response);
}

/** The HTTP edges that are quickest on the runtime we are on. */
async function openEdges(): Promise<{
	readonly server: HttpServer;
	readonly client: HttpClient;
}> {
	const { socketHttpClient } = await import(
		"../adapters/http-client/sockets.ts"
	);
	const client = socketHttpClient();
	if (process.versions.bun === undefined) {
		const { nodeHttpServer } = await import("../adapters/http-server/node.ts");
		return { server: nodeHttpServer(), client };
	}
	const { bunHttpServer } = await import("../adapters/http-server/bun.ts");
	return { server: bunHttpServer(), client };
}

/** The owner's rows first, then what costs nothing, the package, what ships beside it, then the owner's ceiling for all that is unknown. */
export async function openPrices(
	config: Config,
	vendors: readonly FoundVendor[],
): Promise<PriceBook> {
	const owner = orThrow(ownerPriceBook(config.prices));
	const ceiling =
		config.ceiling === undefined
			? undefined
			: orThrow(ownerCeiling(config.ceiling));
	const local = vendors
		.filter(({ on, vendor }) => on && vendor.local)
		.map(({ vendor }) => vendor.id);
	// Loaded here because the package is large, and commands that need no prices start without it.
	const { genaiPriceBook } = await import(
		"../adapters/price-book/genai-prices.ts"
	);
	return layeredPriceBook([
		owner,
		loopbackPriceBook(),
		freePriceBook(local),
		await genaiPriceBook({ vendorIds: priceIds }),
		shippedPriceBook(),
		...(ceiling ? [ceilingPriceBook(ceiling)] : []),
	]);
}

function active(found: FoundVendor): ActiveVendor {
	const { vendor } = found;
	return {
		id: vendor.id,
		bases: vendor.bases,
		...openAuthorizer(found),
		quirks: vendor.quirks ?? {},
		...(vendor.standIn && { standIn: true }),
	};
}

function hostNames({ listen }: Config): ReadonlySet<string> {
	return new Set(
		["localhost", "127.0.0.1", "::1", listen.host, ...listen.hosts].map(
			(name) => name.toLowerCase(),
		),
	);
}

function readPem(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch (cause) {
		throw new Fault(
			"listen/bad-certificate",
			`${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
			{ cause },
		);
	}
}

function orThrow<T>(outcome: Outcome<T>): T {
	if (outcome.ok) return outcome.value;
	throw new Fault(
		outcome.error.code,
		outcome.error.message,
		outcome.error.details ? { details: outcome.error.details } : {},
	);
}
