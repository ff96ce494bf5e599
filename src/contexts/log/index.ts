export { type Deciders, type Head, type HeadOptions, type Intent, openHead, type Recorded } from "./head.ts";
