import { describe, expect, it } from "vitest";
import {
	addPlace,
	allPlaces,
	countIn,
	hasPlace,
	join,
	keep,
	leave,
	noPlaces,
	type Places,
	placesIn,
	placesWhere,
} from "./places.ts";

const of = (size: number, ...members: number[]): Places =>
	placesWhere(size, (place) => members.includes(place));

describe("places", () => {
	it.each([0, 1, 31, 32, 33, 64, 100])(
		"all of %d are all there are",
		(size) => {
			const each = Array.from({ length: size }, (_, place) => place);
			expect(placesIn(allPlaces(size))).toEqual(each);
			expect(placesIn(noPlaces(size))).toEqual([]);
			expect(placesWhere(size, () => true)).toEqual(allPlaces(size));
			expect(noPlaces(size)).toHaveLength(Math.ceil(size / 32));
		},
	);

	it("are those that were added, each by itself", () => {
		const places = noPlaces(70);
		for (const place of [69, 0, 31, 32, 31]) addPlace(places, place);
		expect(placesIn(places)).toEqual([0, 31, 32, 69]);
		for (let place = 0; place < 70; place++)
			expect(hasPlace(places, place)).toBe([0, 31, 32, 69].includes(place));
	});

	it("are joined and parted in place", () => {
		const some = () => of(66, 1, 31, 40, 65);
		const others = of(66, 1, 2, 40, 64);
		const both = some();
		expect(placesIn(join(both, others))).toEqual([1, 2, 31, 40, 64, 65]);
		expect(placesIn(both)).toHaveLength(6);
		const common = some();
		expect(placesIn(keep(common, others))).toEqual([1, 40]);
		expect(placesIn(common)).toHaveLength(2);
		const rest = some();
		expect(placesIn(leave(rest, others))).toEqual([31, 65]);
		expect(placesIn(rest)).toHaveLength(2);
		expect(placesIn(others)).toEqual([1, 2, 40, 64]);
	});

	it("are counted, by how many sets have them", () => {
		const all = [of(34, 0, 33), of(34, 33), of(34, 31, 32, 33)];
		const counts = countIn(all, 34);
		expect([...counts.slice(0, 2), ...counts.slice(30)]).toEqual([
			1, 0, 0, 1, 1, 3,
		]);
		expect([...countIn([], 2)]).toEqual([0, 0]);
	});
});
