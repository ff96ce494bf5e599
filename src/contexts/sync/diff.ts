/** Differences of texts by line, as a person reads them. */

/** Lines `from` to `to` (exclusive) of the left text stand for those of the right. */
export interface Hunk {
	readonly left: readonly [from: number, to: number];
	readonly right: readonly [from: number, to: number];
}

/** Beyond so many changed lines the shortest script is no longer looked for: one hunk says it all. */
const mostEdits = 2_000;

/** The changed parts, in order: the shortest way from one text to the other (Myers). */
export function diffLines(
	left: readonly string[],
	right: readonly string[],
): readonly Hunk[] {
	let start = 0;
	let leftEnd = left.length;
	let rightEnd = right.length;
	while (start < leftEnd && start < rightEnd && left[start] === right[start])
		start++;
	while (
		leftEnd > start &&
		rightEnd > start &&
		left[leftEnd - 1] === right[rightEnd - 1]
	) {
		leftEnd--;
		rightEnd--;
	}
	const n = leftEnd - start;
	const m = rightEnd - start;
	if (n === 0 && m === 0) return [];
	const whole: Hunk = { left: [start, leftEnd], right: [start, rightEnd] };
	if (n === 0 || m === 0) return [whole];

	const most = Math.min(n + m, mostEdits);
	const furthest = new Int32Array(2 * most + 3);
	const middle = most + 1;
	const trail: Int32Array[] = [];
	let edits = -1;
	search: for (let d = 0; d <= most; d++) {
		for (let k = -d; k <= d; k += 2) {
			let x =
				k === -d ||
				(k !== d &&
					(furthest[middle + k - 1] as number) <
						(furthest[middle + k + 1] as number))
					? (furthest[middle + k + 1] as number)
					: (furthest[middle + k - 1] as number) + 1;
			let y = x - k;
			while (x < n && y < m && left[start + x] === right[start + y]) {
				x++;
				y++;
			}
			furthest[middle + k] = x;
			if (x >= n && y >= m) {
				trail.push(furthest.slice(middle - d - 1, middle + d + 2));
				edits = d;
				break search;
			}
		}
		trail.push(furthest.slice(middle - d - 1, middle + d + 2));
	}
	if (edits < 0) return [whole];

	const hunks: Hunk[] = [];
	const add = (x: number, y: number, nextX: number, nextY: number) => {
		const last = hunks.at(-1);
		if (last && last.left[0] === nextX && last.right[0] === nextY)
			hunks[hunks.length - 1] = {
				left: [x, last.left[1]],
				right: [y, last.right[1]],
			};
		else hunks.push({ left: [x, nextX], right: [y, nextY] });
	};
	let x = n;
	let y = m;
	for (let d = edits; d > 0; d--) {
		// Of the step before: its diagonals run from -(d-1) to d-1, after one entry of margin.
		const before = trail[d - 1] as Int32Array;
		const at = (k: number) => before[k + d] as number;
		const k = x - y;
		const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
		const fromK = down ? k + 1 : k - 1;
		const fromX = at(fromK);
		const fromY = fromX - fromK;
		const stepX = down ? fromX : fromX + 1;
		const stepY = down ? fromY + 1 : fromY;
		add(start + fromX, start + fromY, start + stepX, start + stepY);
		x = fromX;
		y = fromY;
	}
	return hunks.reverse();
}

export interface DiffNames {
	readonly left: string;
	readonly right: string;
}

/** A unified diff with three lines around each change; "" when the texts agree. */
export function unifiedDiff(
	left: string,
	right: string,
	names: DiffNames,
): string {
	const leftLines = splitLines(left);
	const rightLines = splitLines(right);
	const hunks = diffLines(leftLines, rightLines);
	if (hunks.length === 0) return "";
	const around = 3;
	const groups: Hunk[][] = [];
	for (const hunk of hunks) {
		const last = groups.at(-1)?.at(-1);
		if (last && hunk.left[0] - last.left[1] <= 2 * around)
			groups.at(-1)?.push(hunk);
		else groups.push([hunk]);
	}
	const lines = [`--- ${names.left}`, `+++ ${names.right}`];
	for (const group of groups) {
		const first = group[0] as Hunk;
		const last = group.at(-1) as Hunk;
		const from = Math.max(0, first.left[0] - around);
		const to = Math.min(leftLines.length, last.left[1] + around);
		const rightFrom = first.right[0] - (first.left[0] - from);
		const rightTo = last.right[1] + (to - last.left[1]);
		lines.push(`@@ -${range(from, to)} +${range(rightFrom, rightTo)} @@`);
		let at = from;
		for (const hunk of group) {
			while (at < hunk.left[0]) lines.push(...shown(" ", leftLines, at++));
			for (; at < hunk.left[1]; at++) lines.push(...shown("-", leftLines, at));
			for (let r = hunk.right[0]; r < hunk.right[1]; r++)
				lines.push(...shown("+", rightLines, r));
		}
		while (at < to) lines.push(...shown(" ", leftLines, at++));
	}
	return `${lines.join("\n")}\n`;
}

function range(from: number, to: number): string {
	const count = to - from;
	const start = count === 0 ? from : from + 1;
	return count === 1 ? String(start) : `${start},${count}`;
}

function shown(
	mark: string,
	lines: readonly string[],
	at: number,
): readonly string[] {
	const line = lines[at] as string;
	return line.endsWith("\n")
		? [mark + line.slice(0, -1)]
		: [mark + line, "\\ No newline at end of file"];
}

/** Each with its line break. */
export function splitLines(text: string): readonly string[] {
	return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Whether a person could read it as text. */
export function isText(bytes: Uint8Array): boolean {
	return !bytes.subarray(0, 8_192).includes(0);
}

export interface Merged {
	readonly text: string;
	readonly conflicts: number;
}

/**
 * Joins what two sides did to one base. Where both changed the same lines differently, both stand between
 * markers. Without a base, every difference is such a place.
 */
export function mergeTexts(
	base: string | undefined,
	ours: string,
	theirs: string,
	names: DiffNames,
): Merged {
	const left = splitLines(ours);
	const right = splitLines(theirs);
	let conflicts = 0;
	const conflict = (
		ourPart: readonly string[],
		theirPart: readonly string[],
	): string => {
		conflicts++;
		const closed = (lines: readonly string[]) => {
			const text = lines.join("");
			return text === "" || text.endsWith("\n") ? text : `${text}\n`;
		};
		return `<<<<<<< ${names.left}\n${closed(ourPart)}=======\n${closed(theirPart)}>>>>>>> ${names.right}\n`;
	};
	let text = "";
	if (base === undefined) {
		let at = 0;
		for (const hunk of diffLines(left, right)) {
			text += left.slice(at, hunk.left[0]).join("");
			text += conflict(left.slice(...hunk.left), right.slice(...hunk.right));
			at = hunk.left[1];
		}
		return { text: text + left.slice(at).join(""), conflicts };
	}
	const origin = splitLines(base);
	const ourHunks = diffLines(origin, left);
	const theirHunks = diffLines(origin, right);
	let at = 0;
	let o = 0;
	let t = 0;
	let ourShift = 0;
	let theirShift = 0;
	while (o < ourHunks.length || t < theirHunks.length) {
		const from = Math.min(
			ourHunks[o]?.left[0] ?? Number.POSITIVE_INFINITY,
			theirHunks[t]?.left[0] ?? Number.POSITIVE_INFINITY,
		);
		let to = from;
		let ourChanged = false;
		let theirChanged = false;
		const ourStart = from + ourShift;
		const theirStart = from + theirShift;
		// Whatever touches grows into one region.
		for (let grown = true; grown; ) {
			grown = false;
			for (
				let hunk = ourHunks[o];
				hunk && (hunk.left[0] <= to || hunk.left[0] === from);
				hunk = ourHunks[o]
			) {
				to = Math.max(to, hunk.left[1]);
				ourShift = hunk.right[1] - hunk.left[1];
				ourChanged = grown = true;
				o++;
			}
			for (
				let hunk = theirHunks[t];
				hunk && (hunk.left[0] <= to || hunk.left[0] === from);
				hunk = theirHunks[t]
			) {
				to = Math.max(to, hunk.left[1]);
				theirShift = hunk.right[1] - hunk.left[1];
				theirChanged = grown = true;
				t++;
			}
		}
		text += origin.slice(at, from).join("");
		const ourPart = left.slice(ourStart, to + ourShift);
		const theirPart = right.slice(theirStart, to + theirShift);
		if (!theirChanged || ourPart.join("") === theirPart.join(""))
			text += ourPart.join("");
		else if (!ourChanged) text += theirPart.join("");
		else text += conflict(ourPart, theirPart);
		at = to;
	}
	return { text: text + origin.slice(at).join(""), conflicts };
}
