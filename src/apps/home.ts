import { constants, mkdirSync, statSync } from "node:fs";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Fault } from "../kernel/outcome.ts";

/** The variables a program was started with: an argument everywhere, so that tests bring their own. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where everything of one installation lies. Paths only: nothing need exist. */
export interface Home {
	/** `~/.dos`, or `DOS_HOME`. Only its owner may enter it. */
	readonly folder: string;
	/** The owner's settings. Read by us, never rewritten. */
	readonly config: string;
	/** The event log and what is derived from it. */
	readonly database: string;
	/** The Ed25519 key that signs checkpoints. */
	readonly auditKey: string;
	/** Signed checkpoints, one file each. */
	readonly checkpoints: string;
	/** Where the running server listens; there while one runs. */
	readonly server: string;
	/** The key that the operator's own calls from the terminal are made with. */
	readonly terminalKey: string;
	/** `DOS_STORE`: the address of a database that keeps the log instead. Holds a password: never shown. */
	readonly store?: string;
}

/** The home named by `chosen`, else by `DOS_HOME`, else `~/.dos`. A leading `~/` is the user's own folder. */
export function findHome(environment: Environment, chosen?: string): Home {
	const named = chosen || environment.DOS_HOME || join("~", ".dos");
	const folder = resolve(
		named.replace(/^~(?=$|[/\\])/, () => environment.HOME || homedir()),
	);
	return {
		folder,
		config: join(folder, "config.yaml"),
		database: join(folder, "dos.db"),
		auditKey: join(folder, "audit.key"),
		checkpoints: join(folder, "checkpoints"),
		server: join(folder, "server.json"),
		terminalKey: join(folder, "terminal.key"),
		...(environment.DOS_STORE && { store: environment.DOS_STORE }),
	};
}

/**
 * Creates the home's folders where they are missing, for their owner alone; what exists stays as it is.
 * Throws `home/unusable` when that cannot be.
 */
export function createHome(home: Home): void {
	try {
		makeFolder(home.checkpoints);
	} catch (cause) {
		const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
		throw new Fault(
			"home/unusable",
			`The home folder ${home.folder} cannot be created (${reason}). Set DOS_HOME to a folder you can write to.`,
			{ cause, details: { home: home.folder } },
		);
	}
}

/**
 * Makes a folder and those above it that are missing. One by one, as `recursive` never comes back where the
 * system says of a folder that exists that nothing can be made in it because it is not there (`/proc`).
 */
function makeFolder(path: string): void {
	if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
	if (dirname(path) !== path) makeFolder(dirname(path));
	try {
		mkdirSync(path, { mode: 0o700 });
	} catch (cause) {
		// Another may have made it since we looked.
		if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw cause;
	}
}

/** Whether this home holds a log. */
export async function hasLog(home: Home): Promise<boolean> {
	return access(home.database, constants.F_OK).then(
		() => true,
		() => false,
	);
}

/** Whether others than the owner may read a path. Where the system has no such modes, no. */
export function othersMayRead(path: string): boolean {
	if (process.platform === "win32") return false;
	const found = statSync(path, { throwIfNoEntry: false });
	return found !== undefined && (found.mode & 0o077) !== 0;
}
