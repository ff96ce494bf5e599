import type { Health } from "./model.ts";

/**
 * Health as a decision uses it: a few steps, so that a record can hold it and small changes of what is measured
 * do not shake routes. A grade is a whole number below `grades`.
 */
export const grades = 41;

/** The grade of what rests. */
export const resting: number = grades - 1;

/** Milliseconds of a whole answer: the upper bound of each step but the last. Step 0 is: not measured. */
const bounds = [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000] as const;

/** Failed calls in 10,000 from which each step on begins. */
export const errorSteps: readonly number[] = [100, 500, 2000];

/** What is expected of a call with so many tokens out. */
export function gradeOf(health: Health | undefined, output: number): number {
	if (!health) return 0;
	if (health.resting) return resting;
	const { errors = 0 } = health;
	let step = 0;
	while (step < errorSteps.length && errors >= (errorSteps[step] as number))
		step++;
	return speed(health, output) * 4 + step;
}

/** 0: not measured; 1 is the fastest. */
export function speedOf(grade: number): number {
	return grade === resting ? bounds.length + 1 : grade >> 2;
}

/** A fifth of its calls fails, or more. */
export function isFailing(grade: number): boolean {
	return grade !== resting && (grade & 3) === errorSteps.length;
}

/** Whether an answer is expected within so many milliseconds. What was not measured is not. */
export function isWithin(grade: number, ceiling: number): boolean {
	const step = speedOf(grade);
	const bound = bounds[step - 1];
	return bound !== undefined && bound <= ceiling;
}

/** `answers in 1000 to 2000 ms, at least 5 % of calls failing`. */
export function describeHealth(grade: number): string {
	if (grade === resting) return "resting: it gets probes, and no traffic";
	const step = speedOf(grade);
	const from = bounds[step - 2];
	const to = bounds[step - 1];
	const pace =
		step === 0
			? "not measured"
			: to === undefined
				? `answers in ${from} ms or more`
				: `answers in ${from ?? 0} to ${to} ms`;
	const failing = errorSteps[(grade & 3) - 1];
	return failing === undefined
		? pace
		: `${pace}, at least ${failing / 100} % of calls failing`;
}

function speed({ firstByte, throughput }: Health, output: number): number {
	if (firstByte === undefined) return 0;
	const total = firstByte + (throughput ? (output * 1000) / throughput : 0);
	let step = 0;
	while (step < bounds.length && total >= (bounds[step] as number)) step++;
	return step + 1;
}
