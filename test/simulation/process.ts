import { memoryPeers } from "../../src/adapters/peer-link/memory.ts";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import type {
	CreditsCommand,
	CreditsState,
} from "../../src/contexts/credits/index.ts";
import { forwardable } from "../../src/contexts/gateway/index.ts";
import {
	type Forwarding,
	type Head,
	openForwarding,
	openHead,
} from "../../src/contexts/log/index.ts";
import type { Decider } from "../../src/kernel/decider.ts";
import { Fault } from "../../src/kernel/outcome.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { DerivedStore } from "../../src/ports/derived-store.ts";
import type { EventLog, LogHead } from "../../src/ports/event-log.ts";
import type { Peer } from "../../src/ports/peer-link.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

type Deciders = {
	readonly credits: Decider<CreditsState, CreditsCommand>;
};
export type Ledger = Head<Deciders>;

/** One process with a head of its own on the common log. It can be killed at any point where it pauses. */
export interface SimulatedProcess {
	readonly name: string;
	/** Undefined while it starts. */
	head(): Ledger | undefined;
	alive(): boolean;
	/** True when no write of its own is under way, and the last one did not fail: then its state is settled. */
	settled(): boolean;
	/** Has the head look at the log; once it did, its state is settled whatever failed before. */
	refresh(): void;
	/** Has another decide for it from now on what may be; undefined: nobody. */
	follow(other: SimulatedProcess | undefined): void;
	/** Decides for another what that one asks. */
	serve(peer: Peer): void;
	kill(): void;
	/** What its clock is ahead of true time, in milliseconds. */
	skew: number;
}

export interface World {
	readonly random: Random;
	readonly scheduler: Scheduler;
	readonly log: EventLog;
	readonly decider: Decider<CreditsState, CreditsCommand>;
	/** Common to all processes of the machine; undefined runs without snapshots. */
	readonly derived: DerivedStore | undefined;
	/** True time, milliseconds since 1970. */
	now: number;
	/** How often things go wrong, of 1. */
	trouble: number;
	/** Something that must never happen did. */
	violate(claim: string): void;
}

export function startProcess(
	world: World,
	name: string,
	snapshotEvery: number,
): SimulatedProcess {
	const { random, scheduler } = world;
	let alive = true;
	let writing = 0;
	let failed = false;
	let forwarding: Forwarding<Deciders> | undefined;
	const peers: Peer[] = [];

	/** Whoever it is connected with hears of it. */
	function die(): void {
		alive = false;
		for (const peer of peers) peer.cut();
	}

	const process: SimulatedProcess = {
		name,
		head: () => forwarding?.head,
		alive: () => alive,
		settled: () => writing === 0 && !failed,
		refresh() {
			forwarding?.head.refresh().then(
				() => {
					failed = false;
				},
				(fault) => {
					if (!(fault instanceof Fault))
						world.violate(`${name} cannot refresh: ${fault}`);
				},
			);
		},
		follow(other) {
			if (!other) return forwarding?.standAlone();
			const [far, near] = memoryPeers({ soon: scheduler.add });
			other.serve(near);
			peers.push(far);
			forwarding?.follow(far);
		},
		serve(peer) {
			peers.push(peer);
			forwarding?.serve(peer);
		},
		kill: die,
		skew: 0,
	};

	const clock: Clock = {
		now: () => world.now + process.skew,
		soon: (work) =>
			scheduler.add(() => {
				if (alive) work();
			}),
		later: () => () => {},
	};

	/** Outside a transaction: a process that is killed here is never heard of again. */
	async function pause(): Promise<void> {
		if (random.chance(0.5)) await scheduler.pause();
		if (!alive) await new Promise(() => {});
	}

	/** Inside one: a process that is killed here leaves nothing written. */
	async function pauseWithin(): Promise<void> {
		if (random.chance(0.25)) await scheduler.pause();
		if (!alive) throw new Fault("log/failed", "The process was killed.");
	}

	const log: EventLog = {
		...world.log,
		async write(work, ahead) {
			writing += 1;
			await pause();
			const fate = random.chance(world.trouble) ? random.pick(fates) : "well";
			try {
				const result = await world.log.write(async (inner) => {
					await pauseWithin();
					const done = await work(withPauses(inner, pauseWithin));
					if (fate === "killed before the commit") die();
					await pauseWithin();
					if (fate === "fails")
						throw new Fault("log/full", "The disk is full.");
					return done;
				}, ahead);
				if (fate === "killed after the commit") die();
				await pause();
				if (fate === "answer lost")
					throw new Fault("log/failed", "The connection broke.");
				failed = false;
				return result;
			} catch (fault) {
				failed = true;
				if (!alive) await new Promise(() => {});
				throw fault;
			} finally {
				writing -= 1;
			}
		},
		async *read(position, options) {
			for await (const batch of world.log.read(position, options)) {
				await pause();
				if (random.chance(world.trouble / 4))
					throw new Fault("log/failed", "The disk does not answer.");
				yield batch;
			}
		},
		async tip() {
			await pause();
			return world.log.tip();
		},
	};

	const derived: DerivedStore | undefined = world.derived && {
		...world.derived,
		async save(saveName, saved) {
			await pause();
			if (random.chance(world.trouble))
				throw new Fault("derived/failed", "The disk is full.");
			await world.derived?.save(saveName, saved);
		},
	};

	scheduler.add(async () => {
		try {
			const opened = await openHead({
				log,
				deciders: { credits: world.decider },
				clock,
				digest: nodeDigest,
				...(derived && { derived }),
				snapshotEvery,
				batchLimit: random.between(1, 6),
			});
			let heard = opened.position();
			opened.subscribe((events) => {
				for (const { position } of events) {
					if (position !== heard + 1)
						world.violate(`${name} hears of event ${position} after ${heard}`);
					heard = position;
				}
			});
			forwarding = openForwarding<Deciders>({
				head: opened,
				log,
				clock,
				forwardable,
			});
		} catch (fault) {
			if (!(fault instanceof Fault))
				world.violate(`${name} does not start: ${fault}`);
			alive = false;
		}
	});
	return process;
}

const fates = [
	"fails",
	"answer lost",
	"killed before the commit",
	"killed after the commit",
] as const;

function withPauses(head: LogHead, pause: () => Promise<void>): LogHead {
	return {
		get tip() {
			return head.tip;
		},
		async after(position) {
			await pause();
			return head.after(position);
		},
		async versions(streams) {
			await pause();
			return head.versions(streams);
		},
		async findByKey(keys) {
			await pause();
			return head.findByKey(keys);
		},
		async append(events) {
			await pause();
			await head.append(events);
		},
	};
}
