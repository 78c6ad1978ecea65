// Package lint holds the rules of this repository that the compiler does not
// know, written as tests so that `go test ./...` checks them.
//
// It contains nothing but tests, and no package may import it.
package lint
