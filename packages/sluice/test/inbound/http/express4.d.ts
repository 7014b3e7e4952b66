/** Express 4 comes without types: for these tests it is like Express 5. */
declare module "express4" {
  import express from "express";
  export default express;
}
