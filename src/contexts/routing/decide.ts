import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type {
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import { cost as costFilter, filters, type Question } from "./filters.ts";
import {
	gradeOf,
	grades,
	isFailing,
	isWithin,
	resting,
	speedOf,
} from "./health.ts";
import type {
	Asked,
	HealthSnapshot,
	OwnerTable,
	Policy,
	RouteRequest,
} from "./model.ts";
import { type InForce, inForce, type Who } from "./postures.ts";
import { rowFor } from "./table.ts";
import { openWorld, type World } from "./world.ts";

/** Where a request may go, in which order, and why nowhere else. */
export interface Decision {
	readonly at: number;
	/** Under the same versions nothing else is allowed before this instant. */
	readonly until: number;
	readonly request: RouteRequest;
	readonly catalogue: string;
	readonly policy: string;
	readonly table: string;
	readonly health: string;
	/** All that may answer, the best first: what follows is the order of fallback, and there is nothing beside it. */
	readonly order: readonly Choice[];
	/** By place in the catalogue, a character each: the filter that dropped it, else the health that it was ranked with. */
	readonly verdicts: string;
	/** In words, worked out when asked. */
	dropped(): readonly Dropped[];
}

/** A substrate that may answer. */
export interface Choice {
	/** Its place in the catalogue. */
	readonly place: number;
	readonly facts: SubstrateFacts;
	/** How many preferences of postures it meets. */
	readonly preferred: number;
	/** The place of the first preference of the table that it meets. */
	readonly row: number;
	/** By the owner's grades; 0: it has none. */
	readonly quality: number;
	/** Expected, in micro-credits; undefined where its price is not known. */
	readonly cost: number | undefined;
	/** The same for a prompt that is cached there. */
	readonly cachedCost: number | undefined;
}

/** A substrate and the first filter that dropped it. */
export interface Dropped {
	readonly substrate: string;
	readonly filter: string;
	readonly why: string;
}

export type Decide = (
	request: RouteRequest,
	catalogue: CatalogueSnapshot,
	policy: Policy,
	health: HealthSnapshot,
	table: OwnerTable,
	now: number,
) => Decision;

export interface Router {
	/** The same answer to the same arguments, whatever was asked before: what is remembered only saves time. */
	readonly decide: Decide;
	/** The same with the health that a record holds in place of what was measured: verdicts by place in the catalogue. */
	decideGraded(
		request: RouteRequest,
		catalogue: CatalogueSnapshot,
		policy: Policy,
		health: { readonly version: string; readonly verdicts: string },
		table: OwnerTable,
		now: number,
	): Decision;
}

/**
 * Remembers what follows from the same versions and needs. Versions name their content: two contents under
 * one version would be taken for each other.
 */
export function createRouter(
	options: {
		/** Triples of versions, and needs in each, that are remembered: some 50 KB for needs that 300 substrates meet. */
		readonly worlds?: number;
		readonly needs?: number;
	} = {},
): Router {
	const mostWorlds = options.worlds ?? 3;
	const mostNeeds = options.needs ?? 512;
	const worlds = new Map<string, Remembered>();

	function remembered(
		catalogue: CatalogueSnapshot,
		policy: Policy,
		table: OwnerTable,
	): Remembered {
		const key = JSON.stringify([
			catalogue.version,
			policy.version,
			table.version,
		]);
		return recalled(worlds, mostWorlds, key, () => ({
			world: openWorld(catalogue, policy, table),
			bound: new Map(),
			needs: new Map(),
		}));
	}

	function assessed(
		{ world, bound, needs }: Remembered,
		request: RouteRequest,
		now: number,
	): Assessment {
		const epoch = world.epoch(now);
		const { account, key, tags } = request;
		const binding = recalled(
			bound,
			mostBound,
			JSON.stringify([epoch, account, key, tags]),
			() => bindingOf(world, request, now),
		);
		return recalled(needs, mostNeeds, keyOf(request, epoch, binding), () =>
			assess(world, request, binding.inForce, now),
		);
	}

	return {
		decide(request, catalogue, policy, health, table, now) {
			const { substrates } = catalogue;
			const known = remembered(catalogue, policy, table);
			const assessment = assessed(known, request, now);
			let ranking = assessment.ranking;
			if (ranking?.health !== health.version) {
				const { output } = request.inferred;
				ranking = rank(assessment, health.version, (at) =>
					gradeOf(health.of.get((substrates[at] as SubstrateFacts).id), output),
				);
				assessment.ranking = ranking;
			}
			return conclude(assessment, ranking, request, now);
		},
		decideGraded(request, catalogue, policy, health, table, now) {
			const known = remembered(catalogue, policy, table);
			const assessment = assessed(known, request, now);
			const { version, verdicts } = health;
			let graded = assessment.graded;
			// A record's verdicts are all of its health: a version may be anybody's word.
			if (graded?.by !== verdicts || graded.ranking.health !== version) {
				graded = {
					by: verdicts,
					ranking: rank(
						assessment,
						version,
						(at) => gradeOfVerdict(verdicts.charAt(at)) ?? 0,
					),
				};
				assessment.graded = graded;
			}
			return conclude(assessment, graded.ranking, request, now);
		},
	};
}

/** Without any memory: what a router must answer as well. */
export const decide: Decide = (...given) => createRouter().decide(...given);

/** What a name means here: `auto`, an alias, a substrate, or a model over any channel. Refuses with `model/unknown`. */
export function readAsked(
	name: string,
	catalogue: CatalogueSnapshot,
	table: OwnerTable,
): Outcome<Asked> {
	if (name === "auto") return accept({ kind: "auto" });
	if (Object.hasOwn(table.aliases, name))
		return accept({ kind: "alias", name });
	if (catalogue.substrates.some(({ id }) => id === name))
		return accept({ kind: "substrate", id: name });
	if (
		catalogue.substrates.some(
			(each) => each.name === name || each.model === name,
		)
	)
		return accept({ kind: "model", name });
	return refuse(
		"model/unknown",
		"No substrate, model or alias has this name. `dos catalog list` shows what there is; `auto` lets the router choose.",
		{ model: name.slice(0, 100) },
	);
}

/** What of an order a call may have gone to: by its id, or as its vendor has it, `vendor/model`. */
export function choiceOf(
	order: readonly Choice[],
	substrate: string | undefined,
): Choice | undefined {
	return (
		order.find(({ facts }) => facts.id === substrate) ??
		order.find(
			({ facts: { vendor, model } }) => `${vendor}/${model}` === substrate,
		)
	);
}

/** The filter's character for what it dropped, else the grade's. */
export function verdictOfGrade(grade: number): string {
	return gradeCodes.charAt(grade);
}

/** The grade that a verdict holds; undefined where it is a filter's. */
export function gradeOfVerdict(verdict: string): number | undefined {
	return gradesByCode[verdict.charCodeAt(0)];
}

/** Small letters, digits and five more: filters have capitals. */
const gradeCodes = "0123456789abcdefghijklmnopqrstuvwxyz-_.~!".slice(0, grades);

const gradesByCode: readonly (number | undefined)[] = Array.from(
	{ length: 128 },
	(_, code) => {
		const grade = gradeCodes.indexOf(String.fromCharCode(code));
		return grade < 0 ? undefined : grade;
	},
);

/** Callers whose postures are remembered. */
const mostBound = 4096;

interface Remembered {
	readonly world: World;
	/** By who asks, and when. */
	readonly bound: Map<string, Binding>;
	readonly needs: Map<string, Assessment>;
}

/** The postures in force for somebody, and a name that all share for whom it is the same ones. */
interface Binding {
	readonly inForce: InForce;
	readonly name: string;
}

function bindingOf(world: World, who: Who, now: number): Binding {
	const { policy } = world;
	const bound = inForce(policy, who, now);
	return {
		inForce: bound,
		name: JSON.stringify([
			bound.postures.map((posture) => policy.postures.indexOf(posture)),
			bound.stops,
		]),
	};
}

/** What follows from versions and needs, without health, money at hand, session and seed. */
interface Assessment {
	readonly question: Question;
	/** The filter that dropped each substrate, or a space. */
	readonly codes: readonly string[];
	readonly eligible: readonly Choice[];
	/** The highest cost among them; infinite where one is not known. */
	readonly dearest: number;
	ranking: Ranking | undefined;
	/** The ranking of a record, by its verdicts: those of one second are mostly the same. */
	graded: { readonly by: string; readonly ranking: Ranking } | undefined;
}

interface Ranked {
	readonly choice: Choice;
	readonly rests: boolean;
	readonly unfit: boolean;
	readonly costPerQuality: number;
	readonly speed: number;
}

interface Ranking {
	readonly health: string;
	readonly ranked: readonly Ranked[];
	readonly order: readonly Choice[];
	readonly verdicts: string;
}

/** All that an assessment stands on beside the world. What is not in here must not reach a filter or a rank. */
function keyOf(
	request: RouteRequest,
	epoch: number,
	{ name }: Binding,
): string {
	const { asked, rights, unreachable, stated, inferred } = request;
	const named =
		asked.kind === "substrate"
			? asked.id
			: asked.kind === "auto"
				? ""
				: asked.name;
	return JSON.stringify([
		epoch,
		asked.kind,
		named,
		name,
		rights,
		unreachable,
		stated.callType ?? inferred.callType,
		stated.difficulty ?? inferred.difficulty,
		stated.qualityFloor,
		stated.latencyCeiling,
		stated.sovereignty,
		stated.channels,
		stated.capabilities,
		inferred.means,
		inferred.capabilities,
		inferred.input,
		inferred.output,
	]);
}

function assess(
	world: World,
	request: RouteRequest,
	bound: InForce,
	now: number,
): Assessment {
	const { catalogue, table } = world;
	const { stated, inferred, asked } = request;
	const callType = stated.callType ?? inferred.callType;
	const quality = qualities(world, callType);
	const question: Question = {
		world,
		request,
		inForce: bound,
		barred: bound.postures.map(world.barred),
		outside: (stated.sovereignty ?? []).map(world.outside),
		meant:
			asked.kind === "alias"
				? (table.aliases[asked.name] ?? []).map(world.holding)
				: undefined,
		quality,
		at: now,
	};
	const prefers = bound.postures
		.flatMap(({ prefer }) => prefer)
		.map(world.holding);
	const rows = (
		rowFor(table.rows, callType, stated.difficulty ?? inferred.difficulty)
			?.prefer ?? []
	).map(world.holding);
	const codes: string[] = [];
	const eligible: Choice[] = [];
	for (const [at, facts] of catalogue.substrates.entries()) {
		const by = filters.find(
			(filter) => filter.drops(facts, question, at) !== undefined,
		);
		codes.push(by?.code ?? " ");
		if (by) continue;
		const row = rows.findIndex((each) => each[at] === 1);
		eligible.push({
			place: at,
			facts,
			preferred: prefers.filter((each) => each[at] === 1).length,
			row: row < 0 ? rows.length : row,
			quality: quality[at] as number,
			cost: expectedCost(facts, request, false),
			cachedCost: expectedCost(facts, request, true),
		});
	}
	// As far as health does not change it, so that ranking finds it nearly in order.
	eligible.sort(
		(one, other) =>
			compareStanding(one, other) ||
			compareNumbers(
				costPerQuality(one, one.cost),
				costPerQuality(other, other.cost),
			),
	);
	return {
		question,
		codes,
		eligible,
		dearest: eligible.reduce(
			(most, { cost = Number.POSITIVE_INFINITY }) => Math.max(most, cost),
			0,
		),
		ranking: undefined,
		graded: undefined,
	};
}

function qualities(world: World, callType: string): Uint16Array {
	const { catalogue, table } = world;
	const quality = new Uint16Array(catalogue.substrates.length);
	for (const { callTypes, where, quality: grade } of table.grades) {
		if (callTypes && !callTypes.includes(callType)) continue;
		for (const [at, holds] of world.holding(where).entries())
			if (holds && quality[at] === 0) quality[at] = grade;
	}
	return quality;
}

/** Micro-credits for the tokens that are expected. An estimate to compare by: what is owed is priced elsewhere, exactly. */
function expectedCost(
	{ prices }: SubstrateFacts,
	{ inferred }: RouteRequest,
	cached: boolean,
): number | undefined {
	if (prices === "unknown") return undefined;
	const { input, output } = inferred;
	const rate = (
		rates: readonly { from: number; price: number }[] | undefined,
	) => rates?.findLast(({ from }) => input >= from)?.price;
	const full = rate(prices.value.input);
	const paid = cached ? (rate(prices.value["cache-read"]) ?? full) : full;
	const made = output === 0 ? 0 : rate(prices.value.output);
	if (paid === undefined || made === undefined) return undefined;
	return (input * paid) / 1_000_000 + (output * made) / 1_000_000;
}

function rank(
	assessment: Assessment,
	health: string,
	grade: (at: number) => number,
): Ranking {
	const { eligible, codes, question } = assessment;
	const { latencyCeiling } = question.request.stated;
	const verdicts = [...codes];
	const ranked = eligible.map((choice) => {
		const measured = grade(choice.place);
		verdicts[choice.place] = verdictOfGrade(measured);
		return rankOf(choice, measured, latencyCeiling, choice.cost);
	});
	ranked.sort(
		(one, other) =>
			compare(one, other) || one.choice.place - other.choice.place,
	);
	return {
		health,
		ranked,
		order: ranked.map(({ choice }) => choice),
		verdicts: verdicts.join(""),
	};
}

function rankOf(
	choice: Choice,
	grade: number,
	latencyCeiling: number | undefined,
	cost: number | undefined,
): Ranked {
	return {
		choice,
		rests: grade === resting,
		unfit:
			isFailing(grade) ||
			(latencyCeiling !== undefined && !isWithin(grade, latencyCeiling)),
		costPerQuality: costPerQuality(choice, cost),
		speed: speedOf(grade),
	};
}

/** What has no price comes last; what has no grade counts as the worst, as nobody has said that it is any good. */
function costPerQuality({ quality }: Choice, cost: number | undefined): number {
	return cost === undefined
		? Number.POSITIVE_INFINITY
		: cost / Math.max(1, quality);
}

/** Below zero where the first is better. Equals are alike in all that matters, and calls are spread over them. */
function compare(one: Ranked, other: Ranked): number {
	return (
		Number(one.rests) - Number(other.rests) ||
		compareStanding(one.choice, other.choice) ||
		Number(one.unfit) - Number(other.unfit) ||
		compareNumbers(one.costPerQuality, other.costPerQuality) ||
		one.speed - other.speed
	);
}

/** By what postures prefer, then by the owner's table. */
function compareStanding(one: Choice, other: Choice): number {
	return other.preferred - one.preferred || one.row - other.row;
}

/** Infinite ones too. */
function compareNumbers(one: number, other: number): number {
	return one === other ? 0 : one < other ? -1 : 1;
}

/** What is of this very request: what it may cost, where its session is, and its seed. */
function conclude(
	assessment: Assessment,
	ranking: Ranking,
	request: RouteRequest,
	now: number,
): Decision {
	const { question } = assessment;
	const { catalogue, policy, table } = question.world;
	const ceiling = ceilingOf(request);
	let { ranked, order, verdicts } = ranking;
	const affordable =
		assessment.dearest > ceiling
			? ranked.filter(({ choice }) => !costFilter.isOver(choice.cost, ceiling))
			: ranked;
	if (affordable.length < ranked.length) {
		verdicts = withCost(verdicts, ranked, ceiling);
		ranked = affordable;
		order = affordable.map(({ choice }) => choice);
	}
	return {
		at: now,
		until: question.world.end(question.world.epoch(now)),
		request,
		catalogue: catalogue.version,
		policy: policy.version,
		table: table.version,
		health: ranking.health,
		order: arrange(ranked, order, verdicts, request),
		verdicts,
		dropped: () => whyDropped(assessment, verdicts, ceiling),
	};
}

/** The verdicts, where some of those that were ranked cost too much. */
function withCost(
	verdicts: string,
	ranked: readonly Ranked[],
	ceiling: number,
): string {
	const over = new Uint8Array(verdicts.length);
	for (const { choice } of ranked)
		if (costFilter.isOver(choice.cost, ceiling)) over[choice.place] = 1;
	let marked = "";
	for (let place = 0; place < verdicts.length; place++)
		marked += over[place] ? costFilter.code : verdicts[place];
	return marked;
}

function ceilingOf({ stated, budget }: RouteRequest): number {
	return Math.min(
		stated.costCeiling ?? Number.POSITIVE_INFINITY,
		budget ?? Number.POSITIVE_INFINITY,
	);
}

/**
 * Moves a session's substrate to where it stands at the price of a cached prompt, before its equals. Else the
 * equals at the head take turns by the seed.
 */
function arrange(
	ranked: readonly Ranked[],
	order: readonly Choice[],
	verdicts: string,
	{ sticky, seed, stated }: RouteRequest,
): readonly Choice[] {
	const [head] = ranked;
	if (!head) return order;
	if (sticky !== undefined) {
		const held = ranked.findIndex(({ choice }) => choice.facts.id === sticky);
		const found = ranked[held];
		if (found) {
			const { choice } = found;
			const there = rankOf(
				choice,
				gradeOfVerdict(verdicts.charAt(choice.place)) ?? 0,
				stated.latencyCeiling,
				choice.cachedCost,
			);
			const place = ranked.findIndex(
				(each) => each === found || compare(there, each) <= 0,
			);
			if (place === 0 || place < held) {
				const moved = [...order];
				moved.splice(held, 1);
				moved.splice(place, 0, choice);
				return place === 0 ? moved : spread(ranked, moved, seed, place);
			}
		}
	}
	return spread(ranked, order, seed, ranked.length);
}

/** Rotates the equals at the head; `before` bounds them. */
function spread(
	ranked: readonly Ranked[],
	order: readonly Choice[],
	seed: number,
	before: number,
): readonly Choice[] {
	const head = ranked[0] as Ranked;
	let equals = 1;
	while (equals < before && compare(head, ranked[equals] as Ranked) === 0)
		equals++;
	const turn = Math.abs(seed) % equals;
	if (turn === 0) return order;
	return [
		...order.slice(turn, equals),
		...order.slice(0, turn),
		...order.slice(equals),
	];
}

function whyDropped(
	{ question }: Assessment,
	verdicts: string,
	ceiling: number,
): readonly Dropped[] {
	const { catalogue } = question.world;
	const dropped: Dropped[] = [];
	for (const [at, facts] of catalogue.substrates.entries()) {
		const code = verdicts.charAt(at);
		const filter = filters.find((each) => each.code === code);
		const why = filter
			? filter.drops(facts, question, at)
			: code === costFilter.code
				? costFilter.why(expectedCost(facts, question.request, false), ceiling)
				: undefined;
		if (why !== undefined)
			dropped.push({
				substrate: facts.id,
				filter: filter?.name ?? costFilter.name,
				why,
			});
	}
	return dropped;
}

/** What was made under a key, or is made now; the one that was not asked for the longest is forgotten for it. */
function recalled<Value>(
	values: Map<string, Value>,
	most: number,
	key: string,
	make: () => Value,
): Value {
	const known = values.get(key);
	if (known !== undefined) {
		values.delete(key);
		values.set(key, known);
		return known;
	}
	const made = make();
	if (values.size >= most) {
		const [oldest] = values.keys();
		if (oldest !== undefined) values.delete(oldest);
	}
	values.set(key, made);
	return made;
}
