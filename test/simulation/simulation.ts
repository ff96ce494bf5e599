import { memoryDerivedStore } from "../../src/adapters/derived-store/memory.ts";
import { memoryEventLog } from "../../src/adapters/event-log/memory.ts";
import {
	type CreditsCommand,
	type CreditsState,
	credits,
} from "../../src/contexts/credits/index.ts";
import type { Intent, Recorded } from "../../src/contexts/log/index.ts";
import type { Decider } from "../../src/kernel/decider.ts";
import { Fault, type Outcome } from "../../src/kernel/outcome.ts";
import type { DerivedStore } from "../../src/ports/derived-store.ts";
import type { EventLog } from "../../src/ports/event-log.ts";
import { callers, opening } from "./callers.ts";
import { lockstep } from "./lockstep.ts";
import { demand, observe } from "./observer.ts";
import { type SimulatedProcess, startProcess, type World } from "./process.ts";
import { seededRandom } from "./random.ts";
import { scheduler as schedule } from "./scheduler.ts";

/**
 * A whole life of the ledger, fixed by one seed: several processes on one log, callers that repeat
 * themselves, a clock that jumps both ways, disks that fail, answers that get lost, and processes
 * killed at any commit. After every step it is checked that
 *
 * - positions leave no gap, the chain is whole, and no idempotency key is used twice;
 * - what an independent auditor sums up from the events holds: granted = available + held + spent, nothing
 *   negative, one resolution per hold, and no cap passed in any window;
 * - what was answered stands in the log, and a retry got the first answer;
 * - every process that is at rest has the very state that a fresh fold of the log gives, and heard of
 *   every event once and in order.
 */
export interface Simulated {
	readonly seed: number;
	readonly events: number;
	/** Merkle root of the log: the same for the same seed. */
	readonly root: string;
	/** How often each command came to each end: `hold ok`, `settle hold/expired`. */
	readonly ends: ReadonlyMap<string, number>;
	/** How often each thing went wrong on purpose: `killed`, `unanswered`, `replayed`. */
	readonly incidents: ReadonlyMap<string, number>;
}

export interface SimulationOptions {
	readonly seed: number;
	/** Things that happen. */
	readonly steps?: number;
	/** Another decider than ours, to see that its faults are found. */
	readonly decider?: Decider<CreditsState, CreditsCommand>;
	/** A new and empty store, which the simulation does not close; without it, one in memory. The same seed gives the same history on each. */
	readonly store?: { readonly log: EventLog; readonly derived: DerivedStore };
}

export class SimulationFailure extends Error {
	readonly seed: number;
	constructor(seed: number, step: number, cause: unknown) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		super(
			`Seed ${seed} fails at step ${step}: ${reason}. Replay it: npm run simulate -- --seed ${seed}`,
			{ cause },
		);
		this.seed = seed;
	}
}

/** One thing asked for, as often as it takes. */
interface Operation {
	readonly command: CreditsCommand;
	readonly intent: Intent;
	/** Who works on it now. */
	process: SimulatedProcess | undefined;
	/** End of the log when it was last sent: what stands there already, its answer must know. */
	sentAt: number;
	answered: boolean;
	/** It was refused each time that it was asked. */
	refused: boolean;
}

interface Answer {
	readonly operation: Operation;
	readonly outcome?: Outcome<Recorded>;
	readonly fault?: unknown;
}

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const slots = 3;

export async function simulate(options: SimulationOptions): Promise<Simulated> {
	const { seed, steps = 160, decider = credits } = options;
	const random = seededRandom(seed);
	const inStep = lockstep();
	const scheduler = schedule(random, inStep.settle);
	const { log, derived } = options.store ?? {
		log: memoryEventLog(),
		derived: memoryDerivedStore(),
	};
	const violations: string[] = [];
	const world: World = {
		random,
		scheduler,
		log: inStep.log(log),
		decider,
		derived: random.chance(0.6) ? inStep.derived(derived) : undefined,
		now: Date.UTC(
			2026,
			random.below(12),
			random.between(1, 28),
			random.below(24),
		),
		trouble: random.pick([0, 0.05, 0.15, 0.3]),
		violate: (claim) => void violations.push(claim),
	};
	/** Whether processes decide for each other. */
	const fleet = random.chance(0.5);
	const observer = observe(log, decider);
	const clients = callers(random, observer.openCalls);
	const processes: (SimulatedProcess | undefined)[] = [];
	const operations: Operation[] = [];
	const compared = new Map<SimulatedProcess, number>();
	const ends = new Map<string, number>();
	const incidents = new Map<string, number>();
	let answers: Answer[] = [];
	let started = 0;
	let step = 0;

	function add(tally: Map<string, number>, name: string): void {
		tally.set(name, (tally.get(name) ?? 0) + 1);
	}

	function start(slot: number): void {
		processes[slot] = startProcess(
			world,
			`process ${++started}`,
			random.between(1, 30),
		);
	}

	function kill(slot: number): void {
		processes[slot]?.kill();
		add(incidents, "killed");
	}

	/** Callers of a process that died get no answer and may ask again elsewhere. */
	function buryTheDead(): void {
		for (const operation of operations) {
			if (!operation.process || operation.process.alive()) continue;
			operation.process = undefined;
			operation.refused = false;
			add(incidents, "unanswered");
		}
	}

	function send(operation: Operation, process: SimulatedProcess): void {
		const head = process.head();
		if (!head) return;
		operation.process = process;
		operation.sentAt = observer.position();
		head.execute("credits", operation.command, operation.intent).then(
			(outcome) => void answers.push({ operation, outcome }),
			(fault) => void answers.push({ operation, fault }),
		);
	}

	function ask(command: CreditsCommand, process: SimulatedProcess): Operation {
		const ownKey =
			["settle", "release", "expire"].includes(command.type) ||
			(fleet && command.type === "hold" && random.chance(0.7));
		const intent: Intent = ownKey
			? { actor: "operator" }
			: {
					actor: "operator",
					key: `op/${operations.length}`,
					input: JSON.stringify(command),
				};
		const operation: Operation = {
			command,
			intent,
			process: undefined,
			sentAt: 0,
			answered: false,
			refused: true,
		};
		operations.push(operation);
		send(operation, process);
		return operation;
	}

	/** The same key with something else in it: a mistake that must never be carried out. */
	function askOtherwise(original: Operation, process: SimulatedProcess): void {
		const command = clients.ask(world.now);
		if (
			original.intent.key === undefined ||
			["settle", "release", "expire"].includes(command.type)
		)
			return;
		const intent = { ...original.intent, input: `${JSON.stringify(command)} ` };
		const operation: Operation = {
			command,
			intent,
			process: undefined,
			sentAt: 0,
			answered: false,
			refused: true,
		};
		operations.push(operation);
		send(operation, process);
	}

	function hear({ operation, outcome, fault }: Answer): void {
		const { command, intent } = operation;
		operation.process = undefined;
		if (!outcome) {
			const code = fault instanceof Fault ? fault.code : String(fault);
			demand(
				["log/failed", "log/full"].includes(code) ||
					(fleet && code === "log/unknown"),
				`${command.type} ends in ${code}: ${fault}`,
			);
			operation.refused = false;
			add(incidents, code === "log/unknown" ? "in doubt" : "unanswered");
			return;
		}
		operation.answered = true;
		const first =
			intent.key === undefined ? undefined : observer.byKey(intent.key);
		add(ends, `${command.type} ${outcome.ok ? "ok" : outcome.error.code}`);
		if (!outcome.ok) {
			if (outcome.error.code === "idempotency/mismatch") {
				demand(
					first !== undefined && first.input !== intent.input,
					`${intent.key} is refused without reason`,
				);
			} else {
				demand(
					first === undefined || first.position > operation.sentAt,
					`${intent.key} was carried out, and its retry is refused: ${outcome.error.code}`,
				);
			}
			return;
		}
		operation.refused = false;
		if (outcome.value.replayed) add(incidents, "replayed");
		demand(outcome.value.events.length > 0, "an answer names nothing");
		for (const event of outcome.value.events) {
			const stored = observer.at(event.position);
			demand(
				stored?.type === event.type &&
					stored.data === JSON.stringify(event.data),
				`an answer names what the log does not hold at ${event.position}`,
			);
		}
		if (intent.key === undefined) return;
		demand(
			first?.position === outcome.value.events[0]?.position,
			`${intent.key} has another outcome than the first`,
		);
		demand(
			first?.input === intent.input,
			`${intent.key} was carried out with another input`,
		);
	}

	async function check(): Promise<void> {
		demand(violations.length === 0, violations.join("; "));
		await observer.look();
		const heard = answers;
		answers = [];
		for (const answer of heard) hear(answer);
		for (const process of processes) {
			const head = process?.head();
			if (!process?.alive() || !head || !process.settled()) continue;
			const position = head.position();
			const expected = observer.stateAt(position);
			if (expected === undefined || compared.get(process) === position)
				continue;
			compared.set(process, position);
			demand(
				JSON.stringify(decider.save(head.state("credits") as CreditsState)) ===
					expected,
				`${process.name} has another state at ${position} than the log`,
			);
		}
		buryTheDead();
	}

	function somethingHappens(): void {
		const ready = processes.filter(
			(process) => process?.alive() && process.head(),
		) as SimulatedProcess[];
		world.now += random.chance(0.1)
			? random.below(8 * hour)
			: random.below(10 * minute);
		const draw = random.below(100);
		if (draw < 2) {
			kill(random.below(slots));
		} else if (draw < 8) {
			const slot = random.below(slots);
			if (!processes[slot]?.alive()) start(slot);
		} else if (draw < 10) {
			world.now += random.pick([
				hour,
				5 * hour,
				day,
				31 * day,
				-hour,
				-5 * hour,
				-2 * day,
			]);
			add(incidents, "clock jumped");
		} else if (ready.length > 0) {
			callerActs(draw, random.pick(ready));
		}
	}

	function callerActs(draw: number, process: SimulatedProcess): void {
		const idle = operations.filter((operation) => !operation.process);
		if (fleet && random.chance(0.15)) followSomebody(process);
		else if (draw < 11) process.skew = random.between(-hour, hour);
		else if (draw < 13) process.refresh();
		else if (draw < 14) void world.derived?.clear();
		else if (draw < 24 && idle.length > 0) send(random.pick(idle), process);
		else if (draw < 27 && operations.length > 0)
			askOtherwise(random.pick(operations), process);
		else
			ask(
				clients.ask(
					random.chance(0.9) ? Math.max(world.now, observer.time()) : world.now,
				),
				process,
			);
	}

	/** Two may follow each other, and all may follow one. */
	function followSomebody(process: SimulatedProcess): void {
		const other = random.pick(processes);
		const follows = other !== process && other?.alive() && other.head();
		process.follow(follows ? other : undefined);
		if (follows) add(incidents, "followed");
	}

	/** No more trouble: whoever is down starts, whoever got no answer asks again, and all come to the same end. */
	async function comeToRest(): Promise<void> {
		world.trouble = 0;
		await scheduler.drain();
		for (let slot = 0; slot < slots; slot++)
			if (!processes[slot]?.alive()) start(slot);
		await scheduler.drain();
		await check();
		for (const operation of operations) {
			if (!operation.answered && !operation.process)
				send(operation, processes[random.below(slots)] as SimulatedProcess);
		}
		await scheduler.drain();
		await check();
		for (const { answered, command } of operations)
			demand(answered, `${command.type} is never answered`);
		for (const process of processes) process?.refresh();
		await scheduler.drain();
		await check();
		for (const { command, refused } of operations) {
			if (command.type !== "hold" || !refused) continue;
			const { call } = command;
			const asked = operations.filter(
				({ command }) => command.type === "hold" && command.call === call,
			);
			demand(
				asked.some((other) => !other.refused) || !observer.held(call),
				`the hold of ${call} is refused, and in the log`,
			);
		}
		const fresh = observe(log, decider);
		await fresh.look();
		demand(
			fresh.stateAt(fresh.position()) === observer.stateAt(observer.position()),
			"a fresh fold gives another state",
		);
		for (const process of processes) {
			demand(
				process?.head()?.position() === observer.position(),
				`${process?.name} does not see the end of the log`,
			);
			demand(
				compared.get(process as SimulatedProcess) === observer.position(),
				`${process?.name} was not compared at the end`,
			);
			void process?.head()?.close();
		}
		await scheduler.drain();
	}

	try {
		for (let slot = 0; slot < slots; slot++) start(slot);
		await scheduler.drain();
		for (const command of opening) {
			for (let operation: Operation | undefined; !operation?.answered; ) {
				const up = processes.findIndex((process) => process?.alive());
				if (up < 0) start(random.below(slots));
				else if (operation) send(operation, processes[up] as SimulatedProcess);
				else operation = ask(command, processes[up] as SimulatedProcess);
				await scheduler.drain();
				await check();
			}
		}
		for (; step < steps; step++) {
			if (scheduler.waiting() === 0 || random.chance(0.5)) somethingHappens();
			else await scheduler.step();
			await check();
		}
		await comeToRest();
	} catch (fault) {
		throw new SimulationFailure(seed, step, fault);
	}
	return {
		seed,
		events: observer.position(),
		root: observer.root(),
		ends,
		incidents,
	};
}
