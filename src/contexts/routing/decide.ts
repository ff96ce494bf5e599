import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type {
	CatalogueSnapshot,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import type { Rate } from "../../ports/price-book.ts";
import {
	asked as askedFilter,
	certain,
	cost as costFilter,
	filters,
	isNamed,
	type Question,
} from "./filters.ts";
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
	Selector,
	TableRow,
} from "./model.ts";
import {
	addPlace,
	allPlaces,
	countIn,
	keep,
	leave,
	noPlaces,
	type Places,
	placesIn,
} from "./places.ts";
import { type InForce, inForce, type Who } from "./postures.ts";
import { distinct, type Ladder, ladderOf, rankIn } from "./ranking.ts";
import { holds } from "./selectors.ts";
import { rowFor } from "./table.ts";
import { isWidened } from "./unlisted.ts";
import {
	type Choice,
	openShelf,
	openWorld,
	type Shelf,
	type World,
} from "./world.ts";

export type { Choice } from "./world.ts";

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
	/** Of one that may answer: what it was ranked by, beside its health. */
	merits(choice: Choice): {
		/** By the owner's grades; 0: it has none. */
		readonly quality: number;
		/** Expected, in micro-credits; undefined where its price is not known. */
		readonly cost: number | undefined;
	};
	/** In words, worked out when asked. */
	dropped(): readonly Dropped[];
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
		/** Triples of versions, and needs in each, that are remembered: some 15 KB for needs that 300 substrates meet. */
		readonly worlds?: number;
		readonly needs?: number;
	} = {},
): Router {
	const mostWorlds = options.worlds ?? 3;
	const mostNeeds = options.needs ?? 512;
	const listed: Memory = { shelves: new Map(), worlds: new Map() };
	/** Of names that no catalogue lists: however many are asked for, they drive out nothing else. */
	const passing: Memory = { shelves: new Map(), worlds: new Map() };
	/** What the call before was decided by: mostly the same objects. */
	let latest:
		| {
				readonly catalogue: CatalogueSnapshot;
				readonly policy: Policy;
				readonly table: OwnerTable;
				readonly known: Remembered;
		  }
		| undefined;

	function remembered(
		catalogue: CatalogueSnapshot,
		policy: Policy,
		table: OwnerTable,
	): Remembered {
		if (
			latest?.catalogue === catalogue &&
			latest.policy === policy &&
			latest.table === table
		)
			return latest.known;
		const key = JSON.stringify([
			catalogue.version,
			policy.version,
			table.version,
		]);
		const { shelves, worlds } = isWidened(catalogue.version) ? passing : listed;
		const known = recalled(worlds, mostWorlds, key, () => ({
			world: openWorld(
				recalled(shelves, mostWorlds, catalogue.version, () =>
					openShelf(catalogue),
				),
				policy,
				table,
			),
			bound: new Map(),
			needs: new Map(),
			standings: new Map(),
		}));
		latest = { catalogue, policy, table, known };
		return known;
	}

	function assessed(
		known: Remembered,
		request: RouteRequest,
		now: number,
	): Assessment {
		const { world, bound, needs } = known;
		const epoch = world.epoch(now);
		const { account, key, tags } = request;
		const binding = recalled(
			bound,
			mostBound,
			JSON.stringify([epoch, account, key, tags]),
			() => bindingOf(world, request, now),
		);
		return recalled(needs, mostNeeds, nameOf(request, epoch, binding), () =>
			assess(known, request, binding, now),
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

/** The grade that a verdict holds; undefined where it is a filter's. */
export function gradeOfVerdict(verdict: string): number | undefined {
	return gradesByCode[verdict.charCodeAt(0)];
}

const notAsked = askedFilter.code.charCodeAt(0);
const tooDear = costFilter.code.charCodeAt(0);

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
const mostStandings = 256;

interface Memory {
	readonly shelves: Map<string, Shelf>;
	readonly worlds: Map<string, Remembered>;
}

interface Remembered {
	readonly world: World;
	/** By who asks, and when. */
	readonly bound: Map<string, Binding>;
	readonly needs: Map<string, Assessment>;
	/** By postures in force and row of the table. */
	readonly standings: Map<string, Standing>;
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
	/** By place: codes of the filters that dropped each. */
	readonly codes: Uint8Array;
	readonly standing: Standing;
	/** Places. What follows is by place in this list. */
	readonly eligible: readonly number[];
	/** Expected, in micro-credits; infinite where its price is not known. */
	readonly costs: Float64Array;
	/** Ranks by cost for its quality. */
	readonly worths: Float64Array;
	/** What they are ranks among. */
	readonly ranks: Float64Array;
	readonly ladder: Ladder;
	/** The highest cost among them. */
	readonly dearest: number;
	ranking: Ranking | undefined;
	/** The ranking of a record, by its verdicts: those of one second are mostly the same. */
	graded: { readonly by: string; readonly ranking: Ranking } | undefined;
}

interface Ranking {
	readonly health: string;
	/** Of the ladder, the best first. */
	readonly keys: Float64Array;
	readonly order: readonly Choice[];
	readonly codes: Uint8Array;
	readonly verdicts: string;
}

/** All that an assessment stands on beside the world. What is not in here must not reach a filter or a rank. */
function nameOf(
	request: RouteRequest,
	epoch: number,
	{ name }: Binding,
): string {
	const { asked, rights, accountRights, unreachable, stated, inferred } =
		request;
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
		accountRights,
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
	{ world, standings }: Remembered,
	request: RouteRequest,
	{ inForce: bound, name }: Binding,
	now: number,
): Assessment {
	const { table, shelf } = world;
	const { stated, inferred } = request;
	const callType = stated.callType ?? inferred.callType;
	const difficulty = stated.difficulty ?? inferred.difficulty;
	const named = namedBy(request, world);
	const question: Question = {
		world,
		request,
		inForce: bound,
		quality: qualities(world, callType, named),
		at: now,
	};
	const codes = new Uint8Array(shelf.choices.length);
	const eligible = named
		? lookAt(named, question, codes)
		: sift(question, codes);
	const row = rowFor(table.rows, callType, difficulty);
	const standing = named
		? standingOf(world, bound, row, named)
		: recalled(
				standings,
				mostStandings,
				`${name}${row ? table.rows.indexOf(row) : ""}`,
				() => standingOf(world, bound, row, undefined),
			);
	const costs = new Float64Array(eligible.length);
	const worths = new Float64Array(eligible.length);
	let dearest = 0;
	for (let at = 0; at < eligible.length; at++) {
		const place = eligible[at] as number;
		const cost =
			expectedCost(factsAt(world, place), request, false) ??
			Number.POSITIVE_INFINITY;
		costs[at] = cost;
		worths[at] = worthOf(question, place, cost);
		dearest = Math.max(dearest, cost);
	}
	const ranks = distinct(worths);
	for (let at = 0; at < worths.length; at++)
		worths[at] = rankIn(ranks, worths[at] as number);
	return {
		question,
		codes,
		eligible,
		ladder: ladderOf(codes.length),
		standing,
		costs,
		worths,
		ranks,
		dearest,
		ranking: undefined,
		graded: undefined,
	};
}

/** Places of what a caller named, where those are few: they are looked at one by one, and nothing else is. */
function namedBy(
	{ asked }: RouteRequest,
	{ catalogue: { substrates } }: World,
): readonly number[] | undefined {
	if (asked.kind === "auto" || asked.kind === "alias") return undefined;
	const named: number[] = [];
	for (let place = 0; place < substrates.length; place++)
		if (isNamed(substrates[place] as SubstrateFacts, asked)) named.push(place);
	return named.length > few ? undefined : named;
}

const few = 4;

/** Marks each substrate with the code of the first filter that drops it, and gives the others. */
function sift(question: Question, codes: Uint8Array): readonly number[] {
	const left = allPlaces(codes.length);
	for (const filter of filters) {
		const places = filter.places(question, left);
		if (places === undefined) continue;
		const dropped = keep(left.slice(), places);
		leave(left, dropped);
		for (const place of placesIn(dropped))
			codes[place] = filter.code.charCodeAt(0);
	}
	return placesIn(left);
}

/** The same where all but some are not what was asked for. */
function lookAt(
	named: readonly number[],
	question: Question,
	codes: Uint8Array,
): readonly number[] {
	codes.fill(notAsked);
	return named.filter((place) => {
		const facts = factsAt(question.world, place);
		const by = filters.find(
			(filter) => filter.drops(facts, question, place) !== undefined,
		);
		if (by) codes[place] = by.code.charCodeAt(0);
		return by === undefined;
	});
}

function factsAt({ catalogue }: World, place: number): SubstrateFacts {
	return catalogue.substrates[place] as SubstrateFacts;
}

/** Those that a selector holds for, of those that count. */
function holding(
	world: World,
	selector: Selector,
	named: readonly number[] | undefined,
): Places {
	if (!named) return certain(world, selector);
	const places = noPlaces(world.shelf.choices.length);
	for (const place of named)
		if (holds(selector, factsAt(world, place)) === "yes")
			addPlace(places, place);
	return places;
}

function qualities(
	world: World,
	callType: string,
	named: readonly number[] | undefined,
): Uint16Array {
	const { shelf, table } = world;
	const quality = new Uint16Array(shelf.choices.length);
	for (const { callTypes, where, quality: grade } of table.grades) {
		if (callTypes && !callTypes.includes(callType)) continue;
		for (const place of placesIn(holding(world, where, named)))
			if (quality[place] === 0) quality[place] = grade;
	}
	return quality;
}

/** By place: lower goes first, by how many preferences of postures are met, then by the first preference of the table. */
type Standing = Float64Array;

function standingOf(
	world: World,
	{ postures }: InForce,
	row: TableRow | undefined,
	named: readonly number[] | undefined,
): Standing {
	const { length } = world.shelf.choices;
	const prefer = row?.prefer ?? [];
	const rows = new Uint32Array(length).fill(prefer.length);
	for (let at = prefer.length - 1; at >= 0; at--)
		for (const place of placesIn(holding(world, prefer[at] as Selector, named)))
			rows[place] = at;
	const met = countIn(
		postures.flatMap((posture) =>
			posture.prefer.map((selector) => holding(world, selector, named)),
		),
		length,
	);
	const standing = new Float64Array(length);
	for (let place = 0; place < length; place++)
		standing[place] =
			(rows[place] as number) - (met[place] as number) * (prefer.length + 1);
	const ranks = distinct(standing);
	for (let place = 0; place < length; place++)
		standing[place] = rankIn(ranks, standing[place] as number) >> 1;
	return standing;
}

/** Micro-credits for the tokens that are expected. An estimate to compare by: what is owed is priced elsewhere, exactly. */
function expectedCost(
	{ prices }: SubstrateFacts,
	{ inferred }: RouteRequest,
	cached: boolean,
): number | undefined {
	if (prices === "unknown") return undefined;
	const { input, output } = inferred;
	const full = rateFor(prices.value.input, input);
	const paid = cached
		? (rateFor(prices.value["cache-read"], input) ?? full)
		: full;
	const made = output === 0 ? 0 : rateFor(prices.value.output, input);
	if (paid === undefined || made === undefined) return undefined;
	return (input * paid) / 1_000_000 + (output * made) / 1_000_000;
}

function rateFor(
	rates: readonly Rate[] = [],
	input: number,
): number | undefined {
	for (let at = rates.length - 1; at >= 0; at--) {
		const { from, price } = rates[at] as Rate;
		if (input >= from) return price;
	}
	return undefined;
}

/** What has no grade counts as the worst, as nobody has said that it is any good. */
function worthOf({ quality }: Question, place: number, cost: number): number {
	return cost / Math.max(1, quality[place] as number);
}

function rank(
	assessment: Assessment,
	health: string,
	grade: (at: number) => number,
): Ranking {
	const { eligible, question, ladder, worths } = assessment;
	const { choices } = question.world.shelf;
	const codes = assessment.codes.slice();
	const keys = new Float64Array(eligible.length);
	for (let at = 0; at < eligible.length; at++) {
		const place = eligible[at] as number;
		const measured = grade(place);
		codes[place] = gradeCodes.charCodeAt(measured);
		keys[at] = keyOf(assessment, place, measured, worths[at] as number);
	}
	keys.sort();
	const order: Choice[] = [];
	for (const key of keys) order.push(choices[ladder.place(key)] as Choice);
	return { health, keys, order, codes, verdicts: textOf(codes) };
}

function keyOf(
	{ question, ladder, standing }: Assessment,
	place: number,
	grade: number,
	worth: number,
): number {
	const { latencyCeiling } = question.request.stated;
	return ladder.key(
		grade === resting,
		standing[place] as number,
		isFailing(grade) ||
			(latencyCeiling !== undefined && !isWithin(grade, latencyCeiling)),
		worth,
		speedOf(grade),
		place,
	);
}

function textOf(codes: Uint8Array): string {
	return String.fromCharCode.apply(undefined, codes as unknown as number[]);
}

/** What is of this very request: what it may cost, where its session is, and its seed. */
function conclude(
	assessment: Assessment,
	ranking: Ranking,
	request: RouteRequest,
	now: number,
): Decision {
	const { question } = assessment;
	const { world } = question;
	const { catalogue, policy, table } = world;
	const ceiling = ceilingOf(request);
	const affordable =
		assessment.dearest > ceiling
			? within(assessment, ranking, ceiling)
			: ranking;
	const { verdicts } = affordable;
	return {
		at: now,
		until: world.end(world.epoch(now)),
		request,
		catalogue: catalogue.version,
		policy: policy.version,
		table: table.version,
		health: ranking.health,
		order: arrange(assessment, affordable, request),
		verdicts,
		merits: ({ facts, place }) => ({
			quality: question.quality[place] as number,
			cost: expectedCost(facts, request, false),
		}),
		dropped: () => whyDropped(assessment, verdicts, ceiling),
	};
}

/** The same without those that cost too much. */
function within(
	{ eligible, costs }: Assessment,
	{ health, keys, order, codes: ranked }: Ranking,
	ceiling: number,
): Ranking {
	const codes = ranked.slice();
	for (let at = 0; at < eligible.length; at++)
		if (costFilter.isOver(costs[at], ceiling))
			codes[eligible[at] as number] = tooDear;
	const left: Choice[] = [];
	const leftKeys = new Float64Array(keys.length);
	for (let at = 0; at < order.length; at++) {
		const choice = order[at] as Choice;
		if (codes[choice.place] === tooDear) continue;
		leftKeys[left.length] = keys[at] as number;
		left.push(choice);
	}
	return {
		health,
		keys: leftKeys.subarray(0, left.length),
		order: left,
		codes,
		verdicts: textOf(codes),
	};
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
	assessment: Assessment,
	ranking: Ranking,
	request: RouteRequest,
): readonly Choice[] {
	const { order, keys, verdicts } = ranking;
	const { sticky, seed } = request;
	const { question, ladder, ranks } = assessment;
	const held =
		sticky === undefined
			? -1
			: order.findIndex(({ facts }) => facts.id === sticky);
	const choice = order[held];
	if (choice) {
		const cached =
			expectedCost(choice.facts, request, true) ?? Number.POSITIVE_INFINITY;
		const there = ladder.rung(
			keyOf(
				assessment,
				choice.place,
				gradeOfVerdict(verdicts.charAt(choice.place)) ?? 0,
				rankIn(ranks, worthOf(question, choice.place, cached)),
			),
		);
		const place = keys.findIndex(
			(key, at) => at === held || there <= ladder.rung(key),
		);
		if (place === 0 || place < held) {
			const moved = [...order];
			moved.splice(held, 1);
			moved.splice(place, 0, choice);
			return place === 0 ? moved : spread(ladder, keys, moved, seed, place);
		}
	}
	return spread(ladder, keys, order, seed, keys.length);
}

/** Rotates the equals at the head; `before` bounds them. */
function spread(
	{ rung }: Ladder,
	keys: Float64Array,
	order: readonly Choice[],
	seed: number,
	before: number,
): readonly Choice[] {
	const head = rung(keys[0] ?? 0);
	let equals = 1;
	while (equals < before && rung(keys[equals] as number) === head) equals++;
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

/**
 * What was made under a key, or is made now; the one that was not asked for the longest is forgotten for it. While
 * there is much room nobody minds the order: each change of it leaves a place behind in the map.
 */
function recalled<Value>(
	values: Map<string, Value>,
	most: number,
	key: string,
	make: () => Value,
): Value {
	const known = values.get(key);
	if (known !== undefined) {
		if (values.size * 2 > most) {
			values.delete(key);
			values.set(key, known);
		}
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
