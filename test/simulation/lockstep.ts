import type { DerivedStore } from "../../src/ports/derived-store.ts";
import type { Ahead, EventLog, LogHead } from "../../src/ports/event-log.ts";

/** Lets what is asked of a real store happen one thing at a time, in the order it was asked for: so its speed decides nothing. */
export interface Lockstep {
	log(log: EventLog): EventLog;
	derived(store: DerivedStore): DerivedStore;
	/** Carries out what waits, and all that follows from it. */
	settle(): Promise<void>;
}

export function lockstep(): Lockstep {
	const asked: (() => Promise<void>)[] = [];
	let turn: Promise<unknown> = Promise.resolve();

	/** A file has one writer at a time, whatever is written: here every store has. */
	function inTurn<T>(work: () => Promise<T>): Promise<T> {
		const mine = turn.then(work);
		turn = mine.catch(() => {});
		return mine;
	}

	function inStep<T>(work: () => T | Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			asked.push(async () => {
				try {
					resolve(await work());
				} catch (fault) {
					reject(fault);
				}
			});
		});
	}

	async function* steps<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
		const iterator = source[Symbol.asyncIterator]();
		for (;;) {
			const next = await inStep(() => iterator.next());
			if (next.done) return;
			yield next.value;
		}
	}

	return {
		log(log) {
			async function write<T>(
				work: (head: LogHead) => T | Promise<T>,
				ahead: Ahead | undefined,
			): Promise<T> {
				const begun = Promise.withResolvers<LogHead>();
				const ended = Promise.withResolvers<T>();
				let whole: Promise<T> | undefined;
				const head = await inStep(() => {
					whole = log.write((inner) => {
						begun.resolve(inner);
						return ended.promise;
					}, ahead);
					whole.catch(begun.reject);
					return begun.promise;
				});
				// Throws and results alike go through the log, which rolls back or commits.
				Promise.resolve(headInStep(head))
					.then(work)
					.then(ended.resolve, ended.reject);
				await ended.promise.catch(() => {});
				return inStep(() => whole as Promise<T>);
			}

			return {
				...log,
				write: (work, ahead) => inTurn(() => write(work, ahead)),
				tip: () => inStep(() => log.tip()),
				read: (...args) => steps(log.read(...args)),
				scan: (...args) => steps(log.scan(...args)),
				at: (position) => inStep(() => log.at(position)),
				findByKey: (keys) => inStep(() => log.findByKey(keys)),
			};
		},
		derived: (store) => ({
			load: (name) => inStep(() => store.load(name)),
			save: (name, saved) =>
				inTurn(() => inStep(() => store.save(name, saved))),
			names: () => inStep(() => store.names()),
			clear: (name) => inTurn(() => inStep(() => store.clear(name))),
		}),
		async settle() {
			do {
				// The event loop goes on to this only when no promise is left to settle.
				await new Promise((resolve) => void setImmediate(resolve));
				await asked.shift()?.();
			} while (asked.length > 0 || (await afterwards()));
		},
	};

	/** Whether what was carried out last led to more. */
	async function afterwards(): Promise<boolean> {
		await new Promise((resolve) => void setImmediate(resolve));
		return asked.length > 0;
	}

	function headInStep(head: LogHead): LogHead {
		return {
			get tip() {
				return head.tip;
			},
			after: (position) => inStep(() => head.after(position)),
			versions: (streams) => inStep(() => head.versions(streams)),
			findByKey: (keys) => inStep(() => head.findByKey(keys)),
			append: (events) => inStep(() => head.append(events)),
		};
	}
}
