// Package viewscript runs the scripts of custom views. A script is JavaScript that
// analysts write, so nothing of it is trusted: it runs in a process of its own, which
// has no way to files, network or clock, and which is killed if it takes too much time
// or memory.
//
// It knows no database and no log: events are handed in, rows are asked for and given
// back.
package viewscript

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"

	"github.com/chatledger/chatledger/domain/customview"
)

// fileName is what scripts are called in messages about them.
const fileName = "view.js"

// Check returns the refusal that the script of a definition deserves, or nil. It runs
// nothing of it.
func Check(d customview.Definition) error {
	_, err := compile(d.Script)
	return err
}

// compile returns what runs, or why nothing can.
func compile(script string) (*goja.Program, error) {
	// A source map would be a file to read.
	tree, err := parser.ParseFile(nil, fileName, script, 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, customview.ErrScript.With("the script is not understood: " + parseError(err))
	}
	if !declares(tree, "apply") {
		return nil, customview.ErrNoApply
	}
	p, err := goja.CompileAST(tree, true)
	if err != nil {
		return nil, customview.ErrScript.With("the script is not understood: " + parseError(err))
	}
	return p, nil
}

// parseError returns the first of the errors, with its line.
func parseError(err error) string {
	if list, ok := errors.AsType[parser.ErrorList](err); ok && len(list) > 0 {
		return brief(fmt.Sprintf("line %d, column %d: %s", list[0].Position.Line, list[0].Position.Column, list[0].Message))
	}
	if syntax, ok := errors.AsType[*goja.CompilerSyntaxError](err); ok && syntax.File != nil {
		at := syntax.File.Position(syntax.Offset)
		return brief(fmt.Sprintf("line %d, column %d: %s", at.Line, at.Column, syntax.Message))
	}
	return brief(err.Error())
}

// declares reports whether a script has a name at its top.
func declares(tree *ast.Program, name string) bool {
	for _, st := range tree.Body {
		switch st := st.(type) {
		case *ast.FunctionDeclaration:
			if st.Function.Name != nil && st.Function.Name.Name.String() == name {
				return true
			}
		case *ast.LexicalDeclaration:
			if binds(st.List, name) {
				return true
			}
		case *ast.VariableStatement:
			if binds(st.List, name) {
				return true
			}
		}
	}
	return false
}

func binds(list []*ast.Binding, name string) bool {
	for _, b := range list {
		if id, ok := b.Target.(*ast.Identifier); ok && id.Name.String() == name {
			return true
		}
	}
	return false
}

// maxMessage bounds what is shown of what a script says, in bytes.
const maxMessage = 500

// brief returns the beginning of a message, as text that can be kept.
func brief(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
