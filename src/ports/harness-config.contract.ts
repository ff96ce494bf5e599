import { describe, expect, it } from "vitest";
import type { Outcome } from "../kernel/outcome.ts";
import type {
	HarnessConfig,
	HarnessLink,
	HarnessPlace,
	HarnessPlan,
} from "./harness-config.ts";

/** What every harness's configuration promises. */
export function harnessConfigContract(
	name: string,
	make: () => HarnessConfig,
): void {
	describe(`harness configuration: ${name}`, () => {
		const link: HarnessLink = {
			url: "https://gateway.example.com",
			key: "dos_sk_secret",
			model: "vendor/model",
			models: ["other"],
		};
		const place: HarnessPlace = {
			user: "/users/ada",
			environment: {},
			exists: () => false,
		};
		const planned = (outcome: Outcome<HarnessPlan>): HarnessPlan => {
			if (!outcome.ok) throw new Error(outcome.error.message);
			return outcome.value;
		};

		it("has an id to type, and a model to ask for or none of its own", () => {
			const { id, needsModel, usualModel } = make();
			expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
			if (needsModel) expect(usualModel).toBeUndefined();
		});

		it("carries the address and the key, in files below the person's folder, in variables or in steps", () => {
			const { files, shell, steps } = planned(make().plan(place, link));
			const said = [
				...files.flatMap(({ settings }) => settings.map(({ value }) => value)),
				...Object.values(shell ?? {}),
				...steps,
			].join("\n");
			expect(said).toContain(link.url);
			expect(said).toContain(link.key);
			for (const { path } of files)
				expect(path.startsWith("/users/ada/")).toBe(true);
		});

		it("stays inside a project, or refuses to be set there", () => {
			const plan = make().plan({ ...place, project: "/work/site" }, link);
			if (!plan.ok) expect(plan.error.code).toBe("harness/no-project");
			else
				for (const { path } of plan.value.files)
					expect(path.startsWith("/work/site/")).toBe(true);
		});

		it("sets no value twice, and none inside another", () => {
			for (const { settings } of planned(make().plan(place, link)).files) {
				const paths = settings.map(({ path }) => JSON.stringify(path));
				expect(new Set(paths).size).toBe(paths.length);
				for (const one of paths)
					for (const other of paths)
						expect(
							one !== other && other.startsWith(`${one.slice(0, -1)},`),
						).toBe(false);
			}
		});

		it("says where the model stands, and writes it there", () => {
			const { files, model } = planned(make().plan(place, link));
			if (!model) return expect(files).toEqual([]);
			const written = files
				.find(({ path }) => path === model.file)
				?.settings.find(({ path }) => path.join() === model.path.join());
			expect(written?.value).toBe(`${model.prefix ?? ""}${link.model}`);
		});

		it("plans the same again", () => {
			expect(make().plan(place, link)).toEqual(make().plan(place, link));
		});
	});
}
