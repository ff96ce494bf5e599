import type { DerivedStore, Saved } from "../../ports/derived-store.ts";

/** Derived state that lives as long as the process. */
export function memoryDerivedStore(): DerivedStore {
	const saves = new Map<string, Saved>();
	return {
		async load(name) {
			return saves.get(name);
		},
		async save(name, saved) {
			saves.set(name, Object.freeze({ ...saved }));
		},
		async names() {
			return [...saves.keys()].sort();
		},
		async clear(name) {
			if (name === undefined) saves.clear();
			else saves.delete(name);
		},
	};
}
