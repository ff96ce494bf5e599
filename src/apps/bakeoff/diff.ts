/** The lines in which two texts differ, as `diff -u` prints them; empty where they do not. */
export function unifiedDiff(
	before: string,
	after: string,
	name: string,
): string {
	const old = linesOf(before);
	const fresh = linesOf(after);
	const steps = stepsBetween(old, fresh);
	const hunks: string[] = [];
	for (let at = 0; at < steps.length; ) {
		if (steps[at]?.mark === " ") {
			at++;
			continue;
		}
		const begin = Math.max(0, at - context);
		let end = at;
		for (let quiet = 0; end < steps.length && quiet <= 2 * context; end++)
			quiet = steps[end]?.mark === " " ? quiet + 1 : 0;
		const last = steps.slice(0, end).findLastIndex(({ mark }) => mark !== " ");
		const hunk = steps.slice(begin, Math.min(steps.length, last + 1 + context));
		const [oldCount, newCount] = ["-", "+"].map(
			(other) =>
				hunk.filter(({ mark }) => mark === " " || mark === other).length,
		) as [number, number];
		const [first] = hunk as [Step];
		hunks.push(
			`@@ -${place(first.old, oldCount)} +${place(first.fresh, newCount)} @@`,
			...hunk.map(({ mark, text }) => `${mark}${text}`),
		);
		at = begin + hunk.length;
	}
	if (hunks.length === 0) return "";
	return [`--- ${name}`, `+++ ${name}`, ...hunks, ""].join("\n");
}

interface Step {
	readonly mark: " " | "-" | "+";
	readonly text: string;
	/** Lines of each text ahead of it. */
	readonly old: number;
	readonly fresh: number;
}

const context = 3;

/** What both begin and end with is left out of the table, so that its size is that of what changed. */
function stepsBetween(
	old: readonly string[],
	fresh: readonly string[],
): readonly Step[] {
	let head = 0;
	while (head < old.length && head < fresh.length && old[head] === fresh[head])
		head++;
	let tail = 0;
	while (
		tail < old.length - head &&
		tail < fresh.length - head &&
		old.at(-1 - tail) === fresh.at(-1 - tail)
	)
		tail++;
	const rows = old.length - tail;
	const columns = fresh.length - tail;
	/** Longest common rest of both from a place on. */
	const common = Array.from(
		{ length: rows - head + 1 },
		() => new Uint32Array(columns - head + 1),
	);
	for (let row = rows - 1; row >= head; row--)
		for (let column = columns - 1; column >= head; column--)
			(common[row - head] as Uint32Array)[column - head] =
				old[row] === fresh[column]
					? (common[row - head + 1]?.[column - head + 1] ?? 0) + 1
					: Math.max(
							common[row - head + 1]?.[column - head] ?? 0,
							common[row - head]?.[column - head + 1] ?? 0,
						);
	const steps: Step[] = [];
	let row = 0;
	let column = 0;
	while (row < old.length || column < fresh.length) {
		const same =
			row < head ||
			row >= rows ||
			(column < columns && old[row] === fresh[column]);
		const removes =
			row < rows &&
			(column >= columns ||
				(common[row - head + 1]?.[column - head] ?? 0) >=
					(common[row - head]?.[column - head + 1] ?? 0));
		const mark =
			same && !(row >= rows && column < columns) ? " " : removes ? "-" : "+";
		const text = (mark === "+" ? fresh[column] : old[row]) as string;
		steps.push({ mark, text, old: row, fresh: column });
		if (mark !== "+") row++;
		if (mark !== "-") column++;
	}
	return steps;
}

function linesOf(text: string): readonly string[] {
	if (text === "") return [];
	const lines = text.split("\n");
	if (lines.at(-1) === "") lines.pop();
	return lines;
}

/** An empty range stands behind the line before it. */
function place(before: number, count: number): string {
	const from = count === 0 ? before : before + 1;
	return count === 1 ? String(from) : `${from},${count}`;
}
