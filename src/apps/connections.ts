import { createHash, randomBytes } from "node:crypto";
import {
	chmodSync,
	closeSync,
	existsSync,
	fchmodSync,
	fchownSync,
	fsyncSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	renameSync,
	rmdirSync,
	rmSync,
	type Stats,
	statSync,
	writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
	applySettings,
	type Change,
	readSetting,
	undoSettings,
} from "../contexts/connections/index.ts";
import { Fault } from "../kernel/outcome.ts";
import type {
	HarnessFile,
	ModelPlace,
	Setting,
	TextFormat,
} from "../ports/harness-config.ts";
import type { Home } from "./home.ts";

/** A tool that was told to use this gateway, with all that undoing it takes. Holds the tool's key. */
export interface Connection {
	readonly version: 1;
	readonly tool: string;
	/** Absent: the person, in all projects. */
	readonly project?: string;
	readonly url: string;
	/** What the person asked for in so many words, which holds when it is connected again. */
	readonly asked: { readonly url?: string; readonly model?: string };
	readonly model?: string;
	readonly account: string;
	readonly key: { readonly id: string; readonly secret: string };
	/** Milliseconds since 1970. */
	readonly connected: number;
	readonly files: readonly ConnectedFile[];
}

export interface ConnectedFile {
	readonly path: string;
	readonly format: TextFormat;
	/** Name of the copy of what was there; absent when there was no file. */
	readonly original?: string;
	/** Permission bits that it had. */
	readonly mode?: number;
	/** SHA-256 of the bytes that we left. */
	readonly left: string;
	readonly changes: readonly Change[];
	/** Folders that were made for it, the innermost last. */
	readonly folders: readonly string[];
}

/** How one file was put back: byte for byte, deleted as it was ours, only our values taken out, or nothing to do. */
export interface Restored {
	readonly path: string;
	readonly how: "restored" | "deleted" | "edited" | "gone";
	/** Of our values, those that somebody had changed, and that stay. */
	readonly kept: readonly string[];
}

/** A file with the values set, before it is written. */
export interface PreparedFile extends ConnectedFile {
	readonly text: string;
	/** What stood there without our values; undefined where there was no file. */
	readonly base: Buffer | undefined;
	readonly holdsKey: boolean;
}

/** The connections that this home knows. Each has a folder of its own, for the owner alone. */
export interface Connections {
	find(tool: string, project: string | undefined): Connection | undefined;
	list(): readonly Connection[];
	/**
	 * What the files become, nothing written. A file that is as an earlier connection left it is taken as it was
	 * before that. Throws `connection/file-unclear` and `connection/not-text`.
	 */
	prepare(
		files: readonly HarnessFile[],
		key: string,
		previous: Connection | undefined,
	): readonly PreparedFile[];
	/**
	 * Remembers a connection with a copy of each file, then writes the files, each in one step. Ended in between,
	 * it can be done again, and undone.
	 */
	save(
		connection: Omit<Connection, "files" | "version">,
		files: readonly PreparedFile[],
		previous: Connection | undefined,
	): Connection;
	/** Puts the files back as they were, or takes out only our values where somebody changed a file since. */
	restore(connection: Connection): readonly Restored[];
	/** What a file would hold if nothing else stood in it. */
	textFor(file: HarnessFile): string;
	/** Forgets it, copies and all. */
	forget(connection: Connection): void;
}

export function openConnections(home: Home): Connections {
	const root = join(home.folder, "connections");
	const folderOf = (tool: string, project: string | undefined) =>
		join(
			root,
			project === undefined
				? tool
				: `${tool}-${sha256(Buffer.from(project)).slice(0, 12)}`,
		);
	const recordOf = (folder: string) => join(folder, "connection.json");

	function read(folder: string): Connection | undefined {
		const bytes = readIfThere(recordOf(folder));
		if (!bytes) return undefined;
		try {
			const record = JSON.parse(bytes.toString("utf8")) as Connection;
			if (record.version === 1 && Array.isArray(record.files)) return record;
		} catch {
			// Told below, as is one of a later version.
		}
		throw new Fault(
			"connection/unreadable",
			`${recordOf(folder)} cannot be read. The copies of the files as they were lie beside it.`,
		);
	}

	const originalOf = (connection: Connection, { original }: ConnectedFile) =>
		original === undefined
			? undefined
			: readFileSync(
					join(folderOf(connection.tool, connection.project), original),
				);

	/** A file without our values: its bytes, and what is known of how it was. */
	function before(
		path: string,
		previous: Connection | undefined,
	): Pick<PreparedFile, "base" | "mode" | "folders"> {
		const now = readIfThere(path);
		const mode = now && statSync(path).mode & 0o7777;
		const known = previous?.files.find((file) => file.path === path);
		if (!previous || !known || !now)
			return { base: now, ...(mode !== undefined && { mode }), folders: [] };
		const its = {
			...(known.mode !== undefined && { mode: known.mode }),
			folders: known.folders,
		};
		if (sha256(now) === known.left)
			return { base: originalOf(previous, known), ...its };
		const undone = takeOut(known, now);
		const mine = known.original === undefined && undone.text.trim() === "";
		return { base: mine ? undefined : Buffer.from(undone.text), ...its };
	}

	function restoreFile(connection: Connection, file: ConnectedFile): Restored {
		const { path } = file;
		const now = readIfThere(path);
		if (!now) return { path, how: "gone", kept: [] };
		const original = originalOf(connection, file);
		if (original && now.equals(original)) {
			if (file.mode !== undefined) chmodSync(path, file.mode);
			return { path, how: "restored", kept: [] };
		}
		const untouched = sha256(now) === file.left;
		const { text, kept } = untouched
			? { text: original, kept: [] }
			: takeOut(file, now);
		if (original === undefined && (untouched || String(text).trim() === "")) {
			rmSync(targetOf(path));
			for (const folder of file.folders.toReversed()) {
				try {
					rmdirSync(folder);
				} catch {
					break; // Somebody put something there since.
				}
			}
			return { path, how: "deleted", kept };
		}
		writeInOneStep(path, Buffer.from(text ?? ""), file.mode ?? 0o600);
		return { path, how: untouched ? "restored" : "edited", kept };
	}

	return {
		find: (tool, project) => read(folderOf(tool, project)),

		list() {
			if (!existsSync(root)) return [];
			return readdirSync(root)
				.sort()
				.flatMap((name) => read(join(root, name)) ?? []);
		},

		prepare(files, key, previous) {
			return files.map(({ path, format, settings }) => {
				const { base, mode, folders } = before(path, previous);
				const applied = applySettings(
					format,
					base ? textOf(path, base) : "",
					settings,
				);
				if (!applied.ok) throw unclear(path, applied.error.message, settings);
				const { text, changes } = applied.value;
				return {
					path,
					format,
					...(base && {
						original: `${sha256(base).slice(0, 16)}.original`,
					}),
					...(mode !== undefined && { mode }),
					left: sha256(Buffer.from(text)),
					changes,
					folders,
					text,
					base,
					holdsKey: settings.some(({ value }) => value.includes(key)),
				};
			});
		},

		save(connection, files, previous) {
			const folder = folderOf(connection.tool, connection.project);
			mkdirSync(folder, { recursive: true, mode: 0o700 });
			const record: Connection = {
				version: 1,
				...connection,
				files: files.map(({ text, base, holdsKey, ...file }) => ({
					...file,
					folders:
						file.folders.length > 0
							? file.folders
							: missingFolders(targetOf(file.path)),
				})),
			};
			for (const { original, base } of files)
				if (original !== undefined && base)
					writeInOneStep(join(folder, original), base, 0o600);
			const given = new Set(files.map(({ path }) => path));
			for (const file of previous?.files ?? [])
				if (previous && !given.has(file.path)) restoreFile(previous, file);
			writeInOneStep(
				recordOf(folder),
				Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`),
				0o600,
			);
			for (const { path, text, mode, holdsKey } of files) {
				// What holds a key is its owner's alone; the bits it had come back with it.
				const wanted = mode ?? 0o600;
				writeInOneStep(
					path,
					Buffer.from(text),
					holdsKey ? wanted & 0o700 : wanted,
				);
			}
			const kept = new Set(record.files.map(({ original }) => original));
			for (const name of readdirSync(folder))
				if (name.endsWith(".original") && !kept.has(name))
					rmSync(join(folder, name));
			return record;
		},

		restore(connection) {
			// What cannot be undone is told before anything is.
			for (const file of connection.files) {
				const now = readIfThere(file.path);
				if (now && sha256(now) !== file.left) takeOut(file, now);
			}
			return connection.files.map((file) => restoreFile(connection, file));
		},

		textFor({ path, format, settings }) {
			const applied = applySettings(format, "", settings);
			if (!applied.ok) throw unclear(path, applied.error.message, settings);
			return applied.value.text;
		},

		forget({ tool, project }) {
			rmSync(folderOf(tool, project), { recursive: true, force: true });
		},
	};
}

/** The model that a tool is set to in its own file, now. */
export function modelIn({
	file,
	format,
	path,
	prefix = "",
}: ModelPlace): string | undefined {
	const bytes = readIfThere(file);
	const model = bytes && readSetting(format, bytes.toString("utf8"), path);
	return model?.startsWith(prefix) && model !== prefix
		? model.slice(prefix.length)
		: undefined;
}

/** Of what a connection set in its files, what is not there any more. */
export function missingSettings(
	connection: Connection,
): readonly { readonly file: string; readonly path: string }[] {
	return connection.files.flatMap(({ path: file, format, changes }) => {
		const bytes = readIfThere(file);
		return changes
			.filter(
				({ path, written }) =>
					!bytes ||
					readSetting(format, bytes.toString("utf8"), path) !==
						unwritten(format, path, written),
			)
			.map(({ path }) => ({ file, path: path.join(".") }));
	});
}

/** The text that a value stands for, read as the file's own. */
function unwritten(
	format: TextFormat,
	path: readonly string[],
	written: string,
): string | undefined {
	const name = path.at(-1) as string;
	const alone =
		format === "json"
			? `{${JSON.stringify(name)}:${written}}`
			: `${format === "toml" ? JSON.stringify(name) : name}=${written}`;
	return readSetting(format, alone, [name]);
}

/** Our values taken out of a file that somebody changed since. */
function takeOut(
	{ path, format, changes }: ConnectedFile,
	now: Buffer,
): { readonly text: string; readonly kept: readonly string[] } {
	const undone = undoSettings(format, textOf(path, now), changes);
	if (!undone.ok) throw unclear(path, undone.error.message, []);
	return {
		text: undone.value.text,
		kept: undone.value.kept.map((names) => names.join(".")),
	};
}

function unclear(
	path: string,
	message: string,
	settings: readonly Setting[],
): Fault {
	return new Fault(
		"connection/file-unclear",
		`${path} is left as it is: ${message}. ${settings.length > 0 ? "Mend it, or see with --print what belongs in it and write that yourself." : "Mend it, and run this again."}`,
		{ details: { file: path } },
	);
}

/** A file's text, byte for byte: what is no UTF-8 could not be written back as it was. */
function textOf(path: string, bytes: Buffer): string {
	try {
		return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
			bytes,
		);
	} catch (cause) {
		throw new Fault(
			"connection/not-text",
			`${path} is left as it is: it is no UTF-8 text.`,
			{ cause, details: { file: path } },
		);
	}
}

function readIfThere(path: string): Buffer | undefined {
	try {
		return readFileSync(path);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		throw cause;
	}
}

function sha256(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** Where a path leads when links are followed, also where nothing is there yet. */
function targetOf(path: string): string {
	try {
		return realpathSync(path);
	} catch {
		const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink();
		return link ? resolve(dirname(path), readlinkSync(path)) : path;
	}
}

/** The folders above a path that are not there, the outermost first. */
function missingFolders(path: string): readonly string[] {
	const folder = dirname(path);
	return existsSync(folder) || folder === path
		? []
		: [...missingFolders(folder), folder];
}

/** Replaces a file's content in one step: whoever reads it sees the old or the new, also after a crash. Links stay links. */
function writeInOneStep(path: string, bytes: Buffer, mode: number): void {
	const target = targetOf(path);
	mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
	const draft = `${target}.${randomBytes(6).toString("hex")}.dos`;
	const was: Stats | undefined = statSync(target, { throwIfNoEntry: false });
	try {
		const file = openSync(draft, "wx", 0o600);
		try {
			writeSync(file, bytes);
			fchmodSync(file, mode);
			if (was && was.uid !== process.getuid?.())
				fchownSync(file, was.uid, was.gid);
			fsyncSync(file);
		} finally {
			closeSync(file);
		}
		renameSync(draft, target);
	} finally {
		rmSync(draft, { force: true });
	}
}
