/** The old clients ship no types; their one function is cast where it is used. */
declare module "socket.io-client-1" {
  const open: unknown;
  export default open;
}
declare module "socket.io-client-2" {
  const open: unknown;
  export default open;
}
