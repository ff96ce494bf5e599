import { expect, it } from "vitest";
import { csv } from "./csv.ts";

it("is RFC 4180: commas, CRLF, quotes where they are needed", () => {
	expect(
		csv([
			["a", 1],
			['say "x"', "b,c"],
			["two\nlines", ""],
		]),
	).toBe('a,1\r\n"say ""x""","b,c"\r\n"two\nlines",\r\n');
});

it.each([
	"=1+1",
	"+1+1",
	"-1+1",
	"@SUM(A1)",
	"\t=1",
	"\r=1",
	"＝1",
	"-",
	"-1e3",
	"--1",
])("defuses the formula %j", (formula) =>
	expect(csv([[formula]])).toMatch(/^"?'/),
);

it.each(["-1", "-0.000001", "1000.5", "0"])(
	"leaves the number %s a number",
	(number) => expect(csv([[number]])).toBe(`${number}\r\n`),
);
