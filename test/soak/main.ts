import {
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";
import { seededRandom } from "../simulation/random.ts";
import {
	chatAnswer,
	chatFrames,
	sendFrames,
	sendJson,
	startUpstream,
} from "../support/upstream.ts";
import { type Asked, memoryOf, mustBalance, openRig } from "../torture/rig.ts";
import { sleep } from "../torture/scenario.ts";
import { csvOf, findings, type Sample, tableOf } from "./curve.ts";

/**
 * The real server under load for half an hour: memory, handles, holds and latency must stay flat, and the books balance.
 * `node test/soak/main.ts [--minutes 30] [--rate 100] [--every 15] [--seed 1] [--out benchmarks/results]`.
 *
 * Calls come at a fixed rate whatever the server does: plain ones and streams, vendors' errors, clients that leave, and
 * calls to a model that two vendors have. Of those the first is away for a while, again and again: its breakers open,
 * the second answers, and nobody who called hears of it.
 * Keeps the curve as `soak.json` and `soak.csv`. Exit code 1 when something was not flat. Needs `/proc`.
 */
const { values } = parseArgs({
	options: {
		minutes: { type: "string", default: "30" },
		rate: { type: "string", default: "100" },
		every: { type: "string", default: "15" },
		seed: { type: "string", default: "1" },
		out: {
			type: "string",
			default: fileURLToPath(
				new URL("../../benchmarks/results", import.meta.url),
			),
		},
	},
});
const [minutes, rate, every, seed] = [
	Number(values.minutes),
	Number(values.rate),
	Number(values.every),
	Number(values.seed),
];
/** The vendor `first` is away for the first so many seconds of each turn. */
const [away, turn] = [20, 120];

const vendors = ["mock", "first", "second"] as const;
const settings = (url: string) => `
vendors:${vendors
	.map(
		(vendor) => `
  ${vendor}: { protocol: openai-chat, base: ${url}/${vendor}/v1, key: a-key-of-a-vendor }`,
	)
	.join("")}
prices:${vendors
	.map(
		(vendor) => `
  - { vendor: ${vendor}, model: "*", prices: { input: 1, output: 2 } }`,
	)
	.join("")}
catalogue:
  substrates:${["first", "second"]
		.map(
			(vendor) => `
    ${vendor}/m:
      name: m
      tier: small
      weights: open
      capabilities: { means: [generate], context: 100000, outputLimit: 50000, streaming: true }`,
		)
		.join("")}
routing:
  table:
    rows: [{ prefer: [{ vendor: [first] }] }]
`;

if (
	![minutes, rate, every].every((number) => number > 0) ||
	!Number.isInteger(seed)
) {
	console.error(
		"Give --minutes, --rate and --every above 0, and a whole --seed.",
	);
	process.exitCode = 2;
} else if (memoryOf(process.pid) === undefined) {
	console.error("This system has no /proc to read memory and handles from.");
	process.exitCode = 2;
} else {
	await soak();
}

type Kind = "plain" | "stream" | "error" | "leaves" | "either";

async function soak(): Promise<void> {
	const random = seededRandom(seed);
	let began = performance.now();
	const seconds = () => (performance.now() - began) / 1_000;
	const asked = { first: 0, other: 0 };
	const upstream = await startUpstream(async ({ body, path }, response) => {
		// What was received is not looked at, and would grow.
		upstream.received.length = 0;
		if (path.startsWith("/second/")) asked.other++;
		if (path.startsWith("/first/")) {
			if (seconds() % turn < away)
				return sendJson(response, 503, '{"error":{"message":"away"}}');
			asked.first++;
		}
		const { user } = JSON.parse(body) as { user: Kind };
		const usage = { prompt: 20, completion: 12 };
		if (user === "error")
			return sendJson(response, 500, '{"error":{"message":"no"}}');
		if (user === "plain" || user === "either") {
			await sleep(20);
			return sendJson(response, 200, chatAnswer("Hello", usage));
		}
		const words = Array.from({ length: 12 }, () => "word ");
		await sendFrames(
			response,
			chatFrames(words, usage),
			user === "leaves" ? 20 : 5,
		);
	});
	const rig = await openRig({
		config: settings(upstream.url),
		credits: "90000000",
	});
	const server = await rig.serve();
	const { pid } = JSON.parse(
		readFileSync(join(rig.dos.home, "server.json"), "utf8"),
	) as { pid: number };
	const ledger = await openLedger(findHome({}, rig.dos.home));
	const samples: Sample[] = [];
	let latencies: number[] = [];
	let direct: number[] = [];
	let calls = 0;
	let wrong = 0;
	let used = cpuOf(pid);
	const underWay = new Set<Promise<void>>();

	async function call(): Promise<void> {
		const dice = random.below(100);
		const kind: Kind =
			dice < 50
				? "plain"
				: dice < 75
					? "stream"
					: dice < 80
						? "error"
						: dice < 85
							? "leaves"
							: "either";
		const wish: Asked = {
			body: {
				model: kind === "either" ? "m" : "mock/m",
				messages: [{ role: "user", content: "a prompt of some thirty bytes" }],
				max_tokens: 50,
				user: kind,
				...((kind === "stream" || kind === "leaves") && { stream: true }),
			},
			...(kind === "leaves" && { leaveAfter: 60 + random.below(60) }),
		};
		const { status, whole, milliseconds } = await rig.call(server.url, wish);
		calls++;
		const right =
			kind === "leaves"
				? !whole && (status === 200 || status === 0)
				: whole && (kind === "error" ? status >= 500 : status === 200);
		if (!right) wrong++;
		if (kind === "plain") latencies.push(milliseconds);
		if (calls % 10 !== 0) return;
		const control = await rig.call(`${upstream.url}/mock/v1`, {
			body: { user: "plain" },
		});
		direct.push(control.milliseconds);
	}

	async function sample(second: number): Promise<Sample> {
		await ledger.head.refresh();
		const now = Date.now();
		const holds = [...ledger.head.state("credits").holds.values()];
		const at = (share: number, of = latencies) =>
			of.toSorted((one, other) => one - other)[
				Math.floor(share * (of.length - 1))
			] ?? Number.NaN;
		const seen: Sample = {
			second,
			calls,
			wrong,
			p50: rounded(at(0.5)),
			p99: rounded(at(0.99)),
			control: rounded(at(0.5, direct)),
			cpu: rounded((cpuOf(pid) - used) / calls),
			memory: rounded(memoryOf(pid) ?? Number.NaN),
			handles: readdirSync(`/proc/${pid}/fd`).length,
			holds: holds.length,
			overdue: holds.filter(({ expires }) => expires < now).length,
			disk: rounded(diskOf(rig.dos.home)),
			first: asked.first,
			other: asked.other,
		};
		[asked.first, asked.other] = [0, 0];
		used = cpuOf(pid);
		[latencies, direct, calls, wrong] = [[], [], 0, 0];
		return seen;
	}

	try {
		began = performance.now();
		const total = Math.round(rate * minutes * 60);
		let due = every;
		for (let sent = 0; sent < total; sent++) {
			const wait = sent / rate - seconds();
			if (wait > 0.002) await sleep(wait * 1_000);
			const running = call().finally(() => underWay.delete(running));
			underWay.add(running);
			if (seconds() >= due) {
				samples.push(await sample(rounded(seconds())));
				if (process.stderr.isTTY)
					process.stderr.write(
						`\r\u001b[K${Math.round(seconds())} s of ${minutes * 60}`,
					);
				due += every;
			}
		}
		await Promise.all(underWay);
		samples.push(await sample(rounded(seconds())));
		if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
		server.process.kill("SIGTERM");
		const { code } = await server.ended;
		await ledger.close();
		const found = [...findings(samples)];
		if (code !== 0) found.push(`The server ended with ${code}.`);
		try {
			mustBalance(await rig.books());
		} catch (fault) {
			found.push((fault as Error).message);
		}
		keep(samples, found);
		console.log(tableOf(samples));
		for (const one of found) console.error(`BROKEN: ${one}`);
		if (found.length > 0) process.exitCode = 1;
		else
			console.log(
				`\nFlat over ${minutes} minutes at ${rate} calls/s, and the books balance. Kept in ${values.out}.`,
			);
	} finally {
		await ledger.close();
		await rig.close();
		await upstream.close();
	}
}

function keep(samples: readonly Sample[], found: readonly string[]): void {
	mkdirSync(values.out, { recursive: true });
	const about = {
		runtime: process.versions.bun
			? `Bun ${process.versions.bun}`
			: `Node ${process.versions.node}`,
		date: new Date().toISOString().slice(0, 10),
		minutes,
		rate,
		seed,
		findings: found,
		samples,
	};
	writeFileSync(
		join(values.out, "soak.json"),
		`${JSON.stringify(about, undefined, "\t")}\n`,
	);
	writeFileSync(join(values.out, "soak.csv"), csvOf(samples));
}

/** Milliseconds, in steps of ten. */
function cpuOf(pid: number): number {
	const text = readFileSync(`/proc/${pid}/stat`, "utf8");
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

function diskOf(folder: string): number {
	let bytes = 0;
	for (const name of readdirSync(folder))
		if (name.startsWith("dos.db")) bytes += statSync(join(folder, name)).size;
	return bytes / 2 ** 20;
}

function rounded(number: number): number {
	return Math.round(number * 100) / 100;
}
