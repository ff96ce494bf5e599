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
import { mockVendor } from "../support/studio.ts";
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
 * Calls come at a fixed rate whatever the server does: plain ones and streams, vendors' errors, and clients that leave.
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

type Kind = "plain" | "stream" | "error" | "leaves";

async function soak(): Promise<void> {
	const random = seededRandom(seed);
	const upstream = await startUpstream(async ({ body }, response) => {
		// What was received is not looked at, and would grow.
		upstream.received.length = 0;
		const { user } = JSON.parse(body) as { user: Kind };
		const usage = { prompt: 20, completion: 12 };
		if (user === "error")
			return sendJson(response, 500, '{"error":{"message":"no"}}');
		if (user === "plain") {
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
		config: mockVendor(upstream.url),
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
	const underWay = new Set<Promise<void>>();

	async function call(): Promise<void> {
		const dice = random.below(100);
		const kind: Kind =
			dice < 60
				? "plain"
				: dice < 90
					? "stream"
					: dice < 95
						? "error"
						: "leaves";
		const asked: Asked = {
			body: {
				model: "mock/m",
				messages: [{ role: "user", content: "a prompt of some thirty bytes" }],
				max_tokens: 50,
				user: kind,
				...((kind === "stream" || kind === "leaves") && { stream: true }),
			},
			...(kind === "leaves" && { leaveAfter: 60 + random.below(60) }),
		};
		const { status, whole, milliseconds } = await rig.call(server.url, asked);
		calls++;
		const right =
			kind === "leaves"
				? !whole && (status === 200 || status === 0)
				: whole && (kind === "error" ? status >= 500 : status === 200);
		if (!right) wrong++;
		if (kind === "plain") latencies.push(milliseconds);
		if (calls % 10 !== 0) return;
		const control = await rig.call(`${upstream.url}/v1`, {
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
			memory: rounded(memoryOf(pid) ?? Number.NaN),
			handles: readdirSync(`/proc/${pid}/fd`).length,
			holds: holds.length,
			overdue: holds.filter(({ expires }) => expires < now).length,
			disk: rounded(diskOf(rig.dos.home)),
		};
		[latencies, direct, calls, wrong] = [[], [], 0, 0];
		return seen;
	}

	try {
		const began = performance.now();
		const seconds = () => (performance.now() - began) / 1_000;
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

function diskOf(folder: string): number {
	let bytes = 0;
	for (const name of readdirSync(folder))
		if (name.startsWith("dos.db")) bytes += statSync(join(folder, name)).size;
	return bytes / 2 ** 20;
}

function rounded(number: number): number {
	return Math.round(number * 100) / 100;
}
