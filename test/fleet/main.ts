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
import { type Random, seededRandom } from "../simulation/random.ts";
import { type AccountStart, checkBalances, type Operation } from "./checker.ts";
import { openProxy } from "./proxy.ts";
import type { Asked, ReplicaState, Sums, Told } from "./replica.ts";

/**
 * Four replicas on one Postgres and 256 clients on one hot account and many cold ones, while everything around them
 * fails: `node test/fleet/main.ts [--short] [--rounds 200] [--seed 1] [--verbose]`.
 *
 * After each round, when all is well again: nothing is overspent, each call is settled once and as its client was
 * told, positions have no gap, every subscriber heard each event once and in order, the chain verifies, all replicas
 * say the same, whatever a dead replica held was given back, and what clients saw can have happened one after the
 * other. The seed fixes what is done to the fleet; what comes of it, processes and sockets decide.
 */
const { values } = parseArgs({
	options: {
		short: { type: "boolean", default: false },
		rounds: { type: "string" },
		seed: { type: "string", default: "1" },
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
const loadMilliseconds = 5_000;
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
	"credits-expired",
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
let launched = 0;

try {
	const random = seededRandom(seed);
	for (let index = 0; index < replicaCount; index++)
		fleet.push(await launch(0));
	const began = performance.now();
	let operations = 0;
	let undecided = 0;
	for (let round = 1; round <= rounds; round++) {
		const result = await play(round, random);
		operations += result.operations;
		if (result.checked === "undecided") undecided += 1;
		console.log(
			`round ${round}: ${result.faults.join(", ")}; ${result.operations} operations, ${result.unknown} without an answer, ${result.givenBack} given back by others, ${result.checked}`,
		);
	}
	console.log(
		`${rounds} rounds held, seed ${seed}: ${operations} operations in ${Math.round((performance.now() - began) / 1000)} s; the order of ${rounds - undecided} was found, ${undecided} had more than could be tried.`,
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
	const starts: AccountStart[] = [];
	for (const account of [hot, ...cold]) {
		const granted = account === hot ? 40_000 : random.between(500, 8_000);
		const cap = random.chance(0.5)
			? random.between(granted >> 2, granted)
			: undefined;
		await must({
			type: "open-account",
			account,
			name: account,
			caps: cap === undefined ? {} : { total: cap },
		});
		await must({ type: "grant", account, amount: granted });
		starts.push({ account, granted, ...(cap !== undefined && { cap }) });
	}
	const history: Operation[] = [];
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
					hint: told.position as number,
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
			fleet[index] = await launch(
				random.pick([0, -1, 1]) * random.between(0, 600_000),
			);

	// Clients that live end what they began; who is gone leaves it to the fleet.
	for (const call of calls)
		if (!call.left && call.held !== "refused" && !call.settled?.told)
			await untilTrue(() => again(call));
	const rows = await readLog();
	return {
		faults,
		operations: history.length,
		unknown: history.filter(({ end }) => end === never).length,
		...(await check(round, starts, calls, history, rows, again)),
	};
}

/** What the log says, read by itself. */
interface LogRow {
	readonly position: number;
	readonly type: string;
	readonly data: {
		readonly call?: string;
		readonly account?: string;
		readonly amount?: number;
		readonly charged?: number;
	};
}

async function readLog(): Promise<readonly LogRow[]> {
	const admin = await connectAdmin();
	try {
		const { rows } = await admin.query<{
			position: string;
			type: string;
			data: string;
		}>(`select position, type, data from "${schema}".event order by position`);
		return rows.map(({ position, type, data }) => ({
			position: Number(position),
			type,
			data: JSON.parse(data),
		}));
	} finally {
		await admin.end();
	}
}

async function check(
	round: number,
	starts: readonly AccountStart[],
	calls: readonly Call[],
	history: Operation[],
	first: readonly LogRow[],
	again: (call: Call) => Promise<boolean>,
) {
	// A dead replica's holds come free within its lease, the grace, and a sweep.
	const own = new Set(calls.map(({ id }) => id));
	const deadline = performance.now() + lease + grace + 30_000;
	let rows = first;
	let open = openCalls(rows);
	while (
		open.some((id) => own.has(id) && !isLeftToTheLiving(id)) &&
		performance.now() < deadline
	) {
		await pause(500);
		// One that was late happened after its client had ended it.
		for (const call of calls)
			if (open.includes(call.id) && !call.left) await again(call);
		rows = await readLog();
		open = openCalls(rows);
	}
	/** Left by its client, and its replica lives: it is that replica's until it expires. */
	function isLeftToTheLiving(id: string): boolean {
		return calls.some((call) => call.id === id && call.left && call.by?.living);
	}
	const stuck = open.filter((id) => own.has(id) && !isLeftToTheLiving(id));
	assert(stuck.length === 0, `held for ever: ${stuck.slice(0, 5).join(", ")}`);

	assert(
		rows.every(({ position }, index) => position === index + 1),
		"positions have a gap",
	);
	const held = new Map<string, number>();
	const heldAt = new Map<string, number>();
	const resolved = new Map<string, LogRow>();
	const sums = new Map<
		string,
		{ granted: number; held: number; spent: number }
	>();
	const accountOf = new Map<string, string>();
	for (const row of rows) {
		const { type, data } = row;
		const call = data.call as string;
		if (type === "account-opened")
			sums.set(data.account as string, { granted: 0, held: 0, spent: 0 });
		if (type === "credits-granted")
			sumOf(data.account).granted += data.amount as number;
		if (type === "credits-held") {
			assert(!held.has(call), `${call} was held twice`);
			held.set(call, data.amount as number);
			heldAt.set(call, row.position);
			accountOf.set(call, data.account as string);
			sumOf(data.account).held += data.amount as number;
		}
		if (type === "hold-moved") {
			sumOf(accountOf.get(call)).held +=
				(data.amount as number) - (held.get(call) ?? 0);
			held.set(call, data.amount as number);
		}
		if (resolutions.has(type)) {
			assert(
				held.has(call) && !resolved.has(call),
				`${call} was resolved twice, or without a hold`,
			);
			resolved.set(call, row);
			const sum = sumOf(accountOf.get(call));
			sum.held -= held.get(call) as number;
			if (type === "credits-settled") sum.spent += data.amount as number;
		}
		if (data.account !== undefined) {
			const sum = sums.get(data.account);
			assert(
				!sum || sum.spent + sum.held <= sum.granted,
				`${data.account} is overspent at ${row.position}`,
			);
		}
	}
	function sumOf(account: string | undefined) {
		return sums.get(account as string) as {
			granted: number;
			held: number;
			spent: number;
		};
	}
	let givenBack = 0;
	for (const call of calls) {
		if (call.held === "held")
			assert(
				held.has(call.id),
				`${call.id} was told held and is not in the log`,
			);
		if (call.held === "refused")
			assert(!held.has(call.id), `${call.id} was told refused and is held`);
		const end = resolved.get(call.id);
		if (call.settled?.told)
			assert(
				end !== undefined &&
					(end.type === "credits-settled" ? end.data.amount : 0) ===
						call.settled.amount,
				`${call.id} was told settled for ${call.settled.amount}, and the log says ${JSON.stringify(end)}`,
			);
		else if (end) {
			givenBack += 1;
			history.push({
				client: "the fleet",
				account: call.account,
				start: call.start,
				end: never,
				hint: end.position,
				type: "settle",
				hold: call.id,
				amount: 0,
				outcome: "unknown",
			});
		}
	}

	for (const one of fleet) {
		const state = await stateOf(one);
		assert(
			state.misheard.length === 0,
			`${one.name} heard ${state.misheard.slice(0, 5).join(", ")}`,
		);
		const newest = rows.length;
		assert(
			state.position >= newest && state.heardUpTo === state.position,
			`${one.name} heard up to ${state.heardUpTo} of ${newest}`,
		);
		if (state.position === newest)
			for (const [account, sum] of sums)
				assert(
					same(sum, state.accounts[account]),
					`${one.name} says ${JSON.stringify(state.accounts[account])} of ${account}, the log ${JSON.stringify(sum)}`,
				);
	}

	// The whole chain now and then, as it grows.
	if (round % 20 === 0 || round <= 5 || round === rounds) {
		const store = await openServerStore(address.href);
		try {
			const audit = await verifyLog({ log: store.log, digest: nodeDigest });
			assert(
				audit.ok,
				`the chain is broken: ${JSON.stringify(audit.findings.slice(0, 3))}`,
			);
		} finally {
			await store.close();
		}
	}

	const hinted = history.map((one): Operation => {
		if (one.hint !== undefined || one.type === "read" || one.type === "grant")
			return one;
		const end = resolved.get(one.hold);
		const place =
			one.type === "hold"
				? heldAt.get(one.hold)
				: end && amountOf(end) === one.amount
					? end.position
					: undefined;
		return place === undefined ? one : { ...one, hint: place };
	});
	if (values.keep !== undefined)
		writeFileSync(
			join(values.keep, `round-${round}.json`),
			JSON.stringify({ starts, history: hinted }),
		);
	// "undecided" is no pass: it is counted, and said at the end.
	const verdict = checkBalances(hinted, starts);
	assert(
		verdict.verdict !== "broken",
		`no order explains what clients saw: ${JSON.stringify(verdict, undefined, 1)}`,
	);
	return { givenBack, checked: verdict.verdict };
}

/** What a resolution took. */
function amountOf({ type, data }: LogRow): number {
	return type === "credits-settled" ? (data.amount as number) : 0;
}

function openCalls(rows: readonly LogRow[]): string[] {
	const open = new Set<string>();
	for (const { type, data } of rows) {
		if (type === "credits-held") open.add(data.call as string);
		if (resolutions.has(type)) open.delete(data.call as string);
	}
	return [...open];
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
		const one = random.pick(fleet);
		const fault = random.pick([
			"kill",
			"pause",
			"cut",
			"silence",
			"terminate",
			"restart",
			"hang",
		] as const);
		done.push(
			fault === "kill" || fault === "pause" ? `${fault} ${one.name}` : fault,
		);
		if (fault === "kill") one.kill("SIGKILL");
		if (fault === "pause" && one.living) {
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

function hint(told: Told | undefined) {
	return told?.position === undefined ? {} : { hint: told.position };
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
