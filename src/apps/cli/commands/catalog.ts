import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import {
	catalogueChanges,
	catalogueStream,
	type InForceNow,
	idleRules,
	keepsClass,
	missingFacts,
	openDesk,
	placeOf,
	readRouting,
	tellFacts,
} from "../../../contexts/routing/index.ts";
import { readEvent } from "../../../kernel/event.ts";
import { Fault, refuse } from "../../../kernel/outcome.ts";
import type {
	CatalogueSnapshot,
	Fact,
	SubstrateFacts,
} from "../../../ports/catalogue.ts";
import {
	notesOn,
	readSaidFacts,
	type SaidFacts,
	vendorsOf,
} from "../../catalogue.ts";
import { hasLog } from "../../home.ts";
import { type Ledger, signatureChecks, withLedger } from "../../ledger.ts";
import { recordedCatalogue } from "../../routing.ts";
import { storeAddress } from "../../store.ts";
import { closest } from "../../suggest.ts";
import { counted, timeText } from "../amounts.ts";
import { exitCodes, orRefused, usage } from "../errors.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { table, wrap } from "../table.ts";
import { openCatalogue } from "./route.ts";

interface ListOptions {
	readonly vendor?: string;
	readonly model?: string;
	readonly class?: string;
	readonly unknown?: boolean;
}

export async function list(
	session: Session,
	options: ListOptions,
): Promise<void> {
	await withNow(session, async ({ catalogue, policy }) => {
		const { classes } = policy;
		const { vendor, class: named } = options;
		if (named !== undefined && !classes.some(({ id }) => id === named))
			orRefused(
				refuse(
					"route/unknown-class",
					`There is no sovereignty class "${harmless(named)}". There are ${classes.map(({ id }) => id).join(", ")}.`,
				),
			);
		const text = options.model?.toLowerCase();
		const rows = catalogue.substrates.filter(
			(facts) =>
				(vendor === undefined || facts.vendor === vendor) &&
				(text === undefined ||
					[facts.id, facts.name].some((name) =>
						name.toLowerCase().includes(text),
					)) &&
				(named === undefined || keepsClass(named, classes, facts)) &&
				(!options.unknown || missingFacts(facts).length > 0),
		);
		session.result(
			{
				version: catalogue.version,
				off: catalogue.off,
				substrates: rows.map((facts) => ({
					...facts,
					on: !Object.hasOwn(catalogue.off, facts.vendor),
					missing: missingFacts(facts),
				})),
			},
			() => {
				if (rows.length === 0)
					return named === undefined
						? "No substrate fits. dos catalog list shows all."
						: `Nothing is known to keep "${named}". What ships says where calls are processed for addresses in a region, and no more than its vendors say to everybody: call a vendor in a region, or say what your contract promises under catalogue: in config.yaml (docs/guides/routing.md).`;
				const { style, width } = session;
				// What a narrow screen has no room for, `show` tells.
				const wide = width === undefined || width >= 100;
				const cells = rows.map((facts) => {
					const { operator, countries, seat } = placeOf(facts);
					return [
						facts.id,
						...(wide ? [said(facts.tier), said(facts.channel)] : []),
						said(facts.weights),
						seat === "unknown" ? operator : `${seat} ${operator}`,
						countries === "unknown" ? "?" : countries,
						said(facts.trains, (trains) => (trains ? "yes" : "no")),
						said(facts.retentionDays, (days) => `${days} d`),
						Object.hasOwn(catalogue.off, facts.vendor)
							? "off"
							: missingFacts(facts).length > 0
								? "by name"
								: "on",
					];
				});
				return [
					table(
						[
							{ title: "substrate", shrink: 24 },
							...(wide ? [{ title: "tier" }, { title: "channel" }] : []),
							{ title: "weights" },
							{ title: "run by", shrink: 10 },
							{ title: "where", shrink: 8 },
							{ title: "trains" },
							{ title: "kept" },
							{
								title: "state",
								paint: (cell: string, row: number) =>
									cells[row]?.at(-1) === "on" ? cell : style.dim(cell),
							},
						],
						cells,
						width,
					),
					"",
					wrap(
						`${counted(rows.length, "substrate")} of ${catalogue.substrates.length}, catalogue ${catalogue.version}. dos catalog show <substrate> tells all of one. "?" is not known, and keeps no class that asks for it; "by name" is not chosen for anybody who does not name it.`,
						width ?? 100,
						"",
					),
				].join("\n");
			},
		);
	});
}

export async function show(session: Session, id: string): Promise<void> {
	await withNow(session, async ({ catalogue, policy }) => {
		const facts = catalogue.substrates.find((each) => each.id === id);
		if (!facts) {
			const meant = closest(
				id,
				catalogue.substrates.map((each) => each.id),
			);
			return orRefused(
				refuse(
					"catalog/unknown",
					`The catalogue has no "${harmless(id)}"${meant ? `; did you mean "${meant}"?` : ". dos catalog list shows what it has."}`,
				),
			);
		}
		const told = tellFacts(facts);
		const kept = policy.classes
			.filter((each) => keepsClass(each.id, policy.classes, facts))
			.map((each) => each.id);
		const missing = missingFacts(facts);
		const off = catalogue.off[facts.vendor];
		const notes = notesOn(facts);
		session.result(
			{
				version: catalogue.version,
				substrate: facts,
				facts: told,
				classes: kept,
				missing,
				off: off ?? null,
				notes,
			},
			() => {
				const { style, width } = session;
				const sources = [
					...new Set(told.flatMap(({ source }) => source ?? [])),
				];
				return [
					`${style.bold(facts.id)}: ${harmless(facts.name)}, catalogue ${catalogue.version}`,
					"",
					table(
						[
							{ title: "fact" },
							{ title: "value", shrink: 16 },
							{ title: "on" },
							{ title: "by", align: "right" },
						],
						told.map(({ about, value, source, date }) => [
							about,
							value,
							date ?? "",
							source === undefined ? "" : String(sources.indexOf(source) + 1),
						]),
						width,
					),
					"",
					...sources.map((source, at) =>
						style.dim(`${String(at + 1).padStart(2)}  ${harmless(source)}`),
					),
					"",
					...notes.map((note) => wrap(note, width ?? 100, "")),
					`Keeps: ${kept.join(", ") || "no class"}.`,
					...(off === undefined ? [] : [`Its vendor is off: ${off}.`]),
					...(missing.length > 0
						? [
								`It is chosen only by name, as ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} not known.`,
							]
						: []),
				].join("\n");
			},
		);
	});
}

export async function diff(
	session: Session,
	from: string | undefined,
	to: string | undefined,
	options: { readonly versions?: boolean },
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		if (options.versions) return versions(session, ledger);
		const before = await recorded(ledger, from);
		const after =
			to === undefined
				? (await openCatalogue(session, ledger)).catalogue
				: await recorded(ledger, to);
		const changes = catalogueChanges(before, after);
		session.result({ from: before.version, to: after.version, changes }, () =>
			[
				`From ${before.version} to ${after.version}${to === undefined ? ", which is now" : ""}: ${changes.length === 0 ? "nothing changed." : counted(changes.length, "change")}`,
				...items(session, changes),
			].join("\n"),
		);
	});
}

interface CheckFinding {
	readonly state: "fail" | "warn";
	readonly message: string;
}

/** For how many substrates each fact is unknown, the most first; facts that are known of all are left out. */
function unknownFacts(substrates: readonly SubstrateFacts[]): readonly {
	readonly fact: string;
	readonly about: string;
	readonly substrates: number;
}[] {
	const counts = new Map<string, { about: string; substrates: number }>();
	for (const facts of substrates) {
		for (const { fact, about, source } of tellFacts(facts)) {
			if (source !== undefined) continue;
			const count = counts.get(fact) ?? { about, substrates: 0 };
			counts.set(fact, count);
			count.substrates++;
		}
	}
	return [...counts]
		.map(([fact, count]) => ({ fact, ...count }))
		.sort((one, other) => other.substrates - one.substrates);
}

/** Days before a substrate is gone at which it is told. */
const soon = 90;

/** Exit code 1 when something is there to mend: a rule or a row that does nothing. */
export async function check(session: Session): Promise<number> {
	return withNow(session, async ({ catalogue, policy, table: owners }) => {
		const { config } = session.config();
		const { off, substrates } = catalogue;
		const now = session.now();
		const on = substrates.filter(({ vendor }) => !Object.hasOwn(off, vendor));
		const known = new Set(
			vendorsOf(config, session.environment).map(({ vendor }) => vendor.id),
		);
		const findings: CheckFinding[] = [];
		const add = (state: CheckFinding["state"], message: string) =>
			findings.push({ state, message });
		for (const message of readRouting(
			config.routing,
			signatureChecks().digest.text,
		).problems)
			add("fail", message.message);
		for (const message of idleRules(policy, owners, catalogue))
			add("fail", message);
		for (const id of [
			...Object.keys(config.catalogue.vendors),
			...Object.keys(config.catalogue.substrates).map((substrate) =>
				substrate.slice(0, substrate.indexOf("/")),
			),
		].filter(
			(vendor, at, all) => !known.has(vendor) && all.indexOf(vendor) === at,
		))
			add(
				"fail",
				`config.yaml has facts of the vendor "${id}", which is not known: dos vendors lists them.`,
			);
		for (const facts of on) {
			const missing = missingFacts(facts);
			if (missing.length > 0)
				add(
					"warn",
					`${facts.id} is chosen only by name: ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} not known.`,
				);
			const left = daysLeft(facts, now);
			if (left <= 0) add("warn", `${facts.id} is gone.`);
			else if (left <= soon)
				add(
					"warn",
					`${facts.id} is gone in ${counted(Math.ceil(left), "day")}.`,
				);
		}
		if (on.length === 0)
			add("warn", "No vendor of the catalogue is on: dos vendors says why.");
		const failed = findings.some(({ state }) => state === "fail");
		const counts = on.length > 0 ? on : substrates;
		const unknown = unknownFacts(counts);
		session.result(
			{
				ok: !failed,
				version: catalogue.version,
				substrates: substrates.length,
				on: on.length,
				findings,
				unknown,
			},
			() => {
				const { style, width = 100 } = session;
				const marks = { fail: style.red("FAIL"), warn: style.yellow("warn") };
				return [
					...findings.map(
						({ state, message }) =>
							`${marks[state]}  ${wrap(harmless(message), width - 6, "      ")}`,
					),
					...(findings.length > 0 ? [""] : []),
					table(
						[
							{ title: "fact" },
							{
								title: `unknown of ${counts.length}${on.length > 0 ? " that are on" : ""}`,
								align: "right",
							},
						],
						unknown.map(({ about, substrates }) => [about, String(substrates)]),
						width,
					),
					"",
					`${counted(substrates.length, "substrate")}, ${on.length} of vendors that are on; catalogue ${catalogue.version}. ${failed ? style.red("There is something to mend.") : findings.length > 0 ? "It works; see the warnings." : style.green("All is well.")}`,
				].join("\n");
			},
		);
		return failed ? exitCodes.refused : exitCodes.ok;
	});
}

interface RefreshOptions {
	readonly from?: string;
	readonly out?: string;
}

/**
 * What a file of facts would change, and, with `out`, its facts as a section to put into config.yaml, which is the
 * owner's and never written by us. Without a file: what the price package of this program changes by itself.
 */
export async function refresh(
	session: Session,
	{ from, out }: RefreshOptions,
): Promise<void> {
	if (from === undefined) {
		if (out !== undefined)
			throw usage(
				"The price package needs no section: its facts are taken at the next start. --out goes with --from.",
			);
		return withNow(session, async ({ catalogue, ledger }) => {
			const before = ledger && (await recordedCatalogue(ledger));
			const changes = before ? catalogueChanges(before, catalogue) : [];
			session.result(
				{ from: before?.version ?? null, to: catalogue.version, changes },
				() =>
					[
						changes.length === 0
							? "This program's price package and facts say what was recorded last, or nothing was recorded yet."
							: `Taken at the next start, out of this program's price package and facts, and config.yaml:`,
						...items(session, changes),
						"Newer facts come with a newer version of this program, or with --from <file>.",
					].join("\n"),
			);
		});
	}
	const raw = sectionIn(from);
	const given = orRefused(readSaidFacts(raw));
	await withNow(session, async ({ catalogue, ledger }) => {
		const { config } = session.config();
		const merged = over(config.catalogue, given);
		const after = (await openCatalogue(session, ledger, merged)).catalogue;
		const changes = catalogueChanges(catalogue, after);
		const both = [
			...shared(config.catalogue.vendors, given.vendors),
			...shared(config.catalogue.substrates, given.substrates),
		];
		if (out !== undefined) {
			const { stringify } = await import("yaml");
			writeNew(out, stringify({ catalogue: raw }));
		}
		session.result({ changes, inBoth: both, out: out ?? null }, () =>
			[
				changes.length === 0
					? "The file changes nothing."
					: "With this file, it would change:",
				...items(session, changes),
				...(both.length > 0
					? [
							"",
							`config.yaml speaks of these as well, so bring them together by hand: ${both.join(", ")}`,
						]
					: []),
				...(changes.length > 0
					? [
							"",
							out === undefined
								? "Nothing was written. --out <file> writes the section to put into config.yaml."
								: `Written to ${out}: put it into config.yaml, then see: dos catalog diff`,
						]
					: []),
			].join("\n"),
		);
	});
}

/** The catalogue as it is now, with what the owner's policy is; of a home without a log, as it would begin. */
async function withNow<T>(
	session: Session,
	work: (now: InForceNow & { readonly ledger?: Ledger }) => Promise<T>,
): Promise<T> {
	const { home, environment } = session;
	const there =
		(await storeAddress(home, environment)) !== undefined ||
		(await hasLog(home));
	if (there)
		return withLedger(home, async (ledger) => {
			const { catalogue } = await openCatalogue(session, ledger);
			const desk = openDesk({
				state: () => ledger.head.state("routing"),
				catalogue,
				digest: ledger.digest,
			});
			return work({ ...desk.current(), ledger });
		});
	const { catalogue } = await openCatalogue(session);
	const read = readRouting(
		session.config().config.routing,
		signatureChecks().digest.text,
	);
	return work({ catalogue, policy: read.policy, table: read.table });
}

async function recorded(
	ledger: Ledger,
	version: string | undefined,
): Promise<CatalogueSnapshot> {
	return (
		(await recordedCatalogue(ledger, version)) ??
		orRefused(
			refuse(
				"catalog/unknown-version",
				version === undefined
					? "No catalogue was recorded yet: dos start records it."
					: `No catalogue ${harmless(version)} was recorded. dos catalog diff --versions lists them.`,
			),
		)
	);
}

async function versions(session: Session, { log }: Ledger): Promise<void> {
	const events = await log.readStream(catalogueStream);
	const list = events.map((stored) => {
		const { version, substrates } = readEvent(stored).data as {
			version: string;
			substrates: readonly unknown[];
		};
		return { version, time: stored.time, substrates: substrates.length };
	});
	session.result({ versions: list }, () =>
		list.length === 0
			? "No catalogue was recorded yet: dos start records it."
			: table(
					[
						{ title: "version" },
						{ title: "recorded (UTC)" },
						{ title: "substrates", align: "right" },
					],
					list.map(({ version, time, substrates }) => [
						version,
						timeText(time),
						String(substrates),
					]),
					session.width,
				),
	);
}

/** The section in a file, with or without its name above it. */
function sectionIn(file: string): unknown {
	let text: string;
	try {
		text = readFileSync(file === "-" ? 0 : file, "utf8");
	} catch (cause) {
		throw new Fault(
			"file/unreadable",
			`${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
			{ cause },
		);
	}
	let raw: unknown;
	try {
		raw = parse(text);
	} catch {
		return orRefused(
			refuse("catalog/invalid", `${file} is neither YAML nor JSON.`),
		);
	}
	return typeof raw === "object" && raw !== null && "catalogue" in raw
		? raw.catalogue
		: raw;
}

function over(own: SaidFacts, given: SaidFacts): SaidFacts {
	const both = (
		one: SaidFacts["vendors"],
		other: SaidFacts["vendors"],
	): SaidFacts["vendors"] =>
		Object.fromEntries(
			[...new Set([...Object.keys(one), ...Object.keys(other)])].map((id) => [
				id,
				{
					...one[id],
					...other[id],
					capabilities: {
						...one[id]?.capabilities,
						...other[id]?.capabilities,
					},
					lifecycle: { ...one[id]?.lifecycle, ...other[id]?.lifecycle },
				},
			]),
		);
	return {
		vendors: both(own.vendors, given.vendors),
		substrates: both(own.substrates, given.substrates),
	};
}

function shared(one: object, other: object): readonly string[] {
	return Object.keys(other).filter((id) => Object.hasOwn(one, id));
}

function writeNew(file: string, text: string): void {
	try {
		writeFileSync(file, text, { flag: "wx" });
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		throw new Fault(
			code === "EEXIST" ? "file/exists" : "file/unwritable",
			code === "EEXIST"
				? `${file} is there already. Name another file.`
				: `${file} cannot be written (${code}).`,
			{ cause },
		);
	}
}

function items(
	{ width = 100 }: Session,
	lines: readonly string[],
): readonly string[] {
	return lines.map((line) => `  ${wrap(harmless(line), width - 4, "    ")}`);
}

function said<T>(fact: Fact<T>, word: (value: T) => string = String): string {
	return fact === "unknown" ? "?" : word(fact.value);
}

function daysLeft(
	{ lifecycle: { goneOn } }: SubstrateFacts,
	now: number,
): number {
	if (goneOn === "unknown") return Number.POSITIVE_INFINITY;
	return (Date.parse(goneOn.value) - now) / 86_400_000;
}
