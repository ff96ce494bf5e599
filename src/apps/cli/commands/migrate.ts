import { mkdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { copyLog, signerKey } from "../../../contexts/log/index.ts";
import { Fault, refuse } from "../../../kernel/outcome.ts";
import {
	keptCheckpoints,
	logOrigin,
	readCheckpoint,
} from "../../checkpoints.ts";
import type { Environment } from "../../home.ts";
import { withLogAsItIs } from "../../ledger.ts";
import {
	isServerAddress,
	openFileStore,
	openServerStore,
	type Store,
	storeAddress,
} from "../../store.ts";
import { counted } from "../amounts.ts";
import { exitCodes, orRefused, usage } from "../errors.ts";
import { findServer } from "../server.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { trustedKeys } from "../trust.ts";

interface MigrateOptions {
	readonly to: string;
	readonly trust?: readonly string[];
}

/**
 * Copies the home's log to another storage and proves that it is the same there. The source stays as it is, and
 * so do the owner's settings. Exit code 1 when the copy does not verify, or the source is still in use.
 */
export async function migrate(
	session: Session,
	options: MigrateOptions,
): Promise<number> {
	const { home } = session;
	const trusted = trustedKeys(options.trust);
	const target = readTarget(options.to, session.environment);
	const address = await storeAddress(home, session.environment);
	const here = address ?? realPath(home.database);
	if (target.address === here || target.file === here)
		throw new Fault(
			"migrate/same-place",
			`The log of ${home.folder} is there already.${address === undefined ? "" : " Where DOS_STORE or store in config.yaml names the new place before the log is there, take it out until it is."}`,
		);
	return withLogAsItIs(home, async ({ log, digest, signer: own }) => {
		const origin = await logOrigin(log);
		const signer = await own();
		const notes = keptCheckpoints(home).map(readCheckpoint);
		const store = await openTarget(target);
		try {
			let progress = session.progress("Events copied:");
			let verifying = false;
			const result = await copyLog({
				from: log,
				to: store.log,
				digest,
				...(notes.length > 0 && {
					checkpoints: {
						notes,
						origin,
						trust: {
							keys: [signerKey(signer, digest), ...trusted],
							verify: signer.verify,
							digest,
						},
					},
				}),
				onCopied: (done, of) => progress.at(done, of),
				onVerified(done, of) {
					if (!verifying) {
						progress.end();
						progress = session.progress("Events verified:");
						verifying = true;
					}
					progress.at(done, of);
				},
			}).finally(() => progress.end());
			const { audit, copied, size, root, hash, moved } = result;
			const server = await findServer(home);
			if (audit.ok && (moved > 0 || server)) {
				const who = server
					? `the server on ${server.url} (process ${server.pid}) still writes to the old place`
					: `others write to the old place: ${counted(moved, "event")} since`;
				orRefused(
					refuse(
						"migrate/source-in-use",
						`${counted(size, "event")} are copied and verified, but ${who}. Stop every server and command on it, and run this again: only what is new is copied.`,
						{ copied, size, moved },
					),
				);
			}
			const document = {
				to: store.name,
				copied,
				events: size,
				tip: hash,
				root,
				checkpoints: audit.checkpoints,
				ok: audit.ok,
				findings: audit.findings,
			};
			session.result(document, () =>
				audit.ok
					? doneText(session, store, document)
					: [
							session.style.red(
								`The copy in ${store.name} is what the source is, and does not verify. Do not go on with it:`,
							),
							...audit.findings.map(
								({ code, message }) => `  ${code}  ${harmless(message)}`,
							),
							"Where another key of yours signed a checkpoint, name that key: --trust <key>.",
						].join("\n"),
			);
			return audit.ok ? exitCodes.ok : exitCodes.refused;
		} finally {
			await store.log.close();
			await store.close();
		}
	});
}

function doneText(
	{ home, style }: Session,
	store: Store,
	done: {
		readonly copied: number;
		readonly events: number;
		readonly root: string;
		readonly checkpoints: number;
	},
): string {
	const next =
		store.kind === "postgres"
			? `Set store in ${home.config}, or DOS_STORE, to the new address`
			: store.name === home.database
				? `Take store out of ${home.config}, and unset DOS_STORE`
				: `Go on in the home that this file is in: DOS_HOME=${dirname(store.name)}`;
	return [
		`${style.green("The log is the same in both places:")} ${counted(done.events, "event")}, ${done.copied.toLocaleString("en")} of them copied now, ${counted(done.checkpoints, "checkpoint")} held.`,
		`root ${done.root}`,
		"",
		`Now: ${next}, and start. The old place is as it was: keep it until you are content, and let nothing write to it.`,
		`Not in the log, so not copied: config.yaml, audit.key and checkpoints/ (they stay in ${home.folder}), and kept answers, so that a call repeated with its idempotency key from before is not charged again and cannot be answered again.`,
	].join("\n");
}

interface Target {
	/** Of a database server. */
	readonly address?: string;
	/** Of a file. */
	readonly file?: string;
}

function readTarget(text: string, environment: Environment): Target {
	const variable = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1];
	const named = variable === undefined ? text : environment[variable];
	if (!named) throw usage(`The variable ${variable} is not set.`);
	if (isServerAddress(named)) return { address: named };
	const path = /^sqlite:(.+)$/.exec(named)?.[1];
	if (path === undefined)
		throw usage(
			"--to takes postgres://…, sqlite:<file>, or env:<variable> with one of these in it, which keeps a password out of the list of processes.",
		);
	const isFolder =
		path.endsWith("/") ||
		statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
	return { file: realPath(isFolder ? join(path, "dos.db") : path) };
}

async function openTarget({ address, file = "" }: Target): Promise<Store> {
	if (address !== undefined) return openServerStore(address);
	mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
	return openFileStore(file);
}

/** The one name of a file, also before it exists. */
function realPath(path: string): string {
	const absolute = resolve(path);
	try {
		return realpathSync(absolute);
	} catch {
		try {
			return join(realpathSync(dirname(absolute)), basename(absolute));
		} catch {
			return absolute;
		}
	}
}
