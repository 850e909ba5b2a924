/** Owns how large a body or a WebSocket frame may be, on every wire. Ten thousand characters fit, each written as two escapes of JSON. */
export const maxSentBytes = 128 * 1024;
export const maxSent = "128 KiB";
