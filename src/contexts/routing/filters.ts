import type {
	Capabilities,
	Fact,
	SubstrateFacts,
} from "../../ports/catalogue.ts";
import type { Meaning } from "../../ports/wire-protocol.ts";
import type { Asked, Capability, RouteRequest, Selector } from "./model.ts";
import {
	addPlace,
	allPlaces,
	hasPlace,
	join,
	leave,
	noPlaces,
	type Places,
	placesIn,
	placesWhere,
} from "./places.ts";
import { barredBy, type InForce, whyBarred } from "./postures.ts";
import { describe, holds, patternOf, touches } from "./selectors.ts";
import { outsideOf, whyOutside } from "./sovereignty.ts";
import type { Shelf, World } from "./world.ts";

/** One request in one world, with all that its filters look at. */
export interface Question {
	readonly world: World;
	readonly request: RouteRequest;
	readonly inForce: InForce;
	/** Quality by the owner's grades, 0 where none fits; by substrate. */
	readonly quality: Uint16Array;
	/** Any instant of the epoch: filters cannot tell one from another. */
	readonly at: number;
}

/** A hard rule. Nothing that comes after may bring back what it drops. */
export interface Filter {
	readonly name: string;
	/** One character that stands for it in records: never given another meaning. */
	readonly code: string;
	/** Why it drops a substrate, in words; undefined where it does not. */
	drops(
		facts: SubstrateFacts,
		question: Question,
		place: number,
	): string | undefined;
	/**
	 * The same of many at once, without the words: those of `among` that it drops, and maybe others that were
	 * dropped before; undefined: none. What it gives is never changed.
	 */
	places(question: Question, among: Places): Places | undefined;
}

export const asked: Filter = {
	name: "asked",
	code: "A",
	drops: (facts, { request, world }) =>
		isMeant(facts, request.asked, world)
			? undefined
			: "it is not what was asked for",
	places(question, among) {
		const { world, request } = question;
		const { asked } = request;
		if (asked.kind === "auto") return undefined;
		if (asked.kind !== "alias")
			return where(question, among, (facts) => !isNamed(facts, asked));
		const stray = allPlaces(world.shelf.columns.size);
		for (const selector of aliased(world, asked.name))
			leave(stray, certain(world, selector));
		return stray;
	},
};

function isMeant(facts: SubstrateFacts, asked: Asked, world: World): boolean {
	if (asked.kind === "auto") return true;
	if (asked.kind !== "alias") return isNamed(facts, asked);
	return aliased(world, asked.name).some(
		(selector) => holds(selector, facts) === "yes",
	);
}

/** Whether a substrate is the one, or of the model, that a caller named. */
export function isNamed(
	{ id, name, model }: SubstrateFacts,
	asked: Extract<Asked, { readonly kind: "substrate" | "model" }>,
): boolean {
	return asked.kind === "substrate"
		? id === asked.id
		: name === asked.name || model === asked.name;
}

function aliased({ table }: World, name: string): readonly Selector[] {
	return table.aliases[name] ?? [];
}

const reach: Filter = {
	name: "reach",
	code: "B",
	drops({ vendor }, { world, request }) {
		const { off } = world.catalogue;
		if (Object.hasOwn(off, vendor)) return `its vendor is off: ${off[vendor]}`;
		return request.unreachable?.includes(vendor)
			? "it cannot be spoken to from the client's protocol"
			: undefined;
	},
	places(question, among) {
		const { world, request } = question;
		const { off, substrates } = world.catalogue;
		const silent = world.shelf.once(off, () =>
			placesWhere(substrates.length, (place) =>
				Object.hasOwn(off, (substrates[place] as SubstrateFacts).vendor),
			),
		);
		if (request.unreachable === undefined) return silent;
		const unreachable = new Set(request.unreachable);
		return join(
			where(question, among, ({ vendor }) => unreachable.has(vendor)),
			silent,
		);
	},
};

const keyRights: Filter = {
	name: "rights",
	code: "C",
	drops: (_, { request, world }, place) =>
		isWithin(request.rights, world.shelf, place)
			? undefined
			: "the key may not use it",
	places: (question, among) =>
		outsideRights(question.request.rights, question, among),
};

const accountRights: Filter = {
	name: "account",
	code: "L",
	drops: (_, { request: { accountRights }, world }, place) =>
		accountRights && !isWithin([accountRights], world.shelf, place)
			? "the account may not use it"
			: undefined,
	places(question, among) {
		const { accountRights } = question.request;
		return accountRights && outsideRights([accountRights], question, among);
	},
};

const sovereignty: Filter = {
	name: "sovereignty",
	code: "D",
	drops(facts, { request, world }) {
		for (const id of request.stated.sovereignty ?? []) {
			const why = whyOutside(id, world.policy.classes, facts);
			if (why !== undefined) return why;
		}
		return undefined;
	},
	places: ({ request, world }) =>
		joined(request.stated.sovereignty ?? [], world.shelf, (id) =>
			world.once(`class ${id}`, () =>
				outsideOf(id, world.policy.classes, world.shelf.columns),
			),
		),
};

const channel: Filter = {
	name: "channel",
	code: "E",
	drops({ channel }, { request }) {
		const { channels } = request.stated;
		if (channels === undefined) return undefined;
		const wanted = `only ${channels.join(" or ") || "none"} may be used`;
		if (channel === "unknown") return `its channel is not known, and ${wanted}`;
		return channels.includes(channel.value)
			? undefined
			: `its channel is ${channel.value}, and ${wanted}`;
	},
	places(question, among) {
		const { channels } = question.request.stated;
		return (
			channels &&
			where(
				question,
				among,
				({ channel }) =>
					channel === "unknown" || !channels.includes(channel.value),
			)
		);
	},
};

const posture: Filter = {
	name: "posture",
	code: "F",
	drops(facts, { inForce, world }, place) {
		const [stop] = inForce.stops;
		if (stop)
			return `the posture "${stop.id}" stops every call in its scope, as ${stop.problem}`;
		for (const each of inForce.postures) {
			const made = world.shelf.made(each);
			// Words are looked for where there are any.
			if (made && !hasPlace(made, place)) continue;
			const why = whyBarred(each, facts);
			if (why !== undefined) return why;
		}
		return undefined;
	},
	places({ inForce, world }, among) {
		if (inForce.stops.length > 0) return among;
		return joined(inForce.postures, world.shelf, (each) =>
			world.shelf.once(each, () => barredBy(each, world.shelf.columns)),
		);
	},
};

const capability: Filter = {
	name: "capability",
	code: "G",
	drops({ capabilities }, { request, quality }, place) {
		const { stated, inferred, asked } = request;
		const chosen = isChosen(asked);
		const cannot = lacksMeans(capabilities, inferred.means, chosen);
		if (cannot) return `it ${cannot} ${inferred.means}`;
		for (const need of stated.capabilities ?? []) {
			const why = abilities[need](capabilities, false);
			if (why) return `it ${why} ${need}`;
		}
		for (const need of inferred.capabilities) {
			const why = abilities[need](capabilities, chosen);
			if (why) return `it ${why} ${need}`;
		}
		const { qualityFloor } = stated;
		const graded = quality[place] as number;
		if (qualityFloor !== undefined && graded < qualityFloor)
			return `its grade is ${graded || "not known"}, and at least ${qualityFloor} is asked for`;
		return undefined;
	},
	places(question, among) {
		const { request, quality, world } = question;
		const { stated, inferred, asked } = request;
		const chosen = isChosen(asked);
		const { size } = world.shelf.columns;
		const { substrates } = world.catalogue;
		const lacking = (
			name: string,
			chosen: boolean,
			lacks: (capabilities: Capabilities, chosen: boolean) => Lack,
		): Places =>
			world.once(`${name} ${chosen}`, () =>
				placesWhere(
					size,
					(place) =>
						lacks(
							(substrates[place] as SubstrateFacts).capabilities,
							chosen,
						) !== undefined,
				),
			);
		const dropped = noPlaces(size);
		join(
			dropped,
			lacking(`means ${inferred.means}`, chosen, (capabilities) =>
				lacksMeans(capabilities, inferred.means, chosen),
			),
		);
		for (const need of stated.capabilities ?? [])
			join(dropped, lacking(need, false, abilities[need]));
		for (const need of inferred.capabilities)
			join(dropped, lacking(need, chosen, abilities[need]));
		const { qualityFloor = 0 } = stated;
		return join(
			dropped,
			where(
				question,
				among,
				(_, place) => (quality[place] as number) < qualityFloor,
			),
		);
	},
};

const context: Filter = {
	name: "context",
	code: "H",
	drops({ capabilities }, { request }) {
		const { input, output } = request.inferred;
		const narrow = isNarrow(capabilities, request);
		if (narrow)
			return `some ${input} tokens in and ${output} out ${narrow === notKnown ? "may not fit: its context is not known" : `do not fit its context of ${shown(capabilities.context)}`}`;
		const short = isShort(capabilities, request);
		return short
			? `${output} tokens out ${short === notKnown ? "may be too many: its limit is not known" : `are more than its limit of ${shown(capabilities.outputLimit)}`}`
			: undefined;
	},
	places: (question, among) =>
		where(
			question,
			among,
			({ capabilities }) =>
				isNarrow(capabilities, question.request) !== undefined ||
				isShort(capabilities, question.request) !== undefined,
		),
};

const lifecycle: Filter = {
	name: "lifecycle",
	code: "I",
	drops: ({ lifecycle }, { world, at }, place) =>
		(world.shelf.gone[place] as number) <= at
			? `it is gone since ${shown(lifecycle.goneOn)}`
			: undefined,
	places: (question, among) =>
		where(
			question,
			among,
			(_, place) => (question.world.shelf.gone[place] as number) <= question.at,
		),
};

const killed: Filter = {
	name: "killed",
	code: "J",
	drops(facts, { world }) {
		const by = world.table.killed.find(
			(selector: Selector) => touches(selector, facts) !== "no",
		);
		return by && `the owner switched off ${describe(by)}`;
	},
	places: ({ world: { table, shelf } }) =>
		shelf.once(table.killed, () =>
			joined(table.killed, shelf, (selector) =>
				shelf.columns.possible(selector),
			),
		),
};

/** In this order; the first that drops a substrate is the one that is told. The ceiling on cost comes after all of them. */
export const filters: readonly Filter[] = [
	asked,
	reach,
	keyRights,
	accountRights,
	sovereignty,
	channel,
	posture,
	capability,
	context,
	lifecycle,
	killed,
];

/** The last filter: what has no price keeps no ceiling. */
export const cost = {
	name: "cost",
	code: "K",
	isOver: (expected: number | undefined, ceiling: number): boolean =>
		!((expected ?? Number.POSITIVE_INFINITY) <= ceiling),
	why: (expected: number | undefined, ceiling: number): string =>
		expected === undefined
			? `its price is not known, and ${ceiling} micro-credits are the most`
			: `some ${Math.ceil(expected)} micro-credits are expected, and ${ceiling} are the most`,
} as const;

/** Those that a selector holds for. Never changed. */
export function certain({ shelf }: World, selector: Selector): Places {
	return shelf.once(selector, () => shelf.columns.certain(selector));
}

/** Those of `among` for which a test holds. */
function where(
	{ world }: Question,
	among: Places,
	test: (facts: SubstrateFacts, place: number) => boolean,
): Places {
	const { substrates } = world.catalogue;
	const found = noPlaces(world.shelf.columns.size);
	for (const place of placesIn(among))
		if (test(substrates[place] as SubstrateFacts, place))
			addPlace(found, place);
	return found;
}

/** All that any of the rules drops. */
function joined<Rule>(
	rules: readonly Rule[],
	shelf: Shelf,
	dropped: (rule: Rule) => Places,
): Places {
	const all = noPlaces(shelf.columns.size);
	for (const rule of rules) join(all, dropped(rule));
	return all;
}

/** Whether each of the lists has a pattern for it. */
function isWithin(
	rights: readonly (readonly string[])[] = [],
	shelf: Shelf,
	place: number,
): boolean {
	const names = shelf.names()[place] as readonly string[];
	return rights.every((patterns) =>
		patterns.some((pattern) => names.some(patternOf(pattern))),
	);
}

function outsideRights(
	rights: readonly (readonly string[])[] | undefined,
	question: Question,
	among: Places,
): Places | undefined {
	if (rights === undefined) return undefined;
	const names = question.world.shelf.names();
	const lists = rights.map((patterns) => patterns.map(patternOf));
	return where(
		question,
		among,
		(_, place) =>
			!lists.every((patterns) =>
				patterns.some((fits) => (names[place] as readonly string[]).some(fits)),
			),
	);
}

const notKnown = "is not known for";

type Lack = "has no" | typeof notKnown | undefined;

/** Who names a substrate or a model has chosen it: of what merely follows from the request, only a clear no counts. */
function isChosen({ kind }: Asked): boolean {
	return kind === "substrate" || kind === "model";
}

function lacks<T>(
	fact: Fact<T>,
	chosen: boolean,
	good: (value: T) => boolean,
): Lack {
	if (fact === "unknown") return chosen ? undefined : notKnown;
	return good(fact.value) ? undefined : "has no";
}

const isTrue = (value: boolean): boolean => value;

function lacksMeans(
	{ means }: Capabilities,
	wanted: Meaning,
	chosen: boolean,
): Lack {
	return lacks(means, chosen, (all) => all.includes(wanted));
}

/** Images and sound are bounded otherwise than by tokens. */
function isInTokens({ inferred }: RouteRequest): boolean {
	return inferred.means === "generate" || inferred.means === "embed";
}

function isNarrow({ context }: Capabilities, request: RouteRequest): Lack {
	const { input, output } = request.inferred;
	return isInTokens(request)
		? lacks(context, isChosen(request.asked), (most) => input + output <= most)
		: undefined;
}

function isShort({ outputLimit }: Capabilities, request: RouteRequest): Lack {
	const { output } = request.inferred;
	return isInTokens(request)
		? lacks(outputLimit, isChosen(request.asked), (most) => output <= most)
		: undefined;
}

/** A yes or no of the facts. */
const flag =
	(of: (capabilities: Capabilities) => Fact<boolean>) =>
	(capabilities: Capabilities, chosen: boolean): Lack =>
		lacks(of(capabilities), chosen, isTrue);

/** Something that it takes beside text. */
const takes =
	(kind: string) =>
	({ inputs }: Capabilities, chosen: boolean): Lack =>
		lacks(inputs, chosen, (kinds) => kinds.includes(kind));

const abilities: Readonly<
	Record<Capability, (capabilities: Capabilities, chosen: boolean) => Lack>
> = {
	tools: flag(({ tools }) => tools),
	"json-schema": flag(({ jsonSchema }) => jsonSchema),
	reasoning: flag(({ reasoning }) => reasoning),
	caching: flag(({ caching }) => caching),
	logprobs: flag(({ logprobs }) => logprobs),
	streaming: flag(({ streaming }) => streaming),
	image: takes("image"),
	document: takes("document"),
	audio: takes("audio"),
};

function shown(fact: Fact<unknown>): string {
	return fact === "unknown" ? "unknown" : String(fact.value);
}
