import { existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { assertSqliteVersion } from "../../../adapters/sqlite/database.ts";
import { findVendors } from "../../../adapters/vendors/registry.ts";
import { readEvent } from "../../../kernel/event.ts";
import { keptCheckpoints } from "../../checkpoints.ts";
import { openPrices } from "../../compose.ts";
import { assertSafeToListen, type Config } from "../../config.ts";
import { othersMayRead } from "../../home.ts";
import { type Ledger, withLedger } from "../../ledger.ts";
import { storeAddress } from "../../store.ts";
import { instancePrefix, openInstance } from "../../studio/instance.ts";
import { findSequencer } from "../../studio/sequencing.ts";
import { amountText, counted, timeText } from "../amounts.ts";
import { exitCodes, explain } from "../errors.ts";
import { routingFindings } from "../routing-findings.ts";
import { findServer, isOurs, urlOf } from "../server.ts";
import type { Session } from "../session.ts";
import { wrap } from "../table.ts";

/** One thing looked at. */
interface Check {
	readonly check: string;
	readonly state: "ok" | "warn" | "fail";
	readonly message: string;
	/** What mends it. */
	readonly mend?: string;
}

/** How many of the newest events are searched for calls that nobody paid in full. */
const eventsSearched = 100_000;
const dayLong = 86_400_000;

/** Looks at everything, also when something is wrong. Exit code 1 when anything fails. */
export async function doctor(session: Session): Promise<number> {
	const checks: Check[] = [];
	const look = async (
		check: string,
		work: () =>
			| Promise<Finding | readonly Finding[]>
			| Finding
			| readonly Finding[],
	) => {
		try {
			for (const finding of [await work()].flat())
				checks.push({ check, ...(finding as Finding) });
		} catch (thrown) {
			const { message } = explain(thrown).error;
			checks.push({
				check,
				state: "fail",
				message,
				...(check === "log" && { mend: "dos audit verify" }),
			});
		}
	};
	let config: Config | undefined;

	await look("runtime", runtime);
	await look("home", async () => folder(session, await isRemote(session)));
	await look("settings", () => {
		const loaded = session.config();
		config = loaded.config;
		if (loaded.warnings.length > 0)
			return loaded.warnings.map((message) => ({
				state: "warn" as const,
				message,
			}));
		return ok(
			loaded.exists
				? `${session.home.config} is valid`
				: "no config.yaml: everything has its default",
		);
	});
	const known = config;
	if (known) {
		await look("server", () => server(session, known));
		await look("vendors", () => vendors(session, known));
		await look("prices", () => prices(session, known));
	}
	const remote = await isRemote(session);
	if (remote || existsSync(session.home.database)) {
		await look("log", () =>
			withLedger(session.home, async (ledger) => {
				await look("clock", () => clock(ledger));
				await look("account", () => account(ledger, known?.account ?? "main"));
				if (known)
					await look("routing", () => routingFindings(ledger, session));
				await look("holds", () => holds(ledger));
				if (remote) await look("replicas", () => replicas(ledger));
				await look("uncollected", () => uncollected(ledger, session));
				await look("checkpoint", () => checkpoint(ledger));
				const { store, head } = ledger;
				return [
					ok(
						`${counted(head.position(), "event")} in ${store.name}${remote ? ` (${store.engine})` : ""}`,
					),
					...store.warnings.map((warning) => warn(warning)),
				];
			}),
		);
	}
	await look("disk", () => disk(session));

	const failed = checks.some(({ state }) => state === "fail");
	session.result({ ok: !failed, checks }, () => doctorText(checks, session));
	return failed ? exitCodes.refused : exitCodes.ok;
}

type Finding = Omit<Check, "check">;
const ok = (message: string): Finding => ({ state: "ok", message });
const warn = (message: string, mend?: string): Finding => ({
	state: "warn",
	message,
	...(mend !== undefined && { mend }),
});
const fail = (message: string, mend?: string): Finding => ({
	state: "fail",
	message,
	...(mend !== undefined && { mend }),
});

function runtime(): Finding {
	const memory = new DatabaseSync(":memory:");
	const version = String(
		memory.prepare("select sqlite_version() as version").get()?.version,
	);
	memory.close();
	assertSqliteVersion(version);
	return ok(
		`${process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`}, SQLite ${version}`,
	);
}

/** Whether a database keeps the log; a mistake in the settings is told where they are looked at. */
function isRemote({ home, environment }: Session): Promise<boolean> {
	return storeAddress(home, environment).then(
		(address) => address !== undefined,
		() => false,
	);
}

function folder({ home }: Session, remote: boolean): readonly Finding[] {
	if (!existsSync(home.folder) || (!remote && !existsSync(home.database))) {
		return [fail(`nothing is set up in ${home.folder}`, "dos init")];
	}
	const found: Finding[] = [];
	for (const path of [
		home.folder,
		home.database,
		home.auditKey,
		home.terminalKey,
	]) {
		if (existsSync(path) && othersMayRead(path)) {
			found.push(
				warn(
					`others on this machine may read ${path}`,
					`chmod ${statSync(path).isDirectory() ? 700 : 600} ${path}`,
				),
			);
		}
	}
	if (!existsSync(home.auditKey))
		found.push(
			warn("there is no key to sign checkpoints with", "dos init makes one"),
		);
	return found.length > 0 ? found : [ok(`${home.folder}, for its owner alone`)];
}

async function server({ home }: Session, { listen }: Config): Promise<Finding> {
	const running = await findServer(home);
	if (running) return ok(`runs on ${running.url} (process ${running.pid})`);
	assertSafeToListen(listen);
	if (await isFree(listen.host, listen.port))
		return ok(`not running; ${listen.host} port ${listen.port} is free`);
	const ours = await isOurs({
		url: urlOf(listen),
		...(listen.tls && { certificate: listen.tls.certificate }),
	});
	return warn(
		`not running, and port ${listen.port} on ${listen.host} is taken by ${ours ? "the server of another home" : "another program"}`,
		`dos start --port ${listen.port + 1}, or set listen.port in config.yaml`,
	);
}

function isFree(host: string, port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = createServer();
		probe.once("error", () => resolve(false));
		probe.listen({ host, port, exclusive: true }, () =>
			probe.close(() => resolve(true)),
		);
	});
}

function vendors({ environment }: Session, config: Config): readonly Finding[] {
	const found = findVendors({ environment, configured: config.vendors });
	const on = found
		.filter((one) => one.on && !one.vendor.standIn)
		.map(({ vendor }) => vendor.id);
	// One that the owner has written settings for is meant to be on.
	const meant = found.filter(
		(one) => !one.on && config.vendors[one.vendor.id]?.enabled,
	);
	return [
		on.length > 0
			? ok(`on: ${on.join(", ")}`)
			: warn(
					"none is on: only loopback answers, which is no model",
					"set a key such as OPENAI_API_KEY; dos vendors",
				),
		...meant.map(({ vendor, whyNot }) =>
			warn(`${vendor.id} has settings and is off: ${whyNot}`),
		),
	];
}

async function prices(
	{ environment, now }: Session,
	config: Config,
): Promise<readonly Finding[]> {
	const found = findVendors({ environment, configured: config.vendors });
	const book = await openPrices(config, found);
	const wrong = Object.entries(config.models).flatMap(
		([alias, target]): Finding[] => {
			const slash = target.indexOf("/");
			const id = target.slice(0, slash);
			const vendor = found.find((one) => one.vendor.id === id);
			if (!vendor)
				return [
					fail(
						`models.${alias} names a vendor that is not known: ${id}`,
						"dos vendors lists them",
					),
				];
			if (!vendor.on)
				return [
					warn(`models.${alias} is of ${id}, which is off: ${vendor.whyNot}`),
				];
			if (book.find(id, target.slice(slash + 1), now())) return [];
			return [
				fail(
					`models.${alias}: no price is known for ${target}, so its calls are refused`,
					"add a row under prices:, or a ceiling:, in config.yaml",
				),
			];
		},
	);
	return wrong.length > 0
		? wrong
		: [
				ok(
					`${counted(config.prices.length, "price row")} and ${counted(Object.keys(config.models).length, "model name")} of your own`,
				),
			];
}

async function clock({ log, clock }: Ledger): Promise<Finding> {
	const { time } = await log.tip();
	const behind = time - clock.now();
	return behind > 60_000
		? warn(
				`this clock is ${Math.round(behind / 1000).toLocaleString("en")} s behind the newest event (${timeText(time)} UTC)`,
				"set the clock; until then, events carry the newest one's time",
			)
		: ok(`${timeText(clock.now())} UTC`);
}

function account({ head, clock }: Ledger, id: string): Finding {
	const state = head.state("credits");
	const found = state.accounts.get(id);
	if (!found) return fail(`there is no account "${id}"`, "dos init");
	const left = found.granted - found.spent - found.held;
	if (left <= 0)
		return warn(`${id} has no credits left`, "dos credits grant 1000");
	const now = clock.now();
	const works = [...state.keys.values()].some(
		(key) =>
			key.account === id &&
			key.revoked === undefined &&
			(key.expires === undefined || key.expires > now),
	);
	return works
		? ok(`${id} has ${amountText(left)}`)
		: warn(`${id} has no key that works`, "dos key create --name laptop");
}

/** Who serves this log now, how far each has seen it, and who writes for all. */
async function replicas({ store, head }: Ledger): Promise<readonly Finding[]> {
	const leases = store.leases();
	const all = await leases.list(instancePrefix);
	const sequencer = await findSequencer(leases);
	const living = all.filter(({ left }) => left > 0);
	const silent = all.length - living.length;
	const furthest = Math.max(
		0,
		...living.map(({ note }) => head.position() - positionIn(note)),
	);
	return [
		ok(
			living.length === 0
				? "no server runs on this log"
				: `${counted(living.length, "server")} on this log; when last heard of, none was more than ${counted(furthest, "event")} behind`,
		),
		...(sequencer
			? [
					ok(
						`the one at ${sequencer.host}, port ${sequencer.port}, writes for all that reach it`,
					),
				]
			: []),
		...(silent > 0
			? [
					warn(
						`${counted(silent, "server")} on this log went silent; what it held is given back by another`,
					),
				]
			: []),
	];
}

function positionIn(note: string): number {
	try {
		return Number((JSON.parse(note) as { position?: unknown }).position) || 0;
	} catch {
		return 0;
	}
}

async function holds({
	head,
	clock,
	chance,
	store,
}: Ledger): Promise<readonly Finding[]> {
	const open = [...head.state("credits").holds.values()];
	if (open.length === 0) return [ok("no call is in flight")];
	const gone = await openInstance({
		leases: store.leases(),
		chance,
		oneMachine: store.kind === "sqlite",
		report: () => {},
	}).gone(open.map(({ holder }) => holder));
	const orphans = open.filter(({ holder }) => gone.has(holder));
	const overdue = open.filter(({ expires }) => expires <= clock.now());
	const sum = open.reduce((total, { amount }) => total + amount, 0);
	const found = [
		ok(`${counted(open.length, "call")} in flight hold ${amountText(sum)}`),
	];
	if (orphans.length > 0) {
		found.push(
			warn(
				`${counted(orphans.length, "hold")} of a process that is gone`,
				"dos start gives them back",
			),
		);
	} else if (overdue.length > 0) {
		found.push(
			warn(
				`${counted(overdue.length, "hold")} past its time`,
				"dos start gives it back",
			),
		);
	}
	return found;
}

async function uncollected(
	{ log, head }: Ledger,
	session: Session,
): Promise<Finding | readonly Finding[]> {
	const to = head.position();
	const from = Math.max(0, to - eventsSearched);
	const progress = session.progress("Settlements read:");
	let calls = 0;
	let sum = 0;
	let crashed = 0;
	let seen = 0;
	for await (const batch of log.scan(from, {
		types: ["credits-settled", "credits-released"],
		to,
	})) {
		for (const stored of batch) {
			// Parsed only where the word occurs: nearly no resolution has it.
			if (stored.type === "credits-released") {
				if (!stored.data.includes('"crashed"')) continue;
				if (readEvent(stored).data.ending === "crashed") crashed += 1;
				continue;
			}
			if (!stored.data.includes('"uncollected"')) continue;
			const { uncollected: amount } = readEvent(stored).data as {
				uncollected?: number;
			};
			if (!amount) continue;
			calls += 1;
			sum += amount;
		}
		seen += batch.length;
		progress.at(seen);
	}
	progress.end();
	const where =
		from > 0
			? ` in the newest ${eventsSearched.toLocaleString("en")} events`
			: "";
	const lost =
		crashed === 0
			? []
			: [
					warn(
						`${counted(crashed, "call")}${where} ended with a crash of ours and was charged nothing; the vendor may see it otherwise`,
						"dos credits statement shows which",
					),
				];
	if (calls === 0)
		return crashed === 0 ? ok(`every call was paid in full${where}`) : lost;
	return [
		...lost,
		warn(
			`${counted(calls, "call")}${where} cost ${amountText(sum)} more than could be charged`,
			"dos credits statement shows which; a lower holds.outputCeiling or a grant prevents it",
		),
	];
}

function checkpoint({ home, head, clock }: Ledger): Finding {
	const last = keptCheckpoints(home).at(-1);
	if (!last)
		return warn(
			"the log was never signed",
			"dos audit checkpoint, and keep a copy elsewhere",
		);
	const behind = head.position() - last.size;
	if (behind < 0)
		return fail(
			`the last one covers ${counted(last.size, "event")}, and the log has ${head.position().toLocaleString("en")}`,
			"dos audit verify",
		);
	const age = Math.floor((clock.now() - last.time) / dayLong);
	if (behind > 0 && age >= 7)
		return warn(
			`the last one is ${age} days old, ${counted(behind, "event")} ago`,
			"dos audit checkpoint, and keep a copy elsewhere",
		);
	return ok(
		`at event ${last.size.toLocaleString("en")}, ${behind === 0 ? "which is the newest" : `${counted(behind, "event")} ago`}`,
	);
}

async function disk({ home }: Session): Promise<Finding> {
	let path = home.folder;
	while (!existsSync(path) && path !== "/")
		path = path.slice(0, path.lastIndexOf("/")) || "/";
	const { bavail, bsize } = await statfs(path);
	const free = bavail * bsize;
	const text =
		free >= 2 ** 30
			? `${(free / 2 ** 30).toFixed(1)} GiB free`
			: `${Math.round(free / 2 ** 20)} MiB free`;
	if (free < 64 * 2 ** 20)
		return fail(
			text,
			"make room: no call is served once the log cannot be written",
		);
	return free < 2 ** 30 ? warn(text, "make room") : ok(text);
}

function doctorText(
	checks: readonly Check[],
	{ style, width = 100 }: Session,
): string {
	const marks = {
		ok: style.green("ok  "),
		warn: style.yellow("warn"),
		fail: style.red("FAIL"),
	};
	const longest = Math.max(...checks.map(({ check }) => check.length));
	const indent = " ".repeat(longest + 8);
	const lines = checks.map(
		({ check, state, message, mend }) =>
			`${marks[state]}  ${check.padEnd(longest)}  ${wrap(message, width - indent.length, indent)}${
				mend === undefined
					? ""
					: `\n${indent}${style.bold(wrap(`→ ${mend}`, width - indent.length, indent))}`
			}`,
	);
	const failed = checks.filter(({ state }) => state === "fail").length;
	const warned = checks.filter(({ state }) => state === "warn").length;
	const verdict =
		failed > 0
			? style.red(`${counted(failed, "thing")} to mend.`)
			: warned > 0
				? "It works; see the warnings."
				: style.green("All is well.");
	return `${lines.join("\n")}\n\n${verdict}`;
}
