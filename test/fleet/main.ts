import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import pg from "pg";
import { startPostgres } from "../../src/adapters/postgres/fixtures/server.ts";
import { nodeDigest } from "../../src/adapters/runtime/digest.ts";
import { openServerStore } from "../../src/apps/store.ts";
import { verifyLog } from "../../src/contexts/log/index.ts";
import {
	canonicalLine,
	genesisHash,
	hashLine,
} from "../../src/kernel/event.ts";
import { type Random, seededRandom } from "../simulation/random.ts";
import {
	type AccountStart,
	checkBalances,
	type Operation,
	type Verdict,
} from "./checker.ts";
import { openProxy } from "./proxy.ts";
import type { Asked, ReplicaState, Sums, Told } from "./replica.ts";

/**
 * Four replicas on one Postgres and 256 clients on one hot account and many cold ones, while everything around them
 * fails: `node test/fleet/main.ts [--short] [--rounds 200] [--seed 1] [--load 5000] [--keep folder] [--verbose]`.
 *
 * After each round, when all is well again: nothing is overspent, each call is settled once and as its client was
 * told, positions have no gap, every subscriber heard each event once and in order, the chain verifies, all replicas
 * say the same, whatever a dead replica held was given back, and what clients saw can have happened one after the
 * other. The seed fixes what is done to the fleet; what comes of it, processes and sockets decide. `--load` is how many
 * milliseconds of a round the clients work; `--keep` writes down what they saw, a file for each round.
 */
const { values } = parseArgs({
	options: {
		short: { type: "boolean", default: false },
		rounds: { type: "string" },
		seed: { type: "string", default: "1" },
		load: { type: "string", default: "5000" },
		verbose: { type: "boolean", default: false },
		keep: { type: "string" },
	},
});
const rounds = Number(values.rounds ?? (values.short ? 5 : 200));
const seed = Number(values.seed);
const replicaCount = 4;
const clientCount = 256;
const coldCount = 40;
const lease = 1_000;
const grace = 1_000;
const loadMilliseconds = Number(values.load);
/** Milliseconds by which a replica's clock is off, at most, in either direction. */
const mostSkew = 300_000;
/** Milliseconds that a client waits for an answer. */
const patience = 2_000;
const never = Number.POSITIVE_INFINITY;

interface Replica {
	readonly name: string;
	readonly process: ChildProcess;
	living: boolean;
	ask(asked: Wish): Promise<Told | undefined>;
	kill(signal: NodeJS.Signals): void;
}
type Wish = Asked extends infer One
	? One extends unknown
		? Omit<One, "id">
		: never
	: never;

/** A call as its client knows it. */
interface Call {
	readonly id: string;
	readonly account: string;
	readonly amount: number;
	readonly start: number;
	/** What the hold came to, as told. */
	held: "held" | "refused" | "unknown";
	settled?: { readonly amount: number; readonly told: boolean };
	/** Its client is gone: whoever has the duties gives it back. */
	left?: boolean;
	/** Who made the hold. */
	by?: Replica;
}

const resolutions = new Set([
	"credits-settled",
	"credits-released",
	"hold-expired",
]);

const refusals = new Set(["credits/insufficient", "credits/cap-exceeded"]);

const folder = mkdtempSync(join(tmpdir(), "dos-fleet-"));
const server = await startPostgres();
const address = new URL(server.fresh());
const schema = address.searchParams.get("schema") as string;
const proxy = await openProxy(Number(address.port));
const through = new URL(address);
through.port = String(proxy.port);
const fleet: Replica[] = [];
/** What the log said so far. */
const read = {
	position: 0,
	sums: new Map<string, Sums>(),
	holds: new Map<
		string,
		{
			readonly position: number;
			readonly account: string;
			amount: number;
			/** Where it was resolved, and what that took. */
			end?: { readonly position: number; readonly taken: number };
		}
	>(),
	open: new Set<string>(),
	chained: { position: 0, hash: genesisHash },
};
let launched = 0;

try {
	const random = seededRandom(seed);
	for (let index = 0; index < replicaCount; index++)
		fleet.push(await launch(index === 0 ? 0 : skewOf(random)));
	const began = performance.now();
	let operations = 0;
	let unanswered = 0;
	let alone = 0;
	let followed = 0;
	const kinds = new Map<string, number>();
	for (let round = 1; round <= rounds; round++) {
		const result = await play(round, random);
		operations += result.operations;
		unanswered += result.unknown;
		alone += result.alone;
		followed += result.followers;
		for (const fault of result.faults) {
			const kind = fault.split(" ")[0] as string;
			kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
		}
		console.log(
			`round ${round}: ${result.faults.join(", ")}; ${result.operations} operations, ${result.unknown} without an answer, ${result.givenBack} given back by others, an order found in ${result.milliseconds} ms, of ${result.alone} of ${coldCount + 1} accounts also without the log`,
		);
	}
	console.log(
		`${rounds} rounds held, seed ${seed}: ${operations} operations, ${unanswered} without an answer, ${read.position} events, ${followed} of ${rounds * (replicaCount - 1)} times a replica asked another at a round's end, an order also without the log of ${alone} of ${rounds * (coldCount + 1)} accounts, ${Math.round((performance.now() - began) / 1000)} s. Faults: ${[...kinds].map(([kind, times]) => `${kind} ${times}`).join(", ")}.`,
	);
} catch (fault) {
	console.error(fault);
	console.error(
		`Again: node test/fleet/main.ts --seed ${seed} --rounds ${rounds}`,
	);
	process.exitCode = 1;
} finally {
	for (const one of fleet) one.kill("SIGKILL");
	await proxy.close();
	await server.stop();
	rmSync(folder, { recursive: true, force: true });
}

async function play(round: number, random: Random) {
	const hot = `r${round}-hot`;
	const cold = Array.from({ length: coldCount }, (_, i) => `r${round}-c${i}`);
	const starts = [hot, ...cold].map((account): AccountStart => {
		const granted = account === hot ? 40_000 : random.between(500, 8_000);
		const cap = random.chance(0.5)
			? random.between(granted >> 2, granted)
			: undefined;
		return { account, granted, ...(cap !== undefined && { cap }) };
	});
	await Promise.all(
		starts.map(async ({ account, granted, cap }) => {
			await must({
				type: "open-account",
				account,
				name: account,
				caps: cap === undefined ? {} : { total: cap },
			});
			await must({ type: "grant", account, amount: granted });
		}),
	);
	const history: Seen[] = [];
	const calls: Call[] = [];
	let busy = true;
	const clients = Array.from({ length: clientCount }, async (_, index) => {
		const own = seededRandom(seed * 1e6 + round * 1e3 + index);
		for (let turn = 0; busy; turn++) {
			await pause(own.between(0, 40));
			await act(`client-${index}`, `c${round}-${index}-${turn}`, own);
		}
	});

	async function act(client: string, id: string, own: Random): Promise<void> {
		const account = own.chance(0.5) ? hot : own.pick(cold);
		const start = performance.now();
		if (own.chance(0.1)) {
			const told = await anyone(own).ask({ do: "read", account });
			if (told?.outcome === "done" && told.sums)
				history.push({
					client,
					account,
					start,
					end: performance.now(),
					type: "read",
					outcome: "seen",
					...told.sums,
				});
			return;
		}
		const call: Call = {
			id,
			account,
			amount: own.between(1, 300),
			start,
			held: "unknown",
		};
		calls.push(call);
		call.by = anyone(own);
		const told = await call.by.ask({
			do: "hold",
			call: id,
			account,
			amount: call.amount,
		});
		if (told?.outcome === "done") call.held = "held";
		else if (refusals.has(told?.outcome ?? "")) call.held = "refused";
		else if (told && told.outcome !== "fault")
			throw new Error(`The hold ${id} was answered ${told.outcome}.`);
		history.push({
			client,
			account,
			start,
			end: call.held === "unknown" ? never : performance.now(),
			...hint(told),
			type: "hold",
			hold: id,
			amount: call.amount,
			outcome: call.held,
			...(told?.fault !== undefined && { fault: told.fault }),
		});
		if (call.held !== "held") return;
		if (told?.leased && own.chance(0.02)) {
			call.left = true;
			return;
		}
		await pause(own.between(0, 30));
		await settle(
			client,
			call,
			own.chance(0.2) ? 0 : own.between(1, call.amount),
			own,
		);
	}

	/** Whether it was answered at all. */
	async function settle(
		client: string,
		call: Call,
		amount: number,
		own: Random,
	): Promise<boolean> {
		const start = performance.now();
		const told = await anyone(own).ask({ do: "settle", call: call.id, amount });
		const outcome =
			told?.outcome === "done"
				? "settled"
				: told?.outcome.startsWith("hold/already") ||
						told?.outcome === "hold/expired"
					? "resolved"
					: "unknown";
		if (
			outcome === "unknown" &&
			told &&
			told.outcome !== "fault" &&
			told.outcome !== "hold/unknown"
		)
			throw new Error(
				`The settlement of ${call.id} was answered ${told.outcome}.`,
			);
		call.settled = { amount, told: outcome === "settled" };
		history.push({
			client,
			account: call.account,
			start,
			end: outcome === "unknown" ? never : performance.now(),
			...hint(told),
			type: "settle",
			hold: call.id,
			amount,
			outcome,
		});
		return told !== undefined && told.outcome !== "fault";
	}

	const again = (call: Call) => settle("again", call, 0, random);
	const load = Promise.all(clients);
	const faults = await disturb(random, load);
	busy = false;
	await load;
	for (let index = 0; index < fleet.length; index++)
		if (!(fleet[index] as Replica).living)
			fleet[index] = await launch(skewOf(random));

	// Clients that live end what they began; who is gone leaves it to the fleet.
	for (const call of calls)
		if (!call.left && call.held !== "refused" && !call.settled?.told)
			await untilTrue(() => again(call));
	await readLog();
	return {
		faults,
		operations: history.length,
		unknown: history.filter(({ end }) => end === never).length,
		...(await check(round, starts, calls, history, again)),
	};
}

/** What a client saw, and where the log has it. */
type Seen = Operation & { hint?: number };

/** What the log says, read by itself. */
interface LogRow {
	readonly position: number;
	readonly type: string;
	readonly data: {
		readonly call?: string;
		readonly account?: string;
		readonly amount?: number;
	};
}

/** Reads on, and holds against the rules what is new. */
async function readLog(): Promise<void> {
	const admin = await connectAdmin();
	try {
		const { rows } = await admin.query<{
			position: string;
			type: string;
			data: string;
		}>(
			`select position, type, data from "${schema}".event where position > $1 order by position`,
			[read.position],
		);
		for (const { position, type, data } of rows)
			follow({ position: Number(position), type, data: JSON.parse(data) });
		const counted = await admin.query<{ events: string; newest: string }>(
			`select count(*) as events, max(position) as newest from "${schema}".event where position <= $1`,
			[read.position],
		);
		const { events, newest } = counted.rows[0] ?? {};
		assert(
			Number(events) === read.position && Number(newest) === read.position,
			`there are ${events} events, and the newest is ${newest} of ${read.position}`,
		);
	} finally {
		await admin.end();
	}
}

function follow({ position, type, data }: LogRow): void {
	assert(position === read.position + 1, `positions have a gap at ${position}`);
	read.position = position;
	const call = data.call as string;
	const amount = data.amount as number;
	const hold = read.holds.get(call);
	const sumOf = (account: string | undefined) =>
		read.sums.get(account as string) as {
			-readonly [K in keyof Sums]: Sums[K];
		};
	if (type === "account-opened")
		read.sums.set(data.account as string, { granted: 0, held: 0, spent: 0 });
	if (type === "credits-granted") sumOf(data.account).granted += amount;
	if (type === "credits-held") {
		assert(hold === undefined, `${call} was held twice`);
		const account = data.account as string;
		read.holds.set(call, { position, account, amount });
		read.open.add(call);
		sumOf(account).held += amount;
	}
	if (type === "hold-moved" && hold) {
		sumOf(hold.account).held += amount - hold.amount;
		hold.amount = amount;
	}
	if (resolutions.has(type)) {
		assert(
			hold !== undefined && hold.end === undefined,
			`${call} was resolved twice, or without a hold`,
		);
		const taken = type === "credits-settled" ? amount : 0;
		hold.end = { position, taken };
		read.open.delete(call);
		const sum = sumOf(hold.account);
		sum.held -= hold.amount;
		sum.spent += taken;
	}
	const account = data.account ?? hold?.account;
	const sum = account === undefined ? undefined : sumOf(account);
	assert(
		!sum || sum.spent + sum.held <= sum.granted,
		`${account} is overspent at ${position}`,
	);
}

/** Hashes what is new once more, each event on the one before; all of the log now and then, as it grows. */
async function verifyChain(whole: boolean): Promise<void> {
	const store = await openServerStore(address.href);
	try {
		for await (const events of store.log.read(read.chained.position))
			for (const event of events) {
				const { position, previous, hash } = event;
				assert(
					previous === read.chained.hash &&
						hash === hashLine(canonicalLine(event), nodeDigest.text),
					`the chain is broken at ${position}`,
				);
				read.chained = { position, hash };
			}
		if (!whole) return;
		const audit = await verifyLog({ log: store.log, digest: nodeDigest });
		assert(
			audit.ok,
			`the log does not verify: ${JSON.stringify(audit.findings.slice(0, 3))}`,
		);
	} finally {
		await store.close();
	}
}

async function check(
	round: number,
	starts: readonly AccountStart[],
	calls: readonly Call[],
	history: Seen[],
	again: (call: Call) => Promise<boolean>,
) {
	// A dead replica's holds come free within its lease, the grace, and a sweep.
	const own = new Map(calls.map((call) => [call.id, call]));
	/** Left by its client, and its replica lives: it is that replica's until it expires. */
	const isLeftToTheLiving = (call: Call) => call.left && call.by?.living;
	const stuck = () =>
		[...read.open]
			.map((id) => own.get(id))
			.filter((call) => call !== undefined && !isLeftToTheLiving(call));
	const deadline = performance.now() + lease + grace + 30_000;
	while (stuck().length > 0 && performance.now() < deadline) {
		await pause(500);
		// One that was late happened after its client had ended it.
		for (const call of stuck()) if (call && !call.left) await again(call);
		await readLog();
	}
	assert(
		stuck().length === 0,
		`held for ever: ${stuck()
			.slice(0, 5)
			.map((call) => call?.id)}`,
	);

	let followers = 0;
	for (const one of fleet) {
		const start = performance.now();
		const state = await stateOf(one);
		// What it says when all has ended leaves nothing that was lost before unseen.
		for (const { account } of starts)
			history.push({
				client: one.name,
				account,
				start,
				end: performance.now(),
				type: "read",
				outcome: "seen",
				...(state.accounts[account] as Sums),
			});
		assert(
			state.misheard.length === 0,
			`${one.name} heard ${state.misheard.slice(0, 5).join(", ")}`,
		);
		assert(
			state.position >= read.position && state.heardUpTo === state.position,
			`${one.name} heard up to ${state.heardUpTo} of ${read.position}`,
		);
		if (state.role === "follower") followers++;
		if (state.position > read.position) await readLog();
		if (state.position === read.position)
			for (const [account, sum] of read.sums)
				assert(
					same(sum, state.accounts[account]),
					`${one.name} says ${JSON.stringify(state.accounts[account])} of ${account}, the log ${JSON.stringify(sum)}`,
				);
	}
	// Now, as what was left may have been given back until the last was asked.
	await readLog();
	let givenBack = 0;
	for (const call of calls) {
		const hold = read.holds.get(call.id);
		if (call.held === "held")
			assert(
				hold !== undefined,
				`${call.id} was told held and is not in the log`,
			);
		if (call.held === "refused")
			assert(hold === undefined, `${call.id} was told refused and is held`);
		if (call.settled?.told)
			assert(
				hold?.end?.taken === call.settled.amount,
				`${call.id} was told settled for ${call.settled.amount}, and the log says ${JSON.stringify(hold?.end)}`,
			);
		else if (hold?.end?.taken === 0) {
			givenBack += 1;
			history.push({
				client: "the fleet",
				account: call.account,
				start: call.start,
				end: never,
				type: "settle",
				hold: call.id,
				amount: 0,
				outcome: "unknown",
			});
		}
	}
	await verifyChain(round % 20 === 0 || round <= 5 || round === rounds);

	// The log's own order is tried first. Each of its events is one operation: the one that was told so, or else, of
	// those that heard nothing, the one that could have done it first.
	const places = new Set(history.map(({ hint }) => hint));
	for (const one of history.toSorted((a, b) => a.start - b.start)) {
		if (one.outcome !== "unknown" || one.type === "grant") continue;
		const hold = read.holds.get(one.hold);
		const place =
			one.type === "hold"
				? hold?.position
				: hold?.end?.taken === one.amount
					? hold.end.position
					: undefined;
		if (place === undefined || places.has(place)) continue;
		places.add(place);
		one.hint = place;
	}
	if (values.keep !== undefined)
		writeFileSync(
			join(values.keep, `round-${round}.json`),
			JSON.stringify({ starts, history }),
		);
	const began = performance.now();
	const verdict = checkBalances(history, starts);
	// An order that nobody found is no order: the log's own did not fit either.
	assert(
		verdict.verdict === "linearizable",
		`no order explains what clients saw: ${tell(verdict)}`,
	);
	const milliseconds = Math.round(performance.now() - began);
	const blind = history.map(({ hint: _, ...one }) => one as Operation);
	const alone = starts.filter((from) => {
		const own = blind.filter(({ account }) => account === from.account);
		return (
			checkBalances(own, [from], { steps: 2_000 }).verdict === "linearizable"
		);
	}).length;
	return { givenBack, milliseconds, alone, followers };
}

function tell(verdict: Verdict): string {
	if (verdict.verdict !== "broken") return JSON.stringify(verdict);
	const { counterexample, ...rest } = verdict;
	return JSON.stringify(
		{
			...rest,
			operations: counterexample.length,
			counterexample: counterexample.slice(-20),
		},
		undefined,
		1,
	);
}

/** Does one to three things to the fleet while it works; all is undone when it returns, but for the dead. */
async function disturb(
	random: Random,
	load: Promise<unknown>,
): Promise<string[]> {
	const done: string[] = [];
	const undo: (() => unknown)[] = [];
	const failed = load.then(() => {});
	const until = performance.now() + loadMilliseconds;
	await Promise.race([failed, pause(700)]);
	for (let left = random.between(1, 3); left > 0; left--) {
		const one = anyone(random);
		const fault = random.pick([
			"kill",
			"pause",
			"cut",
			"silence",
			"terminate",
			"restart",
			"hang",
			"clock",
		] as const);
		const aimed = fault === "kill" || fault === "pause" || fault === "clock";
		if (aimed && !one.living) continue;
		done.push(aimed ? `${fault} ${one.name}` : fault);
		if (fault === "kill") one.kill("SIGKILL");
		if (fault === "clock") void one.ask({ do: "clock", skew: skewOf(random) });
		if (fault === "pause") {
			one.process.kill("SIGSTOP");
			// Longer than lease and grace: others take it for dead before it wakes.
			const wake = pause(lease + grace + 1_500).then(() =>
				one.process.kill("SIGCONT"),
			);
			undo.push(() => wake);
		}
		if (fault === "cut") proxy.cut();
		if (fault === "silence") {
			const again = proxy.silence();
			const end = pause(random.between(200, 2_000)).then(again);
			undo.push(() => end);
		}
		if (fault === "terminate") {
			const admin = await connectAdmin();
			await admin.query(
				"select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
			);
			await admin.end();
		}
		if (fault === "restart" && server.pid !== undefined)
			await server.restart({ atOnce: random.chance(0.5) });
		if (fault === "hang") {
			const admin = await connectAdmin();
			await admin.query(`begin; select one from "${schema}".head for update`);
			const end = pause(random.between(500, 3_000)).then(() =>
				admin.end().catch(() => {}),
			);
			undo.push(() => end);
		}
		await Promise.race([failed, pause(random.between(100, 900))]);
	}
	await Promise.race([failed, pause(Math.max(0, until - performance.now()))]);
	for (const step of undo) await step();
	return done;
}

async function launch(skew: number): Promise<Replica> {
	const name = `replica-${++launched}`;
	const child = fork(
		fileURLToPath(new URL("replica.ts", import.meta.url)),
		[],
		{
			env: {
				...process.env,
				DOS_STORE: through.href,
				FLEET_FOLDER: folder,
				FLEET_SKEW: String(skew),
				FLEET_LEASE: String(lease),
				FLEET_GRACE: String(grace),
				...(values.verbose && { FLEET_VERBOSE: "1" }),
			},
		},
	);
	const waiting = new Map<number, (told: Told | undefined) => void>();
	let asked = 0;
	child.on("message", (told: Told) => {
		waiting.get(told.id)?.(told);
		waiting.delete(told.id);
	});
	child.on("exit", () => {
		replica.living = false;
		for (const answer of waiting.values()) answer(undefined);
		waiting.clear();
	});
	child.on("error", () => {});
	const replica: Replica = {
		name,
		process: child,
		living: true,
		ask: (wish) =>
			new Promise((resolve) => {
				if (!replica.living) return resolve(undefined);
				const id = ++asked;
				waiting.set(id, resolve);
				// Its client waits no longer; what it asked for may happen still.
				setTimeout(() => {
					if (waiting.delete(id)) resolve(undefined);
				}, patience).unref();
				child.send({ ...wish, id }, (error) => {
					if (error && waiting.delete(id)) resolve(undefined);
				});
			}),
		kill(signal) {
			replica.living = false;
			child.kill(signal);
		},
	};
	const started = await new Promise<Told | undefined>((resolve) =>
		waiting.set(0, resolve),
	);
	if (!started) throw new Error(`${name} did not start.`);
	return replica;
}

function skewOf(random: Random): number {
	return random.between(-mostSkew, mostSkew);
}

function anyone(random: Random): Replica {
	const living = fleet.filter((one) => one.living);
	return random.pick(living.length > 0 ? living : fleet);
}

async function must(
	command: Extract<Wish, { do: "command" }>["command"],
): Promise<void> {
	for (let tries = 0; ; tries++) {
		const told = await (fleet[tries % fleet.length] as Replica).ask({
			do: "command",
			command,
		});
		if (told?.outcome === "done") return;
		if (tries > 20)
			throw new Error(`${command.type}: ${told?.outcome} ${told?.fault ?? ""}`);
		await pause(250);
	}
}

async function stateOf(one: Replica): Promise<ReplicaState> {
	for (let tries = 0; tries < 20; tries++) {
		const told = await one.ask({ do: "state" });
		if (told?.state) return told.state;
		await pause(250);
	}
	throw new Error(`${one.name} does not answer.`);
}

async function untilTrue(work: () => Promise<boolean>): Promise<void> {
	for (let tries = 0; tries < 40; tries++) {
		if (await work()) return;
		await pause(250);
	}
	throw new Error("A call could not be ended for ten seconds.");
}

async function connectAdmin(): Promise<pg.Client> {
	const url = new URL(address);
	url.search = "";
	for (let tries = 0; ; tries++) {
		const client = new pg.Client(url.href);
		client.on("error", () => {});
		try {
			await client.connect();
			return client;
		} catch (fault) {
			if (tries >= 40) throw fault;
			await pause(250);
		}
	}
}

/** Where the log has what was done, when we were told. */
function hint(told: Told | undefined) {
	return told?.outcome === "done" && told.position !== undefined
		? { hint: told.position }
		: {};
}

function same(a: Sums, b: Sums | undefined): boolean {
	return a.granted === b?.granted && a.held === b.held && a.spent === b.spent;
}

function assert(holds: boolean, otherwise: string): asserts holds {
	if (!holds) throw new Error(otherwise);
}

function pause(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
