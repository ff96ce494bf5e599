/**
 * sync-check against the clock and against its neighbours, process start included.
 *
 *   npm run bench -- sync-check              all of it; needs room for two million small files
 *   npm run bench -- sync-check --small      4,091 rows (31 MB)
 *   npm run bench -- sync-check --large      50,000 files on each side, against git, sha256sum and rsync
 *   npm run bench -- sync-check --curve      time and memory, up to a million rows
 *   npm run bench -- sync-check --short      all of it over small trees, to see that it works
 *
 * Every line of a table is measured in turns with the others, so that what else the machine does falls on
 * all of them; the least and the middle of the runs are shown. Ratios are of the least, which others add
 * nothing to; those of the middles stand beside them. Trees are made among the system's temporary files:
 * TMPDIR names another place, and in memory the curve measures no disk.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
	cpSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dirname, "..");
const main = join(root, "src/apps/sync-check/main.ts");
const work = mkdtempSync(join(tmpdir(), "sync-check-bench-"));
const environment = { ...process.env, XDG_CACHE_HOME: work };
const flags = process.argv.slice(2);
const isShort = flags.includes("--short");
const chosen = flags.filter((flag) => flag !== "--short");
const wants = (flag: string) => chosen.length === 0 || chosen.includes(flag);
const turns = (many: number) => (isShort ? 1 : many);
const small = isShort ? 400 : 4_091;
const large = isShort ? 2_000 : 50_000;
const curve = isShort ? [1_000, 4_000] : [10_000, 100_000, 1_000_000];
const known = ["--small", "--large", "--curve"];
for (const flag of chosen)
	if (!known.includes(flag))
		throw new Error(
			`There is no ${flag}: there are ${known.join(", ")} and --short.`,
		);

/** Sizes as in a tree of skills, tools and documents: many small files, few large ones, eleven to a folder. */
function makeTree(folder: string, files: number, bytes: number): void {
	let seed = 42;
	const next = () => {
		seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
		return seed / 2 ** 32;
	};
	const weights = Array.from({ length: files }, () => Math.exp(3 * next()));
	const unit = bytes / weights.reduce((sum, weight) => sum + weight, 0);
	for (const side of ["live", "release"]) {
		for (let index = 0; index < files; index++) {
			const group = Math.floor(index / 11);
			const path = join(
				folder,
				side,
				`area-${group % 23}`,
				group % 3 === 0 ? `part-${group}` : `part-${group}/src`,
			);
			if (index % 11 === 0) mkdirSync(path, { recursive: true });
			const size = Math.max(1, Math.round(unit * (weights[index] as number)));
			writeFileSync(
				join(path, `file-${index}.ts`),
				Buffer.alloc(size, `export const value${index} = "a line of text";\n`),
			);
		}
	}
	writeFileSync(
		join(folder, ".dos-sync-manifest.json"),
		JSON.stringify({ pairs: [{ a: "live", b: "release" }] }),
	);
}

/** The program as it is published: types taken away once, not at every start. */
function compile(): string {
	const out = join(work, "compiled");
	const seen = new Set<string>();
	const follow = (path: string): void => {
		if (seen.has(path)) return;
		seen.add(path);
		const text = readFileSync(join(root, path), "utf8");
		const target = join(out, path.replace(/\.ts$/, ".js"));
		mkdirSync(dirname(target), { recursive: true });
		writeFileSync(
			target,
			stripTypeScriptTypes(text).replaceAll(
				/(["'])(\.[^"'\n]*)\.ts\1/g,
				"$1$2.js$1",
			),
		);
		for (const [, specifier = ""] of text.matchAll(
			/\b(?:from\s+|import\s*\(\s*|import\s+|new URL\(\s*)"(\.[^"]+\.ts)"/g,
		))
			follow(join(path, "..", specifier));
	};
	follow("src/apps/sync-check/main.ts");
	writeFileSync(join(out, "package.json"), '{"type":"module"}');
	cpSync(join(root, "bin"), join(out, "bin"), { recursive: true });
	return join(out, "src/apps/sync-check/main.js");
}

interface Line {
	readonly name: string;
	readonly command: readonly string[];
	readonly before?: () => void;
	readonly exit?: number;
}

interface Timed {
	readonly name: string;
	readonly least: number;
	readonly middle: number;
}

function measure(
	folder: string,
	lines: readonly Line[],
	turns: number,
): readonly Timed[] {
	const times = lines.map(() => [] as number[]);
	for (let turn = 0; turn < turns; turn++)
		for (const [index, { command, before, exit = 0 }] of lines.entries()) {
			before?.();
			const [program = "", ...words] = command;
			const begun = performance.now();
			const ran = spawnSync(program, words, {
				cwd: folder,
				stdio: ["ignore", "ignore", "pipe"],
				env: environment,
			});
			times[index]?.push(performance.now() - begun);
			if (ran.status !== exit)
				throw new Error(
					`${command.join(" ")} ended with ${ran.status}: ${ran.stderr}`,
				);
		}
	return lines.map(({ name }, index) => {
		const sorted = (times[index] as number[]).sort((a, b) => a - b);
		return {
			name,
			least: sorted[0] as number,
			middle: sorted[sorted.length >> 1] as number,
		};
	});
}

function show(title: string, timed: readonly Timed[]): void {
	console.log(`\n${title}`);
	for (const { name, least, middle } of timed)
		console.log(
			`  ${name.padEnd(46)}least ${least.toFixed(0).padStart(6)} ms   middle ${middle.toFixed(0).padStart(6)} ms`,
		);
}

function ratio(
	timed: readonly Timed[],
	name: string,
	to: string,
	most: number,
): void {
	const find = (wanted: string) => timed.find((one) => one.name === wanted);
	const left = find(name);
	const right = find(to);
	if (!left || !right) return;
	const value = left.least / right.least;
	console.log(
		`  ${name} / ${to}: ${value.toFixed(2)} (target at most ${most}: ${isShort ? "small trees say nothing" : value <= most ? "met" : "missed"}; of the middles ${(left.middle / right.middle).toFixed(2)})`,
	);
}

const beside = "(two sha256sum, one for each side)";

const has = (program: string) =>
	spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

/** Files must be older than a tick, as they are in any tree that is not being written. */
const settle = () =>
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);

const runtimes = () => {
	const compiled = compile();
	return [
		{ name: "bun, unbuilt", command: ["bun", main] },
		{ name: "node, published", command: [process.execPath, compiled] },
		{ name: "node, unbuilt", command: [process.execPath, main] },
	];
};

/** Milliseconds of all cores, and megabytes at the most. */
function usageOf(
	folder: string,
	command: readonly string[],
): { readonly cpu: number; readonly memory: number } {
	const ran = spawnSync(
		"/usr/bin/time",
		["-f", "%M %U %S", ...command, "--summary"],
		{ cwd: folder, encoding: "utf8", env: environment },
	);
	const [kilobytes = 0, user = 0, system = 0] = (
		ran.stderr.trim().split("\n").at(-1) ?? ""
	)
		.split(" ")
		.map(Number);
	return { cpu: 1_000 * (user + system), memory: kilobytes / 1_024 };
}

try {
	console.log(
		`${cpus()[0]?.model ?? "?"}, ${cpus().length} cores, Node ${process.versions.node}, Bun ${execFileSync("bun", ["--version"], { encoding: "utf8" }).trim()}`,
	);
	const programs = runtimes();

	if (wants("--small")) {
		const folder = join(work, "small");
		makeTree(folder, small, small * 3_789);
		settle();
		const forget = () =>
			rmSync(join(folder, ".dos-sync"), { recursive: true, force: true });
		show(
			`${small} rows, cold (target: under 250 ms for 4,091)`,
			measure(
				folder,
				programs.map(({ name, command }) => ({
					name,
					command: [...command, "--summary"],
					before: forget,
				})),
				turns(7),
			),
		);
		show(
			`${small} rows, unchanged (target: under 80 ms for 4,091)`,
			measure(
				folder,
				[
					...programs.map(({ name, command }) => ({
						name,
						command: [...command, "--summary"],
					})),
					{
						name: "(an empty program on node)",
						command: [process.execPath, "-e", "0"],
					},
					{ name: "(an empty program on bun)", command: ["bun", "-e", "0"] },
				],
				turns(15),
			),
		);
		rmSync(folder, { recursive: true });
	}

	if (wants("--large")) {
		const folder = join(work, "large");
		makeTree(folder, large, large * 4_000);
		const live = join(folder, "live");
		const git = (...words: readonly string[]) =>
			execFileSync("git", ["-C", live, ...words], { stdio: "ignore" });
		git("init", "-q");
		git("add", "-A");
		git(
			"-c",
			"user.name=b",
			"-c",
			"user.email=b@example.org",
			"commit",
			"-qm",
			"b",
		);
		settle();
		const drop = () =>
			rmSync(join(folder, ".dos-sync"), { recursive: true, force: true });
		const both = programs.slice(0, 2);
		const cold: Line[] = both.map(({ name, command }) => ({
			name,
			command: [...command, "--summary"],
			before: drop,
		}));
		cold.push({
			name: "sha256sum of both sides",
			command: [
				"sh",
				"-c",
				"find live release -name .git -prune -o -type f -print0 | xargs -0 sha256sum",
			],
		});
		// What hashing all of both sides costs two native programs, one for each side.
		const oneSide = (side: string) =>
			`find ${side} -name .git -prune -o -type f -print0 | xargs -0 sha256sum >/dev/null`;
		cold.push({
			name: beside,
			command: ["sh", "-c", `${oneSide("live")} & ${oneSide("release")}; wait`],
		});
		if (has("rsync"))
			cold.push({
				name: "rsync -rcn",
				command: ["rsync", "-rcn", "--exclude=.git", "live/", "release/"],
			});
		const coldTimes = measure(folder, cold, turns(5));
		show(`${large} files on each side, cold`, coldTimes);
		for (const { name } of both) {
			ratio(coldTimes, name, "sha256sum of both sides", 1.2);
			ratio(coldTimes, name, "rsync -rcn", 0.6);
		}
		ratio(coldTimes, beside, "rsync -rcn", 0.6);
		if (!has("rsync"))
			console.log(
				"  rsync is not on this machine: that ratio was not measured.",
			);
		const warmTimes = measure(
			folder,
			[
				...both.map(({ name, command }) => ({
					name,
					command: [...command, "--summary"],
				})),
				{
					name: "git status of one side",
					command: ["git", "-C", live, "status", "--porcelain"],
				},
			],
			turns(9),
		);
		show(`${large} files on each side, unchanged`, warmTimes);
		for (const { name } of both)
			ratio(warmTimes, name, "git status of one side", 1.5);
		if (has("/usr/bin/time"))
			for (const { name, command } of both) {
				drop();
				console.log(
					`  ${name}: ${usageOf(folder, command).memory.toFixed(0)} MB cold, ${usageOf(folder, command).memory.toFixed(0)} MB unchanged (target: under 150 MB)`,
				);
			}
		rmSync(folder, { recursive: true });
	}

	if (wants("--curve")) {
		console.log(
			"\nTime of all cores, so that what else the machine does hardly shows.\nrows          cold ms   µs/row     MB   unchanged ms   µs/row     MB",
		);
		for (const rows of curve) {
			const folder = join(work, `curve-${rows}`);
			makeTree(folder, rows, rows * 64);
			settle();
			const command = programs[1]?.command ?? [];
			const line = [usageOf(folder, command), usageOf(folder, command)].map(
				({ cpu, memory }) =>
					`${cpu.toFixed(0).padStart(10)} ${((1_000 * cpu) / rows).toFixed(1).padStart(8)} ${memory.toFixed(0).padStart(6)}`,
			);
			console.log(`${String(rows).padEnd(10)} ${line.join("     ")}`);
			rmSync(folder, { recursive: true });
		}
	}
} finally {
	rmSync(work, { recursive: true, force: true });
}
