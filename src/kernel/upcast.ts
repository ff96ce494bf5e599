import type { DomainEvent, JsonObject } from "./event.ts";

/** Turns the data of an event type that is no longer written into what is written today. */
export type Upcaster = (data: JsonObject) => {
	readonly type: string;
	readonly data: JsonObject;
};

/** Reads old events as today's. */
export interface Upcast {
	(event: DomainEvent): DomainEvent;
	/** The types that it turns into others: who reads only some types of the log asks for these as well. */
	readonly types: readonly string[];
}

/**
 * Events never change shape: a new meaning is a new type, and an old one is turned into it on reading.
 * Steps are followed until a type has no upcaster. The stored bytes and their hashes stay as they are.
 */
export function upcaster(steps: Readonly<Record<string, Upcaster>>): Upcast {
	const known = new Map(Object.entries(steps));
	const upcast = (event: DomainEvent): DomainEvent => {
		let current = event;
		for (
			let step = known.get(current.type);
			step;
			step = known.get(current.type)
		) {
			current = { ...current, ...step(current.data) };
		}
		return current;
	};
	return Object.assign(upcast, { types: [...known.keys()] });
}
