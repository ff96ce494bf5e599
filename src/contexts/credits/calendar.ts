/** Calendar windows of caps: UTC days and months, as pure functions of milliseconds since 1970. */

const millisecondsPerDay = 86_400_000;

/** The largest time that calendars know: the end of what ECMAScript's Date can say. */
export const latestTime = 8_640_000_000_000_000;

/** Days since 1970. */
export function dayOf(time: number): number {
	return Math.floor(time / millisecondsPerDay);
}

/** Months since January 1970. */
export function monthOf(time: number): number {
	// Nearly every time asked for is in the month that the last one was in.
	if (time >= monthStarts && time < monthEnds) return lastMonth;
	let month = Math.floor(time / (30.436875 * millisecondsPerDay));
	while (startOfMonth(month) > time) month -= 1;
	while (startOfMonth(month + 1) <= time) month += 1;
	lastMonth = month;
	monthStarts = startOfMonth(month);
	monthEnds = startOfMonth(month + 1);
	return month;
}

/** The month found last, and what it is found by: nothing else is remembered, so answers stay the same. */
let lastMonth = 0;
let monthStarts = 0;
let monthEnds = 0;

/** The first millisecond after the day that `time` is in: when its day caps begin anew. */
export function endOfDay(time: number): number {
	return (dayOf(time) + 1) * millisecondsPerDay;
}

/** The first millisecond after the month that `time` is in. */
export function endOfMonth(time: number): number {
	return startOfMonth(monthOf(time) + 1);
}

function startOfMonth(month: number): number {
	return Date.UTC(1970, month, 1);
}
