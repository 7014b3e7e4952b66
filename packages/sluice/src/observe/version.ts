/** Of this package: that of package.json, which cannot be read everywhere. A test compares them. */
export const version = "0.1.0";
