import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startUpstreamProgram } from "./lib/gateways.ts";
import { bifrost } from "./peers/bifrost.ts";
import { bareBun, bareNode, upstreamItself } from "./peers/floors.ts";
import { peersFolder } from "./peers/install.ts";
import { litellm } from "./peers/litellm.ts";
import { testMoney } from "./peers/money.ts";
import { oursOnBun, oursOnNode } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import { portkey } from "./peers/portkey.ts";
import { summaryText, writeReports } from "./peers/report.ts";
import {
	better,
	type Contender,
	type Figures,
	type Results,
	type ScenarioName,
} from "./peers/results.ts";
import { measureSpeed, type Plan, type Upstreams } from "./peers/speed.ts";

/**
 * Ours and the gateways others make, side by side on this machine: `npm run bench -- peers`. What
 * one of them cannot do, or does not survive, is written down, and the run goes on. README.md says
 * what the figures mean and how to add a peer.
 */
const peers: readonly Peer[] = [
	upstreamItself,
	bareNode,
	bareBun,
	oursOnNode,
	oursOnBun,
	portkey,
	litellm,
	bifrost,
];

const { values: flags } = parseArgs({
	options: {
		/** Seconds for each cell in place of many: for seeing that it works. */
		short: { type: "boolean", default: false },
		/** Ids, with commas between. */
		only: { type: "string" },
		/** Where results go: `benchmarks/results` and RESULTS.md, or a folder of its own. */
		out: { type: "string" },
		"no-money": { type: "boolean", default: false },
		"no-speed": { type: "boolean", default: false },
		/** No round begins after so many. */
		minutes: { type: "string", default: "13" },
		/** Installs the peers anew. */
		fresh: { type: "boolean", default: false },
	},
});

const plan: Plan = flags.short
	? {
			seconds: 1,
			warmUp: 0.3,
			first: 1,
			frontier: { seconds: 0.7, steps: [1, 4, 16, 64], refinements: 1 },
		}
	: {
			seconds: 3,
			warmUp: 0.5,
			first: 12,
			frontier: {
				seconds: 1.2,
				steps: [1, 2, 4, 8, 16, 32, 64, 128, 256],
				refinements: 4,
			},
		};
const rounds = flags.short ? 1 : 2;
const repository = fileURLToPath(new URL("..", import.meta.url));
let began = performance.now();
const contenders = new Map<string, Contender>();

if (flags.fresh) rmSync(peersFolder, { recursive: true, force: true });
const wanted = flags.only?.split(",");
const ready: Peer[] = [];
for (const peer of peers) {
	if (wanted && !wanted.includes(peer.id)) continue;
	if (await prepare(peer)) ready.push(peer);
}
// Installing is not measuring: the clock begins again.
began = performance.now();
if (!flags["no-speed"]) await speed(0);
if (!flags["no-money"]) await money();
for (let round = 1; round < rounds && !flags["no-speed"]; round++)
	await speed(round);

const results: Results = {
	taken: new Date().toISOString(),
	commit: commit(),
	command: ["npm run bench -- peers", ...process.argv.slice(2)].join(" "),
	machine: `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`,
	seconds: plan.seconds,
	rounds,
	minutes: Math.round((performance.now() - began) / 6_000) / 10,
	contenders: [...contenders.values()],
};
/** Only the whole of it is put on show. */
const published = ![
	...[flags.short, flags["no-money"], flags["no-speed"]],
	...[wanted !== undefined, flags.out !== undefined],
].includes(true);
const folder =
	flags.out ??
	(published
		? join(repository, "benchmarks", "results")
		: join(tmpdir(), "dos-bench-results"));
writeReports(
	results,
	folder,
	published ? join(repository, "benchmarks", "RESULTS.md") : undefined,
);
console.log(`\n${summaryText(results)}\n\nWritten to ${folder}.`);

async function prepare(peer: Peer): Promise<boolean> {
	const { id, name, kind, conditions } = peer;
	const about = { id, name, kind, conditions, notes: [], figures: {} };
	say(`${name}: getting it ready`);
	try {
		contenders.set(id, { ...about, version: await peer.prepare() });
		return true;
	} catch (fault) {
		const skipped = `Not had here: ${sentence(fault)}`;
		contenders.set(id, { ...about, version: "", skipped });
		say(`${name}: ${skipped}`);
		return false;
	}
}

/** A round of speed over everyone, so that a busy machine strikes all alike. */
async function speed(round: number): Promise<void> {
	const upstreams: Upstreams = {
		quick: await startUpstreamProgram(false),
		paced: await startUpstreamProgram(true),
	};
	try {
		for (const peer of ready) {
			if (round > 0 && elapsed() > Number(flags.minutes)) {
				note(peer, `Round ${round + 1} was left out for lack of time.`);
				continue;
			}
			say(`${peer.name}: speed, round ${round + 1} of ${rounds}`);
			await attempt(peer, async () => {
				const { frontier, ...rest } = plan;
				const taken = await measureSpeed(
					peer,
					upstreams,
					round === 0 && frontier ? { ...rest, frontier } : rest,
				);
				const before = contenders.get(peer.id) as Contender;
				contenders.set(peer.id, {
					...before,
					...taken,
					figures: best(before.figures, taken.figures),
				});
			});
		}
	} finally {
		await upstreams.quick.stop();
		await upstreams.paced.stop();
	}
}

function best(
	before: Contender["figures"],
	taken: Contender["figures"],
): Contender["figures"] {
	const all: Partial<Record<ScenarioName, Figures>> = { ...before };
	for (const [name, figures] of Object.entries(taken) as [
		ScenarioName,
		Figures,
	][])
		all[name] = better(before[name], figures);
	return all;
}

async function money(): Promise<void> {
	for (const peer of ready) {
		if (peer.kind === "floor") continue;
		say(`${peer.name}: money`);
		await attempt(peer, async () => {
			const verdicts = await testMoney(peer);
			const before = contenders.get(peer.id) as Contender;
			contenders.set(peer.id, { ...before, money: verdicts });
		});
	}
}

/** What fails is noted with its reason; the others go on. */
async function attempt(peer: Peer, work: () => Promise<void>): Promise<void> {
	try {
		await work();
	} catch (fault) {
		note(peer, sentence(fault));
	}
}

function note(peer: Peer, text: string): void {
	const before = contenders.get(peer.id) as Contender;
	contenders.set(peer.id, { ...before, notes: [...before.notes, text] });
	say(`${peer.name}: ${text}`);
}

function sentence(fault: unknown): string {
	const text = fault instanceof Error ? fault.message : String(fault);
	return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Minutes. */
function elapsed(): number {
	return (performance.now() - began) / 60_000;
}

function say(text: string): void {
	console.log(`${elapsed().toFixed(1).padStart(5)} min  ${text}`);
}

/** The commit measured, marked when files were changed since. */
function commit(): string {
	const git = (...args: string[]) =>
		execFileSync("git", args, {
			cwd: repository,
			encoding: "utf8",
			stdio: ["ignore", "pipe", "ignore"],
		}).trim();
	try {
		const changed = git("status", "--porcelain", "--", "src", "benchmarks");
		return `${git("rev-parse", "--short", "HEAD")}${changed ? ", with changes" : ""}`;
	} catch {
		return "unknown";
	}
}
