import {
	allowsModel,
	type CostPart,
	resolutionKey,
	type Scopes,
} from "../../../contexts/credits/index.ts";
import {
	type Asked,
	createRouter,
	type Decision,
	type DecisionRecord,
	explain,
	explainDecision,
	infer,
	joinNeeds,
	openDesk,
	type Policy,
	type Profile,
	type ProfileOf,
	type RouteRequest,
	readAsked,
	readNeedsHeader,
	readProfile,
	recordedInputs,
	refusalOf,
	refusedKey,
	type StatedNeeds,
	settingsChanges,
	withUnlisted,
} from "../../../contexts/routing/index.ts";
import { readEvent } from "../../../kernel/event.ts";
import { refuse } from "../../../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../../../ports/catalogue.ts";
import type { PriceBook } from "../../../ports/price-book.ts";
import type { Meaning } from "../../../ports/wire-protocol.ts";
import { readCatalogue, type SaidFacts, vendorsOf } from "../../catalogue.ts";
import { openPrices } from "../../compose.ts";
import { type Ledger, signatureChecks, withLedger } from "../../ledger.ts";
import {
	applyRouting,
	fileDiffers,
	recordedCatalogue,
	routingIn,
} from "../../routing.ts";
import { amountText } from "../amounts.ts";
import { exitCodes, orRefused, usage } from "../errors.ts";
import { findKey } from "../keys.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";
import { pairs, wrap } from "../table.ts";

interface TryOptions {
	readonly model: string;
	readonly need: readonly string[];
	readonly account?: string;
	readonly key?: string;
	readonly tag: readonly string[];
	readonly at?: number;
	readonly tools: number;
	readonly step: number;
	readonly images: number;
	readonly documents: number;
	readonly inputTokens: number;
	readonly maxTokens?: number;
	readonly schema?: boolean;
	readonly stream?: boolean;
	readonly reasoning?: "none" | "some" | "much";
	readonly means?: Meaning;
	readonly all?: boolean;
}

/** Decides as the gateway would, and calls nothing. Health is what the server measures: here it counts as not measured. Exit code 1 when nothing is eligible. */
export async function tryRoute(
	session: Session,
	options: TryOptions,
): Promise<number> {
	return withLedger(session.home, async (ledger) => {
		const { head, clock, digest } = ledger;
		const { catalogue, prices } = await openCatalogue(session, ledger);
		const desk = openDesk({
			state: () => head.state("routing"),
			catalogue,
			digest,
		});
		const { policy, table } = desk.current();
		const key =
			options.key === undefined ? undefined : findKey(ledger, options.key);
		const account =
			key?.account ??
			(options.account === undefined
				? session.config().config.account
				: knownAccount(ledger, options.account));
		const profiles = [
			key && desk.profile("key", key.id),
			desk.profile("account", account),
		].filter((profile) => profile !== undefined);
		const tags = [
			...new Set([
				...options.tag,
				...profiles.flatMap((profile) => profile.tags ?? []),
			]),
		];
		const meant = meaningOf(session, options.model, catalogue, table, prices);
		const rights = key && rightsOf(key.scopes, options.model);
		const accountRights = rightsOf(
			head.state("credits").accounts.get(account),
			options.model,
		);
		const stated = joinNeeds([
			needsIn(options.need),
			...profiles.map((profile) => profile.needs ?? {}),
		]);
		refuseUnknownClasses(needsIn(options.need), policy);
		const request: RouteRequest = {
			asked: meant.asked,
			account,
			...(key && { key: key.id }),
			...(tags.length > 0 && { tags }),
			...(rights && { rights: [rights] }),
			...(accountRights && { accountRights }),
			stated,
			inferred: infer({
				means: options.means ?? "generate",
				// As `infer` counts them: three bytes to a token.
				inputBytes: options.inputTokens * 3,
				messages: 1,
				last: options.step > 0 ? "tool" : "user",
				tools: options.tools,
				step: options.step,
				images: options.images,
				documents: options.documents,
				audio: 0,
				schema: options.schema === true,
				reasoning: options.reasoning ?? "none",
				logprobs: false,
				stream: options.stream === true,
				outputLimit: options.maxTokens,
			}),
			seed: 0,
		};
		const decision = createRouter().decide(
			request,
			meant.catalogue,
			policy,
			{ version: "none", of: new Map() },
			table,
			options.at ?? clock.now(),
		);
		const refusal = refusalOf(decision);
		const read = routingIn(session.config(), digest);
		if (
			read.said &&
			(read.policy.version !== policy.version ||
				read.table.version !== table.version)
		)
			session.note(`${session.errorStyle.yellow("warning:")} ${fileDiffers}`);
		session.result(decisionDocument(decision), () =>
			[
				...storyText(explainDecision(decision), session),
				...(refusal
					? [
							"",
							session.style.red(
								"Such a call is refused: nothing may answer it.",
							),
						]
					: []),
			].join("\n"),
		);
		return refusal ? exitCodes.refused : exitCodes.ok;
	});
}

/** A call's decision and what came of it. */
export async function explainRoute(
	session: Session,
	call: string,
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { log, digest } = ledger;
		const found = await findRoute(ledger, call);
		const { record, outcome } = found;
		const inputs = recordedInputs(log, digest);
		await inputs.look(record);
		const lines = orRefused(explain(record, inputs, createRouter()));
		session.result({ call, decision: record, story: lines, outcome }, () =>
			[...storyText(lines, session), ...storyText(outcome, session)].join("\n"),
		);
	});
}

interface ApplyOptions {
	readonly dryRun?: boolean;
	readonly force?: boolean;
}

/** Records what the settings say. With mistakes in them only when forced, as those stop calls. Exit code 1 when that is refused. */
export async function apply(
	session: Session,
	{ dryRun, force }: ApplyOptions,
): Promise<number> {
	const settings = session.config();
	return withLedger(session.home, async (ledger) => {
		const { head, digest } = ledger;
		const { catalogue } = await openCatalogue(session, ledger);
		const read = routingIn(settings, digest, catalogue);
		const { policy, table } = openDesk({
			state: () => head.state("routing"),
			catalogue,
			digest,
		}).current();
		const changes = settingsChanges({ policy, table }, read);
		const stops = [
			...read.wrong,
			...(read.said || changes.length === 0
				? []
				: [
						"config.yaml has no routing: section: applying that takes back all that was recorded.",
					]),
		];
		const refused = stops.length > 0 && !force && !dryRun;
		if (!dryRun && !refused) await applyRouting(ledger, read, "owner");
		session.result(
			{
				changes,
				problems: stops,
				idle: read.idle,
				applied: !dryRun && !refused,
				policy: read.policy.version,
				table: read.table.version,
			},
			() => {
				const { style, width = 100 } = session;
				const item = (text: string) =>
					`  ${wrap(harmless(text), width - 4, "    ")}`;
				return [
					changes.length === 0
						? "Nothing changes: what config.yaml says is in force."
						: dryRun || refused
							? `Would change:`
							: `Changed, and in force everywhere within a second:`,
					...changes.map(item),
					...(stops.length > 0
						? ["", style.red("To mend:"), ...stops.map(item)]
						: []),
					...(read.idle.length > 0
						? ["", style.yellow("To look at:"), ...read.idle.map(item)]
						: []),
					...(refused
						? [
								"",
								"Nothing was recorded. Mend it, or say that you accept it: dos route apply --force",
							]
						: []),
				].join("\n");
			},
		);
		return refused ? exitCodes.refused : exitCodes.ok;
	});
}

interface ProfileOptions {
	readonly need: readonly string[];
	readonly tag: readonly string[];
	readonly cache?: number;
	/** False where it is refused. */
	readonly shadow?: boolean;
	readonly clear?: boolean;
}

/** The same id, or refused: a misspelt one has no rights and no rules of its own. */
function knownAccount({ head }: Ledger, id: string): string {
	if (!head.state("credits").accounts.has(id))
		orRefused(
			refuse("account/unknown", `There is no account "${harmless(id)}".`),
		);
	return id;
}

/** What is given becomes the whole profile; without anything it is shown. */
export async function profile(
	session: Session,
	of: ProfileOf,
	named: string,
	options: ProfileOptions,
): Promise<void> {
	await withLedger(session.home, async (ledger) => {
		const { head } = ledger;
		const id =
			of === "key" ? findKey(ledger, named).id : knownAccount(ledger, named);
		const needs = needsIn(options.need);
		const given: Profile = {
			...(options.need.length > 0 && { needs }),
			...(options.tag.length > 0 && { tags: options.tag }),
			...(options.cache !== undefined && { cache: options.cache }),
			...(options.shadow === false && { shadow: false }),
		};
		const sets = Object.keys(given).length > 0;
		if (sets && options.clear)
			throw usage("--clear takes all of it back: give nothing else with it.");
		if (sets) {
			const read = readProfile(given);
			if (typeof read === "string") throw usage(`This is no profile: ${read}.`);
		}
		if (sets || options.clear)
			orRefused(
				await head.execute(
					"routing",
					{ type: "set-profile", of, id, ...(sets && { profile: given }) },
					{ actor: "operator" },
				),
			);
		const set = head.state("routing").profiles.get(`${of}/${id}`);
		session.result({ of, id, profile: set ?? null }, () =>
			set ? profileText(set) : `The ${of} brings nothing to its calls.`,
		);
	});
}

/** The catalogue as the settings make it now, and the prices in it. `overlay` stands in for what the settings say of it. */
export async function openCatalogue(
	session: Session,
	ledger?: Pick<Ledger, "head" | "log">,
	overlay?: SaidFacts,
): Promise<{
	readonly catalogue: CatalogueSnapshot;
	readonly prices: PriceBook;
}> {
	const { config } = session.config();
	const vendors = vendorsOf(config, session.environment);
	const prices = await openPrices(config, vendors);
	return {
		prices,
		catalogue: readCatalogue({
			config: overlay ? { ...config, catalogue: overlay } : config,
			vendors,
			prices,
			previous: ledger && (await recordedCatalogue(ledger)),
			digest: signatureChecks().digest,
			now: session.now(),
		}),
	};
}

/** The decision of a call, with the attempts that followed, and in words what came of it. */
async function findRoute(
	{ head, log }: Ledger,
	call: string,
): Promise<{
	readonly record: DecisionRecord;
	readonly outcome: readonly string[];
}> {
	const open = head.state("credits").holds.get(call);
	const [refused, resolved] = await Promise.all([
		log.findByKey([refusedKey(call)]),
		open ? [] : log.findByKey([resolutionKey(call)]),
	]);
	const [end] = resolved.map(readEvent);
	const position =
		refused[0]?.position ??
		open?.position ??
		(end?.data.held as { position: number } | undefined)?.position;
	const stored = position === undefined ? undefined : await log.at(position);
	if (!stored)
		return orRefused(
			refuse(
				"call/unknown",
				"The log has no such call. Its id stands on the statement and in the answer's x-dos-call-id.",
			),
		);
	const route = readEvent(stored).data.route as DecisionRecord | undefined;
	if (!route)
		return orRefused(
			refuse(
				"route/not-recorded",
				"This call has no recorded decision: it is of before calls were decided, or was not routed.",
			),
		);
	const attempts = end?.data.attempts as DecisionRecord["attempts"];
	return {
		record: { ...route, ...(attempts && { attempts }) },
		outcome: [outcomeOf(refused[0] ? undefined : end, open !== undefined)],
	};
}

function outcomeOf(
	end: ReturnType<typeof readEvent> | undefined,
	open: boolean,
): string {
	if (open) return "It is under way.";
	if (!end) return "It was refused, and nothing was sent or charged.";
	const { substrate, ending, amount, parts } = end.data as {
		substrate: string;
		ending?: string;
		amount?: number;
		parts?: readonly CostPart[];
	};
	if (parts)
		return `It was answered in parts (${ending}): ${parts.map(sayPart).join(", ")}. It cost ${amountText(amount ?? 0)}.`;
	if (end.type === "credits-settled")
		return `It was answered by ${substrate} (${ending}) and cost ${amountText(amount ?? 0)}.`;
	return `It was not answered (${ending ?? "its hold expired"}), and nothing was charged.`;
}

function sayPart({ substrate, after, cost }: CostPart): string {
	return `${after > 0 ? `from character ${after + 1} on ` : ""}by ${substrate} for ${amountText(cost)}`;
}

/** What a name means to the gateway: an alias of `models:`, what the router knows, or a substrate that no catalogue lists. */
function meaningOf(
	session: Session,
	model: string,
	catalogue: CatalogueSnapshot,
	table: Parameters<typeof readAsked>[2],
	prices: PriceBook,
): { readonly asked: Asked; readonly catalogue: CatalogueSnapshot } {
	const { config } = session.config();
	const name = Object.hasOwn(config.models, model)
		? (config.models[model] as string)
		: model;
	const listed = readAsked(name, catalogue, table);
	if (listed.ok) return { asked: listed.value, catalogue };
	const on = vendorsOf(config, session.environment)
		.filter((vendor) => vendor.on)
		.map(({ vendor }) => vendor.id);
	const slash = name.indexOf("/");
	const vendor = on.includes(name.slice(0, Math.max(0, slash)))
		? name.slice(0, slash)
		: on.find((id) => prices.models(id).some((each) => each.model === name));
	if (vendor === undefined) return orRefused(listed);
	const bare = name.startsWith(`${vendor}/`)
		? name.slice(vendor.length + 1)
		: name;
	const id = `${vendor}/${bare}`;
	return {
		asked: { kind: "substrate", id },
		catalogue: catalogue.substrates.some((facts) => facts.id === id)
			? catalogue
			: withUnlisted(catalogue, vendor, bare),
	};
}

/** Who may use a name may use what that stands for. */
function rightsOf(
	may: Pick<Scopes, "models"> = {},
	name: string,
): readonly string[] | undefined {
	return allowsModel(may, name) ? undefined : may.models;
}

/** The gateway refuses such a call as well; here whoever misspelt it hears which there are. */
function refuseUnknownClasses(
	{ sovereignty = [] }: StatedNeeds,
	{ classes }: Policy,
): void {
	const known = classes.map(({ id }) => id);
	const unknown = sovereignty.find((id) => !known.includes(id));
	if (unknown !== undefined)
		throw usage(
			`--need: there is no sovereignty class "${unknown}". There are ${known.join(", ")}.`,
		);
}

function needsIn(given: readonly string[]): StatedNeeds {
	const read = readNeedsHeader(given.join(","));
	if (read.ok) return read.value;
	throw usage(read.error.message.replace(/^x-dos-needs: /, "--need: "));
}

function decisionDocument(decision: Decision): unknown {
	const { at, request, order, catalogue, policy, table } = decision;
	const [winner] = order;
	return {
		at,
		request,
		catalogue,
		policy,
		table,
		winner: winner?.facts.id ?? null,
		order: order.map((choice) => {
			const { quality, cost } = decision.merits(choice);
			return {
				substrate: choice.facts.id,
				quality,
				...(cost !== undefined && { cost: Math.ceil(cost) }),
			};
		}),
		dropped: decision.dropped().filter(({ filter }) => filter !== "asked"),
		story: explainDecision(decision),
	};
}

function storyText(
	lines: readonly string[],
	{ width = 100, style }: Session,
): readonly string[] {
	return lines.map((line) => {
		const text = wrap(harmless(line), width, "  ");
		return / was dropped by /.test(line)
			? style.dim(text)
			: / won: /.test(line)
				? style.bold(text)
				: text;
	});
}

function profileText({ needs, tags, cache, shadow }: Profile): string {
	return pairs([
		...Object.entries(needs ?? {}).map(([name, value]): [string, string] => [
			name,
			harmless(Array.isArray(value) ? value.join(", ") : String(value)),
		]),
		...(tags ? [["tags", harmless(tags.join(", "))] as [string, string]] : []),
		...(cache !== undefined
			? [["cache", `${cache / 1000} s`] as [string, string]]
			: []),
		...(shadow === false ? [["shadow", "no"] as [string, string]] : []),
	]);
}
