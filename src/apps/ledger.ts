import { systemChance } from "../adapters/runtime/chance.ts";
import { systemClock } from "../adapters/runtime/clock.ts";
import { nodeDigest } from "../adapters/runtime/digest.ts";
import {
	ed25519Signer,
	generateSignerKey,
	loadOrCreateSigner,
} from "../adapters/runtime/signer.ts";
import {
	forwardable,
	type LedgerDeciders,
	ledgerDeciders,
} from "../contexts/gateway/index.ts";
import {
	type Head,
	openForwarding,
	openHead,
	type Trust,
} from "../contexts/log/index.ts";
import { Fault } from "../kernel/outcome.ts";
import type { Chance } from "../ports/chance.ts";
import type { Clock } from "../ports/clock.ts";
import type { DerivedStore } from "../ports/derived-store.ts";
import type { Digest } from "../ports/digest.ts";
import type { EventLog } from "../ports/event-log.ts";
import type { PeerPlace } from "../ports/peer-link.ts";
import type { Signer } from "../ports/signer.ts";
import { createHome, type Home, hasLog } from "./home.ts";
import { openStore, type Store, storeAddress } from "./store.ts";
import { openSequencing, type Sequencing } from "./studio/sequencing.ts";

/** The home's log and its one writer in this process, with what they need from outside. */
export interface Ledger {
	readonly home: Home;
	readonly store: Store;
	readonly log: EventLog;
	readonly derived: DerivedStore;
	readonly head: Head<LedgerDeciders>;
	readonly clock: Clock;
	readonly chance: Chance;
	readonly digest: Digest;
	/** The owner's signer; its key is made the first time it is asked for. */
	signer(): Promise<Signer>;
	/** Finishes what waits, then closes all in reverse order. */
	close(): Promise<void>;
}

/**
 * Opens the home's ledger. Safe beside a running server and beside other commands. A home without
 * a log is refused (`home/empty`) unless `create` says to make one.
 */
export async function openLedger(
	home: Home,
	options: {
		readonly create?: boolean;
		readonly onFault?: (fault: unknown) => void;
		/** Another than the system's: for tests. */
		readonly clock?: Clock;
	} = {},
): Promise<Ledger> {
	if (options.create) createHome(home);
	else await assertHasLog(home);
	const store = await openStore(home, options);
	try {
		const { log, derived } = store;
		const clock = options.clock ?? systemClock;
		const digest = nodeDigest;
		const head = await openHead({
			log,
			derived,
			deciders: ledgerDeciders,
			clock,
			digest,
			...(options.onFault && { onFault: options.onFault }),
		});
		if (!options.create && store.kind === "postgres" && head.position() === 0) {
			await head.close();
			throw homeEmpty(home);
		}
		return {
			home,
			store,
			log,
			derived,
			head,
			clock,
			chance: systemChance,
			digest,
			signer: () => signerOf(home),
			async close() {
				try {
					await head.close();
					await log.close();
				} finally {
					await store.close();
				}
			},
		};
	} catch (fault) {
		await store.close();
		throw fault;
	}
}

/** A ledger among those of other replicas. */
export interface Fleet {
	/** The ledger's head, or, while another replica decides for all, that one's. */
	readonly head: Head<LedgerDeciders>;
	readonly sequencing: Sequencing;
}

/**
 * Lets one replica of a fleet decide what all of them ask for. `peer` is where others reach this one: by default
 * the address that the database is reached from, any free port.
 */
export async function joinFleet(
	{ head, store, log, clock, chance }: Ledger,
	options: {
		readonly version: string;
		readonly peer?: Partial<PeerPlace> | undefined;
		/** How long a replica decides for all without saying so again, in milliseconds. */
		readonly lease: number;
		readonly report: (line: string) => void;
	},
): Promise<Fleet> {
	const { sealedSockets } = await import(
		"../adapters/peer-link/sealed-sockets.ts"
	);
	const forwarding = openForwarding({ head, log, clock, forwardable });
	const formats = Object.entries(ledgerDeciders).map(
		([name, { format }]) => `${name}/${format}`,
	);
	const sequencing = openSequencing({
		forwarding,
		leases: store.leases(),
		link: sealedSockets(),
		chance,
		place: {
			host: options.peer?.host ?? store.ownAddress ?? "127.0.0.1",
			port: options.peer?.port ?? 0,
		},
		dialect: [options.version, ...formats].join(" "),
		lease: options.lease,
		report: options.report,
	});
	return { head: forwarding.head, sequencing };
}

/** Opens the ledger for one piece of work, and closes it whatever comes of that. */
export async function withLedger<T>(
	home: Home,
	work: (ledger: Ledger) => Promise<T>,
	options: { readonly create?: boolean } = {},
): Promise<T> {
	const ledger = await openLedger(home, options);
	try {
		return await work(ledger);
	} finally {
		await ledger.close();
	}
}

/** What checking another's signatures takes: no key of our own. */
export function signatureChecks(): Pick<Trust, "verify" | "digest"> {
	// Any signer knows how to verify; this one signs nothing.
	return {
		verify: ed25519Signer("nobody", generateSignerKey()).verify,
		digest: nodeDigest,
	};
}

/**
 * The home's log as it lies there, with nothing folded from it: for what must be able to look at a log that
 * no rule can be followed through any more. A home without one is refused (`home/empty`).
 */
export async function withLogAsItIs<T>(
	home: Home,
	work: (parts: Pick<Ledger, "log" | "digest" | "signer">) => Promise<T>,
): Promise<T> {
	await assertHasLog(home);
	const store = await openStore(home);
	try {
		return await work({
			log: store.log,
			digest: nodeDigest,
			signer: () => signerOf(home),
		});
	} finally {
		await store.close();
	}
}

/** The home's log alone, made where there is none: for what fills it from outside. */
export async function withBareLog<T>(
	home: Home,
	work: (log: EventLog) => Promise<T>,
): Promise<T> {
	createHome(home);
	const store = await openStore(home);
	try {
		return await work(store.log);
	} finally {
		await store.close();
	}
}

async function assertHasLog(home: Home): Promise<void> {
	// A database is looked into when it is opened.
	if ((await storeAddress(home)) !== undefined || (await hasLog(home))) return;
	throw homeEmpty(home);
}

function homeEmpty(home: Home): Fault {
	return new Fault(
		"home/empty",
		`Nothing has been set up in ${home.folder} yet. Run: dos init`,
		{ details: { home: home.folder } },
	);
}

function signerOf(home: Home): Promise<Signer> {
	return loadOrCreateSigner(home.auditKey, "duranteos");
}
