import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "./metrics.ts";
import { stopping } from "./vendor-refusals.ts";

/**
 * So many calls are carried out at once, and their bodies are so large together. Who finds no room waits, accounts
 * taking turns and nobody overtaken by what is smaller; who would wait too long is refused. One account alone takes no
 * more than seven places of eight.
 */
export interface Gate {
	/**
	 * Gives the way out, to be called once the call has ended; calling it again does nothing. Synchronous where there
	 * is room. Refuses with `rate/overloaded` (details carry `retryAfter` in seconds) when the queue is full or the wait
	 * is over, and with what `cancelled` says. `bytes` are of its body, as far as the request says.
	 */
	enter(
		account: string,
		cancelled: () => Refusal | undefined,
		bytes?: number,
	): Outcome<() => void> | Promise<Outcome<() => void>>;
	/** The way out, where there is room at once and nobody waits for it. */
	tryEnter(bytes: number): (() => void) | undefined;
	/** Calls that wait. */
	waiting(): number;
	/** Calls that went in and have not come out. */
	inside(): number;
	/** Lets nobody wait or enter any more. Those inside come out as they end. */
	close(): void;
}

interface Waiter {
	readonly bytes: number;
	readonly cancelled: () => Refusal | undefined;
	readonly answer: (outcome: Outcome<() => void>) => void;
	/** It is looked at so many times more: the wall clock may be set meanwhile. */
	looks: number;
}

/** Milliseconds between two looks at who has waited too long or has left. */
const lookEvery = 100;

export function openGate(options: {
	readonly clock: Clock;
	/** Calls at once. */
	readonly calls: number;
	/** Bytes of their bodies together; a larger one goes alone. Absent: any. */
	readonly bytes?: number | undefined;
	/** Calls that may wait. */
	readonly queue: number;
	/** Milliseconds that one waits, at most; up to a tenth of a second more. */
	readonly wait: number;
	readonly metrics?: Pick<Metrics, "count" | "gauge">;
}): Gate {
	const { clock, calls, queue, wait, metrics } = options;
	const most = options.bytes ?? Number.POSITIVE_INFINITY;
	const between = Math.min(lookEvery, wait);
	/** The first look may come at once. */
	const looks = Math.ceil(wait / between) + 1;
	/** Those who wait by account, the oldest of each first. The first account is next, and goes behind the others then. */
	const lines = new Map<string, Waiter[]>();
	/** How many calls of an account are inside, and may be: one whose calls last leaves room for others. */
	const insideOf = new Map<string, number>();
	const share = calls - Math.floor(calls / 8);
	let inside = 0;
	let load = 0;
	let waiting = 0;
	let closed = false;
	let stopLooking: (() => void) | undefined;

	function fits(bytes: number): boolean {
		return inside < calls && load + bytes <= most;
	}

	function mayHaveMore(account: string): boolean {
		return (insideOf.get(account) ?? 0) < share;
	}

	function goInOf(account: string, bytes: number): () => void {
		insideOf.set(account, (insideOf.get(account) ?? 0) + 1);
		return goIn(bytes, () => {
			const left = (insideOf.get(account) ?? 0) - 1;
			if (left > 0) insideOf.set(account, left);
			else insideOf.delete(account);
		});
	}

	function goIn(bytes: number, onOut = (): void => {}): () => void {
		inside++;
		load += bytes;
		let out = false;
		return () => {
			if (out) return;
			out = true;
			inside--;
			load -= bytes;
			onOut();
			if (waiting > 0) letIn();
		};
	}

	function overloaded(reason: string): Outcome<never> {
		metrics?.count("dos_shed_calls_total", { reason });
		const retryAfter = Math.max(1, Math.ceil(wait / 1000));
		return refuse(
			"rate/overloaded",
			`Too many calls are under way here. Try again in ${retryAfter} s.`,
			{ retryAfter },
		);
	}

	function nextLine(): readonly [string, Waiter[]] | undefined {
		for (const line of lines) if (mayHaveMore(line[0])) return line;
		return undefined;
	}

	function letIn(): void {
		while (waiting > 0) {
			const next = nextLine();
			if (!next) return;
			const [account, line] = next;
			const { cancelled, answer, bytes } = line[0] as Waiter;
			const reason = cancelled();
			if (!reason && !fits(bytes)) return;
			line.shift();
			waiting--;
			lines.delete(account);
			if (line.length > 0) lines.set(account, line);
			answer(
				reason ? { ok: false, error: reason } : accept(goInOf(account, bytes)),
			);
		}
	}

	function lookLater(): void {
		stopLooking ??= clock.later(between, look);
	}

	/** Those who left or have waited too long make room for others. */
	function look(): void {
		stopLooking = undefined;
		for (const [account, line] of lines) {
			const staying = line.filter((waiter) => {
				const reason = waiter.cancelled();
				waiter.looks--;
				if (reason) waiter.answer({ ok: false, error: reason });
				else if (waiter.looks === 0) waiter.answer(overloaded("wait"));
				return !reason && waiter.looks > 0;
			});
			waiting -= line.length - staying.length;
			if (staying.length > 0) lines.set(account, staying);
			else lines.delete(account);
		}
		// A large one that left may have stood before one that fits.
		letIn();
		if (waiting > 0) lookLater();
	}

	/** The queue is full. An account that takes more of it than this one would gives up the place that it took last. */
	function makesRoom(account: string): boolean {
		let longest: Waiter[] | undefined;
		for (const line of lines.values())
			if (line.length > (longest?.length ?? 0)) longest = line;
		if (!longest || longest.length <= (lines.get(account)?.length ?? 0) + 1)
			return false;
		const last = longest.pop() as Waiter;
		waiting--;
		last.answer(overloaded("queue"));
		return true;
	}

	metrics?.gauge("dos_gate_calls", "Calls inside the gate.", () => inside);
	metrics?.gauge(
		"dos_gate_bytes",
		"Bytes of the bodies of calls inside the gate.",
		() => load,
	);
	metrics?.gauge(
		"dos_gate_waiting",
		"Calls that wait for room at the gate.",
		() => waiting,
	);

	return {
		enter(account, cancelled, size = 0) {
			if (closed) return { ok: false, error: stopping };
			const reason = cancelled();
			if (reason) return { ok: false, error: reason };
			const bytes = Math.min(size, most);
			if (waiting === 0 && fits(bytes) && mayHaveMore(account))
				return accept(goInOf(account, bytes));
			if (wait <= 0 || (waiting >= queue && !makesRoom(account)))
				return overloaded("queue");
			return new Promise((answer) => {
				const waiter = { cancelled, answer, bytes, looks };
				const line = lines.get(account);
				if (line) line.push(waiter);
				else lines.set(account, [waiter]);
				waiting++;
				lookLater();
				// Those before it may wait for nothing but places of their own account.
				letIn();
			});
		},
		tryEnter: (size) => {
			const bytes = Math.min(size, most);
			return !closed && waiting === 0 && fits(bytes) ? goIn(bytes) : undefined;
		},
		waiting: () => waiting,
		inside: () => inside,
		close() {
			closed = true;
			stopLooking?.();
			for (const line of lines.values())
				for (const { cancelled, answer } of line)
					answer({ ok: false, error: cancelled() ?? stopping });
			lines.clear();
			waiting = 0;
		},
	};
}
