// Package acceptance works the built binary as its users do: over HTTP and by
// its subcommands, on both databases. It has only tests, and imports nothing of
// the product but the throw-away database to test on.
package acceptance
