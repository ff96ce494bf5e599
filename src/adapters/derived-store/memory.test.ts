import { derivedStoreContract } from "../../ports/derived-store.contract.ts";
import { memoryDerivedStore } from "./memory.ts";

derivedStoreContract("memory", memoryDerivedStore);
