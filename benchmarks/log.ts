/**
 * What proving the log costs: `node benchmarks/log.ts [--events 1000000]`, or the same with `bun`.
 * Builds a log of real holds and settlements in a temporary folder, then verifies it, rebuilds a
 * projection and the Merkle tree, starts on it, and carries it over into another file.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { sqliteDerivedStore } from "../src/adapters/derived-store/sqlite.ts";
import { sqliteEventLog } from "../src/adapters/event-log/sqlite.ts";
import { systemClock } from "../src/adapters/runtime/clock.ts";
import { nodeDigest } from "../src/adapters/runtime/digest.ts";
import {
	ed25519Signer,
	generateSignerKey,
} from "../src/adapters/runtime/signer.ts";
import { openDatabase } from "../src/adapters/sqlite/database.ts";
import { type CreditsEvent, credits } from "../src/contexts/credits/index.ts";
import {
	exportLog,
	importLog,
	openHead,
	openProjector,
	openTree,
	proveEvent,
	signCheckpoint,
	signerKey,
	verifyLog,
} from "../src/contexts/log/index.ts";
import type { Projection } from "../src/kernel/projection.ts";

const { values } = parseArgs({
	options: { events: { type: "string", default: "1000000" } },
});
const count = Number(values.events);
const digest = nodeDigest;
const origin = "benchmark/log";
const signer = ed25519Signer(origin, generateSignerKey());
const trust = {
	keys: [signerKey(signer, digest)],
	verify: signer.verify,
	digest,
};
const folder = mkdtempSync(join(tmpdir(), "duranteos-log-"));

/** What each model was paid a day: reads one type, and of it what a report would. */
const spent: Projection<Map<string, { calls: number; amount: number }>> = {
	name: "spent",
	format: 1,
	types: ["credits-settled"],
	initial: () => new Map(),
	apply(state, event) {
		const { model, amount } = (
			event as CreditsEvent & { type: "credits-settled" }
		).data;
		const day = `${Math.floor(event.time / 86_400_000)} ${model}`;
		const row = state.get(day) ?? { calls: 0, amount: 0 };
		row.calls += 1;
		row.amount += amount;
		state.set(day, row);
		return state;
	},
	save: (state) => [...state],
	load: (saved) =>
		new Map(saved as [string, { calls: number; amount: number }][]),
};

try {
	const cpu = cpus()[0]?.model.trim() ?? "unknown processor";
	const runtime = process.versions.bun
		? `Bun ${process.versions.bun}`
		: `Node ${process.versions.node}`;
	console.log(
		`${runtime}, ${cpu}, ${availableParallelism()} cores, ${process.platform} ${process.arch}\n`,
	);
	await run();
} finally {
	rmSync(folder, { recursive: true, force: true });
}

async function run(): Promise<void> {
	const database = openDatabase(join(folder, "log.db"));
	const log = sqliteEventLog(database);
	const derived = sqliteDerivedStore(database);
	const ready = (snapshots = derived) =>
		openHead({
			log,
			deciders: { credits },
			clock: systemClock,
			digest,
			derived: snapshots,
		});

	await measure("hold and settle", async () => {
		const head = await ready();
		await fill(head);
		await head.close();
		return head.position();
	});
	const { position: size } = await log.tip();
	const megabytes = statSync(database.path).size / 1e6;
	console.log(`${" ".repeat(28)}${megabytes.toFixed(0)} MB in the file`);

	const start = await measure(
		"tree, built",
		async () => {
			const tree = await openTree({ log, digest });
			return tree.size() && tree;
		},
		size,
	);
	const checkpoint = signCheckpoint(
		{ origin, size, root: await start.root() },
		signer,
		digest,
	);
	const treeOnDisk = await openTree({ log, digest, derived });
	await treeOnDisk.save();
	const tree = await measure("tree, saved, opened", () =>
		openTree({ log, digest, derived }),
	);
	await measure("one proof of inclusion", () =>
		tree.inclusionProof(Math.floor(size / 3)),
	);
	await measure("one proof of consistency", () =>
		tree.consistencyProof(Math.floor(size / 3)),
	);
	await measure("one event proved and checked", () =>
		proveEvent(Math.floor(size / 3), { log, tree, origin, signer, digest }),
	);

	const audit = await measure(
		"verify",
		() =>
			verifyLog({
				log,
				digest,
				checkpoints: { notes: [checkpoint], origin, trust },
			}),
		size,
	);
	if (!audit.ok || audit.checkpoints !== 1)
		throw new Error(JSON.stringify(audit.findings));

	const projector = await openProjector({ log, derived, projection: spent });
	await measure("projection, one type of two", () => projector.rebuild(), size);
	await projector.save();
	const both = {
		...spent,
		name: "all",
		types: ["credits-held", "credits-settled"],
		apply: countOnly,
	};
	const all = await openProjector({ log, projection: both });
	await measure("projection, all events", () => all.rebuild(), size);

	await measure("ready, with a snapshot", () => ready());
	await derived.clear();
	await measure("ready, without", () => ready(), size);

	let characters = 0;
	await measure(
		"export",
		async () => {
			for await (const piece of exportLog({ log, origin, signer, digest }))
				characters += piece.length;
		},
		size,
	);
	console.log(`${" ".repeat(28)}${(characters / 1e6).toFixed(0)} MB of text`);

	const copy = sqliteEventLog(join(folder, "copy.db"));
	const text = exportLog({ log, origin, signer, digest });
	await measure(
		"export and import",
		() =>
			importLog({
				log: copy,
				text,
				digest,
				verify: signer.verify,
				keys: trust.keys,
			}),
		size,
	);
	if ((await copy.tip()).hash !== (await log.tip()).hash)
		throw new Error("The copy is not the same log.");
	const peak = process.resourceUsage().maxRSS / 1_024;
	console.log(`${peak.toFixed(0)} MB of memory at the most`);
	await copy.close();
	await log.close();
	await database.close();
}

function countOnly<State>(state: State): State {
	return state;
}

/** As many calls as it takes, a thousand at a time as a busy gateway would, spread over 30 days. */
async function fill(
	head: Awaited<ReturnType<typeof openHead<{ credits: typeof credits }>>>,
): Promise<void> {
	const why = { actor: "operator" };
	const accounts = Array.from({ length: 20 }, (_, at) => `account-${at}`);
	for (const account of accounts) {
		await head.execute(
			"credits",
			{ type: "open-account", account, name: account },
			why,
		);
		await head.execute(
			"credits",
			{ type: "grant", account, amount: 1e13 },
			why,
		);
	}
	const models = ["large-4.6", "small-4.6", "open-120b"];
	for (let call = 0; head.position() < count; call += 1_000) {
		const calls = Array.from({ length: 1_000 }, (_, at) => {
			const number = call + at;
			return {
				call: `01k${number.toString(32).padStart(23, "0")}`,
				account: accounts[number % accounts.length] as string,
				model: models[number % models.length] as string,
			};
		});
		await Promise.all(
			calls.map(({ call, account, model }) =>
				head.execute(
					"credits",
					{
						type: "hold",
						call,
						account,
						amount: 5_000_000,
						expires: Date.now() + 600_000,
						holder: "01kholder",
						substrate: `vendor/${model}`,
						model,
						operation: "chat",
						sheet: "vendor-2026-10",
					},
					{
						actor: "key/01kkey",
						correlation: call,
						key: `call/${call}`,
						input: "5f".repeat(32),
					},
				),
			),
		);
		await Promise.all(
			calls.map(({ call }, at) =>
				head.execute(
					"credits",
					{
						type: "settle",
						call,
						cost: 1_000_000 + at,
						basis: "priced",
						ending: "finished",
						usage: { input: 1_200 + at, output: 300 },
						lines: [
							{ class: "input", units: 1_200 + at, price: 300_000_000 },
							{ class: "output", units: 300, price: 1_500_000_000 },
						],
						sheet: "vendor-2026-10",
						finishReason: "stop",
						timing: { firstByte: 420, total: 3_100 },
						status: 200,
					},
					{ actor: "key/01kkey", correlation: call },
				),
			),
		);
	}
}

/** Runs and prints a line. `events` gives a rate; a number that comes back does too. */
async function measure<T>(
	what: string,
	work: () => T | Promise<T>,
	events?: number,
): Promise<Exclude<Awaited<T>, 0>> {
	const used = process.cpuUsage();
	const start = performance.now();
	const result = await work();
	const milliseconds = performance.now() - start;
	const { user, system } = process.cpuUsage(used);
	const done = events ?? (typeof result === "number" ? result : undefined);
	const rate =
		done === undefined
			? ""
			: `${Math.round(done / milliseconds)
					.toLocaleString("en")
					.padStart(8)} k events/s`;
	const cpu = ((user + system) / 1_000).toFixed(1).padStart(12);
	console.log(
		`${what.padEnd(32)}${milliseconds.toFixed(1).padStart(12)} ms${cpu} ms CPU${rate}`,
	);
	return result as Exclude<Awaited<T>, 0>;
}
