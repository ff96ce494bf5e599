import type { JsonObject } from "../../kernel/event.ts";
import {
	type CatalogueSnapshot,
	type Fact,
	type Known,
	type SubstrateFacts,
	unlisted,
} from "../../ports/catalogue.ts";

/**
 * A catalogue as its event carries it, at a fifth of its size: what is unknown is left out, and who said a fact, on
 * which day, stands once for all facts of theirs. `unpackCatalogue` gives back the same facts.
 */
export function packCatalogue({
	version,
	substrates,
	off,
}: CatalogueSnapshot): JsonObject {
	const places = new Map<string, number>();
	const said: (readonly [source: string, date: string])[] = [];

	function packFact({ value, source, date }: Known<unknown>): PackedFact {
		const key = JSON.stringify([source, date]);
		let place = places.get(key);
		if (place === undefined) {
			place = said.length;
			places.set(key, place);
			said.push([source, date]);
		}
		return [value, place];
	}

	function packFacts(facts: object): Packed {
		const packed: Record<string, unknown> = {};
		for (const [name, fact] of Object.entries(facts)) {
			if (names.has(name)) packed[name] = fact;
			else if (isFact(fact)) {
				if (fact !== "unknown") packed[name] = packFact(fact);
			} else {
				const inner = packFacts(fact);
				if (Object.keys(inner).length > 0) packed[name] = inner;
			}
		}
		return packed;
	}

	return { version, substrates: substrates.map(packFacts), off, said };
}

/** The catalogue of an event. Facts of a kind that is not known here are left out: nothing here asks for them. */
export function unpackCatalogue(data: JsonObject): CatalogueSnapshot {
	const { version, substrates, off, said } = data as unknown as {
		readonly version: string;
		readonly substrates: readonly Packed[];
		readonly off: Readonly<Record<string, string>>;
		readonly said: readonly (readonly [source: string, date: string])[];
	};

	function unpackFacts<Facts extends object>(
		blank: Facts,
		packed: Packed,
	): Facts {
		const facts: Record<string, unknown> = { ...(blank as object) };
		for (const [name, unknown] of Object.entries(blank)) {
			const known = packed[name];
			if (known === undefined) continue;
			if (names.has(name)) facts[name] = known;
			else if (isFact(unknown)) {
				const [value, place] = known as PackedFact;
				const [source, date] = said[place] ?? ["", ""];
				facts[name] = { value, source, date };
			} else facts[name] = unpackFacts(unknown as object, known as Packed);
		}
		return facts as Facts;
	}

	return {
		version,
		substrates: substrates.map(
			(packed): SubstrateFacts => unpackFacts(unlisted("", ""), packed),
		),
		off,
	};
}

type PackedFact = readonly [value: unknown, said: number];
type Packed = Readonly<Record<string, unknown>>;

/** Of a substrate's members, those that are no facts. */
const names: ReadonlySet<string> = new Set(["id", "vendor", "model", "name"]);

function isFact(member: unknown): member is Fact<unknown> {
	return (
		member === "unknown" ||
		(typeof member === "object" && member !== null && "source" in member)
	);
}
