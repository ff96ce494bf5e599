import {
	appendFileSync,
	readFileSync,
	renameSync,
	statSync,
	writeFileSync,
} from "node:fs";
import {
	findRun,
	type LearningCommand,
	listRuns,
	type Observation,
	observeCall,
	observeRun,
	type Proposal,
	propose as proposeFrom,
	type Report,
	type Run,
	type RunFacts,
	readCalls,
	reportOn,
} from "../../../contexts/learning/index.ts";
import { formatCredits, type MicroCredits } from "../../../kernel/money.ts";
import { Fault, refuse } from "../../../kernel/outcome.ts";
import { openAsker } from "../../bakeoff/asker.ts";
import { editConfig } from "../../bakeoff/config-edit.ts";
import { unifiedDiff } from "../../bakeoff/diff.ts";
import { type Asker, NotMade, runBakeoff } from "../../bakeoff/run.ts";
import { readSuite, type Suite } from "../../bakeoff/suite.ts";
import { type Ledger, withLedger } from "../../ledger.ts";
import { amountText, counted, timeText } from "../amounts.ts";
import { csv } from "../csv.ts";
import { exitCodes, orRefused, Refused, usage } from "../errors.ts";
import { makeSecret } from "../secret.ts";
import { findServer, readAll, type ServerPlace, send } from "../server.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { pairs, table } from "../table.ts";

interface RunOptions {
	readonly over: readonly string[];
	readonly samples: number;
	readonly budget: MicroCredits;
	readonly judge?: string;
	readonly concurrency: number;
	readonly account?: string;
	readonly url?: string;
	readonly new?: boolean;
	readonly answers?: string;
}

interface ReportOptions {
	readonly live?: boolean;
	readonly since?: number;
	readonly until?: number;
	readonly format: "table" | "csv";
}

export async function run(
	session: Session,
	file: string,
	options: RunOptions,
): Promise<number> {
	const suite = readSuite(readText(file), file);
	assertFits(suite, options);
	const { config } = session.config();
	return withLedger(session.home, async (ledger) => {
		const { facts, begun } = await factsOf(ledger, suite, {
			...options,
			account: options.account ?? config.account,
		});
		const key = await openKey(ledger, facts, options.budget);
		const recorded = begun?.recorded ?? [];
		const planned = facts.cases.length * facts.over.length * facts.samples;
		if (begun)
			session.note(
				`Goes on with the run ${facts.run}: ${recorded.length} of ${counted(planned, "answer")} are there. --new begins another.`,
			);
		const progress = session.progress("Answers:");
		let done = recorded.length;
		const ended = await interruptible(session, (signal, stopping) =>
			withGateway(session, ledger, options.url, async (place) => {
				const asker = openAsker(exchangeWith(place, signal), key, sleep);
				if (!begun) await begin(ledger, facts, suite, asker);
				return runBakeoff({
					facts,
					suite,
					recorded,
					budget: options.budget,
					concurrency: options.concurrency,
					asker,
					async record(sample, answer) {
						await tell(ledger, facts, {
							type: "record-sample",
							run: facts.run,
							...sample,
						});
						if (options.answers !== undefined)
							writeAnswer(options.answers, facts, { ...sample, ...answer });
						progress.at(++done, planned);
					},
					stopping,
					wait: sleep,
				});
			}),
		).finally(() => progress.end());
		const known = orRefused(await findRun(ledger.log, facts.run));
		const again = `${known.recorded.length} of ${counted(planned, "answer")} are recorded in the run ${facts.run}; the same command goes on with it`;
		if (ended.why === "stopped") {
			session.note(`Interrupted: ${again}.`);
			return exitCodes.interrupted;
		}
		if (ended.why === "credits")
			throw new Refused({
				code: "bakeoff/budget-spent",
				message: `${ended.refusal?.message ?? `What is left of the budget of ${amountText(options.budget)} does not cover the next call.`} ${again}, with a larger --budget.`,
				details: {
					run: facts.run,
					recorded: known.recorded.length,
					planned,
					cost: costOf(known),
				},
			});
		await tell(ledger, facts, { type: "end-bakeoff", run: facts.run });
		await revokeKey(ledger, facts, "the bakeoff is over");
		showRun(session, known, reportOn(observeRun(known, known.recorded)));
		return exitCodes.ok;
	});
}

export async function list(session: Session): Promise<void> {
	await withLedger(session.home, async ({ log }) => {
		const runs = [...(await listRuns(log))].reverse();
		const shown = runs.map((one) => ({
			run: one.run,
			suite: one.suite,
			started: one.started,
			ended: one.ended ?? null,
			over: one.over,
			recorded: one.recorded.length,
			planned: one.cases.length * one.over.length * one.samples,
			cost: costOf(one),
		}));
		session.result({ runs: shown }, () =>
			shown.length === 0
				? "There is no run yet. Run: dos bakeoff run"
				: table(
						[
							{ title: "run" },
							{ title: "suite", shrink: 8 },
							{ title: "started (UTC)" },
							{ title: "answers", align: "right" },
							{ title: "credits", align: "right" },
							{ title: "over", shrink: 12 },
						],
						shown.map((one) => [
							one.run,
							one.suite,
							timeText(one.started).slice(0, 16),
							one.ended === null
								? `${one.recorded} of ${one.planned}`
								: String(one.recorded),
							formatCredits(one.cost),
							one.over.join(", "),
						]),
						session.width,
					),
		);
	});
}

export async function report(
	session: Session,
	id: string | undefined,
	options: ReportOptions,
): Promise<void> {
	if (options.live && id !== undefined)
		throw usage("--live is about production calls: name no run with it.");
	if (!options.live && (options.since ?? options.until) !== undefined)
		throw usage("--since and --until go with --live.");
	await withLedger(session.home, async ({ log }) => {
		if (options.live) {
			const made = reportOn(await observeLive(session, log, options));
			if (options.format === "csv" && !session.json)
				return session.write(csvOf(made));
			return session.result({ live: true, ...made }, () =>
				made.rows.length === 0
					? "There are no settled calls in this time."
					: [
							reportText(session, made),
							"Production calls are no experiment: the router chose who answered which, so nothing is said of differences.",
						].join("\n\n"),
			);
		}
		const known = orRefused(await findRun(log, id));
		const made = reportOn(observeRun(known, known.recorded));
		if (options.format === "csv" && !session.json)
			return session.write(csvOf(made));
		showRun(session, known, made);
	});
}

export async function propose(
	session: Session,
	id: string | undefined,
	options: { readonly margin: number; readonly write?: boolean },
): Promise<void> {
	return withLedger(session.home, async ({ log, home }) => {
		const known = orRefused(await findRun(log, id));
		const made = proposeFrom(reportOn(observeRun(known, known.recorded)), {
			margin: options.margin,
			sayCost: (amount) => `${formatCredits(amount)} credits`,
		});
		const proposals = made.filter((one): one is Proposal => "row" in one);
		const without = made.filter((one) => "why" in one);
		const before = readConfig(home.config);
		const after =
			proposals.length === 0
				? before
				: editConfig(
						before,
						proposals,
						`run ${known.run} of ${timeText(known.started).slice(0, 10)}, suite ${known.suite}`,
					);
		const diff = unifiedDiff(before, after, "config.yaml");
		const write = options.write === true && diff !== "";
		if (write) writeConfig(home.config, before, after);
		session.result(
			{ run: known.run, proposals, without, diff, written: write },
			() =>
				[
					...(diff === "" ? [] : [painted(session, diff.trimEnd())]),
					...without.map(
						({ callType, why }) =>
							`Nothing is proposed for ${callType}: ${why}.`,
					),
					...(diff === ""
						? proposals.length > 0
							? ["config.yaml says all of it already."]
							: []
						: write
							? [
									`Written to ${home.config}. It is in force after: dos route apply`,
								]
							: ["Nothing was changed. --write puts it into config.yaml."]),
				].join("\n"),
		);
	});
}

function assertFits(suite: Suite, { over, judge }: RunOptions): void {
	const judged = suite.cases.find(({ checks }) =>
		checks.some(({ kind }) => kind === "judge"),
	);
	if (judged && judge === undefined)
		throw usage(
			`The case "${judged.id}" is judged by a model: name one with --judge.`,
		);
	if (!judged && judge !== undefined)
		throw usage("Nothing in this suite asks a judge: leave --judge out.");
	const twice = over.find((one, at) => over.indexOf(one) !== at);
	if (twice !== undefined) throw usage(`--over names ${twice} twice.`);
	const bare = [...over, ...(judge === undefined ? [] : [judge])].find(
		(one) => !/^[a-z0-9][a-z0-9-]*\/[\p{L}\p{N}._:/@+~[\]-]{1,190}$/u.test(one),
	);
	if (bare !== undefined)
		throw usage(
			`"${harmless(bare)}" is no substrate: write vendor/model, as dos models lists them, so that it is sure who answers.`,
		);
}

/** The run that was begun for this and is not at its end, else a new one. */
async function factsOf(
	{ head, log, chance, digest }: Ledger,
	suite: Suite,
	options: RunOptions & { readonly account: string },
): Promise<{ readonly facts: RunFacts; readonly begun: Run | undefined }> {
	await head.refresh();
	if (!head.state("credits").accounts.has(options.account))
		orRefused(
			refuse(
				"account/unknown",
				`There is no account "${options.account}". Run: dos credits balance`,
			),
		);
	const wanted = {
		suite: suite.name,
		digest: digest.text(JSON.stringify(suite)),
		account: options.account,
		over: options.over,
		samples: options.samples,
		...(options.judge !== undefined && { judge: options.judge }),
	};
	const same = (one: Run) =>
		one.ended === undefined &&
		Object.entries(wanted).every(
			([name, value]) =>
				JSON.stringify(one[name as keyof Run]) === JSON.stringify(value),
		) &&
		one.judge === options.judge;
	const begun = options.new ? undefined : (await listRuns(log)).findLast(same);
	if (begun) return { facts: begun, begun };
	const facts: RunFacts = {
		run: chance.id(),
		...wanted,
		key: chance.id(),
		cases: suite.cases.map(({ id, callType, difficulty }) => ({
			id,
			callType,
			difficulty,
		})),
	};
	return { facts, begun: undefined };
}

/** Records that it begins, once every substrate is known to be there and to have a price. */
async function begin(
	ledger: Ledger,
	facts: RunFacts,
	suite: Suite,
	asker: Asker,
): Promise<void> {
	const { over, judge } = facts;
	try {
		for (const model of [...over, ...(judge === undefined ? [] : [judge])])
			await asker.atMost({ model, ...suite.cases[0]?.body });
		await tell(ledger, facts, { type: "start-bakeoff", ...facts });
	} catch (fault) {
		await revokeKey(ledger, facts, "the bakeoff did not begin");
		throw fault;
	}
}

async function tell(
	{ head }: Ledger,
	{ run }: RunFacts,
	command: LearningCommand,
): Promise<void> {
	orRefused(
		await head.execute("learning", command, {
			actor: "operator",
			correlation: run,
		}),
	);
}

/**
 * The text of the run's own key. It is kept nowhere: each go gives the key a new one. What was asked under it before is
 * found again, as that hangs on the key's id; and its cap is the budget, so that the gateway keeps to it.
 */
async function openKey(
	{ head, chance, digest, clock }: Ledger,
	{ key, account, suite, run, over, judge }: RunFacts,
	budget: MicroCredits,
): Promise<string> {
	const secret = makeSecret(chance, digest);
	const { text, hash, hint } = secret;
	const intent = { actor: "operator", correlation: run };
	await head.refresh();
	if (!head.state("credits").keys.has(key)) {
		orRefused(
			await head.execute(
				"credits",
				{
					type: "create-key",
					account,
					key,
					name: `bakeoff ${suite}`,
					hash,
					hint,
					scopes: {
						can: ["call", "read"],
						models: [...over, ...(judge === undefined ? [] : [judge])],
					},
					caps: { total: budget },
				},
				intent,
			),
		);
		return text;
	}
	orRefused(
		await head.execute(
			"credits",
			{ type: "set-key-caps", key, caps: { total: budget } },
			intent,
		),
	);
	orRefused(
		await head.execute(
			"credits",
			{ type: "rotate-key", key, hash, hint, graceUntil: clock.now() },
			intent,
		),
	);
	return text;
}

async function revokeKey(
	{ head }: Ledger,
	{ run, key }: RunFacts,
	reason: string,
): Promise<void> {
	orRefused(
		await head.execute(
			"credits",
			{ type: "revoke-key", key, reason },
			{ actor: "operator", correlation: run },
		),
	);
}

/** The server that runs, or one of our own for as long as it takes. */
async function withGateway<T>(
	session: Session,
	ledger: Ledger,
	url: string | undefined,
	work: (place: Pick<ServerPlace, "url" | "certificate">) => Promise<T>,
): Promise<T> {
	const { home, environment, version } = session;
	const running = url === undefined ? await findServer(home) : { url };
	if (running) return work(running);
	const { config } = session.config();
	const { openStudio } = await import("../../compose.ts");
	const studio = await openStudio({
		ledger,
		config: {
			...config,
			listen: { host: "127.0.0.1", port: 0, insecure: false, hosts: [] },
		},
		environment,
		version,
		report: session.note,
	});
	try {
		return await work({ url: await studio.listen() });
	} finally {
		await studio.stop();
	}
}

/** The first Ctrl-C lets the calls under way finish, the second breaks them off. */
async function interruptible<T>(
	session: Session,
	work: (signal: AbortSignal, stopping: () => boolean) => Promise<T>,
): Promise<T> {
	const broken = new AbortController();
	let stopping = false;
	const interrupt = () => {
		if (stopping) return broken.abort();
		stopping = true;
		session.note(
			"Calls under way are finished, no other begins. Ctrl-C again breaks them off.",
		);
	};
	process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
	try {
		return await work(broken.signal, () => stopping);
	} catch (thrown) {
		if (thrown instanceof NotMade) throw new Refused(thrown.refusal);
		throw thrown;
	} finally {
		process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
	}
}

function exchangeWith(
	place: Pick<ServerPlace, "url" | "certificate">,
	signal: AbortSignal,
): Parameters<typeof openAsker>[0] {
	return async ({ method, path, headers, body }) => {
		const answer = await send(place, {
			method,
			path,
			headers,
			signal,
			...(body && { body: new TextEncoder().encode(JSON.stringify(body)) }),
		});
		const text = (await readAll(answer)).toString("utf8");
		let document: unknown;
		try {
			document = JSON.parse(text);
		} catch (cause) {
			throw new Fault(
				"server/not-understood",
				"The server's answer is not understood.",
				{ cause },
			);
		}
		return {
			status: answer.statusCode ?? 0,
			header: (name) => answer.headers[name]?.toString(),
			body: document,
		};
	};
}

async function observeLive(
	session: Session,
	log: Ledger["log"],
	{ since, until }: ReportOptions,
): Promise<readonly Observation[]> {
	const progress = session.progress("Reading events:");
	const observations: Observation[] = [];
	try {
		const calls = readCalls(log, {
			...(since !== undefined && { since }),
			...(until !== undefined && { until }),
			onPosition: (position) => progress.at(position),
		});
		for await (const call of calls) observations.push(...observeCall(call));
	} finally {
		progress.end();
	}
	return observations;
}

function showRun(session: Session, known: Run, made: Report): void {
	const planned = known.cases.length * known.over.length * known.samples;
	const { run, suite, started, ended, samples, judge } = known;
	session.result(
		{
			run,
			suite,
			started,
			ended: ended ?? null,
			recorded: known.recorded.length,
			planned,
			cost: costOf(known),
			...made,
		},
		() =>
			[
				pairs([
					["run", `${run}, ${timeText(started)} UTC`],
					[
						"suite",
						`${suite}: ${counted(known.cases.length, "case")} × ${counted(known.over.length, "substrate")} × ${counted(samples, "sample")}`,
					],
					...(judge === undefined
						? []
						: ([["judge", harmless(judge)]] as const)),
					[
						"answers",
						known.recorded.length === planned
							? String(planned)
							: `${known.recorded.length} of ${planned}: the run is not at its end`,
					],
					["cost", amountText(costOf(known))],
				]),
				reportText(session, made),
			].join("\n\n"),
	);
}

function reportText(session: Session, made: Report): string {
	if (made.rows.length === 0) return "No answer is recorded yet.";
	const { style, width } = session;
	const live =
		made.differences.length === 0 &&
		made.rows.some(({ suspect }) => suspect > 0);
	const rows = table(
		[
			{ title: "call type" },
			{ title: "substrate", shrink: 16 },
			{ title: "answers", align: "right" },
			{ title: "passed", align: "right" },
			{ title: "quality", align: "right" },
			{ title: "95 %" },
			{ title: "credits/success", align: "right" },
			{ title: "p50 ms", align: "right" },
			{ title: "p95 ms", align: "right" },
			...(live ? [{ title: "suspect", align: "right" } as const] : []),
		],
		made.rows.map((row) => [
			row.callType,
			row.substrate,
			row.failed === 0
				? String(row.samples)
				: `${row.samples} (${row.failed} failed)`,
			row.judged === 0 ? "-" : `${row.passed} of ${row.judged}`,
			row.quality?.mean.toFixed(2) ?? "-",
			row.quality
				? `${row.quality.low.toFixed(2)}–${row.quality.high.toFixed(2)}`
				: "",
			row.costPerSuccess === undefined
				? "-"
				: formatCredits(row.costPerSuccess),
			String(row.latency?.p50 ?? "-"),
			String(row.latency?.p95 ?? "-"),
			...(live ? [String(row.suspect)] : []),
		]),
		width,
	);
	const differences = table(
		[
			{ title: "call type" },
			{ title: "better", shrink: 16 },
			{ title: "than", shrink: 16 },
			{ title: "by", align: "right" },
			{ title: "cases", align: "right" },
			{ title: "p", align: "right" },
			{
				title: "",
				paint: (cell, row) =>
					made.differences[row]?.significant ? style.green(cell) : cell,
			},
		],
		made.differences.map((one) => [
			one.callType,
			one.better,
			one.worse,
			one.by.toFixed(2),
			String(one.cases),
			chanceText(one.corrected),
			one.by === 0
				? "no difference"
				: one.significant
					? "significant"
					: "could be chance",
		]),
		width,
	);
	const lacking = made.lacking.map(
		({ callType, substrate, why }) =>
			`  ${harmless(`${callType}, ${substrate}: ${why}`)}`,
	);
	return [
		rows,
		...(made.differences.length === 0
			? []
			: [
					`Differences, paired by case; p as it counts when all of them were looked at (Holm):\n${differences}`,
				]),
		...(lacking.length === 0
			? []
			: [["Too little data:", ...lacking].join("\n")]),
	].join("\n\n");
}

function chanceText(chance: number): string {
	return chance < 0.001 ? "< 0.001" : chance.toFixed(3);
}

function csvOf(made: Report): string {
	return csv([
		[
			"call_type",
			"substrate",
			"answers",
			"failed",
			"judged",
			"cases",
			"passed",
			"suspect",
			"quality",
			"quality_low",
			"quality_high",
			"interval",
			"credits",
			"credits_per_success",
			"p50_ms",
			"p95_ms",
			"significantly_better_than",
			"lacks",
		],
		...made.rows.map((row) => [
			row.callType,
			row.substrate,
			row.samples,
			row.failed,
			row.judged,
			row.cases,
			row.passed,
			row.suspect,
			row.quality?.mean.toFixed(4) ?? "",
			row.quality?.low.toFixed(4) ?? "",
			row.quality?.high.toFixed(4) ?? "",
			row.quality?.method ?? "",
			formatCredits(row.cost),
			row.costPerSuccess === undefined ? "" : formatCredits(row.costPerSuccess),
			row.latency?.p50 ?? "",
			row.latency?.p95 ?? "",
			made.differences
				.filter(
					(one) =>
						one.significant &&
						one.callType === row.callType &&
						one.better === row.substrate,
				)
				.map(({ worse }) => worse)
				.join(" "),
			made.lacking.find(
				(one) =>
					one.callType === row.callType && one.substrate === row.substrate,
			)?.why ?? "",
		]),
	]);
}

function costOf({ recorded }: Run): MicroCredits {
	return recorded.reduce(
		(sum, { cost, judgeCost = 0 }) => sum + cost + judgeCost,
		0,
	);
}

function writeAnswer(
	file: string,
	{ run, cases, over }: RunFacts,
	answer: { readonly case: number; readonly substrate: number },
): void {
	const line = {
		run,
		...answer,
		case: cases[answer.case]?.id,
		substrate: over[answer.substrate],
	};
	appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
}

function painted({ style }: Session, diff: string): string {
	return diff
		.split("\n")
		.map((line) =>
			line.startsWith("+")
				? style.green(harmless(line))
				: line.startsWith("-")
					? style.red(harmless(line))
					: style.dim(harmless(line)),
		)
		.join("\n");
}

function readText(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		throw usage(
			`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
		);
	}
}

function readConfig(file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return "";
		throw cause;
	}
}

/** Whole or not at all, with the rights it had, and only while it is what the diff was made from. */
function writeConfig(file: string, before: string, after: string): void {
	const draft = `${file}.bakeoff`;
	const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0o600;
	writeFileSync(draft, after, { mode: mode & 0o777 });
	if (readConfig(file) !== before)
		throw new Fault(
			"bakeoff/config-moved",
			"config.yaml was changed meanwhile. Run it again.",
			{ retryable: true },
		);
	renameSync(draft, file);
}

function sleep(milliseconds: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
