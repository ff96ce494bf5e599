import { spawnSync } from "node:child_process";
import {
	chmodSync,
	closeSync,
	mkdtempSync,
	openSync,
	readdirSync,
	rmSync,
	statfsSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mockVendor } from "../support/studio.ts";
import {
	chatAnswer,
	chatFrames,
	sendFrames,
	sendJson,
	startUpstream,
} from "../support/upstream.ts";
import { type Answer, codeOf, mustBalance, openRig } from "./rig.ts";
import {
	type Case,
	must,
	mustEqual,
	type Scenario,
	Skipped,
	sleep,
	until,
} from "./scenario.ts";

/** A disk that can be made to fail, and mended again. */
interface FailingDisk {
	readonly within?: string;
	readonly environment?: Readonly<Record<string, string>>;
	fail(): void;
	mend(): void;
	close(): void;
}

const usage = { prompt: 20, completion: 30 };
const charge = 20 * 100 + 30 * 200;

const promise =
	"While the disk fails calls are refused with 503 in the client's shape, none is forwarded unpaid, nothing is corrupted, what was in flight is settled when the disk is back, and service resumes by itself.";

const promiseKilled =
	"A kill -9 while the disk fails leaves nothing corrupted either: the restart resolves every hold, and no refused call was forwarded.";

const promiseUnread =
	"While the disk cannot be read a call is served from what is known, or refused as while it cannot be written, and all else holds the same.";

function disk(
	name: string,
	open: () => FailingDisk,
	rounds: Scenario["rounds"],
	kind: "refused" | "killed" | "unread" = "refused",
): Scenario {
	return {
		name,
		promise: { refused: promise, killed: promiseKilled, unread: promiseUnread }[
			kind
		],
		rounds,
		async play(round) {
			const failing = open();
			try {
				return await playDisk(round, failing, kind);
			} finally {
				failing.close();
			}
		},
	};
}

async function playDisk(
	{ random, short }: Case,
	failing: FailingDisk,
	kind: "refused" | "killed" | "unread",
): Promise<string> {
	const killed = kind === "killed";
	let go = (): void => {};
	const gate = new Promise<void>((resolve) => {
		go = resolve;
	});
	const upstream = await startUpstream(async ({ body }, response) => {
		const { stream, user } = JSON.parse(body) as {
			stream?: boolean;
			user?: string;
		};
		if (user === "in flight") await gate;
		if (stream)
			return sendFrames(response, chatFrames(["Hello ", "there"], usage), 2);
		return sendJson(response, 200, chatAnswer("Hello there", usage));
	});
	const rig = await openRig({
		...failing,
		config: mockVendor(upstream.url),
	});
	try {
		const server = await rig.serve();
		const ask = (more: object = {}, path?: string): Promise<Answer> =>
			rig.call(server.url, {
				...(path && { path }),
				body: {
					model: "mock/m",
					messages: [{ role: "user", content: "hi" }],
					max_tokens: 50,
					...more,
				},
			});
		for (let count = random.between(1, 20); count > 0; count--)
			mustEqual((await ask()).status, 200, "A call on a good disk");

		const many = random.between(2, 12);
		const inFlight = Array.from({ length: many }, (_, index) =>
			ask({ user: "in flight", ...(index % 2 && { stream: true }) }),
		);
		const before = upstream.received.length;
		await until(
			() => upstream.received.length === before + many,
			"The calls in flight did not reach the vendor",
		);

		failing.fail();
		const reached = upstream.received.length;
		const codes = new Set<string>();
		let served = 0;
		for (let round = 0; round < (short ? 2 : 4); round++) {
			const answers = await Promise.all(
				Array.from({ length: random.between(1, 16) }, () => ask()),
			);
			for (const answer of answers) {
				if (kind === "unread" && answer.status === 200) {
					served++;
					continue;
				}
				mustEqual(answer.status, 503, "Status while the disk fails");
				const code = codeOf(answer);
				must(
					code?.startsWith("log/") === true,
					`The refusal's code is ${code}`,
				);
				codes.add(code as string);
				must(
					!answer.body.toString().includes(rig.dos.home),
					"The refusal tells a client where the home is",
				);
			}
		}
		mustEqual(
			upstream.received.length,
			reached + served,
			"Calls that the vendor saw while nothing could be held",
		);
		// Their answers come; that they are paid is remembered until the disk takes it.
		go();
		const late = await Promise.all(inFlight);
		for (const answer of late) {
			mustEqual(answer.status, 200, "Status of a call that was in flight");
			must(answer.whole, "A call that was in flight was cut off");
		}
		await sleep(random.between(0, 1_500));

		if (!killed) {
			failing.mend();
			await until(
				async () => (await ask()).status === 200,
				"Service did not resume when the disk was back",
			);
			await until(
				async () => (await rig.books()).holds === 0,
				"Calls that were in flight were not settled when the disk was back",
			);
			const settled = await rig.books();
			for (const { headers } of late) {
				const [one] =
					settled.resolved.get(headers["x-dos-call-id"] as string) ?? [];
				mustEqual(one?.type, "credits-settled", "How a call in flight ended");
				mustEqual(one?.data.amount, charge, "The charge for a call in flight");
			}
		}
		server.process.kill("SIGKILL");
		await server.ended;
		if (killed) failing.mend();
		const again = await rig.serve();
		mustEqual(
			(await rig.call(again.url, { body: { model: "mock/m", messages: [] } }))
				.status,
			200,
			"A call after a restart",
		);
		again.process.kill("SIGTERM");
		mustEqual((await again.ended).code, 0, "Exit code");
		const books = await rig.books();
		mustBalance(books);
		must(
			upstream.received.length <= books.held.length,
			"More calls reached the vendor than were held for",
		);
		return `${kind === "unread" ? `${served} served, ` : ""}refused with ${[...codes].join(", ") || "nothing"}; ${many} in flight ${killed ? "resolved by the restart" : "settled afterwards"}`;
	} finally {
		go();
		await rig.close();
		await upstream.close();
	}
}

let shim: string | undefined;

/** Compiled once for all cases. */
export function compiledShim(): string {
	if (process.platform !== "linux")
		throw new Skipped("Faults are put under the program on Linux alone.");
	if (shim) return shim;
	const folder = mkdtempSync(join(tmpdir(), "dos-shim-"));
	process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
	const library = join(folder, "disk-fault.so");
	const source = fileURLToPath(
		new URL("fixtures/disk-fault.c", import.meta.url),
	);
	const { status, error, stderr } = spawnSync(
		"cc",
		["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"],
		{ encoding: "utf8" },
	);
	if (error) throw new Skipped("There is no C compiler (cc) here.");
	if (status !== 0) throw new Error(`cc: ${stderr}`);
	shim = library;
	return library;
}

/** The program's own files fail it, by a library that stands between it and the system. */
function shimmed(fault: string): FailingDisk {
	const library = compiledShim();
	const folder = mkdtempSync(join(tmpdir(), "dos-disk-"));
	const control = join(folder, "fault");
	writeFileSync(control, Buffer.alloc(16));
	const tell = (word: string): void => {
		const file = openSync(control, "r+");
		writeSync(file, word, 0);
		closeSync(file);
	};
	return {
		environment: { LD_PRELOAD: library, DOS_DISK_FAULT: control },
		fail: () => tell(fault),
		mend: () => tell("-"),
		close: () => rmSync(folder, { recursive: true, force: true }),
	};
}

/** A file system of a few megabytes, of which the tests make what they need. */
function mountSmall(): { readonly folder: string; unmount(): void } {
	const folder = mkdtempSync(join(tmpdir(), "dos-small-"));
	const unmount = (): void => {
		spawnSync("umount", [folder]);
		rmSync(folder, { recursive: true, force: true });
	};
	const options = ["-t", "tmpfs", "-o", "size=6m", "tmpfs", folder];
	if (spawnSync("mount", options).status !== 0) {
		unmount();
		throw new Skipped(
			"This user may not mount a small file system; the other scenarios play the same by other means.",
		);
	}
	return { folder, unmount };
}

/**
 * Read-only from one moment on, for files that are opened from then on: mounted anew so where we may mount, without the
 * right to write where rights bind us.
 */
function readOnlyDisk(): FailingDisk {
	if (process.getuid?.() !== 0) {
		const folder = mkdtempSync(join(tmpdir(), "dos-read-only-"));
		const change = (writable: boolean): void => {
			const within = readdirSync(folder, {
				recursive: true,
				withFileTypes: true,
			});
			for (const one of within)
				if (one.isFile())
					chmodSync(join(one.parentPath, one.name), writable ? 0o600 : 0o400);
			for (const one of within)
				if (one.isDirectory())
					chmodSync(join(one.parentPath, one.name), writable ? 0o700 : 0o500);
		};
		return {
			within: folder,
			fail: () => change(false),
			mend: () => change(true),
			close() {
				change(true);
				rmSync(folder, { recursive: true, force: true });
			},
		};
	}
	const { folder, unmount } = mountSmall();
	const mountAs = (how: "ro" | "rw"): void => {
		const { status, stderr } = spawnSync(
			"mount",
			["-o", `remount,${how}`, folder],
			{
				encoding: "utf8",
			},
		);
		if (status !== 0) throw new Error(`mount: ${stderr}`);
	};
	return {
		within: folder,
		fail: () => mountAs("ro"),
		mend: () => mountAs("rw"),
		close: unmount,
	};
}

/** Filled to the last byte. */
function smallDisk(): FailingDisk {
	const { folder, unmount } = mountSmall();
	const filler = join(folder, "filler");
	return {
		within: folder,
		fail() {
			const file = openSync(filler, "w");
			try {
				for (const size of [65_536, 4_096])
					while (statfsSync(folder).bavail > 0) {
						try {
							writeSync(file, Buffer.alloc(size));
						} catch {
							break;
						}
					}
			} finally {
				closeSync(file);
			}
		},
		mend: () => rmSync(filler),
		close: unmount,
	};
}

/** A start on a disk that fails. */
function start(name: string, open: () => FailingDisk): Scenario {
	return {
		name,
		promise:
			"A start on a failing disk ends with one sentence that says so, and the next start on a good one serves.",
		rounds: { long: 1, short: 0 },
		async play() {
			const failing = open();
			try {
				const rig = await openRig({ ...failing, config: "" });
				try {
					const server = await rig.serve();
					server.process.kill("SIGKILL");
					await server.ended;
					failing.fail();
					const ended = await Promise.race([
						rig.dos.run("start", "--port", "0"),
						sleep(10_000),
					]);
					must(ended, "It still ran after ten seconds");
					const { code, error } = ended;
					mustEqual(code, 3, "Exit code on a failing disk");
					must(
						/^error: .+ \((log|store|system)\/[a-z-]+\)$/m.test(error),
						`It said: ${error}`,
					);
					failing.mend();
					const again = await rig.serve();
					again.process.kill("SIGTERM");
					mustEqual((await again.ended).code, 0, "Exit code on a good disk");
					mustBalance(await rig.books());
					return error.trim().split("\n").at(-1) as string;
				} finally {
					failing.mend();
					await rig.close();
				}
			} finally {
				failing.close();
			}
		},
	};
}

export const diskScenarios: readonly Scenario[] = [
	disk("disk-full", () => shimmed("f"), { long: 3, short: 1 }),
	disk("disk-full-midway", () => shimmed("t"), { long: 3, short: 0 }),
	disk("disk-read-only", () => shimmed("r"), { long: 3, short: 0 }),
	disk("disk-write-error", () => shimmed("w"), { long: 3, short: 0 }),
	disk("disk-read-error", () => shimmed("i"), { long: 3, short: 0 }, "unread"),
	disk("disk-flush-error", () => shimmed("s"), { long: 3, short: 1 }),
	disk("disk-really-full", smallDisk, { long: 2, short: 0 }),
	disk("disk-full-killed", () => shimmed("f"), { long: 3, short: 0 }, "killed"),
	disk(
		"disk-flush-killed",
		() => shimmed("s"),
		{ long: 3, short: 0 },
		"killed",
	),
	disk(
		"disk-midway-killed",
		() => shimmed("t"),
		{ long: 3, short: 0 },
		"killed",
	),
	start("disk-start-full", () => shimmed("f")),
	start("disk-start-broken", () => shimmed("w")),
	start("disk-start-unreadable", () => shimmed("i")),
	start("disk-start-read-only", readOnlyDisk),
];
