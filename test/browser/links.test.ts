import { expect, test } from "vitest";
import { findLinks } from "../../web/src/chat/links.ts";

const linked = (text: string) => findLinks(text).map((link) => link.text);

test.each([
  ["見て https://example.com/a。ありがとう", "https://example.com/a"],
  ["请看 https://example.com/b，谢谢", "https://example.com/b"],
  ["見てhttps://example.com/c、続き", "https://example.com/c"],
  ["資料（https://example.com/d）です", "https://example.com/d"],
  ["「https://example.com/e」を読む", "https://example.com/e"],
  ["『https://example.com/f』", "https://example.com/f"],
  ["【https://example.com/g】", "https://example.com/g"],
  ["《https://example.com/h》", "https://example.com/h"],
  ["https://example.com/i（説明）", "https://example.com/i"],
  ["https://example.com/j「引用」", "https://example.com/j"],
  ["看 https://example.com/k！真的？", "https://example.com/k"],
  ["https://example.com/l：说明；https", "https://example.com/l"],
  ["https://example.com/m｡", "https://example.com/m"],
  ["انظر https://example.com/n، ثم", "https://example.com/n"],
  ["https://example.com/o؟", "https://example.com/o"],
  ["देखो https://example.com/p।", "https://example.com/p"],
  ["“https://example.com/q” said", "https://example.com/q"],
  ["„https://example.com/r“, sagte sie", "https://example.com/r"],
  ["»https://example.com/s« und «https", "https://example.com/s"],
  ["‘https://example.com/t’.", "https://example.com/t"],
  ["see https://example.com/u. Thanks", "https://example.com/u"],
  ["wait for https://example.com/v… or not", "https://example.com/v"],
  ["really, https://example.com/w?!", "https://example.com/w"],
  ["(https://example.com/x)", "https://example.com/x"],
  ["(see https://example.com/y).", "https://example.com/y"],
  ["[note](https://example.com/z), and", "https://example.com/z"],
  ["https://example.com/open (bracket", "https://example.com/open"],
  ["https://example.com/open.(bracket", "https://example.com/open"],
])("the address in %j ends where the sentence goes on", (text, address) => {
  expect(linked(text)).toEqual([address]);
});

test.each([
  "https://ja.wikipedia.org/wiki/日本語",
  "https://ja.wikipedia.org/wiki/サクラ_(曖昧さ回避)",
  "https://ja.wikipedia.org/wiki/トム・クルーズ",
  "https://zh.wikipedia.org/wiki/苹果（公司）",
  "https://en.wikipedia.org/wiki/Michelson–Morley_experiment",
  "https://fr.wikipedia.org/wiki/L’Équipe",
  "https://en.wikipedia.org/wiki/Rust_(programming_language)#History",
  "https://example.com/a,b;c:d!e?q=[1]&r={2}&s=a.b",
  "https://web.archive.org/web/2020/https://example.com/",
  "http://[::1]:5000/",
  "HTTPS://EXAMPLE.COM/",
])("%s is one address, whole, and names its host", (address) => {
  expect(findLinks(`look: ${address} there`)).toEqual([{ text: address, index: 6, host: undefined }]);
});

test.each([
  ["a name before the host", "https://bank.example@evil.example/"],
  ["a name and a password", "https://bank.example:443@evil.example/"],
  ["a text that runs backwards inside", "https://evil.example/\u202Egpj.exe"],
  ["an isolate inside", "https://evil.example/\u2067a\u2069b"],
  ["a mark of direction inside", "https://evil.example/\u200Fa"],
  ["a zero-width space inside", "https://bank.\u200Bexample/"],
  ["a zero-width joiner inside", "https://ba\u200Dnk.example/"],
  ["a soft hyphen inside", "https://ba\u00ADnk.example/"],
  ["a byte order mark inside", "https://example.com/a\uFEFFb"],
  ["a filler of Hangul inside", "https://bank.example\u3164.evil.example/"],
  ["a tag character inside", "https://example.com/a\u{E0041}b"],
])("no link: %s", (_, text) => {
  expect(linked(`see ${text} now`)).toEqual([]);
});

test.each([
  ["https://аpple.com/", "xn--pple-43d.com"],
  ["https://münchen.example/", "xn--mnchen-3ya.example"],
  ["https://ｅｖｉｌ.example/", "evil.example"],
  ["https://%65vil.example/", "evil.example"],
  ["https://2130706433/", "127.0.0.1"],
  ["https:///evil.example", "evil.example"],
  ["https://bank.example\u2044login.evil.example/", "bank.xn--examplelogin-xk0g.evil.example"],
])("%j says which host it opens", (address, host) => {
  expect(findLinks(address)).toEqual([{ text: address, index: 0, host }]);
});

test("a mark of direction behind an address is no part of it, and two addresses are two", () => {
  expect(linked("\u200Ehttps://example.com/a\u200E https://example.com:443/b,https://example.com/c")).toEqual([
    "https://example.com/a",
    "https://example.com:443/b,https://example.com/c",
  ]);
});
