import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename } from "node:path";
import { harnesses } from "../../../adapters/harness/all.ts";
import { vendors } from "../../../adapters/vendors/all.ts";
import { findVendors } from "../../../adapters/vendors/registry.ts";
import { Fault } from "../../../kernel/outcome.ts";
import type {
	HarnessConfig,
	HarnessPlace,
	HarnessPlan,
} from "../../../ports/harness-config.ts";
import type { Config } from "../../config.ts";
import {
	type Connection,
	type Connections,
	missingSettings,
	modelIn,
	openConnections,
	type PreparedFile,
	type Restored,
} from "../../connections.ts";
import { withLedger } from "../../ledger.ts";
import { closest } from "../../suggest.ts";
import { connectionKey, revokeConnectionKey } from "../connection-key.ts";
import { type Trial, tryConnection } from "../connection-trial.ts";
import { exitCodes, orRefused, Refused, usage } from "../errors.ts";
import { findServer, type ServerPlace, urlOf } from "../server.ts";
import type { Session } from "../session.ts";
import { pairs } from "../table.ts";

interface ConnectOptions {
	readonly list?: boolean;
	readonly print?: boolean;
	readonly project?: boolean;
	readonly model?: string;
	readonly account?: string;
	readonly url?: string;
	readonly newKey?: boolean;
}

/** Stands for a key that is not made yet. */
const noKeyYet = "dos_sk_placeholder";

export async function connect(
	session: Session,
	named: string | undefined,
	options: ConnectOptions,
): Promise<number> {
	if (options.list) {
		if (named !== undefined)
			throw usage("--list shows all tools: leave the tool out.");
		return list(session);
	}
	const harness = harnessNamed(named);
	const { config } = session.config();
	const connections = openConnections(session.home);
	const place = placeOf(session, options.project === true);
	const previous = connections.find(harness.id, place.project);
	const running = await findServer(session.home);

	const asked = {
		...previous?.asked,
		...(options.url !== undefined && { url: options.url }),
		...(options.model !== undefined && { model: options.model }),
	};
	const url = asked.url ?? running?.url ?? ownUrl(config);
	const aliases = Object.keys(config.models);
	const model = asked.model ?? modelFor(harness, config, session);
	const account = options.account ?? previous?.account ?? config.account;
	const plan = (key: string): HarnessPlan =>
		orRefused(
			harness.plan(place, {
				url,
				key,
				...(model !== undefined && { model }),
				models: aliases,
			}),
		);
	// What cannot be done is told before a key is made.
	const first = plan(noKeyYet);
	if (!options.print)
		refusing(() => connections.prepare(first.files, noKeyYet, previous));

	const { connection, planned } = await withLedger(
		session.home,
		async (ledger) => {
			const key = await connectionKey(
				ledger,
				{
					name:
						place.project === undefined
							? harness.id
							: `${harness.id} ${basename(place.project)}`.slice(0, 100),
					account,
					renew: options.newKey === true,
				},
				previous,
			);
			const planned = plan(key.secret);
			const writes = !options.print || (options.newKey && previous);
			const files: readonly PreparedFile[] = writes
				? refusing(() =>
						connections.prepare(planned.files, key.secret, previous),
					)
				: [];
			const record = {
				tool: harness.id,
				...(place.project !== undefined && { project: place.project }),
				url,
				asked,
				...(model !== undefined && { model }),
				account,
				key,
				connected: session.now(),
			};
			const connection =
				writes || !previous
					? connections.save(record, files, previous)
					: { ...previous, key };
			if (previous && previous.key.id !== key.id)
				await revokeConnectionKey(
					ledger,
					previous.key.id,
					"another took its place",
				);
			return { connection, planned };
		},
	);

	const printed = printedOf(planned, connections);
	const shows = options.print === true || planned.files.length === 0;
	const reached = running || asked.url !== undefined;
	const trial =
		reached && !options.print
			? await attempt(harness, connection, planned, running, config)
			: undefined;
	const notes = [
		...planned.notes,
		...warnings(session, planned, connection, options.print === true),
	];
	session.result(
		{
			...described(connection),
			wrote: connection.files.map(({ path }) => path),
			...(shows && { print: printed, steps: planned.steps }),
			notes,
			tried: trial ?? null,
		},
		() =>
			shows
				? printed ||
					planned.steps.map((step, index) => `${index + 1}. ${step}`).join("\n")
				: connectedText(session, harness, connection, planned, trial),
	);
	if (shows) {
		session.note(
			`\n${session.errorStyle.dim(shownText(harness, connection, planned, options))}`,
		);
		if (trial && !trial.works)
			session.note(trialText(session, trial, connection.url));
	}
	for (const note of notes)
		session.note(`${session.errorStyle.yellow("note:")} ${note}`);
	if (!reached && !options.print)
		session.note("Not tried yet: no server runs here. Start it: dos start");
	return exitCodes.ok;
}

export async function disconnect(
	session: Session,
	named: string,
	options: { readonly project?: boolean },
): Promise<void> {
	const harness = harnessNamed(named);
	const connections = openConnections(session.home);
	const { project } = placeOf(session, options.project === true);
	const connection = connections.find(harness.id, project);
	if (!connection) {
		const elsewhere = connections
			.list()
			.filter(({ tool }) => tool === harness.id)
			.map((one) =>
				one.project === undefined
					? "for all projects: leave out --project"
					: `in ${one.project}: run this there, with --project`,
			);
		throw new Refused({
			code: "connection/unknown",
			message: `${harness.name} is not connected${project === undefined ? "" : ` in ${project}`}.${elsewhere.length > 0 ? ` It is ${elsewhere.join(", and ")}.` : ""}`,
		});
	}
	const restored = refusing(() => connections.restore(connection));
	await withLedger(session.home, (ledger) =>
		revokeConnectionKey(ledger, connection.key.id, "disconnected"),
	);
	connections.forget(connection);
	session.result(
		{ tool: harness.id, project: project ?? null, files: restored },
		() =>
			[
				`${harness.name} is disconnected, and its key is revoked.`,
				...restored.map((one) => restoredText(session, one)),
				...(connection.files.length === 0
					? ["Nothing was written for it: take out by hand what you pasted."]
					: []),
			].join("\n"),
	);
}

async function list(session: Session): Promise<number> {
	const { config } = session.config();
	const running = await findServer(session.home);
	const all = openConnections(session.home).list();
	const rows: {
		connection: Connection;
		trial: Trial;
		missing: readonly { file: string; path: string }[];
	}[] = [];
	for (const connection of all) {
		const harness = harnesses.find(({ id }) => id === connection.tool);
		if (!harness) continue;
		const place = {
			...placeOf(session, false),
			...(connection.project !== undefined && { project: connection.project }),
		};
		const plan = harness.plan(place, {
			url: connection.url,
			key: connection.key.secret,
			...(connection.model !== undefined && { model: connection.model }),
			models: [],
		});
		rows.push({
			connection,
			missing: missingSettings(connection),
			trial: await attempt(
				harness,
				connection,
				plan.ok ? plan.value : undefined,
				running,
				config,
			),
		});
	}
	const well = rows.every(
		({ trial, missing }) => trial.works && missing.length === 0,
	);
	const unconnected = harnesses
		.filter(({ id }) => !all.some(({ tool }) => tool === id))
		.map(({ id }) => id);
	session.result(
		{
			ok: well,
			connections: rows.map(({ connection, trial, missing }) => ({
				...described(connection),
				files: connection.files.map(({ path }) => path),
				missing,
				tried: trial,
			})),
			unconnected,
		},
		() => {
			const { style } = session;
			const parts = rows.map(({ connection, trial, missing }) => {
				const mark =
					trial.works && missing.length === 0
						? style.green("works")
						: style.red("does not work");
				const moved =
					running !== undefined &&
					connection.asked.url === undefined &&
					running.url !== connection.url;
				const lines: [string, string][] = [
					["address", connection.url],
					...connection.files.map(({ path }): [string, string] => [
						"file",
						shortened(session, path),
					]),
					[
						"tried",
						trialText(session, trial, moved ? undefined : connection.url),
					],
					...missing.map(({ file, path }): [string, string] => [
						"changed",
						`${path} in ${shortened(session, file)} is not as it was set`,
					]),
				];
				if (moved)
					lines.push(["moved", `the gateway is at ${running.url} now`]);
				if (
					moved ||
					missing.length > 0 ||
					(!trial.works && /^key\//.test(trial.code))
				)
					lines.push([
						"mend",
						`dos connect ${connection.tool}${connection.project === undefined ? "" : " --project"}`,
					]);
				if (!trial.works && trial.code === "connection/blocked")
					lines.push([
						"mend",
						`dos connect ${connection.tool} --url, and an address that it reaches`,
					]);
				return `${style.bold(connection.tool)}${connection.project === undefined ? "" : ` in ${shortened(session, connection.project)}`}: ${mark}\n${indented(pairs(lines))}`;
			});
			if (unconnected.length > 0)
				parts.push(
					`${all.length === 0 ? "No tool is connected yet. Connect one: dos connect" : "Not connected:"} ${unconnected.join(all.length === 0 ? " | " : ", ")}`,
				);
			return parts.join("\n\n");
		},
	);
	return well ? exitCodes.ok : exitCodes.refused;
}

function harnessNamed(named: string | undefined): HarnessConfig {
	const ids = harnesses.map(({ id }) => id);
	const found = harnesses.find(({ id }) => id === named);
	if (found) return found;
	const meant =
		named === undefined
			? undefined
			: (ids.find((id) => named !== "" && id.startsWith(named)) ??
				closest(named, ids));
	throw usage(
		`${named === undefined ? "Say which tool to connect" : `"${named}" is no tool known here`}${meant ? `; did you mean "${meant}"?` : `: ${ids.join(", ")}. For any other, take env.`}`,
	);
}

/** A file that cannot be changed is no failure of the disk: it is refused. */
function refusing<T>(work: () => T): T {
	try {
		return work();
	} catch (thrown) {
		if (!(thrown instanceof Fault) || !thrown.code.startsWith("connection/"))
			throw thrown;
		const { code, message, details } = thrown;
		throw new Refused({ code, message, details });
	}
}

function placeOf({ environment }: Session, inProject: boolean): HarnessPlace {
	return {
		user: environment.HOME || homedir(),
		...(inProject && { project: realpathSync(process.cwd()) }),
		environment,
		exists: existsSync,
	};
}

function ownUrl({ listen }: Config): string {
	if (listen.port !== 0) return urlOf(listen);
	throw usage(
		"The gateway's address is not known before it runs, as listen.port is 0. Start it first, or say --url.",
	);
}

/** For a tool that lists its models: an alias of the owner's, or the stand-in while nothing else answers. */
function modelFor(
	harness: HarnessConfig,
	config: Config,
	session: Session,
): string | undefined {
	if (!harness.needsModel) return undefined;
	const [alias] = Object.keys(config.models);
	if (alias !== undefined) return alias;
	const found = findVendors({
		environment: session.environment,
		configured: config.vendors,
	});
	if (found.every(({ on, vendor }) => !on || vendor.standIn))
		return "loopback/loopback";
	throw usage(
		`${harness.name} must be told a model: dos connect ${harness.id} --model vendor/model. dos models lists them.`,
	);
}

/** A call as the tool makes it. Without a server, that is what does not work. */
async function attempt(
	harness: HarnessConfig,
	connection: Connection,
	plan: HarnessPlan | undefined,
	running: ServerPlace | undefined,
	{ listen }: Config,
): Promise<Trial> {
	const model =
		(plan?.model && modelIn(plan.model)) ??
		connection.model ??
		harness.usualModel ??
		"loopback/loopback";
	if (plan?.blocked !== undefined)
		return {
			works: false,
			code: "connection/blocked",
			message: plan.blocked,
		};
	const own =
		running?.url === connection.url || connection.url === urlOf(listen);
	return tryConnection(
		{
			url: connection.url,
			...(own && listen.tls && { certificate: listen.tls.certificate }),
		},
		{ protocol: harness.protocol, key: connection.key.secret, model },
	);
}

/** What the person would paste: variables for a shell, or each file as it would be if it were ours alone. */
function printedOf(plan: HarnessPlan, connections: Connections): string {
	if (plan.shell)
		return Object.entries(plan.shell)
			.map(([name, value]) => `export ${name}='${value}'`)
			.join("\n");
	const [only, ...more] = plan.files;
	const text = (file: typeof only) =>
		file ? connections.textFor(file).trimEnd() : "";
	if (more.length === 0) return text(only);
	return plan.files.map((file) => `# ${file.path}\n${text(file)}`).join("\n\n");
}

function described({ tool, project, url, model, account, key }: Connection) {
	return {
		tool,
		project: project ?? null,
		url,
		model: model ?? null,
		account,
		key: key.id,
	};
}

function connectedText(
	session: Session,
	harness: HarnessConfig,
	connection: Connection,
	plan: HarnessPlan,
	trial: Trial | undefined,
): string {
	const { style } = session;
	const { project } = connection;
	const before = plan.model && modelIn(plan.model);
	return [
		`${style.bold(harness.name)} is connected to ${style.bold(connection.url)}${project === undefined ? "" : ` in ${shortened(session, project)}`}.`,
		"",
		indented(
			pairs([
				...connection.files.map(({ path }): [string, string] => [
					"wrote",
					shortened(session, path),
				]),
				[
					"model",
					connection.model ??
						(before === undefined
							? "what it asks for by itself"
							: `${before}, as it was set`),
				],
				["key", `a key of its own, paid by account ${connection.account}`],
				...(trial
					? [
							["tried", trialText(session, trial, connection.url)] as [
								string,
								string,
							],
						]
					: []),
			]),
		),
		"",
		`It takes effect when the tool starts anew. To undo: dos disconnect ${harness.id}${project === undefined ? "" : " --project"}`,
	].join("\n");
}

/** Behind what was printed. */
function shownText(
	harness: HarnessConfig,
	{ account, key }: Connection,
	plan: HarnessPlan,
	{ print }: ConnectOptions,
): string {
	const undo = `To end the key: dos disconnect ${harness.id}`;
	if (plan.shell)
		return `For a shell: eval "$(dos connect ${harness.id})". Its key is used for nothing else, and account ${account} pays. ${undo}`;
	if (print)
		return `Nothing was written. ${plan.files.length > 0 ? `This belongs in ${plan.files.map(({ path }) => path).join(" and ")}. ` : ""}${undo}`;
	return `The key ${key.id} is ${harness.name}'s own, paid by account ${account}. ${undo}`;
}

/** `url`: where it was tried, if starting the gateway there could help. */
function trialText(
	{ style }: Session,
	trial: Trial,
	url: string | undefined,
): string {
	if (trial.works)
		return `${style.green(`${trial.substrate} answered in ${trial.milliseconds} ms`)}${standsIn(trial.substrate) ? style.dim(" (no model: no vendor is on)") : ""}`;
	const advice = /^model\//.test(trial.code)
		? " Choose another: --model (dos models lists them)."
		: trial.code === "server/unreachable" && url !== undefined && staysHere(url)
			? " Start the gateway: dos start"
			: "";
	return `${style.red("failed:")} ${trial.message} ${style.dim(`(${trial.code})`)}${advice}`;
}

/** Whether who answered is no model. */
function standsIn(substrate: string): boolean {
	return vendors.some(
		({ id, standIn }) => standIn && substrate.startsWith(`${id}/`),
	);
}

/** Whether what is sent to an address does not leave this machine. */
function staysHere(url: string): boolean {
	return /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
}

function restoredText(session: Session, { path, how, kept }: Restored): string {
	const file = shortened(session, path);
	const said = {
		restored: `${file} is again, byte for byte, as it was.`,
		deleted: `${file} is deleted: it was made by connecting.`,
		edited: `${file} was changed since: your changes stay, what connecting set is taken out.`,
		gone: `${file} is not there any more: nothing to do.`,
	}[how];
	return kept.length === 0
		? said
		: `${said} You had changed ${kept.join(", ")}: that stays too.`;
}

/** What could give the key away, or keep the tool from working. */
function warnings(
	session: Session,
	plan: HarnessPlan,
	{ url, project, key, files }: Connection,
	printed: boolean,
): readonly string[] {
	const found: string[] = [];
	const { protocol, hostname } = new URL(url);
	if (protocol === "http:" && !staysHere(url))
		found.push(
			`The key and all that is said travel readable to ${hostname}: use https.`,
		);
	if (
		protocol === "https:" &&
		session.config().config.listen.tls &&
		url === urlOf(session.config().config.listen)
	)
		found.push(
			"The tool must trust the gateway's certificate; most take NODE_EXTRA_CA_CERTS or SSL_CERT_FILE for that.",
		);
	if (project === undefined || printed) return found;
	for (const { path } of plan.files.filter(({ settings }) =>
		settings.some(({ value }) => value.includes(key.secret)),
	)) {
		if (files.length > 0 && isUnignored(path, project))
			found.push(
				`${shortened(session, path)} holds the key, and git does not ignore it: add it to .gitignore before you commit.`,
			);
	}
	return found;
}

/** Whether a file stands in a git repository that would take it in. */
function isUnignored(path: string, project: string): boolean {
	const git = (...words: readonly string[]) =>
		execFileSync("git", words, {
			cwd: project,
			stdio: ["ignore", "pipe", "ignore"],
			encoding: "utf8",
		});
	try {
		git("rev-parse", "--is-inside-work-tree");
	} catch {
		return false;
	}
	try {
		git("check-ignore", "--quiet", "--", path);
		return false;
	} catch {
		return true;
	}
}

/** A path as people write it: what lies in their own folder begins with `~`. */
function shortened({ environment }: Session, path: string): string {
	const user = environment.HOME || homedir();
	return path.startsWith(`${user}/`) ? `~${path.slice(user.length)}` : path;
}

function indented(text: string): string {
	return text
		.split("\n")
		.map((line) => `  ${line}`)
		.join("\n");
}
