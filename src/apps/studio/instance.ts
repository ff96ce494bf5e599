import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Report } from "../../contexts/gateway/index.ts";
import type { Chance } from "../../ports/chance.ts";
import type { Leases } from "../../ports/lease.ts";

/** How long a run may be silent, in milliseconds. */
export interface LeaseTimes {
	/** A lease lasts so long; it is extended three times in that. Default 15 s. */
	readonly lease: number;
	/** So long after its end, the run counts as gone and its holds are given back. Default 15 s. */
	readonly grace: number;
}

export const leaseTimes: LeaseTimes = { lease: 15_000, grace: 15_000 };
export const instancePrefix = "instance/";
const duty = "duty/background";

/** A run of the program among the others on its store. */
export interface Instance {
	/** What stands on a hold that is made now: a name that is leased, or one that only its hold's expiry ends. */
	holder(): string;
	/** Whether its lease may have run out unseen (the process stood still, the store was away): `renew` first. */
	lapsed(): boolean;
	/** Extends its lease now. Never rejects: without one, its holds bear a name that nobody takes for dead. */
	renew(): Promise<void>;
	/** Runs that live, this one included, as far as is known. */
	replicas(): number;
	/** Whether the background duties are this run's. */
	onDuty(): boolean;
	/** Those of these holders that will never come back. */
	gone(holders: readonly string[]): Promise<ReadonlySet<string>>;
	/** Begins to extend. */
	begin(): Promise<void>;
	/** Gives back what is held. */
	end(): Promise<void>;
}

/**
 * Keeps a run's lease, and looks after those of others.
 *
 * A hold bears its run's name, which was leased before the hold was made. Whoever has the duties buries leases that
 * are over for longer than the grace; a buried name never comes back, as a run that wakes finds its lease gone and
 * takes another name. So "this holder is gone" stays true for ever, and acting on it late, after a pause of any
 * length, is as right as acting at once: that is what fences the duties. All else they do is decided under the
 * log's head (a hold is resolved once) or forgets what has expired, and is safe to do twice.
 */
export function openInstance(options: {
	readonly leases: Leases;
	readonly chance: Chance;
	/** All runs on the store are on this machine: a process that is not there is gone at once. */
	readonly oneMachine: boolean;
	/** Says of this run what others may see. */
	readonly note?: () => string;
	readonly name?: string | undefined;
	readonly times?: LeaseTimes | undefined;
	readonly report: Report;
}): Instance {
	const { leases, chance, oneMachine, report } = options;
	const { lease, grace } = options.times ?? leaseTimes;
	const note = options.note ?? (() => "");
	let name = instanceName(chance, options.name);
	let token: number | undefined;
	/** Monotonic time until which the lease stands for sure: counted from before it was asked for. */
	let sure = 0;
	let dutyUntil = 0;
	let dutyToken: number | undefined;
	/** Since when it has been extended without a gap. */
	let steadySince: number | undefined;
	let replicas = 1;
	let failing = false;
	let renewing: Promise<void> | undefined;
	let timer: NodeJS.Timeout | undefined;
	let ended = false;

	const lapsed = () => performance.now() >= sure;

	async function extend(): Promise<void> {
		const asked = performance.now();
		if (lapsed()) steadySince = undefined;
		const taken = await leases.take(instancePrefix + name, name, lease, note());
		if (taken === undefined || (token !== undefined && taken !== token)) {
			// Buried while we stood still: that name is dead, and so may be the holds that bear it.
			report(
				`This server was silent for so long that others took it for dead; it goes on under another name.`,
			);
			const dead = name;
			name = instanceName(chance, options.name);
			token = undefined;
			steadySince = undefined;
			if (taken !== undefined)
				await leases.release(instancePrefix + dead, taken);
			return extend();
		}
		token = taken;
		sure = asked + lease;
		steadySince ??= asked;
	}

	async function takeDuty(): Promise<void> {
		const asked = performance.now();
		dutyToken = await leases.take(duty, name, lease);
		dutyUntil = dutyToken === undefined ? 0 : asked + lease;
		// When the store was away for all, everybody is given time to extend first.
		if (
			dutyToken !== undefined &&
			steadySince !== undefined &&
			asked - steadySince >= lease
		)
			await leases.bury(instancePrefix, grace);
		replicas = Math.max(
			1,
			(await leases.list(instancePrefix)).filter(({ left }) => left > 0).length,
		);
	}

	async function renewAll(): Promise<void> {
		try {
			await extend();
			// We stood still while it was asked for: what it gave counts from before.
			if (lapsed()) await extend();
			if (!ended) await takeDuty();
			if (failing) report("The lease of this server is extended again.");
			failing = false;
		} catch (fault) {
			if (!failing && !ended)
				report(
					`The lease of this server cannot be extended: its holds will wait for their own end (${(fault as Error).message})`,
				);
			failing = true;
		}
	}

	function renew(): Promise<void> {
		renewing ??= renewAll().finally(() => {
			renewing = undefined;
		});
		return renewing;
	}

	function plan(): void {
		timer = setTimeout(
			() => void renew().then(() => ended || plan()),
			lease / 3,
		);
		timer.unref();
	}

	return {
		holder: () => (lapsed() ? unleased(name) : name),
		lapsed,
		renew,
		replicas: () => replicas,
		onDuty: () => performance.now() < dutyUntil,
		async gone(holders) {
			// Asked for after the holds were read: whoever made one of them had its lease before.
			const leased = new Set(
				(await leases.list(instancePrefix)).map(({ holder }) => holder),
			);
			return new Set(
				holders.filter(
					(holder) =>
						holder !== name &&
						((isLeased(holder) && !leased.has(holder)) ||
							(oneMachine && isDead(holder))),
				),
			);
		},
		async begin() {
			await renew();
			plan();
		},
		async end() {
			ended = true;
			clearTimeout(timer);
			await renewing;
			sure = 0;
			dutyUntil = 0;
			try {
				if (dutyToken !== undefined) await leases.release(duty, dutyToken);
				if (token !== undefined)
					await leases.release(instancePrefix + name, token);
			} catch {
				// They run out by themselves.
			}
		},
	};
}

/** A name for this run of the program: host, machine and namespace, process, and a part no other run has. */
export function instanceName(
	chance: Chance,
	called: string = hostname(),
): string {
	return [
		called.replace(/[^\w-]/g, "-"),
		place(),
		process.pid,
		chance.id().slice(-10),
	].join(".");
}

/** The same without a lease: three parts, as of programs that knew none. */
function unleased(name: string): string {
	const [host, , pid, run] = name.split(".");
	return `${host}.${pid}.${run}`;
}

function isLeased(holder: string): boolean {
	return holder.split(".").length === 4;
}

/** Whether the process that a holder names was on this machine, among the processes that we see, and is not there. */
export function isDead(holder: string): boolean {
	const parts = holder.split(".");
	const pid = parts.at(-2) ?? "";
	const here =
		parts.length === 4
			? parts[1] === place()
			: parts[0] === hostname().replace(/[^\w-]/g, "-");
	if (!here || !/^\d+$/.test(pid)) return false;
	// Another run had our number: it is gone.
	if (Number(pid) === process.pid) return true;
	try {
		process.kill(Number(pid), 0);
		return false;
	} catch (fault) {
		return (fault as NodeJS.ErrnoException).code !== "EPERM";
	}
}

let placeFound: string | undefined;

/** Where process numbers mean what they mean here: two containers may both have a host `dos` and a process 1. */
function place(): string {
	if (placeFound !== undefined) return placeFound;
	let facts = hostname();
	try {
		facts = `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8")} ${readlinkSync("/proc/self/ns/pid")}`;
	} catch {
		// No Linux: the machine has one set of processes.
	}
	placeFound = createHash("sha256").update(facts).digest("hex").slice(0, 8);
	return placeFound;
}
