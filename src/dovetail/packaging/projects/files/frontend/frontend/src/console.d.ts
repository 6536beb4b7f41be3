// What the console puts into the page.
declare function t(key: string, values?: Record<string, unknown>): string;
