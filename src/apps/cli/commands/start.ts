import { Fault } from "../../../kernel/outcome.ts";
import { openStudio } from "../../compose.ts";
import { assertSafeToListen, type Config } from "../../config.ts";
import { withLedger } from "../../ledger.ts";
import { takeRouting } from "../../routing.ts";
import { shadowFindings } from "../../shadow.ts";
import { storeAddress } from "../../store.ts";
import { counted } from "../amounts.ts";
import { exitCodes } from "../errors.ts";
import { announceServer, findServer, urlOf } from "../server.ts";
import type { Session } from "../session.ts";
import { firstGrant, type SetUp, setUp } from "../setup.ts";
import { setUpText } from "./init.ts";

interface StartOptions {
	readonly host?: string;
	readonly port?: number;
	readonly insecure?: boolean;
	/** One of several on a database. */
	readonly replica?: boolean;
}

/** Serves until a signal ends it: the first lets calls under way finish, the second stops at once. */
export async function start(
	session: Session,
	options: StartOptions,
): Promise<number> {
	const { home, environment, version, errorStyle } = session;
	const settings = session.config();
	const config: Config = {
		...settings.config,
		listen: {
			...settings.config.listen,
			...(options.host !== undefined && { host: options.host }),
			...(options.port !== undefined && { port: options.port }),
			...(options.insecure && { insecure: true }),
		},
	};
	assertSafeToListen(config.listen);
	if (options.replica && (await storeAddress(home, environment)) === undefined)
		throw new Fault(
			"start/replica-needs-database",
			"A replica shares its log with others, and a file is of one machine. Name a Postgres database: store in config.yaml, or DOS_STORE.",
		);
	// Listened for from here on: a signal while starting stops as one later does.
	const signals = openSignals();
	try {
		return await withLedger(
			home,
			async (ledger) => {
				const first: SetUp | undefined =
					!options.replica && ledger.head.position() === 0
						? await setUp(ledger, {
								account: config.account,
								grant: firstGrant,
							})
						: undefined;
				const report = (line: string) =>
					session.streams.error.write(`${line}\n`);
				const studio = await openStudio({
					ledger,
					config,
					environment,
					version,
					report,
				});
				const begin = async () => {
					const routed = await takeRouting(ledger, settings, studio.desk, {
						only: options.replica ? "look" : "record",
					});
					const url = await studio.listen().catch(async (fault: unknown) => {
						throw await explainListening(session, config, fault);
					});
					const { tls } = config.listen;
					const reached = urlOf({
						...config.listen,
						port: Number(new URL(url).port) || config.listen.port,
					});
					const withdraw = announceServer(home, {
						pid: process.pid,
						url: reached,
						...(tls && { certificate: tls.certificate }),
					});
					return { routed, reached, withdraw };
				};
				const { routed, reached, withdraw } = await begin().catch(
					async (fault: unknown) => {
						// What watches the log would keep the process alive.
						await studio.stop();
						throw fault;
					},
				);
				const on = studio.vendors
					.filter((one) => one.on)
					.map(({ vendor }) => vendor.id);
				session.result(
					{ url: reached, vendors: on, ...(first && { setUp: first }) },
					() => welcome(session, reached, on, first),
				);
				for (const { vendor, on, whyNot } of studio.vendors) {
					const settings = config.vendors[vendor.id];
					if (!on && settings && settings.enabled !== false)
						session.note(
							`${errorStyle.yellow("warning:")} ${vendor.id} has settings and is off: ${whyNot}`,
						);
				}
				for (const line of [
					...routed,
					...shadowFindings(config, ledger.head.state("credits")),
				])
					session.note(`${errorStyle.yellow("warning:")} ${line}`);
				if (options.replica && ledger.head.position() === 0)
					session.note(
						`${errorStyle.yellow("warning:")} nothing is set up in ${ledger.store.name} yet. Run once: dos init`,
					);
				await signals.next();
				withdraw();
				if (options.replica) {
					studio.withdraw();
					session.note(
						errorStyle.dim(
							"Stopping: load balancers are told; calls are still taken for a moment.",
						),
					);
					await Promise.race([
						pause(config.replica.drainGrace),
						signals.next(),
					]);
				}
				let said = -1;
				const drained = studio.drain((calls) => {
					if (calls > 0 && calls !== said)
						session.note(
							`Waiting for ${counted(calls, "call")} in flight. Again to stop at once.`,
						);
					said = calls;
				});
				session.note(errorStyle.dim("Stopping: no new calls."));
				const calls = studio.gateway.inFlight();
				if (calls > 0) {
					said = calls;
					session.note(
						`Waiting for ${counted(calls, "call")} in flight. Again to stop at once.`,
					);
				}
				const hurried = await Promise.race([
					drained.then(() => false),
					signals.next().then(() => true),
				]);
				if (hurried) await studio.stop();
				session.note(
					hurried
						? "Stopped at once; what was delivered is settled."
						: "Stopped.",
				);
				return exitCodes.ok;
			},
			{ create: true },
		);
	} finally {
		signals.close();
	}
}

function welcome(
	session: Session,
	url: string,
	vendors: readonly string[],
	first: SetUp | undefined,
): string {
	const { style } = session;
	const text: string[] = [];
	if (first) text.push(setUpText(session, first), "");
	text.push(`${style.bold("DuranteOS")} listens on ${style.bold(url)}`);
	const outside = vendors.filter((id) => id !== "loopback");
	text.push(
		outside.length > 0
			? `Vendors on: ${outside.join(", ")}`
			: 'No vendor is on yet, so "loopback" answers, which is no model. Set a key such as\nOPENAI_API_KEY and start again; "dos vendors" lists all.',
	);
	if (first?.key) {
		text.push(
			"",
			"A first call:",
			"",
			`  curl ${url}/v1/chat/completions \\`,
			`    -H "Authorization: Bearer ${first.key.secret}" \\`,
			`    -H "Content-Type: application/json" \\`,
			`    -d '{"model":"loopback/loopback","messages":[{"role":"user","content":"Hello"}]}'`,
			"",
			`Clients: base URL ${url}/v1 (OpenAI) or ${url} (Anthropic, Google), with that key;`,
			`"dos connect" points your coding tools here.`,
		);
	}
	text.push("Stop with Ctrl-C.");
	return text.join("\n");
}

function pause(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** A port that is taken is most often taken by ourselves. */
async function explainListening(
	{ home }: Session,
	{ listen }: Config,
	fault: unknown,
): Promise<unknown> {
	if (!(fault instanceof Fault) || fault.code !== "http/address-in-use")
		return fault;
	const running = await findServer(home);
	const message = running
		? `This home's server runs already, on ${running.url} (process ${running.pid}).`
		: `Port ${listen.port} on ${listen.host} is taken by another program. Choose one: dos start --port ${listen.port + 1}, or listen.port in config.yaml.`;
	return new Fault(fault.code, message, {
		cause: fault,
		details: { host: listen.host, port: listen.port },
	});
}

/** SIGINT and SIGTERM, one at a time; those that came while nobody waited are not lost. */
function openSignals(): { next(): Promise<void>; close(): void } {
	let arrived = 0;
	let wake: (() => void) | undefined;
	function hear(): void {
		arrived += 1;
		wake?.();
	}
	const names = ["SIGINT", "SIGTERM"] as const;
	for (const name of names) process.on(name, hear);
	return {
		async next() {
			while (arrived === 0) {
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
			arrived -= 1;
		},
		close() {
			for (const name of names) process.off(name, hear);
		},
	};
}
