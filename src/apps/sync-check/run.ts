import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import {
	isInSync,
	loadFix,
	loadPlan,
	type Manifest,
	readManifest,
} from "../../contexts/sync/index.ts";
import { Fault } from "../../kernel/outcome.ts";
import { kindOf } from "../../ports/file-tree.ts";
import {
	type Arguments,
	helpText,
	optionCalled,
	readArguments,
} from "./arguments.ts";
import { composeSync } from "./compose.ts";
import { checkNow, exitOf, inSync, isForReading, report } from "./look.ts";
import {
	absolute,
	type Complain,
	type Opened,
	type Outside,
	openComplain,
	type Session,
	type Streams,
	slashes,
} from "./session.ts";
import { openPaint } from "./text.ts";

/** Runs one command line and returns its exit code: 0 in sync, 1 drift, 2 anything else. Never throws. */
export async function runSyncCheck(
	words: readonly string[],
	streams: Streams,
	outside: Outside = { folder: process.cwd(), environment: process.env },
): Promise<number> {
	// A reader that has seen enough (`… | head`) ends us without a word.
	for (const stream of [streams.out, streams.error])
		stream.on?.("error", (fault) => {
			if (fault.code !== "EPIPE") throw fault;
		});
	const json = words.includes("--json") || words.includes("--format=json");
	const complain = openComplain(streams, json);
	try {
		const read = readArguments(words);
		if (typeof read === "string") return complain(read, "sync/usage");
		if (read.help) {
			streams.out.write(helpText);
			return inSync;
		}
		if (read.version) {
			const file = new URL("../../../package.json", import.meta.url);
			const { version } = JSON.parse(readFileSync(file, "utf8"));
			streams.out.write(`${version}\n`);
			return inSync;
		}
		return await run(read, streams, outside, complain);
	} catch (thrown) {
		if (thrown instanceof Fault) return complain(thrown.message, thrown.code);
		return complain(
			thrown instanceof Error
				? `failed and stopped: ${thrown.stack ?? thrown.message}`
				: String(thrown),
			"sync/failed",
		);
	}
}

async function run(
	read: Arguments,
	streams: Streams,
	outside: Outside,
	complain: Complain,
): Promise<number> {
	if (read.command === "schema") {
		// The file that editors are pointed at: there is no second one to keep equal.
		const file = new URL(
			"../../../docs/schemas/dos-sync-manifest.schema.json",
			import.meta.url,
		);
		streams.out.write(readFileSync(file, "utf8"));
		return inSync;
	}
	const session: Session = {
		read,
		streams,
		outside,
		complain,
		parts: composeSync(),
		paint: openPaint(
			wantsColor(read.color, streams.out.isTTY === true, outside.environment),
		),
		home: slashes(outside.environment.HOME || homedir()),
	};
	if (read.command === "init")
		return (await import("./init.ts")).proposeHere(session);
	const path = findManifest(session);
	if (path === undefined)
		return complain(
			read.manifest === undefined
				? "there is no .dos-sync-manifest.json here or in a folder above. `sync-check init` proposes one, --manifest names another."
				: `${read.manifest} is not there: --manifest names a manifest's file.`,
			"sync/manifest-missing",
		);
	// It goes on when the manifest is wrong for a while.
	if (read.watch)
		return (await import("./watch.ts")).watch(session, path, (inner) => {
			const again = openManifest(path, inner);
			return typeof again === "number" ? again : look(inner, again);
		});
	const opened = openManifest(path, session);
	if (typeof opened === "number") return opened;
	if (read.command === "migrate")
		return (await import("./init.ts")).migrateHere(session, opened);
	if (read.command === "undo")
		return (await import("./mend.ts")).undo(session, opened);
	return look(session, opened);
}

function findManifest({ read, outside, parts }: Session): string | undefined {
	if (read.manifest !== undefined) {
		const path = slashes(resolve(outside.folder, read.manifest));
		return parts.tree.lookThrough(path) ? path : undefined;
	}
	for (let folder = slashes(resolve(outside.folder)); ; ) {
		const path = `${folder === "/" ? "" : folder}/.dos-sync-manifest.json`;
		if (parts.tree.lookThrough(path)) return path;
		const parent = folder.slice(0, folder.lastIndexOf("/"));
		if (folder === "/" || !folder.includes("/") || /^[A-Za-z]:$/.test(folder))
			return undefined;
		folder = parent === "" ? "/" : parent;
	}
}

function openManifest(path: string, session: Session): Opened | number {
	const { parts, home, complain } = session;
	let text: string;
	try {
		const look = parts.tree.lookThrough(path);
		// A pipe would be waited for without end.
		if (look && kindOf(look.mode) !== "file")
			return complain(
				`${path} is no file: a manifest is one.`,
				"sync/manifest-unreadable",
			);
		const bytes = parts.tree.read(path);
		if (bytes[0] === 0xff || bytes[0] === 0xfe)
			return complain(
				`${path} is UTF-16: save it as UTF-8.`,
				"sync/manifest-unreadable",
			);
		text = parts.tree.decode(bytes);
	} catch (thrown) {
		if (!(thrown instanceof Fault)) throw thrown;
		return complain(thrown.message, "sync/manifest-unreadable");
	}
	const manifest = readManifest(text, { path, home });
	if (!manifest.ok)
		return complain(manifest.error.message, manifest.error.code, {
			manifest: path,
			mistakes: manifest.error.mistakes,
		});
	return {
		manifest: manifest.value,
		text,
		store: parts.openStore({
			manifest: path,
			run: `${process.pid}-${Date.now().toString(36)}`,
			writes: !session.read.staged,
		}),
	};
}

/** Check, and whatever else was asked for on the way. */
async function look(session: Session, opened: Opened): Promise<number> {
	const { read, streams } = session;
	if (read.staged) return lookAtStaged(session, opened);
	// A dry run follows what a fixed copy means for the copies of it.
	const full =
		read.fix && read.dryRun && (await loadPlan()).isChained(opened.manifest);
	const checked = checkNow(session, opened, { full });
	checked.save();
	warn(session, opened);
	if (read.paths.length > 0 && checked.total === 0) {
		const meant = optionCalled(read.paths[0] as string);
		return session.complain(
			`no row of the manifest is at or below ${read.paths.join(", ")}${meant ? `: did you mean ${meant}?` : "."}`,
			"sync/no-such-row",
		);
	}
	if (read.explain)
		return (await import("./explain.ts")).explain(session, checked);
	if (read.merge) return (await import("./merge.ts")).merge(session, checked);
	if (read.fix || read.adopt)
		return (await import("./mend.ts")).mend(session, opened, checked);
	await report(session, opened, checked);
	const { tree } = session.parts;
	if (
		isForReading(session) &&
		!read.summary &&
		tree.look(`${opened.store.folder}/journal`)
	) {
		const { interruptedFix } = await loadFix();
		const cut = interruptedFix({ tree, store: opened.store });
		if (cut)
			streams.out.write(
				`A fix was cut off (${cut}): --fix carries it on, undo takes it back.\n`,
			);
	}
	return exitOf(checked);
}

async function lookAtStaged(session: Session, opened: Opened): Promise<number> {
	const folder = opened.manifest.path.slice(
		0,
		opened.manifest.path.lastIndexOf("/"),
	);
	const staged = await session.parts.openStaged(folder || "/");
	if (!staged)
		return session.complain(
			"--staged needs the manifest to lie in a git repository.",
			"sync/no-repository",
		);
	const wanted = session.read.paths.map((path) => absolute(path, session));
	const isWanted = (path: string) =>
		wanted.length === 0 ||
		wanted.some((one) => path === one || path.startsWith(`${one}/`));
	// Git keeps one permission bit, and another time than the disk: neither is compared, nor remembered.
	const manifest: Manifest = {
		...opened.manifest,
		modes: opened.manifest.modes === "ignore" ? "ignore" : "executable",
	};
	// Diffs are of what is staged as well.
	const inside: Session = {
		...session,
		read: { ...session.read, verify: true },
		parts: { ...session.parts, tree: staged.tree },
	};
	const staging = { ...opened, manifest };
	if (session.read.explain) {
		// The path may be the one side, and what is staged the other.
		const checked = checkNow(inside, staging, { only: staged.changed });
		const rows = checked.rows.filter(({ source, copy }) =>
			[source.path, copy.path].some(isWanted),
		);
		if (rows.length === 0)
			return session.complain(
				`nothing is staged that a row at or below ${session.read.paths.join(", ")} is about.`,
				"sync/no-such-row",
			);
		const { explain } = await import("./explain.ts");
		return explain(inside, {
			...checked,
			rows,
			inSync: rows.every(({ status }) => isInSync(status)),
		});
	}
	const checked = checkNow(inside, staging, {
		only: staged.changed.filter(isWanted),
	});
	if (checked.total === 0 && isForReading(session) && !session.read.summary)
		session.streams.out.write("Nothing is staged that a row is about.\n");
	else await report(inside, opened, checked);
	return exitOf(checked);
}

function warn(session: Session, { manifest, store }: Opened): void {
	if (session.read.quiet) return;
	for (const warning of new Set([...manifest.warnings, ...store.warnings]))
		session.streams.error.write(`sync-check: ${warning}\n`);
}

/** As on every terminal program: the flag decides, then NO_COLOR and FORCE_COLOR, then the terminal. */
function wantsColor(
	wanted: boolean | undefined,
	isTerminal: boolean,
	environment: Outside["environment"],
): boolean {
	if (wanted !== undefined) return wanted;
	if (environment.NO_COLOR) return false;
	if (environment.FORCE_COLOR) return environment.FORCE_COLOR !== "0";
	return isTerminal && environment.TERM !== "dumb";
}
